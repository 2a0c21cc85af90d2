//! Putting messages back in order.

use crate::proto::message::{OVERHEAD, PayloadType};
use bytes::Bytes;
use std::collections::BTreeMap;

/// The payload of one stream message, in its turn.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) payload_type: PayloadType,
    pub(crate) payload: Bytes,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It was expected; more may follow from [`Incoming::next_early`].
    Next,
    /// It is kept until its turn.
    Early,
    /// It was there already.
    Repeat,
    /// There is no room for it.
    TooEarly,
}

/// The next number expected, and what came before its turn.
pub(super) struct Incoming {
    expected: i64,
    early: BTreeMap<i64, Received>,
    held: usize,
    limit: usize,
}

impl Incoming {
    /// Keeps at most `limit` bytes of early messages.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            expected: 0,
            early: BTreeMap::new(),
            held: 0,
            limit,
        }
    }

    /// The next number expected.
    pub(super) fn expected(&self) -> i64 {
        self.expected
    }

    /// Places a message. [`Arrival::Next`] leaves it to the caller to deliver.
    pub(super) fn place(&mut self, number: i64, received: &Received) -> Arrival {
        if number == self.expected {
            self.expected += 1;
            return Arrival::Next;
        }
        if number < self.expected || self.early.contains_key(&number) {
            return Arrival::Repeat;
        }
        let size = size(received);
        if self.held + size > self.limit {
            return Arrival::TooEarly;
        }
        self.held += size;
        self.early.insert(number, received.clone());
        Arrival::Early
    }

    /// The next kept message whose turn has come.
    pub(super) fn next_early(&mut self) -> Option<Received> {
        let received = self.early.remove(&self.expected)?;
        self.held -= size(&received);
        self.expected += 1;
        Some(received)
    }
}

/// The payload keeps its whole frame alive.
fn size(received: &Received) -> usize {
    OVERHEAD + received.payload.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(byte: u8) -> Received {
        Received {
            payload_type: PayloadType::Output,
            payload: Bytes::from(vec![byte; 80]),
        }
    }

    #[test]
    fn messages_come_out_in_order() {
        let mut incoming = Incoming::new(1000);
        assert_eq!(incoming.place(2, &message(2)), Arrival::Early);
        assert_eq!(incoming.place(1, &message(1)), Arrival::Early);
        assert!(incoming.next_early().is_none());
        assert_eq!(incoming.place(0, &message(0)), Arrival::Next);
        let rest: Vec<u8> = std::iter::from_fn(|| incoming.next_early())
            .map(|m| m.payload[0])
            .collect();
        assert_eq!(rest, [1, 2]);
        assert_eq!(incoming.expected(), 3);
    }

    #[test]
    fn repeats_are_told_apart_whether_delivered_or_kept() {
        let mut incoming = Incoming::new(1000);
        incoming.place(0, &message(0));
        incoming.place(5, &message(5));
        assert_eq!(incoming.place(0, &message(0)), Arrival::Repeat);
        assert_eq!(incoming.place(5, &message(5)), Arrival::Repeat);
        assert_eq!(incoming.place(-1, &message(9)), Arrival::Repeat);
    }

    #[test]
    fn early_messages_beyond_the_limit_are_dropped_until_the_gap_fills() {
        let mut incoming = Incoming::new(400);
        assert_eq!(incoming.place(1, &message(1)), Arrival::Early);
        assert_eq!(incoming.place(2, &message(2)), Arrival::Early);
        assert_eq!(incoming.place(3, &message(3)), Arrival::TooEarly);
        assert_eq!(incoming.place(0, &message(0)), Arrival::Next);
        while incoming.next_early().is_some() {}
        assert_eq!(incoming.place(3, &message(3)), Arrival::Next);
    }
}

//! Bytes that wait to be cut into messages.

use bytes::{Buf, Bytes};
use std::collections::VecDeque;

use crate::proto::message::PayloadType;

/// A queue of bytes of several kinds. Neighbours of one kind share messages.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pieces: VecDeque<(PayloadType, Bytes)>,
    length: usize,
}

impl Outbox {
    pub(super) fn push(&mut self, kind: PayloadType, bytes: Bytes) {
        if !bytes.is_empty() {
            self.length += bytes.len();
            self.pieces.push_back((kind, bytes));
        }
    }

    /// The next message: at most `max` bytes of one kind.
    pub(super) fn next(&mut self, max: usize) -> Option<(PayloadType, Bytes)> {
        let (kind, first) = self.pieces.front_mut()?;
        let kind = *kind;
        if first.len() >= max {
            let message = first.split_to(max);
            self.length -= max;
            self.drop_empty();
            return Some((kind, message));
        }
        let mut message = Vec::with_capacity(max.min(self.length));
        while let Some((next, bytes)) = self.pieces.front_mut()
            && *next == kind
            && message.len() < max
        {
            let count = bytes.len().min(max - message.len());
            message.extend_from_slice(&bytes[..count]);
            bytes.advance(count);
            self.length -= count;
            self.drop_empty();
        }
        Some((kind, message.into()))
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn drop_empty(&mut self) {
        self.pieces.pop_front_if(|(_, bytes)| bytes.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PayloadType::{Output, StdErr};

    #[test]
    fn messages_are_full_and_of_one_kind() {
        let mut outbox = Outbox::default();
        for (kind, text) in [
            (Output, "abc"),
            (Output, "defgh"),
            (StdErr, "no"),
            (Output, "i"),
        ] {
            outbox.push(kind, Bytes::from_static(text.as_bytes()));
        }
        assert_eq!(outbox.len(), 11);
        let messages: Vec<_> = std::iter::from_fn(|| outbox.next(4)).collect();
        let expected = [
            (Output, "abcd"),
            (Output, "efgh"),
            (StdErr, "no"),
            (Output, "i"),
        ];
        assert_eq!(messages, expected.map(|(kind, text)| (kind, text.into())));
        assert!(outbox.is_empty());
    }
}

//! Acknowledgements waiting to be sent, and those sent of late.
//!
//! What was acknowledged shortly before a link was lost is acknowledged again on the next one. The reference agent
//! repeats one message in 100 ms, the oldest, so each acknowledgement that was lost would hold up what was really lost.

use std::collections::VecDeque;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// What is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ack {
    pub(super) id: Uuid,
    pub(super) number: i64,
}

/// Acknowledgements to send; the text is made when they are.
#[derive(Default)]
pub(super) struct Acks {
    waiting: VecDeque<Ack>,
    recent: VecDeque<(Ack, Instant)>,
}

impl Acks {
    pub(super) fn push(&mut self, ack: Ack) {
        self.waiting.push_back(ack);
    }

    pub(super) fn pop(&mut self, now: Instant) -> Option<Ack> {
        let ack = self.waiting.pop_front()?;
        if self.recent.len() == MAX_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((ack, now));
        Some(ack)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether no more should be accepted before some are sent.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_WAITING
    }

    /// The link is lost, and with it perhaps what was sent of late.
    pub(super) fn recall(&mut self, now: Instant) {
        let recent = std::mem::take(&mut self.recent);
        let late = |&(_, sent): &(Ack, Instant)| now.saturating_duration_since(sent) < LATE;
        for (ack, _) in recent.into_iter().filter(late).rev() {
            self.waiting.push_front(ack);
        }
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}

/// A third of a second of the agent's full rate.
const MAX_RECENT: usize = 256;

/// A dead link may go unnoticed for as long as a pong may be missing.
const LATE: Duration = Duration::from_secs(90);

/// Far more than any link lets pile up; beyond it messages are left for the peer to send again.
const MAX_WAITING: usize = 32_768;

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(number: i64) -> Ack {
        Ack {
            id: Uuid::nil(),
            number,
        }
    }

    #[test]
    fn what_was_acknowledged_of_late_is_acknowledged_again_after_a_loss() {
        let start = Instant::now();
        let mut acks = Acks::default();
        acks.push(ack(0));
        acks.pop(start);
        acks.push(ack(1));
        acks.pop(start + Duration::from_secs(100));
        acks.push(ack(2));
        acks.recall(start + Duration::from_secs(101));
        let again: Vec<Ack> = std::iter::from_fn(|| acks.pop(start)).collect();
        assert_eq!(again, [ack(1), ack(2)]);
    }
}

//! One stream's receiving half, and its name.
//!
//! ```text
//!   open()            first byte                 remote FIN
//!   ───────▶ Unresolved ─────────▶ Flowing ─────────────────▶ Ended ── finish() ─▶ removed
//!                │                    └──────── finish() ──────────────────────────▶ removed
//!                ├── remote FIN, no refusal pending ──────────▶ Ended
//!                ├── remote FIN after a refusal ──────────────────────────────────▶ removed
//!                └── finish() ────────────────────────────────────────────────────▶ removed
//! ```
//!
//! The sending half has no state: its frames go into the pipe as they come, until the stream is removed. The agent
//! takes a FIN for a full close, so there is no half-closed state of ours: `finish` drops what was not read.
//!
//! Received data is not copied, unless it comes in crumbs: each would keep alive the whole buffer that the link was read
//! into, and a stream that nobody reads would hold many times what it counts.

use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

/// One stream of a session, for as long as the session lives: ids are not used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub(in crate::proto) u32);

impl StreamId {
    /// The number on the wire.
    pub fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamId({})", self.0)
    }
}

/// What has been received for one stream.
#[derive(Default)]
pub(super) struct Stream {
    inbox: VecDeque<Bytes>,
    /// Crumbs behind all of `inbox`.
    crumbs: BytesMut,
    unread: usize,
    state: State,
    /// When its SYN was sent.
    pub(super) opened: Option<Instant>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Unresolved,
    Flowing,
    Ended,
}

impl Stream {
    /// Takes data; true if there was none to read before. The caller has seen that the stream has not ended.
    pub(super) fn receive(&mut self, data: Bytes) -> bool {
        let had_none = self.unread == 0;
        self.state = State::Flowing;
        self.unread += data.len();
        if data.len() < CRUMB {
            self.crumbs.extend_from_slice(&data);
        } else {
            self.sweep();
            self.inbox.push_back(data);
        }
        if self.crumbs.len() >= MOST_CRUMBS {
            self.sweep();
        }
        had_none
    }

    /// Takes the remote FIN.
    pub(super) fn end(&mut self) {
        self.state = State::Ended;
    }

    /// Whether the remote FIN has come.
    pub(super) fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// The next piece of what was received.
    pub(super) fn read(&mut self) -> Option<Bytes> {
        if self.inbox.is_empty() {
            self.sweep();
        }
        let data = self.inbox.pop_front()?;
        self.unread -= data.len();
        Some(data)
    }

    /// Bytes to read.
    pub(super) fn unread(&self) -> usize {
        self.unread
    }

    /// Whether neither a byte nor an end has come.
    pub(super) fn is_unresolved(&self) -> bool {
        self.state == State::Unresolved
    }

    /// Makes one piece of the crumbs, with an allocation of its own.
    fn sweep(&mut self) {
        if !self.crumbs.is_empty() {
            let crumbs = std::mem::take(&mut self.crumbs);
            self.inbox.push_back(crumbs.freeze());
        }
    }
}

/// Less than half of a usual message.
const CRUMB: usize = 512;

/// So many bytes of crumbs make a piece. A growing buffer is at most twice as large.
const MOST_CRUMBS: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crumbs_share_pieces_and_let_go_of_the_buffer_they_came_in() {
        let read = Bytes::from(vec![7; 100_000]);
        let mut stream = Stream::default();
        for crumb in 0..40_000 {
            stream.receive(read.slice(crumb..crumb + 1));
        }
        assert!(read.is_unique(), "nothing holds the buffer");
        let pieces: Vec<Bytes> = std::iter::from_fn(|| stream.read()).collect();
        assert_eq!(pieces.iter().map(Bytes::len).sum::<usize>(), 40_000);
        assert_eq!((pieces.len(), stream.unread()), (3, 0));
    }

    #[test]
    fn crumbs_and_large_pieces_keep_their_order() {
        let mut stream = Stream::default();
        let sizes = [3, 600, 600, 5, 1, 511, 512, 2];
        let parts = (0u8..)
            .zip(sizes)
            .map(|(n, size)| Bytes::from(vec![n; size]));
        let firsts: Vec<bool> = parts.clone().map(|part| stream.receive(part)).collect();
        assert_eq!(
            firsts,
            [true, false, false, false, false, false, false, false]
        );
        let all: Vec<u8> = std::iter::from_fn(|| stream.read()).flatten().collect();
        assert_eq!(all, parts.flatten().collect::<Vec<u8>>());
        assert!(stream.receive(Bytes::from_static(b"again")));
    }
}

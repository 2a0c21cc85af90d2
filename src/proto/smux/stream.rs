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

use bytes::Bytes;
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
        self.state = State::Flowing;
        self.unread += data.len();
        self.inbox.push_back(data);
        self.inbox.len() == 1
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
}

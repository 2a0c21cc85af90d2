//! The wire, without the wire: SSM's data channel and the smux streams inside it, as pure state machines.
//!
//! Bytes, events and the time go in as arguments; bytes, events and the next deadline come out. Nothing here knows a
//! socket, a task, a clock or a source of randomness. [`Session`] is all that the rest of the crate needs; the modules
//! are public for tests, fuzzing and the simulator.
//!
//! From the wire upwards: [`message`] is one binary frame, [`payload`] the JSON inside some of them, [`datachannel`] a
//! reliable ordered byte pipe made of messages, [`smux`] many streams over that pipe, [`session`] both as one machine;
//! [`shell`] is the other use of the data channel.

pub mod datachannel;
pub mod message;
pub mod payload;
pub mod session;
pub mod shell;
pub mod smux;
pub mod version;

pub use session::{
    AgentProfile, Event, Failure, Notice, Options, Resend, Role, Session, Stats, StreamId, Timer,
};

use bytes::Bytes;
use std::time::Instant;

/// What a WebSocket carries: one end of a data channel. See [`Session`] for the methods.
pub trait Protocol {
    /// Takes one binary frame; an error says why it was ignored.
    fn handle_input(&mut self, frame: Bytes, now: Instant) -> Result<(), message::Error>;
    /// The next binary frame to send.
    fn poll_transmit(&mut self, now: Instant) -> Option<Bytes>;
    /// When the next deadline is.
    fn poll_timeout(&self) -> Option<Instant>;
}

impl Protocol for Session {
    fn handle_input(&mut self, frame: Bytes, now: Instant) -> Result<(), message::Error> {
        self.handle_input(frame, now)
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Bytes> {
        self.poll_transmit(now)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.poll_timeout()
    }
}

#[cfg(test)]
mod tests;

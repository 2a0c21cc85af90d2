//! The wire, without the wire: SSM's data channel and the smux streams inside it, as pure state machines.
//!
//! Bytes, events and the time go in as arguments; bytes, events and the next deadline come out. Nothing here knows a
//! socket, a task, a clock or a source of randomness. [`Session`] is all that the rest of the crate needs; the modules
//! are public for tests, fuzzing and the simulator.
//!
//! From the wire upwards: [`message`] is one binary frame, [`payload`] the JSON inside some of them, [`datachannel`] a
//! reliable ordered byte pipe made of messages, [`smux`] many streams over that pipe, [`session`] both as one machine.

pub mod datachannel;
pub mod message;
pub mod payload;
pub mod session;
pub mod smux;
pub mod version;

pub use session::{
    AgentProfile, Event, Failure, Notice, Options, Resend, Role, Session, Stats, StreamId, Timer,
};

#[cfg(test)]
mod tests;

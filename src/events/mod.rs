//! What has changed lately: a ring of the latest events, and readers that follow it.
//!
//! Telling never waits: a reader that falls behind by more than the ring holds is told how many events it has lost.
//! What is a change is worked out from the status ([`Change`]), so that events and status have the same words.

mod change;
mod ring;

pub use change::Change;
pub use ring::{Events, Read, Reader};

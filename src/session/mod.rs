//! One SSM session, whatever it carries: its life, its WebSockets, and what changes around it.
//!
//! [`Lifecycle`] says what to do next, [`dial`] opens a WebSocket, a [`Wire`] carries a machine of
//! `proto` over it. Who uses them is a tunnel's session, and a shell.

mod attempt;
pub mod changes;
mod dial;
mod lifecycle;
mod wake;
mod wire;

pub use attempt::{stale, trouble, trouble_resuming};
pub use dial::{Socket, dial};
pub use lifecycle::{Lifecycle, Outcome, Step, Trouble, TroubleKind};
pub use wire::Wire;

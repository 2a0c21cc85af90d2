//! Setting things up: `bastiond infra` makes what a bastion runs in, `bastiond init` writes the configuration.
//!
//! What an answer means, which port to suggest and what is written are decided by the pure modules; the flow in `init`
//! puts questions and calls in order. Nothing is changed before all is known: whoever leaves
//! at a question leaves nothing behind.

mod account;
mod answer;
mod ask;
mod bastion;
mod database;
mod draft;
mod file;
mod infra;
mod init;
mod place;
mod port;

pub use infra::run as infra;
pub use init::run as init;

//! Setting things up: `bastiond init` writes the configuration, `bastiond infra` makes what runs in AWS.
//!
//! What to ask, what an answer means, which port to suggest and what is written are decided by the pure modules; the
//! flows in `init` and `infra` put questions and calls in order. Nothing is changed before all is known: whoever leaves
//! at a question leaves nothing behind.

mod account;
mod answer;
mod ask;
mod bastion;
mod database;
mod draft;
mod file;
mod init;
mod port;

pub use init::run as init;

//! What a shell tells its owner.

use bytes::Bytes;
use thiserror::Error;

/// News for the owner of a [`super::Shell`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Input is heard from now on; comes once.
    Ready {
        /// What the agent says it is; unencrypted interactive sessions have no handshake to say it in.
        agent_version: Option<String>,
        /// For the user, never empty.
        customer_message: Option<String>,
    },
    /// The account wants the session encrypted: [`super::Shell::provide_key`] or [`super::Shell::refuse_key`].
    KeyWanted {
        /// The KMS key to make a data key under.
        key_id: String,
        /// To be bound to the data key, with the session and the target.
        challenge: Option<String>,
    },
    /// What the far side wrote to its terminal, or a command to its standard output.
    Output(Bytes),
    /// What a command wrote to its standard error.
    StdErr(Bytes),
    /// How a command ended.
    Exit(i32),
    /// Nothing was acknowledged for 30 s of a living link while something should have been: take a new link.
    Unresponsive,
    /// The service ended the session; final.
    Closed {
        /// The service's or the agent's reason; may be empty.
        output: String,
    },
    /// The session cannot go on; final. The service does not know: end the session there.
    Failed(Failure),
}

/// Why a shell cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// A handshake that was begun, or had to begin, was not completed.
    #[error("the agent said nothing for {0} s: is it running, and is the document one for shells?")]
    HandshakeTimeout(u64),
    /// The agent's handshake message cannot be read, or came out of turn.
    #[error("the agent's handshake cannot be understood: {0}")]
    Handshake(String),
    /// A session of a kind that is no shell.
    #[error("not a shell, but a session of the type `{0}`: is the document right?")]
    SessionType(String),
    /// The data key was not to be had.
    #[error("{0}")]
    NoKey(String),
    /// A message cannot be decrypted.
    #[error(
        "a message of the agent's cannot be decrypted: it was altered on its way, or is of another key"
    )]
    Unreadable,
    /// No acknowledgement for 30 s, and none for 60 s of a new link.
    #[error("the agent acknowledges nothing, on a new link neither")]
    Unresponsive,
}

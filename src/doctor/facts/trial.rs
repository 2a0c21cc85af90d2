//! How far a session came.

use std::time::Duration;

use crate::status::Reason;

/// A session that was opened to see how far it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Where it leads, in words.
    pub remote: String,
    /// The port there.
    pub port: u16,
    /// The network interface that its connections come from.
    pub interface: Option<String>,
    /// The version that the agent says it has.
    pub agent: Option<String>,
    /// What each step took, of those that came to their end.
    pub steps: Vec<(Step, Duration)>,
    /// Where it ended, if not at the database.
    pub stuck: Option<Stuck>,
}

/// A step of such a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// StartSession, and the WebSocket.
    Session,
    /// The agent's greeting.
    Handshake,
    /// The first connection to the database's port.
    Connect,
}

/// Why such a session did not come to the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stuck {
    /// AWS did not start it, or its WebSocket did not open.
    Session(Reason),
    /// The agent did not greet as it should.
    Handshake(Reason),
    /// The agent was refused by the database's host, or knows no host of that name.
    Connect(Reason),
    /// Nobody answered the agent for so long.
    Silence(Duration),
}

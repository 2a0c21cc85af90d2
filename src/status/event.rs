//! What has changed.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};

/// A change of state, as `GET /v1/events` tells it, a line each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// [`SCHEMA`](super::SCHEMA).
    pub schema: u32,
    /// Its number: 1 for the daemon's first, and one more for each that follows.
    pub seq: u64,
    /// When it was noticed, to the millisecond.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: OffsetDateTime,
    /// The same in seconds since 1970.
    pub unix_seconds: f64,
    /// What has changed.
    pub kind: EventKind,
    /// Which one: a tunnel's or bastion's name, a session's number within its tunnel, a listener's address, whose
    /// credentials.
    pub name: String,
    /// The tunnel that a session or a listener belongs to.
    pub tunnel: Option<String>,
    /// The id that AWS knows a session by, or the task of a bastion.
    pub id: Option<String>,
    /// Its state now, in the words of the status; what is gone is `ended`.
    pub state: String,
    /// Its state before; `None` when it is told of for the first time.
    pub was: Option<String>,
    /// Why, in one sentence.
    pub detail: Option<String>,
    /// The stable word for what is wrong.
    pub code: Option<String>,
    /// The one thing to do about it.
    pub hint: Option<String>,
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The daemon: `ready`, `reloaded`, `stopping`.
    Daemon,
    /// A tunnel.
    Tunnel,
    /// An SSM session of a tunnel.
    Session,
    /// A bastion.
    Bastion,
    /// A local address of a tunnel.
    Listener,
    /// The credentials for AWS: `valid` or `invalid`.
    Credentials,
    /// This stream of events: `dropped` because its reader was too slow. It is the last line.
    Stream,
}

/// A line for people: `tunnel app-db: ready`.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.replace('_', " ");
        match (self.kind, &self.tunnel) {
            (EventKind::Daemon, _) => write!(f, "daemon: {state}")?,
            (EventKind::Stream, _) => write!(f, "stream: {state}")?,
            (EventKind::Tunnel, _) => write!(f, "tunnel {}: {state}", self.name)?,
            (EventKind::Bastion, _) => write!(f, "bastion {}: {state}", self.name)?,
            (EventKind::Credentials, _) => write!(f, "credentials of {}: {state}", self.name)?,
            (EventKind::Session, tunnel) => {
                let tunnel = tunnel.as_deref().unwrap_or_default();
                write!(f, "session {} of {tunnel}: {state}", self.name)?;
            }
            (EventKind::Listener, tunnel) => {
                let tunnel = tunnel.as_deref().unwrap_or_default();
                write!(f, "{} of {tunnel}: {state}", self.name)?;
            }
        }
        match &self.detail {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

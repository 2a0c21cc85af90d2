//! The local connections that are open.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};

use super::SCHEMA;

/// The answer to `GET /v1/connections`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Connections {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The oldest first.
    pub connections: Vec<Connection>,
}

impl From<Vec<Connection>> for Connections {
    fn from(connections: Vec<Connection>) -> Self {
        Self {
            schema: SCHEMA,
            connections,
        }
    }
}

/// A local connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Connection {
    /// Its number; no two of a daemon have the same.
    pub id: u64,
    /// The tunnel it came to.
    pub tunnel: String,
    /// The number of the session that carries it; `None` while it waits for one.
    pub session: Option<u64>,
    /// The local address it came to.
    pub local: String,
    /// Where it came from.
    pub peer: String,
    /// The process at the other end, where the system tells.
    pub pid: Option<u32>,
    /// That process's name, at most 15 bytes of it.
    pub program: Option<String>,
    /// When it was accepted.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub accepted_at: OffsetDateTime,
    /// Seconds since then.
    pub age_seconds: u64,
    /// Bytes from the local client to the far side.
    pub bytes_sent: u64,
    /// Bytes from the far side to the local client.
    pub bytes_received: u64,
}

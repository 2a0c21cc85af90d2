//! The configuration, as values.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{OffsetDateTime, serde::rfc3339};

use super::{SCHEMA, timestamp};

/// The configuration in force: the answer to `GET /v1/config`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InForce {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The file it was read from; `None` when there is none (the demo).
    pub config_path: Option<String>,
    /// When it came into force.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: OffsetDateTime,
    /// Every setting under the key that it has in the file, with what holds where the file says nothing. What is
    /// `null` is left to AWS's own rules.
    pub settings: Value,
}

impl InForce {
    /// `settings`, which come into force now.
    pub fn new(config_path: Option<String>, settings: Value) -> Self {
        Self {
            schema: SCHEMA,
            config_path,
            since: timestamp(std::time::SystemTime::now()),
            settings,
        }
    }
}

/// What a reload has changed: the answer to `POST /v1/reload`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reloaded {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Tunnels that there are now.
    pub added: Vec<String>,
    /// Tunnels that there are no more.
    pub removed: Vec<String>,
    /// Tunnels that were started anew, with other settings.
    pub changed: Vec<String>,
    /// Tunnels that go on as they are, with their connections.
    pub unchanged: Vec<String>,
}

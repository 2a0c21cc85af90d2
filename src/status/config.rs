//! The configuration, as values.

use std::time::SystemTime;

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
    /// The file it was read from; `None` when there was none.
    pub config_path: Option<String>,
    /// When it came into force.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: OffsetDateTime,
    /// Every setting that has a value.
    pub settings: Vec<Setting>,
}

/// A setting, and where its value comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Setting {
    /// Its place in the configuration, such as `tunnel.app-db.listen`.
    pub path: String,
    /// Its value, as JSON.
    pub value: Value,
    /// Where that comes from.
    pub origin: Origin,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Origin {
    /// Nothing is said.
    Default,
    /// The file says so.
    File {
        /// The number of its line.
        line: usize,
    },
    /// The environment says so.
    Environment {
        /// The name of the variable.
        name: String,
    },
    /// The command line says so.
    Flag {
        /// The setting that it names.
        name: String,
    },
}

impl InForce {
    /// `settings`, in force since a moment.
    pub fn new(config_path: Option<String>, settings: Vec<Setting>, since: SystemTime) -> Self {
        Self {
            schema: SCHEMA,
            config_path,
            since: timestamp(since),
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
    /// Settings that have changed and hold from the daemon's next start on.
    #[serde(default)]
    pub needs_restart: Vec<String>,
}

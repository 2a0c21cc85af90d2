//! What the tasks cost.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the tasks cost, as an estimate: the seconds of their lives at the prices of Fargate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// `USD`.
    pub currency: String,
    /// It always is one: AWS's bill knows discounts, networks and logs as well.
    pub is_estimate: bool,
    /// When the prices were looked up.
    pub prices_date: String,
    /// Since midnight.
    pub today: Amount,
    /// Since the first of the month.
    pub month: Amount,
    /// A task a bastion since the first of the month, had it always been on.
    pub always_on_month: Amount,
    /// By bastion and size.
    pub rows: Vec<CostRow>,
}

/// What the tasks of one bastion and size cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CostRow {
    /// The bastion.
    pub bastion: String,
    /// The size.
    #[serde(flatten)]
    pub size: Size,
    /// Since midnight.
    pub today: Amount,
    /// Since the first of the month.
    pub month: Amount,
}

/// Time, and what it costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Amount {
    /// Seconds of tasks.
    pub seconds: u64,
    /// US dollars.
    pub usd: f64,
}

/// The size of a task, as far as its price depends on it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct Size {
    /// CPU units: 1024 are one vCPU.
    pub cpu: u32,
    /// Memory in MiB.
    pub memory: u32,
    /// The processor's architecture.
    pub architecture: Architecture,
    /// On spare capacity.
    pub spot: bool,
}

/// The architecture of a processor.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// Intel and AMD.
    X86_64,
    /// Graviton.
    Arm64,
}

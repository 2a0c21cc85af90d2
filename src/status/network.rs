//! Where a bastion's task runs, and why there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing of the network that was chosen for a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Chosen {
    /// What it is.
    pub kind: ChosenKind,
    /// Its id, or `enabled`; empty for a caution.
    pub value: String,
    /// Why, or what is doubtful.
    pub reason: String,
}

/// What was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChosenKind {
    /// A subnet.
    Subnet,
    /// A security group.
    SecurityGroup,
    /// Whether the task gets a public address.
    PublicIp,
    /// Nothing chosen, but something that may be in the way.
    Caution,
}

impl Chosen {
    /// A thing and why it was chosen.
    pub fn new(kind: ChosenKind, value: &str, reason: impl Into<String>) -> Self {
        Self {
            kind,
            value: value.to_owned(),
            reason: reason.into(),
        }
    }

    /// Something that may be in the way.
    pub fn caution(reason: impl Into<String>) -> Self {
        Self::new(ChosenKind::Caution, "", reason)
    }
}

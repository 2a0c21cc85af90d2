//! What runs in AWS, is ours, and has no owner.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A task or a session that a daemon of ours started and that none looks after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Orphan {
    /// What it is.
    pub kind: OrphanKind,
    /// The task's ARN, or the session's id.
    pub id: String,
    /// The account and region that it is in, by the bastions that work there.
    pub region: String,
    /// The cluster of a task, the target of a session.
    pub place: String,
    /// Why it is one, in words.
    pub why: String,
    /// Seconds since it was started, where AWS tells.
    pub age_seconds: Option<u64>,
    /// What became of it.
    pub state: OrphanState,
    /// Why it could not be ended.
    pub error: Option<String>,
}

/// What an orphan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrphanKind {
    /// An ECS task.
    Task,
    /// An SSM session.
    Session,
}

/// What became of an orphan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrphanState {
    /// It was found, and left.
    Found,
    /// It was ended.
    Ended,
    /// It could not be ended.
    Failed,
}

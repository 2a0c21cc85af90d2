//! What a bastion is doing.

use std::time::Instant;

use super::terms::{Action, Agent};
use crate::status::Reason;

/// What the bastion is doing, for the status.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// No task.
    Stopped,
    /// Looking for one.
    Finding,
    /// RunTask is under way.
    Launching,
    /// A task on its way to RUNNING.
    Coming(Coming),
    /// RUNNING, the agent not known to be connected.
    Probing(Probing),
    /// In use, or ready for it.
    Ready(Held),
    /// Unused; stopped when the time is over.
    Resting(Held, Instant),
    /// About to be stopped, or let go.
    Leaving(Held, Farewell),
    /// A start failed; nothing is tried before this time.
    Cooling(Instant, Reason),
}

/// A task on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Coming {
    /// The task.
    pub arn: String,
    /// Where it is, in words.
    pub detail: &'static str,
    /// We ran it, in this start: nobody else can have a session on it yet.
    pub(super) ours: bool,
    pub(super) seen_since: Instant,
    pub(super) look_at: Instant,
    pub(super) reconcile_at: Option<Instant>,
}

#[cfg(test)]
impl Coming {
    pub(crate) fn seen(arn: String, detail: &'static str, now: Instant) -> Self {
        Self {
            arn,
            detail,
            ours: true,
            seen_since: now,
            look_at: now,
            reconcile_at: None,
        }
    }
}

/// A task that runs and whose agent is being waited for.
#[derive(Debug, Clone, PartialEq)]
pub struct Probing {
    /// The task and target.
    pub held: Held,
    pub(super) since: Instant,
    pub(super) agent: Agent,
    pub(super) agent_since: Instant,
    /// GetConnectionStatus cannot tell, or may not be asked.
    pub(super) blind: bool,
    pub(super) probe_at: Instant,
}

/// A task that runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// The task.
    pub arn: String,
    /// What StartSession may be given, a target for each container with an agent; empty while it is not up.
    pub targets: Vec<String>,
    /// We ran it, in this start.
    pub(super) ours: bool,
    /// It was given to somebody, so others may have sessions on it.
    pub(super) granted: bool,
    /// GetConnectionStatus has said that its agent is connected, so its word can be trusted.
    pub(super) confirmed: bool,
    /// A tunnel could not reach it.
    pub(super) doubted: bool,
    /// How often in this use of it StartSession said that its agent is not connected.
    pub(super) refusals: u8,
    pub(super) refused_at: Instant,
    /// Since when it has been known to run.
    pub(super) up_since: Instant,
    /// From then on it is too old for whoever comes next.
    pub(super) worn_at: Option<Instant>,
    pub(super) look_at: Instant,
}

impl Held {
    #[cfg(test)]
    pub(crate) fn seen(arn: String, target: String, now: Instant) -> Self {
        Self::new(arn, vec![target], true, now)
    }

    /// A task that was just seen to run.
    pub(super) fn new(arn: String, targets: Vec<String>, ours: bool, now: Instant) -> Self {
        Self {
            arn,
            targets,
            ours,
            granted: false,
            confirmed: false,
            doubted: false,
            refusals: 0,
            refused_at: now,
            up_since: now,
            worn_at: None,
            look_at: now,
        }
    }

    /// The question whether its agent is connected: the first one's stands for all.
    pub(super) fn probe(&self) -> Action {
        Action::Probe(self.targets.first().cloned().unwrap_or_default())
    }
}

/// How far the farewell is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Farewell {
    /// Sessions are being counted, and the task stays if somebody wants it meanwhile.
    Counting,
    /// The same, but its agent is dead: it is replaced if nobody has a session.
    CountingHopeless,
    /// The same, but it is too old: others take their time on it, and another serves us.
    CountingWorn,
    /// The task is being stopped.
    Stopping,
    /// The same, and another is to take its place if somebody wants it.
    StoppingHopeless,
}

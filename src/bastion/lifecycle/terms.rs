//! What goes into a bastion's lifecycle and what comes out.

use std::time::Duration;

use crate::status::Reason;

/// What is known of a task, in the terms of this machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// The task's ARN.
    pub arn: String,
    /// How far it is.
    pub phase: Phase,
}

/// How far a task is.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// On its way to RUNNING; the text says where it is.
    Coming(&'static str),
    /// RUNNING.
    Up {
        /// What StartSession may be given: a target for each container with an agent, and never none.
        targets: Vec<String>,
        /// The state of the agent in the container.
        agent: Agent,
        /// How old the task is.
        age: Duration,
    },
    /// It runs, but cannot serve as a bastion, nor could another of its kind.
    Unusable(Reason),
    /// Stopped, or about to be.
    Going {
        /// Why, as far as AWS says.
        reason: Reason,
        /// How many other attempts may fare better.
        retries: u8,
        /// It has stopped, or is beyond serving anybody.
        stopped: bool,
    },
}

/// The state of the agent, as ECS reports it; of several, that of the one that is furthest.
#[derive(Debug, Clone, PartialEq)]
pub enum Agent {
    /// Not started.
    Pending,
    /// Its process runs; it need not be connected.
    Running,
    /// It ended.
    Stopped(String),
}

/// A call for the shell to make.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Look for a task to use.
    Find,
    /// Run one.
    Launch,
    /// Look at one.
    Describe(String),
    /// Ask whether the agent of this target is connected.
    Probe(String),
    /// Count the sessions on this task, whichever of its containers they go through.
    CountSessions(String),
    /// Stop a task.
    Stop {
        /// Its ARN.
        arn: String,
        /// Recorded by ECS and shown to whoever looks.
        reason: String,
    },
    /// No task is at hand: lower a service's count if nobody else uses it and it is ours to lower.
    Settle,
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    /// Why.
    pub reason: Reason,
    /// The same call may succeed a little later.
    pub retry: bool,
    /// AWS may have done what it was asked for all the same: only its answer was lost.
    pub ambiguous: bool,
    /// What was asked for may work so much later: something of it is still being made.
    pub ripens_in: Option<Duration>,
}

/// What came of an [`Action`].
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Of `Find`.
    Found(Result<Option<Sighting>, Trouble>),
    /// Of `Launch`.
    Launched(Result<Sighting, Trouble>),
    /// Of `Describe`; `None` when ECS does not know the task.
    Described(Result<Option<Sighting>, Trouble>),
    /// Of `Probe`.
    Probed(Result<bool, Trouble>),
    /// Of `CountSessions`.
    Counted(Result<usize, Trouble>),
    /// Of `Stop`.
    Stopped {
        /// The task.
        arn: String,
        /// Whether it will stop.
        result: Result<(), Trouble>,
    },
    /// Of `Settle`: whether nothing is left to do.
    Settled(bool),
}

/// News for whoever waits for or uses the bastion.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The bastion can be used; all requests are granted.
    Ready {
        /// What StartSession may be given.
        targets: Vec<String>,
    },
    /// The start failed; all requests are refused.
    Failed(Reason),
    /// The task is going away: existing leases are void for new sessions.
    Going {
        /// The task.
        arn: String,
        /// Why.
        reason: Reason,
        /// It has stopped, or is beyond serving anybody: open connections are lost.
        stopped: bool,
    },
    /// A task that was going away, with connections still open on it, is gone.
    Gone {
        /// The task.
        arn: String,
        /// Why.
        reason: Reason,
    },
    /// A task is now ours to look after.
    Holding(String),
    /// That task is no longer ours to look after.
    LetGo(String),
}

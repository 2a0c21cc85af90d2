//! What carries the agent: how long that takes, and what it is called.

use std::time::Duration;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What carries the agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    /// An ECS task: run anew, and any other of its kind will do.
    #[default]
    Task,
    /// A task of an ECS service, which starts, replaces and stops it: its count is raised and lowered.
    Service,
    /// An EC2 instance: the very same is started and stopped.
    Instance,
    /// A hybrid node: it is there, or it is not.
    Node,
}

impl Kind {
    /// As people call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Task | Self::Service => "task",
            Self::Instance => "instance",
            Self::Node => "node",
        }
    }

    /// Whether another one can take its place.
    pub(super) fn is_replaceable(self) -> bool {
        self == Self::Task
    }

    /// The whole of a start, after which it has failed. An instance may have to stop first, which takes minutes.
    pub(super) fn start_deadline(self) -> Duration {
        match self {
            Self::Task | Self::Service | Self::Node => seconds(300),
            Self::Instance => seconds(600),
        }
    }

    /// From when it runs to when its agent is connected. A task's agent that is later never comes (a known fault of the
    /// agent); on instances some take more than five minutes.
    pub(super) fn agent_deadline(self) -> Duration {
        match self {
            Self::Task | Self::Service | Self::Node => seconds(60),
            Self::Instance => seconds(420),
        }
    }

    /// From here on StartSession's own retries are the better probe: GetConnectionStatus may not know tasks of ECS.
    pub(super) fn probe_patience(self) -> Duration {
        match self {
            Self::Task | Self::Service => seconds(15),
            Self::Instance | Self::Node => self.agent_deadline(),
        }
    }

    /// The same where nothing can be asked.
    pub(super) fn blind_patience(self) -> Duration {
        match self {
            Self::Task | Self::Service | Self::Node => Duration::ZERO,
            Self::Instance => seconds(60),
        }
    }

    /// How often one in use is looked at: its users should not be the first to learn of its end, and of a Spot task's
    /// two minutes most should be left for its successor to start. One bastion has one poller, whatever the number of its
    /// tunnels: a team of twenty takes 4 of the account's 20 calls a second. Machines end seldom.
    pub(super) fn watch_interval(self) -> Duration {
        match self {
            Self::Task | Self::Service => seconds(5),
            Self::Instance | Self::Node => seconds(30),
        }
    }

    /// The pause before the next look at one that has been on its way for so long, less the jitter. Of tasks, one bucket
    /// of 20 calls a second serves a whole account, and a small image is usually up between 12 and 45 seconds; an
    /// instance runs after 20 to 60.
    pub(super) fn look_interval(self, age: Duration) -> Duration {
        match (self, age.as_secs()) {
            (_, 0..5) => seconds(5) - age,
            (Self::Task, 5..12) => seconds(1),
            (Self::Task, 12..45) => Duration::from_millis(700),
            (Self::Service, 5..45) => seconds(1),
            (_, 5..120) => seconds(2),
            (_, _) => seconds(5),
        }
    }
}

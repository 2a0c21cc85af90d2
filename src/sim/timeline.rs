//! A task's life as a pure function of time: what DescribeTasks would say of it at any moment.
//!
//! Nothing here is advanced by anybody. A task is its [`Timing`], the moment of its creation and, once decided, its
//! [`Ending`]; [`Course::at`] reads the rest off the clock. So tests with timings of milliseconds are as
//! deterministic as those with a paused clock.

use std::time::Duration;

use tokio::time::Instant;

/// How long each stage of a task's life takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// RunTask's answer to the moment ListTasks and DescribeTasks know the task (AWS is eventually consistent).
    pub visible_after: Duration,
    /// PROVISIONING: the network interface is made.
    pub provisioning: Duration,
    /// PENDING: the image is pulled.
    pub pulling: Duration,
    /// ACTIVATING.
    pub activating: Duration,
    /// RUNNING to the exec agent's `lastStatus` RUNNING.
    pub agent_start: Duration,
    /// The agent's RUNNING to its control channel: before that StartSession answers `TargetNotConnected`.
    pub agent_connect: Duration,
    /// STOPPING: SIGTERM to the last container's exit.
    pub stopping: Duration,
    /// DEPROVISIONING: the network interface is removed.
    pub deprovisioning: Duration,
}

impl Timing {
    /// A few milliseconds a stage, for tests.
    #[must_use]
    pub fn fast() -> Self {
        let stage = Duration::from_millis(4);
        Self {
            visible_after: Duration::ZERO,
            provisioning: stage,
            pulling: stage,
            activating: stage,
            agent_start: stage,
            agent_connect: stage,
            stopping: stage,
            deprovisioning: stage,
        }
    }

    /// The proportions of a small image on Fargate, at about a third of the true length, for the demo.
    #[must_use]
    pub fn fargate() -> Self {
        Self {
            visible_after: Duration::from_millis(500),
            provisioning: Duration::from_millis(2500),
            pulling: Duration::from_millis(2000),
            activating: Duration::from_millis(300),
            agent_start: Duration::from_millis(700),
            agent_connect: Duration::from_millis(1500),
            stopping: Duration::from_millis(400),
            deprovisioning: Duration::from_millis(1500),
        }
    }

    /// Creation to RUNNING.
    #[must_use]
    pub fn until_running(&self) -> Duration {
        self.provisioning + self.pulling + self.activating
    }

    /// Creation to the moment StartSession works.
    #[must_use]
    pub fn until_connected(&self) -> Duration {
        self.until_running() + self.agent_start + self.agent_connect
    }
}

/// How the exec agent in a task fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AgentCourse {
    /// It starts and connects.
    #[default]
    Connects,
    /// It reports RUNNING, and its control channel never comes up (no route to ssmmessages, or no permission).
    NeverConnects,
    /// It stays PENDING.
    NeverStarts,
    /// It reports STOPPED with this reason.
    Stopped(String),
}

/// Why and when a task stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When `desiredStatus` becomes STOPPED.
    pub at: Instant,
    /// How long it goes on RUNNING after that (two minutes before a Spot interruption, else zero).
    pub notice: Duration,
    /// `stopCode`, as in `UserInitiated` or `TaskFailedToStart`.
    pub code: String,
    /// `stoppedReason`.
    pub reason: String,
    /// Every container's `exitCode`, when it ran.
    pub exit_code: Option<i32>,
    /// Every container's `reason`.
    pub container_reason: Option<String>,
}

/// A task's whole life, past and decided.
#[derive(Clone, Debug)]
pub struct Course {
    /// The stages' lengths.
    pub timing: Timing,
    /// When RunTask was answered.
    pub created: Instant,
    /// The agent's part.
    pub agent: AgentCourse,
    /// The end, once decided; it may lie ahead.
    pub ending: Option<Ending>,
}

/// What is to be seen of a task at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// `lastStatus`.
    pub last_status: &'static str,
    /// `desiredStatus`.
    pub desired_status: &'static str,
    /// `lastStatus` of the exec agent; `None` before the containers exist.
    pub agent_status: Option<&'static str>,
    /// Whether the agent's control channel is up.
    pub connected: bool,
    /// `pullStartedAt`.
    pub pull_started: Option<Instant>,
    /// `pullStoppedAt`.
    pub pull_stopped: Option<Instant>,
    /// `startedAt`.
    pub started: Option<Instant>,
    /// `stoppingAt`.
    pub stopping: Option<Instant>,
    /// `executionStoppedAt`: the containers are gone.
    pub execution_stopped: Option<Instant>,
    /// `stoppedAt`.
    pub stopped: Option<Instant>,
}

impl Course {
    /// The task at `now`.
    #[must_use]
    pub fn at(&self, now: Instant) -> View {
        let decided = self.ending.as_ref().filter(|ending| ending.at <= now);
        let lived_until = decided.map_or(now, |ending| now.min(ending.at + ending.notice));
        let mut view = self.living(lived_until);
        let Some(ending) = decided else { return view };

        view.desired_status = "STOPPED";
        let stopping = ending.at + ending.notice;
        if now < stopping {
            return view;
        }
        view.connected = false;
        view.agent_status = view.agent_status.map(|_| "STOPPED");
        view.stopping = Some(stopping);
        view.last_status = "STOPPING";
        let gone = stopping + self.timing.stopping;
        if now >= gone {
            view.execution_stopped = Some(gone);
            view.last_status = "DEPROVISIONING";
        }
        let stopped = gone + self.timing.deprovisioning;
        if now >= stopped {
            view.stopped = Some(stopped);
            view.last_status = "STOPPED";
        }
        view
    }

    /// When its agent's control channel comes up, if nothing prevents it.
    #[must_use]
    pub fn connected_at(&self) -> Instant {
        self.created + self.timing.until_connected()
    }

    /// When the containers, and the sessions in them, die; `None` while nothing is decided.
    #[must_use]
    pub fn death(&self) -> Option<Instant> {
        self.ending.as_ref().map(|ending| ending.at + ending.notice)
    }

    /// When the task is STOPPED; `None` while nothing is decided.
    #[must_use]
    pub fn stopped_at(&self) -> Option<Instant> {
        let wind_down = self.timing.stopping + self.timing.deprovisioning;
        self.death().map(|death| death + wind_down)
    }

    /// The task at `now` as if nothing had ended it.
    fn living(&self, now: Instant) -> View {
        let pull_started = self.created + self.timing.provisioning;
        let pull_stopped = pull_started + self.timing.pulling;
        let started = pull_stopped + self.timing.activating;
        let reached = |moment: Instant| (now >= moment).then_some(moment);
        let last_status = if now < pull_started {
            "PROVISIONING"
        } else if now < pull_stopped {
            "PENDING"
        } else if now < started {
            "ACTIVATING"
        } else {
            "RUNNING"
        };
        let (agent_status, connected) = self.agent_at(now, pull_stopped, started);
        View {
            last_status,
            desired_status: "RUNNING",
            agent_status,
            connected,
            pull_started: reached(pull_started),
            pull_stopped: reached(pull_stopped),
            started: reached(started),
            stopping: None,
            execution_stopped: None,
            stopped: None,
        }
    }

    fn agent_at(
        &self,
        now: Instant,
        made: Instant,
        started: Instant,
    ) -> (Option<&'static str>, bool) {
        let up = started + self.timing.agent_start;
        if now < made {
            return (None, false);
        }
        if now < up {
            return (Some("PENDING"), false);
        }
        match self.agent {
            AgentCourse::Connects => (Some("RUNNING"), now >= up + self.timing.agent_connect),
            AgentCourse::NeverConnects => (Some("RUNNING"), false),
            AgentCourse::NeverStarts => (Some("PENDING"), false),
            AgentCourse::Stopped(_) => (Some("STOPPED"), false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_walks_through_its_states() {
        let course = course();
        let seen: Vec<_> = [0, 4, 8, 12, 15]
            .map(|at| course.at(course.created + ms(at)).last_status)
            .into();
        assert_eq!(
            seen,
            [
                "PROVISIONING",
                "PENDING",
                "ACTIVATING",
                "RUNNING",
                "RUNNING"
            ]
        );
    }

    #[test]
    fn the_agent_connects_after_it_runs() {
        let course = course();
        let at = |n| {
            let view = course.at(course.created + ms(n));
            (view.agent_status, view.connected)
        };
        assert_eq!(at(7), (None, false));
        assert_eq!(at(12), (Some("PENDING"), false));
        assert_eq!(at(16), (Some("RUNNING"), false));
        assert_eq!(at(20), (Some("RUNNING"), true));
    }

    #[test]
    fn a_stopped_task_winds_down_and_keeps_its_past() {
        let mut course = course();
        course.ending = Some(Ending {
            at: course.created + ms(30),
            notice: ms(10),
            code: "UserInitiated".into(),
            reason: "enough".into(),
            exit_code: Some(0),
            container_reason: None,
        });
        let at = |n| {
            let view = course.at(course.created + ms(n));
            (view.last_status, view.desired_status, view.connected)
        };
        assert_eq!(at(29), ("RUNNING", "RUNNING", true));
        assert_eq!(at(30), ("RUNNING", "STOPPED", true));
        assert_eq!(at(40), ("STOPPING", "STOPPED", false));
        assert_eq!(at(44), ("DEPROVISIONING", "STOPPED", false));
        assert_eq!(at(48), ("STOPPED", "STOPPED", false));
        assert_eq!(
            course.at(course.created + ms(99)).started,
            Some(course.created + ms(12))
        );
        assert_eq!(course.stopped_at(), Some(course.created + ms(48)));
    }

    #[test]
    fn a_task_stopped_early_never_started() {
        let mut course = course();
        course.ending = Some(Ending {
            at: course.created + ms(5),
            notice: Duration::ZERO,
            code: "TaskFailedToStart".into(),
            reason: "CannotPullContainerError".into(),
            exit_code: None,
            container_reason: None,
        });
        let view = course.at(course.created + ms(60));
        assert_eq!((view.last_status, view.started), ("STOPPED", None));
    }

    fn course() -> Course {
        Course {
            timing: Timing::fast(),
            created: Instant::now(),
            agent: AgentCourse::Connects,
            ending: None,
        }
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }
}

//! Tasks that are no use and have yet to be stopped.

use std::time::{Duration, Instant};

use super::Lifecycle;
use super::terms::Action;

/// How often stopping a task that is no use is tried.
const STRAY_INTERVAL: Duration = Duration::from_secs(60);

/// A task that is no use and has yet to be stopped, because the last attempt failed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stray {
    pub(super) arn: String,
    pub(super) reason: String,
    pub(super) stop_at: Instant,
}

impl Lifecycle {
    /// Stop a task that is no use, until that has worked.
    pub(super) fn discard(&mut self, arn: String, reason: String, now: Instant) {
        let stray = Stray {
            arn,
            reason,
            stop_at: now,
        };
        self.strays.push(stray);
        let stop = self.next_stray(now).expect("it has just been made");
        self.act(stop);
    }

    /// The next stop that is due. It is due again later, until an outcome says that it worked.
    pub(super) fn next_stray(&mut self, now: Instant) -> Option<Action> {
        let stray = self.strays.iter_mut().find(|stray| stray.stop_at <= now)?;
        stray.stop_at = now + STRAY_INTERVAL;
        Some(Action::Stop {
            arn: stray.arn.clone(),
            reason: stray.reason.clone(),
        })
    }
}

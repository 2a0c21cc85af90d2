//! A service's count that may have to be lowered though no task of it is at hand: a start has failed while ECS goes on
//! trying, or the task was lost while nobody used it and ECS starts another. And one that was just lowered is looked at
//! once more, as somebody else may have raised it in the same moment.

use std::time::{Duration, Instant};

use super::terms::Action;
use super::{Kind, Lifecycle, State};

/// How long after a count was lowered it is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How often what could not be settled is tried again.
const AGAIN: Duration = Duration::from_secs(300);

impl Lifecycle {
    /// The state has just changed from `before`.
    pub(super) fn schedule_settling(&mut self, before: &State, now: Instant) {
        if self.settings.kind != Kind::Service {
            return;
        }
        let is_without_task = matches!(self.state, State::Stopped | State::Cooling(..));
        // Who leaves has settled it.
        let has_left = matches!(before, State::Leaving(..));
        self.settle_at = match (is_without_task, self.is_ending()) {
            (false, _) => None,
            (true, true) if has_left || !self.settings.stop_on_shutdown => None,
            (true, true) => Some(now),
            (true, false) => Some(self.settle_at.unwrap_or(now + self.settings.idle_stop)),
        };
    }

    /// The daemon ends: at once, if at all.
    pub(super) fn hurry_settling(&mut self, now: Instant) {
        self.settle_at = self
            .settle_at
            .filter(|_| self.settings.stop_on_shutdown)
            .map(|_| now);
    }

    /// The count was lowered.
    pub(super) fn look_at_the_count_again(&mut self, now: Instant) {
        if self.settings.kind == Kind::Service && !self.is_ending() {
            self.settle_at = Some(now + self.paced(LOOK_AGAIN));
        }
    }

    /// The look, if it is due.
    pub(super) fn next_settling(&mut self, now: Instant) -> Option<Action> {
        self.settle_at
            .is_some_and(|at| at <= now)
            .then_some(Action::Settle)
    }

    pub(super) fn settled(&mut self, is_done: bool, now: Instant) {
        let is_without_task = matches!(self.state, State::Stopped | State::Cooling(..));
        let again = is_without_task && !is_done && !self.is_ending();
        self.settle_at = again.then(|| now + self.paced(AGAIN));
    }
}

//! Tasks that have become too old: replaced in a calm moment, which is when nobody is connected.

use std::time::{Duration, Instant};

use super::terms::Trouble;
use super::{Farewell, Held, Lifecycle};
use crate::status::Reason;

/// How often sessions of others are counted again.
const RECOUNT_INTERVAL: Duration = Duration::from_secs(300);
/// For so long after a person has taken the task down they are counted more often.
const JUST_DISMISSED: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_secs(2);

impl Held {
    /// Whether it is too old for whoever comes next.
    pub(super) fn is_worn(&self, now: Instant) -> bool {
        self.worn_at.is_some_and(|at| at <= now)
    }
}

impl Lifecycle {
    /// From when on a task of this `age` is too old.
    pub(super) fn worn_at(&self, age: Duration, now: Instant) -> Option<Instant> {
        let most = self.settings.max_age?;
        Some(now + most.saturating_sub(age))
    }

    /// Until when a task that nobody uses is kept.
    pub(super) fn rests_until(&self, held: &Held, now: Instant) -> Instant {
        let idle = match self.dismissed {
            Some(_) => now,
            None => now + self.settings.idle_stop,
        };
        held.worn_at.map_or(idle, |at| at.min(idle)).max(now)
    }

    /// When sessions are counted again on a task that should be stopped. Those of our own, which have just ended, may
    /// still be counted when a person has taken it down.
    pub(super) fn recount_at(&self, now: Instant) -> Instant {
        let is_recent = |since: Instant| now < since + JUST_DISMISSED;
        match self.dismissed.is_some_and(is_recent) {
            true => now + SOON,
            false => now + RECOUNT_INTERVAL,
        }
    }

    /// Somebody wants the bastion, and this task is too old.
    pub(super) fn replace(&mut self, held: Held, now: Instant) {
        self.replaced = 0;
        self.count(held, Farewell::CountingWorn, now);
    }

    /// It is stopped unless others are on it; whoever of them leaves last will.
    pub(super) fn counted_worn(
        &mut self,
        held: Held,
        counted: Result<usize, Trouble>,
        now: Instant,
    ) {
        let is_unused = match counted {
            Ok(sessions) => sessions == 0,
            // One's own may be stopped without asking.
            Err(_) => !self.settings.shared,
        };
        if is_unused {
            let reason = "bastiond: its max_lifetime is over".to_owned();
            return self.stop_because(reason, held, Farewell::StoppingHopeless, now);
        }
        self.avoid(held.arn, now);
        let reason = Reason::new(
            "task_too_old",
            "the bastion task has reached its max_lifetime",
        );
        self.lost(reason, 1, now);
    }
}

//! A launch whose answer was lost: the task may run all the same, and nobody would know of it.
//!
//! ECS lists a new task some seconds late, so it is looked for several times, whether or not somebody wants it by then.
//! Nothing fitted a moment before the launch, so what fits now is taken for the task of that launch.

use std::time::{Duration, Instant};

use super::terms::{Action, Event, Sighting, Trouble};
use super::{Coming, Lifecycle, State};

/// Seconds before each look.
const PAUSES: [u64; 4] = [3, 5, 12, 40];
/// The same while the daemon ends.
const PAUSES_AT_THE_END: [u64; 3] = [0, 1, 2];
/// After a look that failed: most likely there is no network.
const UNSEEING_PAUSE: Duration = Duration::from_secs(30);

/// How far the search is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Search {
    pub(super) look_at: Instant,
    looks: usize,
}

impl Lifecycle {
    /// RunTask failed, and may have run a task.
    pub(super) fn begin_search(&mut self, now: Instant) {
        let looks = 0;
        let first = self.search_pauses()[looks];
        let look_at = now + self.paced(Duration::from_secs(first));
        self.search = Some(Search { look_at, looks });
    }

    /// The daemon ends: what can be found soon is stopped.
    pub(super) fn hurry_search(&mut self, now: Instant) {
        if self.search.is_some() {
            self.begin_search(now);
        }
    }

    /// When to look; while there is a task, or one is being looked for, that comes first.
    pub(super) fn search_at(&self) -> Option<Instant> {
        match self.state {
            State::Stopped | State::Cooling(..) => {
                self.search.as_ref().map(|search| search.look_at)
            }
            _ => None,
        }
    }

    /// The look, if it is due.
    pub(super) fn next_search(&mut self, now: Instant) -> Option<Action> {
        self.search_at()
            .is_some_and(|at| at <= now)
            .then_some(Action::Find)
    }

    pub(super) fn searched(&mut self, found: Result<Option<Sighting>, Trouble>, now: Instant) {
        let Some(search) = self.search.take() else {
            return;
        };
        match found {
            Ok(Some(sighting)) => self.recovered(sighting, now),
            // What cannot be seen now will not be seen by a daemon that ends.
            Err(_) if self.is_ending() => {}
            Err(_) => {
                let look_at = now + self.paced(UNSEEING_PAUSE);
                self.search = Some(Search { look_at, ..search });
            }
            Ok(None) => {
                let looks = search.looks + 1;
                self.search = self.search_pauses().get(looks).map(|pause| Search {
                    look_at: now + self.paced(Duration::from_secs(*pause)),
                    looks,
                });
            }
        }
    }

    /// It runs: it is kept for its idle time, and then stopped by the rule.
    fn recovered(&mut self, sighting: Sighting, now: Instant) {
        self.events.push_back(Event::Holding(sighting.arn.clone()));
        if !self.is_ending() {
            return self.sighted(sighting, now, true, None, now);
        }
        let coming = Coming {
            arn: sighting.arn.clone(),
            detail: "found after all",
            ours: true,
            seen_since: now,
            look_at: now,
            reconcile_at: None,
        };
        match self.settings.stop_on_shutdown {
            true => self.described_at_the_end(coming, Ok(Some(sighting)), now),
            false => self.set(State::Stopped, now),
        }
    }

    fn search_pauses(&self) -> &'static [u64] {
        match self.is_ending() {
            true => &PAUSES_AT_THE_END,
            false => &PAUSES,
        }
    }
}

//! When to look for, run, watch, rest and stop the ECS task of one bastion, or the machine in its place.
//!
//! Pure: it is told what happened and when, and says what to do next. Which task is acceptable is
//! decided in `choose`, how one is run in `launch`, and all calls are made by the shell in `mod`. What it says of tasks
//! holds for machines too, with the times and words of their [`Kind`]: to launch one is to start it.
//!
//! ```text
//!            request            none found          accepted
//!  Stopped ─────────▶ Finding ─────────────▶ Launching ──────▶ Coming ──▶ Probing ──▶ Ready
//!     ▲                  │ found                                 ▲  RUNNING   connected │ ▲
//!     │                  └───────────────────────────────────────┘                      │ │ request
//!     │                                                                       last lease ▼ │
//!     └──────────────────────── Leaving ◀─────────────────────────────────────────────── Resting
//!                       counts sessions, stops                       idle_stop
//!
//!  any start that fails ──▶ Cooling(until) ──▶ the next request after that begins again
//! ```
//!
//! Invariants: at most one action is in flight; a task is stopped only after its sessions were
//! counted (shared) or because it is this user's own; whatever was launched is either handed to
//! leases, rested and stopped, or left on purpose.

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

mod departing;
mod kind;
mod outcomes;
mod reasons;
mod search;
mod settling;
mod state;
mod steps;
mod strays;
mod terms;
mod worn;

use departing::Departing;
pub use kind::Kind;
pub use reasons::REGISTERING;
use search::Search;
pub use state::{Coming, Farewell, Held, Probing, State};
use strays::Stray;
pub use terms::{Action, Agent, Event, Outcome, Phase, Sighting, Trouble};

/// Refusals further apart than this have nothing to do with each other.
const REFUSALS_FORGOTTEN: Duration = Duration::from_secs(300);

/// What the machine needs to know of the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What carries the agent.
    pub kind: Kind,
    /// How long an unused task is kept.
    pub idle_stop: Duration,
    /// Others may use the task too, so their sessions are counted before it is stopped.
    pub shared: bool,
    /// Whether shutting the daemon down may stop the task.
    pub stop_on_shutdown: bool,
    /// How old a task may be to be used by somebody else; `None`: as old as it is.
    pub max_age: Option<Duration>,
    /// A factor on the waits between looks; 1 against AWS, less against a simulator that is quick.
    pub pace: f64,
    /// Seed of the jitter.
    pub seed: u64,
}

/// The machine. See the module's diagram.
#[derive(Debug)]
pub struct Lifecycle {
    settings: Settings,
    state: State,
    since: Instant,
    /// Requests wait for `Ready` or `Failed`.
    wanted: bool,
    /// So many tasks were already given up for another in this start.
    replaced: u8,
    /// So many launches of this start came too early, and when the next is tried.
    early: u8,
    relaunch_at: Option<Instant>,
    /// When this start began.
    begun: Instant,
    /// When a person said that it is not needed any more.
    dismissed: Option<Instant>,
    failures: u32,
    /// The call under way.
    in_flight: Option<Action>,
    /// Since when the daemon has been ending.
    ending_since: Option<Instant>,
    /// Tasks that were given up and have yet to be stopped.
    strays: Vec<Stray>,
    /// Tasks that are going away while somebody may still be connected through them.
    departing: Vec<Departing>,
    /// A task that may run although RunTask has failed.
    search: Option<Search>,
    /// When a service's count is looked at though no task of it is at hand.
    settle_at: Option<Instant>,
    /// A task that is no use and may not be stopped, and until when it is passed over.
    avoided: Option<(String, Instant)>,
    actions: VecDeque<Action>,
    events: VecDeque<Event>,
    jitter: fastrand::Rng,
}

impl Lifecycle {
    /// A bastion without a task, or with one that an earlier daemon of ours left.
    pub fn new(settings: Settings, adopt: Option<String>, now: Instant) -> Self {
        let state = match adopt {
            None => State::Stopped,
            Some(arn) => State::Coming(Coming {
                arn,
                detail: "found from before",
                ours: false,
                seen_since: now,
                look_at: now,
                reconcile_at: None,
            }),
        };
        Self {
            jitter: fastrand::Rng::with_seed(settings.seed),
            settings,
            state,
            since: now,
            wanted: false,
            replaced: 0,
            early: 0,
            relaunch_at: None,
            begun: now,
            dismissed: None,
            failures: 0,
            in_flight: None,
            ending_since: None,
            strays: Vec::new(),
            departing: Vec::new(),
            search: None,
            settle_at: None,
            avoided: None,
            actions: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// What it is doing, and since when.
    pub fn state(&self) -> (&State, Instant) {
        (&self.state, self.since)
    }

    /// A task is at hand, on its way or up.
    pub fn has_task(&self) -> bool {
        matches!(
            self.state,
            State::Coming(_)
                | State::Probing(_)
                | State::Ready(_)
                | State::Resting(..)
                | State::Leaving(..)
        )
    }

    /// Nothing is left to do after [`Self::handle_shutdown`].
    pub fn is_finished(&self) -> bool {
        let is_over = matches!(self.state, State::Stopped)
            && self.search.is_none()
            && self.settle_at.is_none();
        self.is_ending() && self.is_quiet() && is_over
    }

    /// A task may have been run that nobody would know of if this ended now.
    pub fn is_launching(&self) -> bool {
        matches!(self.state, State::Launching) || self.search.is_some()
    }

    /// Somebody wants the bastion. Answered by `Event::Ready` or `Event::Failed`, at once or later.
    pub fn handle_request(&mut self, now: Instant) {
        self.wanted = true;
        self.dismissed = None;
        match self.state.clone() {
            State::Stopped => self.begin(now),
            State::Cooling(until, _) if now >= until => self.begin(now),
            State::Cooling(_, reason) => self.refuse(reason),
            // A task in doubt is looked at first.
            State::Ready(held) | State::Resting(held, _) if held.doubted => {}
            State::Resting(held, _) if held.is_worn(now) => self.replace(held, now),
            State::Ready(held) => self.grant(held, now),
            State::Resting(held, _) => self.grant(
                Held {
                    look_at: now,
                    ..held
                },
                now,
            ),
            State::Finding
            | State::Launching
            | State::Coming(_)
            | State::Probing(_)
            | State::Leaving(..) => {}
        }
    }

    /// The last lease was dropped.
    pub fn handle_unleased(&mut self, now: Instant) {
        if let State::Ready(held) = self.state.clone()
            && !self.wanted
        {
            if held.refusals == 0 {
                self.failures = 0;
            }
            let until = self.rests_until(&held, now);
            self.rest(held, until, now);
        }
    }

    /// A person wants no more of it: it is not kept for whoever may come next.
    pub fn handle_dismissal(&mut self, now: Instant) {
        self.dismissed = Some(now);
        if let State::Resting(held, until) = self.state.clone() {
            self.update(State::Resting(held, until.min(now)));
        }
    }

    /// A tunnel could not reach the agent through this lease: look, and ask the service.
    pub fn handle_doubt(&mut self, now: Instant) {
        if let State::Ready(held) | State::Resting(held, _) = &mut self.state {
            held.doubted = true;
            held.look_at = now;
        }
    }

    /// StartSession said, time and again, that the agent of the leased task is not connected.
    pub fn handle_unreachable(&mut self, now: Instant) {
        if let State::Ready(held) | State::Resting(held, _) = &mut self.state {
            if now.duration_since(held.refused_at) >= REFUSALS_FORGOTTEN {
                held.refusals = 0;
            }
            held.refusals = held.refusals.saturating_add(1);
            held.refused_at = now;
        }
        self.handle_doubt(now);
    }

    /// Circumstances have changed: what waits to be tried again is tried at once.
    pub fn handle_nudge(&mut self, now: Instant) {
        match &mut self.state {
            State::Cooling(_, reason) if reason.is_login() => self.set(State::Stopped, now),
            State::Coming(coming) => coming.look_at = now,
            _ => {}
        }
        if let Some(search) = &mut self.search {
            search.look_at = now;
        }
    }

    /// A person asks for a fresh attempt, whatever failed before.
    pub fn handle_reset(&mut self, now: Instant) {
        self.failures = 0;
        if let State::Cooling(..) = self.state {
            self.set(State::Stopped, now);
        }
    }

    /// The daemon that comes after adopts the task: it is not stopped, whatever the rule says.
    pub fn leave_at_shutdown(&mut self) {
        self.settings.stop_on_shutdown = false;
    }

    /// The daemon ends. Costly calls under way are awaited and undone; see [`Self::is_finished`].
    pub fn handle_shutdown(&mut self, now: Instant) {
        self.ending_since = Some(now);
        self.wanted = false;
        self.departing.clear();
        self.hurry_search(now);
        self.hurry_settling(now);
        match self.state.clone() {
            State::Launching if self.relaunch_at.take().is_some() => self.set(State::Stopped, now),
            State::Stopped | State::Finding | State::Launching | State::Leaving(..) => {}
            State::Cooling(..) => self.set(State::Stopped, now),
            State::Coming(coming) => self.leave_unready(coming, now),
            State::Probing(probing) => self.leave(probing.held, now),
            State::Ready(held) | State::Resting(held, _) => self.leave(held, now),
        }
    }

    /// The time of [`Self::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        if !self.is_quiet() || self.poll_timeout().is_none_or(|at| at > now) {
            return;
        }
        if let Some(stray) = self.next_stray(now) {
            return self.act(stray);
        }
        let look = self.next_departing(now);
        let look = look.or_else(|| self.next_search(now));
        if let Some(look) = look.or_else(|| self.next_settling(now)) {
            return self.act(look);
        }
        match self.state.clone() {
            State::Launching if self.relaunch_at.take().is_some() => self.act(Action::Launch),
            State::Coming(coming) => self.look_again(coming, now),
            State::Probing(probing) => self.probe_again(probing, now),
            State::Resting(held, until) if until <= now => self.leave(held, now),
            State::Ready(held) | State::Resting(held, _) => self.act(Action::Describe(held.arn)),
            State::Stopped
            | State::Finding
            | State::Launching
            | State::Leaving(..)
            | State::Cooling(..) => {}
        }
    }

    /// The next call to make. The shell makes one at a time and reports its [`Outcome`].
    pub fn poll_action(&mut self) -> Option<Action> {
        if self.in_flight.is_some() {
            return None;
        }
        self.in_flight = self.actions.pop_front();
        self.in_flight.clone()
    }

    /// The next piece of news.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`Self::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        if !self.is_quiet() {
            return None;
        }
        let own = match &self.state {
            State::Coming(coming) => Some(match coming.reconcile_at {
                Some(at) => at.min(coming.look_at),
                None => coming.look_at,
            }),
            State::Probing(probing) => Some(probing.probe_at.min(probing.held.look_at)),
            State::Ready(held) => Some(held.look_at),
            State::Resting(held, until) => Some(held.look_at.min(*until)),
            State::Launching => self.relaunch_at,
            State::Stopped | State::Finding | State::Leaving(..) | State::Cooling(..) => None,
        };
        let stray = self.strays.iter().map(|stray| stray.stop_at).min();
        let departing = self.departing.iter().map(|departing| departing.look_at);
        let others = stray.into_iter().chain(departing).chain(self.search_at());
        let others = others.chain(self.settle_at);
        own.into_iter().chain(others).min()
    }
}

#[cfg(test)]
mod tests;

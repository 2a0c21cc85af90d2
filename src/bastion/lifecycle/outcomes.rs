//! What the results of calls mean.

use std::time::{Duration, Instant};

use super::reasons::{unconnected_agent, unknown_task, unreachable_agent};
use super::terms::{Action, Agent, Event, Outcome, Phase, Sighting, Trouble};
use super::{Coming, Farewell, Held, Lifecycle, Probing, State};
use crate::status::Reason;

/// How long after a launch to look for a twin that another laptop started at the same moment.
const RECONCILE_AFTER: Duration = Duration::from_secs(4);
/// The same at shutdown, where sessions of our own may still be ending.
const SHUTDOWN_RECOUNT: Duration = Duration::from_millis(500);
/// How long that may take.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(2);
/// So often a launch that came too early is tried again.
const MOST_EARLY: u8 = 3;
/// So many rounds of StartSession in vain are proof enough, whatever else the service says.
const MAX_REFUSALS: u8 = 3;

impl Lifecycle {
    /// The action last taken from [`Self::poll_action`] has this result.
    pub fn handle_outcome(&mut self, outcome: Outcome, now: Instant) {
        let action = self.in_flight.take();
        match outcome {
            Outcome::Found(found) => self.found(found, now),
            Outcome::Launched(launched) => self.launched(launched, now),
            Outcome::Described(described) => match action {
                Some(Action::Describe(arn)) if self.is_departing(&arn) => {
                    self.departing_described(&arn, described, now);
                }
                _ => self.described(described, now),
            },
            Outcome::Probed(probed) => self.probed(probed, now),
            Outcome::Counted(counted) => self.counted(counted, now),
            Outcome::Stopped { arn, result } => self.stopped(arn, result, now),
            Outcome::Settled(is_done) => self.settled(is_done, now),
        }
    }

    fn found(&mut self, found: Result<Option<Sighting>, Trouble>, now: Instant) {
        match (self.state.clone(), found) {
            (State::Finding, _) if self.is_ending() => self.set(State::Stopped, now),
            (State::Finding, Ok(Some(sighting))) if !self.avoids(&sighting.arn, now) => {
                self.search = None;
                self.events.push_back(Event::Holding(sighting.arn.clone()));
                self.sighted(sighting, now, false, None, now);
            }
            (State::Finding, Ok(_)) => {
                self.set(State::Launching, now);
                self.act(Action::Launch);
            }
            (State::Finding, Err(trouble)) => self.fail(trouble.reason, now),
            (State::Coming(coming), Ok(Some(other)))
                if coming.ours && other.arn != coming.arn && !self.avoids(&other.arn, now) =>
            {
                self.yield_to(coming.arn, other, now);
            }
            (State::Stopped | State::Cooling(..), found) => self.searched(found, now),
            // The twin was not seen, or the list could not be had: ours it is.
            _ => {}
        }
    }

    /// Two laptops ran a task at once. All prefer the same one; whoever ran the other stops it.
    fn yield_to(&mut self, arn: String, other: Sighting, now: Instant) {
        let id = other.arn.rsplit('/').next().unwrap_or(&other.arn);
        let reason = format!("bastiond: duplicate of {id}");
        self.discard(arn, reason, now);
        self.events.push_back(Event::Holding(other.arn.clone()));
        self.sighted(other, now, false, None, now);
    }

    fn launched(&mut self, launched: Result<Sighting, Trouble>, now: Instant) {
        match launched {
            Ok(sighting) => {
                self.search = None;
                self.events.push_back(Event::Holding(sighting.arn.clone()));
                if self.is_ending() {
                    return self.stop_unready(sighting.arn, now);
                }
                let reconcile = (self.settings.shared && self.settings.kind.is_replaceable())
                    .then(|| now + self.paced(RECONCILE_AFTER));
                self.sighted(sighting, now, true, reconcile, now);
            }
            Err(Trouble {
                ripens_in: Some(pause),
                ..
            }) if self.early < MOST_EARLY && !self.is_ending() => {
                self.early += 1;
                self.relaunch_at = Some(now + self.paced(pause));
            }
            Err(trouble) => {
                if trouble.ambiguous {
                    self.begin_search(now);
                }
                match self.is_ending() {
                    true => self.set(State::Stopped, now),
                    false => self.fail(trouble.reason, now),
                }
            }
        }
    }

    fn described(&mut self, described: Result<Option<Sighting>, Trouble>, now: Instant) {
        match (self.state.clone(), described) {
            (State::Coming(coming), described) if self.is_ending() => {
                self.described_at_the_end(coming, described, now);
            }
            (State::Coming(coming), Ok(Some(sighting))) => {
                let Coming {
                    seen_since,
                    ours,
                    reconcile_at,
                    ..
                } = coming;
                self.sighted(sighting, seen_since, ours, reconcile_at, now);
            }
            (State::Coming(coming), Ok(None)) => self.unseen(coming, now),
            (State::Coming(coming), Err(trouble)) => self.unsure(coming, trouble, now),
            (State::Probing(probing), Ok(Some(sighting))) => self.resighted(probing, sighting, now),
            (State::Probing(mut probing), Err(_) | Ok(None)) => {
                probing.held.look_at = now + self.paced(Duration::from_secs(2));
                self.update(State::Probing(probing));
            }
            (State::Ready(held) | State::Resting(held, _), described) => {
                self.watched(held, described, now);
            }
            // Let go while the call was under way.
            _ => {}
        }
    }

    /// A task in use, or resting, was looked at.
    fn watched(&mut self, held: Held, described: Result<Option<Sighting>, Trouble>, now: Instant) {
        match &described {
            Ok(Some(Sighting {
                phase: Phase::Going {
                    reason, stopped, ..
                },
                ..
            })) => self.gone(held, reason.clone(), *stopped, now),
            Ok(None) => self.gone(held, unknown_task(self.settings.kind), true, now),
            Ok(Some(_)) | Err(_) => {
                if held.doubted {
                    self.act(held.probe());
                }
                let times = if described.is_err() { 2 } else { 1 };
                let wait = self.paced(times * self.watch_interval());
                self.held_mut(|held| held.look_at = now + wait);
            }
        }
    }

    fn gone(&mut self, held: Held, reason: Reason, stopped: bool, now: Instant) {
        if !stopped {
            self.departs(held.arn.clone(), now);
        }
        self.events.push_back(Event::LetGo(held.arn.clone()));
        self.events.push_back(Event::Going {
            arn: held.arn,
            reason,
            stopped,
        });
        self.set(State::Stopped, now);
        if self.wanted {
            self.begin(now);
        }
    }

    fn probed(&mut self, probed: Result<bool, Trouble>, now: Instant) {
        match self.state.clone() {
            State::Probing(probing) => self.probed_first(probing, probed, now),
            State::Ready(held) | State::Resting(held, _) => self.probed_again(held, probed, now),
            _ => {}
        }
    }

    /// A doubted task. Where the service never says "connected", as it may for tasks of ECS, its
    /// "not connected" proves nothing, unless StartSession says the same.
    fn probed_again(&mut self, mut held: Held, probed: Result<bool, Trouble>, now: Instant) {
        held.doubted = false;
        let connected = matches!(probed, Ok(true));
        held.confirmed |= connected;
        let lost = held.confirmed && matches!(probed, Ok(false));
        let refused = held.refusals > 0 && !connected;
        let is_hopeless = held.refusals >= MAX_REFUSALS;
        let is_in_use = self.wanted || matches!(self.state, State::Ready(_));
        match lost || refused || is_hopeless {
            true if is_in_use => {
                self.events.push_back(Event::Going {
                    arn: held.arn.clone(),
                    reason: unreachable_agent(self.settings.kind),
                    stopped: false,
                });
                match is_hopeless {
                    true => self.count(held, Farewell::CountingHopeless, now),
                    false => self.probe(held, Agent::Running, now),
                }
            }
            _ if self.wanted => self.grant(held, now),
            _ => self.held_mut(|known| *known = held),
        }
    }

    fn probed_first(&mut self, mut probing: Probing, probed: Result<bool, Trouble>, now: Instant) {
        match probed {
            Ok(true) => {
                probing.held.confirmed = true;
                return self.ready(probing.held, now);
            }
            Ok(false) => {}
            Err(trouble) => probing.blind |= !trouble.retry,
        }
        let waited = now.duration_since(probing.agent_since);
        let kind = self.settings.kind;
        let patience = match probing.blind {
            true => kind.blind_patience(),
            false => kind.probe_patience(),
        };
        if probing.agent == Agent::Running && waited >= patience {
            return self.ready(probing.held, now);
        }
        let pause = match now.duration_since(probing.since).as_secs() {
            0..10 => 500,
            10..60 => 1000,
            _ => 3000,
        };
        probing.probe_at = now + self.paced(Duration::from_millis(pause));
        self.update(State::Probing(probing));
    }

    fn counted(&mut self, counted: Result<usize, Trouble>, now: Instant) {
        let State::Leaving(held, farewell) = self.state.clone() else {
            return;
        };
        if farewell == Farewell::CountingWorn && !self.is_ending() {
            return self.counted_worn(held, counted, now);
        }
        let hopeless = farewell == Farewell::CountingHopeless;
        match counted {
            _ if self.wanted && !hopeless => self.grant(held, now),
            Ok(0) if hopeless && !self.is_ending() => self.stop_hopeless(held, now),
            Ok(0) => self.stop(held, now),
            Ok(_) if self.ends_shortly(now) => self.rest(held, now + SHUTDOWN_RECOUNT, now),
            // Others have sessions: the last of them stops it. Should they all be gone without
            // doing so, the next start finds it in the state file.
            Ok(_) if self.is_ending() => self.set(State::Stopped, now),
            Ok(_) if self.wanted => self.fail(self.hopeless(), now),
            Ok(_) => self.rest(held, self.recount_at(now), now),
            // One's own task may be stopped without asking.
            Err(_) if !self.settings.shared && hopeless && !self.is_ending() => {
                self.stop_hopeless(held, now);
            }
            Err(_) if !self.settings.shared => self.stop(held, now),
            Err(_) if self.is_ending() => self.set(State::Stopped, now),
            Err(_) if self.wanted => {
                self.avoid(held.arn, now);
                self.lost(
                    self.hopeless(),
                    self.settings.kind.is_replaceable().into(),
                    now,
                );
            }
            Err(trouble) if trouble.retry || trouble.reason.is_login() => {
                self.rest(held, self.recount_at(now), now);
            }
            // Whoever may not count must not stop what others may be using: the watchdog will.
            Err(_) => {
                self.events.push_back(Event::LetGo(held.arn));
                self.set(State::Stopped, now);
            }
        }
    }

    /// A task leaves the state file only when it is certain to stop.
    fn stopped(&mut self, arn: String, result: Result<(), Trouble>, now: Instant) {
        if result.is_ok() {
            self.strays.retain(|stray| stray.arn != arn);
            self.events.push_back(Event::LetGo(arn.clone()));
        }
        let State::Leaving(held, farewell) = self.state.clone() else {
            return;
        };
        match farewell {
            Farewell::Counting | Farewell::CountingHopeless | Farewell::CountingWorn => return,
            Farewell::Stopping | Farewell::StoppingHopeless if held.arn != arn => return,
            Farewell::Stopping | Farewell::StoppingHopeless => {}
        }
        if result.is_err() && !self.is_ending() && !self.wanted {
            return self.rest(held, self.recount_at(now), now);
        }
        if farewell == Farewell::StoppingHopeless {
            return self.lost(
                self.hopeless(),
                self.settings.kind.is_replaceable().into(),
                now,
            );
        }
        self.set(State::Stopped, now);
        if result.is_ok() {
            self.look_at_the_count_again(now);
        }
        if self.wanted {
            self.begin(now);
        }
    }

    /// The daemon ends while a task is on its way. Nobody can have a session on one that is not up.
    pub(super) fn described_at_the_end(
        &mut self,
        coming: Coming,
        described: Result<Option<Sighting>, Trouble>,
        now: Instant,
    ) {
        let phase = described.ok().flatten().map(|sighting| sighting.phase);
        match phase {
            Some(Phase::Coming(_) | Phase::Unusable(_)) if coming.ours => {
                self.stop_unready(coming.arn, now);
            }
            Some(Phase::Up { targets, .. }) => {
                let held = Held::new(coming.arn, targets, coming.ours, now);
                self.leave(held, now);
            }
            // It has ended, is not ours to stop, or cannot be seen: the next start looks again.
            _ => self.set(State::Stopped, now),
        }
    }

    fn hopeless(&self) -> Reason {
        unconnected_agent(self.settings.kind, &Agent::Running)
    }

    /// Sessions of our own may still be counted.
    fn ends_shortly(&self, now: Instant) -> bool {
        self.ending_since
            .is_some_and(|since| now < since + SHUTDOWN_PATIENCE)
    }
}

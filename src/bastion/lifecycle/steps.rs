//! The steps from one state to the next.

use std::time::{Duration, Instant};

use super::reasons::{shutting_down, too_slow, unconnected_agent, unknown_task};
use super::terms::{Action, Agent, Event, Phase, Sighting, Trouble};
use super::{Coming, Farewell, Held, Kind, Lifecycle, Probing, State};
use crate::status::Reason;

/// The platform restarts a stopped agent by itself; this is how long it is given.
const AGENT_RESTART_PATIENCE: Duration = Duration::from_secs(30);
/// How long a task that is no use, and may not be stopped, is passed over.
const AVOID_FOR: Duration = Duration::from_secs(30 * 60);
/// How often one that nobody uses is looked at.
const RESTING_WATCH_INTERVAL: Duration = Duration::from_secs(60);
/// First and longest pause after a failed start.
const COOL_DOWN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));

impl Lifecycle {
    pub(super) fn begin(&mut self, now: Instant) {
        if self.is_ending() {
            return self.refuse(shutting_down());
        }
        (self.replaced, self.early) = (0, 0);
        self.begun = now;
        self.find(now);
    }

    pub(super) fn find(&mut self, now: Instant) {
        self.set(State::Finding, now);
        // The answer of one under way will do.
        if self.in_flight != Some(Action::Find) {
            self.act(Action::Find);
        }
    }

    /// A task was seen on the way up.
    pub(super) fn sighted(
        &mut self,
        sighting: Sighting,
        seen_since: Instant,
        ours: bool,
        reconcile_at: Option<Instant>,
        now: Instant,
    ) {
        let arn = sighting.arn;
        match sighting.phase {
            Phase::Coming(step) if now.duration_since(seen_since) >= self.start_deadline() => {
                let reason = too_slow(self.settings.kind, step);
                self.give_up(arn, ours, reason, true, now);
            }
            Phase::Coming(detail) => {
                let look_at = self.next_look(seen_since, now);
                self.coming(
                    Coming {
                        arn,
                        detail,
                        ours,
                        seen_since,
                        look_at,
                        reconcile_at,
                    },
                    now,
                );
            }
            Phase::Up {
                targets,
                agent,
                age,
            } => {
                let mut held = Held::new(arn, targets, ours, now);
                held.worn_at = self.worn_at(age, now);
                match self.wanted {
                    true if held.is_worn(now) => self.replace(held, now),
                    true => self.probe(held, agent, now),
                    false => {
                        let until = self.rests_until(&held, now);
                        self.rest(held, until, now);
                    }
                }
            }
            Phase::Unusable(reason) => self.give_up(arn, ours, reason, false, now),
            Phase::Going {
                reason, retries, ..
            } => {
                self.events.push_back(Event::LetGo(arn));
                self.lost(reason, retries, now);
            }
        }
    }

    fn coming(&mut self, coming: Coming, now: Instant) {
        match self.state {
            State::Coming(_) => self.update(State::Coming(coming)),
            _ => self.set(State::Coming(coming), now),
        }
    }

    pub(super) fn probe(&mut self, mut held: Held, agent: Agent, now: Instant) {
        held.look_at = now + self.paced(Duration::from_secs(2));
        // One that was connected is given time to come back; one that never was has had its time since it runs.
        let since = match held.confirmed {
            true => now,
            false => held.up_since,
        };
        let probing = Probing {
            held,
            since,
            agent,
            agent_since: now,
            blind: false,
            probe_at: now,
        };
        self.set(State::Probing(probing), now);
    }

    /// A task whose agent is being waited for was looked at.
    pub(super) fn resighted(&mut self, mut probing: Probing, sighting: Sighting, now: Instant) {
        probing.held.look_at = now + self.paced(Duration::from_secs(2));
        match sighting.phase {
            Phase::Going {
                reason,
                retries,
                stopped,
            } => {
                self.events.push_back(Event::LetGo(sighting.arn.clone()));
                if probing.held.granted {
                    self.left_by_its_users(sighting.arn, reason.clone(), stopped, now);
                }
                return self.lost(reason, retries, now);
            }
            Phase::Up { agent, .. } => {
                if agent != probing.agent {
                    probing.agent_since = now;
                }
                probing.agent = agent;
            }
            Phase::Coming(_) | Phase::Unusable(_) => {}
        }
        self.update(State::Probing(probing));
    }

    /// ECS does not know the task: it is told about a new one some seconds late.
    pub(super) fn unseen(&mut self, coming: Coming, now: Instant) {
        if now.duration_since(coming.seen_since) >= Duration::from_secs(10) || !coming.ours {
            self.events.push_back(Event::LetGo(coming.arn));
            return self.lost(unknown_task(self.settings.kind), 1, now);
        }
        let look_at = self.next_look(coming.seen_since, now);
        self.update(State::Coming(Coming { look_at, ..coming }));
    }

    pub(super) fn unsure(&mut self, coming: Coming, trouble: Trouble, now: Instant) {
        let late = now.duration_since(coming.seen_since) >= self.start_deadline();
        // Those who wait are told; the task is looked after all the same, as it costs money.
        if self.wanted && (late || !trouble.retry) {
            self.refuse(trouble.reason);
        }
        let pause = match self.wanted {
            true => Duration::from_secs(2),
            false => RESTING_WATCH_INTERVAL,
        };
        self.update(State::Coming(Coming {
            look_at: now + self.paced(pause),
            ..coming
        }));
    }

    /// A task ended before it could be used.
    pub(super) fn lost(&mut self, reason: Reason, retries: u8, now: Instant) {
        if !self.wanted {
            return self.set(State::Stopped, now);
        }
        if self.may_try_again(retries, now) {
            self.replaced += 1;
            return self.find(now);
        }
        self.fail(reason, now);
    }

    /// A task is replaced so many times. An instance has no other: what keeps it from being started passes. A service starts
    /// the next by itself.
    fn may_try_again(&self, retries: u8, now: Instant) -> bool {
        match self.settings.kind.is_replaceable() {
            true => self.replaced < retries,
            false => retries > 0 && now.duration_since(self.begun) < self.start_deadline(),
        }
    }

    /// A task that will not become usable is stopped if we ran it, passed over if not, and replaced once.
    fn give_up(&mut self, arn: String, ours: bool, reason: Reason, retry: bool, now: Instant) {
        let kind = self.settings.kind;
        let retries = u8::from(retry && kind.is_replaceable());
        // A service's own are ECS's to stop.
        match ours && kind != Kind::Service {
            true => self.discard(arn, format!("bastiond: {}", reason.message), now),
            false => self.avoid(arn, now),
        }
        self.lost(reason, retries, now);
    }

    /// Whoever may stop it does so; we look for another meanwhile, if there can be one.
    pub(super) fn avoid(&mut self, arn: String, now: Instant) {
        if self.settings.kind.is_replaceable() {
            self.avoided = Some((arn.clone(), now + AVOID_FOR));
        }
        self.events.push_back(Event::LetGo(arn));
    }

    pub(super) fn avoids(&self, arn: &str, now: Instant) -> bool {
        let avoided = self.avoided.as_ref();
        avoided.is_some_and(|(known, until)| known == arn && now < *until)
    }

    pub(super) fn look_again(&mut self, mut coming: Coming, now: Instant) {
        if coming.reconcile_at.take_if(|at| *at <= now).is_some() {
            self.update(State::Coming(coming));
            return self.act(Action::Find);
        }
        self.act(Action::Describe(coming.arn));
    }

    pub(super) fn probe_again(&mut self, probing: Probing, now: Instant) {
        let unconnected = now.duration_since(probing.since) >= self.settings.kind.agent_deadline();
        let agent_ended = matches!(probing.agent, Agent::Stopped(_))
            && now.duration_since(probing.agent_since) >= AGENT_RESTART_PATIENCE;
        if unconnected || agent_ended {
            return self.despair(probing, now);
        }
        if probing.held.look_at <= now {
            return self.act(Action::Describe(probing.held.arn));
        }
        self.act(probing.held.probe());
    }

    /// The agent does not come, or not come back. Where somebody may have a session all the same,
    /// sessions are counted first.
    fn despair(&mut self, probing: Probing, now: Instant) {
        let reason = unconnected_agent(self.settings.kind, &probing.agent);
        let Held { granted, ours, .. } = probing.held;
        if self.settings.kind == Kind::Node {
            self.events.push_back(Event::LetGo(probing.held.arn));
            return self.lost(reason, 0, now);
        }
        // The count of a service is lowered by whoever may, so that the next start gets another task.
        match granted || !ours || self.settings.kind == Kind::Service {
            true => self.count(probing.held, Farewell::CountingHopeless, now),
            false => self.give_up(probing.held.arn, ours, reason, true, now),
        }
    }

    pub(super) fn ready(&mut self, held: Held, now: Instant) {
        if held.confirmed {
            self.failures = 0;
        }
        let look_at = now + self.paced(self.settings.kind.watch_interval());
        self.grant(Held { look_at, ..held }, now);
    }

    pub(super) fn grant(&mut self, held: Held, now: Instant) {
        self.wanted = false;
        let held = Held {
            granted: true,
            ..held
        };
        self.events.push_back(Event::Ready {
            targets: held.targets.clone(),
        });
        match self.state {
            State::Ready(_) => self.update(State::Ready(held)),
            _ => self.set(State::Ready(held), now),
        }
    }

    pub(super) fn rest(&mut self, mut held: Held, until: Instant, now: Instant) {
        if !held.doubted {
            held.refusals = 0;
            held.look_at = now + self.paced(RESTING_WATCH_INTERVAL);
        }
        self.set(State::Resting(held, until), now);
    }

    /// Say goodbye to a task by the rule for its mode.
    pub(super) fn leave(&mut self, held: Held, now: Instant) {
        if self.is_ending() && !self.settings.stop_on_shutdown {
            return self.set(State::Stopped, now);
        }
        if self.settings.kind == Kind::Node {
            self.events.push_back(Event::LetGo(held.arn));
            return self.set(State::Stopped, now);
        }
        // At the end, sessions of our own are over, and in user mode there are no others.
        if self.is_ending() && !self.settings.shared {
            return self.stop(held, now);
        }
        self.count(held, Farewell::Counting, now);
    }

    pub(super) fn count(&mut self, held: Held, farewell: Farewell, now: Instant) {
        self.act(Action::CountSessions(held.arn.clone()));
        self.set(State::Leaving(held, farewell), now);
    }

    /// The daemon ends while a task is on its way. One that others may be using by now is looked at
    /// first.
    pub(super) fn leave_unready(&mut self, coming: Coming, now: Instant) {
        match coming.ours && self.settings.stop_on_shutdown {
            true if self.settings.shared => self.act(Action::Describe(coming.arn)),
            true => self.stop_unready(coming.arn, now),
            false => self.set(State::Stopped, now),
        }
    }

    pub(super) fn stop_unready(&mut self, arn: String, now: Instant) {
        match self.settings.stop_on_shutdown {
            true => self.stop(Held::new(arn, Vec::new(), true, now), now),
            false => self.set(State::Stopped, now),
        }
    }

    pub(super) fn stop(&mut self, held: Held, now: Instant) {
        let idle = humantime::format_duration(self.settings.idle_stop);
        let reason = match (self.is_ending(), self.dismissed.is_some()) {
            (true, _) => "bastiond: its last user left".to_owned(),
            (false, true) => "bastiond: taken down".to_owned(),
            (false, false) if held.is_worn(now) => "bastiond: its max_lifetime is over".to_owned(),
            (false, false) => format!("bastiond: unused for {idle}"),
        };
        self.stop_because(reason, held, Farewell::Stopping, now);
    }

    /// Its agent is dead and nobody has a session.
    pub(super) fn stop_hopeless(&mut self, held: Held, now: Instant) {
        let reason = "bastiond: its agent is not connected".to_owned();
        self.stop_because(reason, held, Farewell::StoppingHopeless, now);
    }

    pub(super) fn stop_because(
        &mut self,
        reason: String,
        held: Held,
        farewell: Farewell,
        now: Instant,
    ) {
        self.act(Action::Stop {
            arn: held.arn.clone(),
            reason,
        });
        self.set(State::Leaving(held, farewell), now);
    }

    pub(super) fn fail(&mut self, reason: Reason, now: Instant) {
        let pause = match reason.is_login() {
            // Nothing is spent by asking again, and the person has just signed in.
            true => COOL_DOWN.0,
            false => COOL_DOWN
                .0
                .saturating_mul(1 << self.failures.min(6))
                .min(COOL_DOWN.1),
        };
        self.failures += 1;
        self.set(State::Cooling(now + pause, reason.clone()), now);
        self.refuse(reason);
    }

    pub(super) fn refuse(&mut self, reason: Reason) {
        self.wanted = false;
        self.events.push_back(Event::Failed(reason));
    }
}

impl Lifecycle {
    pub(super) fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    pub(super) fn is_ending(&self) -> bool {
        self.ending_since.is_some()
    }

    pub(super) fn watch_interval(&self) -> Duration {
        match self.state {
            State::Resting(..) => RESTING_WATCH_INTERVAL,
            _ => self.settings.kind.watch_interval(),
        }
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.in_flight.is_none() && self.actions.is_empty()
    }

    pub(super) fn set(&mut self, state: State, now: Instant) {
        let before = std::mem::replace(&mut self.state, state);
        self.since = now;
        self.schedule_settling(&before, now);
    }

    /// The same state with other particulars: its age goes on.
    pub(super) fn update(&mut self, state: State) {
        self.state = state;
    }

    pub(super) fn held_mut(&mut self, change: impl FnOnce(&mut Held)) {
        if let State::Ready(held) | State::Resting(held, _) = &mut self.state {
            change(held);
        }
    }

    pub(super) fn paced(&self, wait: Duration) -> Duration {
        wait.mul_f64(self.settings.pace)
    }

    fn next_look(&mut self, seen_since: Instant, now: Instant) -> Instant {
        let age = now.duration_since(seen_since).div_f64(self.settings.pace);
        let wait = match self.settings.kind.look_interval(age) {
            short if short < Duration::from_secs(1) && age > Duration::from_secs(5) => {
                short.mul_f64(0.8 + 0.4 * self.jitter.f64())
            }
            wait => wait,
        };
        now + self.paced(wait)
    }

    fn start_deadline(&self) -> Duration {
        self.settings.kind.start_deadline()
    }
}

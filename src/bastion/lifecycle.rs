//! When to look for, run, watch, rest and stop the ECS task of one bastion.
//!
//! Pure: it is told what happened and when, and says what to do next. Which task is acceptable is
//! decided in `choose`, how one is run in `launch`, and all calls are made by the shell in `mod`.
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

use crate::status::Reason;

/// First look at a task that was just run; nothing can be ready earlier.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// How long after a launch to look for a twin that another laptop started at the same moment.
const RECONCILE_AFTER: Duration = Duration::from_secs(4);
/// A RUNNING task whose agent has not connected by then never will (a known fault of the agent).
const AGENT_CONNECT_DEADLINE: Duration = Duration::from_secs(60);
/// From here on StartSession's own retries are the better probe.
const PROBE_PATIENCE: Duration = Duration::from_secs(15);
/// The platform restarts a stopped agent by itself; this is how long it is given.
const AGENT_RESTART_PATIENCE: Duration = Duration::from_secs(30);
/// The whole of a cold start, after which it has failed.
const START_DEADLINE: Duration = Duration::from_secs(300);
/// How often a task in use is looked at: its users should not be the first to learn of its end.
const WATCH_INTERVAL: Duration = Duration::from_secs(10);
/// The same while nobody uses it.
const RESTING_WATCH_INTERVAL: Duration = Duration::from_secs(60);
/// How long before sessions of others are counted again on a task that should be stopped.
const RECOUNT_INTERVAL: Duration = Duration::from_secs(300);
/// The same at shutdown, where sessions of our own may still be ending.
const SHUTDOWN_RECOUNT: Duration = Duration::from_millis(500);
/// First and longest pause after a failed start.
const COOL_DOWN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));

/// What the machine needs to know of the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long an unused task is kept.
    pub idle_stop: Duration,
    /// Others may use the task too, so their sessions are counted before it is stopped.
    pub shared: bool,
    /// Whether shutting the daemon down may stop the task.
    pub stop_on_shutdown: bool,
    /// A factor on the waits between looks; 1 against AWS, less against a simulator that is quick.
    pub pace: f64,
    /// Seed of the jitter.
    pub seed: u64,
}

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
        /// What StartSession is to be given.
        target: String,
        /// The state of the agent in the container.
        agent: Agent,
    },
    /// Stopped, or about to be.
    Going {
        /// Why, as far as AWS says.
        reason: Reason,
        /// Whether another attempt may fare better.
        retry: bool,
        /// It has stopped, or is beyond serving anybody.
        stopped: bool,
    },
}

/// The state of the agent in the container, as ECS reports it.
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
    /// Count the sessions on this target.
    CountSessions(String),
    /// Stop a task.
    Stop {
        /// Its ARN.
        arn: String,
        /// Recorded by ECS and shown to whoever looks.
        reason: String,
    },
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    /// Why.
    pub reason: Reason,
    /// The same call may succeed a little later.
    pub retry: bool,
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
    Stopped(Result<(), Trouble>),
}

/// News for whoever waits for or uses the bastion.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The bastion can be used; all requests are granted.
    Ready {
        /// What StartSession is to be given.
        target: String,
    },
    /// The start failed; all requests are refused.
    Failed(Reason),
    /// The task is going away: existing leases are void for new sessions.
    Going {
        /// Why.
        reason: Reason,
        /// It has stopped, or is beyond serving anybody: open connections are lost.
        stopped: bool,
    },
    /// A task is now ours to look after.
    Holding(String),
    /// That task is no longer ours to look after.
    LetGo(String),
}

/// What the bastion is doing, for the status.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// No task.
    Stopped,
    /// Looking for one.
    Finding,
    /// RunTask is under way.
    Launching,
    /// A task on its way to RUNNING.
    Coming(Coming),
    /// RUNNING, the agent not known to be connected.
    Probing(Probing),
    /// In use, or ready for it.
    Ready(Held),
    /// Unused; stopped when the time is over.
    Resting(Held, Instant),
    /// About to be stopped, or let go.
    Leaving(Held, Farewell),
    /// A start failed; nothing is tried before this time.
    Cooling(Instant, Reason),
}

/// A task on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Coming {
    /// The task.
    pub arn: String,
    /// Where it is, in words.
    pub detail: &'static str,
    /// We ran it, in this start.
    ours: bool,
    seen_since: Instant,
    look_at: Instant,
    reconcile_at: Option<Instant>,
}

/// A task that runs and whose agent is being waited for.
#[derive(Debug, Clone, PartialEq)]
pub struct Probing {
    /// The task and target.
    pub held: Held,
    agent: Agent,
    agent_since: Instant,
    /// GetConnectionStatus cannot tell, or may not be asked.
    blind: bool,
    probe_at: Instant,
}

/// A task that runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// The task.
    pub arn: String,
    /// What StartSession is to be given.
    pub target: String,
    ours: bool,
    running_since: Instant,
    look_at: Instant,
    /// A tunnel could not reach it.
    doubted: bool,
}

/// How far the farewell is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Farewell {
    /// Sessions are being counted.
    Counting,
    /// The task is being stopped.
    Stopping,
}

/// The machine. See the module's diagram.
#[derive(Debug)]
pub struct Lifecycle {
    settings: Settings,
    state: State,
    since: Instant,
    /// Requests wait for `Ready` or `Failed`.
    wanted: bool,
    /// A task was already given up for another in this start.
    replaced: bool,
    failures: u32,
    in_flight: bool,
    shutting_down: bool,
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
                ours: true,
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
            replaced: false,
            failures: 0,
            in_flight: false,
            shutting_down: false,
            actions: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// What it is doing, and since when.
    pub fn state(&self) -> (&State, Instant) {
        (&self.state, self.since)
    }

    /// Nothing is left to do after [`Self::handle_shutdown`].
    pub fn is_finished(&self) -> bool {
        self.shutting_down && self.is_quiet() && matches!(self.state, State::Stopped)
    }

    /// Somebody wants the bastion. Answered by `Event::Ready` or `Event::Failed`, at once or later.
    pub fn handle_request(&mut self, now: Instant) {
        self.wanted = true;
        match self.state.clone() {
            State::Stopped => self.begin(now),
            State::Cooling(until, _) if now >= until => self.begin(now),
            State::Cooling(_, reason) => self.refuse(reason),
            // A task in doubt is looked at first.
            State::Ready(held) if held.doubted => {}
            State::Ready(held) => self.grant(held, now),
            State::Resting(held, _) => self.grant(Held { look_at: now, ..held }, now),
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
            self.rest(held, now + self.settings.idle_stop, now);
        }
    }

    /// A tunnel could not reach the agent through this lease: look, and ask the service.
    pub fn handle_doubt(&mut self, now: Instant) {
        if let State::Ready(held) | State::Resting(held, _) = &mut self.state {
            held.doubted = true;
            held.look_at = now;
        }
    }

    /// A person asks for a fresh attempt, whatever failed before.
    pub fn handle_reset(&mut self, now: Instant) {
        self.failures = 0;
        if let State::Cooling(..) = self.state {
            self.set(State::Stopped, now);
        }
    }

    /// The daemon ends. Costly calls under way are awaited and undone; see [`Self::is_finished`].
    pub fn handle_shutdown(&mut self, now: Instant) {
        self.shutting_down = true;
        self.wanted = false;
        match self.state.clone() {
            State::Stopped | State::Finding | State::Launching | State::Leaving(..) => {}
            State::Cooling(..) => self.set(State::Stopped, now),
            State::Coming(coming) => self.leave_unready(&coming.arn, coming.ours, now),
            State::Probing(probing) => self.leave(probing.held, now),
            State::Ready(held) | State::Resting(held, _) => self.leave(held, now),
        }
    }

    /// The action last taken from [`Self::poll_action`] has this result.
    pub fn handle_outcome(&mut self, outcome: Outcome, now: Instant) {
        self.in_flight = false;
        match outcome {
            Outcome::Found(found) => self.found(found, now),
            Outcome::Launched(launched) => self.launched(launched, now),
            Outcome::Described(described) => self.described(described, now),
            Outcome::Probed(probed) => self.probed(probed, now),
            Outcome::Counted(counted) => self.counted(counted, now),
            Outcome::Stopped(stopped) => self.stopped(stopped, now),
        }
    }

    /// The time of [`Self::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        if !self.is_quiet() || self.poll_timeout().is_none_or(|at| at > now) {
            return;
        }
        match self.state.clone() {
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
        if self.in_flight {
            return None;
        }
        let action = self.actions.pop_front()?;
        self.in_flight = true;
        Some(action)
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
        match &self.state {
            State::Coming(coming) => Some(match coming.reconcile_at {
                Some(at) => at.min(coming.look_at),
                None => coming.look_at,
            }),
            State::Probing(probing) => Some(probing.probe_at.min(probing.held.look_at)),
            State::Ready(held) => Some(held.look_at),
            State::Resting(held, until) => Some(held.look_at.min(*until)),
            State::Stopped
            | State::Finding
            | State::Launching
            | State::Leaving(..)
            | State::Cooling(..) => None,
        }
    }
}

// Outcomes.
impl Lifecycle {
    fn found(&mut self, found: Result<Option<Sighting>, Trouble>, now: Instant) {
        match (self.state.clone(), found) {
            (State::Finding, _) if self.shutting_down => self.set(State::Stopped, now),
            (State::Finding, Ok(Some(sighting))) => {
                self.events.push_back(Event::Holding(sighting.arn.clone()));
                self.sighted(sighting, now, false, None, now);
            }
            (State::Finding, Ok(None)) => {
                self.set(State::Launching, now);
                self.act(Action::Launch);
            }
            (State::Finding, Err(trouble)) => self.fail(trouble.reason, now),
            (State::Coming(ours), Ok(Some(other))) if other.arn != ours.arn => {
                self.yield_to(ours.arn, other, now);
            }
            // The twin was not seen, or the list could not be had: ours it is.
            _ => {}
        }
    }

    /// Two laptops ran a task at once. All prefer the same one; whoever ran the other stops it.
    fn yield_to(&mut self, arn: String, other: Sighting, now: Instant) {
        let id = other.arn.rsplit('/').next().unwrap_or(&other.arn);
        let reason = format!("bastiond: duplicate of {id}");
        self.act(Action::Stop { arn: arn.clone(), reason });
        self.events.push_back(Event::LetGo(arn));
        self.events.push_back(Event::Holding(other.arn.clone()));
        self.sighted(other, now, false, None, now);
    }

    fn launched(&mut self, launched: Result<Sighting, Trouble>, now: Instant) {
        match launched {
            Ok(sighting) => {
                self.events.push_back(Event::Holding(sighting.arn.clone()));
                if self.shutting_down {
                    return self.leave_unready(&sighting.arn, true, now);
                }
                let reconcile = (self.settings.shared).then(|| now + self.paced(RECONCILE_AFTER));
                self.sighted(sighting, now, true, reconcile, now);
            }
            Err(_) if self.shutting_down => self.set(State::Stopped, now),
            Err(trouble) => self.fail(trouble.reason, now),
        }
    }

    fn described(&mut self, described: Result<Option<Sighting>, Trouble>, now: Instant) {
        match (self.state.clone(), described) {
            (State::Coming(coming), Ok(Some(sighting))) => {
                let Coming { seen_since, ours, reconcile_at, .. } = coming;
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
    fn watched(
        &mut self,
        held: Held,
        described: Result<Option<Sighting>, Trouble>,
        now: Instant,
    ) {
        match described {
            Ok(Some(Sighting { phase: Phase::Going { reason, stopped, .. }, .. })) => {
                self.gone(held, reason, stopped, now);
            }
            Ok(None) => self.gone(held, unknown_task(), true, now),
            Ok(Some(_)) | Err(_) => {
                if held.doubted {
                    self.act(Action::Probe(held.target));
                }
                let wait = self.paced(self.watch_interval());
                self.held_mut(|held| held.look_at = now + wait);
            }
        }
    }

    fn gone(&mut self, held: Held, reason: Reason, stopped: bool, now: Instant) {
        self.events.push_back(Event::LetGo(held.arn));
        self.events.push_back(Event::Going { reason, stopped });
        self.set(State::Stopped, now);
        if self.wanted {
            self.begin(now);
        }
    }

    fn watch_interval(&self) -> Duration {
        match self.state {
            State::Resting(..) => RESTING_WATCH_INTERVAL,
            _ => WATCH_INTERVAL,
        }
    }

    fn probed(&mut self, probed: Result<bool, Trouble>, now: Instant) {
        match self.state.clone() {
            State::Probing(probing) => self.probed_first(probing, probed, now),
            State::Ready(held) if matches!(probed, Ok(false)) => {
                self.events.push_back(Event::Going { reason: unreachable_agent(), stopped: false });
                self.probe(Held { doubted: false, ..held }, Agent::Running, now);
            }
            State::Ready(held) if self.wanted => self.grant(Held { doubted: false, ..held }, now),
            State::Ready(_) | State::Resting(..) => self.held_mut(|held| held.doubted = false),
            _ => {}
        }
    }

    fn probed_first(&mut self, mut probing: Probing, probed: Result<bool, Trouble>, now: Instant) {
        match probed {
            Ok(true) => return self.ready(probing.held, now),
            Ok(false) => {}
            Err(trouble) => probing.blind |= !trouble.retry,
        }
        let waited = now.duration_since(probing.agent_since);
        if probing.agent == Agent::Running && (probing.blind || waited >= PROBE_PATIENCE) {
            return self.ready(probing.held, now);
        }
        let running = now.duration_since(probing.held.running_since);
        let pause = if running < Duration::from_secs(10) { 500 } else { 1000 };
        probing.probe_at = now + self.paced(Duration::from_millis(pause));
        self.update(State::Probing(probing));
    }

    fn counted(&mut self, counted: Result<usize, Trouble>, now: Instant) {
        let State::Leaving(held, _) = self.state.clone() else { return };
        match counted {
            _ if self.wanted => self.grant(held, now),
            Ok(0) => self.stop(held, now),
            Ok(_) if self.shutting_down => self.rest(held, now + SHUTDOWN_RECOUNT, now),
            Ok(_) => self.rest(held, now + RECOUNT_INTERVAL, now),
            // Whoever cannot count must not stop what others may be using: the watchdog will.
            Err(_) => {
                self.events.push_back(Event::LetGo(held.arn));
                self.set(State::Stopped, now);
            }
        }
    }

    fn stopped(&mut self, stopped: Result<(), Trouble>, now: Instant) {
        let State::Leaving(held, Farewell::Stopping) = self.state.clone() else { return };
        if stopped.is_err() && !self.shutting_down && !self.wanted {
            return self.rest(held, now + RECOUNT_INTERVAL, now);
        }
        // A stop that failed at shutdown stays in the state file, for the next start.
        if stopped.is_ok() {
            self.events.push_back(Event::LetGo(held.arn));
        }
        self.set(State::Stopped, now);
        if self.wanted {
            self.begin(now);
        }
    }
}

// Steps.
impl Lifecycle {
    fn begin(&mut self, now: Instant) {
        if self.shutting_down {
            return self.refuse(shutting_down());
        }
        self.replaced = false;
        self.find(now);
    }

    fn find(&mut self, now: Instant) {
        self.set(State::Finding, now);
        self.act(Action::Find);
    }

    /// A task was seen on the way up.
    fn sighted(
        &mut self,
        sighting: Sighting,
        seen_since: Instant,
        ours: bool,
        reconcile_at: Option<Instant>,
        now: Instant,
    ) {
        let arn = sighting.arn;
        match sighting.phase {
            Phase::Coming(_) if now.duration_since(seen_since) >= START_DEADLINE => {
                self.give_up(arn, ours, too_slow(), now);
            }
            Phase::Coming(detail) => {
                let look_at = self.next_look(seen_since, now);
                self.coming(Coming { arn, detail, ours, seen_since, look_at, reconcile_at }, now);
            }
            Phase::Up { target, agent } => {
                let held = Held { arn, target, ours, running_since: now, look_at: now + WATCH_INTERVAL, doubted: false };
                match self.wanted {
                    true => self.probe(held, agent, now),
                    false => self.rest(held, now + self.settings.idle_stop, now),
                }
            }
            Phase::Going { reason, retry, .. } => self.lost(arn, reason, retry, now),
        }
    }

    fn coming(&mut self, coming: Coming, now: Instant) {
        match self.state {
            State::Coming(_) => self.update(State::Coming(coming)),
            _ => self.set(State::Coming(coming), now),
        }
    }

    fn probe(&mut self, mut held: Held, agent: Agent, now: Instant) {
        held.look_at = now + self.paced(Duration::from_secs(2));
        self.wanted = true;
        let probing = Probing { held, agent, agent_since: now, blind: false, probe_at: now };
        self.set(State::Probing(probing), now);
    }

    /// A task whose agent is being waited for was looked at.
    fn resighted(&mut self, mut probing: Probing, sighting: Sighting, now: Instant) {
        probing.held.look_at = now + self.paced(Duration::from_secs(2));
        match sighting.phase {
            Phase::Going { reason, retry, .. } => return self.lost(sighting.arn, reason, retry, now),
            Phase::Up { agent, .. } => {
                if agent != probing.agent {
                    probing.agent_since = now;
                }
                probing.agent = agent;
            }
            Phase::Coming(_) => {}
        }
        self.update(State::Probing(probing));
    }

    /// ECS does not know the task: it is told about a new one some seconds late.
    fn unseen(&mut self, coming: Coming, now: Instant) {
        if now.duration_since(coming.seen_since) >= Duration::from_secs(10) || !coming.ours {
            return self.lost(coming.arn, unknown_task(), true, now);
        }
        let look_at = self.next_look(coming.seen_since, now);
        self.update(State::Coming(Coming { look_at, ..coming }));
    }

    fn unsure(&mut self, coming: Coming, trouble: Trouble, now: Instant) {
        let late = now.duration_since(coming.seen_since) >= START_DEADLINE;
        if self.wanted && (late || !trouble.retry) {
            return self.fail(trouble.reason, now);
        }
        // One we only mean to look after can wait for better times.
        let pause = if self.wanted { Duration::from_secs(2) } else { WATCH_INTERVAL };
        self.update(State::Coming(Coming { look_at: now + self.paced(pause), ..coming }));
    }

    /// A task ended before it could be used.
    fn lost(&mut self, arn: String, reason: Reason, retry: bool, now: Instant) {
        self.events.push_back(Event::LetGo(arn));
        if !self.wanted {
            return self.set(State::Stopped, now);
        }
        if retry && !self.replaced {
            self.replaced = true;
            return self.find(now);
        }
        self.fail(reason, now);
    }

    /// A task that will not become usable is stopped if we ran it, and replaced once.
    fn give_up(&mut self, arn: String, ours: bool, reason: Reason, now: Instant) {
        if !ours {
            return self.fail(reason, now);
        }
        let stop = format!("bastiond: {}", reason.message);
        self.act(Action::Stop { arn: arn.clone(), reason: stop });
        self.lost(arn, reason, true, now);
    }

    fn look_again(&mut self, mut coming: Coming, now: Instant) {
        if coming.reconcile_at.take_if(|at| *at <= now).is_some() {
            self.update(State::Coming(coming));
            return self.act(Action::Find);
        }
        self.act(Action::Describe(coming.arn));
    }

    fn probe_again(&mut self, probing: Probing, now: Instant) {
        let unconnected = now.duration_since(probing.held.running_since) >= AGENT_CONNECT_DEADLINE;
        let agent_ended = matches!(probing.agent, Agent::Stopped(_))
            && now.duration_since(probing.agent_since) >= AGENT_RESTART_PATIENCE;
        if unconnected || agent_ended {
            let reason = unconnected_agent(&probing.agent);
            return self.give_up(probing.held.arn, probing.held.ours, reason, now);
        }
        if probing.held.look_at <= now {
            return self.act(Action::Describe(probing.held.arn));
        }
        self.act(Action::Probe(probing.held.target));
    }

    fn ready(&mut self, held: Held, now: Instant) {
        self.failures = 0;
        self.grant(Held { look_at: now + WATCH_INTERVAL, ..held }, now);
    }

    fn grant(&mut self, held: Held, now: Instant) {
        self.wanted = false;
        self.events.push_back(Event::Ready { target: held.target.clone() });
        match self.state {
            State::Ready(_) => self.update(State::Ready(held)),
            _ => self.set(State::Ready(held), now),
        }
    }

    fn rest(&mut self, held: Held, until: Instant, now: Instant) {
        self.set(State::Resting(held, until), now);
    }

    /// Say goodbye to a task by the rule for its mode.
    fn leave(&mut self, held: Held, now: Instant) {
        if self.shutting_down && !self.settings.stop_on_shutdown {
            return self.set(State::Stopped, now);
        }
        if !self.settings.shared {
            return self.stop(held, now);
        }
        self.act(Action::CountSessions(held.target.clone()));
        self.set(State::Leaving(held, Farewell::Counting), now);
    }

    /// Nobody can have a session on a task that is not up yet.
    fn leave_unready(&mut self, arn: &str, ours: bool, now: Instant) {
        if !ours || !self.settings.stop_on_shutdown {
            return self.set(State::Stopped, now);
        }
        let held = Held { arn: arn.to_owned(), target: String::new(), ours, running_since: now, look_at: now, doubted: false };
        self.stop(held, now);
    }

    fn stop(&mut self, held: Held, now: Instant) {
        let reason = match self.shutting_down {
            true => "bastiond: its last user left".to_owned(),
            false => format!("bastiond: unused for {}", humantime::format_duration(self.settings.idle_stop)),
        };
        self.act(Action::Stop { arn: held.arn.clone(), reason });
        self.set(State::Leaving(held, Farewell::Stopping), now);
    }

    fn fail(&mut self, reason: Reason, now: Instant) {
        let pause = match reason.is_login() {
            // Nothing is spent by asking again, and the person has just signed in.
            true => COOL_DOWN.0,
            false => COOL_DOWN.0.saturating_mul(1 << self.failures.min(6)).min(COOL_DOWN.1),
        };
        self.failures += 1;
        self.set(State::Cooling(now + pause, reason.clone()), now);
        self.refuse(reason);
    }

    fn refuse(&mut self, reason: Reason) {
        self.wanted = false;
        self.events.push_back(Event::Failed(reason));
    }
}

// Small helpers.
impl Lifecycle {
    fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    fn is_quiet(&self) -> bool {
        !self.in_flight && self.actions.is_empty()
    }

    fn set(&mut self, state: State, now: Instant) {
        self.state = state;
        self.since = now;
    }

    /// The same state with other particulars: its age goes on.
    fn update(&mut self, state: State) {
        self.state = state;
    }

    fn held_mut(&mut self, change: impl FnOnce(&mut Held)) {
        if let State::Ready(held) | State::Resting(held, _) = &mut self.state {
            change(held);
        }
    }

    fn paced(&self, wait: Duration) -> Duration {
        wait.mul_f64(self.settings.pace)
    }

    /// The schedule of DescribeTasks: one bucket of 20 calls a second serves a whole account, and
    /// a small image is usually up between 12 and 45 seconds.
    fn next_look(&mut self, seen_since: Instant, now: Instant) -> Instant {
        let age = now.duration_since(seen_since).div_f64(self.settings.pace);
        let wait = match age.as_secs() {
            0..5 => FIRST_LOOK - age,
            5..12 => Duration::from_secs(1),
            12..45 => Duration::from_millis(700).mul_f64(0.8 + 0.4 * self.jitter.f64()),
            45..120 => Duration::from_secs(2),
            _ => Duration::from_secs(5),
        };
        now + self.paced(wait)
    }
}

fn unknown_task() -> Reason {
    Reason::new("task_gone", "the bastion task no longer exists")
}

fn unreachable_agent() -> Reason {
    Reason::new("target_not_connected", "the agent in the bastion task lost its connection to AWS")
}

fn unconnected_agent(agent: &Agent) -> Reason {
    let message = match agent {
        Agent::Stopped(why) => format!("the agent in the bastion task stopped: {why}"),
        Agent::Pending | Agent::Running => {
            "the agent in the bastion task did not connect to AWS within 60 s of RUNNING".to_owned()
        }
    };
    Reason::new("target_not_connected", message).with_hint(
        "check that the task role allows ssmmessages:* and that the subnet reaches the ssmmessages endpoint (NAT or VPC endpoint)",
    )
}

fn too_slow() -> Reason {
    Reason::new("task_start_failed", "the bastion task was not RUNNING within 300 s")
}

fn shutting_down() -> Reason {
    Reason::new("shutting_down", "the daemon is shutting down")
}

#[cfg(test)]
mod tests;

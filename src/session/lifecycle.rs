//! One SSM session: starting → linking → connected → resuming … → ended.
//!
//! Pure. The shell in `session` asks for the next [`Step`], does it, and reports the [`Outcome`].
//!
//! ```text
//!          started            link lost          fresh token
//!  Start ───────────▶ Link ──────────────▶ Resume ───────────▶ Link …
//!    │ │ retry          │ closed by AWS       │ │ retry
//!    │ └─▶ Wait ─▶ Start│                     │ └─▶ Wait ─▶ Resume
//!    ▼                  ▼                     ▼
//!  Ended ◀──────────────┴── Terminate ◀───────┴── gone, refused, too long, asked to end
//! ```
//!
//! Invariants: a session that was started and that AWS has not ended is terminated, exactly once;
//! a session that AWS has ended is never resumed.

use std::time::{Duration, Instant};

use crate::status::Reason;

/// What the service holds a disconnected session for, unless the account says otherwise.
const RESUME_BUDGET: Duration = Duration::from_secs(20 * 60);
/// A session that never became usable has connections waiting for it, which will not wait longer.
const FIRST_LINK_BUDGET: Duration = Duration::from_secs(60);
/// The longest pause between two attempts to resume.
const RESUME_CAP: Duration = Duration::from_secs(10);
/// The upper bound of the first such pause; it doubles.
const RESUME_FIRST: Duration = Duration::from_millis(200);
/// After a nudge the next attempt follows the last one by no less: circumstances may change many times in a row.
const NUDGED_PAUSE: Duration = Duration::from_millis(250);
/// After a nudge pauses are as after so many attempts: a network that has just come is not yet all there.
const NUDGED_ATTEMPTS: usize = 2;
/// A link that lived so long was a good one: the next loss is a new story.
const GOOD_LINK: Duration = Duration::from_secs(10);
/// Pauses after TargetNotConnected: a new agent needs some seconds to connect.
const NOT_CONNECTED_PAUSES: [u64; 5] = [700, 1000, 1500, 2000, 3000];
/// Pauses after throttling; StartSession allows 3 calls a second in a whole account.
const THROTTLED_PAUSES: [u64; 3] = [1000, 2000, 4000];
/// Pauses after a server error or a lost connection.
const TRANSIENT_PAUSES: [u64; 2] = [500, 1500];

/// What the shell is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Call StartSession.
    Start,
    /// Open a WebSocket with the token at hand, and carry the session over it.
    Link,
    /// Call ResumeSession for a fresh token.
    Resume,
    /// Do nothing until then.
    Wait(Instant),
    /// Call TerminateSession.
    Terminate,
    /// Nothing: it is over.
    End,
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    /// Why.
    pub reason: Reason,
    /// What that means for another attempt.
    pub kind: TroubleKind,
}

/// What a failure means for another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TroubleKind {
    /// The agent is not connected, or not yet.
    NotConnected,
    /// Too many calls.
    Throttled,
    /// The network or the service failed.
    Transient,
    /// Nobody is signed in.
    Login,
    /// It will fail again.
    Final,
}

/// What came of a [`Step`].
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Of `Start`.
    Started(Result<(), Trouble>),
    /// Of `Link`: the WebSocket could not be opened.
    NotLinked(Trouble),
    /// Of `Link`: the WebSocket is gone.
    LinkLost(String),
    /// Of `Link`: AWS or the agent ended the session.
    Closed(Reason),
    /// Of `Link`: the session cannot go on.
    Failed(Reason),
    /// Of `Link`: it was ended as asked; whether the agent acknowledged it.
    Terminated(bool),
    /// Of `Resume`; `false` when AWS says the session is over.
    Resumed(Result<bool, Trouble>),
    /// Of `Link` and of `Resume`: given up, because circumstances have changed under it.
    Interrupted,
    /// Of `Wait` and of `Terminate`.
    Done,
}

/// The machine. See the module's diagram.
#[derive(Debug)]
pub struct Lifecycle {
    step: Step,
    /// What follows the current `Wait`.
    after_wait: Step,
    /// It exists at AWS, as far as we know.
    exists: bool,
    was_connected: bool,
    attempts: usize,
    linked_at: Instant,
    /// When the last attempt failed.
    failed_at: Instant,
    /// Since when it has been without a link.
    lost_at: Instant,
    ended: Option<Reason>,
    unreachable: bool,
    asked_to_end: bool,
    jitter: fastrand::Rng,
}

impl Lifecycle {
    /// A session that is to be started.
    pub fn new(seed: u64, now: Instant) -> Self {
        Self {
            step: Step::Start,
            after_wait: Step::Start,
            exists: false,
            was_connected: false,
            attempts: 0,
            linked_at: now,
            failed_at: now,
            lost_at: now,
            ended: None,
            unreachable: false,
            asked_to_end: false,
            jitter: fastrand::Rng::with_seed(seed),
        }
    }

    /// What to do now.
    pub fn step(&self) -> Step {
        self.step
    }

    /// Why it ended, unless it was asked to.
    pub fn reason(&self) -> Option<&Reason> {
        self.ended.as_ref()
    }

    /// It never became usable, because AWS could not reach its target.
    pub fn is_unreachable(&self) -> bool {
        self.unreachable
    }

    /// The handshake is done.
    pub fn handle_connected(&mut self) {
        self.was_connected = true;
    }

    /// Nobody needs the session any more. A `Start` or `Link` under way is completed first.
    pub fn handle_end(&mut self) {
        self.asked_to_end = true;
        if matches!(self.step, Step::Wait(_)) {
            self.finish();
        }
    }

    /// Circumstances have changed: the machine woke up, the network is another, somebody signed in. What waits to be
    /// resumed is tried at once. How long it may be tried in all stays as it was.
    pub fn handle_nudge(&mut self, now: Instant) {
        let Step::Wait(until) = self.step else { return };
        if self.after_wait != Step::Resume {
            return;
        }
        self.attempts = self.attempts.min(NUDGED_ATTEMPTS);
        let at = until.min(self.failed_at + NUDGED_PAUSE);
        self.step = if at <= now {
            Step::Resume
        } else {
            Step::Wait(at)
        };
    }

    /// The current step has this result.
    pub fn handle_outcome(&mut self, outcome: Outcome, now: Instant) {
        match outcome {
            Outcome::Started(Ok(())) => {
                self.exists = true;
                (self.attempts, self.unreachable) = (0, false);
                self.lost_at = now;
                self.link(now);
            }
            Outcome::Started(Err(trouble)) => self.not_started(trouble, now),
            // One that has been linked before may be again, on a better network.
            Outcome::NotLinked(trouble) if self.was_connected => {
                self.attempts += 1;
                self.back_off(trouble.reason, now);
            }
            Outcome::NotLinked(trouble) => self.retry_resume(trouble, now),
            Outcome::LinkLost(why) => self.lost(why, now),
            Outcome::Closed(reason) => {
                self.exists = false;
                self.fail(reason);
            }
            Outcome::Failed(reason) => self.fail(reason),
            Outcome::Terminated(acked) => {
                self.exists = !acked;
                self.finish();
            }
            Outcome::Resumed(Ok(true)) => self.link(now),
            Outcome::Resumed(Ok(false)) => {
                self.exists = false;
                self.fail(Reason::new(
                    "session_ended",
                    "AWS ended the session while it was disconnected",
                ));
            }
            Outcome::Resumed(Err(trouble)) => self.retry_resume(trouble, now),
            Outcome::Interrupted if self.asked_to_end => self.finish(),
            Outcome::Interrupted => {
                self.attempts = self.attempts.min(NUDGED_ATTEMPTS);
                self.step = Step::Resume;
            }
            Outcome::Done => self.done(),
        }
    }

    fn done(&mut self) {
        self.step = match self.step {
            Step::Wait(_) => self.after_wait,
            _ => Step::End,
        };
    }

    fn link(&mut self, now: Instant) {
        if self.asked_to_end {
            return self.finish();
        }
        self.linked_at = now;
        self.step = Step::Link;
    }

    fn not_started(&mut self, trouble: Trouble, now: Instant) {
        let pauses: &[u64] = match trouble.kind {
            TroubleKind::NotConnected => &NOT_CONNECTED_PAUSES,
            TroubleKind::Throttled => &THROTTLED_PAUSES,
            TroubleKind::Transient => &TRANSIENT_PAUSES,
            TroubleKind::Login | TroubleKind::Final => &[],
        };
        self.unreachable = trouble.kind == TroubleKind::NotConnected;
        match pauses.get(self.attempts) {
            Some(pause) if !self.asked_to_end => {
                let jitter = match trouble.kind {
                    TroubleKind::Throttled => self.jitter.u64(0..=*pause),
                    _ => 0,
                };
                self.attempts += 1;
                self.wait(Duration::from_millis(pause + jitter), Step::Start, now);
            }
            _ => self.fail(trouble.reason),
        }
    }

    /// The WebSocket is gone. The first attempt to resume is made at once.
    fn lost(&mut self, why: String, now: Instant) {
        if self.asked_to_end {
            return self.finish();
        }
        if now.duration_since(self.linked_at) >= GOOD_LINK {
            self.attempts = 0;
            self.lost_at = now;
        }
        self.attempts += 1;
        match self.attempts {
            1 => self.step = Step::Resume,
            _ => self.back_off(Reason::new("link_lost", why), now),
        }
    }

    fn retry_resume(&mut self, trouble: Trouble, now: Instant) {
        self.attempts += 1;
        match trouble.kind {
            TroubleKind::Final => self.fail(trouble.reason),
            TroubleKind::NotConnected
            | TroubleKind::Throttled
            | TroubleKind::Transient
            | TroubleKind::Login => self.back_off(trouble.reason, now),
        }
    }

    /// Full jitter, doubling, capped; until the service may have given the session up.
    fn back_off(&mut self, reason: Reason, now: Instant) {
        let budget = if self.was_connected {
            RESUME_BUDGET
        } else {
            FIRST_LINK_BUDGET
        };
        if self.asked_to_end || now.duration_since(self.lost_at) >= budget {
            return self.fail(reason);
        }
        self.failed_at = now;
        let doublings = self.attempts.min(16) as u32;
        let bound = RESUME_FIRST.saturating_mul(1 << doublings).min(RESUME_CAP);
        let pause = bound.mul_f64(self.jitter.f64());
        self.wait(pause, Step::Resume, now);
    }

    fn wait(&mut self, pause: Duration, then: Step, now: Instant) {
        self.after_wait = then;
        self.step = Step::Wait(now + pause);
    }

    fn fail(&mut self, reason: Reason) {
        if !self.asked_to_end {
            self.ended = Some(reason);
        }
        self.finish();
    }

    fn finish(&mut self) {
        self.step = if std::mem::take(&mut self.exists) {
            Step::Terminate
        } else {
            Step::End
        };
    }
}

#[cfg(test)]
mod tests;

//! Noticing that a peer acknowledges nothing any more, though its link seems to live.
//!
//! An agent's listener can die without ending the session or the link; the service goes on answering pings. A new link
//! mends some of these cases. If it does not, only a new session does.

use std::time::{Duration, Instant};

/// Since when something should have been acknowledged.
#[derive(Default)]
pub(crate) struct Silence {
    since: Option<Instant>,
    probed: bool,
    suspect: bool,
    told: bool,
}

/// What a silence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A new link may help.
    Suspect,
    /// It did not.
    Dead,
}

impl Silence {
    /// A message was sent that wants an acknowledgement.
    pub(super) fn sent(&mut self, now: Instant) {
        if !self.told {
            self.since.get_or_insert(now);
        }
    }

    /// Something was acknowledged, and more is `wanted` or not.
    pub(super) fn heard(&mut self, wanted: bool, now: Instant) {
        *self = Self {
            since: wanted.then_some(now),
            ..Self::default()
        };
    }

    /// A link is up.
    pub(super) fn connected(&mut self, wanted: bool, now: Instant) {
        *self = Self {
            since: wanted.then_some(now),
            suspect: self.suspect,
            ..Self::default()
        };
    }

    /// No link, no silence.
    pub(super) fn disconnected(&mut self) {
        self.since = None;
    }

    /// An acknowledgement could not have been heard for a while: the silence, if there is one, begins `now`.
    pub(crate) fn excuse(&mut self, now: Instant) {
        self.since = self.since.map(|_| now);
    }

    /// When to call [`Silence::judge`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let limit = if self.suspect {
            AFTER_RESUME
        } else {
            BEFORE_RESUME
        };
        Some(self.since? + limit)
    }

    /// What the silence means, once it has lasted.
    pub(crate) fn judge(&mut self, now: Instant) -> Option<Verdict> {
        if self.deadline()? > now {
            return None;
        }
        self.since = None;
        self.told = true;
        let verdict = if self.suspect {
            Verdict::Dead
        } else {
            Verdict::Suspect
        };
        self.suspect = true;
        Some(verdict)
    }

    /// When to call [`Silence::wants_probe`].
    pub(crate) fn probe_at(&self) -> Option<Instant> {
        Some(self.since? + BEFORE_PROBE).filter(|_| !self.probed)
    }

    /// Whether it is time to send something new, to be acknowledged by a peer that ignores what it has already. Says
    /// so once in a silence.
    pub(crate) fn wants_probe(&mut self, now: Instant) -> bool {
        let wants = self.probe_at().is_some_and(|at| at <= now);
        self.probed |= wants;
        wants
    }
}

/// Longer than the agent's own reconnecting takes.
const BEFORE_RESUME: Duration = Duration::from_secs(30);

/// The agent may be repairing one message in 100 ms: do not kill it too early.
const AFTER_RESUME: Duration = Duration::from_secs(60);

const BEFORE_PROBE: Duration = Duration::from_secs(15);

//! Those who wait for a session, and what they are told when there will be none.

use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;

use super::Tunnel;
use crate::status::{Problem, Reason};
use crate::tunnel::reason;

/// After a session could not be started, connections are refused with the same words for so long:
/// a pool that reconnects in a loop must not become a loop of calls.
const COOL_DOWN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// A session could not be started: connections are refused until then, for this reason, unless circumstances change.
pub struct Cooling {
    pub(super) until: Instant,
    pub(super) reason: Reason,
    changes: watch::Receiver<()>,
}

impl Tunnel {
    /// Whether connections are refused for now.
    pub(super) fn is_cooling(&self) -> bool {
        let changed = |cooling: &Cooling| cooling.changes.has_changed().unwrap_or(false);
        let cooling = self.cooling.as_ref();
        cooling.is_some_and(|cooling| Instant::now() < cooling.until && !changed(cooling))
    }

    /// A session could not be started.
    pub(super) fn cool_down(&mut self, reason: Reason) {
        let pause = match reason.is_login() {
            true => COOL_DOWN.0,
            false => COOL_DOWN
                .0
                .saturating_mul(1 << self.failures.min(6))
                .min(COOL_DOWN.1),
        };
        self.failures += 1;
        self.refuse_waiting(&reason);
        self.cooling = Some(Cooling {
            until: Instant::now() + pause,
            reason,
            changes: self.shared.changes.subscribe(),
        });
    }

    /// Other credentials may have become available: what failed for want of them may be tried again.
    pub(super) fn signed_in(&mut self) {
        self.cooling.take_if(|cooling| cooling.reason.is_login());
        self.board.send_if_modified(|board| {
            let mended = board.last_error.take_if(|(reason, _)| reason.is_login());
            mended.is_some()
        });
    }

    /// Whoever waits is told at once that it was in vain. A pool that tries again and again meanwhile is told the same,
    /// which is nothing new to the log.
    pub(super) fn refuse_waiting(&mut self, reason: &Reason) {
        let last = self.board.borrow().last_error.clone();
        if last.is_none_or(|(last, _)| last != *reason) {
            tracing::warn!(error = %reason.message, hint = reason.hint, waiting = self.waiting.len(), "cannot start");
        }
        self.reset_waiting(reason);
        self.note_error(reason.clone());
    }

    pub(super) fn reset_waiting(&mut self, reason: &Reason) {
        if !self.waiting.is_empty() {
            reason::log_reset(reason, self.waiting.len());
        }
        self.waiting.clear();
        self.answer_warming(Err(reason.clone()));
    }

    pub(super) fn answer_warming(&mut self, answer: Result<(), Reason>) {
        let subject = format!("tunnel {}", self.config.name);
        let problem = |reason| Problem::new(&subject, reason, SystemTime::now(), Duration::ZERO);
        let answer = answer.map_err(problem);
        for reply in self.warming.drain(..) {
            let _ = reply.send(answer.clone());
        }
    }

    pub(super) fn note_error(&mut self, reason: Reason) {
        self.board
            .send_modify(|board| board.last_error = Some((reason, Instant::now())));
    }

    /// What would mend the last error is likely to mend what came of it.
    fn last_hint(&self) -> Option<String> {
        let board = self.board.borrow();
        board
            .last_error
            .as_ref()
            .and_then(|(reason, _)| reason.hint.clone())
    }

    pub(super) fn expire(&mut self) {
        let now = Instant::now();
        self.cooling.take_if(|cooling| cooling.until <= now);
        let hold = self.config.hold_timeout;
        while self
            .waiting
            .front()
            .is_some_and(|accepted| accepted.at + hold <= now)
        {
            let phase = self
                .bastion
                .as_ref()
                .map_or_else(String::new, |b| format!(": {}", b.phase()));
            let message = format!(
                "no session within {}{phase}",
                humantime::format_duration(hold)
            );
            let mut reason = Reason::new("hold_timeout", message);
            let doctor = || format!("bastiond doctor --tunnel {}", self.config.name);
            reason.hint = self.last_hint().or_else(|| Some(doctor()));
            if let Some(shortage) = &self.shortage {
                reason = shortage.reason.clone();
            }
            reason::log_reset(&reason, 1);
            self.note_error(reason);
            self.waiting.pop_front();
        }
        self.doubt();
        self.leave_silent();
    }
}

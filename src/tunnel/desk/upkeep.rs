//! Sessions that still work, or seem to, and are to be left: too old, or silent.

use tokio::time::Instant;

use super::Tunnel;
use crate::tunnel::claim::Claim;
use crate::tunnel::placement;
use crate::tunnel::reason;

impl Tunnel {
    /// Make before break: a session that has become old is used until its successor works, and then by those who have
    /// been on it all along.
    pub(super) fn renew(&mut self) {
        let (max_age, now) = (self.config.max_session_age, Instant::now().into_std());
        let candidates = self.candidates();
        for key in placement::succeeded(&candidates, max_age, now) {
            tracing::info!(session = key, "a fresh session takes over from an old one");
            if let Some(slot) = self.sessions.get_mut(&key) {
                slot.leaving = true;
            }
        }
        let wanted = placement::wants_successor(&candidates, max_age, self.has_room(), now);
        if wanted && !self.is_cooling() && matches!(self.claim, Claim::Held(_)) {
            tracing::info!("a session is old; opening its successor");
            self.start_session();
        }
    }

    /// A session that acknowledges and delivers nothing is ended, and its connections with it: they would wait for
    /// ever.
    pub(super) fn leave_silent(&mut self) {
        for key in placement::silent(&self.candidates(), Instant::now().into_std()) {
            let Some(slot) = self.sessions.get_mut(&key) else {
                continue;
            };
            if slot.end.is_cancelled() {
                continue;
            }
            let reason = reason::silent(slot.view.borrow().connections);
            tracing::warn!(session = key, error = %reason.message, "a session is silent");
            slot.cut(&reason);
            self.note_error(reason);
        }
    }
}

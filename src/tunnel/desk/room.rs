//! A tunnel's places in the containers of its bastion, and what it does without one.

use super::Tunnel;
use super::sessions::Slot;
use crate::bastion;
use crate::status::Reason;
use crate::tunnel::claim::Claim;
use crate::tunnel::containers::{Full, MAX_SESSIONS, Seat, Wish};
use crate::tunnel::placement::Stage;
use crate::tunnel::reason;

/// Somebody waits for a place.
pub struct Shortage {
    /// Why there is none.
    pub(super) reason: Reason,
    /// Tells those who have one and do not need it.
    _wish: Wish,
    targets: Vec<String>,
}

impl Tunnel {
    /// Whether there is a place for another session, as far as is known without a lease.
    pub(super) fn has_room(&self) -> bool {
        let Claim::Held(lease) = &self.claim else {
            return true;
        };
        self.is_within(lease.targets()) && {
            let containers = &self.shared.containers;
            containers.has_room(lease.targets(), self.most_sessions())
        }
    }

    /// A place for another session.
    pub(super) fn seat(&self) -> Result<Seat, Full> {
        let targets = self.claim.targets();
        self.shared.containers.take(targets, self.most_sessions())
    }

    /// Somebody waits, and there is no place: the status says why.
    pub(super) fn fall_short(&mut self, earlier: Option<Shortage>) {
        let targets = self.claim.targets().to_vec();
        let earlier = earlier.filter(|earlier| earlier.targets == targets);
        self.shortage = Some(earlier.unwrap_or_else(|| {
            let containers = &self.shared.containers;
            let full = containers.full(&targets, self.most_sessions());
            let reason = reason::full(full);
            tracing::info!(reason = %reason.message, "waiting for a place for another session");
            Shortage {
                reason,
                _wish: containers.wish(&targets),
                targets,
            }
        }));
    }

    /// A session had no handshake. If others work beside it, its container bears no more: the next goes elsewhere.
    pub(super) fn met_limit(&self, slot: &Slot, reason: &Reason) -> bool {
        if reason.code != "handshake_timeout" {
            return false;
        }
        let bears = slot.seat.missed();
        if let Some(sessions) = bears {
            let target = slot.seat.target();
            tracing::warn!(
                target,
                sessions,
                "a container bears no more sessions than these"
            );
        }
        bears.is_some()
    }

    /// Sessions that nobody uses are ended early where somebody else waits for their place.
    pub(super) fn give_way(&mut self) {
        let containers = &self.shared.containers;
        for (key, slot) in &mut self.sessions {
            let candidate = slot.candidate(*key);
            let is_idle = candidate.stage == Stage::Usable && candidate.idle_since.is_some();
            if is_idle && containers.is_wanted(slot.seat.target()) {
                tracing::info!(
                    session = key,
                    "ending the idle session: another tunnel needs its place"
                );
                slot.leaving = true;
                slot.end.cancel();
            }
        }
    }

    /// Of one tunnel an instance is given no more sessions than a container, though it would bear them.
    fn is_within(&self, targets: &[String]) -> bool {
        let on_it = |slot: &&Slot| targets.iter().any(|target| target == slot.seat.target());
        let sessions = self.sessions.values().filter(on_it).count();
        sessions < self.most_sessions() * targets.len()
    }

    fn most_sessions(&self) -> usize {
        let bastion = self.bastion.as_ref();
        bastion.map_or(MAX_SESSIONS, bastion::Handle::max_sessions)
    }
}

//! When to take a new link before the service closes the old one.
//!
//! The service closes each WebSocket after an hour, whatever is on its way at that moment; and what the agent has lost
//! it repeats at ten messages a second. In a quiet moment nothing is on its way. Pure: times and counts are arguments.

use std::time::{Duration, Instant};

/// Some minutes before the service does it.
const OLD: Duration = Duration::from_secs(55 * 60);
/// So long nothing has moved in a quiet moment: longer than a round trip and what it may take to be repeated.
const QUIET: Duration = Duration::from_secs(5);

/// The age of one link, and what has moved on it.
#[derive(Debug)]
pub struct Renewal {
    look_at: Instant,
    moved: Option<u64>,
}

impl Renewal {
    /// A link that was opened `now`.
    pub fn new(now: Instant) -> Self {
        Self {
            look_at: now + OLD,
            moved: None,
        }
    }

    /// When to ask [`Self::is_due`].
    pub fn look_at(&self) -> Instant {
        self.look_at
    }

    /// Whether to take a new link now. `moved` counts messages both ways; `drained` says that all of ours are
    /// acknowledged.
    pub fn is_due(&mut self, moved: u64, drained: bool, now: Instant) -> bool {
        if now < self.look_at {
            return false;
        }
        self.look_at = now + QUIET;
        self.moved.replace(moved) == Some(moved) && drained
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_renewed_in_the_first_quiet_moment_after_fifty_five_minutes() {
        let start = Instant::now();
        let mut renewal = Renewal::new(start);
        assert!(!renewal.is_due(7, true, start + OLD - QUIET));
        let mut now = renewal.look_at();
        assert_eq!(now, start + OLD);
        assert!(!renewal.is_due(7, true, now), "it may have moved just now");
        for moved in [8, 9] {
            now = renewal.look_at();
            assert!(!renewal.is_due(moved, true, now));
        }
        now = renewal.look_at();
        assert!(!renewal.is_due(9, false, now), "something is on its way");
        assert!(!renewal.is_due(9, true, now), "asked too early");
        now = renewal.look_at();
        assert!(renewal.is_due(9, true, now));
    }
}

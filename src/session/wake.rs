//! Noticing that the machine was asleep.
//!
//! Timers stand still in a sleep while the world goes on: by the time the machine wakes up, the service or a
//! gateway on the way may have forgotten the WebSocket without a word. Only the wall clock knows. Pure: both
//! clocks are arguments.

use std::time::{Duration, Instant, SystemTime};

/// How far the wall clock may run ahead: less than this is somebody setting it right, or a short sleep that no
/// gateway notices.
const ASLEEP: Duration = Duration::from_secs(20);

/// Both clocks as last seen.
#[derive(Debug)]
pub struct Wake {
    wall: SystemTime,
    now: Instant,
}

impl Wake {
    /// Awake.
    pub fn new(wall: SystemTime, now: Instant) -> Self {
        Self { wall, now }
    }

    /// Whether the machine slept since the last look.
    pub fn has_slept(&mut self, wall: SystemTime, now: Instant) -> bool {
        let by_wall = wall.duration_since(self.wall).unwrap_or_default();
        let by_timers = now.duration_since(self.now);
        (self.wall, self.now) = (wall, now);
        by_wall >= by_timers + ASLEEP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_far_ahead_of_the_timers_means_a_sleep_once() {
        let (wall, now) = (SystemTime::now(), Instant::now());
        let second = Duration::from_secs(1);
        let mut wake = Wake::new(wall, now);
        assert!(!wake.has_slept(wall + 5 * second, now + 5 * second));
        assert!(wake.has_slept(wall + 610 * second, now + 10 * second));
        assert!(!wake.has_slept(wall + 615 * second, now + 15 * second));
    }

    #[test]
    fn a_clock_that_is_set_is_no_sleep() {
        let (wall, now) = (SystemTime::now(), Instant::now());
        let second = Duration::from_secs(1);
        let mut wake = Wake::new(wall, now);
        assert!(!wake.has_slept(wall + 15 * second, now + second));
        assert!(!wake.has_slept(wall - 600 * second, now + 2 * second));
    }
}

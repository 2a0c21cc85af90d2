//! How often sessions may be started: a token bucket of one. Pure.

use std::time::{Duration, Instant};

/// AWS allows 3 StartSession calls a second for the whole account and region (service quotas); one daemon
/// takes a third at most, since a team shares the rest.
const INTERVAL: Duration = Duration::from_secs(1);

/// When the next call may go out.
#[derive(Debug, Default)]
pub(super) struct Pace {
    next: Option<Instant>,
}

impl Pace {
    /// How long to wait before a call at `now`; zero when it may go out at once.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.next
            .map_or(Duration::ZERO, |next| next.saturating_duration_since(now))
    }

    /// A call goes out at `now`.
    pub(super) fn take(&mut self, now: Instant) {
        self.next = Some(now + INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_a_second_apart() {
        let start = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.wait(start), Duration::ZERO);
        pace.take(start);
        assert_eq!(
            pace.wait(start + Duration::from_millis(300)),
            Duration::from_millis(700)
        );
        assert_eq!(pace.wait(start + INTERVAL), Duration::ZERO);
    }

    #[test]
    fn quiet_times_do_not_add_up() {
        let start = Instant::now();
        let mut pace = Pace::default();
        let later = start + Duration::from_secs(3600);
        pace.take(later);
        assert_eq!(pace.wait(later), INTERVAL);
    }
}

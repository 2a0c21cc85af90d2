//! How often the calls may be made that AWS allows few of: a token bucket. Pure.

use std::time::{Duration, Instant};

/// A pace is slowed down to this part of itself at most.
const MAX_SLOWDOWN: u32 = 16;

/// When the next call may go out.
#[derive(Debug)]
pub(super) struct Bucket {
    burst: u32,
    usual: Duration,
    /// Between two calls; longer than usual after throttling.
    interval: Duration,
    /// When the bucket is full again.
    full_at: Option<Instant>,
}

impl Bucket {
    /// `burst` calls at once, and one more each `interval`.
    pub(super) fn new(burst: u32, interval: Duration) -> Self {
        Self {
            burst,
            usual: interval,
            interval,
            full_at: None,
        }
    }

    /// How long to wait before a call at `now`; zero when it may go out at once.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let full_at = self.full_at.unwrap_or(now);
        let missing = full_at.saturating_duration_since(now);
        missing.saturating_sub((self.burst - 1) * self.interval)
    }

    /// A call goes out at `now`.
    pub(super) fn take(&mut self, now: Instant) {
        let full_at = self.full_at.unwrap_or(now).max(now);
        self.full_at = Some(full_at + self.interval);
    }

    /// AWS has had too many, of ours or of others: half as many from now on, and none for a while.
    pub(super) fn throttled(&mut self, now: Instant) {
        self.interval = (2 * self.interval).min(MAX_SLOWDOWN * self.usual);
        self.full_at = Some(now + self.burst * self.interval);
    }

    /// AWS has taken one: back to the usual pace, by halves.
    pub(super) fn taken(&mut self) {
        self.interval = (self.interval / 2).max(self.usual);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// When calls go out that are all wanted at once.
    fn times(bucket: &mut Bucket, start: Instant, count: usize) -> Vec<Duration> {
        let mut now = start;
        let call = |_| {
            now += bucket.wait(now);
            bucket.take(now);
            now - start
        };
        (0..count).map(call).collect()
    }

    #[test]
    fn calls_are_an_interval_apart_after_the_burst() {
        let start = Instant::now();
        let half = SECOND / 2;
        let mut single = Bucket::new(1, SECOND);
        assert_eq!(
            times(&mut single, start, 3),
            [Duration::ZERO, SECOND, 2 * SECOND]
        );
        let mut pair = Bucket::new(2, half);
        let expected = [Duration::ZERO, Duration::ZERO, half, SECOND];
        assert_eq!(times(&mut pair, start, 4), expected);
    }

    #[test]
    fn quiet_times_do_not_add_up() {
        let start = Instant::now();
        let mut bucket = Bucket::new(2, SECOND);
        times(&mut bucket, start, 5);
        let later = start + 3600 * SECOND;
        let expected = [Duration::ZERO, Duration::ZERO, SECOND];
        assert_eq!(times(&mut bucket, later, 3), expected);
    }

    #[test]
    fn throttling_doubles_the_interval_and_answers_halve_it_again() {
        let now = Instant::now();
        let mut bucket = Bucket::new(2, SECOND);
        for seconds in [2, 4, 8, 16, 16] {
            bucket.throttled(now);
            assert_eq!(bucket.wait(now), seconds * SECOND);
        }
        for _ in 0..4 {
            bucket.taken();
        }
        let rested = now + 3600 * SECOND;
        let expected = [Duration::ZERO, Duration::ZERO, SECOND];
        assert_eq!(times(&mut bucket, rested, 3), expected);
    }
}

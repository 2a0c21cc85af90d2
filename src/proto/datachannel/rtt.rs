//! The round trip to the peer, and how long to wait for an acknowledgement.
//!
//! The reference's estimator with bounds of our own. All times are exact to the nanosecond.
//!
//! A repeated message cannot be a sample, so on a path slower than the timeout there would never be one. Hence the
//! back-off outlives its message: those sent next wait as long as the late ones did, until one of them is a sample.

use std::time::Duration;

/// A running estimate.
#[derive(Clone, Debug)]
pub struct Rtt {
    smoothed: Duration,
    variation: Duration,
    timeout: Duration,
    latest: Option<Duration>,
    least: Option<Duration>,
    backoff: u32,
    floor: Duration,
    cap: Duration,
    patience: Duration,
}

impl Rtt {
    /// As the reference measures: no floor, a cap of 1 s.
    pub fn reference() -> Self {
        let cap = Duration::from_secs(1);
        Self::bounded(Duration::ZERO, cap, cap)
    }

    /// As we measure: repeats of single messages back off, so the cap may be higher; the floor spares a peer that
    /// answers in bursts.
    pub fn client() -> Self {
        Self::bounded(Duration::from_millis(100), Duration::from_secs(2), PATIENCE)
    }

    fn bounded(floor: Duration, cap: Duration, patience: Duration) -> Self {
        Self {
            smoothed: Duration::from_millis(100),
            variation: Duration::ZERO,
            timeout: Duration::from_millis(200),
            latest: None,
            least: None,
            backoff: 0,
            floor,
            cap,
            patience,
        }
    }

    /// Takes the time from a message to its acknowledgement. One far beyond all waiting measured something else.
    pub fn sample(&mut self, sample: Duration) {
        let sample = sample.min(self.cap * LONGEST_SAMPLE);
        self.backoff = 0;
        self.latest = Some(sample);
        self.least = Some(self.least.map_or(sample, |least| least.min(sample)));
        self.variation = (self.variation * 3 + self.smoothed.abs_diff(sample)) / 4;
        self.smoothed = (self.smoothed * 7 + sample) / 8;
        let spread = GRANULARITY.max(self.variation * 4);
        self.timeout = (self.smoothed + spread).clamp(self.floor, self.patience);
    }

    /// A message that had waited as long as [`Rtt::timeout`] of `level` was not acknowledged: the next ones wait longer.
    pub fn late(&mut self, level: u32) {
        self.backoff = self
            .backoff
            .max(level.saturating_add(1))
            .min(HIGHEST_BACKOFF);
    }

    /// The next link may take another path: what was learnt of this one's shortest time and losses is void.
    pub fn path_changed(&mut self) {
        self.least = None;
        self.backoff = 0;
    }

    /// At which level of backing off a new message begins.
    pub fn backoff(&self) -> u32 {
        self.backoff
    }

    /// The smoothed round trip; 100 ms before the first sample, as in the reference.
    pub fn smoothed(&self) -> Duration {
        self.smoothed
    }

    /// The smoothed round trip, if any was measured.
    pub fn measured(&self) -> Option<Duration> {
        self.latest.map(|_| self.smoothed)
    }

    /// How long to wait for the acknowledgement of a message sent for the first time.
    pub fn first_timeout(&self) -> Duration {
        backed_off(self.timeout, self.backoff).min(self.patience)
    }

    /// How long to wait for that of a repeated one, twice as long with each `level`.
    pub fn timeout(&self, level: u32) -> Duration {
        backed_off(self.timeout, level).min(self.cap.max(self.timeout))
    }

    /// The same for the first message that carries data. The agent leaves it unacknowledged while its port plugin
    /// starts, measured at 5 to 26 ms; asking again soon after is what makes a new session quick.
    pub fn eager_timeout(&self, level: u32) -> Duration {
        let once = self
            .latest
            .map_or(self.timeout, |latest| latest + PORT_START);
        backed_off(once, level).min(self.cap.max(self.timeout))
    }

    /// Whether messages wait noticeably longer than they have to.
    pub fn is_swollen(&self) -> bool {
        self.least
            .is_some_and(|least| self.smoothed >= (least * 2).max(least + GRANULARITY))
    }
}

fn backed_off(once: Duration, level: u32) -> Duration {
    once.saturating_mul(1 << level.min(HIGHEST_BACKOFF))
}

const HIGHEST_BACKOFF: u32 = 10;

/// A message sent for the first time may wait longer than a repeat, or a path as slow as the cap were never measured.
const PATIENCE: Duration = Duration::from_secs(5);

/// A sample counts for at most so many caps.
const LONGEST_SAMPLE: u32 = 4;

/// The reference's clock granularity.
const GRANULARITY: Duration = Duration::from_millis(10);

const PORT_START: Duration = Duration::from_millis(30);

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(rtt: &Rtt) -> (u128, u128, u128) {
        (
            rtt.variation.as_nanos() / 10,
            rtt.smoothed.as_nanos() / 10,
            rtt.timeout.as_nanos() / 10,
        )
    }

    #[test]
    fn timeout_follows_samples_as_in_the_reference() {
        let mut rtt = Rtt::reference();
        let sample = Duration::from_millis(20);
        rtt.sample(sample);
        assert_eq!(micros(&rtt), (2_000_000, 9_000_000, 17_000_000));
        rtt.sample(sample);
        assert_eq!(micros(&rtt), (3_250_000, 8_125_000, 21_125_000));
        rtt.sample(sample);
        assert_eq!(micros(&rtt), (3_968_750, 7_359_375, 23_234_375));

        let mut rtt = Rtt::reference();
        rtt.sample(Duration::from_secs(2));
        assert_eq!(micros(&rtt), (47_500_000, 33_750_000, 100_000_000));
    }

    #[test]
    fn timeout_doubles_with_each_level_up_to_the_cap() {
        let rtt = Rtt::client();
        let waits: Vec<u128> = (0..7).map(|level| rtt.timeout(level).as_millis()).collect();
        assert_eq!(waits, [200, 400, 800, 1600, 2000, 2000, 2000]);
        assert_eq!(rtt.timeout(u32::MAX), Duration::from_secs(2));
    }

    #[test]
    fn our_timeout_has_a_floor() {
        let mut rtt = Rtt::client();
        for _ in 0..100 {
            rtt.sample(Duration::from_millis(1));
        }
        assert_eq!(rtt.timeout(0), Duration::from_millis(100));
    }

    #[test]
    fn first_data_is_asked_for_soon_after_one_round_trip() {
        let mut rtt = Rtt::client();
        rtt.sample(Duration::from_millis(40));
        assert_eq!(rtt.eager_timeout(0), Duration::from_millis(70));
        assert_eq!(rtt.eager_timeout(1), Duration::from_millis(140));
    }

    #[test]
    fn a_round_trip_of_twice_the_least_is_swollen() {
        let mut rtt = Rtt::client();
        assert!(!rtt.is_swollen());
        for _ in 0..50 {
            rtt.sample(Duration::from_millis(50));
        }
        assert!(!rtt.is_swollen());
        for _ in 0..50 {
            rtt.sample(Duration::from_millis(120));
        }
        assert!(rtt.is_swollen());
    }

    #[test]
    fn back_off_is_kept_until_a_sample_and_bounded() {
        let mut rtt = Rtt::client();
        rtt.late(0);
        assert_eq!(rtt.first_timeout(), Duration::from_millis(400));
        rtt.late(0);
        assert_eq!(rtt.first_timeout(), Duration::from_millis(400));
        rtt.late(u32::MAX);
        assert_eq!(rtt.first_timeout(), PATIENCE);
        rtt.sample(Duration::from_millis(20));
        assert_eq!(rtt.first_timeout(), rtt.timeout(0));
    }

    #[test]
    fn sample_of_minutes_counts_as_seconds() {
        let mut rtt = Rtt::client();
        rtt.sample(Duration::from_secs(600));
        assert!(rtt.smoothed() < Duration::from_secs(2));
        assert_eq!(rtt.timeout(0), PATIENCE);
    }

    #[test]
    fn another_path_has_another_least() {
        let mut rtt = Rtt::client();
        rtt.sample(Duration::from_millis(1));
        rtt.late(3);
        rtt.path_changed();
        for _ in 0..50 {
            rtt.sample(Duration::from_millis(120));
        }
        assert!(!rtt.is_swollen());
    }
}

//! The round trip to the peer, and how long to wait for an acknowledgement.
//!
//! The reference's estimator with bounds of our own. All times are exact to the nanosecond.

use std::time::Duration;

/// A running estimate.
#[derive(Clone, Debug)]
pub struct Rtt {
    smoothed: Duration,
    variation: Duration,
    timeout: Duration,
    latest: Option<Duration>,
    least: Option<Duration>,
    floor: Duration,
    cap: Duration,
}

impl Rtt {
    /// As the reference measures: no floor, a cap of 1 s.
    pub fn reference() -> Self {
        Self::bounded(Duration::ZERO, Duration::from_secs(1))
    }

    /// As we measure: repeats of single messages back off, so the cap may be higher; the floor spares a peer that
    /// answers in bursts.
    pub fn client() -> Self {
        Self::bounded(Duration::from_millis(100), Duration::from_secs(2))
    }

    fn bounded(floor: Duration, cap: Duration) -> Self {
        Self {
            smoothed: Duration::from_millis(100),
            variation: Duration::ZERO,
            timeout: Duration::from_millis(200),
            latest: None,
            least: None,
            floor,
            cap,
        }
    }

    /// Takes the time from a message to its acknowledgement.
    pub fn sample(&mut self, sample: Duration) {
        self.latest = Some(sample);
        self.least = Some(self.least.map_or(sample, |least| least.min(sample)));
        self.variation = (self.variation * 3 + self.smoothed.abs_diff(sample)) / 4;
        self.smoothed = (self.smoothed * 7 + sample) / 8;
        let spread = GRANULARITY.max(self.variation * 4);
        self.timeout = (self.smoothed + spread).clamp(self.floor, self.cap);
    }

    /// The smoothed round trip; 100 ms before the first sample, as in the reference.
    pub fn smoothed(&self) -> Duration {
        self.smoothed
    }

    /// The smoothed round trip, if any was measured.
    pub fn measured(&self) -> Option<Duration> {
        self.latest.map(|_| self.smoothed)
    }

    /// How long to wait for the acknowledgement of a message sent for the `sends`-th time.
    pub fn timeout(&self, sends: u32) -> Duration {
        backed_off(self.timeout, sends).min(self.cap)
    }

    /// The same for the first message that carries data. The agent leaves it unacknowledged while its port plugin
    /// starts, measured at 5 to 26 ms; asking again soon after is what makes a new session quick.
    pub fn eager_timeout(&self, sends: u32) -> Duration {
        let once = self
            .latest
            .map_or(self.timeout, |latest| latest + PORT_START);
        backed_off(once, sends).min(self.cap)
    }

    /// Whether messages wait noticeably longer than they have to.
    pub fn is_swollen(&self) -> bool {
        self.least
            .is_some_and(|least| self.smoothed >= (least * 2).max(least + GRANULARITY))
    }
}

fn backed_off(once: Duration, sends: u32) -> Duration {
    once.saturating_mul(1 << sends.saturating_sub(1).min(10))
}

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
    fn timeout_doubles_with_each_send_up_to_the_cap() {
        let rtt = Rtt::client();
        let waits: Vec<u128> = (1..8).map(|sends| rtt.timeout(sends).as_millis()).collect();
        assert_eq!(waits, [200, 400, 800, 1600, 2000, 2000, 2000]);
        assert_eq!(rtt.timeout(u32::MAX), Duration::from_secs(2));
    }

    #[test]
    fn our_timeout_has_a_floor() {
        let mut rtt = Rtt::client();
        for _ in 0..100 {
            rtt.sample(Duration::from_millis(1));
        }
        assert_eq!(rtt.timeout(1), Duration::from_millis(100));
    }

    #[test]
    fn first_data_is_asked_for_soon_after_one_round_trip() {
        let mut rtt = Rtt::client();
        rtt.sample(Duration::from_millis(40));
        assert_eq!(rtt.eager_timeout(1), Duration::from_millis(70));
        assert_eq!(rtt.eager_timeout(2), Duration::from_millis(140));
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
}

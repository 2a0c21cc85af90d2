//! Three reasons not to send though there is something to send.

use super::rtt::Rtt;
use std::time::{Duration, Instant};

/// The service asked to stop for a while.
///
/// A client holds back new data, and forgets the pause by itself: the reference ignores pauses and works. An agent
/// holds back everything but acknowledgements for as long as it takes.
pub(super) struct Pause {
    client: bool,
    since: Option<Instant>,
}

impl Pause {
    pub(super) fn new(client: bool) -> Self {
        Self {
            client,
            since: None,
        }
    }

    pub(super) fn begin(&mut self, now: Instant) {
        self.since = Some(now);
    }

    pub(super) fn end(&mut self) {
        self.since = None;
    }

    pub(super) fn holds_data(&self) -> bool {
        self.since.is_some()
    }

    pub(super) fn holds_everything(&self) -> bool {
        self.since.is_some() && !self.client
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.since
            .filter(|_| self.client)
            .map(|since| since + LONGEST_PAUSE)
    }

    pub(super) fn expire(&mut self, now: Instant) {
        if self.deadline().is_some_and(|at| at <= now) {
            self.since = None;
        }
    }
}

const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// After a reconnect, much may be due at once: so many messages go in each round trip, until nothing is due.
#[derive(Default)]
pub(super) struct Burst(Option<State>);

struct State {
    left: usize,
    refill: Option<Instant>,
}

impl Burst {
    /// Begins one, if anything is due.
    pub(super) fn start(due: bool) -> Self {
        Self(due.then_some(State {
            left: PER_ROUND_TRIP,
            refill: None,
        }))
    }

    /// One message is being sent.
    pub(super) fn spend(&mut self, rtt: &Rtt, now: Instant) {
        let Some(state) = &mut self.0 else {
            return;
        };
        if state.refill.is_none_or(|at| at <= now) {
            *state = State {
                left: PER_ROUND_TRIP,
                refill: Some(now + rtt.smoothed()),
            };
        }
        state.left -= 1;
    }

    /// Whether to wait for the next round trip.
    pub(super) fn is_spent(&self, now: Instant) -> bool {
        let spent = self.0.as_ref().filter(|state| state.left == 0);
        spent.is_some_and(|state| state.refill.is_some_and(|at| at > now))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.as_ref()?.refill
    }

    /// A round trip is over; without anything due, so is the burst.
    pub(super) fn expire(&mut self, due: bool, now: Instant) {
        if self.deadline().is_some_and(|at| at <= now) {
            *self = Self::start(due);
        }
    }
}

/// As many as the window of a new session lets out at once.
const PER_ROUND_TRIP: usize = 256;

/// The rest that an agent takes after each message of data.
///
/// The next one is counted from the end of the last: the caller's timers are up to a millisecond late, each time, and
/// would halve the rate. (The reference agent on real hardware gives three quarters of what its rest allows.)
pub(super) struct Rest {
    length: Option<Duration>,
    until: Option<Instant>,
    ended: Option<Instant>,
}

impl Rest {
    pub(super) fn new(length: Option<Duration>) -> Self {
        Self {
            length,
            until: None,
            ended: None,
        }
    }

    pub(super) fn begin(&mut self, now: Instant) {
        let on_time = |end: &Instant| now.saturating_duration_since(*end) < LATE;
        let from = self.ended.filter(on_time).unwrap_or(now);
        self.until = self.length.map(|length| from + length);
        self.ended = self.until;
    }

    pub(super) fn lasts(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until > now)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.until
    }

    pub(super) fn expire(&mut self, now: Instant) {
        if !self.lasts(now) {
            self.until = None;
        }
    }
}

/// Later than this is no timer: there was nothing to send.
const LATE: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_timers_do_not_slow_the_agent_down() {
        let (start, mut now, mut sent) = (Instant::now(), Instant::now(), 0);
        let mut rest = Rest::new(Some(Duration::from_micros(1300)));
        while now < start + Duration::from_secs(13) {
            now += Duration::from_millis(2);
            while !rest.lasts(now) {
                rest.begin(now);
                sent += 1;
            }
        }
        assert!((9_990..=10_010).contains(&sent), "{sent}");
    }

    #[test]
    fn an_agent_that_had_nothing_to_send_has_saved_nothing_up() {
        let (now, mut rest) = (Instant::now(), Rest::new(Some(Duration::from_millis(1))));
        rest.begin(now);
        let later = now + Duration::from_secs(1);
        rest.begin(later);
        assert!(rest.lasts(later));
    }
}

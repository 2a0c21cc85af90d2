//! How many messages may wait for their acknowledgement.
//!
//! The protocol knows no window, and the agent none either; what the service between them bears is not known. So begin
//! modestly, grow while nothing suffers, and give way at the first sign.

use super::rtt::Rtt;
use std::ops::RangeInclusive;
use std::time::Instant;

/// A number of messages.
pub(super) struct Window {
    size: usize,
    least: usize,
    most: usize,
    halved: Option<Instant>,
}

impl Window {
    /// Starts at the lower bound and grows to the upper. Trouble may shrink it to an eighth of the lower.
    pub(super) fn new(bounds: &RangeInclusive<usize>) -> Self {
        let start = (*bounds.start()).max(1);
        Self {
            size: start,
            least: (start / 8).max(1),
            most: (*bounds.end()).max(start),
            halved: None,
        }
    }

    /// Its size now.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// One message was acknowledged while `waiting` waited: grow if that is much of the window. Not all of it, as
    /// acknowledgements come in batches, with no chance to send in between.
    pub(super) fn grow(&mut self, waiting: usize, rtt: &Rtt) {
        if waiting * 2 > self.size && self.size < self.most && !rtt.is_swollen() {
            self.size += 1;
        }
    }

    /// Halves it, once in a round trip: what is in flight cannot know of it.
    pub(super) fn halve(&mut self, rtt: &Rtt, now: Instant) {
        if self
            .halved
            .is_some_and(|halved| now.saturating_duration_since(halved) < rtt.smoothed())
        {
            return;
        }
        self.halved = Some(now);
        self.size = (self.size / 2).max(self.least);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn window_grows_only_when_used_and_while_round_trips_stay_short() {
        let mut rtt = Rtt::client();
        rtt.sample(Duration::from_millis(80));
        let mut window = Window::new(&(4..=6));
        window.grow(2, &rtt);
        assert_eq!(window.size(), 4);
        for _ in 0..5 {
            window.grow(100, &rtt);
        }
        assert_eq!(window.size(), 6);

        let mut window = Window::new(&(4..=6));
        for _ in 0..20 {
            rtt.sample(Duration::from_millis(400));
        }
        window.grow(4, &rtt);
        assert_eq!(window.size(), 4);
    }

    #[test]
    fn window_is_halved_once_in_a_round_trip_and_never_vanishes() {
        let (rtt, now) = (Rtt::client(), Instant::now());
        let mut window = Window::new(&(256..=2048));
        window.halve(&rtt, now);
        window.halve(&rtt, now + Duration::from_millis(50));
        assert_eq!(window.size(), 128);
        for second in 1..20 {
            window.halve(&rtt, now + Duration::from_secs(second));
        }
        assert_eq!(window.size(), 32);
    }
}

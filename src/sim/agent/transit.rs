//! Messages under way in one direction of a link, and what befalls them there.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use crate::sim::{faults::Line, frames};

/// Messages that have been sent and not yet arrived.
#[derive(Debug)]
pub(super) struct Transit {
    under_way: BTreeMap<(Instant, u64), Bytes>,
    sent: u64,
    rng: fastrand::Rng,
}

impl Transit {
    pub fn new(seed: u64) -> Self {
        Self {
            under_way: BTreeMap::new(),
            sent: 0,
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    /// Takes a message; what has arrived at once is put on `out`.
    pub fn send(
        &mut self,
        line: &Line,
        frame: Bytes,
        not_before: Option<Instant>,
        now: Instant,
        out: &mut VecDeque<Bytes>,
    ) {
        if line.is_clear() && not_before.is_none_or(|at| at <= now) && self.under_way.is_empty() {
            out.push_back(frame);
            return;
        }
        let is_ack = frames::message_type(&frame) == b"acknowledge";
        if self.strikes(line.drop) || is_ack && self.strikes(line.drop_acks) {
            return;
        }
        let frame = match !is_ack && self.strikes(line.bad_digest) {
            true => frames::with_bad_digest(&frame),
            false => frame,
        };
        let copies = 1 + usize::from(self.strikes(line.duplicate));
        for _ in 0..copies {
            let arrival = now + line.latency + self.detour(line);
            let at = not_before.map_or(arrival, |earliest| arrival.max(earliest));
            self.under_way.insert((at, self.sent), frame.clone());
            self.sent += 1;
        }
        self.arrive(now, out);
    }

    /// Puts what has arrived by `now` on `out`, in the order of arrival.
    pub fn arrive(&mut self, now: Instant, out: &mut VecDeque<Bytes>) {
        while let Some(first) = self.under_way.first_entry() {
            if first.key().0 > now {
                break;
            }
            out.push_back(first.remove());
        }
    }

    /// When the next message arrives.
    pub fn next_arrival(&self) -> Option<Instant> {
        self.under_way.first_key_value().map(|((at, _), _)| *at)
    }

    fn detour(&mut self, line: &Line) -> Duration {
        match self.strikes(line.reorder) {
            true => line.reorder_by.mul_f64(self.rng.f64()),
            false => Duration::ZERO,
        }
    }

    fn strikes(&mut self, rate: f64) -> bool {
        rate > 0.0 && self.rng.f64() < rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clear_line_passes_everything_at_once() {
        assert_eq!(
            arrivals(&Line::default(), 100),
            (0..100).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_lossy_line_loses_some_and_keeps_the_order() {
        let got = arrivals(
            &Line {
                drop: 0.5,
                ..Line::default()
            },
            100,
        );
        assert!((20..80).contains(&got.len()) && got.is_sorted());
    }

    #[test]
    fn a_reordering_line_loses_nothing() {
        let line = Line {
            reorder: 0.5,
            reorder_by: Duration::from_millis(50),
            ..Line::default()
        };
        let mut got = arrivals(&line, 100);
        assert!(!got.is_sorted());
        got.sort_unstable();
        assert_eq!(got, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn latency_delays_and_keeps_the_order() {
        let (mut transit, mut out, now) = (Transit::new(1), VecDeque::new(), Instant::now());
        let line = Line {
            latency: Duration::from_millis(5),
            ..Line::default()
        };
        for n in 0..10 {
            transit.send(&line, Bytes::from(vec![n]), None, now, &mut out);
        }
        assert!(out.is_empty());
        assert_eq!(transit.next_arrival(), Some(now + line.latency));
        transit.arrive(now + line.latency, &mut out);
        assert!(out.iter().map(|frame| frame[0]).eq(0..10));
    }

    fn arrivals(line: &Line, count: u8) -> Vec<u8> {
        let (mut transit, mut out, now) = (Transit::new(7), VecDeque::new(), Instant::now());
        for n in 0..count {
            transit.send(line, Bytes::from(vec![n]), None, now, &mut out);
        }
        transit.arrive(now + Duration::from_secs(1), &mut out);
        out.iter().map(|frame| frame[0]).collect()
    }
}

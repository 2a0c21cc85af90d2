//! Bytes are equal at both ends, whatever the line does.

use super::pair::{Pair, Weather};
use super::solo::{millis, seconds};
use crate::proto::{AgentProfile, Resend, StreamId};
use bytes::Bytes;
use std::collections::BTreeMap;

/// `BASTIOND_SEEDS=100000 cargo test` for a long look; `BASTIOND_SEED=n` for one that failed.
#[test]
fn bytes_are_equal_over_a_line_that_loses_repeats_delays_reorders_and_cuts() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    if let Some(seed) = number("BASTIOND_SEED") {
        return exchange(seed);
    }
    let seeds = number("BASTIOND_SEEDS").unwrap_or(2000);
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            scope.spawn(move || (worker..seeds).step_by(WORKERS as usize).for_each(exchange));
        }
    });
}

#[test]
fn bytes_are_equal_whichever_message_is_the_last_of_its_link() {
    let mut whole = Exchange::new(11, AgentProfile::quick());
    whole.run();
    for index in 1..=whole.pair.frames {
        let mut cut = Exchange::new(11, AgentProfile::quick());
        cut.pair.cuts = vec![index];
        cut.run();
    }
}

const WORKERS: u64 = 2;

/// Prints the seed if it does not go well.
fn exchange(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut exchange = Exchange::new(seed, random_profile(&mut rng));
    exchange.pair.weather = Weather {
        loss: rng.f64() * 0.2,
        repeat: rng.f64() * 0.2,
        delay: millis(rng.u64(1..80)),
        jitter: millis(rng.u64(0..60)),
    };
    exchange.pair.cuts = (0..rng.usize(0..4)).map(|_| rng.usize(1..200)).collect();
    exchange.pair.outage = millis(rng.u64(1..3000));
    exchange.run();
}

fn random_profile(rng: &mut fastrand::Rng) -> AgentProfile {
    AgentProfile {
        pace: rng.bool().then_some(millis(1)),
        unready_for: millis(rng.u64(0..60)),
        resend: if rng.u8(..) < 64 {
            Resend::FrontOnly
        } else {
            Resend::All
        },
        ..AgentProfile::default()
    }
}

/// Some streams with some bytes each way, all to be finished by the agent.
struct Exchange {
    seed: u64,
    pair: Pair,
    streams: BTreeMap<StreamId, Plan>,
}

struct Plan {
    up: Vec<u8>,
    down: Vec<u8>,
    written: usize,
    answered: usize,
    closed: bool,
}

impl Exchange {
    fn new(seed: u64, profile: AgentProfile) -> Self {
        let mut rng = fastrand::Rng::with_seed(!seed);
        let payload = rng.usize(32..400);
        let mut pair = Pair::new(seed, profile, |options| {
            options.payload = payload;
            options.window = 4..=64;
        });
        let streams = (0..rng.usize(1..4))
            .map(|_| (pair.client.open(), Plan::random(&mut rng)))
            .collect();
        Self {
            seed,
            pair,
            streams,
        }
    }

    fn run(&mut self) {
        let Self {
            seed,
            pair,
            streams,
        } = self;
        let mut rng = fastrand::Rng::with_seed(*seed);
        let opened = streams.len();
        let done = pair.run(
            seconds(3600),
            |pair| {
                streams
                    .iter_mut()
                    .for_each(|(&id, plan)| plan.act(id, pair, &mut rng))
            },
            |pair| {
                pair.at_client.finished.len() == opened
                    && pair.client.is_drained()
                    && pair.agent.is_drained()
            },
        );
        assert!(
            done,
            "seed {seed}: not done after an hour: {:?}",
            pair.client.stats(pair.now)
        );
        for (id, plan) in streams {
            assert!(
                pair.at_agent
                    .bytes
                    .get(id)
                    .is_none_or(|bytes| *bytes == plan.up),
                "seed {seed}: {id} up"
            );
            assert!(
                pair.at_client
                    .bytes
                    .get(id)
                    .is_none_or(|bytes| *bytes == plan.down),
                "seed {seed}: {id} down"
            );
            assert_eq!(
                pair.at_agent.bytes.get(id).map_or(0, Vec::len),
                plan.up.len(),
                "seed {seed}: {id} up"
            );
            assert_eq!(
                pair.at_client.bytes.get(id).map_or(0, Vec::len),
                plan.down.len(),
                "seed {seed}: {id} down"
            );
        }
    }
}

impl Plan {
    fn random(rng: &mut fastrand::Rng) -> Self {
        let mut bytes = || {
            let length = rng.usize(0..2000);
            std::iter::repeat_with(|| rng.u8(..)).take(length).collect()
        };
        Self {
            up: bytes(),
            down: bytes(),
            written: 0,
            answered: 0,
            closed: false,
        }
    }

    fn act(&mut self, id: StreamId, pair: &mut Pair, rng: &mut fastrand::Rng) {
        let part = self.up.len().min(self.written + rng.usize(1..1000));
        if self.written < part && pair.client.can_write() {
            pair.client
                .write(id, Bytes::copy_from_slice(&self.up[self.written..part]));
            self.written = part;
        }
        if self.closed || !pair.at_agent.opened.contains(&id) {
            return;
        }
        let part = self.down.len().min(self.answered + rng.usize(1..1000));
        pair.agent
            .write(id, Bytes::copy_from_slice(&self.down[self.answered..part]));
        self.answered = part;
        let heard = pair.at_agent.bytes.get(&id).map_or(0, Vec::len);
        if self.answered == self.down.len() && heard == self.up.len() {
            pair.agent.finish(id);
            self.closed = true;
        }
    }
}

//! Chaos: hundreds of faults drawn by a seed, at random times and over each other, while connections carry bytes
//! that tell where they belong. Afterwards every byte, session, task, socket and descriptor is accounted for.
//!
//! ```console
//! $ cargo test --locked --test chaos                                         # a quarter of a minute
//! $ BASTIOND_CHAOS=1h cargo test --locked --test chaos -- --nocapture        # as long as you like
//! $ BASTIOND_CHAOS_SEED=42 cargo test --locked --test chaos -- --nocapture   # what failed, again
//! ```
//!
//! A run is a sequence of rounds. Each has a simulator, a database and daemons of its own, and a seed of its own,
//! which is printed when it fails. What must hold at its end is in [`books`]; what may happen is in [`trouble`], and for how long in [`weather`].

mod books;
mod client;
mod database;
mod journal;
mod pattern;
mod round;
mod summary;
mod trouble;
mod weather;

#[path = "../e2e/support.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests")]
mod support;

use std::time::{Duration, Instant};

use books::Usage;
use summary::Summary;

/// What `cargo test` gives it.
const SHORT: Duration = Duration::from_secs(14);
/// Rounds of a short run, so that what one round leaves behind is seen by the next.
const SHORT_ROUND: Duration = Duration::from_secs(6);
/// Rounds of a long run.
const LONG_ROUND: Duration = Duration::from_secs(60);
/// How often a long run says how it is.
const NEWS: Duration = Duration::from_secs(60);

/// One test, alone in its program: it counts what the whole process holds.
#[test]
fn whatever_goes_wrong_every_byte_session_task_and_descriptor_is_accounted_for() {
    journal::listen();
    let length = duration("BASTIOND_CHAOS").unwrap_or(SHORT);
    let round = if length > SHORT {
        LONG_ROUND
    } else {
        SHORT_ROUND
    };
    let seed = number("BASTIOND_CHAOS_SEED").unwrap_or_else(|| fastrand::u64(..1 << 32));
    println!("chaos for {length:?}: BASTIOND_CHAOS_SEED={seed}");

    let start = Instant::now();
    let mut summary = Summary::default();
    let mut news = NEWS;
    // The first round opens what the process keeps for good.
    let mut before = None;
    let mut rounds: u64 = 0;
    while start.elapsed() < length {
        let left = length.saturating_sub(start.elapsed());
        round::play(seed + rounds, round.min(left), &mut summary);
        rounds += 1;
        let usage = Usage::now();
        summary.used(usage);
        books::same_descriptors(before.get_or_insert(usage), &usage, seed);
        if start.elapsed() >= news {
            news += NEWS;
            println!(
                "{:>5} s  {rounds} rounds  {}",
                start.elapsed().as_secs(),
                summary.line()
            );
        }
    }
    summary.memory_came_back(seed);
    println!("{summary}");
}

fn duration(variable: &str) -> Option<Duration> {
    let text = std::env::var(variable).ok()?;
    Some(humantime::parse_duration(&text).unwrap_or_else(|error| panic!("{variable}: {error}")))
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|error| panic!("{variable}: {error}")),
    )
}

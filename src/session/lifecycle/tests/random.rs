//! A session's life under whatever comes, in any order.

use super::*;

const SEEDS: u64 = 3000;

/// What AWS would know of the session.
#[derive(Default)]
struct Books {
    started: bool,
    /// AWS has ended it, or the agent has heard of the end.
    is_over: bool,
    terminated: usize,
}

struct World {
    lifecycle: Lifecycle,
    rng: fastrand::Rng,
    now: Instant,
    /// Since when there has been no good link.
    lost_at: Instant,
    asked_to_end: bool,
    books: Books,
}

impl World {
    fn new(seed: u64) -> Self {
        let now = Instant::now();
        Self {
            lifecycle: Lifecycle::new(seed, now),
            rng: fastrand::Rng::with_seed(seed),
            now,
            lost_at: now,
            asked_to_end: false,
            books: Books::default(),
        }
    }

    fn ask_to_end(&mut self) {
        self.asked_to_end = true;
        self.lifecycle.handle_end();
    }

    fn trouble(&mut self) -> Trouble {
        trouble(match self.rng.u8(0..12) {
            0 => TroubleKind::Final,
            1 => TroubleKind::NotConnected,
            2 => TroubleKind::Throttled,
            3 => TroubleKind::Login,
            _ => TroubleKind::Transient,
        })
    }

    /// Does the step with some outcome. `false` when there is nothing left to do.
    fn turn(&mut self) -> bool {
        let outcome = match self.lifecycle.step() {
            Step::Start => self.start(),
            Step::Link => self.link(),
            Step::Resume => self.resume(),
            Step::Wait(until) => {
                self.now = self.now.max(until);
                Outcome::Done
            }
            Step::Terminate => {
                self.books.terminated += 1;
                Outcome::Done
            }
            Step::End => return false,
        };
        self.lifecycle.handle_outcome(outcome, self.now);
        true
    }

    fn start(&mut self) -> Outcome {
        self.now += Duration::from_millis(self.rng.u64(0..10_000));
        self.lost_at = self.now;
        match self.rng.bool() {
            true => {
                self.books.started = true;
                Outcome::Started(Ok(()))
            }
            false => Outcome::Started(Err(self.trouble())),
        }
    }

    fn link(&mut self) -> Outcome {
        let lived = Duration::from_millis(self.rng.u64(0..30_000));
        if self.rng.u8(0..4) == 0 {
            return Outcome::NotLinked(self.trouble());
        }
        if self.rng.bool() {
            self.lifecycle.handle_connected();
        }
        self.now += lived;
        if lived >= GOOD_LINK {
            self.lost_at = self.now;
        }
        match self.rng.u8(0..20) {
            0 => {
                self.books.is_over = true;
                Outcome::Closed(Reason::new("test", "closed"))
            }
            1 => Outcome::Failed(Reason::new("test", "failed")),
            2 => Outcome::Interrupted,
            _ if self.asked_to_end => {
                let acked = self.rng.bool();
                self.books.is_over = acked;
                Outcome::Terminated(acked)
            }
            _ => Outcome::LinkLost("cut".to_owned()),
        }
    }

    fn resume(&mut self) -> Outcome {
        assert!(!self.books.is_over, "what is over is not resumed");
        let lost_for = self.now - self.lost_at;
        let longest = RESUME_BUDGET + RESUME_CAP + Duration::from_secs(60);
        assert!(lost_for < longest, "resumed after {lost_for:?}");
        self.now += Duration::from_millis(self.rng.u64(0..10_000));
        match self.rng.u8(0..20) {
            0 => {
                self.books.is_over = true;
                Outcome::Resumed(Ok(false))
            }
            1..5 => Outcome::Resumed(Ok(true)),
            _ => Outcome::Resumed(Err(self.trouble())),
        }
    }
}

#[test]
fn whatever_comes_a_session_ends_when_asked_and_is_terminated_exactly_once_unless_it_is_over() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        for _ in 0..world.rng.usize(0..60) {
            if world.rng.u8(0..8) == 0 {
                world.lifecycle.handle_nudge(world.now);
            }
            world.turn();
        }
        world.ask_to_end();
        let mut turns = 0;
        while world.turn() {
            turns += 1;
            assert!(turns < 6, "seed {seed}: {:?}", world.lifecycle.step());
        }
        let Books {
            started,
            is_over,
            terminated,
        } = world.books;
        let expected = usize::from(started && !is_over);
        assert_eq!(terminated, expected, "seed {seed}");
    }
}

#[test]
fn a_session_that_is_never_asked_to_end_is_given_up_in_time() {
    for seed in 0..SEEDS / 10 {
        let mut world = World::new(seed);
        world.rng = fastrand::Rng::with_seed(seed);
        world
            .lifecycle
            .handle_outcome(Outcome::Started(Ok(())), world.now);
        world.lifecycle.handle_connected();
        let lost = Outcome::LinkLost("cut".to_owned());
        world.lifecycle.handle_outcome(lost, world.now);
        let start = world.now;
        // Nothing works any more, however often the circumstances change.
        loop {
            if world.rng.u8(0..4) == 0 {
                world.lifecycle.handle_nudge(world.now);
            }
            let outcome = match world.lifecycle.step() {
                Step::Resume => {
                    world.now += Duration::from_millis(world.rng.u64(0..10_000));
                    Outcome::Resumed(Err(trouble(TroubleKind::Transient)))
                }
                Step::Wait(until) => {
                    world.now = world.now.max(until);
                    Outcome::Done
                }
                Step::Terminate => break,
                step => panic!("seed {seed}: {step:?}"),
            };
            world.lifecycle.handle_outcome(outcome, world.now);
        }
        let took = world.now - start;
        let longest = RESUME_BUDGET + RESUME_CAP + Duration::from_secs(10);
        assert!(
            (RESUME_BUDGET..longest).contains(&took),
            "seed {seed}: {took:?}"
        );
    }
}

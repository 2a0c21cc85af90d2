//! A bastion's life under whatever comes, in any order.

use super::*;

/// Two tasks that each take 300 s to come and 60 s to get an agent, and the calls in between.
const LONGEST_START: Duration = Duration::from_secs(30 * 60);

/// Whoever asks is told something in the end; how long a client waits for that, its tunnel decides.
#[test]
fn no_request_is_left_without_an_answer() {
    for seed in 0..2000 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let shared = rng.bool();
        let mut world = World::new(Settings {
            kind: [Kind::Task, Kind::Service][rng.usize(0..2)],
            shared,
            seed,
            ..settings()
        });
        for _ in 0..rng.usize(0..30) {
            random_step(&mut world, &mut rng);
        }
        world.events.clear();
        world.request();
        let asked = world.now;
        let answered = |world: &World| {
            let mut events = world.events.iter();
            events.any(|event| matches!(event, Event::Ready { .. } | Event::Failed(_)))
        };
        while !answered(&world) {
            if let Some(action) = world.lifecycle.poll_action() {
                world.now += Duration::from_millis(rng.u64(0..5_000));
                let outcome = random_outcome(&action, &mut rng);
                world.answer(outcome);
            } else {
                let at = world.lifecycle.poll_timeout();
                let at = at.unwrap_or_else(|| panic!("seed {seed}: {:?}", world.state()));
                world.now = world.now.max(at);
                world.lifecycle.handle_timeout(world.now);
                world.drain();
            }
            let waited = world.now - asked;
            assert!(waited < LONGEST_START, "seed {seed}: {:?}", world.state());
        }
    }
}

/// However calls turn out, a bastion that nobody wants comes to rest, and shutting down ends.
#[test]
fn from_every_state_there_is_a_way_back_to_rest() {
    for seed in 0..2000 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let shared = rng.bool();
        let mut world = World::new(Settings {
            kind: [Kind::Task, Kind::Service][rng.usize(0..2)],
            shared,
            seed,
            ..settings()
        });
        for _ in 0..rng.usize(1..40) {
            random_step(&mut world, &mut rng);
        }
        world.lifecycle.handle_shutdown(world.now);
        for _ in 0..200 {
            if world.lifecycle.is_finished() {
                break;
            }
            settle(&mut world);
        }
        assert!(
            world.lifecycle.is_finished(),
            "seed {seed}: {:?}",
            world.lifecycle.state()
        );
    }
}

fn random_step(world: &mut World, rng: &mut fastrand::Rng) {
    match rng.u8(0..9) {
        0 => world.request(),
        1 => world.lifecycle.handle_unleased(world.now),
        2 => world.lifecycle.handle_doubt(world.now),
        3 => world.lifecycle.handle_unreachable(world.now),
        4 if rng.bool() => world.lifecycle.handle_nudge(world.now),
        4 => world.lifecycle.handle_reset(world.now),
        _ => {
            world.now += Duration::from_millis(rng.u64(0..20_000));
            world.lifecycle.handle_timeout(world.now);
            if let Some(action) = world.lifecycle.poll_action() {
                let outcome = random_outcome(&action, rng);
                world.answer(outcome);
            }
        }
    }
}

fn random_outcome(action: &Action, rng: &mut fastrand::Rng) -> Outcome {
    let retry = rng.bool();
    let failed = rng.u8(0..4) == 0;
    let sighting = match rng.u8(0..4) {
        0 => going("a", retry.into()),
        1 => coming("a"),
        2 => up("a", Agent::Pending),
        _ => up("a", Agent::Running),
    };
    let seen = (rng.u8(0..5) > 0).then_some(sighting.clone());
    match action {
        _ if failed => failure(action, trouble(retry)),
        Action::Find => Outcome::Found(Ok(seen)),
        Action::Launch => Outcome::Launched(Ok(sighting)),
        Action::Describe(_) => Outcome::Described(Ok(seen)),
        Action::Probe(_) => Outcome::Probed(Ok(rng.bool())),
        Action::CountSessions(_) => Outcome::Counted(Ok(rng.usize(0..2))),
        Action::Stop { arn, .. } => Outcome::Stopped {
            arn: arn.clone(),
            result: Ok(()),
        },
        Action::Settle => Outcome::Settled(rng.bool()),
    }
}

fn failure(action: &Action, trouble: Trouble) -> Outcome {
    match action {
        Action::Find => Outcome::Found(Err(trouble)),
        Action::Launch => Outcome::Launched(Err(trouble)),
        Action::Describe(_) => Outcome::Described(Err(trouble)),
        Action::Probe(_) => Outcome::Probed(Err(trouble)),
        Action::CountSessions(_) => Outcome::Counted(Err(trouble)),
        Action::Stop { arn, .. } => Outcome::Stopped {
            arn: arn.clone(),
            result: Err(trouble),
        },
        Action::Settle => Outcome::Settled(false),
    }
}

/// Let calls succeed and time pass.
fn settle(world: &mut World) {
    let outcome = match world.lifecycle.poll_action() {
        Some(Action::Find) => Outcome::Found(Ok(None)),
        Some(Action::Launch) => Outcome::Launched(Ok(coming("a"))),
        Some(Action::Describe(arn)) => Outcome::Described(Ok(Some(up(&arn, Agent::Running)))),
        Some(Action::Probe(_)) => Outcome::Probed(Ok(true)),
        Some(Action::CountSessions(_)) => Outcome::Counted(Ok(0)),
        Some(Action::Stop { arn, .. }) => Outcome::Stopped {
            arn,
            result: Ok(()),
        },
        Some(Action::Settle) => Outcome::Settled(true),
        None => {
            if let Some(at) = world.lifecycle.poll_timeout() {
                world.now = world.now.max(at);
                world.lifecycle.handle_timeout(world.now);
            }
            return;
        }
    };
    world.answer(outcome);
}

//! A service's task: ECS starts, replaces and stops it; here its count is raised and lowered.

use super::*;

const SERVICE: &str = "arn:aws:ecs:r:1:service/c/s";

fn world() -> World {
    World::new(service())
}

fn service() -> Settings {
    Settings {
        kind: Kind::Service,
        ..settings()
    }
}

fn waiting() -> Sighting {
    Sighting {
        arn: SERVICE.to_owned(),
        phase: Phase::Coming("waiting for the service to start a task"),
    }
}

fn started() -> World {
    let mut world = world();
    world.request();
    world.expect(&Action::Find, Outcome::Found(Ok(None)));
    world.expect(&Action::Launch, Outcome::Launched(Ok(waiting())));
    world.expect(&describe(SERVICE), Outcome::Described(Ok(Some(waiting()))));
    world.expect(
        &describe(SERVICE),
        Outcome::Described(Ok(Some(coming("a")))),
    );
    world.expect(
        &describe("a"),
        Outcome::Described(Ok(Some(up("a", Agent::Running)))),
    );
    world.expect(&probe("a"), Outcome::Probed(Ok(true)));
    assert!(matches!(world.state(), State::Ready(_)));
    world
}

/// Drops the lease and lets the idle time pass, until the sessions are counted.
fn leave(world: &mut World, arn: &str) {
    world.lifecycle.handle_unleased(world.now);
    loop {
        match world.action() {
            Action::Describe(seen) => {
                world.answer(Outcome::Described(Ok(Some(up(&seen, Agent::Running)))));
            }
            other => return assert_eq!(other, count(arn)),
        }
    }
}

#[test]
fn its_task_is_followed_from_the_service_on_and_the_count_lowered_when_it_is_idle() {
    let mut world = started();
    leave(&mut world, "a");
    world.answer(Outcome::Counted(Ok(0)));
    world.expect_stop("a");
    assert!(matches!(world.state(), State::Stopped));
    let lowered = world.now;
    assert_eq!(world.action(), Action::Settle, "it is looked at once more");
    assert_eq!(world.now - lowered, 5 * SECOND);
    world.answer(Outcome::Settled(true));
    assert_eq!(world.lifecycle.poll_timeout(), None);
}

#[test]
fn a_task_that_is_replaced_under_nobody_leaves_a_count_that_is_settled_later() {
    let mut world = started();
    world.lifecycle.handle_unleased(world.now);
    let begun = world.now;
    world.expect(&describe("a"), Outcome::Described(Ok(Some(going("a", 1)))));
    assert!(matches!(world.state(), State::Stopped));
    assert_eq!(world.action(), Action::Settle);
    assert!(world.now - begun >= 900 * SECOND, "after the idle time");
    world.answer(Outcome::Settled(false));
    let tried = world.now;
    assert_eq!(world.action(), Action::Settle);
    assert_eq!(world.now - tried, 300 * SECOND, "and again");
    world.answer(Outcome::Settled(true));
    assert_eq!(world.lifecycle.poll_timeout(), None);
}

#[test]
fn whoever_connects_meanwhile_puts_an_end_to_settling() {
    let mut world = started();
    world.lifecycle.handle_unleased(world.now);
    world.expect(&describe("a"), Outcome::Described(Ok(Some(going("a", 1)))));
    world.request();
    world.expect(&Action::Find, Outcome::Found(Ok(Some(coming("b")))));
    world.expect(
        &describe("b"),
        Outcome::Described(Ok(Some(up("b", Agent::Running)))),
    );
    world.expect(&probe("b"), Outcome::Probed(Ok(true)));
    assert!(matches!(world.state(), State::Ready(_)));
}

#[test]
fn a_start_that_failed_stops_no_task_and_settles_the_count() {
    let mut world = world();
    world.request();
    world.expect(&Action::Find, Outcome::Found(Ok(None)));
    world.expect(&Action::Launch, Outcome::Launched(Ok(waiting())));
    world.expect(
        &describe(SERVICE),
        Outcome::Described(Ok(Some(going(SERVICE, 0)))),
    );
    assert!(matches!(world.state(), State::Cooling(..)));
    assert_eq!(world.action(), Action::Settle);
}

#[test]
fn a_task_whose_agent_never_comes_has_the_count_lowered_and_the_person_told() {
    let mut world = world();
    world.request();
    world.expect(
        &Action::Find,
        Outcome::Found(Ok(Some(up("a", Agent::Pending)))),
    );
    loop {
        match world.action() {
            Action::Probe(_) => world.answer(Outcome::Probed(Ok(false))),
            Action::Describe(arn) => {
                world.answer(Outcome::Described(Ok(Some(up(&arn, Agent::Pending)))));
            }
            other => break assert_eq!(other, count("a")),
        }
    }
    world.answer(Outcome::Counted(Ok(0)));
    world.expect_stop("a");
    assert!(matches!(world.state(), State::Cooling(..)));
    let told = world.events.iter().any(|it| matches!(it, Event::Failed(_)));
    assert!(told, "{:?}", world.events);
}

#[test]
fn a_daemon_that_ends_settles_what_is_not_settled_once() {
    let mut world = started();
    world.lifecycle.handle_unleased(world.now);
    world.expect(&describe("a"), Outcome::Described(Ok(Some(going("a", 1)))));
    world.lifecycle.handle_shutdown(world.now);
    assert!(!world.lifecycle.is_finished());
    world.expect(&Action::Settle, Outcome::Settled(false));
    assert!(world.lifecycle.is_finished());
}

#[test]
fn what_is_left_on_purpose_is_not_settled_at_the_end() {
    let mut world = World::adopting(service(), Some(SERVICE));
    world.lifecycle.leave_at_shutdown();
    world.lifecycle.handle_shutdown(world.now);
    assert!(world.lifecycle.is_finished());
    assert_eq!(world.lifecycle.poll_action(), None);
}

#[test]
fn a_count_that_was_raised_before_a_crash_is_adopted_and_lowered_when_nobody_comes() {
    let mut world = World::adopting(service(), Some(SERVICE));
    world.expect(
        &describe(SERVICE),
        Outcome::Described(Ok(Some(up("a", Agent::Running)))),
    );
    assert!(matches!(world.state(), State::Resting(..)));
    loop {
        match world.action() {
            Action::Describe(arn) => {
                world.answer(Outcome::Described(Ok(Some(up(&arn, Agent::Running)))));
            }
            other => break assert_eq!(other, count("a")),
        }
    }
    world.answer(Outcome::Counted(Ok(0)));
    world.expect_stop("a");
}

//! Tasks that have become too old, or that a person has taken down.

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn lasting_an_hour() -> World {
    World::new(Settings {
        max_age: Some(HOUR),
        ..settings()
    })
}

/// The next action is to stop this task, with this reason.
fn expect_stop_because(world: &mut World, arn: &str, words: &str) {
    let stop = world.action();
    let Action::Stop {
        arn: stopped,
        reason,
    } = &stop
    else {
        panic!("{stop:?}");
    };
    assert_eq!(stopped, arn);
    assert!(reason.contains(words), "{reason}");
    world.answer(Outcome::Stopped {
        arn: arn.to_owned(),
        result: Ok(()),
    });
}

/// In use until it is too old, and then left by everybody.
fn worn_and_unused() -> World {
    let mut world = lasting_an_hour();
    world.start("a");
    world.now += HOUR;
    assert!(matches!(world.state(), State::Ready(_)), "nobody is cut");
    world.lifecycle.handle_unleased(world.now);
    world
}

#[test]
fn a_task_that_has_become_too_old_is_stopped_as_soon_as_nobody_uses_it() {
    let mut world = worn_and_unused();
    let left = world.now;
    world.expect(&count("a"), Outcome::Counted(Ok(0)));
    assert!(world.now < left + SECOND);
    expect_stop_because(&mut world, "a", "max_lifetime");
    assert_eq!(*world.state(), State::Stopped);
}

#[test]
fn whoever_comes_next_gets_another_and_the_old_one_is_stopped_by_its_last_user() {
    let mut world = worn_and_unused();
    world.request();
    world.expect(&count("a"), Outcome::Counted(Ok(1)));
    world.expect(&Action::Find, Outcome::Found(Ok(None)));
    world.expect(&Action::Launch, Outcome::Launched(Ok(coming("b"))));

    let mut world = worn_and_unused();
    world.request();
    world.expect(&count("a"), Outcome::Counted(Ok(0)));
    expect_stop_because(&mut world, "a", "max_lifetime");
    world.expect(&Action::Find, Outcome::Found(Ok(None)));
    world.expect(&Action::Launch, Outcome::Launched(Ok(coming("b"))));
}

#[test]
fn one_that_others_still_use_is_counted_again_in_a_while_and_not_all_the_time() {
    let mut world = worn_and_unused();
    world.expect(&count("a"), Outcome::Counted(Ok(1)));
    let counted = world.now;
    let next = loop {
        match world.action() {
            Action::Describe(_) => {
                world.answer(Outcome::Described(Ok(Some(up("a", Agent::Running)))));
            }
            action => break action,
        }
    };
    assert_eq!(next, count("a"));
    assert!(world.now >= counted + 60 * SECOND);
}

#[test]
fn a_task_that_is_taken_down_does_not_rest() {
    let mut world = World::new(settings());
    world.start("a");
    world.lifecycle.handle_dismissal(world.now);
    world.lifecycle.handle_unleased(world.now);
    let left = world.now;
    world.expect(&count("a"), Outcome::Counted(Ok(0)));
    assert!(world.now < left + SECOND);
    expect_stop_because(&mut world, "a", "taken down");
}

#[test]
fn one_that_rests_already_is_stopped_when_it_is_taken_down_and_one_in_use_again_is_not() {
    let mut world = World::new(settings());
    world.start("a");
    world.lifecycle.handle_unleased(world.now);
    world.lifecycle.handle_dismissal(world.now);
    world.expect(&count("a"), Outcome::Counted(Ok(0)));
    expect_stop_because(&mut world, "a", "taken down");

    let mut world = World::new(settings());
    world.start("a");
    world.lifecycle.handle_dismissal(world.now);
    world.request();
    world.lifecycle.handle_unleased(world.now);
    assert!(
        matches!(world.state(), State::Resting(_, until) if *until == world.now + 900 * SECOND)
    );
}

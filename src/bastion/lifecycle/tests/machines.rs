//! Instances and nodes in the place of tasks.

use super::*;

fn stopped(retry: bool) -> Sighting {
    Sighting {
        arn: "i".to_owned(),
        phase: Phase::Going {
            reason: Reason::new("instance_stopped", "it is stopped"),
            retries: retry.into(),
            stopped: true,
        },
    }
}

fn coming() -> Sighting {
    Sighting {
        arn: "i".to_owned(),
        phase: Phase::Coming("on its way"),
    }
}

/// Its own start is one thing, what came before another: neither uses up the attempts of the other.
#[test]
fn an_instance_that_is_stopping_is_started_when_it_has_stopped() {
    let (mut machine, mut now) = machine(Kind::Instance);
    machine.handle_request(now);
    for round in 0..3 {
        assert_eq!(machine.poll_action(), Some(Action::Find), "round {round}");
        machine.handle_outcome(Outcome::Found(Ok(Some(coming()))), now);
        now = machine.poll_timeout().expect("a look");
        machine.handle_timeout(now);
        assert_eq!(
            machine.poll_action(),
            Some(Action::Describe("i".to_owned()))
        );
        machine.handle_outcome(Outcome::Described(Ok(Some(stopped(true)))), now);
    }
    assert_eq!(machine.poll_action(), Some(Action::Find));
    machine.handle_outcome(Outcome::Found(Ok(None)), now);
    assert_eq!(machine.poll_action(), Some(Action::Launch));
}

#[test]
fn an_instance_that_does_not_come_up_is_not_started_again() {
    let (mut machine, mut now) = machine(Kind::Instance);
    machine.handle_request(now);
    machine.poll_action();
    machine.handle_outcome(Outcome::Found(Ok(None)), now);
    machine.poll_action();
    machine.handle_outcome(Outcome::Launched(Ok(coming())), now);
    now = machine.poll_timeout().expect("a look");
    machine.handle_timeout(now);
    machine.poll_action();
    machine.handle_outcome(Outcome::Described(Ok(Some(stopped(false)))), now);
    assert!(matches!(machine.state().0, State::Cooling(..)));
    assert_eq!(machine.poll_action(), None);
}

#[test]
fn a_start_that_is_put_off_for_ever_is_given_up_after_ten_minutes() {
    let (mut machine, mut now) = machine(Kind::Instance);
    let begun = now;
    machine.handle_request(now);
    while machine.poll_action() == Some(Action::Find) {
        machine.handle_outcome(Outcome::Found(Ok(Some(coming()))), now);
        now = machine.poll_timeout().expect("a look");
        machine.handle_timeout(now);
        machine.poll_action();
        machine.handle_outcome(Outcome::Described(Ok(Some(stopped(true)))), now);
    }
    assert!(matches!(machine.state().0, State::Cooling(..)));
    let took = (now - begun).as_secs();
    assert!((600..700).contains(&took), "{took}");
}

/// Not one session is counted for it, and no stop is asked for.
#[test]
fn a_node_is_let_go_without_a_word() {
    let (mut machine, now) = machine(Kind::Node);
    machine.handle_request(now);
    machine.poll_action();
    machine.handle_outcome(Outcome::Found(Ok(Some(up("n", Agent::Running)))), now);
    assert!(matches!(
        machine.poll_action(),
        None | Some(Action::Probe(_))
    ));
    machine.handle_shutdown(now);
    let mut left = Vec::new();
    while let Some(action) = machine.poll_action() {
        left.push(action);
    }
    assert!(
        !left
            .iter()
            .any(|it| matches!(it, Action::Stop { .. } | Action::CountSessions(_))),
        "{left:?}"
    );
}

fn machine(kind: Kind) -> (Lifecycle, Instant) {
    let now = Instant::now();
    (
        Lifecycle::new(Settings { kind, ..settings() }, None, now),
        now,
    )
}

//! Rows of input → state and actions, in virtual time; and the property that from every state
//! there is a way back to rest.

use super::*;

mod machines;
mod random;
mod schedule;
mod service;
mod worn;
use crate::status::Reason;

const SECOND: Duration = Duration::from_secs(1);

fn settings() -> Settings {
    Settings {
        kind: Kind::Task,
        idle_stop: 900 * SECOND,
        shared: true,
        stop_on_shutdown: true,
        max_age: None,
        pace: 1.0,
        seed: 7,
    }
}

fn reason(code: &str) -> Reason {
    Reason::new(code, "it failed")
}

fn trouble(retry: bool) -> Trouble {
    Trouble {
        reason: reason("test"),
        retry,
        ambiguous: false,
        ripens_in: None,
    }
}

fn coming(arn: &str) -> Sighting {
    Sighting {
        arn: arn.to_owned(),
        phase: Phase::Coming("pulling image"),
    }
}

fn up(arn: &str, agent: Agent) -> Sighting {
    Sighting {
        arn: arn.to_owned(),
        phase: Phase::Up {
            targets: vec![format!("ecs:{arn}")],
            agent,
            age: Duration::ZERO,
        },
    }
}

fn going(arn: &str, retries: u8) -> Sighting {
    let phase = Phase::Going {
        reason: reason("task_stopped"),
        retries,
        stopped: true,
    };
    Sighting {
        arn: arn.to_owned(),
        phase,
    }
}

/// A machine with a clock of its own.
struct World {
    lifecycle: Lifecycle,
    now: Instant,
    events: Vec<Event>,
}

impl World {
    fn new(settings: Settings) -> Self {
        Self::adopting(settings, None)
    }

    fn adopting(settings: Settings, adopt: Option<&str>) -> Self {
        let now = Instant::now();
        let lifecycle = Lifecycle::new(settings, adopt.map(str::to_owned), now);
        Self {
            lifecycle,
            now,
            events: Vec::new(),
        }
    }

    fn request(&mut self) {
        self.lifecycle.handle_request(self.now);
        self.drain();
    }

    fn drain(&mut self) {
        self.events
            .extend(std::iter::from_fn(|| self.lifecycle.poll_event()));
    }

    /// The next action, after as much time as it takes.
    fn action(&mut self) -> Action {
        for _ in 0..10 {
            if let Some(action) = self.lifecycle.poll_action() {
                return action;
            }
            let at = self.lifecycle.poll_timeout().expect("something is planned");
            self.now = self.now.max(at);
            self.lifecycle.handle_timeout(self.now);
            self.drain();
        }
        panic!("no action in {:?}", self.lifecycle.state());
    }

    /// The next action is to stop this task, and that works.
    fn expect_stop(&mut self, arn: &str) {
        let stop = self.action();
        assert!(is_stop(&stop, arn), "{stop:?}");
        let arn = arn.to_owned();
        self.answer(Outcome::Stopped {
            arn,
            result: Ok(()),
        });
    }

    fn answer(&mut self, outcome: Outcome) {
        self.lifecycle.handle_outcome(outcome, self.now);
        self.drain();
    }

    fn expect(&mut self, action: &Action, outcome: Outcome) {
        assert_eq!(self.action(), *action);
        self.answer(outcome);
    }

    fn state(&self) -> &State {
        self.lifecycle.state().0
    }

    /// Run a task and have it ready.
    fn start(&mut self, arn: &str) {
        self.request();
        self.expect(&Action::Find, Outcome::Found(Ok(None)));
        self.expect(&Action::Launch, Outcome::Launched(Ok(coming(arn))));
        self.expect(&Action::Find, Outcome::Found(Ok(None)));
        self.expect(
            &describe(arn),
            Outcome::Described(Ok(Some(up(arn, Agent::Running)))),
        );
        self.expect(&probe(arn), Outcome::Probed(Ok(true)));
        assert!(matches!(self.state(), State::Ready(_)));
    }
}

fn describe(arn: &str) -> Action {
    Action::Describe(arn.to_owned())
}

fn probe(arn: &str) -> Action {
    Action::Probe(format!("ecs:{arn}"))
}

fn count(arn: &str) -> Action {
    Action::CountSessions(arn.to_owned())
}

fn stop(arn: &str) -> Action {
    let reason = "bastiond: its last user left".to_owned();
    Action::Stop {
        arn: arn.to_owned(),
        reason,
    }
}

fn is_stop(action: &Action, arn: &str) -> bool {
    matches!(action, Action::Stop { arn: stopped, .. } if stopped == arn)
}

#[test]
fn nothing_is_asked_of_aws_before_somebody_connects() {
    let mut world = World::new(settings());
    assert_eq!(world.lifecycle.poll_action(), None);
    assert_eq!(world.lifecycle.poll_timeout(), None);
}

#[test]
fn a_request_runs_a_task_and_waits_until_its_agent_is_connected() {
    let mut world = World::new(settings());
    world.start("a");
    let ready = Event::Ready {
        targets: vec!["ecs:a".to_owned()],
    };
    assert_eq!(world.events, [Event::Holding("a".to_owned()), ready]);
}

#[test]
fn a_task_that_runs_already_is_used() {
    let mut world = World::new(settings());
    world.request();
    world.expect(
        &Action::Find,
        Outcome::Found(Ok(Some(up("b", Agent::Running)))),
    );
    world.expect(&probe("b"), Outcome::Probed(Ok(true)));
    assert!(matches!(world.state(), State::Ready(_)));
}

#[test]
fn all_requests_share_one_start() {
    let mut world = World::new(settings());
    (0..50).for_each(|_| world.request());
    world.expect(&Action::Find, Outcome::Found(Ok(None)));
    assert_eq!(world.action(), Action::Launch);
    world.request();
    assert_eq!(world.lifecycle.poll_action(), None);
}

#[test]
fn looks_follow_the_schedule_that_one_bucket_for_a_whole_account_allows() {
    let mut world = World::new(Settings {
        shared: false,
        ..settings()
    });
    world.request();
    world.expect(&Action::Find, Outcome::Found(Ok(None)));
    world.expect(&Action::Launch, Outcome::Launched(Ok(coming("a"))));
    let launched = world.now;
    let mut looks = Vec::new();
    while world.now - launched < 150 * SECOND {
        world.expect(&describe("a"), Outcome::Described(Ok(Some(coming("a")))));
        looks.push((world.now - launched).as_secs_f64());
    }
    assert_eq!(looks[0], 5.0);
    let in_range = |from: f64, to: f64| looks.iter().filter(|at| (from..to).contains(*at)).count();
    assert_eq!(in_range(5.0, 12.0), 7);
    assert!(
        (38..=60).contains(&in_range(12.0, 45.0)),
        "{}",
        in_range(12.0, 45.0)
    );
    assert!(
        (36..=39).contains(&in_range(45.0, 120.0)),
        "{}",
        in_range(45.0, 120.0)
    );
}

#[test]
fn of_two_tasks_run_at_once_the_later_laptop_stops_its_own() {
    let mut world = World::new(settings());
    world.request();
    world.expect(&Action::Find, Outcome::Found(Ok(None)));
    world.expect(&Action::Launch, Outcome::Launched(Ok(coming("ours"))));
    world.expect(&Action::Find, Outcome::Found(Ok(Some(coming("theirs")))));
    world.expect_stop("ours");
    world.expect(
        &describe("theirs"),
        Outcome::Described(Ok(Some(up("theirs", Agent::Running)))),
    );
    world.expect(&probe("theirs"), Outcome::Probed(Ok(true)));
    assert!(world.events.contains(&Event::LetGo("ours".to_owned())));
    assert!(world.events.contains(&Event::Holding("theirs".to_owned())));
}

#[test]
fn a_task_that_ecs_does_not_know_yet_is_asked_for_again() {
    let mut world = World::new(Settings {
        shared: false,
        ..settings()
    });
    world.request();
    world.expect(&Action::Find, Outcome::Found(Ok(None)));
    world.expect(&Action::Launch, Outcome::Launched(Ok(coming("a"))));
    world.expect(&describe("a"), Outcome::Described(Ok(None)));
    world.expect(&describe("a"), Outcome::Described(Ok(Some(coming("a")))));
    assert!(matches!(world.state(), State::Coming(_)));
}

#[test]
fn a_probe_that_may_not_be_made_leaves_the_rest_to_start_session() {
    let mut world = World::new(settings());
    world.request();
    world.expect(
        &Action::Find,
        Outcome::Found(Ok(Some(up("a", Agent::Running)))),
    );
    world.expect(&probe("a"), Outcome::Probed(Err(trouble(false))));
    assert!(matches!(world.state(), State::Ready(_)));
}

#[test]
fn an_agent_that_runs_but_does_not_report_is_tried_after_fifteen_seconds() {
    let mut world = World::new(settings());
    world.request();
    let found = world.now;
    world.expect(
        &Action::Find,
        Outcome::Found(Ok(Some(up("a", Agent::Running)))),
    );
    while !matches!(world.state(), State::Ready(_)) {
        match world.action() {
            Action::Probe(_) => world.answer(Outcome::Probed(Ok(false))),
            _ => world.answer(Outcome::Described(Ok(Some(up("a", Agent::Running))))),
        }
    }
    let waited = world.now - found;
    assert!((15 * SECOND..17 * SECOND).contains(&waited), "{waited:?}");
}

#[test]
fn a_task_whose_agent_never_comes_is_stopped_and_replaced_once() {
    let mut world = World::new(Settings {
        shared: false,
        ..settings()
    });
    world.request();
    world.expect(&Action::Find, Outcome::Found(Ok(None)));
    for arn in ["first", "second"] {
        world.expect(&Action::Launch, Outcome::Launched(Ok(coming(arn))));
        let stop = loop {
            match world.action() {
                Action::Probe(_) => world.answer(Outcome::Probed(Ok(false))),
                Action::Describe(_) => {
                    world.answer(Outcome::Described(Ok(Some(up(arn, Agent::Pending)))))
                }
                other => break other,
            }
        };
        assert!(is_stop(&stop, arn), "{stop:?}");
        world.answer(Outcome::Stopped {
            arn: arn.to_owned(),
            result: Ok(()),
        });
        if arn == "first" {
            world.expect(&Action::Find, Outcome::Found(Ok(None)));
        }
    }
    assert!(matches!(world.state(), State::Cooling(..)));
    let is_told = |event: &Event| matches!(event, Event::Failed(reason) if reason.code == "target_not_connected");
    assert!(world.events.iter().any(is_told));
}

/// A shared bastion whose task was found, and whose agent never comes.
fn found_without_agent() -> World {
    let mut world = World::new(settings());
    world.request();
    let found = up("found", Agent::Pending);
    world.expect(&Action::Find, Outcome::Found(Ok(Some(found.clone()))));
    loop {
        match world.action() {
            Action::Probe(_) => world.answer(Outcome::Probed(Ok(false))),
            Action::Describe(_) => world.answer(Outcome::Described(Ok(Some(found.clone())))),
            Action::CountSessions(_) => return world,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_found_task_whose_agent_never_comes_is_stopped_if_nobody_has_a_session_and_replaced() {
    let mut world = found_without_agent();
    world.answer(Outcome::Counted(Ok(0)));
    world.expect_stop("found");
    world.expect(&Action::Find, Outcome::Found(Ok(None)));
    world.expect(&Action::Launch, Outcome::Launched(Ok(coming("new"))));
}

#[test]
fn one_that_may_not_be_stopped_is_passed_over() {
    let mut world = found_without_agent();
    world.answer(Outcome::Counted(Err(trouble(false))));
    let found = up("found", Agent::Pending);
    world.expect(&Action::Find, Outcome::Found(Ok(Some(found.clone()))));
    world.expect(&Action::Launch, Outcome::Launched(Ok(coming("new"))));
    // Whoever runs a task looks for twins: that is none.
    while world.action() != Action::Find {
        world.answer(Outcome::Described(Ok(Some(coming("new")))));
    }
    world.answer(Outcome::Found(Ok(Some(found))));
    assert!(matches!(world.state(), State::Coming(coming) if coming.arn == "new"));
}

#[test]
fn a_task_that_stops_while_starting_is_replaced_as_often_as_that_may_help() {
    for (retries, launches) in [(2, 3), (1, 2), (0, 1)] {
        let mut world = World::new(Settings {
            shared: false,
            ..settings()
        });
        world.request();
        let mut launched = 0;
        while !matches!(world.state(), State::Cooling(..)) {
            match world.action() {
                Action::Find => world.answer(Outcome::Found(Ok(None))),
                Action::Launch => {
                    launched += 1;
                    world.answer(Outcome::Launched(Ok(coming("a"))));
                }
                _ => world.answer(Outcome::Described(Ok(Some(going("a", retries))))),
            }
        }
        assert_eq!(launched, launches);
    }
}

/// A task is to be run, and what keeps it from that for five seconds.
fn too_early() -> (World, Trouble) {
    let mut world = World::new(settings());
    world.request();
    world.expect(&Action::Find, Outcome::Found(Ok(None)));
    let early = Trouble {
        ripens_in: Some(Duration::from_secs(5)),
        ..trouble(true)
    };
    (world, early)
}

#[test]
fn a_launch_that_comes_too_early_is_tried_three_times_again_while_those_who_wait_are_held() {
    let (mut world, early) = too_early();
    let began = world.now;
    for _ in 0..4 {
        world.expect(&Action::Launch, Outcome::Launched(Err(early.clone())));
    }
    assert_eq!(world.now - began, Duration::from_secs(15));
    assert!(matches!(world.state(), State::Cooling(..)));
}

#[test]
fn a_launch_that_waits_to_be_tried_again_does_not_keep_the_daemon() {
    let (mut world, early) = too_early();
    world.expect(&Action::Launch, Outcome::Launched(Err(early)));
    world.lifecycle.handle_shutdown(world.now);
    assert!(world.lifecycle.is_finished());
}

#[test]
fn during_the_cool_down_requests_get_the_same_answer_without_a_call() {
    let mut world = World::new(settings());
    let mut pauses = Vec::new();
    for _ in 0..9 {
        world.request();
        world.expect(&Action::Find, Outcome::Found(Err(trouble(false))));
        let State::Cooling(until, _) = *world.state() else {
            panic!("not cooling")
        };
        pauses.push((until - world.now).as_secs());
        world.events.clear();
        world.request();
        assert_eq!(world.events, [Event::Failed(reason("test"))]);
        assert_eq!(world.lifecycle.poll_action(), None);
        world.now = until;
    }
    assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
}

#[test]
fn signing_in_is_noticed_within_seconds_however_often_it_failed() {
    let mut world = World::new(settings());
    for _ in 0..9 {
        world.request();
        let login = Trouble {
            reason: reason("credentials_expired").for_login(true),
            retry: false,
            ambiguous: false,
            ripens_in: None,
        };
        world.expect(&Action::Find, Outcome::Found(Err(login)));
        let State::Cooling(until, _) = *world.state() else {
            panic!("not cooling")
        };
        assert_eq!(until - world.now, 5 * SECOND);
        world.now = until;
    }
}

#[test]
fn a_reset_forgets_the_cool_down() {
    let mut world = World::new(settings());
    world.request();
    world.expect(&Action::Find, Outcome::Found(Err(trouble(false))));
    world.lifecycle.handle_reset(world.now);
    world.request();
    assert_eq!(world.action(), Action::Find);
}

#[test]
fn an_unused_task_is_stopped_after_its_idle_time_if_nobody_else_has_a_session() {
    let mut world = World::new(settings());
    world.start("a");
    world.lifecycle.handle_unleased(world.now);
    let rested = world.now;
    let last = loop {
        match world.action() {
            Action::Describe(_) => {
                world.answer(Outcome::Described(Ok(Some(up("a", Agent::Running)))))
            }
            other => break other,
        }
    };
    assert_eq!(last, count("a"));
    assert_eq!(world.now - rested, 900 * SECOND);
    world.answer(Outcome::Counted(Ok(0)));
    world.expect_stop("a");
    assert_eq!(*world.state(), State::Stopped);
    assert_eq!(world.events.last(), Some(&Event::LetGo("a".to_owned())));
}

#[test]
fn a_shared_task_is_not_stopped_under_others_nor_when_they_cannot_be_counted() {
    for counted in [Ok(2), Err(trouble(false))] {
        let mut world = World::new(settings());
        world.start("a");
        world.lifecycle.handle_unleased(world.now);
        while world.action() != count("a") {
            world.answer(Outcome::Described(Ok(Some(up("a", Agent::Running)))));
        }
        let seen = counted.is_ok();
        world.answer(Outcome::Counted(counted));
        assert_eq!(matches!(world.state(), State::Resting(..)), seen);
        assert_eq!(world.lifecycle.poll_action(), None);
    }
}

#[test]
fn a_request_while_sessions_are_counted_keeps_the_task() {
    let mut world = World::new(settings());
    world.start("a");
    world.lifecycle.handle_unleased(world.now);
    while world.action() != count("a") {
        world.answer(Outcome::Described(Ok(Some(up("a", Agent::Running)))));
    }
    world.request();
    world.answer(Outcome::Counted(Ok(0)));
    assert!(matches!(world.state(), State::Ready(_)));
    assert_eq!(world.lifecycle.poll_action(), None);
}

#[test]
fn a_task_that_goes_away_under_its_users_is_reported_and_the_next_request_starts_another() {
    let mut world = World::new(settings());
    world.start("a");
    world.expect(&describe("a"), Outcome::Described(Ok(Some(going("a", 1)))));
    let gone = Event::Going {
        arn: "a".to_owned(),
        reason: reason("task_stopped"),
        stopped: true,
    };
    assert_eq!(world.events.last(), Some(&gone));
    world.request();
    assert_eq!(world.action(), Action::Find);
}

#[test]
fn a_doubted_task_is_looked_at_before_it_is_given_to_anybody_else() {
    let mut world = World::new(settings());
    world.start("a");
    world.lifecycle.handle_doubt(world.now);
    world.events.clear();
    world.request();
    assert!(world.events.is_empty());
    world.expect(&describe("a"), Outcome::Described(Ok(Some(going("a", 1)))));
    assert_eq!(world.action(), Action::Find);
}

#[test]
fn a_doubted_task_that_is_well_stays() {
    let mut world = World::new(settings());
    world.start("a");
    world.lifecycle.handle_doubt(world.now);
    world.request();
    world.expect(
        &describe("a"),
        Outcome::Described(Ok(Some(up("a", Agent::Running)))),
    );
    world.events.clear();
    world.expect(&probe("a"), Outcome::Probed(Ok(true)));
    assert_eq!(
        world.events,
        [Event::Ready {
            targets: vec!["ecs:a".to_owned()]
        }]
    );
}

#[test]
fn a_task_of_an_earlier_run_is_adopted_rested_and_stopped() {
    let mut world = World::adopting(settings(), Some("old"));
    world.expect(
        &describe("old"),
        Outcome::Described(Ok(Some(up("old", Agent::Running)))),
    );
    assert!(matches!(world.state(), State::Resting(..)));
    while world.action() != count("old") {
        world.answer(Outcome::Described(Ok(Some(up("old", Agent::Running)))));
    }
    world.answer(Outcome::Counted(Ok(0)));
    assert!(is_stop(&world.action(), "old"));
}

#[test]
fn a_task_of_an_earlier_run_that_has_ended_is_forgotten() {
    let mut world = World::adopting(settings(), Some("old"));
    world.expect(
        &describe("old"),
        Outcome::Described(Ok(Some(going("old", 1)))),
    );
    assert_eq!(world.events, [Event::LetGo("old".to_owned())]);
    assert_eq!(*world.state(), State::Stopped);
}

#[test]
fn shutting_down_during_a_launch_stops_what_was_launched() {
    let mut world = World::new(settings());
    world.request();
    world.expect(&Action::Find, Outcome::Found(Ok(None)));
    assert_eq!(world.action(), Action::Launch);
    world.lifecycle.handle_shutdown(world.now);
    assert!(!world.lifecycle.is_finished());
    world.answer(Outcome::Launched(Ok(coming("a"))));
    world.expect_stop("a");
    assert!(world.lifecycle.is_finished());
}

#[test]
fn shutting_down_waits_briefly_for_own_sessions_and_leaves_the_task_to_others() {
    let mut world = World::new(settings());
    world.start("a");
    let since = world.now;
    world.lifecycle.handle_shutdown(world.now);
    while !world.lifecycle.is_finished() {
        world.expect(&count("a"), Outcome::Counted(Ok(1)));
    }
    assert!((2 * SECOND..3 * SECOND).contains(&(world.now - since)));
    assert!(
        !world.events.contains(&Event::LetGo("a".to_owned())),
        "the next start looks after it"
    );
}

#[test]
fn a_task_that_another_laptop_may_share_is_looked_at_before_a_shutdown_stops_it() {
    for (phase, next) in [
        (up("a", Agent::Running), count("a")),
        (coming("a"), stop("a")),
    ] {
        let mut world = World::new(settings());
        world.request();
        world.expect(&Action::Find, Outcome::Found(Ok(None)));
        world.expect(&Action::Launch, Outcome::Launched(Ok(coming("a"))));
        world.lifecycle.handle_shutdown(world.now);
        world.expect(&describe("a"), Outcome::Described(Ok(Some(phase))));
        assert_eq!(world.action(), next);
    }
}

#[test]
fn a_task_of_an_earlier_run_is_not_stopped_unseen() {
    let mut world = World::adopting(settings(), Some("old"));
    world.lifecycle.handle_shutdown(world.now);
    assert!(world.lifecycle.is_finished());
    world.drain();
    assert!(world.events.is_empty());
}

#[test]
fn a_service_that_never_says_connected_is_not_believed_when_it_says_not_connected() {
    let mut world = World::new(settings());
    world.request();
    world.expect(
        &Action::Find,
        Outcome::Found(Ok(Some(up("a", Agent::Running)))),
    );
    world.expect(&probe("a"), Outcome::Probed(Err(trouble(false))));
    world.lifecycle.handle_doubt(world.now);
    world.expect(
        &describe("a"),
        Outcome::Described(Ok(Some(up("a", Agent::Running)))),
    );
    world.expect(&probe("a"), Outcome::Probed(Ok(false)));
    assert!(matches!(world.state(), State::Ready(_)));
}

#[test]
fn a_task_whose_agent_was_lost_is_waited_for_and_never_stopped_under_others() {
    for others in [0, 1] {
        let mut world = World::new(settings());
        world.start("a");
        world.now += 3600 * SECOND;
        world.lifecycle.handle_doubt(world.now);
        let doubted = world.now;
        world.expect(
            &describe("a"),
            Outcome::Described(Ok(Some(up("a", Agent::Running)))),
        );
        world.expect(&probe("a"), Outcome::Probed(Ok(false)));
        world.request();
        let mut last = world.action();
        while last != count("a") {
            world.answer(match last {
                Action::Probe(_) => Outcome::Probed(Err(trouble(true))),
                _ => Outcome::Described(Ok(Some(up("a", Agent::Pending)))),
            });
            last = world.action();
        }
        assert!(world.now - doubted >= Kind::Task.agent_deadline());
        world.answer(Outcome::Counted(Ok(others)));
        match others {
            0 => world.expect_stop("a"),
            _ => assert!(matches!(world.state(), State::Cooling(..))),
        }
    }
}

#[test]
fn being_offline_at_the_idle_time_does_not_forget_the_task() {
    let mut world = World::new(settings());
    world.start("a");
    world.lifecycle.handle_unleased(world.now);
    for _ in 0..3 {
        while world.action() != count("a") {
            world.answer(Outcome::Described(Err(trouble(true))));
        }
        world.answer(Outcome::Counted(Err(trouble(true))));
    }
    while world.action() != count("a") {
        world.answer(Outcome::Described(Ok(Some(up("a", Agent::Running)))));
    }
    world.answer(Outcome::Counted(Ok(0)));
    world.expect_stop("a");
}

#[test]
fn a_stop_that_fails_is_tried_until_it_works() {
    let mut world = World::new(settings());
    world.request();
    world.expect(&Action::Find, Outcome::Found(Ok(None)));
    world.expect(&Action::Launch, Outcome::Launched(Ok(coming("ours"))));
    world.expect(
        &Action::Find,
        Outcome::Found(Ok(Some(up("theirs", Agent::Running)))),
    );
    let mut failures = 0;
    loop {
        match world.action() {
            Action::Stop { arn, .. } if failures < 2 => {
                failures += 1;
                world.answer(Outcome::Stopped {
                    arn,
                    result: Err(trouble(true)),
                });
                assert!(!world.events.contains(&Event::LetGo("ours".to_owned())));
            }
            Action::Stop { arn, .. } => {
                world.answer(Outcome::Stopped {
                    arn,
                    result: Ok(()),
                });
                break;
            }
            Action::Probe(_) => world.answer(Outcome::Probed(Ok(true))),
            _ => world.answer(Outcome::Described(Ok(Some(up("theirs", Agent::Running))))),
        }
    }
    assert!(world.events.contains(&Event::LetGo("ours".to_owned())));
    assert!(matches!(world.state(), State::Ready(_)));
}

#[test]
fn a_task_that_can_be_no_bastion_is_stopped_and_not_run_again() {
    let mut world = World::new(Settings {
        shared: false,
        ..settings()
    });
    world.request();
    world.expect(&Action::Find, Outcome::Found(Ok(None)));
    world.expect(&Action::Launch, Outcome::Launched(Ok(coming("a"))));
    let unusable = Sighting {
        arn: "a".to_owned(),
        phase: Phase::Unusable(reason("no_target")),
    };
    world.expect(&describe("a"), Outcome::Described(Ok(Some(unusable))));
    world.expect_stop("a");
    assert!(matches!(world.state(), State::Cooling(..)));
}

#[test]
fn signing_out_during_a_start_is_told_and_the_task_looked_after_all_the_same() {
    let mut world = World::new(Settings {
        shared: false,
        ..settings()
    });
    world.request();
    world.expect(&Action::Find, Outcome::Found(Ok(None)));
    world.expect(&Action::Launch, Outcome::Launched(Ok(coming("a"))));
    world.expect(&describe("a"), Outcome::Described(Err(trouble(false))));
    assert_eq!(world.events.last(), Some(&Event::Failed(reason("test"))));
    world.expect(
        &describe("a"),
        Outcome::Described(Ok(Some(up("a", Agent::Running)))),
    );
    assert!(matches!(world.state(), State::Resting(..)));
}

#[test]
fn a_policy_to_leave_the_task_is_obeyed_and_remembered() {
    let mut world = World::new(Settings {
        stop_on_shutdown: false,
        ..settings()
    });
    world.start("a");
    world.lifecycle.handle_shutdown(world.now);
    world.drain();
    assert!(world.lifecycle.is_finished());
    assert!(!world.events.contains(&Event::LetGo("a".to_owned())));
}

#[test]
fn a_task_is_left_to_the_daemon_that_comes_after() {
    let mut world = World::new(settings());
    world.start("a");
    world.lifecycle.leave_at_shutdown();
    world.lifecycle.handle_shutdown(world.now);
    world.drain();
    assert!(world.lifecycle.is_finished());
    assert!(!world.events.contains(&Event::LetGo("a".to_owned())));
}

use super::*;

mod random;

fn trouble(kind: TroubleKind) -> Trouble {
    Trouble {
        reason: Reason::new("test", "it failed"),
        kind,
    }
}

/// A session over its first link.
fn linked(now: Instant) -> Lifecycle {
    let mut lifecycle = Lifecycle::new(1, now);
    lifecycle.handle_outcome(Outcome::Started(Ok(())), now);
    assert_eq!(lifecycle.step(), Step::Link);
    lifecycle.handle_connected();
    lifecycle
}

/// Report `outcome` and go through the pause that follows, which is returned.
fn after(lifecycle: &mut Lifecycle, outcome: Outcome, now: &mut Instant) -> Option<Duration> {
    lifecycle.handle_outcome(outcome, *now);
    let Step::Wait(until) = lifecycle.step() else {
        return None;
    };
    let pause = until - *now;
    *now = until;
    lifecycle.handle_outcome(Outcome::Done, *now);
    Some(pause)
}

#[test]
fn a_target_that_is_not_connected_is_tried_six_times() {
    let mut now = Instant::now();
    let mut lifecycle = Lifecycle::new(1, now);
    let mut pauses = Vec::new();
    let outcome = || Outcome::Started(Err(trouble(TroubleKind::NotConnected)));
    while let Some(pause) = after(&mut lifecycle, outcome(), &mut now) {
        pauses.push(pause.as_millis());
        assert_eq!(lifecycle.step(), Step::Start);
    }
    assert_eq!(pauses, [700, 1000, 1500, 2000, 3000]);
    assert_eq!(lifecycle.step(), Step::End);
    assert!(lifecycle.is_unreachable());
    assert_eq!(lifecycle.reason().map(|r| r.code.as_str()), Some("test"));
}

#[test]
fn a_refused_start_is_not_repeated() {
    let now = Instant::now();
    for kind in [TroubleKind::Final, TroubleKind::Login] {
        let mut lifecycle = Lifecycle::new(1, now);
        lifecycle.handle_outcome(Outcome::Started(Err(trouble(kind))), now);
        assert_eq!(lifecycle.step(), Step::End);
        assert!(!lifecycle.is_unreachable());
    }
}

#[test]
fn a_lost_link_is_resumed_at_once_and_linked_again() {
    let now = Instant::now();
    let mut lifecycle = linked(now);
    let hour = now + Duration::from_secs(3600);
    lifecycle.handle_outcome(Outcome::LinkLost("closed with code 1000".into()), hour);
    assert_eq!(lifecycle.step(), Step::Resume);
    lifecycle.handle_outcome(Outcome::Resumed(Ok(true)), hour);
    assert_eq!(lifecycle.step(), Step::Link);
}

#[test]
fn resuming_is_tried_for_twenty_minutes_with_pauses_of_at_most_ten_seconds() {
    let mut now = Instant::now();
    let mut lifecycle = linked(now);
    now += Duration::from_secs(60);
    let lost_at = now;
    lifecycle.handle_outcome(Outcome::LinkLost("reset".into()), now);
    let outcome = || Outcome::Resumed(Err(trouble(TroubleKind::Transient)));
    while let Some(pause) = after(&mut lifecycle, outcome(), &mut now) {
        assert!(pause <= RESUME_CAP, "{pause:?}");
        assert_eq!(lifecycle.step(), Step::Resume);
        assert!(now - lost_at < RESUME_BUDGET + RESUME_CAP);
    }
    assert!(now - lost_at >= RESUME_BUDGET);
    assert_eq!(lifecycle.step(), Step::Terminate);
}

#[test]
fn a_nudge_ends_the_pause_but_neither_the_budget_nor_the_least_time_between_attempts() {
    let mut now = Instant::now();
    let mut lifecycle = linked(now);
    now += Duration::from_secs(60);
    let lost_at = now;
    let failed = || Outcome::Resumed(Err(trouble(TroubleKind::Transient)));
    lifecycle.handle_outcome(Outcome::LinkLost("no route".into()), now);
    while lifecycle.step() != Step::Terminate {
        lifecycle.handle_outcome(failed(), now);
        let Step::Wait(until) = lifecycle.step() else {
            continue;
        };
        lifecycle.handle_nudge(now);
        let sooner = until.min(now + NUDGED_PAUSE);
        assert_eq!(lifecycle.step(), Step::Wait(sooner));
        now = sooner.max(now + NUDGED_PAUSE);
        lifecycle.handle_nudge(now);
        assert_eq!(lifecycle.step(), Step::Resume);
    }
    let tried = now - lost_at;
    assert!(tried >= RESUME_BUDGET && tried < RESUME_BUDGET + RESUME_CAP);
}

#[test]
fn a_nudge_hurries_no_start_and_disturbs_no_step_under_way() {
    let now = Instant::now();
    let mut lifecycle = Lifecycle::new(1, now);
    lifecycle.handle_nudge(now);
    assert_eq!(lifecycle.step(), Step::Start);
    let throttled = Outcome::Started(Err(trouble(TroubleKind::Throttled)));
    lifecycle.handle_outcome(throttled, now);
    let pause = lifecycle.step();
    assert!(matches!(pause, Step::Wait(_)));
    lifecycle.handle_nudge(now + Duration::from_secs(1));
    assert_eq!(lifecycle.step(), pause);
}

#[test]
fn an_attempt_that_was_interrupted_is_made_again_at_once_within_the_budget() {
    let start = Instant::now();
    let mut lifecycle = linked(start);
    let lost_at = start + Duration::from_secs(60);
    lifecycle.handle_outcome(Outcome::LinkLost("no route".into()), lost_at);
    lifecycle.handle_outcome(Outcome::Interrupted, lost_at);
    assert_eq!(lifecycle.step(), Step::Resume);
    let late = lost_at + RESUME_BUDGET;
    lifecycle.handle_outcome(Outcome::Resumed(Err(trouble(TroubleKind::Transient))), late);
    assert_eq!(lifecycle.step(), Step::Terminate);
    let mut ending = linked(start);
    ending.handle_end();
    ending.handle_outcome(Outcome::Interrupted, start);
    assert_eq!(ending.step(), Step::Terminate);
}

#[test]
fn links_that_die_young_do_not_make_a_busy_loop() {
    let mut now = Instant::now();
    let mut lifecycle = linked(now);
    let mut pauses = Duration::ZERO;
    for _ in 0..20 {
        pauses +=
            after(&mut lifecycle, Outcome::LinkLost("reset".into()), &mut now).unwrap_or_default();
        assert_eq!(lifecycle.step(), Step::Resume);
        lifecycle.handle_outcome(Outcome::Resumed(Ok(true)), now);
    }
    assert!(pauses > Duration::from_secs(30), "{pauses:?}");
}

#[test]
fn a_missing_sign_in_keeps_the_session() {
    let mut now = Instant::now();
    let mut lifecycle = linked(now);
    now += Duration::from_secs(60);
    lifecycle.handle_outcome(Outcome::LinkLost("reset".into()), now);
    assert!(
        after(
            &mut lifecycle,
            Outcome::Resumed(Err(trouble(TroubleKind::Login))),
            &mut now
        )
        .is_some()
    );
    lifecycle.handle_outcome(Outcome::Resumed(Ok(true)), now);
    assert_eq!(lifecycle.step(), Step::Link);
}

#[test]
fn what_aws_has_ended_is_neither_resumed_nor_terminated() {
    let now = Instant::now();
    let reason = || Reason::new("session_closed", "bye");
    for outcome in [Outcome::Closed(reason()), Outcome::Resumed(Ok(false))] {
        let mut lifecycle = linked(now);
        lifecycle.handle_outcome(outcome, now);
        assert_eq!(lifecycle.step(), Step::End);
        assert!(lifecycle.reason().is_some());
    }
}

#[test]
fn a_session_that_cannot_go_on_is_terminated_once() {
    let now = Instant::now();
    let mut lifecycle = linked(now);
    lifecycle.handle_outcome(Outcome::Failed(Reason::new("mux", "bad version")), now);
    assert_eq!(lifecycle.step(), Step::Terminate);
    lifecycle.handle_outcome(Outcome::Done, now);
    assert_eq!(lifecycle.step(), Step::End);
}

#[test]
fn an_unacknowledged_end_is_repeated_by_the_api() {
    let now = Instant::now();
    for (acked, next) in [(true, Step::End), (false, Step::Terminate)] {
        let mut lifecycle = linked(now);
        lifecycle.handle_end();
        assert_eq!(lifecycle.step(), Step::Link, "the link ends it by itself");
        lifecycle.handle_outcome(Outcome::Terminated(acked), now);
        assert_eq!(lifecycle.step(), next);
        assert!(lifecycle.reason().is_none());
    }
}

#[test]
fn an_end_during_a_start_undoes_it() {
    let now = Instant::now();
    let mut lifecycle = Lifecycle::new(1, now);
    lifecycle.handle_end();
    assert_eq!(lifecycle.step(), Step::Start, "the call is under way");
    lifecycle.handle_outcome(Outcome::Started(Ok(())), now);
    assert_eq!(lifecycle.step(), Step::Terminate);
}

#[test]
fn an_end_during_a_pause_is_obeyed_at_once() {
    let now = Instant::now();
    let mut lifecycle = linked(now);
    lifecycle.handle_outcome(Outcome::LinkLost("reset".into()), now + GOOD_LINK);
    lifecycle.handle_outcome(
        Outcome::Resumed(Err(trouble(TroubleKind::Transient))),
        now + GOOD_LINK,
    );
    assert!(matches!(lifecycle.step(), Step::Wait(_)));
    lifecycle.handle_end();
    assert_eq!(lifecycle.step(), Step::Terminate);
}

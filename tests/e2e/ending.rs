//! Letting go: sessions after their linger, the task after its rest, everything at shutdown; and what a daemon that
//! could not let go leaves to the next.

use std::time::Duration;

use bastiond::sim::{ApiFault, End, Faults, World, Zombie};
use bastiond::status::{BastionState, TunnelState};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use crate::support::{
    Daemon, House, Terms, assert_reset, aws_call, hang_up, pass, ping, receive, send, skip,
    state_text, until, within,
};

const START_SESSION: &str = "AmazonSSM.StartSession";

/// Lets a session go at once.
fn brief() -> Terms {
    Terms {
        tunnel: "session_linger = \"1s\"",
        bastion: "idle_stop = \"1s\"",
        ..Terms::default()
    }
}

#[tokio::test]
async fn a_session_is_ended_by_its_flag_some_time_after_its_last_connection() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    hang_up(daemon.served().await);
    let status = daemon
        .until("the end is in sight", |status| {
            status.tunnels[0].ends_in_seconds.is_some()
        })
        .await;
    assert!((110..=120).contains(&status.tunnels[0].ends_in_seconds.expect("it is")));
    pass(Duration::from_secs(60)).await;
    hang_up(daemon.served().await);
    daemon
        .until("it is idle again", |status| {
            status.tunnels[0].ends_in_seconds.is_some()
        })
        .await;
    pass(Duration::from_secs(115)).await;
    assert_eq!(house.world().active_sessions().len(), 1);
    pass(Duration::from_secs(10)).await;
    no_session_is_left(house.world()).await;
    let session = house.world().sessions().remove(0);
    assert_eq!(session.ended.map(|(_, why)| why), Some(End::Flag));
    assert_eq!(session.terminate_flags, 1);
    assert_eq!(house.world().count("TerminateSession"), 0);
    daemon.is(TunnelState::Idle).await;
    assert!(daemon.status().await.healthy);
    house.close(daemon).await;
}

#[tokio::test]
async fn an_acknowledged_flag_is_enough_whatever_the_agent_does_then() {
    let house = House::new().await;
    house.world().set_faults(Faults {
        ignore_terminate: true,
        ..Faults::default()
    });
    let daemon = house.daemon(&brief()).await;
    hang_up(daemon.served().await);
    until(house.world(), "the flag", |world| {
        world.sessions()[0].terminate_flags == 1
    })
    .await;
    daemon.is(TunnelState::Idle).await;
    assert_eq!(house.world().count("TerminateSession"), 0);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_flag_that_is_not_acknowledged_is_followed_by_the_call() {
    let house = House::new().await;
    let daemon = house.daemon(&brief()).await;
    hang_up(daemon.served().await);
    house.world().set_faults(Faults {
        zombie: Zombie::Mute,
        ..Faults::default()
    });
    until(house.world(), "the call", |world| {
        world.count("TerminateSession") == 1
    })
    .await;
    house.close(daemon).await;
}

#[tokio::test]
async fn an_unused_task_is_stopped_after_its_rest() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    hang_up(daemon.served().await);
    daemon.is(TunnelState::Ready).await;
    skip(Duration::from_secs(121)).await;
    let status = daemon
        .until("it rests", |status| {
            status.bastions[0].state == BastionState::Resting
        })
        .await;
    let left = status.bastions[0].stops_in_seconds.expect("a rest ends");
    assert!((880..=900).contains(&left), "{left}");
    assert_eq!(house.world().count("StopTask"), 0);
    skip(Duration::from_secs(900)).await;
    until(house.world(), "the task stops", |world| {
        world.count("StopTask") == 1
    })
    .await;
    let stop = house.world().calls("StopTask").remove(0);
    let reason = stop.body["reason"].as_str().expect("a reason");
    let (why, who) = reason.split_once(", by ").expect("by whom");
    assert_eq!(why, "bastiond: unused for 15m");
    assert!(who.contains(" on ") && reason.len() <= 255, "{reason}");
    let status = daemon
        .until("it is stopped", |status| {
            status.bastions[0].state == BastionState::Stopped
        })
        .await;
    assert!(status.healthy, "{:?}", status.problems);
    // The next connection begins from the start.
    daemon.served().await;
    assert_eq!(house.world().count("RunTask"), 2);
    house.close(daemon).await;
}

#[tokio::test]
async fn what_is_taken_down_is_stopped_at_once_unless_somebody_else_uses_it() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    hang_up(daemon.served().await);
    let theirs = other_session(&house).await;
    daemon.client.down("app-db").await.expect("it is down");
    until(house.world(), "the sessions are counted twice", |world| {
        world.count("DescribeSessions") > 1
    })
    .await;
    assert_eq!(house.world().count("StopTask"), 0);
    let body = json!({"SessionId": theirs});
    aws_call(&house, "AmazonSSM.TerminateSession", "ssm", &body).await;
    skip(Duration::from_secs(300)).await;
    until(house.world(), "the task stops", |world| {
        world.count("StopTask") == 1
    })
    .await;
    let stop = house.world().calls("StopTask").remove(0);
    let reason = stop.body["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("bastiond: taken down, by "), "{reason}");
    drop(daemon.served().await);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_task_with_somebody_elses_session_is_not_stopped_until_that_ends() {
    let house = House::new().await;
    let daemon = house.daemon(&brief()).await;
    let client = daemon.served().await;
    let theirs = other_session(&house).await;
    hang_up(client);
    until(house.world(), "the sessions are counted", |world| {
        world.count("DescribeSessions") > 0
    })
    .await;
    daemon
        .until("it rests again", |status| {
            status.bastions[0].state == BastionState::Resting
        })
        .await;
    assert_eq!(house.world().count("StopTask"), 0);
    let body = json!({"SessionId": theirs});
    aws_call(&house, "AmazonSSM.TerminateSession", "ssm", &body).await;
    skip(Duration::from_secs(301)).await;
    until(house.world(), "the task stops", |world| {
        world.count("StopTask") == 1
    })
    .await;
    house.close(daemon).await;
}

#[tokio::test]
async fn a_connection_in_the_rest_needs_no_new_task() {
    let house = House::new().await;
    let terms = Terms {
        bastion: "idle_stop = \"10m\"",
        ..brief()
    };
    let daemon = house.daemon(&terms).await;
    hang_up(daemon.served().await);
    daemon
        .until("it rests", |status| {
            status.bastions[0].state == BastionState::Resting
        })
        .await;
    daemon.served().await;
    let count = |operation| house.world().count(operation);
    assert_eq!((count("RunTask"), count("StartSession")), (1, 2));
    house.close(daemon).await;
}

#[tokio::test]
async fn shutdown_ends_sessions_stops_the_task_and_removes_the_socket() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let address = daemon.address().await;
    let mut client = daemon.served().await;
    daemon.signal();
    // It is given a second, since it does not end by itself.
    assert_reset(&mut client).await;
    daemon.ended().await.expect("a clean end");
    let session = house.world().sessions().remove(0);
    assert_eq!(session.terminate_flags, 1);
    assert_eq!(house.world().count("TerminateSession"), 0);
    assert_eq!(house.world().count("StopTask"), 1);
    assert!(!house.paths().socket.exists());
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    let state: serde_json::Value = serde_json::from_str(&state_text(&house)).expect("a state file");
    let nothing = serde_json::json!([]);
    assert_eq!((&state["tasks"], &state["sessions"]), (&nothing, &nothing));
    house.sweep().await;
}

#[tokio::test]
async fn a_connection_that_ends_by_itself_is_not_cut_by_a_shutdown() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    daemon.signal();
    send(&mut client, b"last words").await;
    assert_eq!(receive(&mut client, 10).await, b"last words");
    client.shutdown().await.expect("half is closed");
    drop(client);
    daemon.ended().await.expect("a clean end");
    house.sweep().await;
}

#[tokio::test]
async fn ctl_shuts_down_too() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    hang_up(daemon.served().await);
    daemon.client.shutdown().await.expect("it is heard");
    daemon.ended().await.expect("a clean end");
    assert_eq!(house.world().count("StopTask"), 1);
    house.sweep().await;
}

#[tokio::test]
async fn a_task_is_left_at_shutdown_if_so_configured_and_adopted_then() {
    let house = House::new().await;
    let terms = Terms {
        bastion: "on_shutdown = \"leave\"",
        ..Terms::default()
    };
    let daemon = house.daemon(&terms).await;
    hang_up(daemon.served().await);
    daemon.stop().await;
    assert_eq!(house.world().count("StopTask"), 0);
    let daemon = house.daemon(&terms).await;
    daemon
        .until("it is looked after", |status| {
            status.bastions[0].state == BastionState::Resting
        })
        .await;
    daemon.served().await;
    assert_eq!(house.world().count("RunTask"), 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn shutdown_leaves_a_task_that_somebody_else_uses() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    hang_up(daemon.served().await);
    other_session(&house).await;
    daemon.stop().await;
    assert_eq!(house.world().count("StopTask"), 0);
    house.sweep().await;
}

#[tokio::test]
async fn a_task_that_was_being_run_at_shutdown_is_stopped() {
    let house = House::new().await;
    house
        .world()
        .fail_next("RunTask", 1, ApiFault::Delay(Duration::from_millis(300)));
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.connect().await;
    until(house.world(), "the call is made", |world| {
        world.count("RunTask") == 1
    })
    .await;
    daemon.stop_under(&mut client).await;
    assert_eq!(house.world().count("StopTask"), 1);
    house.sweep().await;
}

#[tokio::test]
async fn a_session_that_was_being_started_at_shutdown_is_terminated() {
    let house = House::new().await;
    house.world().fail_next(
        "StartSession",
        1,
        ApiFault::Delay(Duration::from_millis(300)),
    );
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.connect().await;
    until(house.world(), "the call is made", |world| {
        world.count("StartSession") == 1
    })
    .await;
    daemon.stop_under(&mut client).await;
    assert_eq!(house.world().sessions().len(), 1);
    assert!(house.world().active_sessions().is_empty());
    assert_eq!(house.world().count("StopTask"), 1);
    house.sweep().await;
}

#[tokio::test]
async fn shutdown_does_not_wait_for_a_session_that_cannot_be_resumed() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    house.world().fail_always("ResumeSession", ApiFault::Hang);
    house.world().cut_links(&bastiond::sim::Cut::Bye);
    until(house.world(), "it is being resumed", |world| {
        world.count("ResumeSession") == 1
    })
    .await;
    daemon.stop_under(&mut client).await;
    assert_eq!(house.world().count("TerminateSession"), 1);
    house.sweep().await;
}

#[tokio::test]
async fn a_session_that_could_not_be_ended_is_ended_by_the_next_daemon() {
    let house = House::new().await;
    let daemon = house.daemon(&brief()).await;
    let mut client = daemon.served().await;
    house.world().set_faults(Faults {
        zombie: Zombie::Mute,
        ..Faults::default()
    });
    house
        .world()
        .fail_always("TerminateSession", ApiFault::Reset);
    daemon.stop_under(&mut client).await;
    let session = house.world().active_sessions().remove(0).id;
    assert!(state_text(&house).contains(&session));
    house.world().heal("TerminateSession");
    let daemon = house.daemon(&brief()).await;
    no_session_is_left(house.world()).await;
    forgotten(&house, &session).await;
    // Its task is looked after as well.
    until(house.world(), "the task stops", |world| {
        world.count("StopTask") > 0
    })
    .await;
    house.close(daemon).await;
}

/// A denial may be for a moment only: a role that was assumed anew, a policy that somebody mends.
#[tokio::test]
async fn a_session_that_may_not_be_ended_for_now_is_ended_later() {
    let house = House::new().await;
    let daemon = house.daemon(&brief()).await;
    let mut client = daemon.served().await;
    house.world().set_faults(Faults {
        zombie: Zombie::Mute,
        ..Faults::default()
    });
    let world = house.world();
    world.fail_always("TerminateSession", ApiFault::AccessDenied);
    daemon.stop_under(&mut client).await;
    let tried = world.count("TerminateSession");
    let daemon = house.daemon(&brief()).await;
    until(world, "the next daemon tries", |world| {
        world.count("TerminateSession") > tried
    })
    .await;
    assert_eq!(world.active_sessions().len(), 1);
    world.heal("TerminateSession");
    let later = async {
        while !world.active_sessions().is_empty() {
            pass(Duration::from_secs(15)).await;
        }
    };
    within("it is ended", later).await;
    let end = world.sessions()[0]
        .ended
        .as_ref()
        .map(|(_, end)| end.clone());
    assert!(!matches!(end, Some(End::Idle)), "only by the service");
    house.close(daemon).await;
}

#[tokio::test]
async fn ends_while_a_client_still_waits_are_answered_with_a_reset() {
    let house = House::new().await;
    house.world().fail_always("RunTask", ApiFault::Hang);
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.connect().await;
    daemon.is(TunnelState::Starting).await;
    daemon.client.down("app-db").await.expect("it is down");
    assert_reset(&mut client).await;
    daemon.is(TunnelState::Idle).await;
    house.world().heal("RunTask");
    stop_late(daemon).await;
    house.sweep().await;
}

/// The call that hangs is never dropped, so the clock has to come to its end.
async fn stop_late(daemon: Daemon) {
    daemon.signal();
    skip(Duration::from_secs(31)).await;
    daemon.ended().await.expect("a clean end");
}

async fn no_session_is_left(world: &World) {
    until(world, "no session is left", |world| {
        world.active_sessions().is_empty()
    })
    .await;
}

/// The state file forgets a session.
async fn forgotten(house: &House, session: &str) {
    crate::support::within("the session is forgotten", async {
        while state_text(house).contains(session) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Somebody else starts a session on the task; gives its id.
async fn other_session(house: &House) -> String {
    let target = house.world().tasks()[0].target(0);
    let body = json!({
        "Target": target,
        "DocumentName": "AWS-StartPortForwardingSession",
        "Parameters": {"portNumber": ["22"]},
    });
    let answer = aws_call(house, START_SESSION, "ssm", &body).await;
    answer["SessionId"].as_str().expect("a session").to_owned()
}

#[tokio::test]
async fn the_listener_never_notices() {
    let house = House::new().await;
    let daemon = house.daemon(&brief()).await;
    let address = daemon.address().await;
    for _ in 0..2 {
        let mut client = crate::support::connect(address).await;
        ping(&mut client).await;
        hang_up(client);
        no_session_is_left(house.world()).await;
    }
    assert_eq!(daemon.address().await, address);
    house.close(daemon).await;
}

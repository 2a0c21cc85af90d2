//! Connections that say nothing for hours.

use std::time::Duration;

use bastiond::proto::AgentProfile;
use bastiond::sim::Script;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::support::{Daemon, House, Terms, assert_reset, hang_up, pass, ping, until};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_idle_connection_lives_through_two_hours_of_idle_timeouts() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    pass(120 * MINUTE).await;
    ping(&mut client).await;
    assert_eq!(house.world().sessions().len(), 1);
    assert!(daemon.status().await.healthy);
    house.close(daemon).await;
}

#[tokio::test]
async fn without_a_keepalive_an_idle_connection_is_cut_with_the_reason() {
    let house = House::new().await;
    let terms = Terms {
        tunnel: "keepalive = \"never\"",
        ..Terms::default()
    };
    let daemon = house.daemon(&terms).await;
    let mut client = daemon.served().await;
    pass(19 * MINUTE).await;
    assert!(house.world().sessions()[0].is_active());
    pass(2 * MINUTE).await;
    assert_reset(&mut client).await;
    let problem = daemon.problem("session_idle_timeout").await;
    assert!(problem.message.contains("inactivity"), "{problem:?}");
    daemon.served().await;
    assert_eq!(house.world().count("StartSession"), 2);
    house.close(daemon).await;
}

/// Nothing is on its way in a quiet moment, so nothing has to be repeated, at ten messages a second, after it.
#[tokio::test]
async fn a_link_is_renewed_in_a_quiet_moment_before_the_service_ends_it() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    pass(54 * MINUTE).await;
    assert_eq!(house.world().sessions()[0].links, 1);
    let busy = async {
        loop {
            ping(&mut client).await;
            sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::select! {
        () = busy => {}
        () = pass(4 * MINUTE) => {}
    }
    assert_eq!(house.world().sessions()[0].links, 1, "it was not quiet");
    // An answer may have been on its way.
    drop(client);
    let mut client = daemon.served().await;
    pass(MINUTE).await;
    until(house.world(), "a second link", |world| {
        world.sessions()[0].links == 2
    })
    .await;
    let first = house.world().links().remove(0);
    let end = first.ended.expect("it is over");
    assert!(!end.contains("cut"), "the service ended it: {end}");
    ping(&mut client).await;
    assert_eq!(house.world().count("ResumeSession"), 1);
    house.close(daemon).await;
}

/// They give up a client of which nothing was heard for 30 s.
#[tokio::test]
async fn an_old_agent_is_kept_content_while_nobody_says_anything() {
    let script = Script {
        agent: AgentProfile {
            pace: None,
            ..AgentProfile::release("3.1.1188.0")
        },
        ..Script::fast()
    };
    let house = House::with(script).await;
    let terms = Terms {
        tunnel: "keepalive = \"never\"",
        ..Terms::default()
    };
    let daemon = house.daemon(&terms).await;
    let mut client = daemon.served().await;
    for _ in 0..60 {
        pass(Duration::from_secs(5)).await;
    }
    ping(&mut client).await;
    assert_eq!(house.world().sessions().len(), 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_session_that_nobody_uses_is_let_go_whatever_the_keepalive() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    hang_up(daemon.served().await);
    no_connection(&daemon).await;
    pass(3 * MINUTE).await;
    until(house.world(), "the session is over", |world| {
        world.active_sessions().is_empty()
    })
    .await;
    assert!(daemon.status().await.healthy);
    house.close(daemon).await;
}

/// Clients that hang up before there is a session leave nothing to start one for.
#[tokio::test]
async fn nobody_is_served_who_has_hung_up_while_the_bastion_came() {
    let house = House::new().await;
    let slow = bastiond::sim::ApiFault::Delay(Duration::from_millis(500));
    house.world().fail_next("RunTask", 1, slow);
    let daemon = house.daemon(&Terms::default()).await;
    let gone: Vec<TcpStream> = vec![daemon.connect().await, daemon.connect().await];
    until(house.world(), "the task is asked for", |world| {
        world.count("RunTask") == 1
    })
    .await;
    gone.into_iter().for_each(hang_up);
    daemon
        .until("nobody waits", |status| {
            status.tunnels[0].waiting == 0 && status.bastions[0].leases == 0
        })
        .await;
    assert_eq!(house.world().count("StartSession"), 0);
    daemon.served().await;
    assert_eq!(house.world().count("RunTask"), 1);
    house.close(daemon).await;
}

async fn no_connection(daemon: &Daemon) {
    daemon
        .until("nobody is connected", |status| {
            status.tunnels[0].connections == 0
        })
        .await;
}

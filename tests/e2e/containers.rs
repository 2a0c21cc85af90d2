//! Sessions that containers can bear: spread over all of them, no more than each takes, and what exceeds waits.

use std::time::Duration;

use bastiond::sim::{Container, Script, Session, TaskDefinition};
use bastiond::status::{Status, TunnelState};
use tokio::net::TcpStream;

use crate::support::{
    Daemon, Database, House, Terms, assert_reset, connect, echo, hang_up, ping, skip, until,
};

/// A task with so many containers, each of whose agents serves so many sessions.
fn script(containers: usize, session_limit: Option<usize>) -> Script {
    let containers = (0..containers).map(|at| Container::new(&format!("agent-{at}")));
    Script {
        task_definitions: vec![TaskDefinition {
            containers: containers.collect(),
            ..TaskDefinition::default()
        }],
        session_limit,
        ..Script::fast()
    }
}

/// So many tunnels through the one bastion.
fn tunnels(count: usize, bastion: &'static str) -> Terms {
    let more = (1..count).map(|at| {
        format!(
            "[[tunnel]]\nname = \"db-{at}\"\nlisten = \"127.0.0.1:0\"\nhost = \"db.internal\"\nport = {}\n\
             hold_timeout = \"10m\"\n",
            5432 + at
        )
    });
    Terms {
        more: more.collect(),
        bastion,
        ..Terms::default()
    }
}

async fn client_of(daemon: &Daemon, tunnel: usize) -> TcpStream {
    let listeners = daemon.status().await.tunnels.remove(tunnel).listeners;
    connect(listeners[0].address.parse().expect("an address")).await
}

/// Clients of the first so many tunnels, all served.
async fn served(daemon: &Daemon, tunnels: usize) -> Vec<TcpStream> {
    let mut clients = Vec::new();
    for tunnel in 0..tunnels {
        let mut client = client_of(daemon, tunnel).await;
        // StartSession is called once a second.
        skip(Duration::from_secs(1)).await;
        ping(&mut client).await;
        clients.push(client);
    }
    clients
}

async fn waits(daemon: &Daemon, tunnel: usize, words: &str) -> Status {
    let what = format!("tunnel {tunnel} waits, and says: {words}");
    let says = |status: &Status| {
        let tunnel = &status.tunnels[tunnel];
        let detail = tunnel.detail.as_deref().unwrap_or_default();
        tunnel.state == TunnelState::Starting && detail.contains(words)
    };
    daemon.until(&what, says).await
}

/// The targets of the sessions at hand, each once.
fn targets(sessions: &[Session]) -> Vec<&str> {
    let mut targets: Vec<&str> = sessions.iter().map(|it| it.target.as_str()).collect();
    targets.sort_unstable();
    targets.dedup();
    targets
}

#[tokio::test]
async fn four_containers_bear_four_times_as_many_sessions_and_the_next_waits_for_a_place() {
    let house = House::with(script(4, Some(1))).await;
    let daemon = house
        .daemon(&tunnels(5, "max_sessions_per_container = 1"))
        .await;
    let mut clients = served(&daemon, 4).await;
    let sessions = house.world().active_sessions();
    assert_eq!(targets(&sessions).len(), 4, "{sessions:?}");
    let mut fifth = client_of(&daemon, 4).await;
    waits(&daemon, 4, "4 containers have 4 sessions").await;
    for client in &mut clients {
        ping(client).await;
    }
    // A session that nobody uses makes room, long before its linger is over.
    hang_up(clients.pop().expect("a client"));
    ping(&mut fifth).await;
    assert_eq!(house.world().count("StartSession"), 5);
    assert_eq!(house.world().active_sessions().len(), 4);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_handshake_that_does_not_come_beside_others_that_work_is_the_limit_of_the_container() {
    let house = House::with(script(1, Some(2))).await;
    let daemon = house.daemon(&tunnels(4, "")).await;
    let mut clients = served(&daemon, 2).await;
    let mut third = client_of(&daemon, 2).await;
    until(house.world(), "the agent has one more to serve", |world| {
        world
            .active_sessions()
            .iter()
            .filter(|it| it.linked)
            .count()
            == 3
    })
    .await;
    skip(Duration::from_secs(16)).await;
    waits(&daemon, 2, "has 2 sessions").await;
    // It has been learnt: no other is tried in vain.
    let mut fourth = client_of(&daemon, 3).await;
    waits(&daemon, 3, "has 2 sessions").await;
    assert_eq!(house.world().count("StartSession"), 3);
    for client in &mut clients {
        ping(client).await;
    }
    clients.into_iter().for_each(hang_up);
    ping(&mut third).await;
    ping(&mut fourth).await;
    assert_eq!(house.world().count("StartSession"), 5);
    assert!(daemon.status().await.healthy);
    house.close(daemon).await;
}

#[tokio::test]
async fn who_waits_too_long_for_a_place_is_told_why() {
    let house = House::with(script(1, None)).await;
    let mut terms = tunnels(2, "max_sessions_per_container = 1");
    terms.more = terms.more.replace("10m", "1s");
    let daemon = house.daemon(&terms).await;
    let clients = served(&daemon, 1).await;
    assert_reset(&mut client_of(&daemon, 1).await).await;
    let problem = daemon.problem("container_full").await;
    let hint = problem.hint.expect("what to do");
    assert!(hint.contains("max_sessions_per_container"), "{hint}");
    drop(clients);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_named_container_is_the_only_one_and_its_own_ports_are_reached_without_a_host() {
    let database = Database::serve(echo).await;
    let house = House::named("localhost", script(3, None), database).await;
    let terms = Terms {
        bastion: "container = \"agent-1\"",
        host: None,
        ..Terms::default()
    };
    let daemon = house.daemon(&terms).await;
    drop(daemon.served().await);
    let task = house.world().tasks().remove(0);
    let session = house.world().sessions().remove(0);
    assert_eq!(session.target, task.target(1));
    assert_eq!(session.document, "AWS-StartPortForwardingSession");
    assert_eq!((session.host.as_str(), session.port), ("localhost", 5432));
    house.close(daemon).await;
}

#[tokio::test]
async fn a_container_that_the_task_does_not_have_is_told_with_those_it_has() {
    let house = House::with(script(2, None)).await;
    let terms = Terms {
        bastion: "container = \"bastion\"",
        ..Terms::default()
    };
    let daemon = house.daemon(&terms).await;
    assert_reset(&mut daemon.connect().await).await;
    let problem = daemon.problem("no_target").await;
    assert!(
        problem.message.contains("only agent-0, agent-1"),
        "{problem:?}"
    );
    house.close(daemon).await;
}

//! Trouble on this side of the tunnel: clients of bad manners, and a machine that runs out of something.

use std::time::Duration;

use bastiond::control::client::Client;
use bastiond::sim::{ApiFault, Cut};
use bastiond::status::{Status, TunnelState};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::process::Process;
use crate::support::{
    House, LIMIT, Terms, assert_reset, hang_up, pass, ping, receive, send, until, within,
};

/// A crowd.
const MANY: usize = 1000;

#[tokio::test]
async fn clients_that_leave_while_a_bastion_comes_up_are_forgotten_and_cost_no_session() {
    let house = House::new().await;
    let slow = ApiFault::Delay(Duration::from_millis(300));
    house.world().fail_next("RunTask", 1, slow);
    let daemon = house.daemon(&Terms::default()).await;
    let (closes, resets) = (daemon.connect().await, daemon.connect().await);
    daemon
        .until("both wait", |status| status.tunnels[0].waiting == 2)
        .await;
    drop(closes);
    hang_up(resets);
    daemon
        .until("nobody waits", |status| {
            status.tunnels[0].waiting == 0 && status.tunnels[0].state == TunnelState::Idle
        })
        .await;
    assert_eq!(house.world().count("StartSession"), 0);
    daemon.served().await;
    assert_eq!(house.world().tasks().len(), 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_client_that_says_nothing_for_half_an_hour_is_heard_when_it_speaks() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.connect().await;
    until(house.world(), "a stream", |world| {
        world.sessions().iter().any(|session| session.streams == 1)
    })
    .await;
    pass(Duration::from_secs(30 * 60)).await;
    ping(&mut client).await;
    let session = house.world().sessions().remove(0);
    assert_eq!((session.links, session.is_active()), (1, true));
    house.close(daemon).await;
}

#[tokio::test]
async fn a_client_that_resets_in_the_middle_of_much_leaves_room_for_others() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut other = daemon.served().await;
    for _ in 0..20 {
        let mut client = daemon.connect().await;
        send(&mut client, &[7; 100_000]).await;
        receive(&mut client, 1000).await;
        hang_up(client);
        ping(&mut other).await;
    }
    until(house.world(), "one stream is left", |world| {
        world.sessions()[0].streams == 1
    })
    .await;
    assert_eq!(daemon.tunnel().await.connections, 1);
    assert_eq!(house.world().count("StartSession"), 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_thousand_connections_in_a_second_are_served_and_leave_nothing_behind() {
    let house = House::new().await;
    let mut process = Process::start(&house, &Terms::default(), "bastiond=info").await;
    let first = process.served().await;
    let address = first.peer_addr().expect("connected");
    let before = held(&process);
    let mut after_one = None;
    for _ in 0..3 {
        let mut crowd = JoinSet::new();
        for number in 0..MANY {
            crowd.spawn(async move {
                let mut client = TcpStream::connect(address).await.expect("accepted");
                let words = (number as u64).to_le_bytes();
                client.write_all(&words).await.expect("taken");
                let mut answer = [0; 8];
                client.read_exact(&mut answer).await.expect("served");
                assert_eq!(answer, words);
                client
            });
        }
        let crowd = within("all are served", crowd.join_all()).await;
        assert!(process.status().await.tunnels[0].connections > MANY / 2);
        crowd.into_iter().for_each(hang_up);
        until_status(&process.client, "they have left", |status| {
            status.tunnels[0].connections == 1
        })
        .await;
        after_one.get_or_insert(held(&process));
    }
    let (descriptors, memory) = held(&process);
    assert!(descriptors <= before.0 + 4, "{descriptors}, not {before:?}");
    let grown = memory.saturating_sub(after_one.expect("a crowd came").1);
    assert!(grown < 16 << 20, "memory grew by {grown} bytes");
    drop(first);
    process.signal(rustix::process::Signal::TERM);
    assert!(process.ended().await.success());
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_daemon_without_descriptors_to_spare_serves_whom_it_has_and_later_the_rest() {
    let house = House::new().await;
    let mut process = Process::limited(&house, &Terms::default(), "ulimit -n 48").await;
    let mut first = process.served().await;
    let address = first.peer_addr().expect("connected");
    let mut crowd = Vec::new();
    for _ in 0..100 {
        let mut client = TcpStream::connect(address).await.expect("in the backlog");
        client.write_all(b"ping").await.expect("in the backlog");
        crowd.push(client);
    }
    until(house.world(), "many are served", |world| {
        world.sessions()[0].streams > 10
    })
    .await;
    // The WebSocket is lost while the crowd waits for each descriptor that connections may have.
    ping(&mut first).await;
    assert!(house.world().sessions()[0].streams <= 24);
    house.world().cut_links(&Cut::Drop);
    ping(&mut first).await;
    for client in crowd.drain(..90) {
        hang_up(client);
    }
    for client in &mut crowd {
        assert_eq!(receive(client, 4).await, b"ping");
    }
    until_status(&process.client, "all is well", |status| status.healthy).await;
    assert_eq!(house.world().count("StartSession"), 1);
    drop((first, crowd));
    process.signal(rustix::process::Signal::TERM);
    assert!(process.ended().await.success());
    house.sweep_beside().await;
}

/// Every file's size is limited to nothing, so that each write fails as on a full disk.
#[tokio::test]
async fn a_full_disk_is_told_and_stops_nothing() {
    let house = House::new().await;
    let limits = "trap '' XFSZ; ulimit -f 0";
    let mut process = Process::limited(&house, &Terms::default(), limits).await;
    let mut client = process.served().await;
    let told = until_status(&process.client, "it is told", |status| {
        let mut problems = status.problems.iter();
        problems.any(|problem| problem.code == "state_unwritable")
    })
    .await;
    assert!(told.problems.iter().all(|problem| problem.hint.is_some()));
    house.world().cut_links(&Cut::Reset);
    ping(&mut client).await;
    house.world().end_sessions(None);
    assert_reset(&mut client).await;
    drop(process.served().await);
    process.signal(rustix::process::Signal::TERM);
    assert!(process.ended().await.success());
    assert_eq!(house.world().active_sessions().len(), 0);
    house.sweep_beside().await;
}

/// Waits until the status is so.
async fn until_status(client: &Client, what: &str, holds: impl Fn(&Status) -> bool) -> Status {
    let start = std::time::Instant::now();
    loop {
        let status = client.status().await;
        match status {
            Ok(status) if holds(&status) => return status,
            other => assert!(start.elapsed() < LIMIT, "{what}: not in time: {other:#?}"),
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// Descriptors, and resident memory in bytes, where the system tells.
fn held(process: &Process) -> (usize, usize) {
    let folder = format!("/proc/{}", process.pid());
    let descriptors = std::fs::read_dir(format!("{folder}/fd")).map_or(0, Iterator::count);
    let status = std::fs::read_to_string(format!("{folder}/status")).unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = resident.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok());
    (descriptors, kilobytes.unwrap_or(0) << 10)
}

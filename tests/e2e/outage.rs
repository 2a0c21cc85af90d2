//! Links that cannot be had again for a while, each for a reason of its own; and bytes on their way meanwhile.

use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use bastiond::sim::{ApiFault, Cut, World};
use bastiond::status::{SessionState, TunnelState};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::support::{
    Database, House, Terms, assert_reset, echo_whole, pattern, ping, receive, skip,
};

/// What stands in the way of the next links, and how the status names it.
const OBSTACLES: [(Obstacle, &str); 8] = [
    (Obstacle::Upgrade(403), "websocket_refused"),
    (Obstacle::Upgrade(404), "websocket_refused"),
    (Obstacle::Upgrade(429), "websocket_refused"),
    (Obstacle::Upgrade(503), "websocket_refused"),
    (Obstacle::Url(nobody_listens), "cannot_connect"),
    (Obstacle::Url(speaks_no_tls), "tls_failed"),
    (Obstacle::Call(ApiFault::Reset), "aws_unreachable"),
    (Obstacle::Call(ApiFault::Throttle), "aws_throttled"),
];

#[derive(Debug)]
enum Obstacle {
    Upgrade(u16),
    Url(fn(&mut Value)),
    Call(ApiFault),
}

fn nobody_listens(answer: &mut Value) {
    answer["StreamUrl"] = json!("ws://127.0.0.1:1/v1/data-channel/x?role=publish_subscribe");
}

fn speaks_no_tls(answer: &mut Value) {
    let port = ECHO.load(Ordering::Relaxed);
    answer["StreamUrl"] = json!(format!("wss://127.0.0.1:{port}/v1/data-channel/x?role=y"));
}

/// The port of an echo: no greeting of a TLS client's is an answer to it.
static ECHO: AtomicU16 = AtomicU16::new(0);

#[tokio::test]
async fn whatever_keeps_a_session_from_its_next_link_is_told_and_outlived() {
    for (obstacle, code) in &OBSTACLES {
        let house = House::new().await;
        ECHO.store(house.database.address.port(), Ordering::Relaxed);
        let daemon = house.daemon(&Terms::default()).await;
        let mut client = daemon.served().await;
        stand(house.world(), obstacle);
        house.world().cut_links(&Cut::Bye);
        let tunnel = daemon.is(TunnelState::Reconnecting).await;
        assert_eq!(tunnel.sessions[0].state, SessionState::Resuming);
        let told = daemon
            .until("the reason is told", |status| {
                let error = status.tunnels[0].last_error.as_ref();
                error.is_some_and(|error| error.code.contains(code))
            })
            .await;
        assert!(!told.healthy, "{obstacle:?}");
        tokio::select! {
            () = ping(&mut client) => {}
            () = no_waiting() => {}
        }
        let live = house.world().links();
        let live = live
            .iter()
            .filter(|link| link.ended.is_none() && link.status == 101);
        assert_eq!(live.count(), 1, "{obstacle:?}");
        assert_eq!(house.world().count("StartSession"), 1, "{obstacle:?}");
        daemon.until("healthy", |status| status.healthy).await;
        house.close(daemon).await;
    }
}

fn stand(world: &World, obstacle: &Obstacle) {
    match obstacle {
        // Each attempt may be made with a signature and without.
        Obstacle::Upgrade(status) => world.refuse_upgrades(8, *status),
        Obstacle::Url(alter) => world.fail_next("ResumeSession", 4, ApiFault::Rewrite(*alter)),
        Obstacle::Call(fault) => world.fail_next("ResumeSession", 9, fault.clone()),
    }
}

/// The pauses between attempts pass quickly, once each reason can be seen.
async fn no_waiting() {
    loop {
        sleep(Duration::from_millis(50)).await;
        skip(Duration::from_secs(10)).await;
    }
}

#[tokio::test]
async fn a_link_that_falls_silent_in_the_middle_of_bytes_both_ways_loses_none() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    let bytes = pattern(2_000_000, 11);
    let silence = async {
        daemon
            .until("some of it came back", |status| {
                status.tunnels[0].bytes_received > 100_000
            })
            .await;
        house.world().cut_links(&Cut::HalfOpen);
        // A ping goes out, and no pong comes.
        for _ in 0..14 {
            skip(Duration::from_secs(5)).await;
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::join!(echo_whole(&mut client, &bytes, 11), silence);
    assert_eq!(house.world().sessions()[0].links, 2);
    assert_eq!(house.world().count("StartSession"), 1);
    house.close(daemon).await;
}

/// The service holds a session for twenty minutes: so long it is tried, and then connections are told.
#[tokio::test]
async fn after_twenty_minutes_without_a_link_connections_are_cut_with_the_reason() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    house.world().fail_always("ResumeSession", ApiFault::Reset);
    house.world().cut_links(&Cut::Drop);
    daemon.is(TunnelState::Reconnecting).await;
    let minutes = async {
        for _ in 0..19 {
            for _ in 0..6 {
                sleep(Duration::from_millis(30)).await;
                skip(Duration::from_secs(10)).await;
            }
        }
    };
    tokio::select! {
        () = minutes => {}
        () = assert_reset(&mut client) => panic!("it was given up too early"),
    }
    assert_eq!(daemon.tunnel().await.connections, 1);
    tokio::select! {
        () = no_waiting() => {}
        () = assert_reset(&mut client) => {}
    }
    let error = daemon.tunnel().await.last_error.expect("a reason");
    assert!(error.message.contains("ResumeSession"), "{error:?}");
    house.world().heal("ResumeSession");
    daemon.served().await;
    assert_eq!(house.world().count("StartSession"), 2);
    house.close(daemon).await;
}

/// What a client has not read when its session ends is no end of its stream.
#[tokio::test]
async fn a_slow_client_whose_session_ends_gets_a_reset_after_what_it_has_and_no_end() {
    let flood = |mut socket: TcpStream| async move {
        let chunk = vec![7; 64 * 1024];
        while socket.write_all(&chunk).await.is_ok() {}
    };
    let house = House::of(bastiond::sim::Script::fast(), Database::serve(flood).await).await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut slow = daemon.connect_narrow().await;
    receive(&mut slow, 1).await;
    // Far more than its socket takes is queued for it.
    sleep(Duration::from_millis(300)).await;
    house
        .world()
        .end_sessions(Some("an administrator ended it"));
    daemon.problem("session_closed").await;
    assert_reset(&mut slow).await;
    house.close(daemon).await;
}

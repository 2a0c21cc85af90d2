//! What changes around a tunnel: the network, the age of its sessions, the hour.

use std::time::{Duration, Instant};

use bastiond::sim::{ApiFault, Cut, World};
use tokio::time::sleep;

use crate::support::{
    Daemon, House, Terms, assert_reset, hang_up, pass, ping, receive, send, skip, until,
};

/// From the network's return to the first byte, with some room for a busy machine.
const BOUND: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_link_that_died_with_the_old_network_is_replaced_within_five_seconds() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    house.half_open().await;
    send(&mut client, b"hello").await;
    let changed = Instant::now();
    house.change_network();
    assert_eq!(receive(&mut client, 5).await, b"hello");
    assert!(changed.elapsed() < BOUND, "{:?}", changed.elapsed());
    assert_eq!(house.world().sessions()[0].links, 2);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_link_that_works_on_the_new_network_stays() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    for _ in 0..3 {
        house.change_network();
        sleep(Duration::from_millis(400)).await;
        pass(Duration::from_secs(5)).await;
        ping(&mut client).await;
    }
    assert_eq!(house.world().sessions()[0].links, 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_session_that_waits_to_be_resumed_is_tried_at_once_on_a_new_network() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    house.world().fail_always("ResumeSession", ApiFault::Reset);
    house.world().cut_links(&Cut::Drop);
    // The pauses have grown to ten seconds.
    for _ in 0..8 {
        let before = house.world().count("ResumeSession");
        skip(Duration::from_secs(10)).await;
        until(house.world(), "another attempt", |world| {
            world.count("ResumeSession") > before
        })
        .await;
    }
    house.world().heal("ResumeSession");
    // A pause may be short by chance, but not each time.
    for cuts in 1..6 {
        until(house.world(), "the link is cut", |world| {
            let links = world.links();
            links.iter().filter(|link| link.ended.is_some()).count() >= cuts
        })
        .await;
        let changed = Instant::now();
        house.change_network();
        ping(&mut client).await;
        assert!(changed.elapsed() < BOUND / 2, "{:?}", changed.elapsed());
        house.world().cut_links(&Cut::Drop);
    }
    assert_eq!(house.world().count("StartSession"), 1);
    house.close(daemon).await;
}

/// What was asked on the old network will never be answered.
#[tokio::test]
async fn a_call_under_way_is_made_anew_on_a_new_network() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    house.world().fail_next("ResumeSession", 1, ApiFault::Hang);
    house.world().cut_links(&Cut::Drop);
    until(house.world(), "a call that hangs", |world| {
        world.count("ResumeSession") == 1
    })
    .await;
    let changed = Instant::now();
    house.change_network();
    ping(&mut client).await;
    assert!(changed.elapsed() < BOUND, "{:?}", changed.elapsed());
    assert_eq!(house.world().count("ResumeSession"), 2);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_storm_of_changes_neither_keeps_a_session_from_being_resumed_nor_cuts_it() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    let storm = async {
        loop {
            house.change_network();
            sleep(Duration::from_millis(20)).await;
        }
    };
    let work = async {
        for links in 2..5 {
            house.world().cut_links(&Cut::Reset);
            until(house.world(), "another link", |world| {
                world.sessions()[0].links == links
            })
            .await;
            ping(&mut client).await;
            sleep(Duration::from_millis(700)).await;
            ping(&mut client).await;
        }
    };
    tokio::select! {
        () = storm => {}
        () = work => {}
    }
    assert_eq!(house.world().sessions()[0].links, 4);
    house.close(daemon).await;
}

/// A start that failed for want of a network is not held against whoever comes on the next one.
#[tokio::test]
async fn after_a_failed_start_a_new_network_is_tried_at_once() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    house.world().fail_next("StartSession", 9, ApiFault::Reset);
    assert_reset(&mut daemon.connect().await).await;
    house.world().heal("StartSession");
    let tried = house.world().count("StartSession");
    assert_reset(&mut daemon.connect().await).await;
    assert_eq!(house.world().count("StartSession"), tried);
    house.change_network();
    // The news is passed on when it has settled.
    sleep(Duration::from_millis(800)).await;
    daemon.served().await;
    house.close(daemon).await;
}

#[tokio::test]
async fn an_old_session_is_succeeded_by_a_fresh_one_and_lives_as_long_as_its_connections() {
    let house = House::new().await;
    let terms = Terms {
        tunnel: "max_session_age = \"10m\"",
        ..Terms::default()
    };
    let daemon = house.daemon(&terms).await;
    let mut old = daemon.served().await;
    pass(Duration::from_secs(580)).await;
    let mut second = daemon.served().await;
    assert_eq!(house.world().sessions().len(), 1);
    hang_up(second);
    pass(Duration::from_secs(21)).await;
    until(house.world(), "a successor", |world| {
        world.sessions().len() == 2 && world.sessions()[1].ready
    })
    .await;
    second = served_by(&daemon, house.world(), 1).await;
    ping(&mut old).await;
    ping(&mut second).await;
    assert!(house.world().sessions()[0].is_active());
    hang_up(old);
    until(house.world(), "the old session ends", |world| {
        !world.sessions()[0].is_active()
    })
    .await;
    ping(&mut second).await;
    assert!(daemon.status().await.healthy);
    house.close(daemon).await;
}

/// The old one is better than none.
#[tokio::test]
async fn an_old_session_is_used_while_no_successor_can_be_started() {
    let house = House::new().await;
    let terms = Terms {
        tunnel: "max_session_age = \"1m\"",
        ..Terms::default()
    };
    let daemon = house.daemon(&terms).await;
    let mut old = daemon.served().await;
    let refusal = ApiFault::Error(400, "BadRequest".into(), "not now".into());
    house.world().fail_always("StartSession", refusal);
    pass(Duration::from_secs(80)).await;
    until(house.world(), "an attempt", |world| {
        world.count("StartSession") > 1
    })
    .await;
    daemon.served().await;
    ping(&mut old).await;
    house.world().heal("StartSession");
    // The pauses between attempts have grown to a minute.
    pass(Duration::from_secs(65)).await;
    until(house.world(), "a successor", |world| {
        world.sessions().len() >= 2
    })
    .await;
    ping(&mut old).await;
    house.close(daemon).await;
}

/// A client that the session of this number serves.
async fn served_by(daemon: &Daemon, world: &World, session: usize) -> tokio::net::TcpStream {
    daemon
        .until("the session is used", |status| {
            let sessions = &status.tunnels[0].sessions;
            sessions.len() == session + 1
        })
        .await;
    let before = world.sessions()[session].opened;
    let client = daemon.served().await;
    assert_eq!(world.sessions()[session].opened, before + 1);
    client
}

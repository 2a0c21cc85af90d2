//! A WebSocket that goes away: connections wait, the session is resumed, nobody loses a byte. And sessions that do
//! not come back.

use std::time::Duration;

use bastiond::sim::{ApiFault, Command, Cut, Faults, Line, World, frames::Form};
use bastiond::status::{SessionState, TunnelState};
use serde_json::json;
use tokio::time::sleep;

use crate::support::{
    House, Terms, assert_reset, echo_whole, hang_up, pass, pattern, ping, receive, send, skip,
    until,
};

#[tokio::test]
async fn bye_is_survived() {
    survived(Cut::Bye).await;
}

#[tokio::test]
async fn going_away_is_survived() {
    survived(Cut::Close(1001, "going away".into())).await;
}

#[tokio::test]
async fn too_big_is_survived() {
    survived(Cut::Close(1009, "too big".into())).await;
}

#[tokio::test]
async fn internal_error_is_survived() {
    survived(Cut::Close(1011, String::new())).await;
}

#[tokio::test]
async fn a_connection_closed_without_a_word_is_survived() {
    survived(Cut::Drop).await;
}

#[tokio::test]
async fn a_connection_reset_is_survived() {
    survived(Cut::Reset).await;
}

/// Cut while nothing moves, then in the middle of bytes both ways.
async fn survived(cut: Cut) {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    house.world().cut_links(&cut);
    until(house.world(), "a second link", |world| {
        world.sessions()[0].links == 2
    })
    .await;
    ping(&mut client).await;

    let bytes = pattern(600_000, 1);
    let cutting = async {
        let before = daemon.tunnel().await.bytes_received;
        daemon
            .until("some of it came back", |status| {
                status.tunnels[0].bytes_received > before + 100_000
            })
            .await;
        house.world().cut_links(&cut);
    };
    tokio::join!(echo_whole(&mut client, &bytes, 1), cutting);
    until(house.world(), "a third link", |world| {
        world.sessions()[0].links == 3
    })
    .await;
    ping(&mut client).await;
    assert_eq!(house.world().count("StartSession"), 1);
    assert_eq!(daemon.is(TunnelState::Ready).await.connections, 1);
    assert!(daemon.status().await.healthy);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_resumed_session_is_the_same_client_with_a_fresh_request_and_no_second_handshake() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    house.world().cut_links(&Cut::Bye);
    until(house.world(), "a second link", |world| {
        world.sessions()[0].links == 2
    })
    .await;
    ping(&mut client).await;
    assert_eq!(house.world().count("ResumeSession"), 1);
    let links = house.world().links();
    let (first, second) = (&links[0], &links[1]);
    // Another URL: its cell number differs.
    assert_ne!(first.target, second.target);
    assert_eq!(first.session, second.session);
    let opening = |at: usize| links[at].open.clone().expect("a first frame");
    let (first, second) = (opening(0), opening(1));
    assert!(first.accepted && second.accepted);
    assert_eq!(first.client_id, second.client_id);
    assert_ne!(first.request_id, second.request_id);
    // A second HandshakeResponse would be a message that the agent does not expect.
    assert_eq!(house.world().sessions()[0].rejected, 0);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_half_open_link_is_noticed_by_its_silence() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    house.half_open().await;
    send(&mut client, b"late").await;
    // A ping goes out, and no pong comes.
    pass(Duration::from_secs(61)).await;
    assert_eq!(receive(&mut client, 4).await, b"late");
    assert_eq!(house.world().sessions()[0].links, 2);
    house.close(daemon).await;
}

#[tokio::test]
async fn pings_keep_an_idle_link_alive() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    pass(Duration::from_secs(5 * 60)).await;
    ping(&mut client).await;
    assert_eq!(house.world().sessions()[0].links, 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn after_a_sleep_of_ten_minutes_connections_go_on_at_once() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    house.half_open().await;
    skip(Duration::from_secs(600)).await;
    ping(&mut client).await;
    assert_eq!(house.world().count("StartSession"), 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_line_that_loses_repeats_and_reorders_spoils_nothing() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    let line = Line {
        drop: 0.03,
        drop_acks: 0.03,
        duplicate: 0.03,
        bad_digest: 0.01,
        reorder: 0.05,
        reorder_by: Duration::from_millis(20),
        latency: Duration::ZERO,
    };
    house.world().set_faults(Faults {
        seed: 3,
        to_agent: line.clone(),
        to_client: line,
        ..Faults::default()
    });
    echo_whole(&mut client, &pattern(100_000, 5), 5).await;
    assert_eq!(house.world().sessions()[0].links, 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn links_that_end_again_and_again_lose_nothing() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    house.world().set_faults(Faults {
        cut_after: Some((1500, Cut::Reset)),
        ..Faults::default()
    });
    let bytes = pattern(1_000_000, 6);
    let no_waiting = async {
        loop {
            // The pauses between attempts grow to ten seconds.
            daemon.is(TunnelState::Reconnecting).await;
            sleep(Duration::from_millis(20)).await;
            skip(Duration::from_secs(10)).await;
        }
    };
    tokio::select! {
        () = echo_whole(&mut client, &bytes, 6) => {}
        () = no_waiting => {}
    }
    assert!(house.world().sessions()[0].links > 2);
    house.close(daemon).await;
}

#[tokio::test]
async fn an_empty_token_means_that_the_session_is_over() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    let over = json!({"SessionId": "s", "TokenValue": "", "StreamUrl": ""});
    house
        .world()
        .fail_next("ResumeSession", 1, ApiFault::Answer(over));
    house.world().cut_links(&Cut::Bye);
    assert_reset(&mut client).await;
    daemon.problem("session_ended").await;
    daemon.served().await;
    assert!(daemon.status().await.healthy);
    let count = |operation| house.world().count(operation);
    assert_eq!((count("ResumeSession"), count("StartSession")), (1, 2));
    assert_eq!(count("TerminateSession"), 0);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_session_that_does_not_exist_any_more_is_over_too() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    let gone = ApiFault::Error(
        400,
        "DoesNotExistException".into(),
        "no such session".into(),
    );
    house.world().fail_next("ResumeSession", 1, gone);
    house.world().cut_links(&Cut::Bye);
    assert_reset(&mut client).await;
    daemon.served().await;
    house.close(daemon).await;
}

#[tokio::test]
async fn resuming_goes_on_for_minutes_while_connections_wait() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    house.world().fail_always("ResumeSession", ApiFault::Reset);
    house.world().cut_links(&Cut::Drop);
    let tunnel = daemon.is(TunnelState::Reconnecting).await;
    assert_eq!(tunnel.connections, 1);
    assert_eq!(tunnel.sessions[0].state, SessionState::Resuming);
    send(&mut client, b"patience").await;
    for _ in 0..6 {
        let before = house.world().count("ResumeSession");
        skip(Duration::from_secs(30)).await;
        until(house.world(), "another attempt", |world| {
            world.count("ResumeSession") > before
        })
        .await;
    }
    house.world().heal("ResumeSession");
    skip(Duration::from_secs(10)).await;
    assert_eq!(receive(&mut client, 8).await, b"patience");
    assert_eq!(house.world().count("StartSession"), 1);
    assert!(daemon.status().await.healthy);
    house.close(daemon).await;
}

#[tokio::test]
async fn expired_credentials_keep_the_session_until_somebody_signs_in() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    house
        .world()
        .fail_always("ResumeSession", ApiFault::ExpiredToken);
    house.world().cut_links(&Cut::Bye);
    let tunnel = daemon.is(TunnelState::NeedsLogin).await;
    assert_eq!(tunnel.connections, 1);
    assert_eq!(tunnel.sessions[0].state, SessionState::Resuming);
    let status = daemon.status().await;
    assert!(status.problems[0].hint.is_some(), "{:?}", status.problems);
    house.world().heal("ResumeSession");
    skip(Duration::from_secs(10)).await;
    ping(&mut client).await;
    assert_eq!(house.world().count("StartSession"), 1);
    daemon.until("healthy", |status| status.healthy).await;
    house.close(daemon).await;
}

#[tokio::test]
async fn a_new_connection_waits_for_the_session_that_is_being_resumed() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let _client = daemon.served().await;
    house.world().fail_next(
        "ResumeSession",
        1,
        ApiFault::Delay(Duration::from_millis(300)),
    );
    house.world().cut_links(&Cut::Bye);
    daemon.is(TunnelState::Reconnecting).await;
    daemon.served().await;
    assert_eq!(house.world().count("StartSession"), 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn two_drops_close_together_leave_one_link() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    house.world().fail_next(
        "ResumeSession",
        1,
        ApiFault::Delay(Duration::from_millis(100)),
    );
    house.world().cut_links(&Cut::Drop);
    house.world().cut_links(&Cut::Drop);
    until(house.world(), "a second link", |world| {
        world.sessions()[0].links == 2
    })
    .await;
    house.world().cut_links(&Cut::Drop);
    until(house.world(), "a third link", |world| {
        world.sessions()[0].links == 3
    })
    .await;
    ping(&mut client).await;
    assert_eq!(live_links(house.world()), 1);
    assert_eq!(house.world().links().len(), 3);
    assert_eq!(house.world().count("ResumeSession"), 2);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_resume_url_that_cannot_be_opened_is_asked_for_again() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    house.world().refuse_upgrades(3, 503);
    house.world().cut_links(&Cut::Bye);
    ping(&mut client).await;
    assert_eq!(house.world().sessions()[0].links, 2);
    assert_eq!(house.world().count("ResumeSession"), 4);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_session_that_aws_ended_is_replaced_for_the_next_connection() {
    for (form, output) in [
        (Form::Short, Some("an administrator ended it")),
        (Form::Long, Some("an administrator ended it")),
        (Form::Short, None),
    ] {
        let house = House::new().await;
        house.world().set_faults(Faults {
            closed_form: form,
            ..Faults::default()
        });
        let daemon = house.daemon(&Terms::default()).await;
        let mut client = daemon.served().await;
        house.world().end_sessions(output);
        assert_reset(&mut client).await;
        let problem = daemon.problem("session_closed").await;
        let text = output.unwrap_or("no reason was given");
        assert!(problem.message.contains(text), "{problem:?}");
        daemon.served().await;
        assert!(daemon.status().await.healthy);
        let count = |operation| house.world().count(operation);
        assert_eq!(count("StartSession"), 2);
        assert_eq!((count("ResumeSession"), count("TerminateSession")), (0, 0));
        house.close(daemon).await;
    }
}

#[tokio::test]
async fn an_idle_session_that_aws_ended_is_no_problem() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    hang_up(daemon.served().await);
    daemon
        .until("nobody is connected", |status| {
            status.tunnels[0].connections == 0
        })
        .await;
    let text = "Your session timed out due to inactivity and has been terminated.";
    house.world().end_sessions(Some(text));
    daemon
        .until("the session is gone", |status| {
            status.tunnels[0].sessions.is_empty()
        })
        .await;
    assert!(daemon.status().await.healthy);
    daemon.served().await;
    assert_eq!(house.world().count("StartSession"), 2);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_mux_that_speaks_another_version_is_replaced() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    // After the request, the end of the handshake, and the answer to the ping.
    let frame = [2, 2, 1, 0, 3, 0, 0, 0, 7];
    let wall = std::time::SystemTime::now();
    let frame = bastiond::sim::frames::output(3, 1, &frame, wall);
    let session = house.world().sessions()[0].id.clone();
    house.world().command(&session, Command::Inject(frame));
    assert_reset(&mut client).await;
    daemon.problem("protocol_error").await;
    daemon.served().await;
    assert_eq!(house.world().count("StartSession"), 2);
    house.close(daemon).await;
}

#[tokio::test]
async fn frames_that_no_sane_peer_sends_are_ignored() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    let session = house.world().sessions()[0].id.clone();
    for (_, frame) in bastiond::sim::frames::malformed(std::time::SystemTime::now()) {
        house.world().command(&session, Command::Inject(frame));
    }
    ping(&mut client).await;
    assert_eq!(house.world().sessions()[0].links, 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_pause_that_nobody_ends_does_not_last() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    let session = house.world().sessions()[0].id.clone();
    house
        .world()
        .command(&session, Command::PauseClient { start: false });
    echo_whole(&mut client, &pattern(50_000, 1), 1).await;
    house.close(daemon).await;
}

fn live_links(world: &World) -> usize {
    let links = world.links();
    links.iter().filter(|link| link.ended.is_none()).count()
}

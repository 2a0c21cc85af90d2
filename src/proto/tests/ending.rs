//! How sessions end.

use super::pair::Pair;
use super::solo::{Solo, millis, request, seconds, session_type};
use crate::proto::message::{Kind, PayloadType};
use crate::proto::{AgentProfile, Event, Notice};
use serde_json::json;

#[test]
fn closing_notice_is_told_with_its_text_and_ends_everything() {
    let mut solo = Solo::ready();
    let stream = solo.session.open();
    solo.session.write(stream, vec![7; 5000].into());
    let mut agent = Pair::new(1, AgentProfile::quick(), |_| {}).agent;
    let output = "Your session timed out due to inactivity and has been terminated.".to_owned();
    let closed = Notice::Closed {
        session_id: "s-1".to_owned(),
        output: output.clone(),
        short_header: false,
    };
    let frame = agent.notice(closed, solo.now);
    solo.feed(frame.clone());
    assert_eq!(solo.events(), [Event::Closed { output }]);
    solo.session.terminate(solo.now);
    solo.session.handle_connected(solo.now);
    assert!(solo.pass(seconds(3600)).is_empty());
    assert_eq!(solo.session.next_timer(), None);
    assert!(solo.session.handle_input(frame, solo.now).is_err());
    assert_eq!(solo.events(), [], "once");
}

#[test]
fn closing_notice_before_the_handshake_is_told_too() {
    let mut solo = Solo::linked();
    let mut agent = Pair::new(1, AgentProfile::quick(), |_| {}).agent;
    let closed = Notice::Closed {
        session_id: String::new(),
        output: String::new(),
        short_header: true,
    };
    let frame = agent.notice(closed, solo.now);
    solo.feed(frame);
    assert_eq!(
        solo.events(),
        [Event::Closed {
            output: String::new()
        }]
    );
}

#[test]
fn closing_notice_with_an_odd_field_still_tells_why() {
    for (payload, expected) in [
        (
            r#"{"CreatedDate":1700000000000,"SchemaVersion":"1","Output":"why"}"#,
            "why",
        ),
        (r#"{"Output":null}"#, ""),
        (r#"{"Output":7}"#, ""),
        ("not JSON", ""),
    ] {
        let mut solo = Solo::ready();
        solo.service(Kind::ChannelClosed, payload.as_bytes());
        let output = expected.to_owned();
        assert_eq!(solo.events(), [Event::Closed { output }], "{payload}");
    }
}

#[test]
fn texts_of_the_far_side_are_clipped() {
    let long = "\u{e9}".repeat(100_000);
    let mut solo = Solo::ready();
    let closed = json!({ "Output": long }).to_string();
    solo.service(Kind::ChannelClosed, closed.as_bytes());
    let events = solo.events();
    assert!(
        matches!(&events[..], [Event::Closed { output }] if output.chars().count() == 500),
        "{}",
        events.len()
    );

    let mut solo = Solo::linked();
    let version = format!("3.3.987.0{long}");
    let shell = json!({"ActionType": "SessionType", "ActionParameters": {"SessionType": long}});
    solo.data(
        0,
        PayloadType::HandshakeRequest,
        &request(&version, json!([shell])),
    );
    assert!(format!("{:?}", solo.events()).chars().count() < 1000);
    assert!(
        solo.session
            .peer_version()
            .is_some_and(|version| version.chars().count() == 500)
    );

    let mut solo = Solo::linked();
    let actions = json!([session_type()]);
    solo.data(
        0,
        PayloadType::HandshakeRequest,
        &request("3.3.987.0", actions),
    );
    solo.sent();
    let complete = json!({ "CustomerMessage": long }).to_string();
    solo.data(1, PayloadType::HandshakeComplete, complete.as_bytes());
    assert!(format!("{:?}", solo.events()).chars().count() < 1000);
}

#[test]
fn terminate_is_sent_once_and_its_acknowledgement_is_known() {
    let mut solo = Solo::ready();
    solo.session.terminate(solo.now);
    solo.session.terminate(solo.now);
    let sent = solo.sent_data();
    assert_eq!(sent.len(), 1);
    assert_eq!(
        (sent[0].payload_type, &sent[0].payload[..]),
        (Some(PayloadType::Flag), &[0, 0, 0, 2][..])
    );
    solo.session.terminate(solo.now);
    assert!(solo.sent().is_empty());
    assert!(!solo.session.is_terminate_acked());
    let repeats = solo.pass(millis(500));
    assert!(repeats.iter().all(|(_, message)| *message == sent[0]) && !repeats.is_empty());
    solo.ack(sent[0].sequence);
    assert!(solo.session.is_terminate_acked() && solo.session.is_drained());
}

#[test]
fn terminate_is_not_said_to_an_agent_that_would_not_listen() {
    let mut solo = Solo::linked();
    solo.session.terminate(solo.now);
    assert!(solo.sent().is_empty());
    solo.data(
        0,
        PayloadType::HandshakeRequest,
        &request("2.3.700.0", json!([session_type()])),
    );
    solo.sent();
    solo.session.terminate(solo.now);
    assert!(
        solo.sent().is_empty(),
        "an agent of before 2.3.756.0 does not know the flag"
    );
    assert!(!solo.session.is_terminate_acked());
}

#[test]
fn terminate_goes_out_though_the_window_is_full_and_the_service_paused() {
    let mut solo = Solo::with(|options| options.window = 1..=1).shake_hands("3.3.987.0");
    let stream = solo.session.open();
    solo.sent();
    solo.session.write(stream, b"waits"[..].into());
    let frame = Pair::new(1, AgentProfile::quick(), |_| {})
        .agent
        .notice(Notice::Pause, solo.now);
    solo.feed(frame);
    solo.session.terminate(solo.now);
    assert_eq!(solo.sent_data()[0].payload_type, Some(PayloadType::Flag));
}

#[test]
fn agent_hears_that_the_client_ends_the_session() {
    let mut pair = Pair::new(1, AgentProfile::default(), |_| {});
    pair.pass(seconds(1));
    pair.client.terminate(pair.now);
    pair.pass(seconds(1));
    assert!(pair.client.is_terminate_acked());
    let asked = pair
        .at_agent
        .others
        .iter()
        .filter(|event| **event == Event::TerminateRequested);
    assert_eq!(asked.count(), 1);
}

//! From the first link to the first byte.

use super::pair::Pair;
use super::solo::{SYN, Solo, millis, request, seconds, session_type, smux};
use crate::proto::message::{Kind, Message, PayloadType};
use crate::proto::payload::{FAILED, HandshakeResponse, RequestedAction, SUCCESS, UNSUPPORTED};
use crate::proto::version::Version;
use crate::proto::{AgentProfile, Event, Failure, Notice};
use serde_json::{Value, json};

#[test]
fn request_is_acknowledged_and_answered_with_number_zero() {
    let mut solo = Solo::linked();
    solo.data(
        0,
        PayloadType::HandshakeRequest,
        &request("3.3.987.0", json!([session_type()])),
    );
    let sent = solo.sent();
    assert_eq!(kinds(&sent), [Kind::Acknowledge, Kind::InputStreamData]);
    assert_eq!(
        (sent[1].sequence, sent[1].payload_type),
        (0, Some(PayloadType::HandshakeResponse))
    );
    let response = response(&sent);
    assert_eq!(
        response.processed_client_actions[0].action_type,
        "SessionType"
    );
    assert_eq!(response.processed_client_actions[0].action_status, SUCCESS);
    let version = Version::parse(&response.client_version).expect("a numeric version");
    assert!(version >= Version::new(1, 2, 332, 0));
    assert_eq!(response.client_version.split('.').count(), 4);
}

#[test]
fn no_data_is_sent_before_the_handshake_is_complete() {
    let mut solo = Solo::linked();
    let stream = solo.session.open();
    solo.session.write(stream, b"early"[..].into());
    assert!(solo.pass(seconds(1)).is_empty());
    solo.data(
        0,
        PayloadType::HandshakeRequest,
        &request("3.3.987.0", json!([session_type()])),
    );
    assert_eq!(types(&solo.sent_data()), [PayloadType::HandshakeResponse]);
    solo.ack(0);
    assert!(solo.pass(seconds(1)).is_empty());
    solo.data(1, PayloadType::HandshakeComplete, b"{}");
    assert!(solo.sent_data().is_empty());
    assert!(solo.pass(millis(29)).is_empty());
    solo.pass(millis(1));
    let sent = solo.sent_data();
    assert_eq!(
        (types(&sent).as_slice(), sent[0].sequence),
        ([PayloadType::Output].as_slice(), 1)
    );
    assert!(sent[0].payload.starts_with(&smux(SYN, 3, b"")));
}

#[test]
fn repeated_request_is_acknowledged_again_and_answered_once() {
    let mut solo = Solo::linked();
    let frame = solo.frame(
        0,
        PayloadType::HandshakeRequest,
        &request("3.3.987.0", json!([session_type()])),
    );
    solo.feed(frame.clone());
    solo.sent();
    solo.feed(frame);
    assert_eq!(kinds(&solo.sent()), [Kind::Acknowledge]);
    solo.data(
        1,
        PayloadType::HandshakeRequest,
        &request("3.3.987.0", json!([session_type()])),
    );
    assert_eq!(
        kinds(&solo.sent()),
        [Kind::Acknowledge],
        "not even to one with a new number"
    );
}

#[test]
fn unknown_action_is_unsupported_and_the_agents_reason_is_told() {
    let action = RequestedAction {
        action_type: "Dance".to_owned(),
        action_parameters: Value::Null,
    };
    let profile = AgentProfile {
        extra_actions: vec![action],
        ..AgentProfile::quick()
    };
    let mut pair = Pair::new(1, profile, |_| {});
    pair.pass(seconds(1));
    let [
        Event::Failed(
            failure @ Failure::ActionFailed {
                status: UNSUPPORTED,
                ..
            },
        ),
    ] = &pair.at_agent.others[..]
    else {
        panic!("the agent gives up, not {:?}", pair.at_agent.others);
    };
    let output = failure.to_string();
    let closed = Notice::Closed {
        session_id: "s-1".to_owned(),
        output: output.clone(),
        short_header: true,
    };
    let frame = pair.agent.notice(closed, pair.now);
    pair.client
        .handle_input(frame, pair.now)
        .expect("a closing notice");
    pair.pass(seconds(1));
    assert_eq!(pair.at_client.others, [Event::Closed { output }]);
}

#[test]
fn encryption_is_unsupported_and_ends_the_session() {
    let kms =
        json!({"ActionType": "KMSEncryption", "ActionParameters": {"KMSKeyId": "arn:aws:kms:…"}});
    let (response, failure) = answer(request("3.3.987.0", json!([session_type(), kms])), false);
    assert_eq!(statuses(&response), [SUCCESS, UNSUPPORTED]);
    assert_eq!(failure, Some(Failure::EncryptionRequested));
}

#[test]
fn sessions_that_carry_no_tunnel_are_refused() {
    for (kind, properties, said) in [
        ("Standard_Stream", Value::Null, "Standard_Stream"),
        (
            "Port",
            json!({"portNumber": "22"}),
            "Port without LocalPortForwarding",
        ),
        ("Port", Value::Null, "Port without LocalPortForwarding"),
    ] {
        let parameters = json!({"SessionType": kind, "Properties": properties});
        let action = json!({"ActionType": "SessionType", "ActionParameters": parameters});
        let (response, failure) = answer(request("3.3.987.0", json!([action])), false);
        assert_eq!(statuses(&response), [FAILED]);
        assert_eq!(failure, Some(Failure::SessionType(said.to_owned())));
    }
}

#[test]
fn agents_that_cannot_serve_the_tunnel_are_refused_with_a_reason() {
    for (version, remote_host, served) in [
        ("3.0.196.0", false, false),
        ("3.0.222.0", false, true),
        ("3.1.1187.0", false, true),
        ("3.1.1187.0", true, false),
        ("3.1.1188.0", true, true),
    ] {
        let (response, failure) = answer(request(version, json!([session_type()])), remote_host);
        assert_eq!(
            statuses(&response),
            [if served { SUCCESS } else { FAILED }],
            "{version}"
        );
        assert_eq!(failure.is_none(), served, "{version}");
        assert!(failure.is_none_or(|failure| failure.to_string().contains(version)));
    }
}

#[test]
fn data_without_a_handshake_is_not_a_port_session() {
    let mut solo = Solo::linked();
    solo.output(0, b"$ ");
    assert_eq!(solo.events(), [Event::Failed(Failure::NotAPortSession)]);
}

#[test]
fn handshakes_that_make_no_sense_fail_the_session() {
    for (payload_type, payload) in [
        (PayloadType::HandshakeRequest, &b"not JSON"[..]),
        (
            PayloadType::HandshakeRequest,
            br#"{"AgentVersion":"3.3.987.0"}"#,
        ),
        (
            PayloadType::HandshakeRequest,
            br#"{"AgentVersion":"3.3.987.0","RequestedClientActions":null}"#,
        ),
        (PayloadType::HandshakeComplete, b"{}"),
    ] {
        let mut solo = Solo::linked();
        solo.data(0, payload_type, payload);
        let events = solo.events();
        assert!(
            matches!(events[..], [Event::Failed(Failure::Handshake(_))]),
            "{events:?}"
        );
    }
}

#[test]
fn handshake_that_is_not_complete_after_15_s_fails_once() {
    let mut solo = Solo::linked();
    assert!(solo.pass(millis(14_999)).is_empty() && solo.events().is_empty());
    solo.pass(seconds(60));
    assert_eq!(solo.events(), [Event::Failed(Failure::HandshakeTimeout)]);
}

#[test]
fn the_15_s_go_on_over_a_new_link() {
    let mut solo = Solo::linked();
    solo.pass(seconds(10));
    solo.session.handle_disconnected(solo.now);
    solo.session.handle_connected(solo.now);
    solo.pass(seconds(6));
    assert_eq!(solo.events(), [Event::Failed(Failure::HandshakeTimeout)]);
}

#[test]
fn message_to_the_customer_comes_with_the_word_that_the_session_is_ready() {
    let profile = AgentProfile {
        customer_message: "hello".to_owned(),
        ..AgentProfile::quick()
    };
    let mut pair = Pair::new(1, profile, |_| {});
    pair.pass(seconds(1));
    let ready = Event::Ready {
        agent_version: "3.3.987.0".to_owned(),
        customer_message: Some("hello".to_owned()),
    };
    assert_eq!(pair.at_client.others, [ready]);
    assert_eq!(pair.client.peer_version(), Some("3.3.987.0"));
    assert_eq!(pair.agent.peer_version(), Some("1.2.814.0"));
}

#[test]
fn first_data_that_the_agent_was_not_ready_for_is_repeated_within_100_ms() {
    let profile = AgentProfile {
        unready_for: millis(60),
        ..AgentProfile::default()
    };
    let mut pair = Pair::new(1, profile, |_| {});
    pair.weather.delay = millis(1);
    pair.client.open();
    let opened = pair.run(millis(100), |_| {}, |pair| !pair.at_agent.opened.is_empty());
    assert!(opened, "{:?}", pair.client.stats(pair.now));
    assert!(pair.client.stats(pair.now).resent > 0);
}

#[test]
fn data_waits_until_the_agent_has_noted_that_the_handshake_is_complete() {
    let profile = AgentProfile {
        unready_for: millis(25),
        loses_early_data: true,
        ..AgentProfile::default()
    };
    let mut pair = Pair::new(1, profile, |_| {});
    pair.client.open();
    let opened = pair.run(seconds(5), |_| {}, |pair| !pair.at_agent.opened.is_empty());
    assert!(opened, "{:?}", pair.client.stats(pair.now));
    assert_eq!(pair.client.stats(pair.now).resent, 0);
}

#[test]
fn agents_that_lose_early_data_get_it_a_second_later() {
    let mut solo = Solo::linked().shake_hands("3.0.654.0");
    solo.session.open();
    let sent = solo.pass(seconds(2));
    let data = sent
        .iter()
        .find(|(_, message)| message.kind == Kind::InputStreamData);
    assert_eq!(data.map(|(at, _)| *at), Some(seconds(1)));
}

/// The client's response to a request, and its failure.
fn answer(request: Vec<u8>, remote_host: bool) -> (HandshakeResponse, Option<Failure>) {
    let mut solo = Solo::with(|options| options.remote_host = remote_host);
    solo.data(0, PayloadType::HandshakeRequest, &request);
    let failure = solo.events().into_iter().find_map(|event| match event {
        Event::Failed(failure) => Some(failure),
        _ => None,
    });
    (response(&solo.sent()), failure)
}

fn response(sent: &[Message]) -> HandshakeResponse {
    serde_json::from_slice(&sent.last().expect("a response").payload).expect("JSON")
}

fn statuses(response: &HandshakeResponse) -> Vec<u32> {
    response
        .processed_client_actions
        .iter()
        .map(|action| action.action_status)
        .collect()
}

fn kinds(messages: &[Message]) -> Vec<Kind> {
    messages.iter().map(|message| message.kind).collect()
}

fn types(messages: &[Message]) -> Vec<PayloadType> {
    messages
        .iter()
        .filter_map(|message| message.payload_type)
        .collect()
}

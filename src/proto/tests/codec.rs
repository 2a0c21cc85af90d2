//! Bytes ↔ messages.

use super::solo::{Solo, request, session_type};
use crate::proto::Event;
use crate::proto::message::{Error, Kind, Message, PayloadType};
use crate::proto::payload::{Acknowledge, ChannelClosed, Flag, Open};
use bytes::{Bytes, BytesMut};
use serde_json::json;
use uuid::{Uuid, uuid};

#[test]
fn recorded_stream_data_is_read_and_written_back() {
    let (frame, message) = vector(include_str!("../../../tests/vectors/input_stream_data.hex"));
    assert_eq!(frame.len(), 141);
    assert_eq!(message.kind, Kind::InputStreamData);
    assert_eq!(
        (message.created, message.sequence, message.flags),
        (1_700_000_000_000, 5, 0)
    );
    assert_eq!(message.id, uuid!("7b2a1c9e-3f40-4d5b-8c6d-0123456789ab"));
    assert_eq!(message.payload_type, Some(PayloadType::Output));
    assert_eq!(
        &message.payload[..],
        b"\x01\0\0\0\x03\0\0\0\x01\x02\x05\0\x03\0\0\0hello"
    );
    assert_eq!(message.encode(), frame);
}

#[test]
fn recorded_acknowledgement_is_read_and_written_back() {
    let (frame, message) = vector(include_str!("../../../tests/vectors/acknowledge.hex"));
    assert_eq!(frame.len(), 296);
    assert_eq!(
        (message.kind, message.sequence, message.flags),
        (Kind::Acknowledge, 0, 3)
    );
    assert_eq!(message.id, uuid!("0f1e2d3c-4b5a-4697-8879-6a5b4c3d2e1f"));
    assert_eq!(message.payload_type, Some(PayloadType::Unset));
    assert_eq!(
        serde_json::from_slice::<Acknowledge>(&message.payload)
            .expect("JSON")
            .sequence,
        7
    );
    assert_eq!(message.encode(), frame);

    let mut payload = BytesMut::new();
    Acknowledge::write(
        &mut payload,
        "output_stream_data",
        uuid!("c0ffee00-1234-4abc-9def-fedcba987654"),
        7,
    );
    assert_eq!(payload, message.payload);
}

#[test]
fn recorded_flag_is_read_and_written_back() {
    let (frame, message) = vector(include_str!("../../../tests/vectors/flag_terminate.hex"));
    assert_eq!(frame.len(), 124);
    assert_eq!(
        (message.kind, message.sequence, message.flags),
        (Kind::InputStreamData, 6, 0)
    );
    assert_eq!(message.id, uuid!("c0ffee00-1234-4abc-9def-fedcba987654"));
    assert_eq!(message.payload_type, Some(PayloadType::Flag));
    assert_eq!(Flag::parse(&message.payload), Some(Flag::TerminateSession));
    assert_eq!(message.encode(), frame);
}

#[test]
fn recorded_closing_notice_with_a_short_header_is_read_and_written_back() {
    let (frame, message) = vector(include_str!(
        "../../../tests/vectors/channel_closed_short.hex"
    ));
    assert_eq!(frame.len(), 300);
    assert_eq!(
        (message.kind, message.sequence, message.flags),
        (Kind::ChannelClosed, 0, 0)
    );
    assert_eq!(message.id, uuid!("deadbeef-0000-4000-8000-000000000001"));
    assert_eq!(message.payload_type, None);
    let closed: ChannelClosed = serde_json::from_slice(&message.payload).expect("JSON");
    assert_eq!(
        (closed.output.as_str(), closed.session_id.as_str()),
        ("bye", "s-1")
    );
    assert_eq!(message.encode(), frame);
}

#[test]
fn message_type_may_be_padded_with_nuls() {
    let mut frame = output_frame(b"data").to_vec();
    frame[4..36]
        .iter_mut()
        .filter(|byte| **byte == b' ')
        .for_each(|byte| *byte = 0);
    let message = Message::decode(frame.into()).expect("a message");
    assert_eq!(message.kind, Kind::OutputStreamData);
}

#[test]
fn lying_headers_are_errors() {
    let frame = output_frame(b"payload");
    let with = |header: u32| {
        let mut bytes = frame.to_vec();
        bytes[..4].copy_from_slice(&header.to_be_bytes());
        Message::decode(bytes.into())
    };
    for bad in [
        0,
        1,
        111,
        u32::MAX,
        i32::MAX as u32,
        frame.len() as u32 - 3,
        frame.len() as u32,
    ] {
        assert_eq!(
            with(bad),
            Err(Error::HeaderLength(bad)),
            "header length {bad}"
        );
    }
    assert!(matches!(with(117), Err(Error::PayloadLength { .. })));
}

#[test]
fn every_truncation_is_an_error() {
    let frame = output_frame(b"payload");
    for length in 0..frame.len() {
        assert!(
            Message::decode(frame.slice(..length)).is_err(),
            "{length} bytes"
        );
    }
}

#[test]
fn payload_length_must_be_that_of_the_payload() {
    let mut frame = output_frame(b"payload").to_vec();
    frame.push(0);
    assert_eq!(
        Message::decode(frame.into()),
        Err(Error::PayloadLength { said: 7, actual: 8 })
    );
}

#[test]
fn message_without_a_date_is_refused() {
    let mut frame = output_frame(b"payload").to_vec();
    frame[40..48].fill(0);
    assert_eq!(Message::decode(frame.into()), Err(Error::NoDate));
}

#[test]
fn publication_messages_are_taken_by_their_name_alone() {
    let mut frame = vec![0; 36];
    frame[4..22].copy_from_slice(b"start_publication\0");
    assert_eq!(
        Message::decode(frame.into()).map(|message| message.kind),
        Ok(Kind::StartPublication)
    );
}

#[test]
fn damaged_message_is_dropped_unacknowledged_until_a_good_repeat() {
    let mut solo = Solo::linked();
    let good = solo.frame(
        0,
        PayloadType::HandshakeRequest,
        &request("3.3.987.0", json!([session_type()])),
    );
    let mut bad = good.to_vec();
    *bad.last_mut().expect("a byte") ^= 1;
    assert_eq!(
        solo.session.handle_input(bad.into(), solo.now),
        Err(Error::Digest)
    );
    assert!(solo.sent().is_empty());
    assert_eq!(solo.session.stats(solo.now).dropped, 1);
    solo.feed(good);
    assert_eq!(solo.acked(), [0]);
}

#[test]
fn unknown_message_type_is_ignored_without_an_acknowledgement() {
    let mut solo = Solo::ready();
    let mut frame = output_frame(b"payload").to_vec();
    frame[4..36].copy_from_slice(b"output_stream_date\x07             ");
    let error = solo.session.handle_input(frame.into(), solo.now);
    assert_eq!(
        error,
        Err(Error::UnknownKind("output_stream_date\\x07".to_owned()))
    );
    assert!(solo.sent().is_empty());
}

#[test]
fn message_types_of_the_other_direction_are_ignored() {
    let mut solo = Solo::ready();
    let (frame, _) = vector(include_str!("../../../tests/vectors/input_stream_data.hex"));
    let error = solo.session.handle_input(frame, solo.now);
    assert_eq!(error, Err(Error::WrongWay("input_stream_data")));
    solo.service(Kind::AgentSessionState, br#"{"SessionState":"Connected"}"#);
    assert!(solo.sent().is_empty());
}

#[test]
fn unknown_payload_types_and_empty_payloads_are_acknowledged_and_counted() {
    let mut solo = Solo::ready();
    solo.data(2, PayloadType::ExitCode, b"EXIT_CODE: 0\n");
    solo.data(3, PayloadType::Output, b"");
    solo.data(4, PayloadType::Other(4711), b"");
    assert_eq!(solo.acked(), [2, 3, 4]);
    solo.data(4, PayloadType::Output, b"");
    assert_eq!(
        solo.session.stats(solo.now).duplicates,
        1,
        "the numbers have advanced"
    );
    assert_eq!(solo.events(), []);
}

#[test]
fn messages_do_not_show_payloads_nor_open_frames_their_token() {
    let (_, message) = vector(include_str!("../../../tests/vectors/input_stream_data.hex"));
    assert!(
        !format!("{message:?}").contains("hello") && !format!("{message:?}").contains("104, 101")
    );
    let frame = Solo::linked().session.open_frame("s3cret");
    let open: Open = serde_json::from_str(&frame).expect("JSON");
    assert_eq!(open.token_value, "s3cret");
    assert!(!format!("{open:?}").contains("s3cret"));
}

#[test]
fn open_frames_differ_in_request_and_token_but_not_in_client() {
    let mut solo = Solo::linked();
    let [first, second] = ["one", "two"].map(|token| solo.session.open_frame(token));
    let [first, second] =
        [first, second].map(|text| serde_json::from_str::<Open>(&text).expect("JSON"));
    assert_eq!(first.message_schema_version, "1.0");
    assert_eq!(
        (first.token_value.as_str(), second.token_value.as_str()),
        ("one", "two")
    );
    assert_eq!(first.client_id, second.client_id);
    assert_ne!(first.request_id, second.request_id);
    for id in [&first.client_id, &first.request_id] {
        assert_eq!(Uuid::parse_str(id).map(|id| id.get_version_num()), Ok(4));
    }
}

#[test]
fn closing_notices_end_the_session_in_both_forms() {
    for short in [true, false] {
        let mut solo = Solo::ready();
        let (frame, mut message) = vector(include_str!(
            "../../../tests/vectors/channel_closed_short.hex"
        ));
        message.payload_type = Some(PayloadType::Unset);
        solo.feed(if short { frame } else { message.encode() });
        assert_eq!(
            solo.events(),
            [Event::Closed {
                output: "bye".to_owned()
            }]
        );
    }
}

fn output_frame(payload: &[u8]) -> Bytes {
    Solo::linked().frame(0, PayloadType::Output, payload)
}

/// A frame from a hex dump, and what it says.
fn vector(dump: &str) -> (Bytes, Message) {
    let lines = dump.lines().filter(|line| !line.starts_with('#'));
    let bytes = lines.flat_map(|line| line.split_whitespace().skip(1));
    let frame: Bytes = bytes
        .map(|byte| u8::from_str_radix(byte, 16).expect("two hex digits"))
        .collect();
    let message = Message::decode(frame.clone()).expect("a recorded message is good");
    assert_eq!(message.check_digest(), Ok(()));
    (frame, message)
}

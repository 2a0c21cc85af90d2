//! Messages as the service and a faulty peer write them, put together by hand.
//!
//! Apart from `proto` on purpose: what the service itself sends (`channel_closed`, `pause_publication`) and what is
//! wrong by intent must not depend on the codec under test.

use std::time::SystemTime;

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// PayloadType of stream bytes.
pub const OUTPUT: u32 = 1;
/// PayloadType of a HandshakeRequest.
pub const HANDSHAKE_REQUEST: u32 = 5;

/// HeaderLength with the PayloadType, and so the offset of PayloadLength.
const LONG_HEADER: usize = 116;
/// HeaderLength of the form without PayloadType, seen in `channel_closed`.
const SHORT_HEADER: usize = 112;

/// Which header `channel_closed` has: both are seen from the service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// HeaderLength 112, no PayloadType.
    #[default]
    Short,
    /// HeaderLength 116.
    Long,
}

/// `channel_closed` for a session, with the reason shown to the user, if any.
#[must_use]
pub fn channel_closed(session: &str, output: Option<&str>, form: Form, wall: SystemTime) -> Bytes {
    let id = uuid::Uuid::new_v4();
    let mut payload = json!({
        "MessageId": id,
        "CreatedDate": millis(wall).to_string(),
        "DestinationId": "destination",
        "SessionId": session,
        "MessageType": "channel_closed",
        "SchemaVersion": 1,
    });
    if let Some(output) = output {
        payload["Output"] = Value::from(output);
    }
    let kind = match form {
        Form::Short => None,
        Form::Long => Some(0),
    };
    encode(
        "channel_closed",
        0,
        kind,
        payload.to_string().as_bytes(),
        wall,
    )
}

/// `pause_publication` (or `start_publication`) as the service sends it: unnumbered, with an empty object.
#[must_use]
pub fn publication(start: bool, wall: SystemTime) -> Bytes {
    let kind = if start {
        "start_publication"
    } else {
        "pause_publication"
    };
    encode(kind, 0, Some(0), b"{}", wall)
}

/// A message of the agent's stream with any number, payload type and payload.
#[must_use]
pub fn output(sequence: i64, payload_type: u32, payload: &[u8], wall: SystemTime) -> Bytes {
    encode(
        "output_stream_data",
        sequence,
        Some(payload_type),
        payload,
        wall,
    )
}

/// An acknowledgement of any number of the client's, due or not.
#[must_use]
pub fn acknowledge(sequence: i64, wall: SystemTime) -> Bytes {
    let payload = json!({
        "AcknowledgedMessageType": "input_stream_data",
        "AcknowledgedMessageId": uuid::Uuid::new_v4(),
        "AcknowledgedMessageSequenceNumber": sequence,
        "IsSequentialMessage": true,
    });
    encode(
        "acknowledge",
        0,
        Some(0),
        payload.to_string().as_bytes(),
        wall,
    )
}

/// Frames that no sane peer sends, for a client to survive: name and bytes.
#[must_use]
pub fn malformed(wall: SystemTime) -> Vec<(&'static str, Bytes)> {
    let good = output(0, OUTPUT, b"payload", wall);
    let with_header_length = |length: u32| {
        let mut bytes = BytesMut::from(&good[..]);
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        bytes.freeze()
    };
    let mut lying = BytesMut::from(&good[..]);
    lying[116..120].copy_from_slice(&1_000_000_u32.to_be_bytes());
    vec![
        ("empty", Bytes::new()),
        ("three bytes", Bytes::from_static(&[0, 0, 0])),
        ("truncated header", good.slice(..60)),
        ("header length zero", with_header_length(0)),
        (
            "header length beyond the frame",
            with_header_length(u32::MAX),
        ),
        ("payload length that lies", lying.freeze()),
        (
            "unknown message type",
            encode("something_new", 0, Some(0), b"{}", wall),
        ),
    ]
}

/// The MessageType of a frame, without its padding; empty when the frame is too short.
#[must_use]
pub fn message_type(frame: &[u8]) -> &[u8] {
    frame.get(4..36).unwrap_or_default().trim_ascii_end()
}

/// The PayloadType of a frame, when it has one.
#[must_use]
pub fn payload_type(frame: &[u8]) -> Option<u32> {
    (header_length(frame)? >= LONG_HEADER).then(|| u32_at(frame, 112))?
}

/// The SequenceNumber of a frame.
#[must_use]
pub fn sequence(frame: &[u8]) -> Option<i64> {
    let bytes = frame.get(48..56)?;
    Some(i64::from_be_bytes(bytes.try_into().ok()?))
}

/// The payload of a frame.
#[must_use]
pub fn payload(frame: &[u8]) -> Option<&[u8]> {
    frame.get(header_length(frame)? + 4..)
}

/// The same message with a digest that does not match.
#[must_use]
pub fn with_bad_digest(frame: &[u8]) -> Bytes {
    let mut out = BytesMut::from(frame);
    if let Some(byte) = out.get_mut(80) {
        *byte ^= 0xff;
    }
    out.freeze()
}

fn encode(
    kind: &str,
    sequence: i64,
    payload_type: Option<u32>,
    payload: &[u8],
    wall: SystemTime,
) -> Bytes {
    let header = payload_type.map_or(SHORT_HEADER, |_| LONG_HEADER);
    let mut out = BytesMut::with_capacity(header + 4 + payload.len());
    out.put_u32(header as u32);
    out.put_slice(format!("{kind:<32}").as_bytes());
    out.put_u32(1);
    out.put_u64(millis(wall));
    out.put_i64(sequence);
    out.put_u64(0);
    let id = uuid::Uuid::new_v4();
    out.put_slice(&id.as_bytes()[8..]);
    out.put_slice(&id.as_bytes()[..8]);
    out.put_slice(&Sha256::digest(payload));
    if let Some(payload_type) = payload_type {
        out.put_u32(payload_type);
    }
    out.put_u32(u32::try_from(payload.len()).expect("a control payload is small"));
    out.put_slice(payload);
    out.freeze()
}

fn millis(wall: SystemTime) -> u64 {
    wall.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(1, |since| since.as_millis() as u64)
}

fn header_length(frame: &[u8]) -> Option<usize> {
    u32_at(frame, 0).map(|length| length as usize)
}

fn u32_at(frame: &[u8], at: usize) -> Option<u32> {
    let bytes = frame.get(at..at + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_form_has_its_payload_at_116() {
        let frame = channel_closed("s-1", Some("bye"), Form::Short, SystemTime::now());
        assert_eq!(message_type(&frame), b"channel_closed");
        assert_eq!(payload_type(&frame), None);
        let body: Value = serde_json::from_slice(&frame[116..]).unwrap();
        assert_eq!(body["Output"], "bye");
        assert_eq!(payload(&frame), Some(&frame[116..]));
    }

    #[test]
    fn reading_junk_gives_nothing() {
        for length in 0..121 {
            let junk = vec![0xff; length];
            assert_eq!(payload(&junk), None);
            let _ = (message_type(&junk), payload_type(&junk), sequence(&junk));
        }
    }
}

//! Any frame is a message or an error, and a message survives being written and read again.
#![no_main]

#[allow(dead_code, unused_imports)]
#[path = "../../src/proto/mod.rs"]
mod proto;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use proto::message::{Head, Kind, Message, PayloadType};

fuzz_target!(|data: &[u8]| {
    let Ok(message) = Message::decode(Bytes::copy_from_slice(data)) else {
        return;
    };
    let _ = message.check_digest();
    if matches!(message.kind, Kind::PausePublication | Kind::StartPublication) {
        return;
    }
    let head = Head {
        kind: message.kind,
        created: message.created,
        sequence: message.sequence,
        flags: message.flags,
        id: message.id,
        payload_type: message.payload_type.unwrap_or(PayloadType::Unset),
    };
    let mut written = Message::new(head, message.payload.clone());
    written.payload_type = message.payload_type;
    let read = Message::decode(written.encode()).expect("what we write is well-formed");
    assert_eq!(read, written);
    assert_eq!(read.check_digest(), Ok(()));
});

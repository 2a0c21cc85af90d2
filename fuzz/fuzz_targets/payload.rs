//! Any payload is read or refused, and what was read survives being written and read again.
#![no_main]

#[allow(dead_code, unused_imports)]
#[path = "../../src/proto/mod.rs"]
mod proto;

use libfuzzer_sys::fuzz_target;
use proto::payload::{
    Acknowledge, ChannelClosed, Flag, HandshakeComplete, HandshakeRequest, HandshakeResponse, Open, SessionType,
};
use proto::version::{Traits, Version, check};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

fuzz_target!(|data: &[u8]| {
    again::<Open>(data);
    again::<HandshakeRequest>(data);
    again::<HandshakeResponse>(data);
    again::<HandshakeComplete>(data);
    again::<ChannelClosed>(data);
    again::<SessionType>(data);
    let _ = serde_json::from_slice::<Acknowledge>(data);
    if let Some(flag) = Flag::parse(data) {
        assert_eq!(flag.bytes(), data);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let (_, _, _) = (Version::parse(text), Traits::of(text), check(text, true));
    }
});

fn again<T: Serialize + DeserializeOwned + PartialEq + Debug>(data: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<T>(data) {
        let text = serde_json::to_vec(&value).expect("it was JSON");
        let read: T = serde_json::from_slice(&text).expect("it still is");
        // A number too long to be exact may move in its last place: what is written must be stable then.
        assert_eq!(serde_json::to_vec(&read).expect("it still is"), text);
    }
}

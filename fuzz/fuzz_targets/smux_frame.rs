//! Any bytes are frames or an error, the same ones wherever they are cut, and headers survive being written.
#![no_main]

#[allow(dead_code, unused_imports)]
#[path = "../../src/proto/mod.rs"]
mod proto;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use proto::datachannel::Pipe;
use proto::smux::{Error, Event, Header, Mux};
use std::collections::BTreeMap;

fuzz_target!(|data: &[u8]| {
    let Some((&first, data)) = data.split_first() else {
        return;
    };
    if let Some(Ok(header)) = data.first_chunk().map(|bytes| Header::decode(*bytes)) {
        assert_eq!(Header::decode(header.encode()), Ok(header));
    }
    let opener = first & 1 == 0;
    let part = usize::from(first >> 1).max(1);
    assert_eq!(play(opener, data.len().max(1), data), play(opener, part, data));
});

/// What a mux makes of `data` given in parts.
fn play(opener: bool, part: usize, data: &[u8]) -> (Vec<Event>, BTreeMap<u32, Vec<u8>>, Result<(), Error>) {
    let (mut mux, mut pipe) = (Mux::new(opener), Pipe::default());
    let mut streams = Vec::new();
    if opener {
        streams.extend((0..4).map(|_| mux.open(&mut pipe).expect("ids are left")));
    }
    let data = Bytes::copy_from_slice(data);
    let mut parts = (0..data.len()).step_by(part).map(|start| data.slice(start..data.len().min(start + part)));
    let result = parts.try_for_each(|part| mux.input(part));
    let events: Vec<Event> = std::iter::from_fn(|| mux.poll_event()).collect();
    for event in &events {
        if let Event::Opened(id) = event {
            streams.push(*id);
        }
    }
    let mut received = BTreeMap::new();
    for id in streams {
        let bytes: Vec<u8> = std::iter::from_fn(|| mux.read(id)).flatten().collect();
        received.insert(id.number(), bytes);
        mux.finish(id, &mut pipe);
    }
    assert_eq!((mux.unread(), mux.len(), mux.unresolved()), (0, 0, 0));
    (events, received, result)
}

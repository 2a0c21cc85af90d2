//! A session bears any sequence of frames, times, links and uses, in either role.
//!
//! The input is a list of steps: a byte that chooses, a byte of length, and so many bytes for the step.
#![no_main]

#[allow(dead_code, unused_imports)]
#[path = "../../src/proto/mod.rs"]
mod proto;

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use proto::message::{Head, Kind, Message, PayloadType};
use proto::payload::Acknowledge;
use proto::{AgentProfile, Event, Options, Role, Session, StreamId};
use std::time::{Duration, Instant, SystemTime};
use uuid::Uuid;

fuzz_target!(|data: &[u8]| {
    let Some((&role, mut data)) = data.split_first() else {
        return;
    };
    let mut play = Play::new(role & 1 == 0);
    while let [step, length, rest @ ..] = data {
        let (argument, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        play.step(*step, argument);
        play.drain();
        data = rest;
    }
});

struct Play {
    session: Session,
    role: Role,
    now: Instant,
    next: i64,
    streams: Vec<StreamId>,
}

impl Play {
    fn new(client: bool) -> Self {
        let (now, wall) = (Instant::now(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        let mut options =
            if client { Options::client(1, wall) } else { Options::agent(1, wall, AgentProfile::default()) };
        options.reorder_limit = 4096;
        let role = options.role;
        let mut session = Session::new(options, now);
        session.handle_connected(now);
        Self { session, role, now, next: 0, streams: Vec::new() }
    }

    fn step(&mut self, step: u8, argument: &[u8]) {
        let first = argument.first().copied().unwrap_or_default();
        let rest = argument.get(1..).unwrap_or_default();
        match step % 12 {
            0 => self.feed(Bytes::copy_from_slice(argument)),
            1 => {
                self.stream_data(self.next, first, rest);
                self.next += 1;
            }
            2 => self.stream_data(self.next + i64::from(first as i8), 1, rest),
            3 => self.acknowledge(i64::from(first)),
            4 => self.message(Kind::Acknowledge, 0, 0, argument),
            5 => self.message(if first & 1 == 0 { Kind::PausePublication } else { Kind::StartPublication }, 0, 0, rest),
            6 => self.wait(Duration::from_millis(1 << (first % 23))),
            7 if first & 1 == 0 => self.session.handle_disconnected(self.now),
            7 => self.session.handle_connected(self.now),
            8 => self.open(),
            9 => self.write(first, rest),
            10 => self.end(first),
            _ => self.session.terminate(self.now),
        }
    }

    fn stream_data(&mut self, sequence: i64, payload_type: u8, payload: &[u8]) {
        let kind = if self.role == Role::Client { Kind::OutputStreamData } else { Kind::InputStreamData };
        self.message(kind, sequence, payload_type, payload);
    }

    fn acknowledge(&mut self, sequence: i64) {
        let mut payload = BytesMut::new();
        Acknowledge::write(&mut payload, "input_stream_data", Uuid::nil(), sequence);
        self.message(Kind::Acknowledge, 0, 0, &payload);
    }

    fn message(&mut self, kind: Kind, sequence: i64, payload_type: u8, payload: &[u8]) {
        let payload_type = PayloadType::from(u32::from(payload_type));
        let head = Head { kind, created: 1, sequence, flags: 0, id: Uuid::nil(), payload_type };
        self.feed(Message::new(head, Bytes::copy_from_slice(payload)).encode());
    }

    fn feed(&mut self, frame: Bytes) {
        let _ = self.session.handle_input(frame, self.now);
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.session.handle_timeout(self.now);
        let next = self.session.next_timer();
        assert!(next.is_none_or(|(_, at)| at > self.now), "a deadline stays in the past: {next:?}");
    }

    fn open(&mut self) {
        if self.role == Role::Client {
            self.streams.push(self.session.open());
        }
    }

    fn write(&mut self, which: u8, data: &[u8]) {
        if let Some(id) = self.stream(which) {
            self.session.write(id, Bytes::copy_from_slice(data));
        }
    }

    fn end(&mut self, which: u8) {
        match self.stream(which >> 1) {
            Some(id) if which & 1 == 1 && self.role == Role::Agent => self.session.refuse(id),
            Some(id) => self.session.finish(id),
            None => {}
        }
    }

    fn stream(&self, which: u8) -> Option<StreamId> {
        self.streams.get(usize::from(which) % self.streams.len().max(1)).copied()
    }

    fn drain(&mut self) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Opened(id) => self.streams.push(id),
                Event::Readable(id) => while self.session.read(id).is_some() {},
                _ => {}
            }
        }
        while let Some(frame) = self.session.poll_transmit(self.now) {
            Message::decode(frame).expect("what we send is well-formed");
        }
        assert!(!self.session.has_transmit(self.now));
        let _ = self.session.stats(self.now);
    }
}

//! Many streams over one byte pipe: smux, version 1.
//!
//! [`Mux`] turns what the owner does with streams into frames in a [`Pipe`], and bytes of the far side's pipe into
//! events and data. It keeps every received byte until it is read; how much that may be is the owner's to watch.
//! There is no flow control per stream in this version of the protocol, no reset, and no answer to a NOP.

mod frame;
mod stream;

pub use frame::{Command, Error, HEADER, Header, MAX_DATA};
pub use stream::StreamId;

use crate::proto::datachannel::Pipe;
use bytes::{Buf, Bytes};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};
use stream::Stream;

/// What happened to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The far side opened it.
    Opened(StreamId),
    /// It had nothing to read and now has.
    Readable(StreamId),
    /// The far side sends no more.
    Finished(StreamId),
    /// The far side could not connect it; it is removed.
    Refused(StreamId),
    /// It was finished before the far side said anything, and now the far side did: its dial is over.
    Answered(StreamId),
}

/// The streams of one session.
pub struct Mux {
    opener: bool,
    streams: BTreeMap<u32, Stream>,
    next: u32,
    fresh: Vec<u32>,
    unresolved: usize,
    unread: usize,
    received: u64,
    refusals: usize,
    forgotten: BTreeSet<u32>,
    header: PartialHeader,
    body: Body,
    events: VecDeque<Event>,
}

impl Mux {
    /// The side that opens streams, if `opener`; else the one that accepts them.
    pub fn new(opener: bool) -> Self {
        Self {
            opener,
            streams: BTreeMap::new(),
            next: FIRST_ID,
            fresh: Vec::new(),
            unresolved: 0,
            unread: 0,
            received: 0,
            refusals: 0,
            forgotten: BTreeSet::new(),
            header: PartialHeader::default(),
            body: Body::default(),
            events: VecDeque::new(),
        }
    }

    /// Opens a stream.
    pub fn open(&mut self, pipe: &mut Pipe) -> Result<StreamId, Error> {
        let id = self.next;
        self.next = id.checked_add(2).ok_or(Error::NoIds)?;
        pipe.push_header(Header::bare(Command::Syn, id).encode());
        self.streams.insert(id, Stream::default());
        self.fresh.push(id);
        self.unresolved += 1;
        Ok(StreamId(id))
    }

    /// Sends data; a stream that was removed takes it and does nothing.
    pub fn write(&mut self, id: StreamId, mut data: Bytes, pipe: &mut Pipe) {
        if !self.streams.contains_key(&id.0) {
            return;
        }
        while !data.is_empty() {
            let part = data.split_to(data.len().min(MAX_DATA));
            let length = part.len() as u16;
            pipe.push_header(
                Header {
                    command: Command::Psh,
                    length,
                    stream: id.0,
                }
                .encode(),
            );
            pipe.push_data(part);
        }
    }

    /// Sends a FIN after all that was written, and removes the stream with what was not read.
    pub fn finish(&mut self, id: StreamId, pipe: &mut Pipe) {
        let Some(stream) = self.remove(id.0) else {
            return;
        };
        pipe.push_header(Header::bare(Command::Fin, id.0).encode());
        if self.opener && stream.is_unresolved() {
            self.forgotten.insert(id.0);
            if self.forgotten.len() > MAX_FORGOTTEN {
                self.forgotten.pop_first();
            }
        }
    }

    /// Sends a frame that does nothing.
    pub fn nop(&mut self, pipe: &mut Pipe) {
        pipe.push_header(Header::bare(Command::Nop, 0).encode());
    }

    /// The next piece of what was received; `None` when all is read.
    pub fn read(&mut self, id: StreamId) -> Option<Bytes> {
        let data = self.streams.get_mut(&id.0)?.read()?;
        self.unread -= data.len();
        Some(data)
    }

    /// Takes the next bytes of the far side's pipe, cut anywhere.
    pub fn input(&mut self, mut bytes: Bytes) -> Result<(), Error> {
        while !bytes.is_empty() {
            if self.body.left > 0 {
                let data = bytes.split_to(bytes.len().min(self.body.left));
                self.body.left -= data.len();
                self.data(self.body.stream, data);
            } else if let Some(header) = self.header.fill(&mut bytes) {
                self.frame(Header::decode(header)?);
            }
        }
        Ok(())
    }

    /// The agent could not connect some stream; which one, its FIN will tell.
    pub fn connect_failed(&mut self) {
        self.refusals += 1;
        self.clear_refusals();
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Notes that what was opened so far is being sent `now`.
    pub fn note_sent(&mut self, now: Instant) {
        for id in self.fresh.drain(..) {
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.opened = Some(now);
            }
        }
    }

    /// Streams that are open.
    pub fn len(&self) -> usize {
        self.streams.len()
    }

    /// Whether no stream is open.
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Streams for which neither a byte nor an end has come.
    pub fn unresolved(&self) -> usize {
        self.unresolved
    }

    /// How long ago the oldest of those was sent.
    pub fn oldest_unresolved(&self, now: Instant) -> Option<Duration> {
        let mut unresolved = self
            .streams
            .values()
            .filter(|stream| stream.is_unresolved());
        Some(now.saturating_duration_since(unresolved.next()?.opened?))
    }

    /// Bytes to read, over all streams.
    pub fn unread(&self) -> usize {
        self.unread
    }

    /// Bytes to read of one stream.
    pub fn unread_of(&self, id: StreamId) -> usize {
        self.streams.get(&id.0).map_or(0, Stream::unread)
    }

    /// Bytes received for streams so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Refusals whose stream is not known yet.
    pub fn refusals(&self) -> usize {
        self.refusals
    }

    fn frame(&mut self, header: Header) {
        match header.command {
            Command::Syn => self.opened(header.stream),
            Command::Fin => self.ended(header.stream),
            Command::Psh => {
                self.body = Body {
                    stream: header.stream,
                    left: header.length.into(),
                }
            }
            Command::Nop => {}
        }
    }

    fn opened(&mut self, id: u32) {
        if self.opener || self.streams.contains_key(&id) {
            return;
        }
        self.streams.insert(id, Stream::default());
        self.unresolved += 1;
        self.events.push_back(Event::Opened(StreamId(id)));
    }

    fn data(&mut self, id: u32, data: Bytes) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return self.was_connected(id);
        };
        if stream.has_ended() {
            return;
        }
        let resolved = stream.is_unresolved();
        self.unread += data.len();
        self.received += data.len() as u64;
        if stream.receive(data) {
            self.events.push_back(Event::Readable(StreamId(id)));
        }
        if resolved {
            self.unresolved -= 1;
            self.clear_refusals();
        }
    }

    /// Data for a stream that is gone: no refusal will be its own.
    fn was_connected(&mut self, id: u32) {
        if self.recall(id) {
            self.clear_refusals();
        }
    }

    fn ended(&mut self, id: u32) {
        let unresolved = match self.streams.get(&id) {
            Some(stream) => stream.is_unresolved(),
            None => self.recall(id),
        };
        let refused = unresolved && self.refusals > 0;
        self.refusals -= usize::from(refused);
        if refused {
            if self.remove(id).is_some() {
                self.events.push_back(Event::Refused(StreamId(id)));
            }
        } else if let Some(stream) = self.streams.get_mut(&id) {
            self.unresolved -= usize::from(unresolved);
            if !stream.has_ended() {
                stream.end();
                self.events.push_back(Event::Finished(StreamId(id)));
            }
        }
        self.clear_refusals();
    }

    /// Whether a stream was waited for though it is removed; it is not any more.
    fn recall(&mut self, id: u32) -> bool {
        let awaited = self.forgotten.remove(&id);
        if awaited {
            self.events.push_back(Event::Answered(StreamId(id)));
        }
        awaited
    }

    fn remove(&mut self, id: u32) -> Option<Stream> {
        let stream = self.streams.remove(&id)?;
        self.unread -= stream.unread();
        self.unresolved -= usize::from(stream.is_unresolved());
        Some(stream)
    }

    /// A refusal that no stream can be waiting for was for one that is gone.
    fn clear_refusals(&mut self) {
        if self.unresolved == 0 && self.forgotten.is_empty() {
            self.refusals = 0;
        }
    }
}

/// The reference's counter starts at 1 and is advanced before use.
const FIRST_ID: u32 = 3;

/// Streams removed before the agent said anything about them, remembered to tell whose a refusal is. More than the
/// agent's backlog of 1,024 cannot be waiting for its answer.
const MAX_FORGOTTEN: usize = 1024;

/// A header of which some bytes have come.
#[derive(Default)]
struct PartialHeader {
    bytes: [u8; HEADER],
    filled: usize,
}

impl PartialHeader {
    /// Takes bytes until the header is whole, and gives it.
    fn fill(&mut self, bytes: &mut Bytes) -> Option<[u8; HEADER]> {
        let count = bytes.len().min(HEADER - self.filled);
        bytes.copy_to_slice(&mut self.bytes[self.filled..self.filled + count]);
        self.filled = (self.filled + count) % HEADER;
        (self.filled == 0).then_some(self.bytes)
    }
}

/// What is still to come of a frame's data.
#[derive(Default)]
struct Body {
    stream: u32,
    left: usize,
}

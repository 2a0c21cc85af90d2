//! What a data channel sends next, and making the frames.

use super::acks::Ack;
use super::{DataChannel, Sent};
use crate::proto::message::{self, Head, Kind, OVERHEAD, PayloadType};
use crate::proto::payload::Acknowledge;
use bytes::{Bytes, BytesMut};
use std::time::Instant;

impl DataChannel {
    /// The next frame to send; bytes of the pipe only if it is `open`.
    pub(crate) fn poll_transmit(&mut self, open: bool, now: Instant) -> Option<(Sent, Bytes)> {
        match self.next(open, now)? {
            Sent::Ack => self
                .acks
                .pop(now)
                .map(|ack| (Sent::Ack, self.encode_ack(ack, now))),
            Sent::Repeat => self.repeat(now),
            Sent::Control(..) => self.transmit_control(now),
            Sent::Data => Some((Sent::Data, self.transmit_data(now))),
        }
    }

    /// Whether [`DataChannel::poll_transmit`] would give a frame.
    pub(crate) fn has_transmit(&self, open: bool, now: Instant) -> bool {
        self.next(open, now).is_some()
    }

    fn next(&self, open: bool, now: Instant) -> Option<Sent> {
        if !self.linked {
            return None;
        }
        if !self.acks.is_empty() {
            return Some(Sent::Ack);
        }
        if self.pause.holds_everything() || self.burst.is_spent(now) {
            return None;
        }
        if self.outgoing.has_due() {
            return Some(Sent::Repeat);
        }
        if let Some(&(payload_type, _)) = self.control.front() {
            return Some(Sent::Control(payload_type, self.outgoing.next()));
        }
        (open && !self.pipe.is_empty() && self.takes_data(now)).then_some(Sent::Data)
    }

    /// Whether one more message of data may be sent.
    pub(crate) fn takes_data(&self, now: Instant) -> bool {
        let has_room = self.outgoing.counted() < self.window.size();
        self.linked && has_room && !self.pause.holds_data() && !self.rest.lasts(now)
    }

    /// Sends a message of data that was cut by the caller, who has asked [`DataChannel::takes_data`].
    pub(crate) fn send_data(&mut self, payload_type: PayloadType, payload: Bytes, now: Instant) {
        self.send_control(payload_type, payload);
        self.rest.begin(now);
    }

    fn repeat(&mut self, now: Instant) -> Option<(Sent, Bytes)> {
        let again = self.outgoing.take_due(&self.rtt, now)?;
        self.counts.resent += 1;
        self.burst.spend(&self.rtt, now);
        // One that is repeated at leisure may never be answered, and that is no silence.
        if !again.slow {
            self.silence.sent(now);
        }
        Some((Sent::Repeat, again.frame))
    }

    fn transmit_control(&mut self, now: Instant) -> Option<(Sent, Bytes)> {
        let (payload_type, payload) = self.control.pop_front()?;
        let number = self.outgoing.next();
        self.buffer.reserve(OVERHEAD + payload.len());
        let head = self.head(payload_type, now);
        let frame = message::encode(&mut self.buffer, &head, |buffer| {
            buffer.extend_from_slice(&payload)
        });
        self.keep(frame.clone(), false, now);
        Some((Sent::Control(payload_type, number), frame))
    }

    fn transmit_data(&mut self, now: Instant) -> Bytes {
        let head = self.head(PayloadType::Output, now);
        let length = self.pipe.len().min(self.config.payload);
        reserve(&mut self.buffer, OVERHEAD + length);
        let pipe = &mut self.pipe;
        let frame = message::encode(&mut self.buffer, &head, |buffer| pipe.take(length, buffer));
        let first = !std::mem::replace(&mut self.data_begun, true);
        self.keep(frame.clone(), first, now);
        self.rest.begin(now);
        frame
    }

    fn keep(&mut self, frame: Bytes, eager: bool, now: Instant) {
        self.counts.sent += 1;
        self.outgoing
            .keep(frame, eager && self.config.client, &self.rtt, now);
        self.burst.spend(&self.rtt, now);
        self.silence.sent(now);
    }

    /// The head of the next stream message. The reference agent marks its first one, and nobody looks.
    fn head(&mut self, payload_type: PayloadType, now: Instant) -> Head {
        let sequence = self.outgoing.next();
        Head {
            kind: if self.config.client {
                Kind::InputStreamData
            } else {
                Kind::OutputStreamData
            },
            created: self.created(now),
            sequence,
            flags: u64::from(!self.config.client && sequence == 0),
            id: self.new_id(),
            payload_type,
        }
    }

    fn encode_ack(&mut self, ack: Ack, now: Instant) -> Bytes {
        let head = Head {
            kind: Kind::Acknowledge,
            created: self.created(now),
            sequence: 0,
            flags: SYN_AND_FIN,
            id: self.new_id(),
            payload_type: PayloadType::Unset,
        };
        let acked = if self.config.client {
            Kind::OutputStreamData
        } else {
            Kind::InputStreamData
        };
        reserve(&mut self.buffer, OVERHEAD + MAX_ACK);
        message::encode(&mut self.buffer, &head, |buffer| {
            Acknowledge::write(buffer, acked.name(), ack.id, ack.number);
        })
    }
}

/// Makes room for one message, and for some more, so that not each has an allocation of its own.
fn reserve(buffer: &mut BytesMut, length: usize) {
    if buffer.capacity() < length {
        buffer.reserve(length.max(CHUNK));
    }
}

/// Messages share allocations of this size. A message kept for long keeps the whole chunk, so not too large.
const CHUNK: usize = 16 * 1024;

/// The payload of an acknowledgement is at most this long: fixed text, an id, and a number of 20 digits.
const MAX_ACK: usize = 200;

/// The flags of an acknowledgement, as the reference writes them.
const SYN_AND_FIN: u64 = 3;

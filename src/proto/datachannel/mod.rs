//! A reliable, ordered byte pipe made of messages.
//!
//! `DataChannel` numbers what is sent, keeps it until it is acknowledged, sends it again when that takes too long, and
//! puts what arrives in order. It outlives links: numbers and everything unacknowledged stay. It does not look into
//! payloads, and knows the two roles only as a few switches.
//!
//! What is sent, in order of preference: acknowledgements, what is due again, handshake and flags, bytes of the [`Pipe`].

mod acks;
mod incoming;
mod outgoing;
mod pacing;
mod pipe;
mod rtt;
mod sending;
mod silence;
mod window;

pub(crate) use incoming::Received;
pub use pipe::Pipe;
pub use rtt::Rtt;
pub(crate) use silence::{Silence, Verdict};

use crate::proto::message::{Error, Kind, Message, PayloadType};
use crate::proto::payload::{Acknowledge, ChannelClosed};
use acks::{Ack, Acks};
use bytes::{Bytes, BytesMut};
use incoming::{Arrival, Incoming};
use outgoing::Outgoing;
use pacing::{Burst, Pause, Rest};
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant, SystemTime};
use uuid::{Builder, Uuid};
use window::Window;

/// Which unacknowledged messages are sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resend {
    /// The oldest alone, at most once in 100 ms, as the reference does.
    FrontOnly,
    /// All, each when it is due.
    All,
}

/// How a data channel behaves.
pub(crate) struct Config {
    /// Whether it is the client's end.
    pub(crate) client: bool,
    pub(crate) seed: u64,
    pub(crate) wall: SystemTime,
    pub(crate) payload: usize,
    pub(crate) window: RangeInclusive<usize>,
    pub(crate) reorder_limit: usize,
    pub(crate) resend: Resend,
    pub(crate) pace: Option<Duration>,
    pub(crate) ack_duplicates: bool,
}

/// What a frame from [`DataChannel::poll_transmit`] carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Ack,
    Repeat,
    /// A handshake or flag message, and its number.
    Control(PayloadType, i64),
    /// Bytes of the pipe.
    Data,
}

/// What a frame was, as far as the channel leaves it to its owner.
pub(crate) enum Taken {
    /// Nothing is left to do.
    All,
    /// Stream data, for [`DataChannel::receive`].
    Data(Message),
    /// The service ended the session, with this text.
    Closed(String),
}

/// Counts since the beginning.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) resent: u64,
    pub(crate) duplicates: u64,
}

/// One end of a data channel.
pub(crate) struct DataChannel {
    /// Bytes to be sent as data.
    pub(crate) pipe: Pipe,
    pub(crate) silence: Silence,
    pub(crate) counts: Counts,
    config: Config,
    start: Instant,
    ids: fastrand::Rng,
    buffer: BytesMut,
    control: VecDeque<(PayloadType, Bytes)>,
    outgoing: Outgoing,
    incoming: Incoming,
    arrived: VecDeque<Received>,
    acks: Acks,
    rtt: Rtt,
    window: Window,
    linked: bool,
    pause: Pause,
    burst: Burst,
    rest: Rest,
    data_begun: bool,
    last_ack: Option<Instant>,
}

impl DataChannel {
    /// A channel without a link; `now` is when `config.wall` was read.
    pub(crate) fn new(config: Config, now: Instant) -> Self {
        Self {
            pipe: Pipe::default(),
            silence: Silence::default(),
            counts: Counts::default(),
            start: now,
            ids: fastrand::Rng::with_seed(config.seed),
            buffer: BytesMut::new(),
            control: VecDeque::new(),
            outgoing: Outgoing::new(config.resend),
            incoming: Incoming::new(config.reorder_limit),
            arrived: VecDeque::new(),
            acks: Acks::default(),
            rtt: if config.client {
                Rtt::client()
            } else {
                Rtt::reference()
            },
            window: Window::new(&config.window),
            linked: false,
            pause: Pause::new(config.client),
            burst: Burst::default(),
            rest: Rest::new(config.pace),
            data_begun: false,
            last_ack: None,
            config,
        }
    }

    /// A link is up: everything unacknowledged is sent again, little by little.
    pub(crate) fn connected(&mut self, now: Instant) {
        self.linked = true;
        self.pause.end();
        self.rtt.path_changed();
        self.outgoing.collect_everything(now);
        self.burst = Burst::start(self.outgoing.has_due());
        self.silence.connected(self.outgoing.unacked() > 0, now);
    }

    /// The link is gone: nothing is sent until the next one.
    pub(crate) fn disconnected(&mut self, now: Instant) {
        self.linked = false;
        self.outgoing.forget_due();
        self.acks.recall(now);
        self.silence.disconnected();
    }

    /// Nothing is sent any more.
    pub(crate) fn shut(&mut self) {
        self.linked = false;
        self.pipe.clear();
        self.control.clear();
        self.acks.clear();
        self.silence.disconnected();
    }

    /// Sends a message of its own, before all bytes of the pipe that have no number yet.
    pub(crate) fn send_control(&mut self, payload_type: PayloadType, payload: impl Into<Bytes>) {
        self.control.push_back((payload_type, payload.into()));
    }

    /// Takes a frame. An error says why it was ignored.
    pub(crate) fn take(
        &mut self,
        frame: Bytes,
        check_digest: bool,
        now: Instant,
    ) -> Result<Taken, Error> {
        let message = Message::decode(frame)?;
        if check_digest {
            message.check_digest()?;
        }
        match message.kind {
            Kind::InputStreamData if !self.config.client => return Ok(Taken::Data(message)),
            Kind::OutputStreamData if self.config.client => return Ok(Taken::Data(message)),
            Kind::InputStreamData | Kind::OutputStreamData => {
                return Err(Error::WrongWay(message.kind.name()));
            }
            Kind::Acknowledge => {
                let ack: Acknowledge = serde_json::from_slice(&message.payload)
                    .map_err(|_| Error::Payload(message.kind.name()))?;
                self.acknowledged(ack.sequence, now);
            }
            Kind::ChannelClosed => {
                return Ok(Taken::Closed(ChannelClosed::reason(&message.payload)));
            }
            Kind::PausePublication => {
                self.pause.begin(now);
                self.window.halve(&self.rtt, now);
            }
            Kind::StartPublication => self.pause.end(),
            Kind::AgentSessionState | Kind::DataChannelReady => {}
        }
        Ok(Taken::All)
    }

    /// Takes a stream message. What is to be delivered comes from [`DataChannel::next_arrived`]. While the receiver is not
    /// `ready`, the message whose turn it is stays unacknowledged.
    pub(crate) fn receive(&mut self, message: Message, ready: bool) -> Result<(), Error> {
        self.pause.end();
        let payload_type = message
            .payload_type
            .ok_or(Error::Payload(message.kind.name()))?;
        let number = message.sequence;
        if self.acks.is_full() {
            return Err(Error::TooEarly(number));
        }
        if !ready && number == self.incoming.expected() {
            return Err(Error::NotReady(number));
        }
        let received = Received {
            payload_type,
            payload: message.payload,
        };
        let arrival = self.incoming.place(number, &received);
        match arrival {
            Arrival::Next => self.deliver(received),
            Arrival::Early => self.counts.received += 1,
            Arrival::Repeat => self.counts.duplicates += 1,
            Arrival::TooEarly => return Err(Error::TooEarly(number)),
        }
        if arrival != Arrival::Repeat || self.config.ack_duplicates {
            self.acks.push(Ack {
                id: message.id,
                number,
            });
        }
        Ok(())
    }

    /// The payload of the next message in order.
    pub(crate) fn next_arrived(&mut self) -> Option<Received> {
        self.arrived.pop_front()
    }

    /// Takes the acknowledgement of a number, known or not.
    fn acknowledged(&mut self, number: i64, now: Instant) {
        self.pause.end();
        self.last_ack = Some(now);
        let waiting = self.outgoing.counted();
        if let Some(acked) = self.outgoing.acknowledge(number, &self.rtt, now) {
            // The reference takes every sample. Ours may be from the first sending or from a repeat, so it is not one.
            if acked.certain || !self.config.client {
                self.rtt.sample(acked.elapsed);
            }
            if acked.passed_lost {
                self.window.halve(&self.rtt, now);
            } else {
                self.window.grow(waiting, &self.rtt);
            }
            // One that frees nothing, such as a repeat on a new link, is no sign of life.
            self.silence.heard(self.outgoing.counted() > 0, now);
        }
    }

    /// The peer does not acknowledge what it has already.
    pub(crate) fn expect_wedges(&mut self) {
        self.outgoing.expect_wedges();
    }

    /// Time has come for some deadline of [`DataChannel::deadlines`].
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if !self.linked {
            return;
        }
        self.pause.expire(now);
        self.rest.expire(now);
        self.burst.expire(self.outgoing.has_due(), now);
        if self.outgoing.collect_due(&mut self.rtt, now) {
            self.window.halve(&self.rtt, now);
        }
    }

    /// When what is to be done: resending, more of a burst, the end of a rest, the end of a pause. Only who `has_data`
    /// waits for the end of a rest.
    pub(crate) fn deadlines(&self, has_data: bool) -> [Option<Instant>; 4] {
        if !self.linked {
            return [None; 4];
        }
        let rest = self.rest.deadline().filter(|_| has_data);
        [
            self.outgoing.wake(),
            self.burst.deadline(),
            rest,
            self.pause.deadline(),
        ]
    }

    /// Whether nothing waits to be sent or acknowledged.
    pub(crate) fn is_drained(&self) -> bool {
        self.pipe.is_empty() && self.control.is_empty() && self.outgoing.unacked() == 0
    }

    /// Whether message `number` was sent and acknowledged.
    pub(crate) fn is_acknowledged(&self, number: i64) -> bool {
        self.outgoing.is_acknowledged(number)
    }

    /// Whether there is a link.
    pub(crate) fn is_linked(&self) -> bool {
        self.linked
    }

    /// Messages not acknowledged.
    pub(crate) fn unacked(&self) -> usize {
        self.outgoing.unacked()
    }

    /// Messages that may wait for acknowledgement.
    pub(crate) fn window(&self) -> usize {
        self.window.size()
    }

    /// The round trip, if measured.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.rtt.measured()
    }

    /// When anything was acknowledged last.
    pub(crate) fn last_ack(&self) -> Option<Instant> {
        self.last_ack
    }

    fn deliver(&mut self, received: Received) {
        self.counts.received += 1;
        self.arrived.push_back(received);
        while let Some(early) = self.incoming.next_early() {
            self.arrived.push_back(early);
        }
    }

    /// Milliseconds since the epoch; never zero, which receivers refuse.
    pub(crate) fn created(&self, now: Instant) -> u64 {
        let wall = self.config.wall + now.saturating_duration_since(self.start);
        let since = wall
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX).max(1)
    }

    /// A fresh random id.
    pub(crate) fn new_id(&mut self) -> Uuid {
        Builder::from_random_bytes(self.ids.u128(..).to_ne_bytes()).into_uuid()
    }
}

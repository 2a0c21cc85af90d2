//! Data channel and mux as one machine: all that the rest of the crate sees of the protocol.
//!
//! A [`Session`] lives as long as an SSM session, over one link after another. Its owner tells it what happens
//! (`handle_*`), then takes all consequences: [`Session::poll_event`] until `None`, [`Session::poll_transmit`] until `None`
//! or until the link takes no more, and a wake-up at [`Session::poll_timeout`]. `handle_*` and the stream methods only
//! queue; only `poll_*` emits.
//!
//! What it leaves to the owner: opening links and pinging them, the SSM calls, and how much unread data to bear. A smux
//! stream cannot be slowed down alone; see [`Session::unread`].
//!
//! Invariants: no byte of a stream is sent before HandshakeComplete; bytes of a stream arrive in order, none twice, none
//! missing; after `handle_timeout(now)`, `poll_timeout()` is later than `now` or `None`; no input makes it panic.

mod agent;
mod client;
mod event;
mod options;
mod streams;
mod timers;

pub use crate::proto::datachannel::Resend;
pub use crate::proto::smux::StreamId;
pub use event::{Event, Failure, Notice, Stats, Timer};
pub(in crate::proto) use options::CLIENT_VERSION;
pub use options::{AgentProfile, Options, Role};
pub(in crate::proto) use timers::SETTLE;

use crate::proto::datachannel::{Config, DataChannel, Sent, Taken};
use crate::proto::message::{Error, Message, PayloadType};
use crate::proto::payload::{self, Flag};
use crate::proto::smux::{self, Mux};
use crate::proto::version::Traits;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Instant;
use timers::Timers;

/// One end of an SSM session's protocol.
pub struct Session {
    options: Options,
    client_id: String,
    channel: DataChannel,
    mux: Mux,
    handshake: Handshake,
    life: Life,
    traits: Traits,
    peer_version: Option<String>,
    terminate: Terminate,
    timers: Timers,
    events: VecDeque<Event>,
    bytes_sent: u64,
    dropped: u64,
    /// Agent: nothing is delivered any more, though all is acknowledged.
    mux_broken: bool,
    connect_failures: u64,
}

/// How far the handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handshake {
    /// A client waits for the request, an agent for the response.
    Waiting,
    /// A client has answered, an agent is about to complete.
    Answered,
    /// Data may be sent.
    Complete,
}

/// Whether the session can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Going,
    /// Nothing more is done with streams; acknowledgements and flags still are, so that the end can be a clean one.
    Failed,
    Closed,
}

/// The client's word that it ends the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Terminate {
    Unsaid,
    Queued,
    Sent(i64),
}

impl Session {
    /// A session that has no link yet. `now` is when `options.wall` was read.
    pub fn new(options: Options, now: Instant) -> Self {
        let client = options.role == Role::Client;
        let mut channel = DataChannel::new(channel_config(&options), now);
        let mut session = Self {
            client_id: channel.new_id().to_string(),
            channel,
            mux: Mux::new(client),
            handshake: Handshake::Waiting,
            life: Life::Going,
            traits: Traits::MODERN,
            peer_version: None,
            terminate: Terminate::Unsaid,
            timers: Timers::default(),
            events: VecDeque::new(),
            bytes_sent: 0,
            dropped: 0,
            mux_broken: false,
            connect_failures: 0,
            options,
        };
        if !client {
            session.request_handshake();
        }
        session
    }

    /// The text frame that opens a link, with the token issued for it: send it before all else, then call
    /// [`Session::handle_connected`]. Each call makes a new request id; the client id is the same for all.
    ///
    /// The text holds the token: do not log it.
    pub fn open_frame(&mut self, token: &str) -> String {
        let open = payload::Open {
            message_schema_version: "1.0".to_owned(),
            request_id: self.channel.new_id().to_string(),
            token_value: token.to_owned(),
            client_id: self.client_id.clone(),
            client_version: Some(self.options.client_version.clone()).filter(|_| self.is_client()),
        };
        serde_json::to_string(&open).expect("a struct of strings is JSON")
    }

    /// A link is up and the open frame is sent. Everything unacknowledged becomes due, at most 256 messages in each
    /// round trip, and so do acknowledgements that may have been lost. The first call starts the 15 s of the handshake.
    pub fn handle_connected(&mut self, now: Instant) {
        if self.life == Life::Closed {
            return;
        }
        if self.handshake != Handshake::Complete {
            self.timers.handshake.get_or_insert(now + timers::HANDSHAKE);
        }
        self.channel.connected(now);
    }

    /// The link is gone. Until the next [`Session::handle_connected`] nothing is transmitted; streams can be used as ever,
    /// and keep what is written.
    pub fn handle_disconnected(&mut self, now: Instant) {
        self.channel.disconnected(now);
    }

    /// Takes one binary frame.
    ///
    /// An error says why this frame was ignored; it is for the log, and counted in [`Stats::dropped`]. Nothing else is
    /// to be done: what mattered comes again. What ends the session comes as [`Event::Failed`] or [`Event::Closed`].
    pub fn handle_input(&mut self, frame: Bytes, now: Instant) -> Result<(), Error> {
        let result = self.take_frame(frame, now);
        self.dropped += u64::from(result.is_err());
        result
    }

    /// The next binary frame to send: acknowledgements first, then what is to be sent again, then new data. The frame
    /// counts as sent; if the link does not take it, that link is lost, and the next one gets it again.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Bytes> {
        let (sent, frame) = self.channel.poll_transmit(self.may_send_data(now), now)?;
        match sent {
            Sent::Ack | Sent::Repeat => {}
            Sent::Data => {
                self.mux.note_sent(now);
                self.timers.last_data = Some(now);
            }
            Sent::Control(PayloadType::Flag, number) if self.terminate == Terminate::Queued => {
                self.terminate = Terminate::Sent(number);
            }
            Sent::Control(PayloadType::HandshakeComplete, _) => self.handshake_completed(now),
            Sent::Control(..) => {}
        }
        Some(frame)
    }

    /// Whether [`Session::poll_transmit`] would give a frame.
    pub fn has_transmit(&self, now: Instant) -> bool {
        self.channel.has_transmit(self.may_send_data(now), now)
    }

    /// The next event. Drain after each call of a `handle_*`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Asks the agent to end the session (client), once however often it is called. It overtakes data that was not sent
    /// yet: drain first. Before [`Event::Ready`] nothing is sent, as the agent would not listen: use the API then.
    pub fn terminate(&mut self, now: Instant) {
        let heeded =
            self.is_client() && self.handshake == Handshake::Complete && self.life != Life::Closed;
        if heeded && self.terminate == Terminate::Unsaid {
            self.channel
                .send_control(PayloadType::Flag, Flag::TerminateSession.bytes().to_vec());
            self.terminate = Terminate::Queued;
            self.timers.last_data = Some(now);
        }
    }

    /// Whether the agent has acknowledged [`Session::terminate`].
    pub fn is_terminate_acked(&self) -> bool {
        matches!(self.terminate, Terminate::Sent(number) if self.channel.is_acknowledged(number))
    }

    /// Whether nothing is unsent and nothing unacknowledged.
    pub fn is_drained(&self) -> bool {
        self.channel.is_drained()
    }

    /// What the other side said it is, once it has: the agent's version on a client, the client's on an agent.
    pub fn peer_version(&self) -> Option<&str> {
        self.peer_version.as_deref()
    }

    /// How the session is doing.
    pub fn stats(&self, now: Instant) -> Stats {
        let counts = self.channel.counts;
        Stats {
            rtt: self.channel.rtt(),
            window: self.channel.window(),
            unacked: self.channel.unacked(),
            unsent_bytes: self.channel.pipe.len(),
            unread_bytes: self.mux.unread(),
            streams: self.mux.len(),
            unresolved: self.mux.unresolved(),
            oldest_unresolved: self.mux.oldest_unresolved(now),
            messages_sent: counts.sent,
            messages_received: counts.received,
            bytes_sent: self.bytes_sent,
            bytes_received: self.mux.received(),
            resent: counts.resent,
            duplicates: counts.duplicates,
            dropped: self.dropped,
            connect_failures: self.connect_failures,
            last_ack: self.channel.last_ack(),
        }
    }

    /// Bytes for the far side's mux, whatever they are.
    #[cfg(test)]
    pub(crate) fn send_raw(&mut self, bytes: Bytes) {
        self.channel.pipe.push_data(bytes);
    }

    /// Refusals whose stream is not known yet.
    #[cfg(test)]
    pub(crate) fn refusals(&self) -> usize {
        self.mux.refusals()
    }

    fn is_client(&self) -> bool {
        self.options.role == Role::Client
    }

    fn may_send_data(&self, now: Instant) -> bool {
        let settled = self.timers.settle.is_none_or(|at| at <= now);
        self.handshake == Handshake::Complete && self.life == Life::Going && settled
    }

    fn take_frame(&mut self, frame: Bytes, now: Instant) -> Result<(), Error> {
        if self.life == Life::Closed {
            return Err(Error::Over);
        }
        let check_digest = self.options.check_digest;
        match self.channel.take(frame, check_digest, now)? {
            Taken::Data(message) => self.take_stream_data(message, now)?,
            Taken::Closed(output) => self.close(output),
            Taken::All => {}
        }
        Ok(())
    }

    fn take_stream_data(&mut self, message: Message, now: Instant) -> Result<(), Error> {
        let ready = self.is_client() || self.agent_takes(&message, now)?;
        self.channel.receive(message, ready)?;
        while let Some(received) = self.channel.next_arrived() {
            match self.life {
                Life::Going if self.is_client() => self.client_receives(received, now),
                Life::Going => self.agent_receives(received, now),
                Life::Failed | Life::Closed => {}
            }
        }
        while let Some(event) = self.mux.poll_event() {
            self.events.push_back(event.into());
        }
        Ok(())
    }

    fn close(&mut self, output: String) {
        self.life = Life::Closed;
        self.channel.shut();
        self.events.push_back(Event::Closed { output });
    }

    fn fail(&mut self, failure: Failure) {
        if self.life == Life::Going {
            self.life = Life::Failed;
            self.channel.pipe.clear();
            self.events.push_back(Event::Failed(failure));
        }
    }
}

impl From<smux::Event> for Event {
    fn from(event: smux::Event) -> Self {
        match event {
            smux::Event::Opened(id) => Self::Opened(id),
            smux::Event::Readable(id) => Self::Readable(id),
            smux::Event::Finished(id) => Self::Finished(id),
            smux::Event::Refused(id) => Self::Refused(id),
            smux::Event::Answered(id) => Self::Answered(id),
        }
    }
}

fn channel_config(options: &Options) -> Config {
    let client = options.role == Role::Client;
    Config {
        client,
        seed: options.seed,
        wall: options.wall,
        payload: options.payload.max(1),
        window: options.window.clone(),
        reorder_limit: options.reorder_limit,
        resend: if client {
            Resend::All
        } else {
            options.agent.resend
        },
        pace: options.agent.pace.filter(|_| !client),
        ack_duplicates: client || options.agent.ack_duplicates,
    }
}

//! A terminal at the far side of a data channel: all that the rest of the crate sees of a shell.
//!
//! The other use of the data channel, beside the mux of a tunnel. A [`Shell`] is the client; it lives as long as an SSM
//! session, over one link after another, and speaks the verbs of every machine here. [`Agent`] is the far side, for the
//! simulator and for tests.
//!
//! ```text
//!            HandshakeRequest             no encryption              HandshakeComplete
//!  Waiting ───────────────────▶ Answering ─────────────▶ Answered ──────────────────────▶ Complete
//!     │                            │      provide_key ▲                                      ▲
//!     │                            └───▶ KeyWanted ───┘                                      │
//!     └──────────── Output, or long silence: a session without a handshake ──────────────────┘
//! ```
//!
//! Invariants: nothing is typed before the far side listens; bytes arrive in order, none twice, none missing; after
//! the account asked for encryption nothing is taken in the clear; no input makes it panic.

mod agent;
pub mod cipher;
mod event;
mod handshake;
mod outbox;
mod terminal;

pub use agent::{Agent, AgentEvent, Profile};
pub use event::{Event, Failure};

use super::datachannel::{Config, DataChannel, Resend, Sent, Taken, Verdict};
use super::message::{Error, Message, PayloadType};
use super::payload::{self, Flag, ProcessedAction, Size};
use super::session::CLIENT_VERSION;
use bytes::Bytes;
use cipher::{Cipher, GROWTH};
use outbox::Outbox;
use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

/// As long as the agent waits for its part of a handshake.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// Typed or piped bytes from which no more are taken.
const MAX_UNSENT: usize = 64 * 1024;
/// The most payload bytes in one message, as the reference sends.
const PAYLOAD: usize = 1024;

/// What a shell is told at its start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where message ids and nonces come from.
    pub seed: u64,
    /// What the wall clock showed at the `now` of [`Shell::new`]; messages carry it.
    pub wall: SystemTime,
    /// The terminal's size; `None` when there is none.
    pub size: Option<Size>,
    /// Whether the far side has something to say at once: a prompt, a greeting, a handshake. If not, one that says
    /// nothing for 15 s is taken for a command without output, and not for a broken agent.
    pub expects_greeting: bool,
}

/// The client's end of a shell.
pub struct Shell {
    options: Options,
    client_id: String,
    channel: DataChannel,
    outbox: Outbox,
    cipher: Option<Cipher>,
    handshake: Handshake,
    life: Life,
    terminate: Terminate,
    size: Option<Size>,
    agent_version: Option<String>,
    /// When the next step of the handshake should have been made.
    handshake_by: Option<Instant>,
    /// When the agent has noted that its handshake is complete; until then it throws away what comes.
    settled_at: Option<Instant>,
    events: VecDeque<Event>,
}

/// How far the handshake is; see the module's diagram.
#[derive(Debug, PartialEq)]
enum Handshake {
    Waiting,
    KeyWanted {
        answers: Vec<ProcessedAction>,
        challenged: bool,
    },
    Answered,
    Complete,
}

/// Whether the session can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Going,
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

impl Shell {
    /// A shell that has no link yet. `now` is when `options.wall` was read.
    pub fn new(options: Options, now: Instant) -> Self {
        let mut channel = DataChannel::new(
            Config {
                client: true,
                seed: options.seed,
                wall: options.wall,
                payload: PAYLOAD,
                window: 256..=2048,
                reorder_limit: 16 << 20,
                resend: Resend::All,
                pace: None,
                ack_duplicates: true,
            },
            now,
        );
        Self {
            client_id: channel.new_id().to_string(),
            channel,
            outbox: Outbox::default(),
            cipher: None,
            handshake: Handshake::Waiting,
            life: Life::Going,
            terminate: Terminate::Unsaid,
            size: options.size,
            agent_version: None,
            handshake_by: None,
            settled_at: None,
            events: VecDeque::new(),
            options,
        }
    }

    /// The text frame that opens a link; see [`super::Session::open_frame`]. It holds the token: do not log it.
    pub fn open_frame(&mut self, token: &str) -> String {
        let open = payload::Open {
            message_schema_version: "1.0".to_owned(),
            request_id: self.channel.new_id().to_string(),
            token_value: token.to_owned(),
            client_id: self.client_id.clone(),
            client_version: Some(CLIENT_VERSION.to_owned()),
        };
        serde_json::to_string(&open).expect("a struct of strings is JSON")
    }

    /// A link is up and the open frame is sent.
    pub fn handle_connected(&mut self, now: Instant) {
        if self.handshake != Handshake::Complete {
            self.handshake_by.get_or_insert(now + HANDSHAKE);
        }
        self.channel.connected(now);
    }

    /// The link is gone.
    pub fn handle_disconnected(&mut self, now: Instant) {
        self.channel.disconnected(now);
    }

    /// Takes one binary frame; an error says why it was ignored.
    pub fn handle_input(&mut self, frame: Bytes, now: Instant) -> Result<(), Error> {
        if self.life == Life::Closed {
            return Err(Error::Over);
        }
        match self.channel.take(frame, true, now)? {
            Taken::Data(message) => self.take_data(message, now)?,
            Taken::Closed(output) => self.close(output),
            Taken::All => {}
        }
        Ok(())
    }

    /// The next binary frame to send.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Bytes> {
        self.cut(now);
        let (sent, frame) = self.channel.poll_transmit(false, now)?;
        if let Sent::Control(PayloadType::Flag, number) = sent
            && self.terminate == Terminate::Queued
        {
            self.terminate = Terminate::Sent(number);
        }
        Some(frame)
    }

    /// The next event. Drain after each call of a `handle_*`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`Shell::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.life == Life::Closed {
            return None;
        }
        let waits = self.is_listening() && !self.outbox.is_empty();
        let [resend, burst, rest, pause] = self.channel.deadlines(waits);
        let going = self.life == Life::Going;
        let silence = self.channel.silence.deadline().filter(|_| going);
        let handshake = self.handshake_by.filter(|_| going);
        let settled = self.settled_at.filter(|_| going);
        let all = [resend, burst, rest, pause, silence, handshake, settled];
        all.into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.life == Life::Closed {
            return;
        }
        self.channel.handle_timeout(now);
        if self.life != Life::Going {
            return;
        }
        if self.handshake_by.take_if(|at| *at <= now).is_some() {
            self.handle_silent_start();
        }
        if self.settled_at.take_if(|at| *at <= now).is_some() {
            self.send_size();
        }
        if self.channel.silence.deadline().is_some_and(|at| at <= now) {
            match self.channel.silence.judge(now) {
                Some(Verdict::Suspect) => self.events.push_back(Event::Unresponsive),
                Some(Verdict::Dead) => self.fail(Failure::Unresponsive),
                None => {}
            }
        }
    }

    /// The owner could not read the link for a while; see [`super::Session::excuse_silence`].
    pub fn excuse_silence(&mut self, now: Instant) {
        self.channel.silence.excuse(now);
    }

    /// Queues bytes for the far side's standard input. May be called before [`Event::Ready`]. Call it only while
    /// [`Shell::can_write`]; nothing breaks otherwise, but nothing bounds the memory either.
    pub fn write(&mut self, bytes: Bytes) {
        if self.life == Life::Going {
            self.outbox.push(PayloadType::Output, bytes);
        }
    }

    /// Bytes that no message carries yet.
    pub fn unsent(&self) -> usize {
        self.outbox.len()
    }

    /// Whether there is room for more.
    pub fn can_write(&self) -> bool {
        self.outbox.len() < MAX_UNSENT
    }

    /// The terminal has this size from now on.
    pub fn resize(&mut self, size: Size) {
        if self.size.replace(size) != Some(size) && self.is_listening() {
            self.send_size();
        }
    }

    /// Asks the agent to end the session, once however often it is called. Before it listens, a moment after
    /// [`Event::Ready`], nothing is sent: use the API then.
    pub fn terminate(&mut self) {
        let heeded = self.is_settled() && self.life != Life::Closed;
        if heeded && self.terminate == Terminate::Unsaid {
            let flag = Flag::TerminateSession.bytes().to_vec();
            self.channel.send_control(PayloadType::Flag, flag);
            self.terminate = Terminate::Queued;
        }
    }

    /// Whether the agent has acknowledged [`Shell::terminate`].
    pub fn is_terminate_acked(&self) -> bool {
        matches!(self.terminate, Terminate::Sent(number) if self.channel.is_acknowledged(number))
    }

    /// Whether nothing is unsent and nothing unacknowledged.
    pub fn is_drained(&self) -> bool {
        self.outbox.is_empty() && self.channel.is_drained()
    }

    fn is_listening(&self) -> bool {
        self.is_settled() && self.life == Life::Going
    }

    fn is_settled(&self) -> bool {
        self.handshake == Handshake::Complete && self.settled_at.is_none()
    }

    /// Makes a message of what waits, if one may be sent.
    fn cut(&mut self, now: Instant) {
        if !self.is_listening() || !self.channel.takes_data(now) {
            return;
        }
        let room = match self.cipher {
            Some(_) => PAYLOAD - GROWTH,
            None => PAYLOAD,
        };
        if let Some((kind, bytes)) = self.outbox.next(room) {
            let payload = match &mut self.cipher {
                Some(cipher) => cipher.encrypt(&bytes),
                None => bytes,
            };
            self.channel.send_data(kind, payload, now);
        }
    }

    fn take_data(&mut self, message: Message, now: Instant) -> Result<(), Error> {
        self.channel.receive(message, true)?;
        while let Some(received) = self.channel.next_arrived() {
            if self.life == Life::Going {
                self.receive(received, now);
            }
        }
        Ok(())
    }

    fn close(&mut self, output: String) {
        self.life = Life::Closed;
        self.outbox.clear();
        self.channel.shut();
        self.events.push_back(Event::Closed { output });
    }

    fn fail(&mut self, failure: Failure) {
        if self.life == Life::Going {
            self.life = Life::Failed;
            self.outbox.clear();
            self.events.push_back(Event::Failed(failure));
        }
    }
}

impl super::Protocol for Shell {
    fn handle_input(&mut self, frame: Bytes, now: Instant) -> Result<(), Error> {
        self.handle_input(frame, now)
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Bytes> {
        self.poll_transmit(now)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.poll_timeout()
    }
}

#[cfg(test)]
mod tests;

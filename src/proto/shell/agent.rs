//! The agent's end of a shell, for the simulator and for tests.
//!
//! As faithful as it must be for a client to tell no difference: what it asks for in the handshake, what it throws away
//! before that is complete, in what pieces and how fast it sends, how it says that a command has ended.

use super::cipher::{Cipher, GROWTH, KEY_LENGTH};
use super::outbox::Outbox;
use crate::proto::Protocol;
use crate::proto::datachannel::{Config, DataChannel, Resend, Sent, Taken};
use crate::proto::message::{Error, Message, PayloadType};
use crate::proto::payload::{
    Challenge, Flag, HandshakeComplete, HandshakeRequest, HandshakeResponse, KmsEncryption,
    KmsResult, RequestedAction, SUCCESS, SessionType, Size,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize as _, Serialize};
use serde_json::Value;
use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

/// The most payload bytes in one message.
const PAYLOAD: usize = 1024;
/// The reference keeps this many unacknowledged messages.
const NO_WINDOW: usize = 100_000;
/// Bytes from which no more are taken from the shell.
const MAX_UNSENT: usize = 64 * 1024;
/// What is encrypted to prove that both have the key.
const CHALLENGE: usize = 64;

/// How an agent behaves.
#[derive(Clone, Debug)]
pub struct Profile {
    /// What it says it is.
    pub agent_version: String,
    /// `Standard_Stream`, `InteractiveCommands` or `NonInteractiveCommands`.
    pub session_type: String,
    /// The key of an account that encrypts its shells, and the challenge of agents that have one.
    pub encryption: Option<(String, Option<String>)>,
    /// How long it rests after each message.
    pub pace: Option<Duration>,
    /// Shown by the client when the handshake is complete, if not empty.
    pub customer_message: String,
}

/// News for the owner of an [`Agent`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentEvent {
    /// Its shell may start.
    Ready,
    /// The client has a data key: [`Agent::provide_key`] what KMS decrypts this to.
    KeyOffered {
        /// The data key as KMS encrypted it.
        encrypted: Vec<u8>,
        /// Whether the challenge is bound to it.
        acknowledges_challenge: bool,
    },
    /// Bytes for the shell.
    Input(Bytes),
    /// The client's terminal has this size.
    Resized(Size),
    /// The client wishes to end the session.
    TerminateRequested,
    /// The handshake came to nothing, with the agent's words.
    Failed(String),
}

/// The agent's end of a shell.
pub struct Agent {
    profile: Profile,
    seed: u64,
    channel: DataChannel,
    outbox: Outbox,
    cipher: Option<Cipher>,
    challenge: Vec<u8>,
    handshake: Handshake,
    over: bool,
    events: VecDeque<AgentEvent>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handshake {
    Asked,
    Keyless,
    Challenged,
    Completing,
    Complete,
}

impl Agent {
    /// An agent without a link.
    pub fn new(profile: Profile, seed: u64, wall: SystemTime, now: Instant) -> Self {
        let config = Config {
            client: false,
            seed,
            wall,
            payload: PAYLOAD,
            window: NO_WINDOW..=NO_WINDOW,
            reorder_limit: 16 << 20,
            resend: Resend::FrontOnly,
            pace: profile.pace,
            ack_duplicates: true,
        };
        let mut agent = Self {
            channel: DataChannel::new(config, now),
            outbox: Outbox::default(),
            cipher: None,
            challenge: Vec::new(),
            handshake: Handshake::Asked,
            over: false,
            events: VecDeque::new(),
            seed,
            profile,
        };
        let shakes_hands = agent.profile.encryption.is_some()
            || agent.profile.session_type == "NonInteractiveCommands";
        if shakes_hands {
            agent.ask();
        } else {
            agent.handshake = Handshake::Complete;
            agent.events.push_back(AgentEvent::Ready);
        }
        agent
    }

    /// A link is up.
    pub fn handle_connected(&mut self, now: Instant) {
        self.channel.connected(now);
    }

    /// The link is gone.
    pub fn handle_disconnected(&mut self, now: Instant) {
        self.channel.disconnected(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.channel.handle_timeout(now);
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<AgentEvent> {
        self.events.pop_front()
    }

    /// What the shell wrote; `kind` is `Output` or `StdErr`.
    pub fn write(&mut self, kind: PayloadType, bytes: Bytes) {
        self.outbox.push(kind, bytes);
    }

    /// The command has ended. Only commands without a terminal tell.
    pub fn exit(&mut self, code: i32) {
        let text = format!("EXIT_CODE: {code}\n");
        self.outbox.push(PayloadType::ExitCode, text.into());
    }

    /// Whether there is room for more.
    pub fn can_write(&self) -> bool {
        self.outbox.len() < MAX_UNSENT
    }

    /// Whether all was sent and acknowledged.
    pub fn is_drained(&self) -> bool {
        self.outbox.is_empty() && self.channel.is_drained()
    }

    /// What KMS has decrypted.
    pub fn provide_key(&mut self, key: &[u8; KEY_LENGTH]) {
        let mut cipher = Cipher::agent(key, self.seed);
        let mut random = fastrand::Rng::with_seed(self.seed);
        self.challenge = (0..CHALLENGE).map(|_| random.u8(..)).collect();
        let challenge = Challenge {
            challenge: STANDARD.encode(cipher.encrypt(&self.challenge)),
        };
        self.cipher = Some(cipher);
        self.handshake = Handshake::Challenged;
        self.send(PayloadType::ChallengeRequest, &challenge);
    }

    fn ask(&mut self) {
        let action = |kind: &str, parameters| RequestedAction {
            action_type: kind.to_owned(),
            action_parameters: parameters,
        };
        let session = SessionType {
            session_type: self.profile.session_type.clone(),
            properties: Value::Null,
        };
        let session = serde_json::to_value(session).expect("strings are JSON");
        let mut actions = vec![action("SessionType", session)];
        if let Some((key_id, challenge)) = self.profile.encryption.clone() {
            let encryption = KmsEncryption { key_id, challenge };
            let encryption = serde_json::to_value(encryption).expect("strings are JSON");
            actions.push(action("KMSEncryption", encryption));
        }
        let request = HandshakeRequest {
            agent_version: self.profile.agent_version.clone(),
            requested_client_actions: actions,
        };
        self.send(PayloadType::HandshakeRequest, &request);
    }

    fn send(&mut self, kind: PayloadType, payload: &impl Serialize) {
        let payload = serde_json::to_vec(payload).expect("strings and numbers are JSON");
        self.channel.send_control(kind, payload);
    }

    fn receive(&mut self, kind: PayloadType, payload: Bytes) {
        match (kind, self.handshake) {
            (PayloadType::HandshakeResponse, Handshake::Asked) => self.take_response(&payload),
            (PayloadType::ChallengeResponse, Handshake::Challenged) => self.take_proof(&payload),
            // What comes before the handshake is complete is acknowledged and thrown away, by the reference too.
            (_, Handshake::Asked | Handshake::Keyless | Handshake::Challenged) => {}
            (PayloadType::Output, _) => match self.opened(payload) {
                Some(plain) => self.events.push_back(AgentEvent::Input(plain)),
                None => self.fail("Input could not be decrypted."),
            },
            (PayloadType::Size, _) => {
                if let Ok(size) = serde_json::from_slice(&payload) {
                    self.events.push_back(AgentEvent::Resized(size));
                }
            }
            (PayloadType::Flag, _) if Flag::parse(&payload) == Some(Flag::TerminateSession) => {
                self.events.push_back(AgentEvent::TerminateRequested);
            }
            _ => {}
        }
    }

    fn opened(&self, payload: Bytes) -> Option<Bytes> {
        match &self.cipher {
            Some(cipher) => cipher.decrypt(&payload).ok(),
            None => Some(payload),
        }
    }

    fn take_response(&mut self, payload: &[u8]) {
        let Ok(response) = serde_json::from_slice::<HandshakeResponse>(payload) else {
            return;
        };
        let actions = response.processed_client_actions;
        let failed = actions.iter().find(|it| it.action_status != SUCCESS);
        if let Some(action) = failed {
            let (kind, status) = (&action.action_type, action.action_status);
            let text = format!(
                "{kind} failed on client with status {status}: {}",
                action.error
            );
            return self.fail(&text);
        }
        let key = actions.iter().find(|it| it.action_type == "KMSEncryption");
        let key = key.map(|action| KmsResult::deserialize(&action.action_result));
        match key {
            None => self.complete(),
            Some(Ok(key)) => {
                self.handshake = Handshake::Keyless;
                self.events.push_back(AgentEvent::KeyOffered {
                    encrypted: STANDARD.decode(key.key).unwrap_or_default(),
                    acknowledges_challenge: key.acknowledges_challenge,
                });
            }
            Some(Err(_)) => self.fail("KMSEncryption failed: the result cannot be read"),
        }
    }

    fn take_proof(&mut self, payload: &[u8]) {
        let proof = serde_json::from_slice::<Challenge>(payload).ok();
        let proof = proof.and_then(|proof| STANDARD.decode(proof.challenge).ok());
        let proof = proof.and_then(|sealed| self.opened(sealed.into()));
        match proof.is_some_and(|proof| proof == self.challenge) {
            true => self.complete(),
            false => self.fail("Encryption challenge failed."),
        }
    }

    fn complete(&mut self) {
        self.handshake = Handshake::Completing;
        let complete = HandshakeComplete {
            handshake_time_to_complete: 1_000_000,
            customer_message: self.profile.customer_message.clone(),
        };
        self.send(PayloadType::HandshakeComplete, &complete);
    }

    fn fail(&mut self, text: &str) {
        if !std::mem::replace(&mut self.over, true) {
            self.events.push_back(AgentEvent::Failed(text.to_owned()));
        }
    }

    fn cut(&mut self, now: Instant) {
        if self.handshake != Handshake::Complete || !self.channel.takes_data(now) {
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

    fn take_data(&mut self, message: Message) -> Result<(), Error> {
        self.channel.receive(message, true)?;
        while let Some(received) = self.channel.next_arrived() {
            self.receive(received.payload_type, received.payload);
        }
        Ok(())
    }
}

impl Protocol for Agent {
    fn handle_input(&mut self, frame: Bytes, now: Instant) -> Result<(), Error> {
        match self.channel.take(frame, false, now)? {
            Taken::Data(message) => self.take_data(message)?,
            Taken::Closed(_) => self.over = true,
            Taken::All => {}
        }
        Ok(())
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Bytes> {
        self.cut(now);
        let (sent, frame) = self.channel.poll_transmit(false, now)?;
        if matches!(sent, Sent::Control(PayloadType::HandshakeComplete, _)) {
            self.handshake = Handshake::Complete;
            self.events.push_back(AgentEvent::Ready);
        }
        Some(frame)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let waits = self.handshake == Handshake::Complete && !self.outbox.is_empty();
        let deadlines = self.channel.deadlines(waits);
        deadlines.into_iter().flatten().min()
    }
}

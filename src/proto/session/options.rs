//! What a session is told at its start.

use crate::proto::datachannel::Resend;
use crate::proto::payload::RequestedAction;
use crate::proto::version::Traits;
use serde_json::{Value, json};
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

/// Which end of the data channel a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Ours: opens streams.
    Client,
    /// The far side: asks for the handshake and accepts streams. Only the simulator and tests are agents.
    Agent,
}

/// All that a [`super::Session`] is told. Begin with [`Options::client`] or [`Options::agent`].
#[derive(Clone, Debug)]
pub struct Options {
    /// Which end this is.
    pub role: Role,
    /// Where message ids come from. Two sessions of one seed make the same ids.
    pub seed: u64,
    /// What the wall clock showed at the `now` of [`super::Session::new`]; messages carry it.
    pub wall: SystemTime,
    /// Sent by a client. A numeric four-part version of a released client, or the agent falls into old ways.
    pub client_version: String,
    /// The most payload bytes in one message.
    pub payload: usize,
    /// Unacknowledged messages allowed at the start, and the most after growing. An agent has no limit.
    pub window: RangeInclusive<usize>,
    /// How often a client sends a message that does nothing while a stream is open, so that the service does not take
    /// the session for idle; `None` for never. Agents that end silent sessions get theirs all the same.
    pub keepalive: Option<Duration>,
    /// Whether the session reaches a host other than the target, which old agents cannot.
    pub remote_host: bool,
    /// Bytes of messages kept while an earlier one is missing.
    pub reorder_limit: usize,
    /// Whether messages with a wrong digest are dropped.
    pub check_digest: bool,
    /// How an agent behaves; a client does not look at it.
    pub agent: AgentProfile,
}

impl Options {
    /// A client with the constants that the reference agent was measured to bear.
    pub fn client(seed: u64, wall: SystemTime) -> Self {
        Self {
            role: Role::Client,
            seed,
            wall,
            client_version: CLIENT_VERSION.to_owned(),
            payload: 1024,
            window: 256..=2048,
            keepalive: Some(Duration::from_secs(5 * 60)),
            remote_host: false,
            reorder_limit: 16 << 20,
            check_digest: true,
            agent: AgentProfile::default(),
        }
    }

    /// An agent that behaves as `profile` says.
    pub fn agent(seed: u64, wall: SystemTime, profile: AgentProfile) -> Self {
        Self {
            role: Role::Agent,
            window: NO_WINDOW..=NO_WINDOW,
            keepalive: None,
            check_digest: profile.check_digest,
            agent: profile,
            ..Self::client(seed, wall)
        }
    }
}

/// A released version of the reference client (2026-05). From 1.2.332.0 on the agent's mux keepalive is off, which would
/// otherwise cut silent sessions.
pub(in crate::proto) const CLIENT_VERSION: &str = "1.2.814.0";

/// The reference agent sends without waiting for acknowledgements, and keeps this many messages.
const NO_WINDOW: usize = 100_000;

/// How an agent behaves. The default is a current release, as measured; each field is a switch.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentProfile {
    /// What it says it is. Changes nothing else: see [`AgentProfile::release`].
    pub agent_version: String,
    /// `Port` for a tunnel.
    pub session_type: String,
    /// The document's properties.
    pub properties: Value,
    /// More than the session type that it asks of the client.
    pub extra_actions: Vec<RequestedAction>,
    /// Shown by the client when the handshake is complete, if not empty.
    pub customer_message: String,
    /// How long it rests after each message of data.
    pub pace: Option<Duration>,
    /// What it sends again.
    pub resend: Resend,
    /// How long after HandshakeComplete it cannot take data.
    pub unready_for: Duration,
    /// Whether data in that time is acknowledged and lost, instead of left for the client to send again.
    pub loses_early_data: bool,
    /// Unread bytes at which [`super::Session::accepts_input`] turns false.
    pub receive_limit: usize,
    /// Whether a repeated message is acknowledged again.
    pub ack_duplicates: bool,
    /// Whether messages with a wrong digest are dropped. The reference does not look.
    pub check_digest: bool,
    /// Fails the session when a whole such period passes without a byte for the mux.
    pub mux_keepalive: Option<Duration>,
}

impl Default for AgentProfile {
    fn default() -> Self {
        Self {
            agent_version: "3.3.987.0".to_owned(),
            session_type: "Port".to_owned(),
            properties: json!({"type": "LocalPortForwarding", "portNumber": "5432", "localPortNumber": "0"}),
            extra_actions: Vec::new(),
            customer_message: String::new(),
            pace: Some(Duration::from_millis(1)),
            resend: Resend::FrontOnly,
            unready_for: Duration::from_millis(10),
            loses_early_data: false,
            receive_limit: 4 << 20,
            ack_duplicates: true,
            check_digest: false,
            mux_keepalive: None,
        }
    }
}

impl AgentProfile {
    /// The release `version`, with the faults it had.
    pub fn release(version: &str) -> Self {
        let traits = Traits::of(version);
        Self {
            agent_version: version.to_owned(),
            loses_early_data: !traits.keeps_early_data,
            ack_duplicates: traits.acks_duplicates,
            mux_keepalive: traits.needs_frames.then_some(MUX_KEEPALIVE),
            ..Self::default()
        }
    }

    /// Without pauses, and ready at once: for tests of speed.
    pub fn quick() -> Self {
        Self {
            pace: None,
            unready_for: Duration::ZERO,
            resend: Resend::All,
            ..Self::default()
        }
    }
}

/// The period of the reference agent's check.
pub(super) const MUX_KEEPALIVE: Duration = Duration::from_secs(30);

//! The agent's half, and the service in front of it, as far as a client can tell: for the simulator and for tests.
//!
//! Faithful to the reference agent in what it acknowledges, loses, repeats and leaves unanswered. Unlike it, an agent here
//! stops numbering data while it has no link, and while 100,000 messages are unacknowledged.

use super::{Event, Failure, Handshake, Notice, Session, options, timers};
use crate::proto::datachannel::Received;
use crate::proto::message::{Error, Head, Kind, Message, PayloadType};
use crate::proto::payload::{
    ChannelClosed, Flag, HandshakeComplete, HandshakeRequest, HandshakeResponse, RequestedAction,
    SUCCESS, SessionType,
};
use crate::proto::version::Version;
use bytes::Bytes;
use std::time::{Duration, Instant};

/// The reference agent's gate: for later clients its mux has no keepalive.
const LAST_CLIENT_WITH_KEEPALIVE: Version = Version::new(1, 2, 331, 0);

impl Session {
    /// Whether an agent goes on reading its link (agent). When what the destinations have not taken fills its mux, the
    /// reference stops reading: data, acknowledgements, flags, pings.
    pub fn accepts_input(&self) -> bool {
        self.is_client() || self.mux.unread() < self.options.agent.receive_limit
    }

    /// A frame that the service between client and agent would send by itself. The caller sends it like any
    /// other; the session does not change.
    pub fn notice(&mut self, notice: Notice, now: Instant) -> Bytes {
        let id = self.channel.new_id();
        let created = self.channel.created(now);
        let (kind, payload, short_header) = match notice {
            Notice::Pause => (Kind::PausePublication, Vec::new(), false),
            Notice::Start => (Kind::StartPublication, Vec::new(), false),
            Notice::Closed {
                session_id,
                output,
                short_header,
            } => {
                let closed = ChannelClosed {
                    message_id: id.to_string(),
                    created_date: created.to_string(),
                    destination_id: self.client_id.clone(),
                    session_id,
                    message_type: Kind::ChannelClosed.name().to_owned(),
                    schema_version: 1,
                    output,
                };
                let payload = serde_json::to_vec(&closed).expect("strings and numbers are JSON");
                (Kind::ChannelClosed, payload, short_header)
            }
        };
        let head = Head {
            kind,
            created,
            sequence: 0,
            flags: 0,
            id,
            payload_type: PayloadType::Unset,
        };
        let mut message = Message::new(head, payload.into());
        if short_header {
            message.payload_type = None;
        }
        message.encode()
    }

    pub(super) fn request_handshake(&mut self) {
        let profile = &self.options.agent;
        let session = SessionType {
            session_type: profile.session_type.clone(),
            properties: profile.properties.clone(),
        };
        let mut actions = vec![RequestedAction {
            action_type: "SessionType".to_owned(),
            action_parameters: serde_json::to_value(session).expect("strings and values are JSON"),
        }];
        actions.extend(profile.extra_actions.iter().cloned());
        let request = HandshakeRequest {
            agent_version: profile.agent_version.clone(),
            requested_client_actions: actions,
        };
        let payload = serde_json::to_vec(&request).expect("strings and values are JSON");
        self.channel
            .send_control(PayloadType::HandshakeRequest, payload);
    }

    /// Whether the message may be acknowledged if its turn has come; an error drops it at once.
    pub(super) fn agent_takes(&self, message: &Message, now: Instant) -> Result<bool, Error> {
        let response = message.payload_type == Some(PayloadType::HandshakeResponse);
        if response && self.handshake == Handshake::Waiting {
            serde_json::from_slice::<HandshakeResponse>(&message.payload)
                .map_err(|_| Error::Payload("handshake response"))?;
        }
        Ok(self.options.agent.loses_early_data || !self.is_unready(now))
    }

    /// Takes the next message in order.
    pub(super) fn agent_receives(&mut self, received: Received, now: Instant) {
        match (received.payload_type, self.handshake) {
            (PayloadType::HandshakeResponse, Handshake::Waiting) => {
                self.take_response(&received.payload)
            }
            // What comes before the handshake is complete is acknowledged and thrown away, by the reference too.
            (_, Handshake::Waiting | Handshake::Answered) => {}
            (_, Handshake::Complete) if self.is_unready(now) => {}
            (PayloadType::Output, Handshake::Complete) => self.feed_mux(received.payload),
            (PayloadType::Flag, Handshake::Complete) => self.take_flag(&received.payload),
            (_, Handshake::Complete) => {}
        }
    }

    /// HandshakeComplete is on its way.
    pub(super) fn handshake_completed(&mut self, now: Instant) {
        self.handshake = Handshake::Complete;
        self.timers.completed(now);
        self.timers.port_ready = Some(now + self.options.agent.unready_for);
        if let Some(period) = self.mux_keepalive() {
            self.timers.mux_check = Some(now + period);
            self.timers.mux_nop = Some(now + timers::MUX_NOP);
        }
        self.events.push_back(Event::Ready {
            agent_version: self.options.agent.agent_version.clone(),
            customer_message: None,
        });
    }

    /// The keepalive of its mux: that of its release, and of any release when the client is old.
    pub(super) fn mux_keepalive(&self) -> Option<Duration> {
        let client = self.peer_version().and_then(Version::parse);
        let for_client = client.is_some_and(|version| version <= LAST_CLIENT_WITH_KEEPALIVE);
        let profile = self.options.agent.mux_keepalive;
        profile.or(for_client.then_some(options::MUX_KEEPALIVE))
    }

    fn is_unready(&self, now: Instant) -> bool {
        self.timers.port_ready.is_some_and(|at| at > now)
    }

    fn take_response(&mut self, payload: &[u8]) {
        let Ok(response) = serde_json::from_slice::<HandshakeResponse>(payload) else {
            return;
        };
        self.peer_version = Some(response.client_version);
        let failed = response
            .processed_client_actions
            .into_iter()
            .find(|action| action.action_status != SUCCESS);
        if let Some(action) = failed {
            let (status, error) = (action.action_status, action.error);
            return self.fail(Failure::ActionFailed {
                action: action.action_type,
                status,
                error,
            });
        }
        self.handshake = Handshake::Answered;
        let customer_message = self.options.agent.customer_message.clone();
        let complete = HandshakeComplete {
            handshake_time_to_complete: 1_000_000,
            customer_message,
        };
        let payload = serde_json::to_vec(&complete).expect("strings and numbers are JSON");
        self.channel
            .send_control(PayloadType::HandshakeComplete, payload);
    }

    /// When the frames make no sense the reference's mux ends in silence, and the session goes on without it.
    fn feed_mux(&mut self, payload: Bytes) {
        self.timers.mux_heard = true;
        if !self.mux_broken && self.mux.input(payload).is_err() {
            self.mux_broken = true;
        }
    }

    fn take_flag(&mut self, payload: &[u8]) {
        if Flag::parse(payload) == Some(Flag::TerminateSession) {
            self.events.push_back(Event::TerminateRequested);
        }
    }
}

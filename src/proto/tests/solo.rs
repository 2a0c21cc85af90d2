//! One client, and an agent played by the test frame by frame.

use crate::proto::message::{Head, Kind, Message, PayloadType};
use crate::proto::payload::Acknowledge;
use crate::proto::{Event, Options, Session};
use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime};
use uuid::Uuid;

pub(super) struct Solo {
    pub(super) session: Session,
    pub(super) now: Instant,
    created: u64,
}

impl Solo {
    /// A client whose link is up.
    pub(super) fn linked() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut Options)) -> Self {
        let now = Instant::now();
        let mut options = Options::client(
            7,
            SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        );
        change(&mut options);
        let mut session = Session::new(options, now);
        session.handle_connected(now);
        Self {
            session,
            now,
            created: 1,
        }
    }

    /// A client that may send data to a current agent at once; the agent's numbers 0 and 1 are used, and the client's 0.
    pub(super) fn ready() -> Self {
        Self::linked().shake_hands("3.3.987.0").settled()
    }

    /// The same client when the agent has had its time.
    pub(super) fn settled(mut self) -> Self {
        self.pass(SETTLE);
        self
    }

    /// A client whose handshake is just complete.
    pub(super) fn shake_hands(mut self, agent_version: &str) -> Self {
        self.data(
            0,
            PayloadType::HandshakeRequest,
            &request(agent_version, json!([session_type()])),
        );
        self.sent();
        self.ack(0);
        self.data(
            1,
            PayloadType::HandshakeComplete,
            br#"{"HandshakeTimeToComplete":1,"CustomerMessage":""}"#,
        );
        self.sent();
        let agent_version = agent_version.to_owned();
        assert_eq!(
            self.events(),
            [Event::Ready {
                agent_version,
                customer_message: None
            }]
        );
        self
    }

    /// A stream message from the agent.
    pub(super) fn data(&mut self, sequence: i64, payload_type: PayloadType, payload: &[u8]) {
        let frame = self.frame(sequence, payload_type, payload);
        self.feed(frame);
    }

    /// The same, with bytes for the mux.
    pub(super) fn output(&mut self, sequence: i64, payload: &[u8]) {
        self.data(sequence, PayloadType::Output, payload);
    }

    pub(super) fn frame(
        &mut self,
        sequence: i64,
        payload_type: PayloadType,
        payload: &[u8],
    ) -> Bytes {
        self.make(Kind::OutputStreamData, sequence, payload_type, payload)
    }

    pub(super) fn feed(&mut self, frame: Bytes) {
        self.session
            .handle_input(frame, self.now)
            .expect("a good frame");
    }

    pub(super) fn ack(&mut self, sequence: i64) {
        let mut payload = BytesMut::new();
        Acknowledge::write(&mut payload, "input_stream_data", Uuid::nil(), sequence);
        self.service(Kind::Acknowledge, &payload);
    }

    /// A message that is no stream data.
    pub(super) fn service(&mut self, kind: Kind, payload: &[u8]) {
        let frame = self.make(kind, 0, PayloadType::Unset, payload);
        self.feed(frame);
    }

    /// All that the client sends now.
    pub(super) fn sent(&mut self) -> Vec<Message> {
        let frames = std::iter::from_fn(|| self.session.poll_transmit(self.now));
        frames
            .map(|frame| Message::decode(frame).expect("what we send is well-formed"))
            .collect()
    }

    /// All that the client sends now that is stream data.
    pub(super) fn sent_data(&mut self) -> Vec<Message> {
        self.sent()
            .into_iter()
            .filter(|message| message.kind == Kind::InputStreamData)
            .collect()
    }

    pub(super) fn sent_numbers(&mut self) -> Vec<i64> {
        self.sent_data()
            .iter()
            .map(|message| message.sequence)
            .collect()
    }

    /// Numbers acknowledged now.
    pub(super) fn acked(&mut self) -> Vec<i64> {
        let acks = self
            .sent()
            .into_iter()
            .filter(|message| message.kind == Kind::Acknowledge);
        acks.map(|ack| {
            serde_json::from_slice::<Acknowledge>(&ack.payload)
                .expect("an acknowledgement")
                .sequence
        })
        .collect()
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    /// Lets time pass, waking the client when it wishes; gives what it sent and when, counted from the start of the pass.
    pub(super) fn pass(&mut self, time: Duration) -> Vec<(Duration, Message)> {
        let (start, end) = (self.now, self.now + time);
        let mut all = Vec::new();
        loop {
            let sent = self.sent();
            all.extend(sent.into_iter().map(|message| (self.now - start, message)));
            self.now = self.session.poll_timeout().map_or(end, |at| at.min(end));
            self.session.handle_timeout(self.now);
            let next = self.session.poll_timeout();
            assert!(
                next.is_none_or(|at| at > self.now),
                "a deadline stays in the past: {:?}",
                self.session.next_timer()
            );
            if self.now == end {
                return all;
            }
        }
    }

    fn make(
        &mut self,
        kind: Kind,
        sequence: i64,
        payload_type: PayloadType,
        payload: &[u8],
    ) -> Bytes {
        self.created += 1;
        let id = Uuid::from_u128(u128::from(self.created));
        let head = Head {
            kind,
            created: self.created,
            sequence,
            flags: 0,
            id,
            payload_type,
        };
        Message::new(head, Bytes::copy_from_slice(payload)).encode()
    }
}

/// After the handshake the agent is given so long.
pub(super) const SETTLE: Duration = Duration::from_millis(30);

pub(super) fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub(super) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(super) fn request(agent_version: &str, actions: Value) -> Vec<u8> {
    serde_json::to_vec(&json!({"AgentVersion": agent_version, "RequestedClientActions": actions}))
        .expect("JSON")
}

pub(super) fn session_type() -> Value {
    let properties =
        json!({"type": "LocalPortForwarding", "portNumber": "5432", "host": "db.internal"});
    json!({"ActionType": "SessionType", "ActionParameters": {"SessionType": "Port", "Properties": properties}})
}

/// A smux frame.
pub(super) fn smux(command: u8, stream: u32, data: &[u8]) -> Vec<u8> {
    let mut frame = vec![1, command];
    frame.extend((data.len() as u16).to_le_bytes());
    frame.extend(stream.to_le_bytes());
    frame.extend(data);
    frame
}

pub(super) const SYN: u8 = 0;
pub(super) const FIN: u8 = 1;
pub(super) const PSH: u8 = 2;
pub(super) const NOP: u8 = 3;

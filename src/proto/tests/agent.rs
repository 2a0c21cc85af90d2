//! The agent's half against a client played frame by frame: what the simulator's faithfulness rests on.

use super::solo::{NOP, PSH, SYN, millis, seconds, smux};
use crate::proto::message::{Error, Head, Kind, Message, PayloadType};
use crate::proto::payload::Acknowledge;
use crate::proto::{AgentProfile, Event, Notice, Options, Session};
use bytes::Bytes;
use std::time::{Duration, Instant, SystemTime};
use uuid::Uuid;

#[test]
fn first_message_is_the_request_and_the_only_one_with_a_flag() {
    let mut agent = Agent::linked(AgentProfile::default());
    let first = &agent.sent()[0];
    assert_eq!(
        (first.kind, first.sequence, first.flags),
        (Kind::OutputStreamData, 0, 1)
    );
    assert_eq!(first.payload_type, Some(PayloadType::HandshakeRequest));
    agent.input(0, PayloadType::HandshakeResponse, RESPONSE);
    let complete = agent.sent().pop().expect("a message");
    assert_eq!((complete.sequence, complete.flags), (1, 0));
    assert_eq!(complete.payload_type, Some(PayloadType::HandshakeComplete));
}

#[test]
fn input_before_the_handshake_is_complete_is_acknowledged_and_lost() {
    let mut agent = Agent::linked(AgentProfile::quick());
    agent.input(0, PayloadType::Output, &smux(SYN, 3, b""));
    agent.input(1, PayloadType::HandshakeResponse, RESPONSE);
    agent.input(2, PayloadType::Output, &smux(SYN, 5, b""));
    assert_eq!(agent.acked(), [0, 1, 2]);
    agent.input(3, PayloadType::Output, &smux(SYN, 7, b""));
    assert_eq!(agent.opened(), ["7"]);
}

#[test]
fn unready_agent_leaves_the_next_number_unacknowledged_and_keeps_later_ones() {
    let mut agent = Agent::ready(AgentProfile {
        unready_for: millis(20),
        ..AgentProfile::default()
    });
    let error = agent.try_input(1, PayloadType::Output, &smux(SYN, 3, b""));
    assert_eq!(error, Err(Error::NotReady(1)));
    agent.input(2, PayloadType::Output, &smux(SYN, 5, b""));
    assert_eq!(agent.acked(), [2]);
    agent.now += millis(20);
    agent.input(1, PayloadType::Output, &smux(SYN, 3, b""));
    assert_eq!(agent.opened(), ["3", "5"]);
}

#[test]
fn agent_of_before_3_0_655_0_acknowledges_early_data_and_loses_it() {
    let mut agent = Agent::ready(AgentProfile::release("3.0.654.0"));
    agent.input(1, PayloadType::Output, &smux(SYN, 3, b""));
    assert_eq!(agent.acked(), [1]);
    agent.now += seconds(1);
    agent.input(2, PayloadType::Output, &smux(SYN, 5, b""));
    assert_eq!(agent.opened(), ["5"]);
}

#[test]
fn duplicates_are_acknowledged_again_since_3_2_1041_0() {
    for (version, acks) in [("3.2.1040.0", vec![1]), ("3.2.1041.0", vec![1, 1])] {
        let mut agent = Agent::ready(AgentProfile {
            unready_for: Duration::ZERO,
            ..AgentProfile::release(version)
        });
        agent.input(1, PayloadType::Output, &smux(NOP, 0, b""));
        agent.input(1, PayloadType::Output, &smux(NOP, 0, b""));
        assert_eq!(agent.acked(), acks, "{version}");
    }
}

#[test]
fn response_that_is_not_json_is_not_acknowledged_and_its_number_stays_free() {
    let mut agent = Agent::linked(AgentProfile::default());
    let error = agent.try_input(0, PayloadType::HandshakeResponse, b"yes");
    assert_eq!(error, Err(Error::Payload("handshake response")));
    agent.input(0, PayloadType::HandshakeResponse, RESPONSE);
    assert_eq!(agent.acked(), [0]);
}

#[test]
fn digests_are_checked_only_on_request() {
    for check_digest in [false, true] {
        let mut agent = Agent::ready(AgentProfile {
            check_digest,
            ..AgentProfile::quick()
        });
        let mut frame = agent
            .frame(1, PayloadType::Output, &smux(PSH, 9, b"x"))
            .to_vec();
        *frame.last_mut().expect("a byte") ^= 1;
        let result = agent.session.handle_input(frame.into(), agent.now);
        assert_eq!(result.is_err(), check_digest);
    }
}

#[test]
fn agent_gives_up_on_a_client_that_does_not_shake_hands() {
    let mut agent = Agent::linked(AgentProfile::default());
    agent.now += seconds(15);
    agent.session.handle_timeout(agent.now);
    assert!(matches!(agent.session.poll_event(), Some(Event::Failed(_))));
}

#[test]
fn sizes_flags_without_meaning_and_unknown_payloads_are_acknowledged_and_ignored() {
    let mut agent = Agent::ready(AgentProfile::quick());
    agent.input(1, PayloadType::Size, br#"{"cols":80,"rows":24}"#);
    agent.input(2, PayloadType::Flag, &[0, 0, 0, 1]);
    agent.input(3, PayloadType::Flag, &[2]);
    agent.input(4, PayloadType::Output, b"");
    assert_eq!(agent.acked(), [1, 2, 3, 4]);
    assert_eq!(agent.session.poll_event(), None);
}

#[test]
fn repeats_come_from_the_front_every_100_ms() {
    let mut agent = Agent::linked(AgentProfile::default());
    let request = agent.sent();
    agent.input(0, PayloadType::HandshakeResponse, RESPONSE);
    agent.sent();
    let mut times = Vec::new();
    for (at, message) in agent.pass(seconds(2)) {
        assert_eq!(message, request[0], "the front alone");
        times.push(at);
    }
    assert!(
        times
            .windows(2)
            .all(|pair| pair[1] - pair[0] == millis(200)),
        "a timeout of 200 ms: {times:?}"
    );
    assert!(times.len() > 8);
}

#[test]
fn paused_agent_repeats_nothing_until_the_pause_ends() {
    let mut agent = Agent::linked(AgentProfile::default());
    agent.sent();
    let [pause, start] =
        [Notice::Pause, Notice::Start].map(|notice| agent.session.notice(notice, agent.now));
    agent
        .session
        .handle_input(pause, agent.now)
        .expect("a pause");
    assert!(agent.pass(seconds(5)).is_empty());
    agent
        .session
        .handle_input(start, agent.now)
        .expect("its end");
    assert!(!agent.pass(seconds(1)).is_empty());
}

const RESPONSE: &[u8] = br#"{"ClientVersion":"1.2.707.0",
    "ProcessedClientActions":[{"ActionType":"SessionType","ActionStatus":1,"ActionResult":null,"Error":""}],"Errors":null}"#;

struct Agent {
    session: Session,
    now: Instant,
}

impl Agent {
    fn linked(profile: AgentProfile) -> Self {
        let (now, wall) = (
            Instant::now(),
            SystemTime::UNIX_EPOCH + seconds(1_700_000_000),
        );
        let mut session = Session::new(Options::agent(1, wall, profile), now);
        session.handle_connected(now);
        Self { session, now }
    }

    /// One that has just completed the handshake; the client's next number is 1.
    fn ready(profile: AgentProfile) -> Self {
        let mut agent = Self::linked(profile);
        agent.input(0, PayloadType::HandshakeResponse, RESPONSE);
        agent.sent();
        assert!(matches!(
            agent.session.poll_event(),
            Some(Event::Ready { .. })
        ));
        agent
    }

    fn frame(&self, sequence: i64, payload_type: PayloadType, payload: &[u8]) -> Bytes {
        let id = Uuid::from_u128(sequence as u128);
        let head = Head {
            kind: Kind::InputStreamData,
            created: 1,
            sequence,
            flags: 0,
            id,
            payload_type,
        };
        Message::new(head, Bytes::copy_from_slice(payload)).encode()
    }

    fn try_input(
        &mut self,
        sequence: i64,
        payload_type: PayloadType,
        payload: &[u8],
    ) -> Result<(), Error> {
        self.session
            .handle_input(self.frame(sequence, payload_type, payload), self.now)
    }

    fn input(&mut self, sequence: i64, payload_type: PayloadType, payload: &[u8]) {
        self.try_input(sequence, payload_type, payload)
            .expect("a good frame");
    }

    fn sent(&mut self) -> Vec<Message> {
        let frames = std::iter::from_fn(|| self.session.poll_transmit(self.now));
        frames
            .map(|frame| Message::decode(frame).expect("what we send is well-formed"))
            .collect()
    }

    /// Lets time pass, waking the agent when it wishes; gives what it sent and when.
    fn pass(&mut self, time: Duration) -> Vec<(Duration, Message)> {
        let (start, end) = (self.now, self.now + time);
        let mut all = Vec::new();
        while self.now < end {
            self.now = self.session.poll_timeout().map_or(end, |at| at.min(end));
            self.session.handle_timeout(self.now);
            let sent = self.sent();
            all.extend(sent.into_iter().map(|message| (self.now - start, message)));
        }
        all
    }

    fn acked(&mut self) -> Vec<i64> {
        let acks = self
            .sent()
            .into_iter()
            .filter(|message| message.kind == Kind::Acknowledge);
        acks.map(|ack| {
            serde_json::from_slice::<Acknowledge>(&ack.payload)
                .expect("JSON")
                .sequence
        })
        .collect()
    }

    /// The streams opened, after all that is to be sent is sent.
    fn opened(&mut self) -> Vec<String> {
        self.sent();
        let events = std::iter::from_fn(|| self.session.poll_event());
        events
            .filter_map(|event| match event {
                Event::Opened(id) => Some(id.to_string()),
                _ => None,
            })
            .collect()
    }
}

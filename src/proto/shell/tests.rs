//! A shell and an agent, joined in memory in virtual time.

use super::*;
use crate::proto::Protocol as _;
use crate::proto::message::{Head, Kind};
use crate::proto::session::SETTLE;
use uuid::Uuid;

const KEY: [u8; 64] = [7; 64];

struct Pair {
    client: Shell,
    agent: Agent,
    now: Instant,
    at_client: Vec<Event>,
    at_agent: Vec<AgentEvent>,
    /// Frames that are lost on their way, by their number over both ways.
    lost: Vec<usize>,
    frames: usize,
}

fn interactive() -> Profile {
    Profile {
        agent_version: "3.3.987.0".to_owned(),
        session_type: "Standard_Stream".to_owned(),
        encryption: None,
        pace: None,
        customer_message: String::new(),
    }
}

fn encrypted() -> Profile {
    Profile {
        encryption: Some(("arn:aws:kms:k".to_owned(), Some("dare".to_owned()))),
        customer_message: "This session is encrypted using AWS KMS.".to_owned(),
        ..interactive()
    }
}

fn command() -> Profile {
    Profile {
        session_type: "NonInteractiveCommands".to_owned(),
        ..interactive()
    }
}

fn options() -> Options {
    Options {
        seed: 5,
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        size: Some(Size { cols: 80, rows: 24 }),
        expects_greeting: true,
    }
}

impl Pair {
    fn new(profile: Profile) -> Self {
        let now = Instant::now();
        let mut pair = Self {
            client: Shell::new(options(), now),
            agent: Agent::new(profile, 9, options().wall, now),
            now,
            at_client: Vec::new(),
            at_agent: Vec::new(),
            lost: Vec::new(),
            frames: 0,
        };
        pair.connect();
        pair
    }

    fn connect(&mut self) {
        self.client.handle_connected(self.now);
        self.agent.handle_connected(self.now);
    }

    fn disconnect(&mut self) {
        self.client.handle_disconnected(self.now);
        self.agent.handle_disconnected(self.now);
    }

    /// Carries frames until there are none, for so long.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            while self.carry() {}
            self.drain();
            let next = [self.client.poll_timeout(), self.agent.poll_timeout()];
            match next.into_iter().flatten().min() {
                Some(at) if at <= end => self.now = self.now.max(at),
                _ => break,
            }
            self.client.handle_timeout(self.now);
            self.agent.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn carry(&mut self) -> bool {
        let up = self.client.poll_transmit(self.now);
        let down = self.agent.poll_transmit(self.now);
        let moved = up.is_some() || down.is_some();
        if let Some(frame) = up.filter(|_| !self.is_lost()) {
            let _ = self.agent.handle_input(frame, self.now);
        }
        if let Some(frame) = down.filter(|_| !self.is_lost()) {
            let _ = self.client.handle_input(frame, self.now);
        }
        moved
    }

    fn is_lost(&mut self) -> bool {
        self.frames += 1;
        self.lost.contains(&self.frames)
    }

    fn drain(&mut self) {
        self.at_client
            .extend(std::iter::from_fn(|| self.client.poll_event()));
        self.at_agent
            .extend(std::iter::from_fn(|| self.agent.poll_event()));
    }

    /// All that the client has of the far side's terminal.
    fn screen(&self) -> Vec<u8> {
        let outputs = self.at_client.iter().filter_map(|event| match event {
            Event::Output(bytes) => Some(bytes.as_ref()),
            _ => None,
        });
        outputs.collect::<Vec<_>>().concat()
    }

    fn typed(&self) -> Vec<u8> {
        let inputs = self.at_agent.iter().filter_map(|event| match event {
            AgentEvent::Input(bytes) => Some(bytes.as_ref()),
            _ => None,
        });
        inputs.collect::<Vec<_>>().concat()
    }

    fn failure(&self) -> Option<&Failure> {
        self.at_client.iter().find_map(|event| match event {
            Event::Failed(failure) => Some(failure),
            _ => None,
        })
    }

    /// As `run`, playing KMS for both.
    fn agree_on_a_key(&mut self) {
        self.run(Duration::from_millis(50));
        self.client.provide_key(&KEY, b"sealed");
        self.run(Duration::from_millis(50));
        self.agent.provide_key(&KEY);
        self.run(Duration::from_millis(50));
    }
}

fn moment() -> Duration {
    Duration::from_millis(50)
}

#[test]
fn a_shell_without_a_handshake_is_ready_with_its_first_output() {
    let mut pair = Pair::new(interactive());
    pair.client.write("ls\n".into());
    pair.run(moment());
    assert_eq!(
        pair.typed(),
        b"",
        "nothing is typed before somebody listens"
    );
    pair.agent.write(PayloadType::Output, "$ ".into());
    pair.run(moment());
    let ready = Event::Ready {
        agent_version: None,
        customer_message: None,
    };
    assert_eq!(pair.at_client, [ready, Event::Output("$ ".into())]);
    assert_eq!(pair.typed(), b"ls\n");
    assert!(
        pair.at_agent
            .contains(&AgentEvent::Resized(Size { cols: 80, rows: 24 }))
    );
}

#[test]
fn a_terminal_that_changes_its_size_says_so_once() {
    let mut pair = Pair::new(interactive());
    pair.agent.write(PayloadType::Output, "$ ".into());
    pair.run(moment());
    pair.at_agent.clear();
    let large = Size {
        cols: 300,
        rows: 100,
    };
    pair.client.resize(large);
    pair.client.resize(large);
    pair.run(moment());
    assert_eq!(pair.at_agent, [AgentEvent::Resized(large)]);
}

#[test]
fn a_command_without_a_terminal_tells_its_streams_apart_and_its_end() {
    let mut pair = Pair::new(command());
    pair.run(moment());
    pair.agent.write(PayloadType::Output, "out".into());
    pair.agent.write(PayloadType::StdErr, "err".into());
    pair.agent.exit(12);
    pair.run(moment());
    let ready = Event::Ready {
        agent_version: Some("3.3.987.0".to_owned()),
        customer_message: None,
    };
    let rest = [
        Event::Output("out".into()),
        Event::StdErr("err".into()),
        Event::Exit(12),
    ];
    assert_eq!(pair.at_client[0], ready);
    assert_eq!(pair.at_client[1..], rest);
}

#[test]
fn an_encrypted_shell_carries_bytes_both_ways_and_none_in_the_clear() {
    let mut pair = Pair::new(encrypted());
    pair.agree_on_a_key();
    assert_eq!(
        pair.at_client[0],
        Event::KeyWanted {
            key_id: "arn:aws:kms:k".to_owned(),
            challenge: Some("dare".to_owned())
        }
    );
    assert!(
        matches!(&pair.at_client[1], Event::Ready { customer_message: Some(message), .. }
        if message.contains("encrypted"))
    );
    assert_eq!(
        pair.at_agent[0],
        AgentEvent::KeyOffered {
            encrypted: b"sealed".to_vec(),
            acknowledges_challenge: true
        }
    );
    pair.client.write("secret command".into());
    let frame = pair.client.poll_transmit(pair.now).expect("a message");
    assert!(!frame.windows(6).any(|window| window == b"secret"));
    pair.agent.handle_input(frame, pair.now).expect("it is one");
    let long: Vec<u8> = (0..5000).map(|at| at as u8).collect();
    pair.agent.write(PayloadType::Output, long.clone().into());
    pair.run(moment());
    assert_eq!(pair.screen(), long);
    assert_eq!(pair.typed(), b"secret command");
}

#[test]
fn an_agent_without_a_challenge_is_not_told_of_one() {
    let mut pair = Pair::new(Profile {
        encryption: Some(("k".to_owned(), None)),
        ..encrypted()
    });
    pair.agree_on_a_key();
    assert!(pair.at_agent.contains(&AgentEvent::KeyOffered {
        encrypted: b"sealed".to_vec(),
        acknowledges_challenge: false
    }));
}

#[test]
fn a_key_that_is_not_to_be_had_ends_the_shell_at_both_ends_with_the_reason() {
    let mut pair = Pair::new(encrypted());
    pair.run(moment());
    pair.client.refuse_key("kms:GenerateDataKey is denied");
    pair.run(moment());
    let why = Failure::NoKey("kms:GenerateDataKey is denied".to_owned());
    assert_eq!(pair.failure(), Some(&why));
    assert!(
        matches!(pair.at_agent.last(), Some(AgentEvent::Failed(text)) if text.contains("denied"))
    );
}

#[test]
fn two_different_keys_do_not_get_past_the_challenge() {
    let mut pair = Pair::new(encrypted());
    pair.run(moment());
    pair.client.provide_key(&KEY, b"sealed");
    pair.run(moment());
    pair.agent.provide_key(&[8; 64]);
    pair.run(moment());
    assert_eq!(pair.failure(), Some(&Failure::Unreadable));
}

#[test]
fn nothing_is_typed_before_the_agent_has_noted_that_the_handshake_is_complete() {
    for profile in [encrypted(), command()] {
        let mut pair = Pair::new(profile);
        pair.client.write("ls\n".into());
        while !matches!(pair.at_client.last(), Some(Event::Ready { .. })) {
            pair.run(Duration::from_millis(1));
            pair.client.provide_key(&KEY, b"sealed");
            if matches!(pair.at_agent.last(), Some(AgentEvent::KeyOffered { .. })) {
                pair.agent.provide_key(&KEY);
            }
        }
        let sent = pair.frames;
        pair.client.resize(Size { cols: 9, rows: 9 });
        pair.client.terminate();
        pair.run(SETTLE - Duration::from_millis(2));
        assert_eq!((pair.frames, pair.typed()), (sent, Vec::new()));
        pair.run(moment());
        assert_eq!(pair.typed(), b"ls\n");
        let size = AgentEvent::Resized(Size { cols: 9, rows: 9 });
        let sizes = |event: &&AgentEvent| matches!(event, AgentEvent::Resized(_));
        assert_eq!(
            pair.at_agent.iter().filter(sizes).collect::<Vec<_>>(),
            [&size]
        );
    }
}

#[test]
fn a_message_in_the_clear_ends_an_encrypted_shell() {
    let mut pair = Pair::new(encrypted());
    pair.agree_on_a_key();
    let next = 3;
    let frame = output(next, b"in the clear");
    pair.client
        .handle_input(frame, pair.now)
        .expect("it is well formed");
    pair.drain();
    assert_eq!(pair.failure(), Some(&Failure::Unreadable));
    assert_eq!(pair.screen(), b"");
}

#[test]
fn a_message_in_the_clear_is_not_taken_while_the_key_is_fetched() {
    let mut pair = Pair::new(encrypted());
    pair.run(moment());
    let frame = output(1, b"in the clear");
    let taken = pair.client.handle_input(frame, pair.now);
    taken.expect("it is well formed");
    pair.drain();
    assert_eq!(pair.failure(), Some(&Failure::Unreadable));
    assert_eq!(pair.screen(), b"");
}

#[test]
fn what_a_cut_link_loses_is_sent_again_both_ways() {
    let mut pair = Pair::new(interactive());
    pair.agent.write(PayloadType::Output, "$ ".into());
    pair.run(moment());
    pair.lost = (0..40).map(|frame| pair.frames + frame).collect();
    let (up, down) = (vec![b'u'; 9000], vec![b'd'; 9000]);
    pair.client.write(up.clone().into());
    pair.agent.write(PayloadType::Output, down.clone().into());
    pair.run(Duration::from_millis(1));
    pair.disconnect();
    pair.run(moment());
    pair.connect();
    pair.run(Duration::from_secs(5));
    assert_eq!(pair.typed(), up);
    assert_eq!(pair.screen(), [b"$ ".to_vec(), down].concat());
}

#[test]
fn an_agent_that_says_nothing_is_given_up_where_it_should_have_and_else_is_a_silent_command() {
    let start = |expects_greeting| {
        let mut pair = Pair::new(interactive());
        pair.client = Shell::new(
            Options {
                expects_greeting,
                ..options()
            },
            pair.now,
        );
        pair.client.handle_connected(pair.now);
        pair.run(Duration::from_secs(14));
        assert_eq!(pair.at_client, []);
        pair.run(Duration::from_secs(2));
        pair
    };
    assert_eq!(start(true).failure(), Some(&Failure::HandshakeTimeout(15)));
    assert!(matches!(start(false).at_client[..], [Event::Ready { .. }]));
}

#[test]
fn a_tunnel_is_no_shell() {
    let mut pair = Pair::new(Profile {
        session_type: "Port".to_owned(),
        ..encrypted()
    });
    pair.run(moment());
    assert_eq!(
        pair.failure(),
        Some(&Failure::SessionType("Port".to_owned()))
    );
    assert!(matches!(pair.at_agent.last(), Some(AgentEvent::Failed(_))));
}

#[test]
fn the_end_is_said_once_and_acknowledged() {
    let mut pair = Pair::new(interactive());
    pair.agent.write(PayloadType::Output, "$ ".into());
    pair.run(moment());
    pair.at_agent.clear();
    pair.client.terminate();
    pair.client.terminate();
    assert!(!pair.client.is_terminate_acked());
    pair.run(moment());
    assert_eq!(pair.at_agent, [AgentEvent::TerminateRequested]);
    assert!(pair.client.is_terminate_acked());
}

#[test]
fn an_agent_that_acknowledges_nothing_is_noticed() {
    let mut pair = Pair::new(interactive());
    pair.agent.write(PayloadType::Output, "$ ".into());
    pair.run(moment());
    pair.lost = (0..100_000).collect();
    pair.client.write("ls".into());
    pair.run(Duration::from_secs(31));
    assert_eq!(pair.at_client.last(), Some(&Event::Unresponsive));
}

#[test]
fn nonsense_of_any_kind_does_not_break_it() {
    let mut random = fastrand::Rng::with_seed(3);
    for kind in 0..14u32 {
        let mut pair = Pair::new(encrypted());
        for number in 0..20 {
            let length = random.usize(0..40);
            let payload: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
            let frame = message(number, kind.into(), &payload);
            let _ = pair.client.handle_input(frame, pair.now);
            pair.run(moment());
        }
        pair.run(Duration::from_secs(60));
    }
}

fn output(sequence: i64, payload: &[u8]) -> Bytes {
    message(sequence, PayloadType::Output, payload)
}

fn message(sequence: i64, payload_type: PayloadType, payload: &[u8]) -> Bytes {
    let head = Head {
        kind: Kind::OutputStreamData,
        created: 1,
        sequence,
        flags: 0,
        id: Uuid::from_u128(1),
        payload_type,
    };
    Message::new(head, Bytes::copy_from_slice(payload)).encode()
}

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::DuplexStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{PROBE_PATIENCE, SEND_LIMIT, Wire};
use crate::proto::{AgentProfile, Options, Session};

/// A first message for which the agent is not ready is repeated in time only if the timer follows each message.
#[tokio::test]
async fn a_message_that_gets_lost_is_known_to_the_timer() {
    let mut session = connected();
    let (near, _far) = tokio::io::duplex(64 * 1024);
    let socket = WebSocketStream::from_raw_socket(near, Role::Client, None).await;
    let mut wire = Wire::new(socket, String::new());
    settle(&mut wire, &mut session).await;

    let stream = session.open();
    session.write(stream, Bytes::from_static(b"hello"));
    assert!(turn(&mut wire, &mut session).await.is_ready());
    assert!(session.poll_timeout().is_some());
    assert!(turn(&mut wire, &mut session).await.is_pending());
}

/// A socket that takes nothing takes no ping either: the timer must not ask for one again and again.
#[tokio::test(start_paused = true)]
async fn while_the_socket_is_blocked_no_ping_is_due_and_after_a_minute_it_is_given_up() {
    let mut session = connected();
    let (near, _far) = tokio::io::duplex(4 * 1024);
    let socket = WebSocketStream::from_raw_socket(near, Role::Client, None).await;
    let mut wire = Wire::new(socket, String::new());
    let stream = session.open();
    session.write(stream, Bytes::from(vec![7; 400_000]));
    settle(&mut wire, &mut session).await;
    let blocked = tokio::time::Instant::now();
    // It is read late: its silence is not what ends it.
    tokio::time::advance(SEND_LIMIT / 2).await;
    wire.excuse_silence(tokio::time::Instant::now());
    assert_eq!(wire.next_due(true), blocked + SEND_LIMIT);
    assert!(turn(&mut wire, &mut session).await.is_pending());
    assert_eq!(wire.lost(true, tokio::time::Instant::now()), None);
    tokio::time::advance(SEND_LIMIT / 2).await;
    let why = wire.lost(true, tokio::time::Instant::now());
    assert!(
        why.is_some_and(|why| why.contains("took no data")),
        "{why:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_doubted_socket_is_asked_at_once_and_given_up_without_an_answer() {
    let mut session = connected();
    let (near, far) = tokio::io::duplex(64 * 1024);
    let socket = WebSocketStream::from_raw_socket(near, Role::Client, None).await;
    let mut far = WebSocketStream::from_raw_socket(far, Role::Server, None).await;
    let mut wire = Wire::new(socket, String::new());
    settle(&mut wire, &mut session).await;
    let doubted = tokio::time::Instant::now();
    wire.probe(doubted);
    settle(&mut wire, &mut session).await;
    let asked = async {
        while let Some(message) = far.next().await {
            if message.expect("a message").is_ping() {
                return far.flush().await.expect("a pong");
            }
        }
        panic!("nobody asked");
    };
    // No time passes but that of the timers.
    let asked = tokio::time::timeout(PROBE_PATIENCE, asked).await;
    asked.expect("at once");
    settle(&mut wire, &mut session).await;
    tokio::time::advance(PROBE_PATIENCE).await;
    assert_eq!(
        wire.lost(true, tokio::time::Instant::now()),
        None,
        "it answered"
    );

    wire.probe(tokio::time::Instant::now());
    settle(&mut wire, &mut session).await;
    tokio::time::advance(PROBE_PATIENCE).await;
    let why = wire.lost(true, tokio::time::Instant::now());
    assert!(why.is_some_and(|why| why.contains("no answer")), "{why:?}");
}

/// Let the wire say what it has to, the open frame above all.
async fn settle(wire: &mut Wire<DuplexStream>, session: &mut Session) {
    while turn(wire, session).await.is_ready() {}
}

async fn turn(wire: &mut Wire<DuplexStream>, session: &mut Session) -> Poll<Result<(), String>> {
    poll_fn(|cx| Poll::Ready(wire.poll(session, true, cx))).await
}

/// A client's session with the handshake so far behind it that the agent takes data, and nothing to send.
fn connected() -> Session {
    let (now, wall) = (Instant::now() - Duration::from_secs(1), SystemTime::now());
    let mut client = Session::new(Options::client(1, wall), now);
    let mut agent = Session::new(Options::agent(2, wall, AgentProfile::quick()), now);
    client.handle_connected(now);
    agent.handle_connected(now);
    loop {
        let (down, up) = (agent.poll_transmit(now), client.poll_transmit(now));
        if down.is_none() && up.is_none() {
            client.handle_timeout(Instant::now());
            return client;
        }
        if let Some(frame) = down {
            client.handle_input(frame, now).unwrap();
        }
        if let Some(frame) = up {
            agent.handle_input(frame, now).unwrap();
        }
    }
}

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use tokio::io::DuplexStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::Wire;
use crate::proto::{AgentProfile, Options, Session};

/// A new session's first message was lost because the agent was not ready for it, and the timer
/// still showed the end of the handshake: it was repeated 15 s later.
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

/// Let the wire say what it has to, the open frame above all.
async fn settle(wire: &mut Wire<DuplexStream>, session: &mut Session) {
    while turn(wire, session).await.is_ready() {}
}

async fn turn(wire: &mut Wire<DuplexStream>, session: &mut Session) -> Poll<Result<(), String>> {
    poll_fn(|cx| Poll::Ready(wire.poll(session, true, cx))).await
}

/// A client's session with the handshake behind it and nothing to send.
fn connected() -> Session {
    let (now, wall) = (Instant::now(), SystemTime::now());
    let mut client = Session::new(Options::client(1, wall), now);
    let mut agent = Session::new(Options::agent(2, wall, AgentProfile::quick()), now);
    client.handle_connected(now);
    agent.handle_connected(now);
    loop {
        let (down, up) = (agent.poll_transmit(now), client.poll_transmit(now));
        if down.is_none() && up.is_none() {
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

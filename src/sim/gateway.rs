//! The message gateway: WebSocket requests in, links with a good token out to their session's agent.
//!
//! The HTTP side is written by hand so that tests see the request byte for byte and can have any refusal. After the
//! first frame this file is done: the agent owns the link.

use std::{io, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    time::Instant,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        handshake::derive_accept_key,
        protocol::{CloseFrame, Role, frame::coding::CloseCode},
    },
};

use super::{
    faults::Signature,
    http_head::Head,
    session::{Link, Opening, ToAgent},
    world::{State, World},
};

/// A link whose HTTP part is over.
pub(super) type Upgraded = WebSocketStream<TcpStream>;

/// How long the gateway waits for a request, and then for the first frame.
const PATIENCE: Duration = Duration::from_secs(15);

/// The path before the session's id.
const PATH: &str = "/v1/data-channel/";

/// Accepts WebSocket connections for as long as the simulator lives.
pub(super) async fn serve(world: World, listener: TcpListener) {
    loop {
        // An accept error is the process's own (out of descriptors): the next one may work.
        if let Ok((stream, _)) = listener.accept().await {
            let world_of_link = world.clone();
            world.core.spawn(async move {
                let link = serve_link(&world_of_link, stream);
                if let Err(error) = link.await {
                    tracing::debug!(%error, "link not opened");
                }
            });
        }
    }
}

async fn serve_link(world: &World, mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (head, rest) = tokio::time::timeout(PATIENCE, Head::read(&mut stream)).await??;
    let (index, status) = world.core.change(|state| admit(state, &head));
    if status != 101 {
        let refusal =
            format!("HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return stream.write_all(refusal.as_bytes()).await;
    }
    let key = derive_accept_key(
        head.header("sec-websocket-key")
            .unwrap_or_default()
            .as_bytes(),
    );
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {key}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    let link = WebSocketStream::from_partially_read(stream, rest, Role::Server, None).await;
    open(world, link, index).await
}

/// Decides about a request and remembers it.
fn admit(state: &mut State, head: &Head) -> (usize, u16) {
    let path = head.target.split('?').next().unwrap_or_default();
    let mut link = Link {
        at: Instant::now(),
        session: path.strip_prefix(PATH).unwrap_or_default().to_owned(),
        target: head.target.clone(),
        headers: head.headers.clone(),
        status: 101,
        open: None,
        ended: None,
    };
    link.status = match (state.refuse_upgrades.pop_front(), state.faults.signature) {
        (Some(status), _) => status,
        (None, Signature::Required(status)) if !link.is_signed() => status,
        (None, Signature::Refused(status)) if link.is_signed() => status,
        _ if link.session.is_empty() => 404,
        _ if head.header("sec-websocket-key").is_none() => 400,
        _ => 101,
    };
    let status = link.status;
    state.links.push(link);
    (state.links.len() - 1, status)
}

/// Takes the first frame: a text with a token issued for this session and not yet used.
async fn open(world: &World, mut link: Upgraded, index: usize) -> io::Result<()> {
    let first = tokio::time::timeout(PATIENCE, first_frame(&mut link)).await?;
    let text = match first {
        Some(Ok(Message::Text(text))) => text,
        _ => return refuse(world, link, index, "the first frame is not a text").await,
    };
    let Ok(frame) = serde_json::from_str::<Value>(&text) else {
        return refuse(world, link, index, "the first frame is not JSON").await;
    };
    let agent = world.core.change(|state| {
        let accepted = use_token(
            state,
            index,
            frame["TokenValue"].as_str().unwrap_or_default(),
        );
        state.links[index].open = Some(opening(&frame, accepted.is_some()));
        accepted
    });
    let Some(agent) = agent else {
        return refuse(world, link, index, "the token is unknown, used or expired").await;
    };
    // The session ends when its agent is gone, and the link with it.
    let _ = agent.send(ToAgent::Attach(Box::new(link), index)).await;
    Ok(())
}

/// Pings count for nothing: the reference client sends one as soon as the link is up.
async fn first_frame(link: &mut Upgraded) -> Option<Result<Message, Error>> {
    loop {
        match link.next().await {
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            other => return other,
        }
    }
}

fn use_token(
    state: &mut State,
    index: usize,
    token: &str,
) -> Option<tokio::sync::mpsc::Sender<ToAgent>> {
    let session = &state.links[index].session;
    let entry = state
        .sessions
        .iter_mut()
        .find(|entry| entry.public.id == *session)?;
    let at = entry.tokens.iter().position(|(known, _)| known == token)?;
    let (_, expires) = entry.tokens.swap_remove(at);
    let good = entry.public.is_active() && Instant::now() < expires;
    good.then(|| entry.agent.clone())
}

fn opening(frame: &Value, accepted: bool) -> Opening {
    let member = |name: &str| frame[name].as_str().unwrap_or_default().to_owned();
    Opening {
        schema_version: member("MessageSchemaVersion"),
        request_id: member("RequestId"),
        client_id: member("ClientId"),
        client_version: member("ClientVersion"),
        accepted,
    }
}

async fn refuse(world: &World, mut link: Upgraded, index: usize, why: &str) -> io::Result<()> {
    world
        .core
        .change(|state| state.links[index].ended = Some(why.to_owned()));
    let close = CloseFrame {
        code: CloseCode::Policy,
        reason: why.to_owned().into(),
    };
    let sent = link.send(Message::Close(Some(close))).await;
    sent.map_err(io::Error::other)
}

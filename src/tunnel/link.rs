//! One WebSocket carrying a session, until either ends.
//!
//! Knows a WebSocket and a session; it does not know AWS. It takes the [`Bridge`] by reference for
//! as long as the WebSocket lives, so that everything that must survive is left behind in it.
//!
//! Reading has two rules. A chunk from a connection is taken only while the session can take it:
//! that is the whole of back-pressure towards clients. The WebSocket is not read while the only
//! connection there is has more queued than it may: that is all the back-pressure the far side
//! knows. With others beside it, a connection over its bound is reset instead.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};
use tokio_util::sync::CancellationToken;

use super::bridge::Bridge;
use super::conn::Accepted;
use crate::proto::{Event, Failure, Session};

/// Below the 60 s after which load balancers and VPN gateways forget a silent connection.
const PING_INTERVAL: Duration = Duration::from_secs(25);
/// Nothing at all was received for so long, pongs included: the WebSocket is dead.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);
/// Messages written between two flushes: few system calls, and no starved acknowledgements.
const FLUSH_EVERY: usize = 32;
/// Messages read before the other branches get a turn.
const READ_BATCH: usize = 64;
/// What the service is given to take a message before the WebSocket counts as dead.
const SEND_LIMIT: Duration = Duration::from_secs(60);
/// What the agent is given to acknowledge the end of the session.
const TERMINATE_PATIENCE: Duration = Duration::from_secs(1);
/// What a polite close is given.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// Why a link ended.
#[derive(Debug, PartialEq)]
pub enum LinkEnd {
    /// The WebSocket is gone; the session may be resumed.
    Lost(String),
    /// AWS or the agent ended the session, with this text.
    Closed(String),
    /// The session cannot go on.
    Failed(Failure),
    /// It was ended as asked. `acked` says whether the agent heard of it.
    Terminated {
        /// The agent acknowledged the end.
        acked: bool,
    },
}

/// What comes to a link from its tunnel.
#[derive(Debug)]
pub struct Inbox<'a> {
    /// Connections to carry.
    pub placed: &'a mut mpsc::Receiver<Accepted>,
    /// Cancelled when the session is to end.
    pub end: &'a CancellationToken,
}

/// Carry the session in `bridge` over `socket`. `open_frame` is sent first.
pub async fn run<S>(
    bridge: &mut Bridge,
    socket: WebSocketStream<S>,
    open_frame: String,
    inbox: Inbox<'_>,
) -> LinkEnd
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut link = Link::new(socket, open_frame);
    bridge.session.handle_connected(link.now());
    let end = link.carry(bridge, inbox).await;
    bridge.session.handle_disconnected(link.now());
    link.close().await;
    end
}

struct Link<S> {
    socket: WebSocketStream<S>,
    /// Goes before everything else.
    open_frame: Option<String>,
    /// Messages written since the last flush, pongs included.
    unflushed: usize,
    heard_at: Instant,
    ping_at: Instant,
    /// Since when the socket has refused to take what is pending.
    blocked_since: Option<Instant>,
    /// The session is being ended, and by then it is.
    terminate_by: Option<Instant>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    fn new(socket: WebSocketStream<S>, open_frame: String) -> Self {
        let now = Instant::now();
        Self {
            socket,
            open_frame: Some(open_frame),
            unflushed: 0,
            heard_at: now,
            ping_at: now + PING_INTERVAL,
            blocked_since: None,
            terminate_by: None,
        }
    }

    async fn carry(&mut self, bridge: &mut Bridge, inbox: Inbox<'_>) -> LinkEnd {
        let Inbox { placed, end } = inbox;
        let mut timer = Box::pin(sleep_until(self.ping_at));
        loop {
            if let Some(end) = self.follow_events(bridge) {
                return end;
            }
            bridge.publish();
            let reading = !bridge.is_stalled();
            let takes_chunks = bridge.session.can_write();
            let ending = self.terminate_by.is_some();
            set_timer(&mut timer, self.next_due(bridge, reading));
            tokio::select! {
                carried = poll_fn(|cx| self.poll(&mut bridge.session, reading, cx)) => {
                    if let Err(why) = carried {
                        return self.lost(why);
                    }
                }
                Some(chunk) = bridge.chunks.recv(), if takes_chunks => bridge.take(chunk),
                Some(accepted) = placed.recv(), if !ending => bridge.attach(accepted),
                Some(_) = bridge.conns.join_next() => {}
                () = bridge.drained.notified(), if !reading => self.heard_at = Instant::now(),
                () = end.cancelled(), if !ending => self.terminate(bridge),
                () = &mut timer => {
                    if let Some(end) = self.timeout(bridge, reading) {
                        return end;
                    }
                }
            }
        }
    }

    /// What the session has to say, passed on. Some of it ends the link.
    fn follow_events(&mut self, bridge: &mut Bridge) -> Option<LinkEnd> {
        while let Some(event) = bridge.session.poll_event() {
            match event {
                Event::Unresponsive => {
                    return Some(self.lost("nothing was acknowledged for 30 s".to_owned()));
                }
                Event::Closed { .. } if self.terminate_by.is_some() => {
                    return Some(LinkEnd::Terminated { acked: true });
                }
                Event::Closed { output } => return Some(LinkEnd::Closed(output)),
                Event::Failed(failure) => return Some(LinkEnd::Failed(failure)),
                event => bridge.follow(event),
            }
        }
        let acked = self.terminate_by.is_some() && bridge.session.is_terminate_acked();
        acked.then_some(LinkEnd::Terminated { acked })
    }

    /// Send what is pending, then take what has come, then flush. `Ready` when something was
    /// received, when the socket failed, or when the session has another deadline: if what was sent
    /// gets lost, nothing else would make the timer follow.
    fn poll(
        &mut self,
        session: &mut Session,
        reading: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), String>> {
        let now = Instant::now();
        let deadline = session.poll_timeout();
        let sent = self.poll_send(session, now, cx)?;
        let mut received = 0;
        while reading && received < READ_BATCH {
            let Poll::Ready(message) = Pin::new(&mut self.socket).poll_next(cx) else {
                break;
            };
            self.receive(session, message, now)?;
            received += 1;
        }
        if received > 0 {
            return Poll::Ready(Ok(()));
        }
        if sent.is_ready() && self.unflushed > 0 {
            let _ = self.poll_flush(now, cx)?;
        }
        match session.poll_timeout() == deadline {
            true => Poll::Pending,
            false => Poll::Ready(Ok(())),
        }
    }

    /// Hand everything pending to the socket. `Pending` when it takes no more for now.
    fn poll_send(
        &mut self,
        session: &mut Session,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), String>> {
        loop {
            if self.unflushed >= FLUSH_EVERY {
                ready!(self.poll_flush(now, cx))?;
            }
            let ready = Pin::new(&mut self.socket).poll_ready(cx);
            ready!(self.noting_blocks(ready, now))?;
            let Some(message) = self.next_message(session, now) else {
                return Poll::Ready(Ok(()));
            };
            Pin::new(&mut self.socket)
                .start_send(message)
                .map_err(|e| e.to_string())?;
            self.unflushed += 1;
        }
    }

    fn next_message(&mut self, session: &mut Session, now: Instant) -> Option<Message> {
        if let Some(open) = self.open_frame.take() {
            return Some(Message::text(open));
        }
        if self.ping_at <= now {
            self.ping_at = now + PING_INTERVAL;
            return Some(Message::Ping(Bytes::from_static(b"keepalive")));
        }
        session.poll_transmit(now.into_std()).map(Message::Binary)
    }

    fn poll_flush(&mut self, now: Instant, cx: &mut Context<'_>) -> Poll<Result<(), String>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(cx);
        ready!(self.noting_blocks(flushed, now))?;
        self.unflushed = 0;
        Poll::Ready(Ok(()))
    }

    /// Remember since when the socket has not taken anything.
    fn noting_blocks(
        &mut self,
        result: Poll<Result<(), tungstenite::Error>>,
        now: Instant,
    ) -> Poll<Result<(), String>> {
        match result {
            Poll::Pending => {
                self.blocked_since.get_or_insert(now);
                Poll::Pending
            }
            Poll::Ready(done) => {
                self.blocked_since = None;
                Poll::Ready(done.map_err(|error| error.to_string()))
            }
        }
    }

    fn receive(
        &mut self,
        session: &mut Session,
        message: Option<Result<Message, tungstenite::Error>>,
        now: Instant,
    ) -> Result<(), String> {
        self.heard_at = now;
        match message {
            Some(Ok(Message::Binary(frame))) => {
                if let Err(error) = session.handle_input(frame, now.into_std()) {
                    tracing::debug!(%error, "message ignored");
                }
                Ok(())
            }
            // The answer is queued already and wants to be flushed.
            Some(Ok(Message::Ping(_))) => {
                self.unflushed += 1;
                Ok(())
            }
            Some(Ok(Message::Pong(_) | Message::Text(_) | Message::Frame(_))) => Ok(()),
            Some(Ok(Message::Close(frame))) => Err(closed(frame)),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("the service closed the connection".to_owned()),
        }
    }

    fn timeout(&mut self, bridge: &mut Bridge, reading: bool) -> Option<LinkEnd> {
        let now = Instant::now();
        if self.terminate_by.is_some_and(|at| at <= now) {
            return Some(LinkEnd::Terminated { acked: false });
        }
        if self
            .blocked_since
            .is_some_and(|since| since + SEND_LIMIT <= now)
        {
            return Some(self.lost("the service took no data for 60 s".to_owned()));
        }
        if !reading {
            return None;
        }
        if self.heard_at + SILENCE_LIMIT <= now {
            return Some(self.lost("nothing was received for 60 s".to_owned()));
        }
        bridge.session.handle_timeout(now.into_std());
        None
    }

    fn next_due(&self, bridge: &Bridge, reading: bool) -> Instant {
        let session = bridge
            .session
            .poll_timeout()
            .map(Instant::from_std)
            .filter(|_| reading);
        let silence = reading.then(|| self.heard_at + SILENCE_LIMIT);
        let blocked = self.blocked_since.map(|since| since + SEND_LIMIT);
        let due = [session, silence, blocked, self.terminate_by];
        due.into_iter().flatten().fold(self.ping_at, Instant::min)
    }

    fn terminate(&mut self, bridge: &mut Bridge) {
        let now = Instant::now();
        bridge.end_all();
        bridge.session.terminate(now.into_std());
        self.terminate_by = Some(now + TERMINATE_PATIENCE);
    }

    fn lost(&self, why: String) -> LinkEnd {
        match self.terminate_by {
            Some(_) => LinkEnd::Terminated { acked: false },
            None => LinkEnd::Lost(why),
        }
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into_std()
    }

    /// Close politely, so that the service need not find out by itself.
    async fn close(&mut self) {
        let frame = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        let _ = timeout(CLOSE_PATIENCE, self.socket.close(Some(frame))).await;
    }
}

/// Move the timer forward only: one that fires early does no harm, and moving it back for every
/// message would cost more.
fn set_timer(timer: &mut Pin<Box<Sleep>>, due: Instant) {
    if timer.is_elapsed() || due < timer.deadline() {
        timer.as_mut().reset(due);
    }
}

fn closed(frame: Option<CloseFrame>) -> String {
    match frame {
        Some(frame) if frame.reason.is_empty() => format!("closed with code {}", frame.code),
        Some(frame) => format!("closed with code {} \"{}\"", frame.code, frame.reason),
        None => "closed without a code".to_owned(),
    }
}

#[cfg(test)]
mod tests;

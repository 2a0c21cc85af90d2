//! The WebSocket under a link: sending in batches, receiving in batches, and signs of life.
//!
//! It has one polling method, which may be dropped at any time: nothing is kept in the future.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};

use crate::proto::Protocol;

/// Below the 60 s after which load balancers and VPN gateways forget a silent connection.
const PING_INTERVAL: Duration = Duration::from_secs(25);
/// Nothing at all was received for so long, pongs included: the WebSocket is dead.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);
/// What the service is given to take what is sent before the WebSocket counts as dead.
const SEND_LIMIT: Duration = Duration::from_secs(60);
/// What the service is given to answer when there is reason to doubt the WebSocket: some retransmissions of TCP's, and
/// a new link is up within five seconds of the network's return.
const PROBE_PATIENCE: Duration = Duration::from_secs(4);
/// Messages written between two flushes: few system calls, and no starved acknowledgements.
const FLUSH_EVERY: usize = 32;
/// Messages read before others get a turn.
const READ_BATCH: usize = 64;
/// What a polite close is given.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// See the module.
pub struct Wire<S> {
    socket: WebSocketStream<S>,
    /// Goes before everything else.
    open_frame: Option<String>,
    /// Messages written since the last flush, pongs included.
    unflushed: usize,
    heard_at: Instant,
    ping_at: Instant,
    /// Since when the socket has refused to take what is pending.
    blocked_since: Option<Instant>,
    /// The WebSocket is doubted: something has to be heard by then.
    answer_by: Option<Instant>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// A WebSocket that has just been opened. `open_frame` is sent first.
    pub fn new(socket: WebSocketStream<S>, open_frame: String) -> Self {
        let now = Instant::now();
        Self {
            socket,
            open_frame: Some(open_frame),
            unflushed: 0,
            heard_at: now,
            ping_at: now + PING_INTERVAL,
            blocked_since: None,
            answer_by: None,
        }
    }

    /// Send what is pending, then take what has come, then flush. `Ready` when something was
    /// received, with the reason when the WebSocket is gone, or when the session has another
    /// deadline: if what was sent gets lost, nothing else would make the timer follow.
    pub fn poll(
        &mut self,
        session: &mut impl Protocol,
        reading: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), String>> {
        let now = Instant::now();
        let deadline = session.poll_timeout();
        let sent = self.poll_send(session, now, cx);
        let mut received = 0;
        while reading && received < READ_BATCH {
            let Poll::Ready(message) = Pin::new(&mut self.socket).poll_next(cx) else {
                break;
            };
            self.receive(session, message, now)?;
            received += 1;
        }
        // What came before the loss is news, too.
        if received > 0 {
            return Poll::Ready(Ok(()));
        }
        if sent?.is_ready() && self.unflushed > 0 {
            let _ = self.poll_flush(now, cx)?;
        }
        match session.poll_timeout() == deadline {
            true => Poll::Pending,
            false => Poll::Ready(Ok(())),
        }
    }

    /// Send what is pending, and nothing else. `Ready` when it has left.
    pub fn poll_last_words(
        &mut self,
        session: &mut impl Protocol,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), String>> {
        let now = Instant::now();
        ready!(self.poll_send(session, now, cx))?;
        self.poll_flush(now, cx)
    }

    /// When [`Self::lost`] may have something to say, or a ping is due.
    pub fn next_due(&self, reading: bool) -> Instant {
        let limit = self.heard_at + SILENCE_LIMIT;
        let silence = reading.then(|| self.answer_by.map_or(limit, |at| at.min(limit)));
        // A socket that takes nothing takes no ping either.
        let sending = match self.blocked_since {
            Some(since) => since + SEND_LIMIT,
            None => self.ping_at,
        };
        silence.map_or(sending, |silence| silence.min(sending))
    }

    /// Why the WebSocket counts as dead, if it does.
    pub fn lost(&mut self, reading: bool, now: Instant) -> Option<&'static str> {
        let blocked = self
            .blocked_since
            .is_some_and(|since| since + SEND_LIMIT <= now);
        if blocked {
            return Some("the service took no data for 60 s");
        }
        if !reading {
            return None;
        }
        if self.answer_by.is_some_and(|at| at <= now) {
            return Some("no answer after a sleep, or on another network");
        }
        (self.heard_at + SILENCE_LIMIT <= now).then_some("nothing was received for 60 s")
    }

    /// The machine was asleep, or is on another network: ask at once whether the WebSocket lives.
    pub fn probe(&mut self, now: Instant) {
        self.ping_at = now;
        self.answer_by = Some(now + PROBE_PATIENCE);
    }

    /// It was not read for a while, so its silence means nothing. What was asked meanwhile is asked again.
    pub fn excuse_silence(&mut self, now: Instant) {
        self.heard_at = now;
        if self.answer_by.is_some() {
            self.probe(now);
        }
    }

    /// Close politely, so that the service need not find out by itself.
    pub async fn close(&mut self) {
        let frame = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        let _ = timeout(CLOSE_PATIENCE, self.socket.close(Some(frame))).await;
    }

    /// Hand everything pending to the socket. `Pending` when it takes no more for now.
    fn poll_send(
        &mut self,
        session: &mut impl Protocol,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), String>> {
        loop {
            if self.unflushed >= FLUSH_EVERY {
                ready!(self.poll_flush(now, cx))?;
            }
            let Poll::Ready(ready) = Pin::new(&mut self.socket).poll_ready(cx) else {
                self.blocked_since.get_or_insert(now);
                return Poll::Pending;
            };
            ready.map_err(|error| error.to_string())?;
            let Some(message) = self.next_message(session, now) else {
                return Poll::Ready(Ok(()));
            };
            let sent = Pin::new(&mut self.socket).start_send(message);
            sent.map_err(|error| error.to_string())?;
            self.unflushed += 1;
        }
    }

    fn next_message(&mut self, session: &mut impl Protocol, now: Instant) -> Option<Message> {
        if let Some(open) = self.open_frame.take() {
            return Some(Message::text(open));
        }
        if self.ping_at <= now {
            self.ping_at = now + PING_INTERVAL;
            return Some(Message::Ping(Bytes::from_static(b"keepalive")));
        }
        let frame = session.poll_transmit(now.into_std())?;
        tracing::trace!(bytes = frame.len(), "message sent");
        Some(Message::Binary(frame))
    }

    fn poll_flush(&mut self, now: Instant, cx: &mut Context<'_>) -> Poll<Result<(), String>> {
        let Poll::Ready(flushed) = Pin::new(&mut self.socket).poll_flush(cx) else {
            self.blocked_since.get_or_insert(now);
            return Poll::Pending;
        };
        self.blocked_since = None;
        self.unflushed = 0;
        Poll::Ready(flushed.map_err(|error| error.to_string()))
    }

    fn receive(
        &mut self,
        session: &mut impl Protocol,
        message: Option<Result<Message, tungstenite::Error>>,
        now: Instant,
    ) -> Result<(), String> {
        (self.heard_at, self.answer_by) = (now, None);
        match message {
            Some(Ok(Message::Binary(frame))) => {
                tracing::trace!(bytes = frame.len(), "message received");
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

//! One WebSocket of a session, from the agent's side: frames in and out, with the faults on the way.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{
    self, Message,
    protocol::{
        CloseFrame,
        frame::{
            Frame,
            coding::{Data, OpCode},
        },
    },
};

use super::transit::Transit;
use crate::sim::{faults::Faults, gateway::Upgraded};

/// Frames taken from the socket at once; also the most that wait to be written. Large enough to share system calls,
/// small enough that acknowledgements are not late.
pub(super) const BATCH: usize = 256;

/// The official agent's write buffer: a longer message goes out in fragments.
const FRAGMENT: usize = 4096;

/// How long a client may take to close its side.
const FAREWELL: Duration = Duration::from_secs(1);

/// A link in use.
pub(in crate::sim) struct Link {
    socket: Upgraded,
    /// Its place in the world's list.
    pub index: usize,
    /// When it was opened.
    pub since: Instant,
    /// Messages both ways so far.
    pub messages: u64,
    fragment: bool,
    to_agent: Transit,
    to_client: Transit,
    arrived: VecDeque<Bytes>,
    outgoing: VecDeque<Bytes>,
    unflushed: bool,
    frozen: bool,
}

/// What a link has to tell.
pub(in crate::sim) enum News {
    /// Frames from the client, in [`Link::take`].
    Arrived,
    /// What waited has been written: there is room for more.
    Sent,
    /// It is over, and why.
    Lost(String),
}

impl Link {
    pub fn new(socket: Upgraded, index: usize, fragment: bool, seed: u64) -> Self {
        Self {
            socket,
            index,
            since: Instant::now(),
            messages: 0,
            fragment,
            to_agent: Transit::new(seed),
            to_client: Transit::new(!seed),
            arrived: VecDeque::new(),
            outgoing: VecDeque::new(),
            unflushed: false,
            frozen: false,
        }
    }

    /// Whether more may be sent: nothing is gained by queueing far ahead of the socket.
    pub fn has_room(&self) -> bool {
        !self.frozen && self.outgoing.len() < BATCH
    }

    /// Sends a frame to the client, through the faults; not before `not_before`.
    pub fn send(
        &mut self,
        faults: &Faults,
        frame: Bytes,
        not_before: Option<Instant>,
        now: Instant,
    ) {
        self.messages += 1;
        self.to_client.send(
            &faults.to_client,
            frame,
            not_before,
            now,
            &mut self.outgoing,
        );
    }

    /// Sends a frame to the client as it is.
    pub fn send_untouched(&mut self, frame: Bytes) {
        self.outgoing.push_back(frame);
    }

    /// The next frame from the client that has arrived at the agent.
    pub fn take(&mut self) -> Option<Bytes> {
        self.arrived.pop_front()
    }

    /// When a frame under way arrives at either end.
    pub fn next_arrival(&self) -> Option<Instant> {
        let arrivals = [self.to_agent.next_arrival(), self.to_client.next_arrival()];
        arrivals
            .into_iter()
            .flatten()
            .min()
            .filter(|_| !self.frozen)
    }

    /// Lets frames under way arrive.
    pub fn handle_timeout(&mut self, now: Instant) {
        if !self.frozen {
            self.to_agent.arrive(now, &mut self.arrived);
            self.to_client.arrive(now, &mut self.outgoing);
        }
    }

    /// Writes what waits, reads what came, until there is something to tell. Nothing is lost when it is dropped.
    pub async fn next(&mut self, faults: &Faults, read: bool) -> News {
        if self.frozen {
            return std::future::pending().await;
        }
        poll_fn(|cx| match self.poll_write(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(News::Sent),
            Poll::Ready(Err(error)) => Poll::Ready(News::Lost(error.to_string())),
            Poll::Pending if read => self.poll_read(cx, faults),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// From now on nothing is read or written, and nobody says so.
    pub fn freeze(&mut self) {
        self.frozen = true;
    }

    /// Whether it is half-open.
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// Resets the TCP connection.
    pub fn reset(self) {
        let _ = self.socket.get_ref().set_zero_linger();
    }

    /// Writes what waits, says goodbye, and gives the client a moment to do the same.
    pub async fn farewell(mut self, code: u16, reason: String) {
        if self.frozen {
            return;
        }
        let close = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        let goodbye = async {
            while !self.outgoing.is_empty() {
                poll_fn(|cx| self.poll_write(cx)).await?;
            }
            self.socket.send(Message::Close(Some(close))).await?;
            while let Some(frame) = self.socket.next().await {
                frame?;
            }
            Ok::<_, tungstenite::Error>(())
        };
        let _ = tokio::time::timeout(FAREWELL, goodbye).await;
    }

    /// Ready when all that waited has been written and flushed; pending also when there was nothing.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), tungstenite::Error>> {
        while let Some(frame) = self.outgoing.front() {
            let mut socket = Pin::new(&mut self.socket);
            if socket.as_mut().poll_ready(cx)?.is_pending() {
                return Poll::Pending;
            }
            if self.fragment && frame.len() > FRAGMENT {
                let frame = frame.clone();
                send_fragments(socket, &frame)?;
            } else {
                socket.start_send(Message::Binary(frame.clone()))?;
            }
            self.outgoing.pop_front();
            self.unflushed = true;
        }
        if !self.unflushed {
            return Poll::Pending;
        }
        let flushed = Pin::new(&mut self.socket).poll_flush(cx)?;
        self.unflushed = flushed.is_pending();
        flushed.map(Ok)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, faults: &Faults) -> Poll<News> {
        let now = Instant::now();
        for _ in 0..BATCH {
            match Pin::new(&mut self.socket).poll_next(cx) {
                Poll::Ready(Some(Ok(Message::Binary(frame)))) => {
                    self.messages += 1;
                    self.to_agent
                        .send(&faults.to_agent, frame, None, now, &mut self.arrived);
                }
                Poll::Ready(Some(Ok(Message::Text(_)))) => {
                    return Poll::Ready(News::Lost("a text frame after the first".to_owned()));
                }
                Poll::Ready(Some(Ok(Message::Close(frame)))) => {
                    return Poll::Ready(News::Lost(
                        frame.map_or("closed".into(), |frame| frame.to_string()),
                    ));
                }
                Poll::Ready(Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)))) => {}
                Poll::Ready(Some(Err(error))) => return Poll::Ready(News::Lost(error.to_string())),
                Poll::Ready(None) => return Poll::Ready(News::Lost("end of stream".to_owned())),
                Poll::Pending if self.arrived.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(News::Arrived)
    }
}

fn send_fragments(mut socket: Pin<&mut Upgraded>, frame: &Bytes) -> Result<(), tungstenite::Error> {
    let count = frame.len().div_ceil(FRAGMENT);
    for at in 0..count {
        let part = frame.slice(at * FRAGMENT..frame.len().min((at + 1) * FRAGMENT));
        let kind = if at == 0 {
            Data::Binary
        } else {
            Data::Continue
        };
        let part = Frame::message(part, OpCode::Data(kind), at + 1 == count);
        socket.as_mut().start_send(Message::Frame(part))?;
    }
    Ok(())
}

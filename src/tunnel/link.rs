//! One WebSocket carrying a session, until either ends.
//!
//! Knows a WebSocket and a session; it does not know AWS. It borrows the `Bridge` for as long as
//! the WebSocket lives, so that everything that must survive is left behind in it.
//!
//! Reading has two rules. A chunk from a connection is taken only while the session can take it:
//! that is the whole of back-pressure towards clients. The WebSocket is not read while the only
//! connection there is has more queued than it may: that is all the back-pressure the far side
//! knows. With others beside it, a connection over its bound is reset instead.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_util::sync::CancellationToken;

use super::bridge::Bridge;
use super::conn::Accepted;
use super::renewal::Renewal;
use crate::proto::{Event, Failure};
use crate::session::Wire;

/// What streams are given to be closed before the session is.
const DRAIN_PATIENCE: Duration = Duration::from_millis(300);
/// What the agent is given to acknowledge the end of the session.
const TERMINATE_PATIENCE: Duration = Duration::from_secs(1);
/// What a refused handshake is given to reach the agent.
const LAST_WORDS_PATIENCE: Duration = Duration::from_secs(1);

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
    /// Told when the machine was asleep, or is on another network.
    pub changes: &'a mut watch::Receiver<()>,
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
    bridge.session.handle_connected(Instant::now().into_std());
    let mut link = Link {
        wire: Wire::new(socket, open_frame),
        farewell: Farewell::None,
        renewal: Renewal::new(Instant::now().into_std()),
    };
    let end = link.carry(bridge, inbox).await;
    if let LinkEnd::Failed(_) = end {
        let words = poll_fn(|cx| link.wire.poll_last_words(&mut bridge.session, cx));
        let _ = timeout(LAST_WORDS_PATIENCE, words).await;
    }
    bridge
        .session
        .handle_disconnected(Instant::now().into_std());
    link.wire.close().await;
    end
}

struct Link<S> {
    wire: Wire<S>,
    farewell: Farewell,
    renewal: Renewal,
}

/// How far the end of the session is.
#[derive(Clone, Copy, PartialEq)]
enum Farewell {
    /// Nobody asked for it.
    None,
    /// Streams are being closed, until then at most.
    Draining(Instant),
    /// The agent has been told, and by then it is over.
    Terminating(Instant),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    async fn carry(&mut self, bridge: &mut Bridge, inbox: Inbox<'_>) -> LinkEnd {
        let Inbox {
            placed,
            end,
            changes,
        } = inbox;
        let mut timer = Box::pin(sleep_until(Instant::now()));
        let mut was_reading = true;
        loop {
            if let Some(end) = self.follow_events(bridge) {
                return end;
            }
            bridge.publish();
            let reading = !bridge.is_stalled();
            if reading && !was_reading {
                let now = Instant::now();
                self.wire.excuse_silence(now);
                bridge.session.excuse_silence(now.into_std());
            }
            was_reading = reading;
            let takes_chunks = bridge.session.can_write();
            let ending = self.farewell != Farewell::None;
            set_timer(&mut timer, self.next_due(bridge, reading));
            tokio::select! {
                carried = poll_fn(|cx| self.wire.poll(&mut bridge.session, reading, cx)) => {
                    if let Err(why) = carried {
                        // The last message before the loss may have been the session's end.
                        return self.follow_events(bridge).unwrap_or_else(|| self.lost(why));
                    }
                }
                Some(chunk) = bridge.chunks.recv(), if takes_chunks => bridge.take(chunk),
                Some(accepted) = placed.recv(), if !ending => bridge.attach(accepted),
                Some(_) = bridge.conns.join_next() => bridge.detach(),
                () = bridge.drained.notified(), if !reading => {}
                () = end.cancelled(), if !ending => self.drain(bridge),
                Ok(()) = changes.changed() => self.wire.probe(Instant::now()),
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
                Event::Closed { .. } if self.farewell != Farewell::None => {
                    return Some(LinkEnd::Terminated { acked: true });
                }
                Event::Closed { output } => return Some(LinkEnd::Closed(output)),
                Event::Failed(failure) => return Some(LinkEnd::Failed(failure)),
                event => bridge.follow(event),
            }
        }
        match self.farewell {
            Farewell::Draining(_) if bridge.session.is_drained() => {
                self.terminate(bridge);
                None
            }
            Farewell::Terminating(_) if bridge.session.is_terminate_acked() => {
                Some(LinkEnd::Terminated { acked: true })
            }
            _ => None,
        }
    }

    fn timeout(&mut self, bridge: &mut Bridge, reading: bool) -> Option<LinkEnd> {
        let now = Instant::now();
        match self.farewell {
            Farewell::Draining(until) if until <= now => self.terminate(bridge),
            Farewell::Terminating(by) if by <= now => {
                return Some(LinkEnd::Terminated { acked: false });
            }
            _ => {}
        }
        if let Some(why) = self.wire.lost(reading, now) {
            return Some(self.lost(why.to_owned()));
        }
        // While nothing is read, acknowledgements are not missing: they are waiting.
        if reading {
            if self.is_worn(bridge, now) {
                return Some(
                    self.lost("it is nearly an hour old, and this moment is quiet".to_owned()),
                );
            }
            bridge.handle_timeout(now);
            bridge.session.handle_timeout(now.into_std());
        }
        None
    }

    /// Whether the service will close the WebSocket soon, and a new one costs nothing now.
    fn is_worn(&mut self, bridge: &Bridge, now: Instant) -> bool {
        let now = now.into_std();
        if self.renewal.look_at() > now {
            return false;
        }
        let stats = bridge.session.stats(now);
        let moved = stats.messages_sent + stats.messages_received;
        self.renewal.is_due(moved, bridge.session.is_drained(), now)
    }

    fn next_due(&self, bridge: &Bridge, reading: bool) -> Instant {
        let session = bridge.session.poll_timeout().filter(|_| reading);
        let farewell = match self.farewell {
            Farewell::None => None,
            Farewell::Draining(at) | Farewell::Terminating(at) => Some(at),
        };
        let probe = bridge.poll_timeout().filter(|_| reading);
        let renewal = reading.then(|| Instant::from_std(self.renewal.look_at()));
        let due = [session.map(Instant::from_std), farewell, probe, renewal];
        let due = due.into_iter().flatten();
        due.fold(self.wire.next_due(reading), Instant::min)
    }

    /// The session is no longer wanted: first its streams are closed, so that the agent hears of
    /// them before it hears of the end.
    fn drain(&mut self, bridge: &mut Bridge) {
        bridge.end_all();
        match bridge.is_ready() {
            true => self.farewell = Farewell::Draining(Instant::now() + DRAIN_PATIENCE),
            // Nobody there to be told.
            false => self.farewell = Farewell::Terminating(Instant::now()),
        }
    }

    fn terminate(&mut self, bridge: &mut Bridge) {
        let now = Instant::now();
        bridge.session.terminate(now.into_std());
        self.farewell = Farewell::Terminating(now + TERMINATE_PATIENCE);
    }

    fn lost(&self, why: String) -> LinkEnd {
        match self.farewell {
            Farewell::None => LinkEnd::Lost(why),
            Farewell::Draining(_) | Farewell::Terminating(_) => {
                LinkEnd::Terminated { acked: false }
            }
        }
    }
}

/// Move the timer forward only: one that fires early does no harm, and moving it back for every
/// message would cost more.
fn set_timer(timer: &mut Pin<Box<Sleep>>, due: Instant) {
    if timer.is_elapsed() || due < timer.deadline() {
        timer.as_mut().reset(due);
    }
}

//! What outlives a link: the protocol session, its connections, and the queues between them.
//!
//! A link borrows it for as long as one WebSocket lives. Between links nothing moves: connections
//! wait at their queues, and the session keeps what is unacknowledged.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::conn::{Accepted, Books, Conn, Counters, FromConn};
use super::pipe::{self, Item};
use super::view::{Phase, Publisher};
use crate::proto::{Event, Session, StreamId};

/// What one connection may leave unread before it has to wait, or is reset when others wait with
/// it. At the agent's pace this is about twenty seconds of a full-rate download.
const MAX_QUEUED: usize = 16 * 1024 * 1024;
/// The same for all connections of a session together.
const MAX_QUEUED_IN_ALL: usize = 64 * 1024 * 1024;
/// Chunks between connections and link; with 32 KiB each this bounds what waits to be sent.
const CHUNKS: usize = 8;
/// When the agent is asked whether its mux lives, if it has said nothing about a stream: before anybody is told that
/// there is no answer.
const PROBE_AFTER: Duration = Duration::from_secs(4);
/// How exactly it is known when the far side was last heard.
const HEARD_STEP: Duration = Duration::from_secs(1);
/// What connections are given to notice that their session is over.
const JOIN_PATIENCE: Duration = Duration::from_secs(1);

/// See the module.
pub struct Bridge {
    /// The protocol.
    pub session: Session,
    /// What connections want to send.
    pub chunks: mpsc::Receiver<FromConn>,
    /// The connections' tasks.
    pub conns: JoinSet<StreamId>,
    /// Notified when a connection has written all that was queued for it.
    pub drained: Arc<Notify>,
    up: mpsc::Sender<FromConn>,
    streams: HashMap<StreamId, Open>,
    /// Streams of which the far side has said nothing, and when they were opened. Those whose client has gone are
    /// among them: the agent dials them all the same, and dials no other meanwhile.
    unresolved: BTreeMap<StreamId, Instant>,
    /// Opened and finished to see whether the agent answers.
    probe: Option<StreamId>,
    /// When something came from the far side, noted only while something is unresolved.
    heard_at: Instant,
    counters: Arc<Counters>,
    half_close_linger: Duration,
    view: Publisher,
    /// Connections taken up, so far.
    attached: u64,
    changed: bool,
}

/// A stream and the way to its connection.
struct Open {
    down: pipe::Sender,
    /// Something came from the far side.
    reached: bool,
}

impl Bridge {
    /// A bridge without connections.
    pub fn new(
        session: Session,
        counters: Arc<Counters>,
        half_close_linger: Duration,
        view: Publisher,
    ) -> Self {
        let (up, chunks) = mpsc::channel(CHUNKS);
        Self {
            session,
            chunks,
            conns: JoinSet::new(),
            drained: Arc::default(),
            up,
            streams: HashMap::new(),
            unresolved: BTreeMap::new(),
            probe: None,
            heard_at: Instant::now(),
            counters,
            half_close_linger,
            view,
            attached: 0,
            changed: true,
        }
    }

    /// Give a connection its stream.
    pub fn attach(&mut self, accepted: Accepted) {
        let stream = self.session.open();
        accepted.ticket.placed(self.view.key());
        let (down, receiver) = pipe::pipe(Arc::clone(&self.drained));
        let open = Open {
            down,
            reached: false,
        };
        self.streams.insert(stream, open);
        self.unresolved.insert(stream, Instant::now());
        let conn = Conn {
            stream,
            up: self.up.clone(),
            down: receiver,
            books: Books {
                counters: Arc::clone(&self.counters),
                ticket: accepted.ticket,
            },
            linger: self.half_close_linger,
            view: self.view.subscribe(),
        };
        tracing::debug!(%stream, peer = %accepted.peer, "connection placed");
        self.conns.spawn(conn.run(accepted.socket));
        self.attached += 1;
        self.changed = true;
    }

    /// Pass on what a connection has to say.
    pub fn take(&mut self, chunk: FromConn) {
        match chunk {
            FromConn::Data(stream, data) => {
                if self.streams.contains_key(&stream) {
                    self.session.write(stream, data);
                }
            }
            FromConn::Finished(stream) => {
                self.remove(stream);
            }
        }
    }

    /// Pass on what the session has to say about a stream.
    pub fn follow(&mut self, event: Event) {
        match event {
            Event::Ready {
                agent_version,
                customer_message,
            } => {
                self.ready(agent_version, customer_message);
            }
            Event::Readable(stream) => self.deliver(stream),
            Event::Finished(stream) => self.finish(stream),
            Event::Refused(stream) => {
                let waited = self.unresolved.get(&stream).map(Instant::elapsed);
                self.view.update(|view| {
                    view.refused += 1;
                    view.refused_after = waited.unwrap_or_default();
                });
                self.resolve_to(stream);
                self.reset(stream);
            }
            Event::Answered(stream) => self.resolve_to(stream),
            // The agent's own news, and those that the link has dealt with.
            Event::Opened(_)
            | Event::TerminateRequested
            | Event::Unresponsive
            | Event::Closed { .. }
            | Event::Failed(_) => {}
        }
    }

    /// The handshake is done.
    pub fn is_ready(&self) -> bool {
        self.view.current().agent_version.is_some()
    }

    /// A connection's task has ended.
    pub fn detach(&mut self) {
        self.changed = true;
    }

    /// Whether the only connection there is must read before more is taken for it.
    pub fn is_stalled(&self) -> bool {
        let mut streams = self.streams.values();
        match (streams.next(), streams.next()) {
            (Some(only), None) => only.down.queued() >= MAX_QUEUED,
            _ => false,
        }
    }

    /// When to call [`Self::handle_timeout`], if nothing changes before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let (_, oldest) = self.unresolved.first_key_value()?;
        Some(*oldest + PROBE_AFTER).filter(|_| self.probe.is_none())
    }

    /// Ask the agent for a sign of life if it is due. A stream that is finished at once is dialled in its turn and then
    /// finished by the agent as well. A server that takes its time, or a client that says nothing, is told by that from
    /// a dial that hangs and from an agent that has stopped listening.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|at| at > now) {
            return;
        }
        let probe = self.session.open();
        self.session.finish(probe);
        self.probe = Some(probe);
        tracing::debug!(stream = %probe, "asking the agent for a sign of life");
    }

    /// End every stream, and reset its client.
    pub fn end_all(&mut self) {
        let streams: Vec<StreamId> = self.streams.keys().copied().collect();
        for stream in streams {
            self.reset(stream);
        }
    }

    /// The session is over: reset what is left and wait for the connections' tasks.
    pub async fn close_all(&mut self) {
        self.end_all();
        self.publish();
        self.chunks.close();
        let joined = async { while self.conns.join_next().await.is_some() {} };
        if timeout(JOIN_PATIENCE, joined).await.is_err() {
            self.conns.shutdown().await;
        }
    }

    /// Tell the tunnel what has changed.
    pub fn publish(&mut self) {
        let stalled = self.is_stalled();
        if !std::mem::take(&mut self.changed) && self.view.shows_stall() == stalled {
            return;
        }
        let now = Instant::now();
        // One whose far side has closed lives until its client has read all.
        let connections = self.conns.len();
        let rtt = self.session.stats(now.into_std()).rtt;
        self.view.update(|view| {
            view.idle_since = (connections == 0).then(|| view.idle_since.unwrap_or(now));
            view.attached = self.attached;
            view.connections = connections;
            view.unresolved = self.unresolved.len();
            view.unresolved_since = self.unresolved.values().next().copied();
            view.heard_at = self.heard_at;
            view.stalled = stalled;
            view.rtt = rtt;
        });
    }

    fn ready(&mut self, agent_version: String, customer_message: Option<String>) {
        tracing::info!(%agent_version, "session connected");
        if let Some(message) = customer_message {
            tracing::info!(%message, "message from the account's administrator");
        }
        self.view.update(|view| {
            view.agent_version = Some(agent_version);
            view.enter(Phase::Connected, Instant::now());
        });
        self.changed = true;
    }

    fn deliver(&mut self, stream: StreamId) {
        let Some(open) = self.streams.get_mut(&stream) else {
            return;
        };
        let first = !std::mem::replace(&mut open.reached, true);
        if first {
            self.view.update(|view| {
                view.reached += 1;
                view.reached_at = Some(Instant::now());
            });
        }
        if first || !self.unresolved.is_empty() {
            self.resolve_to(stream);
        }
        let Some(open) = self.streams.get_mut(&stream) else {
            return;
        };
        while let Some(data) = self.session.read(stream) {
            open.down.push(Item::Data(data));
        }
        if open.down.queued() > MAX_QUEUED / 16 {
            self.enforce_bounds(stream);
        }
    }

    /// The far side said something about a stream. The agent dials one stream after another, so those opened before this
    /// one have been dialled too.
    fn resolve_to(&mut self, stream: StreamId) {
        while let Some(oldest) = self.unresolved.first_entry()
            && *oldest.key() <= stream
        {
            oldest.remove();
            self.changed = true;
        }
        let now = Instant::now();
        if now.duration_since(self.heard_at) >= HEARD_STEP {
            self.heard_at = now;
            self.changed = true;
        }
        self.probe = self.probe.filter(|probe| *probe > stream);
    }

    /// One slow reader must not hold up the others, nor fill the memory: beside others it is reset.
    fn enforce_bounds(&mut self, stream: StreamId) {
        if self.streams.len() < 2 {
            return;
        }
        let queued = |open: &Open| open.down.queued();
        let in_all: usize = self.streams.values().map(queued).sum();
        let slowest = self
            .streams
            .iter()
            .max_by_key(|(_, open)| queued(open))
            .map(|(id, _)| *id);
        let own = self.streams.get(&stream).map_or(0, queued);
        let offender = match own > MAX_QUEUED {
            true => Some(stream),
            false if in_all > MAX_QUEUED_IN_ALL => slowest,
            false => None,
        };
        if let Some(offender) = offender {
            tracing::warn!(stream = %offender, "connection reset: its client does not read");
            self.reset(offender);
        }
    }

    /// The far side has closed: the client gets what is queued, then the end.
    fn finish(&mut self, stream: StreamId) {
        self.resolve_to(stream);
        if let Some(open) = self.remove(stream) {
            open.down.push(Item::End);
        }
    }

    /// The connection failed: its client sees a reset.
    fn reset(&mut self, stream: StreamId) {
        if let Some(open) = self.remove(stream) {
            open.down.reset();
        }
    }

    fn remove(&mut self, stream: StreamId) -> Option<Open> {
        let open = self.streams.remove(&stream)?;
        self.session.finish(stream);
        self.changed = true;
        Some(open)
    }
}

//! What a session shows of itself: to placement, and to the status.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::placement::{Candidate, Stage};
use crate::aws::SessionId;
use crate::status::{self, Reason};

/// Published by the session's task at each change.
#[derive(Debug, Clone)]
pub struct View {
    /// Its number within the tunnel.
    pub key: u64,
    /// What it is doing.
    pub phase: Phase,
    /// Since when.
    pub since: Instant,
    /// When its task began.
    pub started: Instant,
    /// The SSM session's id, once there is one.
    pub id: Option<SessionId>,
    /// Where it leads, in words.
    pub remote: String,
    /// The agent's version, once it has introduced itself.
    pub agent_version: Option<String>,
    /// Connections it has taken up, so far.
    pub attached: u64,
    /// Open connections.
    pub connections: usize,
    /// Those of which nothing was heard from the far side.
    pub unresolved: usize,
    /// Since when the oldest of these waits.
    pub unresolved_since: Option<Instant>,
    /// When anything was last heard, to the second; noted while one of these waits.
    pub heard_at: Instant,
    /// Not reading, because its only reader is slow.
    pub stalled: bool,
    /// Since when there has been no connection.
    pub idle_since: Option<Instant>,
    /// Round trip to the agent.
    pub rtt: Option<Duration>,
    /// Connections of which the far side was heard, so far.
    pub reached: u64,
    /// When that was last so.
    pub reached_at: Option<Instant>,
    /// Connections that the far side could not dial, so far.
    pub refused: u64,
    /// How long the last of them had waited.
    pub refused_after: Duration,
}

/// What a session is doing.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// StartSession is under way, or will be tried again.
    Starting,
    /// The WebSocket is being opened, or the handshake is under way.
    Linking,
    /// Usable.
    Connected,
    /// The link was lost, for this reason.
    Resuming(Reason),
    /// Ending, or over.
    Ending,
}

impl View {
    /// A session that is about to start.
    pub fn new(key: u64, remote: String, now: Instant) -> Self {
        Self {
            key,
            phase: Phase::Starting,
            since: now,
            started: now,
            id: None,
            remote,
            agent_version: None,
            attached: 0,
            connections: 0,
            unresolved: 0,
            unresolved_since: None,
            heard_at: now,
            stalled: false,
            idle_since: None,
            rtt: None,
            reached: 0,
            reached_at: None,
            refused: 0,
            refused_after: Duration::ZERO,
        }
    }

    /// Enter a phase; staying in one keeps its age.
    pub fn enter(&mut self, phase: Phase, now: Instant) {
        if self.phase != phase {
            self.phase = phase;
            self.since = now;
        }
    }

    /// As placement sees it.
    pub fn candidate(&self, key: u64) -> Candidate {
        let stage = match self.phase {
            // One that ends by itself is waited for as well: why it ended decides what is next.
            Phase::Starting | Phase::Linking | Phase::Resuming(_) | Phase::Ending => Stage::Coming,
            Phase::Connected => Stage::Usable,
        };
        Candidate {
            key,
            stage,
            started: self.started.into_std(),
            connections: self.connections,
            unresolved: self.unresolved,
            unresolved_since: self.unresolved_since.map(Instant::into_std),
            heard_at: self.heard_at.into_std(),
            reached_at: self.reached_at.map(Instant::into_std),
            stalled: self.stalled,
            idle_since: self.idle_since.map(Instant::into_std),
        }
    }

    /// As the status shows it.
    pub fn status(&self, now: Instant) -> status::Session {
        status::Session {
            key: self.key,
            id: self.id.as_ref().map(ToString::to_string),
            state: match self.phase {
                Phase::Starting => status::SessionState::Starting,
                Phase::Linking => status::SessionState::Linking,
                Phase::Connected => status::SessionState::Connected,
                Phase::Resuming(_) => status::SessionState::Resuming,
                Phase::Ending => status::SessionState::Draining,
            },
            state_seconds: now.duration_since(self.since).as_secs(),
            age_seconds: now.duration_since(self.started).as_secs(),
            connections: self.connections,
            agent_version: self.agent_version.clone(),
            rtt_ms: self.rtt.map(|rtt| rtt.as_millis() as u64),
        }
    }
}

/// Where a session shows itself. Each change wakes the tunnel.
#[derive(Debug, Clone)]
pub struct Publisher {
    view: watch::Sender<View>,
    changed: Arc<Notify>,
}

impl Publisher {
    /// A session that is about to start; `changed` is notified from now on.
    pub fn new(key: u64, remote: String, changed: Arc<Notify>) -> Self {
        Self {
            view: watch::Sender::new(View::new(key, remote, Instant::now())),
            changed,
        }
    }

    /// The reading end.
    pub fn subscribe(&self) -> watch::Receiver<View> {
        self.view.subscribe()
    }

    /// What is shown now.
    pub fn current(&self) -> View {
        self.view.borrow().clone()
    }

    /// The session's number within the tunnel.
    pub fn key(&self) -> u64 {
        self.view.borrow().key
    }

    /// Whether a stall is shown; asked at every turn of a link, so without a copy of the rest.
    pub fn shows_stall(&self) -> bool {
        self.view.borrow().stalled
    }

    /// Show something else.
    pub fn update(&self, change: impl FnOnce(&mut View)) {
        self.view.send_modify(change);
        self.changed.notify_one();
    }
}

//! What a tunnel shows of itself, and its translation into the status.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;

use super::conn::Counters;
use super::listener::Binding;
use super::reason;
use super::remote;
use super::view::{Phase, View};
use crate::bastion;
use crate::config::{Tunnel, Via};
use crate::status::{self, Problem, Reason, TunnelState};

/// A dial that shows nothing for so long is told of.
const SILENT_AFTER: Duration = Duration::from_secs(5);
/// How long an error stays the first thing that is said of an idle tunnel.
const RECENT: Duration = Duration::from_secs(300);

/// Published by the tunnel's task at each change.
#[derive(Debug, Clone)]
pub struct Board {
    /// Connections without a session.
    pub waiting: usize,
    /// Since when the tunnel has wanted a session and had none.
    pub starting_since: Option<Instant>,
    /// What StartSession is given first, while the tunnel holds a lease.
    pub target: Option<String>,
    /// Why there is no place for another session, while somebody waits for one.
    pub full: Option<Reason>,
    /// The sessions, each with its own view.
    pub sessions: BTreeMap<u64, watch::Receiver<View>>,
    /// When the tunnel was last idle or busy, whichever it is now.
    pub since: Instant,
    /// What last went wrong, and when.
    pub last_error: Option<(Reason, Instant)>,
    /// The daemon is ending.
    pub stopping: bool,
}

impl Board {
    /// A tunnel at rest.
    pub fn new(now: Instant) -> Self {
        Self {
            waiting: 0,
            starting_since: None,
            target: None,
            full: None,
            sessions: BTreeMap::new(),
            since: now,
            last_error: None,
            stopping: false,
        }
    }
}

/// What the translation needs besides the board.
pub struct Surroundings<'a> {
    /// The configuration.
    pub config: &'a Tunnel,
    /// The listeners, by configured address.
    pub bindings: &'a [(SocketAddr, watch::Receiver<Binding>)],
    /// Bytes carried.
    pub counters: &'a Arc<Counters>,
    /// The bastion, unless the target is fixed.
    pub bastion: Option<&'a bastion::Handle>,
}

/// The tunnel as `GET /v1/status` shows it.
pub fn status(board: &Board, around: &Surroundings<'_>, now: Instant) -> status::Tunnel {
    let views: Vec<View> = board
        .sessions
        .values()
        .map(|view| view.borrow().clone())
        .collect();
    let (state, since, detail) = state(board, &views, around);
    let linger = around.config.session_linger;
    let ends_at = views
        .iter()
        .map(|v| v.idle_since.map(|since| since + linger));
    let bastion = match &around.config.via {
        Via::Bastion(name) => Some(name.clone()),
        Via::Target(_) => None,
    };
    status::Tunnel {
        name: around.config.name.clone(),
        listeners: around.bindings.iter().filter_map(listener).collect(),
        remote: remote(&views, around.config),
        bastion,
        target: board.target.clone(),
        state,
        state_seconds: now.saturating_duration_since(since).as_secs(),
        detail,
        connections: views.iter().map(|view| view.connections).sum(),
        sessions: views.iter().map(|view| view.status(now)).collect(),
        waiting: board.waiting,
        bytes_sent: around.counters.sent.load(Ordering::Relaxed),
        bytes_received: around.counters.received.load(Ordering::Relaxed),
        // Only when none has a connection does the tunnel come to rest.
        ends_in_seconds: ends_at
            .collect::<Option<Vec<_>>>()
            .and_then(|ends| ends.into_iter().max())
            .map(|at| at.saturating_duration_since(now).as_secs()),
        last_error: last_error(board, &views, now).map(|(reason, at)| {
            let ago = now.saturating_duration_since(at);
            Problem::new(
                format!("tunnel {}", around.config.name),
                reason,
                SystemTime::now(),
                ago,
            )
        }),
    }
}

fn state(
    board: &Board,
    views: &[View],
    around: &Surroundings<'_>,
) -> (TunnelState, Instant, Option<String>) {
    if board.stopping {
        return (TunnelState::Stopping, board.since, None);
    }
    let phase = |wanted: fn(&Phase) -> bool| views.iter().find(|view| wanted(&view.phase));
    if let Some(view) = phase(|phase| *phase == Phase::Connected) {
        let full = board.full.as_ref().map(|reason| reason.message.clone());
        return (TunnelState::Ready, view.since, full);
    }
    if let Some(view) = phase(|phase| matches!(phase, Phase::Resuming(_))) {
        let state = match &view.phase {
            Phase::Resuming(reason) => waiting_for(reason).unwrap_or(TunnelState::Reconnecting),
            _ => TunnelState::Reconnecting,
        };
        return (state, view.since, resuming(view));
    }
    if let Some(since) = board.starting_since {
        let full = board.full.as_ref().map(|reason| reason.message.clone());
        let detail = full.unwrap_or_else(|| starting(views, around));
        return (TunnelState::Starting, since, Some(detail));
    }
    let present = |binding: &&watch::Receiver<Binding>| *binding.borrow() != Binding::Absent;
    let bindings = around.bindings.iter().map(|(_, binding)| binding);
    let mut present = bindings.filter(present).peekable();
    if present.peek().is_some()
        && present.all(|binding| matches!(*binding.borrow(), Binding::Busy { .. }))
    {
        return (TunnelState::PortBusy, board.since, None);
    }
    match &board.last_error {
        Some((reason, at)) if at.elapsed() < RECENT => {
            let state = waiting_for(reason).unwrap_or(TunnelState::Failed);
            (state, *at, Some(reason.message.clone()))
        }
        _ => (TunnelState::Idle, board.since, None),
    }
}

/// What the person has to do first.
fn waiting_for(reason: &Reason) -> Option<TunnelState> {
    match reason.is_mfa() {
        true => Some(TunnelState::NeedsMfaCode),
        false => reason.is_login().then_some(TunnelState::NeedsLogin),
    }
}

/// What stands in the way of a session now, else what last went wrong. A lost link alone is no
/// error: it is being resumed.
fn last_error(board: &Board, views: &[View], now: Instant) -> Option<(Reason, Instant)> {
    let present = views.iter().find_map(|view| match &view.phase {
        Phase::Resuming(reason) if reason.code != "link_lost" => Some((reason.clone(), view.since)),
        _ => None,
    });
    let hangs = || {
        let waiting = views
            .iter()
            .filter_map(|view| Some((view.unresolved_since?, &view.remote)));
        let (since, remote) = waiting.min()?;
        let waited = now.saturating_duration_since(since);
        let reason = || reason::no_answer(remote, waited);
        (waited >= SILENT_AFTER).then(|| (reason(), since))
    };
    present.or_else(hangs).or_else(|| board.last_error.clone())
}

fn resuming(view: &View) -> Option<String> {
    match &view.phase {
        Phase::Resuming(reason) => Some(reason.message.clone()),
        _ => None,
    }
}

/// What a start is waiting for.
fn starting(views: &[View], around: &Surroundings<'_>) -> String {
    let phase = views.iter().map(|view| &view.phase).next_back();
    match (phase, around.bastion) {
        (Some(Phase::Starting), _) => "starting the session".to_owned(),
        (Some(Phase::Linking), _) => "opening the session".to_owned(),
        (_, Some(bastion)) => bastion.phase(),
        (_, None) => "waiting for a session".to_owned(),
    }
}

/// After a fail-over the latest session is the one that knows.
fn remote(views: &[View], config: &Tunnel) -> String {
    let latest = views.last().map(|view| view.remote.clone());
    latest.unwrap_or_else(|| remote::unresolved(&config.remote))
}

fn listener(
    (address, binding): &(SocketAddr, watch::Receiver<Binding>),
) -> Option<status::Listener> {
    let (address, state, holder) = match &*binding.borrow() {
        Binding::Absent => return None,
        Binding::Bound { at, .. } => (*at, status::ListenerState::Listening, None),
        Binding::Unbound => (*address, status::ListenerState::Busy, None),
        Binding::Busy { error, holder } => {
            let holder = holder.clone().or_else(|| Some(error.clone()));
            (*address, status::ListenerState::Busy, holder)
        }
    };
    Some(status::Listener {
        address: address.to_string(),
        state,
        holder,
    })
}

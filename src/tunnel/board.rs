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
/// Why `[::1]` alone is no place to listen.
const NO_IPV6: &str = "it has no IPv6";
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
        listeners: listeners(around.bindings),
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
    let has_none = |(_, binding): &(SocketAddr, watch::Receiver<Binding>)| {
        matches!(*binding.borrow(), Binding::Busy { .. } | Binding::Absent)
    };
    if around.bindings.iter().all(has_none) {
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

/// An address that the system does not have is not shown beside others.
fn listeners(bindings: &[(SocketAddr, watch::Receiver<Binding>)]) -> Vec<status::Listener> {
    let is_present = |(_, binding): &&(SocketAddr, watch::Receiver<Binding>)| {
        *binding.borrow() != Binding::Absent
    };
    let present: Vec<_> = bindings.iter().filter(is_present).collect();
    match present.is_empty() {
        true => bindings.iter().map(listener).collect(),
        false => present.into_iter().map(listener).collect(),
    }
}

fn listener((address, binding): &(SocketAddr, watch::Receiver<Binding>)) -> status::Listener {
    use status::ListenerState::{Busy, Listening};
    let (address, state, holder, error) = match &*binding.borrow() {
        Binding::Bound { at, .. } => (*at, Listening, None, None),
        Binding::Unbound => (*address, Busy, None, None),
        Binding::Busy { error, holder } => (*address, Busy, holder.clone(), error.clone()),
        Binding::Absent => (*address, Busy, None, Some(NO_IPV6.to_owned())),
    };
    status::Listener {
        address: address.to_string(),
        state,
        holder,
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::ListenerState;

    #[test]
    fn an_address_that_the_system_does_not_have_is_shown_only_where_there_is_no_other() {
        let v4 = (
            "127.0.0.1:1".parse().unwrap(),
            watch::channel(Binding::Unbound).1,
        );
        let v6 = (
            "[::1]:1".parse().unwrap(),
            watch::channel(Binding::Absent).1,
        );
        let shown = listeners(&[v4, v6.clone()]);
        assert_eq!(shown.len(), 1);
        assert_eq!(shown[0].address, "127.0.0.1:1");
        let shown = listeners(&[v6]);
        assert_eq!(shown[0].state, ListenerState::Busy);
        assert_eq!(
            shown[0].trouble().unwrap(),
            "refused by the system: it has no IPv6"
        );
    }
}

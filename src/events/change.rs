//! What has changed between two looks at the status. Pure.

use serde::Serialize;

use crate::status::{
    Bastion, BastionState, EventKind, Listener, Problem, Session, Tunnel, TunnelState,
};

/// What is gone.
const ENDED: &str = "ended";

/// An event without its number and time.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub(super) kind: EventKind,
    pub(super) name: String,
    pub(super) tunnel: Option<String>,
    pub(super) id: Option<String>,
    pub(super) state: String,
    pub(super) was: Option<String>,
    pub(super) detail: Option<String>,
    pub(super) code: Option<String>,
    pub(super) hint: Option<String>,
}

impl Change {
    fn new(kind: EventKind, name: impl Into<String>, state: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            tunnel: None,
            id: None,
            state: state.into(),
            was: None,
            detail: None,
            code: None,
            hint: None,
        }
    }

    /// The daemon is `ready`, `reloaded` or `stopping`.
    pub fn of_daemon(state: &str) -> Self {
        Self::new(EventKind::Daemon, "bastiond", state)
    }

    /// With more to say.
    pub fn because(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }

    /// The credentials of `owner` are of use, or there is a problem with them.
    pub fn of_credentials(owner: &str, problem: Option<&Problem>) -> Self {
        let state = match problem {
            Some(_) => "invalid",
            None => "valid",
        };
        Self::new(EventKind::Credentials, owner, state).told(problem)
    }

    /// What has changed about a tunnel, its listeners and its sessions; all of it, the first time.
    pub fn of_tunnel(was: Option<&Tunnel>, now: &Tunnel) -> Vec<Self> {
        let of = |change| Self {
            tunnel: Some(now.name.clone()),
            ..change
        };
        let (no_listeners, no_sessions) = (Vec::new(), Vec::new());
        let listeners = was.map_or(&no_listeners, |was| &was.listeners);
        let sessions = was.map_or(&no_sessions, |was| &was.sessions);
        let mut changes: Vec<Self> = of_listeners(listeners, &now.listeners)
            .into_iter()
            .chain(of_sessions(sessions, &now.sessions))
            .map(of)
            .collect();
        if was.is_none_or(|was| was.state != now.state) {
            changes.push(Self {
                was: was.map(|was| word(was.state)),
                ..tunnel(now)
            });
        }
        changes
    }

    /// A tunnel is gone, with all that it had.
    pub fn end_of_tunnel(was: &Tunnel) -> Vec<Self> {
        let bare = Tunnel {
            listeners: Vec::new(),
            sessions: Vec::new(),
            ..was.clone()
        };
        let mut changes = Self::of_tunnel(Some(was), &bare);
        changes.push(Self {
            was: Some(word(was.state)),
            ..Self::new(EventKind::Tunnel, &was.name, ENDED)
        });
        changes
    }

    /// What has changed about a bastion.
    pub fn of_bastion(was: Option<&Bastion>, now: &Bastion) -> Option<Self> {
        let state = was.map(|was| was.state);
        if state == Some(now.state) {
            return None;
        }
        let change = Self {
            was: state.map(word),
            id: now.task.as_ref().map(|task| task.arn.clone()),
            ..Self::new(EventKind::Bastion, &now.name, word(now.state))
        };
        let problem = match now.state {
            BastionState::Failed => now.last_error.as_ref(),
            BastionState::Stopped
            | BastionState::Starting
            | BastionState::Ready
            | BastionState::Resting
            | BastionState::Stopping => None,
        };
        Some(change.told(problem))
    }

    /// What it is.
    pub fn kind(&self) -> EventKind {
        self.kind
    }

    fn told(self, problem: Option<&Problem>) -> Self {
        let Some(problem) = problem else { return self };
        Self {
            detail: Some(problem.message.clone()),
            code: Some(problem.code.clone()),
            hint: problem.hint.clone(),
            ..self
        }
    }
}

fn tunnel(now: &Tunnel) -> Change {
    let change = Change::new(EventKind::Tunnel, &now.name, word(now.state));
    match now.state {
        TunnelState::NeedsLogin | TunnelState::NeedsMfaCode | TunnelState::Failed => {
            change.told(now.last_error.as_ref())
        }
        TunnelState::Reconnecting => Change {
            detail: now.detail.clone(),
            ..change
        },
        // The steps of a start are the bastion's, and change without a change of state.
        TunnelState::Starting
        | TunnelState::Idle
        | TunnelState::Ready
        | TunnelState::PortBusy
        | TunnelState::Stopping => change,
    }
}

fn of_listeners(was: &[Listener], now: &[Listener]) -> Vec<Change> {
    let before = |listener: &Listener| was.iter().find(|it| it.address == listener.address);
    let gone = |listener: &&Listener| now.iter().all(|it| it.address != listener.address);
    let ended = was.iter().filter(gone).map(|listener| Change {
        was: Some(word(listener.state)),
        ..Change::new(EventKind::Listener, &listener.address, ENDED)
    });
    let changed = now.iter().filter_map(|listener| {
        let was = before(listener).map(|it| it.state);
        let change = || Change {
            was: was.map(word),
            detail: listener.trouble(),
            ..Change::new(EventKind::Listener, &listener.address, word(listener.state))
        };
        (was != Some(listener.state)).then(change)
    });
    ended.chain(changed).collect()
}

fn of_sessions(was: &[Session], now: &[Session]) -> Vec<Change> {
    let before = |session: &Session| was.iter().find(|it| it.key == session.key);
    let gone = |session: &&Session| now.iter().all(|it| it.key != session.key);
    let change = |session: &Session, state: String| Change {
        id: session.id.clone(),
        ..Change::new(EventKind::Session, session.key.to_string(), state)
    };
    let ended = was.iter().filter(gone).map(|session| Change {
        was: Some(word(session.state)),
        ..change(session, ENDED.to_owned())
    });
    let changed = now.iter().filter_map(|session| {
        let was = before(session).map(|it| it.state);
        let changed = || Change {
            was: was.map(word),
            ..change(session, word(session.state))
        };
        (was != Some(session.state)).then(changed)
    });
    ended.chain(changed).collect()
}

/// A state as JSON has it.
fn word(state: impl Serialize) -> String {
    let value = serde_json::to_value(state).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

//! Waiting until a tunnel, or all of them, are in a state. Woken by events.

use std::{fmt, str::FromStr, time::Duration};

use tokio::time::{Instant, timeout_at};

use super::{Door, Refusal, answer::stopping, code::Code};
use crate::status::{BastionState, Status, Tunnel, TunnelState};

/// If the call does not say.
pub(super) const WAIT: Duration = Duration::from_secs(30);
/// No wait takes longer: a caller of patience asks again.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(9 * 60);
/// What is no change of state, such as a session that comes to its end, is found by looking again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A session carries connections.
    Ready,
    /// It listens, without a session.
    Idle,
    /// The same, and its bastion has no task.
    Stopped,
}

impl FromStr for Goal {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut all = [Self::Ready, Self::Idle, Self::Stopped].into_iter();
        all.find(|goal| goal.to_string() == text).ok_or(())
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "ready",
            Self::Idle => "idle",
            Self::Stopped => "stopped",
        })
    }
}

impl Goal {
    /// Whether a tunnel of this status has reached it.
    fn is_reached(self, tunnel: &Tunnel, status: &Status) -> bool {
        let is_idle = tunnel.state == TunnelState::Idle && tunnel.sessions.is_empty();
        let bastion = status.bastion_of(tunnel);
        match self {
            Self::Ready => tunnel.state == TunnelState::Ready,
            Self::Idle => is_idle,
            Self::Stopped => {
                is_idle && bastion.is_none_or(|bastion| bastion.state == BastionState::Stopped)
            }
        }
    }
}

/// Waits until the tunnel of this name, or each of them, is there, and gives the status that says so.
pub(super) async fn until(
    door: &Door,
    tunnel: Option<&str>,
    goal: Goal,
    limit: Duration,
) -> Result<Status, Box<Refusal>> {
    let deadline = Instant::now() + limit;
    let mut events = door.shown.events.subscribe();
    loop {
        events.mark_unchanged();
        let status = (door.shown.status)();
        let is_meant = |it: &&Tunnel| tunnel.is_none_or(|name| it.name == name);
        let mut missing = status.tunnels.iter().filter(is_meant);
        let missing = missing.find(|it| !goal.is_reached(it, &status));
        let Some(missing) = missing else {
            return Ok(status);
        };
        if door.commands.is_closed() {
            return Err(stopping());
        }
        let now = Instant::now();
        if now >= deadline {
            return Err(too_late(missing, goal, limit));
        }
        let _ = timeout_at(deadline.min(now + LOOK_AGAIN), events.changed()).await;
    }
}

fn too_late(tunnel: &Tunnel, goal: Goal, limit: Duration) -> Box<Refusal> {
    let state = serde_json::to_value(tunnel.state).unwrap_or_default();
    let state = state.as_str().unwrap_or_default().replace('_', " ");
    let step = tunnel.detail.iter().map(|detail| format!(", {detail}"));
    let limit = humantime::format_duration(limit);
    let detail = format!(
        "tunnel {} is not {goal} within {limit}: it is {state}{}",
        tunnel.name,
        step.collect::<String>()
    );
    let hint = tunnel.last_error.as_ref();
    Refusal::new(Code::WaitTimeout, detail).hint(hint.and_then(|it| it.hint.clone()))
}

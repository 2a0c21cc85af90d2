//! What is wrong, worked out from what is known.

use std::time::Duration;

use time::OffsetDateTime;

use super::{
    Aws, Bastion, BastionState, Daemon, Listener, ListenerState, Problem, Tunnel, TunnelState,
};

const PORT_BUSY: &str = "port_busy";

/// The problems of AWS, then of bastions, then of tunnels, after the daemon's `own`.
pub(super) fn problems(
    daemon: &Daemon,
    aws: &Aws,
    tunnels: &[Tunnel],
    bastions: &[Bastion],
    own: Vec<Problem>,
) -> Vec<Problem> {
    let now = daemon.started_at + Duration::from_secs(daemon.uptime_seconds);
    let mut problems = own;
    let found = aws
        .last_error
        .iter()
        .cloned()
        .chain(
            bastions
                .iter()
                .filter_map(|bastion| bastion.aws.as_ref()?.last_error.clone()),
        )
        .chain(
            bastions
                .iter()
                .filter_map(|bastion| bastion_problem(bastion, now)),
        )
        .chain(
            tunnels
                .iter()
                .flat_map(|tunnel| tunnel_problems(tunnel, now)),
        );
    for problem in found {
        add_once(&mut problems, problem);
    }
    problems
}

/// A bastion's failure reaches each of its tunnels with the same words: it is told once, by its cause, whichever request
/// has met it. So is what is wrong with credentials that one sign-in mends, whatever could not be done without them.
fn add_once(problems: &mut Vec<Problem>, problem: Problem) {
    let is_credentials = problem.code.starts_with("credentials_");
    let is_known = |known: &Problem| {
        let same_mend = is_credentials && known.hint == problem.hint;
        let same_cause = cause(&known.message) == cause(&problem.message) || same_mend;
        known.code == problem.code && same_cause
    };
    if !problems.iter().any(is_known) {
        problems.push(problem);
    }
}

/// A message without the id of the request that AWS has turned away, with which ours end.
fn cause(message: &str) -> &str {
    let cause = message.rsplit_once(", request ");
    cause.map_or(message, |(cause, _)| cause)
}

fn bastion_problem(bastion: &Bastion, now: OffsetDateTime) -> Option<Problem> {
    let failed = match bastion.state {
        BastionState::Failed => true,
        BastionState::Stopped
        | BastionState::Starting
        | BastionState::Ready
        | BastionState::Resting
        | BastionState::Stopping => false,
    };
    let unsaid = || {
        unexplained(
            "bastion_failed",
            format!("bastion {}", bastion.name),
            bastion.state_seconds,
            now,
        )
    };
    bastion.last_error.clone().or_else(|| failed.then(unsaid))
}

fn tunnel_problems(tunnel: &Tunnel, now: OffsetDateTime) -> Vec<Problem> {
    let listeners = tunnel.listeners.iter();
    let mut problems: Vec<Problem> = listeners
        .filter_map(|listener| port_busy(tunnel, listener, now))
        .collect();
    let port_is_told = !problems.is_empty();
    problems.extend(
        tunnel
            .last_error
            .clone()
            .filter(|error| !(port_is_told && error.code == PORT_BUSY)),
    );
    if problems.is_empty() {
        problems.extend(unsaid_problem(tunnel, now));
    }
    problems
}

impl Listener {
    /// Why it does not listen: `taken by postgres (pid 812)`.
    pub fn trouble(&self) -> Option<String> {
        match (self.state, &self.error) {
            (ListenerState::Listening, _) => None,
            (ListenerState::Busy, Some(error)) => Some(format!("refused by the system: {error}")),
            (ListenerState::Busy, None) => {
                let holder = self.holder.as_deref().unwrap_or("another program");
                Some(format!("taken by {holder}"))
            }
        }
    }
}

fn port_busy(tunnel: &Tunnel, listener: &Listener, now: OffsetDateTime) -> Option<Problem> {
    let trouble = listener.trouble()?;
    let hint = match listener.error {
        Some(_) => {
            "give the tunnel another `listen`: an address of this machine, and a port from 1024 on"
        }
        None => "stop it or wait until it is gone, or give the tunnel another `listen`",
    };
    Some(Problem {
        code: PORT_BUSY.to_owned(),
        subject: format!("tunnel {}", tunnel.name),
        message: format!("{} is {trouble}", listener.address),
        hint: Some(hint.to_owned()),
        at: now,
        seconds_ago: 0,
    })
}

/// A state that is a problem by its name, though nobody said why: the exit code must not be 0.
fn unsaid_problem(tunnel: &Tunnel, now: OffsetDateTime) -> Option<Problem> {
    let code = match tunnel.state {
        TunnelState::NeedsLogin => "needs_login",
        TunnelState::NeedsMfaCode => "needs_mfa_code",
        TunnelState::PortBusy => PORT_BUSY,
        TunnelState::Failed => "tunnel_failed",
        TunnelState::Idle
        | TunnelState::Starting
        | TunnelState::Ready
        | TunnelState::Reconnecting
        | TunnelState::Stopping => return None,
    };
    Some(unexplained(
        code,
        format!("tunnel {}", tunnel.name),
        tunnel.state_seconds,
        now,
    ))
}

fn unexplained(code: &str, subject: String, seconds_ago: u64, now: OffsetDateTime) -> Problem {
    let message = format!("{}, reason unknown", code.replace('_', " "));
    let at = now - Duration::from_secs(seconds_ago);
    Problem {
        code: code.to_owned(),
        subject,
        message,
        hint: None,
        at,
        seconds_ago,
    }
}

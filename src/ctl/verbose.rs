//! What `ctl status --verbose` says of a tunnel besides its row.

use super::{
    text::printable,
    units::{age, span},
};
use crate::status::{Bastion, Session, SessionState, Status, Tunnel};

/// Lines that go below the tunnel's row.
pub(super) fn lines(status: &Status, tunnel: &Tunnel) -> Vec<String> {
    let mut lines = vec![format!("leads to {}", tunnel.remote)];
    lines.extend(status.bastion_of(tunnel).map(bastion));
    lines.extend(tunnel.sessions.iter().map(session));
    lines.iter().map(|line| printable(line)).collect()
}

fn bastion(bastion: &Bastion) -> String {
    let task = bastion.task.as_ref().map_or("no task".to_owned(), |task| {
        format!(
            "task {} {}, {} old",
            task.id,
            task.last_status,
            age(task.age_seconds)
        )
    });
    let usual = bastion.usual_start.as_ref();
    let usual = usual.map(|it| format!(", starts in {}", span(it.whole.p50_ms.div_ceil(1000))));
    format!(
        "through bastion {}: {task}{}",
        bastion.name,
        usual.unwrap_or_default()
    )
}

fn session(session: &Session) -> String {
    let state = match session.state {
        SessionState::Starting => "starting",
        SessionState::Linking => "linking",
        SessionState::Connected => "connected",
        SessionState::Resuming => "resuming",
        SessionState::Draining => "draining",
    };
    let id = session.id.as_deref().unwrap_or("without an id yet");
    let rtt = session.rtt_ms.map(|ms| format!(", {ms} ms round trip"));
    let agent = session
        .agent_version
        .as_ref()
        .map(|version| format!(", agent {version}"));
    format!(
        "session {} {id}: {state} {}, {} old, {} conn{}{}",
        session.key,
        span(session.state_seconds),
        age(session.age_seconds),
        session.connections,
        rtt.unwrap_or_default(),
        agent.unwrap_or_default()
    )
}

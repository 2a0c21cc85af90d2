//! What `ctl status --verbose` says of a tunnel besides its row.

use super::{
    text::printable,
    units::{age, span},
};
use crate::status::{Bastion, Chosen, ChosenKind, Service, Session, SessionState, Status, Tunnel};

/// Lines that go below the tunnel's row.
pub(super) fn lines(status: &Status, tunnel: &Tunnel) -> Vec<String> {
    let mut lines = vec![format!("leads to {}", tunnel.remote)];
    if let Some(through) = status.bastion_of(tunnel) {
        lines.push(bastion(through));
        lines.extend(through.service.iter().map(service));
        lines.extend(through.network.iter().map(chosen));
    }
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

/// Its count, and what was decided about it.
fn service(service: &Service) -> String {
    let count = |count: Option<i32>| count.map_or("?".to_owned(), |count| count.to_string());
    let (desired, running) = (count(service.desired), count(service.running));
    let decision = service.decision.as_ref();
    format!(
        "service {}: {running} of {desired} running{}",
        service.name,
        decision.map_or(String::new(), |it| format!("; {it}"))
    )
}

/// What was chosen for its task, and why.
fn chosen(chosen: &Chosen) -> String {
    let (value, reason) = (&chosen.value, &chosen.reason);
    match chosen.kind {
        ChosenKind::Subnet => format!("subnet {value}: {reason}"),
        ChosenKind::SecurityGroup => format!("security group {value}: {reason}"),
        ChosenKind::PublicIp => format!("public address {value}: {reason}"),
        ChosenKind::Caution => format!("caution: {reason}"),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_told_with_its_count_and_what_was_decided() {
        let mut of = Service {
            name: "bastion".into(),
            desired: None,
            running: None,
            decision: None,
        };
        assert_eq!(service(&of), "service bastion: ? of ? running");
        of.desired = Some(1);
        of.running = Some(0);
        of.decision = Some("its count was raised".into());
        let told = "service bastion: 0 of 1 running; its count was raised";
        assert_eq!(service(&of), told);
    }

    #[test]
    fn what_was_chosen_for_the_task_is_told_with_its_reason() {
        let of = |kind, value: &str| chosen(&Chosen::new(kind, value, "why"));
        assert_eq!(of(ChosenKind::Subnet, "subnet-1"), "subnet subnet-1: why");
        assert_eq!(
            of(ChosenKind::SecurityGroup, "sg-1"),
            "security group sg-1: why"
        );
        assert_eq!(
            of(ChosenKind::PublicIp, "enabled"),
            "public address enabled: why"
        );
        assert_eq!(chosen(&Chosen::caution("why")), "caution: why");
    }
}

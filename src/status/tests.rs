//! What is a problem, and what the JSON looks like.

use std::time::Duration;

use time::macros::datetime;

use super::*;
#[test]
fn a_quiet_daemon_is_healthy() {
    let status = assemble(vec![tunnel("a")], vec![bastion("dev")]);
    assert!(status.healthy, "{:?}", status.problems);
}

#[test]
fn a_bastions_failure_is_told_once_not_by_each_tunnel() {
    let failure = problem("task_start_failed", "no capacity");
    let mut tunnels = vec![tunnel("a"), tunnel("b")];
    for tunnel in &mut tunnels {
        tunnel.state = TunnelState::Failed;
        tunnel.last_error = Some(Problem {
            subject: format!("tunnel {}", tunnel.name),
            ..failure.clone()
        });
    }
    let mut dev = bastion("dev");
    dev.last_error = Some(failure.clone());
    let status = assemble(tunnels, vec![dev]);
    assert_eq!(status.problems, [failure]);
    assert!(!status.healthy);
}

#[test]
fn the_same_failure_of_two_requests_is_told_once() {
    let refused = |id: &str| {
        problem(
            "access_denied",
            &format!("denied (AccessDenied, request {id})"),
        )
    };
    let mut unwell = tunnel("a");
    unwell.state = TunnelState::Failed;
    unwell.last_error = Some(refused("two"));
    let mut dev = bastion("dev");
    dev.last_error = Some(refused("one"));
    assert_eq!(assemble(vec![unwell], vec![dev]).problems, [refused("one")]);
}

#[test]
fn a_busy_port_names_its_holder_once() {
    let mut busy = tunnel("a");
    busy.state = TunnelState::PortBusy;
    busy.listeners[0].state = ListenerState::Busy;
    busy.listeners[0].holder = Some("postgres (pid 812)".into());
    busy.last_error = Some(problem("port_busy", "address in use"));
    let status = assemble(vec![busy], vec![]);
    let told: Vec<&str> = status
        .problems
        .iter()
        .map(|problem| problem.message.as_str())
        .collect();
    assert_eq!(told, ["127.0.0.1:55432 is taken by postgres (pid 812)"]);
}

#[test]
fn a_port_that_the_system_refuses_is_not_called_taken() {
    let told = |holder: Option<&str>, error: Option<&str>| {
        let mut busy = tunnel("a");
        busy.listeners[0].state = ListenerState::Busy;
        busy.listeners[0].holder = holder.map(str::to_owned);
        busy.listeners[0].error = error.map(str::to_owned);
        let problem = assemble(vec![busy], vec![]).problems.remove(0);
        (problem.message, problem.hint.unwrap())
    };
    let (message, hint) = told(None, Some("Permission denied (os error 13)"));
    assert_eq!(
        message,
        "127.0.0.1:55432 is refused by the system: Permission denied (os error 13)"
    );
    assert!(hint.contains("1024"), "{hint}");
    let (message, hint) = told(None, None);
    assert_eq!(message, "127.0.0.1:55432 is taken by another program");
    assert!(hint.starts_with("stop it"), "{hint}");
}

#[test]
fn a_state_that_is_a_problem_is_never_called_healthy() {
    for state in [
        TunnelState::NeedsLogin,
        TunnelState::PortBusy,
        TunnelState::Failed,
    ] {
        let mut unwell = tunnel("a");
        (unwell.state, unwell.state_seconds) = (state, 7);
        let status = assemble(vec![unwell], vec![]);
        assert!(!status.healthy, "{state:?}");
        assert_eq!(status.problems[0].at, datetime!(2026-11-22 20:01:33 UTC));
    }
    let mut dev = bastion("dev");
    dev.state = BastionState::Failed;
    assert!(!assemble(vec![], vec![dev]).healthy);
}

#[test]
fn the_json_has_its_schema_words_and_times() {
    let json = serde_json::to_value(assemble(vec![tunnel("a")], vec![bastion("dev")])).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["daemon"]["started_at"], "2026-11-22T20:00:00Z");
    assert_eq!(json["daemon"]["uptime_seconds"], 100);
    assert_eq!(json["tunnels"][0]["state"], "idle");
    assert_eq!(json["tunnels"][0]["listeners"][0]["state"], "listening");
    assert_eq!(json["bastions"][0]["state"], "stopped");
    let words = serde_json::to_string(&[TunnelState::NeedsLogin, TunnelState::PortBusy]).unwrap();
    assert_eq!(words, r#"["needs_login","port_busy"]"#);
}

#[test]
fn the_json_reads_back_and_new_fields_do_not_disturb() {
    let status = assemble(vec![tunnel("a")], vec![bastion("dev")]);
    let mut json = serde_json::to_value(&status).unwrap();
    json["tunnels"][0]["a_field_of_tomorrow"] = 1.into();
    assert_eq!(serde_json::from_value::<Status>(json).unwrap(), status);
}

#[test]
fn both_loopbacks_of_a_port_are_localhost() {
    let mut a = tunnel("a");
    let listener = |address: &str, state| Listener {
        address: address.into(),
        state,
        holder: None,
        error: None,
    };
    a.listeners
        .push(listener("[::1]:55432", ListenerState::Listening));
    a.listeners
        .push(listener("10.0.0.1:55432", ListenerState::Busy));
    let mut b = tunnel("b");
    b.listeners[0] = listener("[::1]:1", ListenerState::Listening);
    let said = assemble(vec![a, b], vec![]).listening();
    assert_eq!(
        said,
        "listening on localhost:55432 (a), [::1]:1 (b); waiting for 10.0.0.1:55432 (a)"
    );
}

#[test]
fn a_timestamp_has_whole_seconds() {
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1500);
    assert_eq!(timestamp(time), datetime!(1970-01-01 00:00:01 UTC));
}

fn assemble(tunnels: Vec<Tunnel>, bastions: Vec<Bastion>) -> Status {
    let daemon = Daemon {
        version: "0.1.0".into(),
        pid: 1,
        instance: "1f".to_owned(),
        started_at: datetime!(2026-11-22 20:00 UTC),
        uptime_seconds: 100,
        config_path: None,
        log_path: None,
        socket: "/run/bastiond.sock".into(),
    };
    Status::assemble(daemon, Aws::default(), tunnels, bastions, vec![])
}

fn tunnel(name: &str) -> Tunnel {
    let listener = Listener {
        address: "127.0.0.1:55432".into(),
        state: ListenerState::Listening,
        holder: None,
        error: None,
    };
    Tunnel {
        name: name.into(),
        listeners: vec![listener],
        remote: "db:5432".into(),
        bastion: Some("dev".into()),
        target: None,
        state: TunnelState::Idle,
        state_seconds: 0,
        detail: None,
        sessions: vec![],
        connections: 0,
        waiting: 0,
        bytes_sent: 0,
        bytes_received: 0,
        ends_in_seconds: None,
        last_error: None,
    }
}

fn bastion(name: &str) -> Bastion {
    Bastion {
        name: name.into(),
        kind: BastionKind::Task,
        state: BastionState::Stopped,
        state_seconds: 0,
        detail: None,
        task: None,
        network: Vec::new(),
        service: None,
        leases: 0,
        stops_in_seconds: None,
        start: None,
        usual_start: None,
        kept_seconds: None,
        aws: None,
        last_error: None,
    }
}

fn problem(code: &str, message: &str) -> Problem {
    let at = datetime!(2026-11-22 20:01 UTC);
    let (code, message) = (code.into(), message.into());
    Problem {
        code,
        subject: "bastion dev".into(),
        message,
        hint: None,
        at,
        seconds_ago: 40,
    }
}

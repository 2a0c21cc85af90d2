//! The exact text of several states.

use std::time::Duration;

use time::{OffsetDateTime, macros::datetime};

use super::*;
use crate::status::{
    Bastion, BastionKind, BastionState, Daemon, Listener, ListenerState, Session, SessionState,
    Task,
};

const START: OffsetDateTime = datetime!(2026-11-22 18:00 UTC);

#[test]
fn a_daemon_at_rest() {
    assert_eq!(
        plain(&status(vec![tunnel("app-db", 55432)], vec![]), 80),
        "\
bastiond 0.1.0, pid 4321, up 2h 3m
account not known yet

TUNNEL  LOCAL            TASK  SESS  CONN  SENT  RECV  STATE
app-db  localhost:55432  -        0     0     0     0  idle 2h 3m
"
    );
}

#[test]
fn tunnels_at_work_in_eighty_columns() {
    assert_eq!(
        plain(&at_work(), 80),
        "\
bastiond 0.1.0, pid 4321, up 2h 3m
account 123456789012 in ap-northeast-1, as assumed-role/dev/alice
credentials valid for 54m, until 2026-11-22 20:57 UTC

TUNNEL  LOCAL            TASK          SESS  CONN   SENT  RECV  STATE
app-db  localhost:55432  0a1b2c3d 11m     1     3   1.2M   34M  ready 10m
cache   localhost:56379  -                0     0      0     0  starting 12s
        waiting for agent, 2 waiting
jobs    localhost:57000  7e8f9a0b 2h      1     0  1023B  9.9K  idle 1m
        stops in 14m
"
    );
}

#[test]
fn tunnels_at_work_in_a_pipe_are_a_line_each() {
    let text = plain(&at_work(), None);
    assert!(
        text.contains("0  starting 12s: waiting for agent, 2 waiting\n"),
        "{text}"
    );
    assert!(text.contains("9.9K  idle 1m, stops in 14m\n"), "{text}");
    assert_eq!(text, plain(&at_work(), 200));
}

#[test]
fn a_narrow_terminal_does_without_some_columns() {
    let text = plain(&at_work(), 50);
    assert!(text.lines().all(|line| columns_of(line) <= 50), "{text}");
    let heading = text.lines().find(|line| line.starts_with("TUNNEL"));
    assert_eq!(heading, Some("TUNNEL  LOCAL            CONN  STATE"));
}

#[test]
fn wide_characters_keep_the_columns_straight() {
    let mut wide = tunnel("顧客", 55432);
    wide.name = "顧客".into();
    let text = plain(&status(vec![wide, tunnel("orders", 55433)], vec![]), 80);
    let places: Vec<usize> = text
        .lines()
        .filter_map(|line| Some(columns_of(&line[..line.find("localhost:")?])))
        .collect();
    assert_eq!(places, [8, 8], "{text}");
}

#[test]
fn more_is_told_of_each_tunnel_when_asked_for() {
    let look = Look {
        width: Some(80),
        palette: Palette::plain(),
        verbose: true,
    };
    let text = render(&at_work(), &look);
    let more: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("        "))
        .collect();
    assert!(
        more.iter()
            .any(|line| line.starts_with("        leads to ")),
        "{text}"
    );
    assert!(
        more.iter()
            .any(|line| line.starts_with("        through bastion ")),
        "{text}"
    );
    assert!(
        more.iter().any(|line| line.starts_with("        session ")),
        "{text}"
    );
}

#[test]
fn what_is_wrong_is_numbered_and_comes_with_its_remedy() {
    let mut busy = tunnel("app-db", 55432);
    busy.state = TunnelState::PortBusy;
    for listener in &mut busy.listeners {
        listener.state = ListenerState::Busy;
        listener.holder = Some("postgres (pid 812)".into());
    }
    let mut sign_in = tunnel("cache", 56379);
    (sign_in.state, sign_in.state_seconds) = (TunnelState::NeedsLogin, 40);
    sign_in.last_error = Some(Problem {
        code: "credentials_expired".into(),
        subject: "tunnel cache".into(),
        message:
            "the SSO session of profile dev has expired, and AWS takes no call until you sign in"
                .into(),
        hint: Some("aws sso login --profile dev".into()),
        at: START,
        seconds_ago: 40,
    });
    assert_eq!(
        plain(&status(vec![busy, sign_in], vec![]), 80),
        "\
bastiond 0.1.0, pid 4321, up 2h 3m
account not known yet

TUNNEL  LOCAL            TASK  SESS  CONN  SENT  RECV  STATE
app-db  localhost:55432  -        0     0     0     0  port busy 2h 3m
cache   localhost:56379  -        0     0     0     0  needs sign-in 40s

# Health
1. tunnel app-db: 127.0.0.1:55432 is taken by postgres (pid 812)
   hint: stop it or wait until it is gone, or give the tunnel another `listen`
2. tunnel app-db: [::1]:55432 is taken by postgres (pid 812)
   hint: stop it or wait until it is gone, or give the tunnel another `listen`
3. tunnel cache: the SSO session of profile dev has expired, and AWS takes no
   call until you sign in (40s ago)
   hint: aws sso login --profile dev
"
    );
}

#[test]
fn several_addresses_and_a_fixed_target_are_shown() {
    let mut shared = tunnel("cache", 56379);
    shared.listeners[1].address = "192.168.64.1:56379".into();
    (shared.bastion, shared.target) = (None, Some("i-0123456789abcdef0".into()));
    shared.ends_in_seconds = Some(75);
    let mut task = tunnel("db", 1);
    let id = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";
    task.target = Some(format!("ecs:my_cluster_{id}_{id}-1234567890"));
    assert_eq!(
        plain(&status(vec![shared, task], vec![]), 80)
            .lines()
            .skip(3)
            .collect::<Vec<_>>(),
        [
            "TUNNEL  LOCAL               TASK                 CONN  SENT  RECV  STATE",
            "cache   127.0.0.1:56379     i-0123456789abcdef0     0     0     0  idle 2h 3m",
            "        192.168.64.1:56379",
            "        session ends in 1m 15s, open to other machines",
            "db      localhost:1         0a1b2c3d                0     0     0  idle 2h 3m",
        ]
    );
}

#[test]
fn expired_credentials_are_no_alarm() {
    let mut status = at_work();
    status.aws.credentials_seconds_left = Some(0);
    let text = plain(&status, 80);
    assert!(
        text.contains("\ncredentials expired 2026-11-22 20:57 UTC, renewed at the next call\n"),
        "{text}"
    );
}

#[test]
fn colour_adds_nothing_but_colour() {
    let look = Look {
        width: Some(80),
        palette: Palette::coloured(),
        verbose: false,
    };
    let coloured = render(&at_work(), &look);
    assert!(
        coloured.contains("\u{1b}[32mready 10m\u{1b}[0m"),
        "{coloured:?}"
    );
    assert_eq!(
        anstream::adapter::strip_str(&coloured).to_string(),
        plain(&at_work(), 80)
    );
}

#[test]
fn texts_of_others_cannot_steer_the_terminal() {
    let mut hostile = tunnel("app-db", 55432);
    hostile.state = TunnelState::Starting;
    hostile.detail = Some("\u{1b}]0;owned\u{7}".into());
    hostile.listeners[0].state = ListenerState::Busy;
    hostile.listeners[0].holder = Some("evil\u{1b}[2J\r\n(pid 1)".into());
    let evil = "\u{1b}[2J\u{7}\r\n\u{9b}1m";
    hostile.bastion = Some("dev".into());
    let mut bastion = bastion("dev", evil, 1, None);
    bastion.task.as_mut().unwrap().id = evil.into();
    let mut fixed = tunnel(evil, 1);
    fixed.target = Some(evil.into());
    fixed.listeners[0].address = evil.into();
    let mut status = status(vec![hostile, fixed], vec![bastion]);
    status.daemon.version = evil.into();
    status.aws.region = Some(evil.into());
    status.aws.account = Some(evil.into());
    let text = plain(&status, None);
    assert!(
        !text.contains(['\u{1b}', '\u{7}', '\r', '\u{9b}']),
        "{text:?}"
    );
    assert_eq!(text.lines().filter(|line| line.contains("[2J")).count(), 5);
}

fn plain(status: &Status, width: impl Into<Option<usize>>) -> String {
    render(
        status,
        &Look {
            width: width.into(),
            palette: Palette::plain(),
            verbose: false,
        },
    )
}

fn at_work() -> Status {
    let mut ready = tunnel("app-db", 55432);
    (ready.state, ready.state_seconds) = (TunnelState::Ready, 600);
    (ready.connections, ready.bytes_sent, ready.bytes_received) = (3, 1_300_000, 36_000_000);
    ready.sessions = vec![session()];
    ready.bastion = Some("dev".into());
    ready.target = Some("ecs:backend_0a1b2c3d4e5f_0a1b2c3d4e5f-0527074092".into());

    let mut starting = tunnel("cache", 56379);
    (starting.state, starting.state_seconds, starting.waiting) = (TunnelState::Starting, 12, 2);
    starting.detail = Some("waiting for agent".into());

    let mut resting = tunnel("jobs", 57000);
    (resting.state, resting.state_seconds) = (TunnelState::Idle, 60);
    (resting.bytes_sent, resting.bytes_received) = (1023, 10_239);
    resting.sessions = vec![session()];
    (resting.bastion, resting.ends_in_seconds) = (Some("night".into()), Some(60));

    let bastions = vec![
        bastion("dev", "0a1b2c3d4e5f", 700, None),
        bastion("night", "7e8f9a0b1c2d", 7380, Some(840)),
    ];
    let mut status = status(vec![ready, starting, resting], bastions);
    status.aws = Aws {
        region: Some("ap-northeast-1".into()),
        account: Some("123456789012".into()),
        arn: Some("arn:aws:sts::123456789012:assumed-role/dev/alice".into()),
        credentials_expire_at: Some(START + Duration::from_secs(7380 + 54 * 60)),
        credentials_seconds_left: Some(54 * 60),
        last_error: None,
    };
    status
}

fn status(tunnels: Vec<Tunnel>, bastions: Vec<Bastion>) -> Status {
    let daemon = Daemon {
        version: "0.1.0".into(),
        pid: 4321,
        instance: "1f".to_owned(),
        started_at: START,
        uptime_seconds: 7380,
        config_path: None,
        log_path: None,
        socket: "/run/bastiond.sock".into(),
    };
    Status::assemble(daemon, Aws::default(), tunnels, bastions, vec![])
}

fn tunnel(name: &str, port: u16) -> Tunnel {
    let listener = |host: &str| Listener {
        address: format!("{host}:{port}"),
        state: ListenerState::Listening,
        holder: None,
        error: None,
    };
    Tunnel {
        name: name.into(),
        listeners: vec![listener("127.0.0.1"), listener("[::1]")],
        remote: "db:5432".into(),
        bastion: None,
        target: None,
        state: TunnelState::Idle,
        state_seconds: 7380,
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

fn session() -> Session {
    Session {
        key: 0,
        id: Some("alice-0a1b2c3d4e5f".into()),
        state: SessionState::Connected,
        state_seconds: 600,
        age_seconds: 610,
        connections: 3,
        agent_version: Some("3.3.0.0".into()),
        rtt_ms: Some(20),
    }
}

fn bastion(name: &str, id: &str, age_seconds: u64, stops_in_seconds: Option<u64>) -> Bastion {
    let task = Task {
        arn: format!("arn:aws:ecs:ap-northeast-1:123456789012:task/backend/{id}"),
        id: id.into(),
        last_status: "RUNNING".into(),
        started_at: None,
        age_seconds,
        target: None,
    };
    Bastion {
        name: name.into(),
        kind: BastionKind::Task,
        state: BastionState::Ready,
        state_seconds: 600,
        detail: None,
        task: Some(task),
        network: Vec::new(),
        service: None,
        leases: 1,
        stops_in_seconds,
        start: None,
        usual_start: None,
        kept_seconds: None,
        aws: None,
        last_error: None,
    }
}

#[test]
fn action_resource_and_statement_of_what_is_denied_have_lines_of_their_own() {
    let mut denied = status(vec![tunnel("app-db", 55432)], vec![]);
    denied.problems = vec![Problem {
        code: "access_denied".into(),
        subject: "bastion dev".into(),
        message: "RunTask: not authorized".into(),
        hint: Some("allow it\naction: ecs:RunTask\nresource: arn:x\u{7}".into()),
        at: START,
        seconds_ago: 0,
    }];
    let text = plain(&denied, 80);
    let told = "   hint: allow it\n         action: ecs:RunTask\n         resource: arn:x\n";
    assert!(text.ends_with(told), "{text}");
}

#[test]
fn while_a_start_lasts_its_phase_and_what_is_usual_are_told() {
    let mut starting = tunnel("app-db", 55432);
    (starting.state, starting.state_seconds) = (TunnelState::Starting, 12);
    starting.detail = Some("pulling image 3s".into());
    starting.bastion = Some("dev".into());
    let mut dev = bastion("dev", "0a1b2c3d", 12, None);
    dev.state = BastionState::Starting;
    dev.usual_start = Some(crate::status::UsualStart {
        starts: 17,
        whole: crate::status::Quantiles {
            p50_ms: 23_100,
            p95_ms: 41_000,
        },
        phases: Vec::new(),
    });
    let text = plain(&status(vec![starting.clone()], vec![dev.clone()]), 200);
    let told = "starting 12s: pulling image 3s, usually 24s, at worst 41s";
    assert!(text.contains(told), "{text}");

    // Who waits for a place in a task that runs learns nothing from how long tasks take to start.
    dev.state = BastionState::Ready;
    let text = plain(&status(vec![starting], vec![dev]), 200);
    assert!(!text.contains("usually"), "{text}");
}

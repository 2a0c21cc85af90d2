//! What several tests of the door use.

pub mod cloud;
pub mod door;

use std::path::Path;

use bastiond::{
    paths::Paths,
    status::{
        Aws, Connection, Daemon, Listener, ListenerState, Problem, Status, Tunnel, TunnelState,
    },
};
use time::macros::datetime;

/// Places in a folder of one's own.
pub fn paths_in(folder: &Path) -> Paths {
    Paths {
        config: folder.join("config.toml"),
        socket: folder.join("run/b.sock"),
        lock: folder.join("run/b.lock"),
        state: folder.join("state"),
        logs: folder.join("state/logs"),
    }
}

/// A status with the tunnels `app-db`, `cache` and `broken`.
pub fn status() -> Status {
    let daemon = Daemon {
        version: "0.1.0".into(),
        pid: 4321,
        instance: "1f".to_owned(),
        started_at: datetime!(2026-11-22 20:00 UTC),
        uptime_seconds: 7380,
        config_path: None,
        log_path: None,
        socket: "/run/b.sock".into(),
    };
    Status::assemble(
        daemon,
        Aws::default(),
        vec![tunnel("app-db"), tunnel("cache"), tunnel("broken")],
        vec![],
        vec![],
    )
}

/// An idle tunnel.
pub fn tunnel(name: &str) -> Tunnel {
    let listener = |address: &str| Listener {
        address: address.into(),
        state: ListenerState::Listening,
        holder: None,
        error: None,
    };
    Tunnel {
        name: name.into(),
        listeners: vec![listener("127.0.0.1:55432"), listener("[::1]:55432")],
        remote: "db.example:5432".into(),
        bastion: (name == "app-db").then(|| "dev".to_owned()),
        target: Some("i-0123456789abcdef0".into()),
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

/// A failed start.
pub fn problem() -> Problem {
    Problem {
        code: "task_start_failed".into(),
        subject: "bastion dev".into(),
        message: "no capacity".into(),
        hint: Some("try again later".into()),
        at: datetime!(2026-11-22 22:02 UTC),
        seconds_ago: 60,
    }
}

/// An open connection.
pub fn connection(id: u64, tunnel: &str) -> Connection {
    Connection {
        id,
        tunnel: tunnel.into(),
        session: Some(0),
        local: "127.0.0.1:55432".into(),
        peer: "127.0.0.1:40000".into(),
        pid: Some(812),
        program: Some("psql".into()),
        accepted_at: datetime!(2026-11-22 22:02 UTC),
        age_seconds: 60,
        bytes_sent: 100,
        bytes_received: 2000,
    }
}

//! The units that start the daemon at login: systems take them, and the daemon keeps its side of the contract.

#[path = "support/programs.rs"]
mod programs;

use std::{
    fs,
    os::unix::{fs::symlink, net::UnixDatagram},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use bastiond::{
    platform::System,
    service::{self, Facts},
};
use rustix::process::{Pid, Signal, kill_process};

const SYSTEMD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/bastiond.service");
const SOCKET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/bastiond.socket");
const LAUNCHD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/launchd/dev.bastiond.plist");
const NOWHERE: &str = "/nonexistent";

const ONE_TUNNEL: &str = r#"
[aws]
region = "eu-central-1"

[[tunnel]]
name = "app-db"
listen = "127.0.0.1:0"
target = "i-0123456789abcdef0"
port = 5432
"#;

/// Somebody whose folders are not as usual, and need quotes in every format.
fn facts() -> Facts {
    Facts {
        program: daemon(),
        arguments: ["run", "--config", "/home/you & me/100%.toml"]
            .map(str::to_owned)
            .into(),
        home: "/home/you & me".into(),
        config_home: "/home/you & me/.config".into(),
        uid: 1000,
        environment: vec![("AWS_PROFILE".to_owned(), "a \"b\" <c>".to_owned())],
        sockets: ["127.0.0.1:55432", "[::1]:55432", "127.0.0.1:6379"]
            .map(|address| address.parse().unwrap())
            .into(),
        control: "/run/user/1000/bastiond/bastiond.sock".into(),
        notes: Vec::new(),
    }
}

#[test]
fn systemd_understands_every_line_of_installed_units() {
    if !programs::are_there(&["systemd-analyze"], Path::new(NOWHERE)) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--user"]);
    let units = service::units(System::Linux, &facts());
    assert_eq!(units.len(), 2);
    for unit in units {
        let path = folder.path().join(unit.path.file_name().unwrap());
        fs::write(&path, unit.text).unwrap();
        verify.arg(path);
    }
    verify.env("HOME", folder.path());
    let verified = verify
        .env("XDG_RUNTIME_DIR", folder.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&verified.stderr), "");
    assert!(verified.status.success());
}

#[test]
fn an_installed_agent_names_the_users_own_places_and_ports() {
    if !programs::are_there(&["python3"], Path::new(NOWHERE)) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let unit = service::units(System::MacOs, &facts()).remove(0);
    let home = Path::new("/home/you & me/Library/LaunchAgents/dev.bastiond.plist");
    assert_eq!(unit.path, home);
    assert!(!unit.text.contains("YOU"), "{}", unit.text);
    let path = folder.path().join("agent.plist");
    fs::write(&path, unit.text).unwrap();
    let unit = property_list(&path);
    assert_eq!(unit["ProgramArguments"][0], daemon().to_str().unwrap());
    assert_eq!(unit["ProgramArguments"][3], "/home/you & me/100%.toml");
    assert_eq!(unit["EnvironmentVariables"]["AWS_PROFILE"], "a \"b\" <c>");
    let log = "/home/you & me/Library/Logs/bastiond.log";
    assert_eq!(unit["StandardErrorPath"], log);
    let sockets = unit["Sockets"]["Listeners"].as_array().unwrap();
    assert_eq!(sockets.len(), 3);
    assert_eq!(sockets[1]["SockFamily"], "IPv6");
    assert_eq!(sockets[1]["SockNodeName"], "::1");
    assert_eq!(sockets[2]["SockServiceName"], "6379");
}

#[test]
fn systemd_understands_every_line_of_its_units() {
    if !programs::are_there(&["systemd-analyze"], Path::new(NOWHERE)) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let programs = home.path().join(".local/bin");
    fs::create_dir_all(&programs).unwrap();
    symlink(daemon(), programs.join("bastiond")).unwrap();
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--user", SYSTEMD, SOCKET])
        .env("HOME", home.path())
        .env("XDG_RUNTIME_DIR", home.path())
        .output()
        .unwrap();
    // A line that it does not know is a warning, and no failure, to it.
    assert_eq!(String::from_utf8_lossy(&verified.stderr), "");
    assert!(verified.status.success());
}

#[test]
fn the_launchd_unit_is_a_property_list_that_runs_the_daemon() {
    if !programs::are_there(&["python3"], Path::new(NOWHERE)) {
        return;
    }
    let unit = property_list(Path::new(LAUNCHD));
    let program = ["/Users/YOU/.local/bin/bastiond", "run"];
    assert_eq!(unit["ProgramArguments"], serde_json::json!(program));
    assert_eq!(unit["RunAtLoad"], true);
    assert_eq!(unit["KeepAlive"]["SuccessfulExit"], false);
    assert_eq!(unit["Umask"], 0o077);
}

#[test]
fn the_service_manager_is_told_of_readiness_and_of_the_end() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut daemon = Daemon::run(home.path(), &path);

    let ready = told(&manager);
    assert!(
        ready.starts_with("READY=1\nSTATUS=listening on 127.0.0.1:"),
        "{ready}"
    );
    kill_process(Pid::from_child(&daemon.process), Signal::TERM).unwrap();
    assert_eq!(told(&manager), "STOPPING=1\n");
    assert!(daemon.process.wait().unwrap().success());
}

#[test]
fn the_service_manager_gets_signs_of_life() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let _daemon = Daemon::watched(home.path(), &path, Duration::from_millis(200));
    assert!(told(&manager).starts_with("READY=1\n"));
    for _ in 0..3 {
        assert_eq!(told(&manager), "WATCHDOG=1\n");
    }
}

fn property_list(path: &Path) -> serde_json::Value {
    let as_json = "import json, plistlib, sys; \
        json.dump(plistlib.load(open(sys.argv[1], 'rb')), sys.stdout)";
    let parsed = Command::new("python3")
        .args(["-c", as_json])
        .arg(path)
        .output()
        .unwrap();
    assert!(
        parsed.status.success(),
        "{}",
        String::from_utf8_lossy(&parsed.stderr)
    );
    serde_json::from_slice(&parsed.stdout).unwrap()
}

/// Not left behind by a test that fails.
struct Daemon {
    process: Child,
}

impl Daemon {
    fn run(home: &Path, notify: &Path) -> Self {
        Self::start(home, notify, Command::new(daemon()).env_clear())
    }

    /// By a manager that wants a sign of life within `limit`.
    fn watched(home: &Path, notify: &Path, limit: Duration) -> Self {
        let mut command = Command::new(daemon());
        command.env_clear();
        command.env("WATCHDOG_USEC", limit.as_micros().to_string());
        Self::start(home, notify, &mut command)
    }

    fn start(home: &Path, notify: &Path, command: &mut Command) -> Self {
        fs::write(home.join("config.toml"), ONE_TUNNEL).unwrap();
        let process = command
            .arg("run")
            .env_remove("WATCHDOG_PID")
            .env("HOME", home)
            .env("NOTIFY_SOCKET", notify)
            .env("BASTIOND_CONFIG", home.join("config.toml"))
            .env("BASTIOND_SOCKET", home.join("run/b.sock"))
            .env("BASTIOND_STATE_DIR", home.join("state"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { process }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn daemon() -> PathBuf {
    assert_cmd::cargo::cargo_bin!("bastiond").to_owned()
}

fn told(manager: &UnixDatagram) -> String {
    let mut buffer = [0; 1024];
    let length = manager.recv(&mut buffer).expect("it is told in time");
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

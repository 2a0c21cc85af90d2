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

use rustix::process::{Pid, Signal, kill_process};

const SYSTEMD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/bastiond.service");
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

#[test]
fn systemd_understands_every_line_of_its_unit() {
    if !programs::are_there(&["systemd-analyze"], Path::new(NOWHERE)) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let programs = home.path().join(".local/bin");
    fs::create_dir_all(&programs).unwrap();
    symlink(daemon(), programs.join("bastiond")).unwrap();
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--user", SYSTEMD])
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
    let as_json = "import json, plistlib, sys; \
        json.dump(plistlib.load(open(sys.argv[1], 'rb')), sys.stdout)";
    let parsed = Command::new("python3")
        .args(["-c", as_json, LAUNCHD])
        .output()
        .unwrap();
    assert!(
        parsed.status.success(),
        "{}",
        String::from_utf8_lossy(&parsed.stderr)
    );
    let unit: serde_json::Value = serde_json::from_slice(&parsed.stdout).unwrap();
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

/// Not left behind by a test that fails.
struct Daemon {
    process: Child,
}

impl Daemon {
    fn run(home: &Path, notify: &Path) -> Self {
        fs::write(home.join("config.toml"), ONE_TUNNEL).unwrap();
        let process = Command::new(daemon())
            .arg("run")
            .env_clear()
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

//! A user of the program: a home and an environment of their own.

use std::{
    fs,
    process::{Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use bastiond::status::Status;

pub const ONE_TUNNEL: &str = r#"
[aws]
region = "eu-west-1"

[[tunnel]]
name = "app-db"
listen = "127.0.0.1:0"
target = "i-0123456789abcdef0"
port = 5432
"#;

/// A user with a home and an environment of its own, whose daemon does not outlive the test.
pub struct User {
    pub home: tempfile::TempDir,
}

impl User {
    pub fn with(config: &str) -> User {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("config.toml"), config).unwrap();
        User { home }
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let home = self.home.path();
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("bastiond"));
        command
            .args(args)
            .current_dir(home)
            .env_clear()
            .env("HOME", home)
            .stdin(Stdio::null());
        command.env("BASTIOND_CONFIG", home.join("config.toml"));
        command.env("BASTIOND_SOCKET", home.join("run/b.sock"));
        command.env("BASTIOND_STATE_DIR", home.join("state"));
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// What a daemon that is there, or just starting, says of itself.
    pub fn status(&self) -> Status {
        let mut status = None;
        wait_until("the daemon answers", || {
            status = serde_json::from_slice(&self.run(&["ctl", "status", "--json"]).stdout).ok();
            status.is_some()
        });
        status.unwrap()
    }

    pub fn folder(&self) -> String {
        self.home.path().display().to_string()
    }

    pub fn socket(&self) -> String {
        format!("{}/run/b.sock", self.folder())
    }
}

impl Drop for User {
    fn drop(&mut self) {
        self.run(&["ctl", "shutdown"]);
    }
}

pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        sleep(Duration::from_millis(10));
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

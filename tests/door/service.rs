//! `bastiond service …`, with a `systemctl` that notes what it is told. Linux only: elsewhere launchd is asked.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::user::{ONE_TUNNEL, User};

/// Keeps what is enabled, and what it was told, in files.
const SYSTEMCTL: &str = r#"#!/bin/sh
echo "$*" >> "$HOME/told"
case "$2" in
  enable) echo "$4" >> "$HOME/enabled" ;;
  disable) if [ -e "$HOME/enabled" ]; then grep -v "$4" "$HOME/enabled" > "$HOME/rest"; mv "$HOME/rest" "$HOME/enabled"; fi ;;
  is-enabled | is-active) grep -q "$4" "$HOME/enabled" 2>/dev/null ;;
esac
"#;

#[test]
fn it_is_installed_once_and_uninstalled_without_a_trace() {
    let user = Login::with(ONE_TUNNEL);
    let installed = user.run(&["service", "install"]);
    assert_eq!(text(&installed.stderr), "");
    let unit = user.unit("bastiond.service");
    let said = text(&installed.stdout);
    assert!(
        said.starts_with(&format!("wrote {}\n", unit.display())),
        "{said}"
    );
    assert!(
        said.contains("ran systemctl --user enable --now bastiond.service\n"),
        "{said}"
    );
    assert!(said.contains("loginctl enable-linger"), "{said}");
    let written = fs::read_to_string(&unit).unwrap();
    let program = assert_cmd::cargo::cargo_bin!("bastiond").display();
    let home = user.0.folder();
    let exec = format!("ExecStart=\"{program}\" \"run\" \"--config\" \"{home}/config.toml\"\n");
    assert!(written.contains(&exec), "{written}");
    assert!(!written.contains("%h"), "{written}");
    let state = format!("Environment=\"BASTIOND_STATE_DIR={home}/state\"\n");
    assert!(written.contains(&state), "{written}");

    let again = user.run(&["service", "install"]);
    assert_eq!(
        text(&again.stdout),
        "it is installed already, and on; nothing was changed\n"
    );
    assert_eq!(user.told("enable"), 1);
    assert_eq!(user.run(&["service", "status"]).status.code(), Some(0));

    let removed = user.run(&["service", "uninstall"]);
    let said = text(&removed.stdout);
    assert!(
        said.contains(&format!("removed {}\n", unit.display())),
        "{said}"
    );
    assert_eq!(fs::read_dir(unit.parent().unwrap()).unwrap().count(), 0);
    assert_eq!(fs::read_to_string(user.file("enabled")).unwrap(), "");
    let again = user.run(&["service", "uninstall"]);
    assert_eq!(text(&again.stdout), "nothing is installed\n");
    assert_eq!(again.status.code(), Some(0));
}

#[test]
fn with_a_socket_systemd_gets_the_ports_of_the_configuration() {
    let user = Login::with(&ONE_TUNNEL.replace("127.0.0.1:0", "127.0.0.1:55439"));
    user.run(&["service", "install", "--socket"]);
    let socket = fs::read_to_string(user.unit("bastiond.socket")).unwrap();
    assert!(
        socket.contains("ListenStream=127.0.0.1:55439\n"),
        "{socket}"
    );
    assert!(!socket.contains("55432"), "{socket}");
    let control = format!("ListenStream={}\n", user.0.socket());
    assert!(socket.contains(&control), "{socket}");
    assert_eq!(user.told("enable --now bastiond.socket"), 1);
    assert_eq!(user.run(&["service", "status"]).status.code(), Some(0));
    let again = user.run(&["service", "install"]);
    assert!(
        text(&again.stdout).starts_with("it is installed already"),
        "it keeps its socket"
    );
    user.run(&["service", "uninstall"]);
    assert!(!user.unit("bastiond.socket").exists());
}

#[test]
fn a_daemon_that_is_to_end_when_idle_gets_a_socket_by_itself() {
    let config = ONE_TUNNEL.replace("127.0.0.1:0", "127.0.0.1:55439");
    let user = Login::with(&format!("exit_when_idle = \"1h\"\n{config}"));
    user.run(&["service", "install"]);
    assert!(user.unit("bastiond.socket").exists());
}

#[test]
fn status_tells_what_has_changed_since() {
    let user = Login::with(ONE_TUNNEL);
    let none = user.run(&["service", "status"]);
    assert!(text(&none.stdout).contains("bastiond.service: not installed\nit is not on\n"));
    assert_eq!(none.status.code(), Some(4));
    user.run(&["service", "install"]);
    let mut moved = user.command(&["service", "status"]);
    moved.env("AWS_PROFILE", "dev");
    let moved = moved.output().unwrap();
    let said = text(&moved.stdout);
    assert!(
        said.contains("installed, but not as it would be today\nit is on\n"),
        "{said}"
    );
    assert!(said.ends_with("hint: bastiond service install\n"), "{said}");
    assert_eq!(moved.status.code(), Some(4));
}

#[test]
fn what_a_login_does_not_know_is_written_down_but_no_secret() {
    let user = Login::with(ONE_TUNNEL);
    let mut install = user.command(&["service", "install"]);
    install.env("AWS_PROFILE", "my \"dev\" 100%");
    install.env("AWS_REGION", "us-east-1");
    install.env("HTTPS_PROXY", "http://me:a-secret@proxy:3128");
    install.env("AWS_ACCESS_KEY_ID", "AKIATESTTESTTESTTEST");
    install.env("AWS_SECRET_ACCESS_KEY", "a-secret");
    let installed = install.output().unwrap();
    let written = fs::read_to_string(user.unit("bastiond.service")).unwrap();
    let profile = r#"Environment="AWS_PROFILE=my \"dev\" 100%%""#;
    assert!(written.contains(profile), "{written}");
    assert!(
        !written.contains("AWS_REGION"),
        "the configuration names it"
    );
    assert!(!written.contains("secret"), "{written}");
    let said = text(&installed.stderr);
    assert!(
        said.contains("warning: HTTPS_PROXY has a password in it"),
        "{said}"
    );
    assert!(
        said.contains("warning: the keys in AWS_ACCESS_KEY_ID"),
        "{said}"
    );
}

#[test]
fn a_dry_run_prints_and_touches_nothing() {
    let user = Login::with(ONE_TUNNEL);
    let shown = user.run(&["service", "install", "--dry-run"]);
    let said = text(&shown.stdout);
    assert!(
        said.starts_with(&format!("# {}\n", user.unit("bastiond.service").display())),
        "{said}"
    );
    assert!(
        said.contains("\n$ systemctl --user enable --now bastiond.service\n"),
        "{said}"
    );
    assert!(!user.file("told").exists() && !user.file(".config").exists());
}

#[test]
fn without_systemd_it_says_what_to_do() {
    let user = Login::with(ONE_TUNNEL);
    fs::remove_file(user.file("bin/systemctl")).unwrap();
    let failed = user.run(&["service", "install"]);
    let said = text(&failed.stderr);
    assert!(
        said.starts_with("error: no systemd looks after you here"),
        "{said}"
    );
    assert!(said.contains("hint: bastiond start"), "{said}");
    assert_eq!(failed.status.code(), Some(1));
    assert!(!user.file(".config").exists());
}

#[test]
fn a_daemon_that_was_started_by_hand_is_not_disturbed() {
    let user = Login::with(ONE_TUNNEL);
    user.run(&["start"]);
    let failed = user.run(&["service", "install"]);
    assert_eq!(
        text(&failed.stderr),
        "error: a daemon that was started by hand is running\nhint: bastiond ctl shutdown\n"
    );
    assert!(!user.unit("bastiond.service").exists());
}

/// Somebody who has logged in, where there is a systemd.
struct Login(User);

impl Login {
    fn with(config: &str) -> Self {
        let user = User::with(config);
        let bin = user.home.path().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::write(bin.join("systemctl"), SYSTEMCTL).unwrap();
        fs::set_permissions(bin.join("systemctl"), fs::Permissions::from_mode(0o755)).unwrap();
        Self(user)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.0.command(args);
        // The tools of the script, and no systemctl of the system's.
        let tools = self.file("tools");
        if !tools.exists() {
            fs::create_dir(&tools).unwrap();
            for tool in ["grep", "mv", "sh"] {
                std::os::unix::fs::symlink(Path::new("/bin").join(tool), tools.join(tool)).unwrap();
            }
        }
        let path = format!("{}:{}", self.file("bin").display(), tools.display());
        command.env("PATH", path);
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.home.path().join(name)
    }

    fn unit(&self, name: &str) -> PathBuf {
        self.file(".config/systemd/user").join(name)
    }

    /// How often systemctl was told this.
    fn told(&self, words: &str) -> usize {
        let told = fs::read_to_string(self.file("told")).unwrap();
        let is_it = |line: &&str| line.starts_with(&format!("--user {words}"));
        told.lines().filter(is_it).count()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

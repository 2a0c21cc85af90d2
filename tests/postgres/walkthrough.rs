//! `docs/walkthrough.md` as a newcomer follows it: its commands are run, and what they print is held against the page.
//!
//! Four things differ from a newcomer's machine. The program that was built stands for `cargo install`; a free port for
//! 55432; an endpoint in the configuration leads to the simulator; and PostgreSQL's programs are found where Debian has
//! them. Without PostgreSQL, `psql` is left out. It is run on Linux only: what launchd gets looks different.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use bastiond::sim::{self, Destination, Script, Sim};
use tempfile::TempDir;
use tokio::process::Command;

use crate::server::{Server, is_installed, program};
use crate::tunnel::finish;

const PAGE: &str = include_str!("../../docs/walkthrough.md");
const PORT: &str = "55432";
const HOST: &str = "app.cluster-x.ap-northeast-1.rds.amazonaws.com";
const ENDPOINT_AFTER: &str = "region = \"ap-northeast-1\"\n";
const KEYS: &str =
    "[dev]\naws_access_key_id = AKIATESTTESTTESTTEST\naws_secret_access_key = secret\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_walkthrough_does_what_it_says() {
    let server = is_installed().then(Server::start);
    let newcomer = Newcomer::new(server.as_ref().map(|server| server.address)).await;
    let steps = steps(PAGE);
    assert!(steps.len() > 10, "{} commands", steps.len());
    for step in steps {
        if step.command.starts_with("psql") && server.is_none() {
            continue;
        }
        newcomer.take(&step).await;
    }
    let world = newcomer.sim.world();
    assert_eq!((world.count("RunTask"), world.count("StopTask")), (1, 1));
    assert!(world.active_sessions().is_empty());
    let left = [
        ".local/bin/bastiond",
        ".config/bastiond",
        ".local/state/bastiond",
    ];
    for gone in left {
        assert!(!newcomer.home.path().join(gone).exists(), "{gone} is left");
    }
}

/// A command of the page, and the lines that it prints there.
struct Step {
    command: String,
    printed: Vec<String>,
}

/// What stands in the page's `console` blocks: `$ ` opens a command; one with `<<'EOF'` goes on to that.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut is_console, mut is_open) = (false, false);
    for line in page.lines() {
        if line.starts_with("```") {
            is_console = line == "```console";
        } else if let (true, false, Some(command)) = (is_console, is_open, line.strip_prefix("$ "))
        {
            is_open = command.contains("<<'EOF'");
            steps.push(Step {
                command: command.to_owned(),
                printed: Vec::new(),
            });
        } else if let (true, Some(step)) = (is_console, steps.last_mut()) {
            match is_open {
                true => {
                    step.command.push('\n');
                    step.command.push_str(line);
                    is_open = line != "EOF";
                }
                false => step.printed.push(line.to_owned()),
            }
        }
    }
    steps
}

/// Whether a text reads as a pattern in which `…` stands for anything.
fn reads_as(text: &str, pattern: &str) -> bool {
    let mut pieces = pattern.split('…');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut last = first;
    let mut is_exact = true;
    for piece in pieces {
        let Some(at) = rest.find(piece) else {
            return false;
        };
        rest = &rest[at + piece.len()..];
        (last, is_exact) = (piece, false);
    }
    rest.is_empty() || (!is_exact && last.is_empty())
}

#[test]
fn a_pattern_stands_for_what_it_says() {
    assert!(reads_as("a: ready, 1", "a: ready…"));
    assert!(reads_as("x a y\nb z", "…a…\nb…"));
    assert!(!reads_as("a: ready", "a: idle…"));
    assert!(!reads_as("a: ready", "a"));
    assert!(!reads_as("more than nothing", ""));
    assert!(!reads_as("a pid 7 and more", "a pid …7"));
}

/// Somebody with a home of their own, and nothing in it but AWS keys.
struct Newcomer {
    home: TempDir,
    sim: Sim,
    port: String,
}

impl Newcomer {
    async fn new(database: Option<SocketAddr>) -> Self {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
        let script = Script {
            destination: Destination::host(HOST, database.unwrap_or(nowhere)),
            ..Script::fast()
        };
        let home = tempfile::tempdir().expect("a folder");
        let mut private = std::fs::DirBuilder::new();
        private.mode(0o700).recursive(true);
        for folder in ["run", ".aws", ".local/bin"] {
            private.create(home.path().join(folder)).expect("a folder");
        }
        std::fs::write(home.path().join(".aws/credentials"), KEYS).expect("written");
        Self {
            home,
            sim: sim::start(script).await.expect("the simulator starts"),
            port: free_port().to_string(),
        }
    }

    async fn take(&self, step: &Step) {
        if step.command.starts_with("cargo install") {
            return self.install();
        }
        let endpoint = format!(
            "{ENDPOINT_AFTER}endpoint_url = \"{}\"\n",
            self.sim.endpoint()
        );
        let command = step.command.replace(PORT, &self.port);
        let output = finish(self.shell(&command.replace(ENDPOINT_AFTER, &endpoint))).await;
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "$ {command}\n{said}{complaint}");
        let said = trimmed(said.lines());
        let printed = trimmed(step.printed.iter().map(String::as_str));
        let printed = printed.replace(PORT, &self.port);
        assert!(
            reads_as(&said, &printed),
            "$ {command}\n{said}\ndoes not read as\n{printed}"
        );
    }

    /// What `cargo install` leaves.
    fn install(&self) {
        let place = self.home.path().join(".local/bin/bastiond");
        symlink(env!("CARGO_BIN_EXE_bastiond"), place).expect("a link");
    }

    fn shell(&self, command: &str) -> Command {
        let home = self.home.path();
        let psql = match is_installed() {
            true => program("psql").parent().map(Path::to_owned),
            false => None,
        };
        let folders: Vec<PathBuf> = std::iter::once(home.join(".local/bin"))
            .chain(psql)
            .chain(["/usr/bin", "/bin"].map(PathBuf::from))
            .collect();
        let path = std::env::join_paths(folders).expect("plain folders");
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(command).current_dir(home).env_clear();
        shell.env("PATH", path).env("HOME", home);
        shell.env("XDG_RUNTIME_DIR", home.join("run"));
        shell.stdin(Stdio::null()).kill_on_drop(true);
        shell
    }
}

impl Drop for Newcomer {
    /// The daemon of a walk that was broken off.
    fn drop(&mut self) {
        let mut shutdown = std::process::Command::new(env!("CARGO_BIN_EXE_bastiond"));
        shutdown.args(["ctl", "shutdown"]).env_clear();
        shutdown.env("HOME", self.home.path());
        shutdown.env("XDG_RUNTIME_DIR", self.home.path().join("run"));
        let _ = shutdown.output();
    }
}

/// Without the spaces that end lines, and the lines that end texts.
fn trimmed<'t>(lines: impl Iterator<Item = &'t str>) -> String {
    let lines: Vec<&str> = lines.map(str::trim_end).collect();
    lines.join("\n").trim_end().to_owned()
}

/// One of both loopback addresses, where there are two.
fn free_port() -> u16 {
    loop {
        let v4 = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = v4.local_addr().expect("bound").port();
        let has_v6 = TcpListener::bind("[::1]:0").is_ok();
        if !has_v6 || TcpListener::bind(("::1", port)).is_ok() {
            return port;
        }
    }
}

//! A daemon in a process of its own: the built program.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use bastiond::control::client::Client;
use bastiond::status::Status;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, Command};

use crate::support::{House, Terms, connect, ping, within};

/// The built program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_bastiond");

/// See the module. It does not outlive the test.
pub struct Process {
    child: Child,
    /// Open, and read by nobody from the moment on when it is ready.
    _stderr: Lines<BufReader<ChildStderr>>,
    pub client: Client,
    logs: PathBuf,
}

impl Process {
    /// `bastiond run`, ready.
    pub async fn start(house: &House, terms: &Terms, log: &str) -> Self {
        let mut command = Command::new(PROGRAM);
        command.arg("run");
        Self::launch(house, terms, log, command).await
    }

    /// `bastiond run` under a shell that sets limits first, ready.
    pub async fn limited(house: &House, terms: &Terms, limits: &str) -> Self {
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(format!("{limits}; exec \"$0\" run"))
            .arg(PROGRAM);
        Self::launch(house, terms, "bastiond=info", command).await
    }

    /// Whatever becomes the daemon; stderr must say that it is ready.
    pub async fn launch(house: &House, terms: &Terms, log: &str, command: Command) -> Self {
        let config = house.config(terms);
        Self::configured(house, &config, log, command).await
    }

    /// `bastiond run` with this configuration, ready.
    pub async fn with_config(house: &House, config: &str) -> Self {
        let mut command = Command::new(PROGRAM);
        command.arg("run");
        Self::configured(house, config, "bastiond=info", command).await
    }

    async fn configured(house: &House, config: &str, log: &str, mut command: Command) -> Self {
        let paths = house.paths();
        std::fs::write(&paths.config, config).expect("written");
        let mut child = command
            .env_clear()
            .env("HOME", house.folder.path())
            .env("BASTIOND_CONFIG", &paths.config)
            .env("BASTIOND_SOCKET", &paths.socket)
            .env("BASTIOND_STATE_DIR", &paths.state)
            .env("AWS_ACCESS_KEY_ID", "AKIATESTTESTTESTTEST")
            .env("AWS_SECRET_ACCESS_KEY", "a-secret-access-key")
            .env("AWS_SESSION_TOKEN", "a-session-token")
            .env("RUST_LOG", log)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let stdout = child.stdout.take().expect("piped");
        let stderr = child.stderr.take().expect("piped");
        // Detached, it says so on stdout, and in other words.
        let (mut out, mut err) = (
            BufReader::new(stdout).lines(),
            BufReader::new(stderr).lines(),
        );
        let ready = async {
            loop {
                let line = tokio::select! {
                    Ok(Some(line)) = out.next_line() => line,
                    Ok(Some(line)) = err.next_line() => line,
                    else => panic!("it ended before it was ready"),
                };
                if line.contains("bastiond is ready") || line.starts_with("READY ") {
                    return;
                }
            }
        };
        within("the program is ready", ready).await;
        Self {
            child,
            _stderr: err,
            client: Client::new(&paths.socket),
            logs: paths.state.join("logs"),
        }
    }

    pub async fn status(&self) -> Status {
        self.client.status().await.expect("a status")
    }

    /// A client of the first tunnel.
    pub async fn connect(&self) -> TcpStream {
        let address = self.status().await.tunnels[0].listeners[0].address.clone();
        connect(address.parse().expect("an address")).await
    }

    /// A client that has had an answer.
    pub async fn served(&self) -> TcpStream {
        let mut client = self.connect().await;
        ping(&mut client).await;
        client
    }

    pub fn pid(&self) -> Pid {
        let pid = self.child.id().expect("it runs");
        Pid::from_raw(pid as i32).expect("a pid")
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("signalled");
    }

    /// As `kill -9` does it: nothing is ended, nothing is written.
    pub async fn crash(mut self) {
        self.child.kill().await.expect("killed");
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let status = within("the program ends", self.child.wait()).await;
        status.expect("an exit code")
    }

    /// As Ctrl-C does it; gives all that was logged.
    pub async fn stop(mut self) -> String {
        self.signal(Signal::INT);
        assert!(self.ended().await.success());
        self.logged()
    }

    /// What has been logged.
    pub fn logged(&self) -> String {
        let files = std::fs::read_dir(&self.logs).expect("logs").flatten();
        let texts = files.map(|file| std::fs::read_to_string(file.path()).expect("text"));
        texts.collect()
    }
}

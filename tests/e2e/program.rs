//! The built program against a simulator: what only a process of its own can show.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bastiond::control::client::Client;
use bastiond::sim::{ApiFault, Cut, Script};
use bastiond::status::{BastionState, Status};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::support::{
    House, Terms, assert_reset, connect, echo_whole, pattern, ping, receive, send, state_text,
    until, within,
};

/// A daemon in a process of its own.
struct Process {
    child: Child,
    client: Client,
    folder: PathBuf,
}

impl Process {
    async fn start(house: &House, terms: &Terms, log: &str) -> Self {
        let paths = house.paths();
        std::fs::write(&paths.config, house.config(terms)).expect("written");
        let mut child = Command::new(env!("CARGO_BIN_EXE_bastiond"))
            .arg("run")
            .env_clear()
            .env("HOME", house.folder.path())
            .env("BASTIOND_CONFIG", &paths.config)
            .env("BASTIOND_SOCKET", &paths.socket)
            .env("BASTIOND_STATE_DIR", &paths.state)
            .env("AWS_ACCESS_KEY_ID", "AKIATESTTESTTESTTEST")
            .env("AWS_SECRET_ACCESS_KEY", "a-secret-access-key")
            .env("AWS_SESSION_TOKEN", "a-session-token")
            .env("RUST_LOG", log)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let stderr = child.stderr.take().expect("piped");
        let mut lines = BufReader::new(stderr).lines();
        let ready = async {
            while let Some(line) = lines.next_line().await.expect("text") {
                if line.contains("bastiond is ready") {
                    return;
                }
            }
            panic!("it ended before it was ready");
        };
        within("the program is ready", ready).await;
        // Somebody has to read on, or it would wait for its log to be taken.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self {
            child,
            client: Client::new(&paths.socket),
            folder: paths.state.join("logs"),
        }
    }

    async fn status(&self) -> Status {
        self.client.status().await.expect("a status")
    }

    async fn served(&self) -> tokio::net::TcpStream {
        let address = self.status().await.tunnels[0].listeners[0].address.clone();
        let mut client = connect(address.parse().expect("an address")).await;
        ping(&mut client).await;
        client
    }

    /// As `kill -9` does it: nothing is ended, nothing is written.
    async fn crash(mut self) {
        self.child.kill().await.expect("killed");
    }

    /// As Ctrl-C does it; gives all that was logged.
    async fn stop(mut self) -> String {
        let pid = self.child.id().expect("it runs");
        let pid = rustix::process::Pid::from_raw(pid as i32).expect("a pid");
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("signalled");
        let status = within("the program ends", self.child.wait()).await;
        assert!(status.expect("an exit code").success());
        let files = std::fs::read_dir(&self.folder).expect("logs").flatten();
        let texts = files.map(|file| std::fs::read_to_string(file.path()).expect("text"));
        texts.collect()
    }
}

#[tokio::test]
async fn neither_tokens_nor_bytes_nor_credentials_are_in_the_log_at_any_level() {
    let house = House::new().await;
    let process = Process::start(&house, &Terms::default(), "trace").await;
    let mut client = process.served().await;
    send(&mut client, b"a-secret-in-the-bytes").await;
    receive(&mut client, 21).await;
    house.world().cut_links(&Cut::Bye);
    ping(&mut client).await;
    house
        .world()
        .fail_next("ResumeSession", 1, ApiFault::AccessDenied);
    house.world().cut_links(&Cut::Drop);
    assert_reset(&mut client).await;
    let links = house.world().links();
    assert!(links.len() >= 2);
    let log = process.stop().await;
    assert!(log.contains("TRACE") && log.contains("session started"));
    let mut secrets = vec![
        "a-secret-in-the-bytes".to_owned(),
        "a-secret-access-key".to_owned(),
        "a-session-token".to_owned(),
        // Every token of the simulator begins so.
        "AAEAA".to_owned(),
        "TokenValue".to_owned(),
    ];
    for link in &links {
        let (_, query) = link.target.split_once('?').expect("a query");
        secrets.push(query.to_owned());
        let authorization = link.header("authorization").expect("it is signed");
        let (_, signature) = authorization.split_once("Signature=").expect("a signature");
        secrets.push(signature.to_owned());
    }
    for secret in secrets {
        let line = log.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "{secret}");
    }
    house.sweep_beside().await;
}

#[tokio::test]
async fn after_a_crash_the_task_is_adopted_and_the_sessions_are_ended() {
    let house = House::new().await;
    let process = Process::start(&house, &Terms::default(), "bastiond=info").await;
    let mut client = process.served().await;
    within("the state is written", async {
        while !state_text(&house).contains("developer-") {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    ping(&mut client).await;
    process.crash().await;
    let left = house.world().active_sessions().remove(0).id;

    let process = Process::start(&house, &Terms::default(), "bastiond=info").await;
    until(house.world(), "the leftover session is ended", |world| {
        world.active_sessions().is_empty()
    })
    .await;
    let ended = house.world().calls("TerminateSession").remove(0);
    assert_eq!(ended.body["SessionId"], left);
    let task = house.world().tasks().remove(0).arn;
    let adopted = |status: &Status| {
        let bastion = &status.bastions[0];
        let is_it = bastion.task.as_ref().is_some_and(|shown| shown.arn == task);
        is_it && bastion.state == BastionState::Resting
    };
    within("the task is looked after", async {
        while !adopted(&process.status().await) {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    drop(process.served().await);
    assert_eq!(house.world().count("RunTask"), 1);
    process.stop().await;
    assert_eq!(house.world().count("StopTask"), 1);
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let house = House::new().await;
    let process = Process::start(&house, &Terms::default(), "bastiond=info").await;
    let _client = process.served().await;
    house.world().fail_always("StopTask", ApiFault::Hang);
    house
        .world()
        .fail_always("DescribeSessions", ApiFault::Hang);
    let Process { mut child, .. } = process;
    let pid = child.id().expect("it runs");
    let pid = rustix::process::Pid::from_raw(pid as i32).expect("a pid");
    let interrupt = || {
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("signalled");
    };
    interrupt();
    until(house.world(), "it is shutting down", |world| {
        world.count("DescribeSessions") > 0
    })
    .await;
    let second = std::time::Instant::now();
    interrupt();
    let status = within("the program ends", child.wait()).await;
    assert!(!status.expect("an exit code").success());
    assert!(second.elapsed() < Duration::from_secs(3));
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_faithful_agent_at_its_own_pace_is_carried_by_the_program() {
    let script = Script {
        agent: Script::default().agent,
        ..Script::fast()
    };
    let house = House::with(script).await;
    let process = Process::start(&house, &Terms::default(), "bastiond=info").await;
    let mut client = process.served().await;
    echo_whole(&mut client, &pattern(300_000, 1), 1).await;
    process.stop().await;
    house.sweep_beside().await;
}

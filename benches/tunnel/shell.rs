//! `bastiond shell`, the whole program: a key's way to the far terminal and back, and how fast output comes.

use std::process::Stdio;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, ensure};
use bastiond::proto::Protocol as _;
use bastiond::proto::message::PayloadType;
use bastiond::proto::shell::{Agent, AgentEvent, Event, Options, Profile, Shell};
use bastiond::sim::{self, Script, Shells};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::{Instant, sleep_until, timeout};

use crate::stage::{self, NODE};
use crate::table::{Row, Table, Target, millis, percentile};

const ECHO: &str = "a key's echo in a shell, p50";
const RATE: &str = "paced output of a shell, 10 MB";
const SHARE: &str = "the same, share of what the agent can give";
const KEYS: usize = 1000;
/// Keys that warm up both ends.
const FIRST_KEYS: usize = 50;
const OUTPUT: usize = 10_000_000;
/// What the agent alone is watched for.
const LENGTH: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(120);

/// Keys and output.
pub async fn keys_and_output(table: &mut Table) -> anyhow::Result<()> {
    if table.wants(&[ECHO]) {
        let through = echoes(&program().await?).await?;
        let plain = echoes(&House::nowhere()).await?;
        let row = Row::new(ECHO, through, "ms").aiming(Target::AtMost(0.3));
        table.add(row.beside(plain));
    }
    if table.wants(&[RATE, SHARE]) {
        let paced = Script {
            shells: Shells::default(),
            ..stage::script(([127, 0, 0, 1], 9).into())
        };
        let alone = tokio::spawn(alone());
        let rate = output(&House::of(paced).await?).await?;
        let alone = alone.await?;
        table.add(Row::new(RATE, rate / 1e6, "MB/s"));
        table.add(Row::new(SHARE, 100.0 * rate / alone, "%").aiming(Target::AtLeast(97.0)));
    }
    Ok(())
}

async fn program() -> anyhow::Result<House> {
    House::of(stage::script(([127, 0, 0, 1], 9).into())).await
}

/// Where a command is run: at the far side, or here without us.
struct House {
    far: Option<(sim::Sim, TempDir)>,
}

impl House {
    async fn of(script: Script) -> anyhow::Result<Self> {
        let sim = sim::start(script).await?;
        let folder = tempfile::tempdir()?;
        let configuration = stage::configuration(&sim.endpoint(), &format!("target = '{NODE}'"));
        std::fs::write(folder.path().join("config.toml"), configuration)?;
        Ok(Self {
            far: Some((sim, folder)),
        })
    }

    fn nowhere() -> Self {
        Self { far: None }
    }

    /// The words that run `command`, and the variables they need.
    fn words(&self, command: &[&str]) -> (Vec<String>, Vec<(&str, String)>) {
        let command = command.iter().map(|word| (*word).to_owned());
        let Some((_, folder)) = &self.far else {
            return (command.collect(), Vec::new());
        };
        let config = folder.path().join("config.toml").display().to_string();
        let words = [env!("CARGO_BIN_EXE_bastiond"), "shell", NODE, "--"];
        let words = words.into_iter().map(str::to_owned).chain(command);
        let variables = vec![
            ("BASTIOND_CONFIG", config),
            ("AWS_ACCESS_KEY_ID", "AKIABENCHBENCHBENCH0".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "bench".to_owned()),
        ];
        (words.collect(), variables)
    }
}

/// Median milliseconds from a key to what the terminal shows of it.
async fn echoes(house: &House) -> anyhow::Result<f64> {
    let (words, variables) = house.words(&["sh", "-c", "stty raw -echo; echo ready; exec cat"]);
    let (pty, pts) = pty_process::open()?;
    let command = pty_process::Command::new(&words[0]).args(&words[1..]);
    let mut child = command.envs(variables).kill_on_drop(true).spawn(pts)?;
    let (mut read, mut write) = pty.into_split();
    let mut shown = Vec::new();
    while !shown.windows(5).any(|part| part == b"ready") {
        let reading = timeout(PATIENCE, read.read_buf(&mut shown)).await;
        ensure!(reading?? > 0, "it ended");
    }
    let mut times = Vec::new();
    let mut chunk = [0; 64];
    // What is left of the greeting is no echo.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let _ = timeout(Duration::from_millis(10), read.read(&mut chunk)).await;
    for _ in 0..KEYS + FIRST_KEYS {
        let start = Instant::now();
        write.write_all(b"x").await?;
        let reading = timeout(PATIENCE, read.read(&mut chunk)).await;
        ensure!(reading?? > 0, "it ended");
        times.push(millis(start.elapsed()));
    }
    child.kill().await?;
    Ok(percentile(&mut times[FIRST_KEYS..], 50))
}

/// Bytes a second at a pipe of the program's.
async fn output(house: &House) -> anyhow::Result<f64> {
    let count = OUTPUT.to_string();
    let (words, variables) = house.words(&["head", "-c", &count, "/dev/zero"]);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).envs(variables);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn()?;
    let mut stdout = child.stdout.take().context("it is piped")?;
    let mut chunk = vec![0; 64 * 1024];
    let mut count = stdout.read(&mut chunk).await?;
    let start = Instant::now();
    loop {
        match timeout(PATIENCE, stdout.read(&mut chunk)).await?? {
            0 => break,
            more => count += more,
        }
    }
    ensure!(count == OUTPUT, "{count} bytes");
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

/// Bytes a second of the agent with nothing in its way.
async fn alone() -> f64 {
    let (now, wall) = (Instant::now().into_std(), SystemTime::now());
    let profile = Profile {
        agent_version: "3.3.987.0".to_owned(),
        session_type: "InteractiveCommands".to_owned(),
        encryption: None,
        pace: Shells::default().pace,
        customer_message: String::new(),
    };
    let options = Options {
        seed: 1,
        wall,
        size: None,
        expects_greeting: true,
    };
    let mut client = Shell::new(options, now);
    let mut agent = Agent::new(profile, 2, wall, now);
    client.handle_connected(now);
    agent.handle_connected(now);
    let (mut received, mut ready) = (0, false);
    let end = Instant::now() + LENGTH;
    while Instant::now() < end {
        let now = Instant::now().into_std();
        agent.handle_timeout(now);
        client.handle_timeout(now);
        while let Some(event) = agent.poll_event() {
            ready |= event == AgentEvent::Ready;
        }
        while ready && agent.can_write() {
            agent.write(PayloadType::Output, vec![0x5a; 16 * 1024].into());
        }
        loop {
            let down = agent.poll_transmit(now);
            let up = client.poll_transmit(now);
            if down.is_none() && up.is_none() {
                break;
            }
            let _ = down.map(|frame| client.handle_input(frame, now));
            let _ = up.map(|frame| agent.handle_input(frame, now));
        }
        while let Some(event) = client.poll_event() {
            if let Event::Output(bytes) = event {
                received += bytes.len();
            }
        }
        let timeouts = [agent.poll_timeout(), client.poll_timeout()];
        if let Some(at) = timeouts.into_iter().flatten().min() {
            sleep_until(at.into()).await;
        }
    }
    received as f64 / LENGTH.as_secs_f64()
}

//! The daemon as a process of its own: what it costs to have it running, and to use it much.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bastiond::control::client::Client;
use bastiond::paths::Paths;
use bastiond::sim;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::private;
use crate::procfs::{self, Glance};
use crate::stage::{self, NODE};
use crate::table::{Row, Table, Target, median, millis, percentile};

const IDLE_MEMORY: &str = "idle daemon, memory";
const WAKE_UPS: &str = "idle daemon, wake-ups a second";
const LISTENS: &str = "daemon, from its start until its port is open, median";
const SLOWEST: &str = "the same, slowest";
const STARTS: usize = 21;
const CROWD_MEMORY: &str = "200 connections in one session, memory";
const AFTER_MEMORY: &str = "the same, once they are closed";
/// What a daemon is given to come to rest.
const SETTLING: Duration = Duration::from_secs(2);
/// Of the system's choice.
const ANY_PORT: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));
/// A daemon that does not listen by then is broken.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a connection is tried.
const LOOK: Duration = Duration::from_micros(500);
const WATCHED: Duration = Duration::from_secs(10);
const CROWD: usize = 200;
/// When more than 64 wait for the agent to dial, another session is opened for them.
const AT_ONCE: usize = 40;
/// What each of the crowd sends and gets back.
const CARRIED: usize = 256 * 1024;

/// Memory and wake-ups of a daemon that nobody uses.
pub async fn idle(table: &mut Table) -> anyhow::Result<()> {
    if !table.wants(&[IDLE_MEMORY, WAKE_UPS]) {
        return Ok(());
    }
    let daemon = Daemon::start("http://127.0.0.1:9").await?;
    sleep(SETTLING).await;
    let before = daemon.glance();
    sleep(WATCHED).await;
    if let (Some(before), Some(after)) = (before, daemon.glance()) {
        let row = Row::new(IDLE_MEMORY, after.resident, "MB");
        table.add(row.aiming(Target::AtMost(20.0)));
        let woken = (after.sleeps - before.sleeps) as f64 / WATCHED.as_secs_f64();
        table.add(Row::new(WAKE_UPS, woken, "/s").aiming(Target::AtMost(1.0)));
    }
    daemon.stop().await
}

/// How long nobody can connect when the daemon is started. Milliseconds.
pub async fn starts(table: &mut Table) -> anyhow::Result<()> {
    if !table.wants(&[LISTENS, SLOWEST]) {
        return Ok(());
    }
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let port = std::net::TcpListener::bind(ANY_PORT)?.local_addr()?;
        let began = Instant::now();
        let daemon = Daemon::spawn("http://127.0.0.1:9", port)?;
        while TcpStream::connect(port).await.is_err() {
            ensure!(began.elapsed() < PATIENCE, "the daemon does not listen");
            sleep(LOOK).await;
        }
        times.push(millis(began.elapsed()));
        Client::new(&daemon.paths.socket).patient().status().await?;
        daemon.stop().await?;
    }
    let slowest = percentile(&mut times, 100);
    let row = Row::new(LISTENS, median(times), "ms");
    table.add(row.aiming(Target::AtMost(50.0)));
    table.add(Row::new(SLOWEST, slowest, "ms"));
    Ok(())
}

/// Memory of a daemon with many connections, all of which have carried something.
pub async fn crowd(table: &mut Table) -> anyhow::Result<()> {
    if !table.wants(&[CROWD_MEMORY, AFTER_MEMORY]) {
        return Ok(());
    }
    let private = private::serve().await?;
    let sim = sim::start(stage::script(private)).await?;
    let daemon = Daemon::start(&sim.endpoint()).await?;
    let mut guests = Vec::new();
    while guests.len() < CROWD {
        let arriving: JoinSet<_> = (0..AT_ONCE).map(|_| guest(daemon.address)).collect();
        for guest in arriving.join_all().await {
            guests.push(guest?);
        }
    }
    let crowded = daemon.glance();
    let sessions = sim.world().active_sessions();
    ensure!(sessions.len() == 1, "{} sessions", sessions.len());
    drop(guests);
    sleep(SETTLING).await;
    if let (Some(crowded), Some(after)) = (crowded, daemon.glance()) {
        let row = Row::new(CROWD_MEMORY, crowded.resident, "MB");
        table.add(row.aiming(Target::AtMost(60.0)));
        table.add(Row::new(AFTER_MEMORY, after.resident, "MB"));
    }
    daemon.stop().await?;
    sim.shutdown().await;
    Ok(())
}

/// A connection that has carried [`CARRIED`] bytes each way.
async fn guest(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let mut socket = TcpStream::connect(address).await?;
    private::echo(&mut socket).await?;
    let (mut read, mut write) = socket.split();
    let (sent, mut got) = (vec![0x5a; CARRIED], vec![0; CARRIED]);
    tokio::try_join!(write.write_all(&sent), read.read_exact(&mut got))?;
    ensure!(sent == got, "the echo is another");
    Ok(socket)
}

/// A daemon of the built program.
struct Daemon {
    child: Child,
    address: SocketAddr,
    paths: Paths,
    _folder: TempDir,
}

impl Daemon {
    /// One that takes `endpoint` for AWS.
    async fn start(endpoint: &str) -> anyhow::Result<Self> {
        let mut daemon = Self::spawn(endpoint, ANY_PORT)?;
        Client::new(&daemon.paths.socket).patient().status().await?;
        daemon.address = stage::address(&daemon.paths).await?;
        Ok(daemon)
    }

    /// One that may not listen yet.
    fn spawn(endpoint: &str, address: SocketAddr) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let paths = stage::paths_in(folder.path());
        let config = stage::configuration(endpoint, &format!("target = '{NODE}'"));
        let config = config.replace(&ANY_PORT.to_string(), &address.to_string());
        std::fs::write(&paths.config, config)?;
        let child = Command::new(env!("CARGO_BIN_EXE_bastiond"))
            .arg("run")
            .env("HOME", folder.path())
            .env("BASTIOND_CONFIG", &paths.config)
            .env("BASTIOND_SOCKET", &paths.socket)
            .env("BASTIOND_STATE_DIR", &paths.state)
            .env("AWS_ACCESS_KEY_ID", "AKIABENCHBENCHBENCH0")
            .env("AWS_SECRET_ACCESS_KEY", "bench")
            .env_remove("RUST_LOG")
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("cannot run the daemon")?;
        Ok(Self {
            child,
            address,
            paths,
            _folder: folder,
        })
    }

    fn glance(&self) -> Option<Glance> {
        procfs::glance(self.child.id()?)
    }

    async fn stop(mut self) -> anyhow::Result<()> {
        Client::new(&self.paths.socket).shutdown().await?;
        self.child.wait().await?;
        Ok(())
    }
}

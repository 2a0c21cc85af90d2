//! A daemon and AWS's side in this process, leading to a database.

use std::{net::SocketAddr, process::Output, time::Duration};

use bastiond::{
    aws::Source,
    config::Config,
    control::client::Client,
    daemon::{self, Setup},
    paths::Paths,
    sim::{self, Destination, Script, Sim, World},
};
use tempfile::TempDir;
use tokio::{process::Command, sync::oneshot, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::server::program;

const HOST: &str = "db.internal";
/// The waits while a bastion starts, shortened as the simulated task's stages are.
const PACE: f64 = 0.01;
/// Nothing here takes longer than some seconds on an idle machine.
pub const LIMIT: Duration = Duration::from_secs(120);

/// A tunnel whose bastion does not run yet.
pub struct Tunnel {
    /// Where a client connects.
    pub address: SocketAddr,
    sim: Sim,
    daemon: JoinHandle<anyhow::Result<()>>,
    cancel: CancellationToken,
    _folder: TempDir,
}

impl Tunnel {
    /// `script` says all but where the database is.
    pub async fn to(database: SocketAddr, script: Script) -> Self {
        let script = Script {
            destination: Destination::host(HOST, database),
            ..script
        };
        let sim = sim::start(script).await.expect("the simulator starts");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let paths = paths(&folder);
        let cancel = CancellationToken::new();
        let (sender, ready) = oneshot::channel();
        let announce = move |_: &str| {
            let _ = sender.send(());
            Ok(())
        };
        let setup = Setup {
            config: configuration(&sim),
            sources: None,
            reload: Default::default(),
            paths: paths.clone(),
            log_path: None,
            source: Source::fixed("AKIATESTTESTTESTTEST", "secret"),
            pace: PACE,
            network: None,
            sockets: Default::default(),
            successor: None,
        };
        let daemon = tokio::spawn(daemon::run(setup, announce, cancel.clone()));
        ready.await.expect("the daemon starts");
        let status = Client::new(&paths.socket).status().await;
        let status = status.expect("the daemon answers");
        let address = &status.tunnels[0].listeners[0].address;
        Self {
            address: address.parse().expect("an address"),
            sim,
            daemon,
            cancel,
            _folder: folder,
        }
    }

    /// AWS's side.
    pub fn world(&self) -> &World {
        self.sim.world()
    }

    /// Ends all of it in order.
    pub async fn end(self) {
        self.cancel.cancel();
        let ended = timeout(LIMIT, self.daemon).await.expect("it ends in time");
        ended.expect("no panic").expect("the daemon ends well");
        self.sim.shutdown().await;
    }
}

fn paths(folder: &TempDir) -> Paths {
    let folder = folder.path();
    Paths {
        config: folder.join("config.toml"),
        socket: folder.join("run/b.sock"),
        lock: folder.join("run/b.lock"),
        state: folder.join("state"),
        logs: folder.join("logs"),
    }
}

fn configuration(sim: &Sim) -> Config {
    let endpoint = sim.endpoint();
    let text = format!(
        r#"
        [aws]
        region = "ap-northeast-1"
        endpoint_url = "{endpoint}"

        [bastion.dev]
        cluster = "backend"
        task_definition = "bastion"
        subnets = ["subnet-0a1b2c3d"]

        [[tunnel]]
        name = "app-db"
        listen = "127.0.0.1:0"
        host = "{HOST}"
        port = 5432
        "#
    );
    Config::parse(&text).expect("a configuration")
}

/// One of PostgreSQL's clients, to the database at `address`, free of the user's own settings.
pub fn client(name: &str, address: SocketAddr) -> Command {
    let mut command = Command::new(program(name));
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("PG") {
            command.env_remove(variable);
        }
    }
    command
        .env("PGHOST", address.ip().to_string())
        .env("PGPORT", address.port().to_string())
        .env("PGUSER", "postgres")
        .env("PGDATABASE", "postgres")
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    command
}

/// `psql`, which prints nothing but values and ends at the first error; each command is sent by itself.
pub fn psql(address: SocketAddr, commands: &[&str]) -> Command {
    let mut psql = client("psql", address);
    psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
    for command in commands {
        psql.args(["-c", command]);
    }
    psql
}

/// Runs it to its end, in time.
pub async fn finish(mut command: Command) -> Output {
    let output = timeout(LIMIT, command.output()).await;
    output.expect("it ends in time").expect("it runs")
}

/// What it prints; it must succeed.
pub async fn said(command: Command) -> String {
    let output = finish(command).await;
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    String::from_utf8(output.stdout).expect("it prints text")
}

//! `bastiond demo`: the whole thing on one machine, without an account.
//!
//! The daemon runs as it would against AWS; only its endpoint is the simulator's. Behind the
//! simulated agent is a small web page, or a database of your own.

mod check;
mod page;
mod story;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::aws::Source;
use crate::cli;
use crate::config::Config;
use crate::control::client::Client;
use crate::daemon::{self, Setup};
use crate::paths::Paths;
use crate::platform::network;
use crate::sim::{self, Destination, Script, Sim, Timing};
use crate::status::ListenerState;

/// The name under which the agent finds the private side.
const PRIVATE_HOST: &str = "app.cluster-demo.internal";
/// The daemon has to be listening by then.
const READY_LIMIT: Duration = Duration::from_secs(10);

/// What runs while the demo does.
struct Stage<'a> {
    sim: &'a Sim,
    client: Client,
    /// Where the daemon listens, in its words.
    line: String,
    cancel: &'a CancellationToken,
}

impl Stage<'_> {
    /// The first address that the daemon listens on.
    async fn address(&self) -> anyhow::Result<String> {
        let status = self.client.status().await?;
        let listeners = status.tunnels.iter().flat_map(|tunnel| &tunnel.listeners);
        let mut listening = listeners.filter(|listener| listener.state == ListenerState::Listening);
        let first = listening
            .next()
            .with_context(|| format!("nothing is listening: {}", self.line))?;
        Ok(first.address.clone())
    }
}

/// Run the demo until Ctrl-C, or the check until it is done.
///
/// # Errors
/// When the simulator or the daemon cannot be started.
pub async fn run(options: cli::Demo, cancel: CancellationToken) -> anyhow::Result<ExitCode> {
    let folder = tempfile::tempdir().context("cannot make a folder for the demo")?;
    let page = page::serve()
        .await
        .context("cannot start the private page")?;
    let private = match &options.target {
        Some(target) => resolve(target).await?,
        None => page.address,
    };
    let sim = sim::start(script(private))
        .await
        .context("cannot start the simulator")?;
    let listen = if options.check {
        "127.0.0.1:0"
    } else {
        &options.listen
    };
    let config = configuration(&sim, listen, options.check)?;
    let mut paths = Paths::from_env()?;
    paths.state = folder.path().join("state");
    if options.check {
        paths.socket = folder.path().join("run/bastiond.sock");
        paths.lock = folder.path().join("run/bastiond.lock");
    }
    let setup = Setup {
        config,
        sources: None,
        reload: Default::default(),
        paths: paths.clone(),
        log_path: None,
        source: Source::fixed("AKIADEMODEMODEMODEMO", "demo"),
        pace: 1.0,
        network: network::changes().ok(),
        sockets: Default::default(),
        successor: None,
    };
    let (daemon, line) = start(setup, cancel.clone()).await?;
    let stage = Stage {
        sim: &sim,
        client: Client::new(&paths.socket),
        line,
        cancel: &cancel,
    };
    let code = match options.check {
        true => check::run(&stage).await,
        false => story::tell(&stage, options.target.as_deref()).await,
    };
    cancel.cancel();
    daemon.await.context("the daemon broke")??;
    sim.shutdown().await;
    page.stop().await;
    code
}

/// Start the daemon, and wait until it says where it listens.
async fn start(
    setup: Setup,
    cancel: CancellationToken,
) -> anyhow::Result<(JoinHandle<anyhow::Result<()>>, String)> {
    let (sender, ready) = oneshot::channel();
    let announce = move |line: &str| {
        let _ = sender.send(line.to_owned());
        Ok(())
    };
    let daemon = tokio::spawn(daemon::run(setup, announce, cancel));
    match timeout(READY_LIMIT, ready).await {
        Ok(Ok(line)) => Ok((daemon, line)),
        Ok(Err(_)) => {
            daemon.await.context("the daemon broke")??;
            anyhow::bail!("the daemon ended at its start")
        }
        Err(_) => anyhow::bail!("the daemon did not come up"),
    }
}

fn script(private: SocketAddr) -> Script {
    Script {
        timing: Timing::fargate(),
        destination: Destination::host(PRIVATE_HOST, private),
        ..Script::default()
    }
}

/// The configuration a person would write, with an endpoint.
fn configuration(sim: &Sim, listen: &str, brisk: bool) -> anyhow::Result<Config> {
    let script = Script::default();
    // The check shows that the task is stopped, so it does not wait a quarter of an hour for it.
    let (linger, idle) = if brisk { ("1s", "2s") } else { ("2m", "15m") };
    let text = format!(
        r#"
        [aws]
        region = "{region}"
        endpoint_url = "{endpoint}"

        [bastion.demo]
        cluster = "{cluster}"
        task_definition = "{family}"
        subnets = ["subnet-0a1b2c3d"]
        security_groups = ["sg-0a1b2c3d"]
        idle_stop = "{idle}"

        [[tunnel]]
        name = "demo-db"
        listen = "{listen}"
        bastion = "demo"
        host = "{PRIVATE_HOST}"
        port = 5432
        session_linger = "{linger}"
        "#,
        region = script.region,
        endpoint = sim.endpoint(),
        cluster = script.clusters[0],
        family = script.task_definitions[0].family,
    );
    Config::parse(&text).map_err(|error| {
        // Only `listen` is not ours; where it stands in our text is nobody's business.
        let said = error.mistakes().iter().map(|mistake| &mistake.message);
        let said: Vec<_> = said.map(String::as_str).collect();
        anyhow::anyhow!("cannot use `--listen {listen}`: {}", said.join("; "))
    })
}

async fn resolve(target: &str) -> anyhow::Result<SocketAddr> {
    let mut found = tokio::net::lookup_host(target)
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => {
                anyhow::anyhow!("cannot use `--target {target}`: it has to be HOST:PORT")
            }
            _ => anyhow::anyhow!("cannot use `--target {target}`: {error}"),
        })?;
    found
        .next()
        .with_context(|| format!("`{target}` has no address"))
}

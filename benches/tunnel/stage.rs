//! Simulator and daemon in this process, with nothing but the endpoint set differently from production.

use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use anyhow::Context;
use bastiond::{
    aws::Source,
    config::Config,
    control::client::Client,
    daemon::{self, Setup},
    paths::Paths,
    proto::AgentProfile,
    sim::{self, Destination, ManagedNode, Script, Sim},
};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// A target that needs no task.
pub const NODE: &str = "i-0123456789abcdef0";

/// A running pair.
pub struct Stage {
    /// AWS's side.
    pub sim: Sim,
    /// Where the tunnel listens.
    pub address: SocketAddr,
    /// The daemon's files.
    pub paths: Paths,
    /// The system's word to the daemon that the network has changed.
    network: UnixDatagram,
    daemon: JoinHandle<anyhow::Result<()>>,
    cancel: CancellationToken,
    _folder: TempDir,
}

impl Stage {
    /// A tunnel to `private` through a target that exists already, whose agent is like this.
    pub async fn with_agent(agent: AgentProfile, private: SocketAddr) -> anyhow::Result<Self> {
        let script = Script {
            agent,
            ..script(private)
        };
        Self::start(script, &format!("target = '{NODE}'")).await
    }

    /// A tunnel through what `via` says; `more` is the rest of the configuration.
    pub async fn start(script: Script, via: &str) -> anyhow::Result<Self> {
        let sim = sim::start(script).await?;
        let folder = tempfile::tempdir()?;
        let paths = paths_in(folder.path());
        let (ready, is_ready) = oneshot::channel();
        let (network, heard) = UnixDatagram::pair()?;
        heard.set_nonblocking(true)?;
        let setup = Setup {
            config: Config::parse(&configuration(&sim.endpoint(), via))?,
            sources: None,
            reload: Default::default(),
            paths: paths.clone(),
            log_path: None,
            source: Source::fixed("AKIABENCHBENCHBENCH0", "bench"),
            pace: 1.0,
            network: Some(heard),
            sockets: Default::default(),
            successor: None,
        };
        let cancel = CancellationToken::new();
        let announce = move |_: &str| {
            let _ = ready.send(());
            Ok(())
        };
        let daemon = tokio::spawn(daemon::run(setup, announce, cancel.clone()));
        is_ready.await.context("the daemon did not come up")?;
        let address = address(&paths).await?;
        Ok(Self {
            sim,
            address,
            paths,
            network,
            daemon,
            cancel,
            _folder: folder,
        })
    }

    /// The network changes, as far as the system's word goes.
    pub fn change_network(&self) -> anyhow::Result<()> {
        self.network.send(b"another route")?;
        Ok(())
    }

    /// Ends both.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.cancel.cancel();
        self.daemon.await??;
        self.sim.shutdown().await;
        Ok(())
    }
}

/// An account with a target, and `private` behind it.
pub fn script(private: SocketAddr) -> Script {
    Script {
        managed_nodes: vec![ManagedNode {
            id: NODE.to_owned(),
            connected: true,
            ..ManagedNode::default()
        }],
        destination: Destination::Everything(private),
        ..Script::fast()
    }
}

/// The configuration of one tunnel on any free port, through what `via` says.
pub fn configuration(endpoint: &str, via: &str) -> String {
    format!(
        "[aws]\nregion = 'ap-northeast-1'\nendpoint_url = '{endpoint}'\n\
         [[tunnel]]\nname = 'db'\nlisten = '127.0.0.1:0'\nhost = 'db.internal'\nport = 5432\n{via}\n"
    )
}

/// Where the daemon of these places listens.
pub async fn address(paths: &Paths) -> anyhow::Result<SocketAddr> {
    let status = Client::new(&paths.socket).status().await?;
    let listeners = status.tunnels.iter().flat_map(|tunnel| &tunnel.listeners);
    let first = listeners.map(|listener| &listener.address).next();
    Ok(first.context("nothing is listening")?.parse()?)
}

/// Places for all the files of one daemon.
pub fn paths_in(folder: &Path) -> Paths {
    Paths {
        config: folder.join("config.toml"),
        socket: folder.join("run/b.sock"),
        lock: folder.join("run/b.lock"),
        state: folder.join("state"),
        logs: folder.join("state/logs"),
    }
}

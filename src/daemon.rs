//! The daemon: builds everything, owns the task tree, says when it is ready, shuts down in order.
//!
//! ```text
//! daemon::run
//! ├── control::server          answers at the control socket
//! ├── leftovers                ends what an earlier run left behind
//! ├── state::Writer            keeps the state file
//! ├── bastion   × B            owns one ECS task
//! └── tunnel    × T            owns the listeners and the sessions behind them
//! ```
//!
//! Listeners are bound before anything is asked of AWS. Shutdown: stop accepting and end the
//! sessions, then let the bastions go, then write the state down, then remove the control socket.

mod leftovers;
mod overview;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::aws::{self, Aws, Source, Timeouts};
use crate::config::{Config, Via};
use crate::control::socket::Claim;
use crate::control::{self, Door};
use crate::net::Net;
use crate::paths::Paths;
use crate::state::{self, Contents, State, TaskRecord};
use crate::{bastion, tunnel};

use leftovers::Leftovers;
use overview::Overview;

/// What listeners are given to find out whether their ports are free.
const LISTEN_PATIENCE: Duration = Duration::from_secs(5);
/// What the disk is given to take the last state.
const FLUSH_PATIENCE: Duration = Duration::from_secs(2);

/// What a daemon is started with.
pub struct Setup {
    /// The checked configuration.
    pub config: Config,
    /// Its file, if it came from one.
    pub config_path: Option<PathBuf>,
    /// Where its files are.
    pub paths: Paths,
    /// Where the logs are, if they are written.
    pub log_path: Option<PathBuf>,
    /// Where credentials come from.
    pub source: Source,
    /// A factor on the waits while a bastion starts: 1 against AWS.
    pub pace: f64,
}

/// Run until `cancel` is cancelled or the control API asks for the end. `ready` is called once,
/// when every port was tried and the control socket answers, with a line that says where; an error
/// from it ends the daemon.
///
/// # Errors
/// When another daemon runs, or something cannot be prepared. Trouble with AWS is no error here:
/// it is shown in the status.
pub async fn run(
    setup: Setup,
    ready: impl FnOnce(&str) -> anyhow::Result<()>,
    cancel: CancellationToken,
) -> anyhow::Result<()> {
    let claim = Claim::take(&setup.paths)?;
    let net = Net::from_env().context("cannot prepare the network")?;
    let user = local_user();
    let aws = Aws::with(
        &setup.config.aws,
        &user,
        &net,
        setup.source.clone(),
        Timeouts::default(),
    );
    let aws = aws.await.map_err(explained)?;
    let loaded = state::load(&setup.paths.state);
    let (state, writer) = State::new(setup.paths.state.clone(), loaded.contents.clone());
    let written = CancellationToken::new();
    let writing = tokio::spawn(writer.run(written.clone()));

    let mut daemon = Daemon::start(&setup, &aws, net, state.clone(), user);
    daemon.listening().await;
    let overview = Overview::new(&setup, &daemon, &aws, state.clone(), loaded.warning);
    let line = overview.status().listening();
    let (commands, mut requests) = mpsc::channel(16);
    let door = Door::new(move || overview.status(), commands);
    let closing = CancellationToken::new();
    let server = tokio::spawn(control::server::serve(
        claim.listen()?,
        door,
        closing.clone(),
    ));
    let left = leftovers(&setup.config, loaded.contents);
    let cleaning = leftovers::spawn(aws, state.clone(), left, cancel.child_token());

    let announced = ready(&line);
    if announced.is_ok() {
        daemon.serve(&mut requests, &cancel).await;
    }
    cancel.cancel();
    daemon.shut_down().await;
    let _ = cleaning.await;
    if let Ok(Err(error)) = timeout(FLUSH_PATIENCE, state.flush()).await {
        tracing::warn!(%error, "the state file could not be written");
    }
    written.cancel();
    let _ = writing.await;
    closing.cancel();
    let _ = server.await;
    tracing::info!("stopped");
    announced
}

/// What no bastion adopts.
fn leftovers(config: &Config, earlier: Contents) -> Leftovers {
    let is_wanted = |task: &TaskRecord| {
        let mut bastions = config.bastions.values();
        bastions.any(|bastion| bastion::is_wanted(task, bastion))
    };
    let mut tasks = earlier.tasks;
    tasks.retain(|task| !is_wanted(task));
    Leftovers {
        sessions: earlier.sessions,
        tasks,
    }
}

fn explained(error: aws::Error) -> anyhow::Error {
    match error.hint() {
        Some(hint) => anyhow::anyhow!("{error}\nhint: {hint}"),
        None => error.into(),
    }
}

/// Everything that runs.
struct Daemon {
    tunnels: Vec<tunnel::Handle>,
    bastions: Vec<bastion::Handle>,
    tunnel_tasks: JoinSet<()>,
    bastion_tasks: JoinSet<()>,
    end_tunnels: CancellationToken,
    end_bastions: CancellationToken,
}

impl Daemon {
    fn start(setup: &Setup, aws: &Aws, net: Net, state: State, user: String) -> Self {
        let config = setup.config.clone();
        let mut daemon = Self {
            tunnels: Vec::new(),
            bastions: Vec::new(),
            tunnel_tasks: JoinSet::new(),
            bastion_tasks: JoinSet::new(),
            end_tunnels: CancellationToken::new(),
            end_bastions: CancellationToken::new(),
        };
        let shared = bastion::Shared {
            aws: aws.clone(),
            records: state.clone(),
            owner: user.clone(),
            pace: setup.pace,
        };
        let adopted = state.contents().tasks;
        let mut names = Vec::new();
        for bastion in config.bastions.into_values() {
            let mut fitting = adopted
                .iter()
                .filter(|task| bastion::is_wanted(task, &bastion));
            let adopt = fitting.next().map(|task| task.arn.clone());
            names.push(bastion.name.clone());
            let end = daemon.end_bastions.clone();
            let handle = bastion::spawn(
                &mut daemon.bastion_tasks,
                bastion,
                adopt,
                shared.clone(),
                end,
            );
            daemon.bastions.push(handle);
        }
        let shared = tunnel::Shared {
            aws: aws.clone(),
            net,
            state,
            user,
            drain: config.shutdown_timeout,
        };
        for tunnel in config.tunnels {
            let bastion = match &tunnel.via {
                Via::Bastion(name) => names.iter().position(|known| known == name),
                Via::Target(_) => None,
            };
            let bastion = bastion.map(|at| daemon.bastions[at].clone());
            let end = daemon.end_tunnels.clone();
            let handle = tunnel::spawn(
                &mut daemon.tunnel_tasks,
                tunnel,
                bastion,
                shared.clone(),
                end,
            );
            daemon.tunnels.push(handle);
        }
        daemon
    }

    /// Wait until every port was tried.
    async fn listening(&mut self) {
        let all = async {
            for tunnel in &mut self.tunnels {
                tunnel.listening().await;
            }
        };
        let _ = timeout(LISTEN_PATIENCE, all).await;
    }

    /// Obey requests until the end.
    async fn serve(
        &self,
        requests: &mut mpsc::Receiver<control::Command>,
        cancel: &CancellationToken,
    ) {
        loop {
            let request = tokio::select! {
                () = cancel.cancelled() => return,
                request = requests.recv() => request,
            };
            match request {
                None | Some(control::Command::Shutdown) => return,
                Some(control::Command::Up { tunnel, reply }) => {
                    self.pass_on(&tunnel, tunnel::Command::Up(reply)).await;
                }
                Some(control::Command::Down { tunnel, reply }) => {
                    self.pass_on(&tunnel, tunnel::Command::Down(reply)).await;
                }
            }
        }
    }

    async fn pass_on(&self, name: &str, command: tunnel::Command) {
        if let Some(tunnel) = self.tunnels.iter().find(|tunnel| tunnel.name() == name) {
            tunnel.command(command).await;
        }
    }

    /// Sessions first, for as long as they exist the task is in use.
    async fn shut_down(mut self) {
        tracing::info!("stopping");
        self.end_tunnels.cancel();
        while self.tunnel_tasks.join_next().await.is_some() {}
        self.end_bastions.cancel();
        while self.bastion_tasks.join_next().await.is_some() {}
    }
}

/// The name shown to AWS for an assumed role's session, and in session lists.
fn local_user() -> String {
    let name = ["USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok());
    name.filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("uid-{}", rustix::process::geteuid().as_raw()))
}

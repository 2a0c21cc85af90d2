//! The daemon: builds everything, owns the task tree, says when it is ready, shuts down in order.
//!
//! ```text
//! daemon::run
//! ├── control::server          answers at the control socket
//! ├── leftovers                ends what an earlier run left behind
//! ├── identity                 asks AWS who we are, for the status
//! ├── credentials              renews them ahead, and notices a sign-in
//! ├── doctor                   looks into starts that fail
//! ├── state::Writer            keeps the state file
//! ├── bastion   × B            owns one ECS task
//! ├── session::changes         notices a sleep, and another network
//! ├── hold      × H            keeps a bastion for a while for who asked
//! ├── observe   × B + T        tells of what changes
//! ├── hook                     runs `on_event` for what a person may want to know
//! └── tunnel    × T            owns the listeners and the sessions behind them
//! ```
//!
//! Listeners are bound before anything is asked of AWS. Shutdown: stop accepting and end the
//! sessions, then let the bastions go, then write the state down, then remove the control socket.

mod accounts;
mod beside;
mod credentials;
mod doctor;
mod handover;
mod hook;
mod identity;
mod idle;
mod in_force;
mod leftovers;
mod manager;
mod mfa;
mod observe;
mod orphans;
mod overview;
mod plan;
mod reload;
mod requests;
mod spawn;
mod watched;

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sd_notify::NotifyState;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::aws::Source;
use crate::config::Config;
use crate::control::socket::Claim;
use crate::control::{self, Door, Shown};
use crate::events::{Change, Events};
use crate::net::Net;
use crate::paths::Paths;
use crate::platform;
use crate::sockets::Sockets;
use crate::sources::Sources;
use crate::state::{self, State};
use crate::{bastion, tunnel};

use accounts::{Accounts, Way};
use beside::Beside;
use doctor::Findings;
pub use handover::Successor;
use hook::Hook;
use idle::Idle;
use leftovers::Leftovers;
use manager::Manager;
use overview::Overview;
use watched::Watched;

/// What listeners are given to find out whether their ports are free.
const LISTEN_PATIENCE: Duration = Duration::from_secs(5);
/// What another start is given to find that the place is taken.
const CLAIM_PATIENCE: Duration = Duration::from_secs(2);
/// What the disk is given to take the last state.
const FLUSH_PATIENCE: Duration = Duration::from_secs(2);
/// What programs of `on_event` are given to tell of the end.
const HOOK_PATIENCE: Duration = Duration::from_secs(5);

/// What a daemon is started with.
pub struct Setup {
    /// The checked configuration.
    pub config: Config,
    /// Where it comes from, if it can be read again.
    pub sources: Option<Sources>,
    /// Told when it is to be read again.
    pub reload: Arc<Notify>,
    /// Where its files are.
    pub paths: Paths,
    /// Where the logs are, if they are written.
    pub log_path: Option<PathBuf>,
    /// Where credentials come from.
    pub source: Source,
    /// A factor on the waits while a bastion starts: 1 against AWS.
    pub pace: f64,
    /// Becomes readable when the network changes ([`crate::platform::network::changes`]); without it only a sleep is
    /// noticed at once.
    pub network: Option<UnixDatagram>,
    /// Sockets that were open before. If they go on when this has ended ([`Sockets::goes_on`]), it is to be restarted.
    pub sockets: Sockets,
    /// What it becomes then; without it a restart is refused.
    pub successor: Option<Successor>,
}

/// Why a daemon that runs is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It is told to.
    Stop,
    /// Nobody needs it, and the service manager starts it again.
    Rest,
    /// A new program takes over.
    Restart,
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
    let claim = claim(&setup)?;
    let listener = claim.listen(&setup.sockets)?;
    let way = Way {
        source: setup.source.clone(),
        user: platform::local_user(),
        net: Net::from_env().context("cannot prepare the network")?,
    };
    let accounts = connect(&setup.config, &way).await?;
    let loaded = state::load(&setup.paths.state);
    let (state, writer) = State::new(setup.paths.state.clone(), loaded.contents.clone());
    let writer = Beside::spawn(|end| writer.run(end));

    let mut daemon = Daemon::start(&setup, &accounts, way, state.clone());
    daemon.listening().await;
    daemon.for_bastions.begin.cancel();
    let overview = Overview::new(&setup, &daemon, state.clone(), loaded.warning);
    let line = overview.status().listening();
    let (commands, mut requests) = mpsc::channel(16);
    let events = daemon.events.clone();
    let door = Door::new(daemon.shown(&setup, overview), commands);
    let server = Beside::spawn(|end| control::server::serve(listener, door, end));
    daemon.start_helpers();
    let hook = Hook::new(&events, daemon.on_event.subscribe());
    let hook = Beside::spawn(|end| hook.run(end));
    let left = Leftovers::of(&setup.config, loaded.contents, &daemon.for_bastions.who);
    let clear = |end| left.clear(accounts, state.clone(), end);
    let clearing = Beside::under(cancel.child_token(), clear);

    let announced = ready(&line);
    let (mut manager, mut end) = (Manager::new(), End::Stop);
    if announced.is_ok() {
        events.tell(Change::of_daemon("ready").because(&line));
        manager.tell(&[NotifyState::Ready, NotifyState::Status(&line)]);
        daemon.say_what_is_odd(&setup.sockets);
        end = daemon.serve(&mut requests, &mut manager, &cancel).await;
    }
    manager.tell(&[end.news()]);
    // Whoever still asks is told that the daemon stops.
    drop(requests);
    events.tell(Change::of_daemon("stopping"));
    let ending = daemon.wind_up(end, &setup.sockets, &cancel);
    manager.during(ending).await;
    clearing.end().await;
    hook.end_within(HOOK_PATIENCE).await;
    write_down(&state).await;
    writer.end_within(FLUSH_PATIENCE).await;
    claim.close();
    server.end().await;
    tracing::info!("stopped");
    announced
}

/// The claim to be the only daemon. A socket of the system's may have started us while another still ends.
fn claim(setup: &Setup) -> anyhow::Result<Claim> {
    let patience = match setup.sockets.has_unix(&setup.paths.socket) {
        true => CLAIM_PATIENCE,
        false => Duration::ZERO,
    };
    Ok(Claim::take_patiently(&setup.paths, patience)?)
}

/// The last state goes to the disk.
async fn write_down(state: &State) {
    if let Ok(Err(error)) = timeout(FLUSH_PATIENCE, state.flush()).await {
        tracing::warn!(%error, "the state file could not be written");
    }
}

async fn connect(config: &Config, way: &Way) -> anyhow::Result<Arc<Accounts>> {
    let accounts = Accounts::connect(config, way, None).await;
    let accounts = accounts.map_err(|error| match error.hint() {
        Some(hint) => anyhow::anyhow!("{error}\nhint: {hint}"),
        None => error.into(),
    })?;
    Ok(Arc::new(accounts))
}

/// Everything that runs.
struct Daemon {
    tunnels: Vec<tunnel::Handle>,
    bastions: BTreeMap<String, bastion::Handle>,
    tunnel_tasks: JoinSet<()>,
    bastion_tasks: JoinSet<()>,
    accounts: Arc<Accounts>,
    way: Way,
    config: Config,
    sources: Option<Sources>,
    reload: Arc<Notify>,
    in_force: in_force::Shown,
    on_event: watch::Sender<Vec<String>>,
    parts: overview::Shared,
    /// What each tunnel and bastion is started with, but for its account.
    for_tunnels: tunnel::Shared,
    for_bastions: bastion::Shared,
    /// Ends a bastion alone.
    ends: BTreeMap<String, CancellationToken>,
    /// What look after the accounts.
    helpers: JoinSet<()>,
    /// Parts of an earlier configuration that come to their end.
    retiring: JoinSet<()>,
    /// Bastions that are kept for a while for who asked, and searches for orphans.
    holds: JoinSet<()>,
    /// What the doctor has found behind failures.
    findings: Findings,
    paths: Paths,
    state: State,
    exit_when_idle: Option<Duration>,
    successor: Option<Successor>,
    /// Cancelled when a new program is to take over.
    restart: CancellationToken,
    end_tunnels: CancellationToken,
    end_bastions: CancellationToken,
    /// What changes, told by those who look at it.
    events: Events,
    observers: JoinSet<()>,
}

impl Daemon {
    /// What can be read of it at any time.
    fn shown(&self, setup: &Setup, overview: Overview) -> Shown {
        let roster = self.for_tunnels.roster.clone();
        let in_force = self.in_force.clone();
        if let Some(sources) = &setup.sources {
            in_force.set(sources);
        }
        Shown {
            status: Box::new(move || overview.status()),
            connections: Box::new(move || roster.list()),
            config: Box::new(move || in_force.get()),
            events: self.events.clone(),
            logs: setup.log_path.clone(),
        }
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
        &mut self,
        requests: &mut mpsc::Receiver<control::Command>,
        manager: &mut Manager,
        cancel: &CancellationToken,
    ) -> End {
        let (mut idle, restart) = (Idle::new(self.exit_when_idle), self.restart.clone());
        let reload = Arc::clone(&self.reload);
        let mut file = Watched::of(self);
        loop {
            let request = tokio::select! {
                () = cancel.cancelled() => return End::Stop,
                () = restart.cancelled() => return End::Restart,
                () = idle.due() => match idle.is_over(self) {
                    true => return End::Rest,
                    false => continue,
                },
                () = manager.beat() => continue,
                () = reload.notified() => {
                    let _ = self.reload().await;
                    file.follow(self);
                    continue;
                }
                () = file.changed() => {
                    let _ = self.reload().await;
                    file.follow(self);
                    continue;
                }
                Some(_) = self.holds.join_next() => continue,
                request = requests.recv() => request,
            };
            match request {
                None | Some(control::Command::Shutdown) => return End::Stop,
                Some(control::Command::Reload { reply }) => {
                    let _ = reply.send(self.reload().await);
                    file.follow(self);
                }
                Some(request) => self.obey(request).await,
            }
        }
    }

    /// Sessions first, for as long as they exist the task is in use.
    async fn shut_down(mut self) {
        tracing::info!("stopping");
        self.holds.shutdown().await;
        self.retiring.shutdown().await;
        self.end_tunnels.cancel();
        while self.tunnel_tasks.join_next().await.is_some() {}
        self.end_bastions.cancel();
        while self.bastion_tasks.join_next().await.is_some() {}
        while self.helpers.join_next().await.is_some() {}
        // Those who look at them have seen their end by now, or are about to.
        while self.observers.join_next().await.is_some() {}
    }
}

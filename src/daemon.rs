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
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use sd_notify::NotifyState;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::aws::Source;
use crate::config::Config;
use crate::control::socket::Claim;
use crate::control::{self, Door, Shown};
use crate::events::{Change, Events};
use crate::net::Net;
use crate::paths::Paths;
use crate::platform;
use crate::session::changes;
use crate::sockets::Sockets;
use crate::sources::Sources;
use crate::state::{self, Contents, State, TaskRecord};
use crate::{bastion, tunnel};

use accounts::{Accounts, Way};
use doctor::Findings;
pub use handover::Successor;
use idle::Idle;
use leftovers::Leftovers;
use manager::Manager;
use overview::{Overview, Parts};
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
    let net = Net::from_env().context("cannot prepare the network")?;
    let user = platform::local_user();
    let way = Way {
        source: setup.source.clone(),
        user: user.clone(),
        net,
    };
    let accounts = connect(&setup.config, &way).await?;
    let loaded = state::load(&setup.paths.state);
    let (state, writer) = State::new(setup.paths.state.clone(), loaded.contents.clone());
    let written = CancellationToken::new();
    let writing = AbortOnDropHandle::new(tokio::spawn(writer.run(written.clone())));

    let mut daemon = Daemon::start(&setup, &accounts, way, state.clone());
    daemon.listening().await;
    daemon.begin_bastions.cancel();
    let overview = Overview::new(&setup, &daemon, state.clone(), loaded.warning);
    let line = overview.status().listening();
    let (commands, mut requests) = mpsc::channel(16);
    let events = daemon.events.clone();
    let door = Door::new(daemon.shown(&setup, overview), commands);
    let closing = CancellationToken::new();
    let server = control::server::serve(listener, door, closing.clone());
    let server = AbortOnDropHandle::new(tokio::spawn(server));
    let ending = cancel.child_token();
    daemon.start_helpers();
    let hooked = CancellationToken::new();
    let command = daemon.on_event.subscribe();
    let hook = hook::spawn(&events, command, hooked.clone());
    let left = leftovers(&setup.config, loaded.contents, &daemon.who);
    let clearing = leftovers::spawn(accounts, state.clone(), left, ending.clone());

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
    manager
        .during(daemon.wind_up(end, &setup.sockets, &cancel))
        .await;
    ending.cancel();
    let _ = clearing.await;
    hooked.cancel();
    let _ = timeout(HOOK_PATIENCE, hook).await;
    write_down(&state, &written, writing).await;
    claim.close();
    closing.cancel();
    let _ = server.await;
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

/// The last state goes to the disk, and who writes it ends.
async fn write_down(state: &State, written: &CancellationToken, writing: AbortOnDropHandle<()>) {
    if let Ok(Err(error)) = timeout(FLUSH_PATIENCE, state.flush()).await {
        tracing::warn!(%error, "the state file could not be written");
    }
    written.cancel();
    let _ = timeout(FLUSH_PATIENCE, writing).await;
}

async fn connect(config: &Config, way: &Way) -> anyhow::Result<Arc<Accounts>> {
    let accounts = Accounts::connect(config, way, None).await;
    let accounts = accounts.map_err(|error| match error.hint() {
        Some(hint) => anyhow::anyhow!("{error}\nhint: {hint}"),
        None => error.into(),
    })?;
    Ok(Arc::new(accounts))
}

/// What no bastion adopts.
fn leftovers(config: &Config, earlier: Contents, who: &str) -> Leftovers {
    let is_wanted = |task: &TaskRecord| {
        let mut bastions = config.bastions.values();
        bastions.any(|bastion| bastion::is_wanted(task, bastion))
    };
    let mut tasks = earlier.tasks;
    tasks.retain(|task| !is_wanted(task));
    Leftovers {
        who: who.to_owned(),
        sessions: earlier.sessions,
        tasks,
    }
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
    /// Whose tasks are ours, and whose sessions.
    user: String,
    who: String,
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
    /// Bastions may make calls: every port was tried.
    begin_bastions: CancellationToken,
    end_tunnels: CancellationToken,
    end_bastions: CancellationToken,
    /// What changes, told by those who look at it.
    events: Events,
    observers: JoinSet<()>,
    roster: tunnel::Roster,
}

impl Daemon {
    fn start(setup: &Setup, accounts: &Arc<Accounts>, way: Way, state: State) -> Self {
        let (begin_bastions, end_tunnels) = (CancellationToken::new(), CancellationToken::new());
        let who = format!("{} on {}", way.user, platform::host_name());
        let mut tunnel_tasks = JoinSet::new();
        let network = setup.network.as_ref().and_then(|it| it.try_clone().ok());
        let changes = changes::spawn(&mut tunnel_tasks, network, end_tunnels.clone());
        let main = accounts.main();
        let for_bastions = bastion::Shared {
            aws: main.aws.clone(),
            records: state.clone(),
            owner: way.user.clone(),
            who: who.clone(),
            pace: setup.pace,
            begin: begin_bastions.clone(),
        };
        let roster = tunnel::Roster::default();
        let for_tunnels = tunnel::Shared {
            aws: main.aws.clone(),
            net: way.net.clone(),
            state: state.clone(),
            user: who.clone(),
            drain: setup.config.shutdown_timeout,
            containers: tunnel::Containers::default(),
            starting: main.starting.clone(),
            changes,
            roster: roster.clone(),
            sockets: setup.sockets.clone(),
            seats: Arc::new(Semaphore::new(platform::descriptors::for_connections())),
        };
        let parts = Parts {
            tunnels: Vec::new(),
            bastions: Vec::new(),
            accounts: Arc::clone(accounts),
            prices: setup.config.prices.clone(),
            refused: None,
        };
        let mut daemon = Self {
            tunnels: Vec::new(),
            bastions: BTreeMap::new(),
            tunnel_tasks,
            bastion_tasks: JoinSet::new(),
            accounts: Arc::clone(accounts),
            user: way.user.clone(),
            way,
            config: setup.config.clone(),
            sources: setup.sources.clone(),
            reload: Arc::clone(&setup.reload),
            in_force: in_force::Shown::default(),
            on_event: watch::Sender::new(setup.config.on_event.clone()),
            parts: Arc::new(Mutex::new(parts)),
            for_tunnels,
            for_bastions,
            ends: BTreeMap::new(),
            helpers: JoinSet::new(),
            retiring: JoinSet::new(),
            who,
            holds: JoinSet::new(),
            findings: Findings::default(),
            paths: setup.paths.clone(),
            state,
            exit_when_idle: setup.config.exit_when_idle,
            successor: setup.successor.clone(),
            restart: CancellationToken::new(),
            begin_bastions,
            end_tunnels,
            end_bastions: CancellationToken::new(),
            events: Events::default(),
            observers: JoinSet::new(),
            roster,
        };
        daemon.start_bastions(|_| true);
        daemon.start_tunnels(|_| true);
        daemon.show();
        daemon
    }

    /// What can be read of it at any time.
    fn shown(&self, setup: &Setup, overview: Overview) -> Shown {
        let roster = self.roster.clone();
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

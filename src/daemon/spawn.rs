//! Starts the bastions, the tunnels and what looks after them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::accounts::{Account, Accounts, Way};
use super::doctor::Findings;
use super::overview::Parts;
use super::{Daemon, Setup, credentials, identity, in_force, observe};
use crate::config::Via;
use crate::events::Events;
use crate::platform;
use crate::session::changes::{self, Changes};
use crate::state::State;
use crate::{bastion, tunnel};

impl Daemon {
    /// Start what the configuration says.
    pub(super) fn start(setup: &Setup, accounts: &Arc<Accounts>, way: Way, state: State) -> Self {
        let who = format!("{} on {}", way.user, platform::host_name());
        let (mut tunnel_tasks, end_tunnels) = (JoinSet::new(), CancellationToken::new());
        let network = setup.network.as_ref().and_then(|it| it.try_clone().ok());
        let changes = changes::spawn(&mut tunnel_tasks, network, end_tunnels.clone());
        let parts = Parts::new(Arc::clone(accounts), &setup.config);
        let main = accounts.main();
        let mut daemon = Self {
            tunnels: Vec::new(),
            bastions: BTreeMap::new(),
            tunnel_tasks,
            bastion_tasks: JoinSet::new(),
            accounts: Arc::clone(accounts),
            config: setup.config.clone(),
            sources: setup.sources.clone(),
            reload: Arc::clone(&setup.reload),
            in_force: in_force::Shown::default(),
            on_event: watch::Sender::new(setup.config.on_event.clone()),
            parts: Arc::new(Mutex::new(parts)),
            for_tunnels: for_tunnels(setup, &way, who.clone(), main, &state, changes),
            for_bastions: for_bastions(setup, &way, who, main, &state),
            way,
            ends: BTreeMap::new(),
            helpers: JoinSet::new(),
            retiring: JoinSet::new(),
            holds: JoinSet::new(),
            findings: Findings::default(),
            paths: setup.paths.clone(),
            state,
            exit_when_idle: setup.config.exit_when_idle,
            successor: setup.successor.clone(),
            restart: CancellationToken::new(),
            end_tunnels,
            end_bastions: CancellationToken::new(),
            events: Events::default(),
            observers: JoinSet::new(),
        };
        daemon.start_bastions(|_| true);
        daemon.start_tunnels(|_| true);
        daemon.show();
        daemon
    }

    /// Start the bastions of the configuration that are `wanted`.
    pub(super) fn start_bastions(&mut self, wanted: impl Fn(&str) -> bool) {
        let recorded = self.state.contents().tasks;
        let bastions = self.config.bastions.values();
        for bastion in bastions.filter(|bastion| wanted(&bastion.name)) {
            let mut fitting = recorded
                .iter()
                .filter(|task| bastion::is_wanted(task, bastion));
            let adopt = fitting.next().map(|task| task.arn.clone());
            let (tasks, end) = (&mut self.bastion_tasks, self.end_bastions.child_token());
            let shared = bastion::Shared {
                aws: self.accounts.of_bastion(&bastion.name).aws.clone(),
                ..self.for_bastions.clone()
            };
            let handle = bastion::spawn(tasks, bastion.clone(), adopt, shared, end.clone());
            let observer = observe::bastion(handle.clone(), self.events.clone());
            self.observers.spawn(observer);
            handle.keep(self.state.kept(&bastion.name));
            self.ends.insert(bastion.name.clone(), end);
            self.bastions.insert(bastion.name.clone(), handle);
        }
    }

    /// Start the tunnels of the configuration that are `wanted`, and put all in its order.
    pub(super) fn start_tunnels(&mut self, wanted: impl Fn(&str) -> bool) {
        let tunnels = self.config.tunnels.iter();
        for tunnel in tunnels.filter(|tunnel| wanted(&tunnel.name)) {
            let bastion = match &tunnel.via {
                Via::Bastion(name) => self.bastions.get(name).cloned(),
                Via::Target(_) => None,
            };
            let (tasks, end) = (&mut self.tunnel_tasks, self.end_tunnels.clone());
            let Account { aws, starting } = self.accounts.of_tunnel(&tunnel.name).clone();
            let shared = tunnel::Shared {
                aws,
                starting,
                ..self.for_tunnels.clone()
            };
            let handle = tunnel::spawn(tasks, tunnel.clone(), bastion, shared, end);
            let observer = observe::tunnel(handle.clone(), self.events.clone());
            self.observers.spawn(observer);
            self.tunnels.push(handle);
        }
        let names = self
            .config
            .tunnels
            .iter()
            .map(|tunnel| tunnel.name.as_str());
        let names: Vec<&str> = names.collect();
        let place = |handle: &tunnel::Handle| names.iter().position(|name| *name == handle.name());
        self.tunnels.sort_by_key(place);
    }

    /// What looks after each account.
    pub(super) fn start_helpers(&mut self) {
        self.start_doctors();
        for account in self.accounts.all() {
            let Account { aws, starting } = account;
            let is_of_it = |tunnel: &&tunnel::Handle| {
                Arc::ptr_eq(&self.accounts.of_tunnel(tunnel.name()).starting, starting)
            };
            let tunnels = self.tunnels.iter().filter(is_of_it).cloned().collect();
            let end = self.end_tunnels.child_token();
            let asking = identity::spawn(aws.clone(), starting.clone(), end.clone());
            let renewing = credentials::spawn(aws.clone(), tunnels, end.clone());
            let (owner, events) = (self.accounts.owner(account), self.events.clone());
            let telling = observe::credentials(aws.clone(), owner, events, end);
            self.helpers.spawn(async move {
                let _ = tokio::join!(asking, renewing, telling);
            });
        }
    }
}

/// What each bastion is started with, but for its account.
fn for_bastions(
    setup: &Setup,
    way: &Way,
    who: String,
    account: &Account,
    state: &State,
) -> bastion::Shared {
    bastion::Shared {
        aws: account.aws.clone(),
        records: state.clone(),
        owner: way.user.clone(),
        who,
        pace: setup.pace,
        begin: CancellationToken::new(),
    }
}

/// What each tunnel is started with, but for its account.
fn for_tunnels(
    setup: &Setup,
    way: &Way,
    who: String,
    account: &Account,
    state: &State,
    changes: Changes,
) -> tunnel::Shared {
    tunnel::Shared {
        aws: account.aws.clone(),
        net: way.net.clone(),
        state: state.clone(),
        user: who,
        drain: setup.config.shutdown_timeout,
        containers: tunnel::Containers::default(),
        starting: account.starting.clone(),
        changes,
        roster: tunnel::Roster::default(),
        sockets: setup.sockets.clone(),
        seats: Arc::new(Semaphore::new(platform::descriptors::for_connections())),
    }
}

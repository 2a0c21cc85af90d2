//! The simulated account's state and what tests see of it.
//!
//! One mutex, held for the length of a closure and never across an await. What changes by time alone (a task's
//! status) is not stored but computed; everything else ends in [`Core::change`], which wakes [`World::until`].

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use serde_json::Value;
use tokio::{sync::watch, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::proto::AgentProfile;

use super::{
    faults::{ApiFault, Faults},
    instances,
    kms::DataKey,
    network::Network,
    nodes::Node,
    script::{DbCluster, Plan, Script},
    services,
    session::{Entry, Link, Session},
    task::{ClientToken, Task},
};

/// How often [`World::until`] looks again at what changes without an event.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A handle on the simulated account: look into it, and make trouble. Cheap to clone.
#[derive(Clone)]
pub struct World {
    pub(super) core: Arc<Core>,
}

/// What the handle shares with the simulator's own tasks.
pub(super) struct Core {
    pub script: Script,
    /// Where the WebSocket server listens.
    pub gateway: SocketAddr,
    origin: Instant,
    origin_wall: SystemTime,
    state: Mutex<State>,
    changed: watch::Sender<()>,
    pub tracker: TaskTracker,
    pub cancel: CancellationToken,
}

/// Everything that is remembered.
pub(super) struct State {
    pub tasks: Vec<Task>,
    pub client_tokens: Vec<ClientToken>,
    pub plans: VecDeque<Plan>,
    pub sessions: Vec<Entry>,
    pub calls: Vec<Call>,
    pub api_faults: HashMap<String, ApiFaults>,
    pub links: Vec<Link>,
    pub agent: AgentProfile,
    pub faults: Faults,
    pub refuse_upgrades: VecDeque<u16>,
    pub nodes: Vec<Node>,
    pub instances: Vec<instances::Entry>,
    pub services: Vec<services::Entry>,
    pub db_clusters: Vec<DbCluster>,
    pub network: Network,
    pub expired_keys: Vec<String>,
    pub used_mfa_codes: Vec<String>,
    pub data_keys: Vec<DataKey>,
}

/// What the next calls of one operation meet.
#[derive(Default)]
pub(super) struct ApiFaults {
    pub next: VecDeque<ApiFault>,
    pub standing: Option<ApiFault>,
}

/// One AWS API call, as it came in.
#[derive(Clone, Debug)]
pub struct Call {
    /// `RunTask`, `StartSession`, `GetCallerIdentity`, …
    pub operation: String,
    /// When.
    pub at: Instant,
    /// The parameters; the form fields of a query call.
    pub body: Value,
    /// The service named by the signature, if there is one.
    pub signed_for: Option<String>,
    /// The answer's status once given; `None` while pending, or when the connection was cut instead.
    pub status: Option<u16>,
}

impl World {
    pub(super) fn new(script: Script, gateway: SocketAddr) -> Self {
        let (agent, faults) = (script.agent.clone(), script.faults.clone());
        let now = SystemTime::now();
        let nodes = script.managed_nodes.iter();
        let instances = script.instances.iter().map(instances::Entry::new);
        let state = State {
            tasks: Vec::new(),
            client_tokens: Vec::new(),
            plans: VecDeque::new(),
            sessions: Vec::new(),
            calls: Vec::new(),
            api_faults: HashMap::new(),
            links: Vec::new(),
            agent,
            faults,
            refuse_upgrades: VecDeque::new(),
            nodes: nodes.map(|node| Node::of_script(node, now)).collect(),
            instances: instances.collect(),
            services: script.services.iter().map(services::Entry::new).collect(),
            db_clusters: script.db_clusters.clone(),
            network: script.network.clone(),
            expired_keys: Vec::new(),
            used_mfa_codes: Vec::new(),
            data_keys: Vec::new(),
        };
        Self {
            core: Arc::new(Core {
                script,
                gateway,
                origin: Instant::now(),
                origin_wall: now,
                state: Mutex::new(state),
                changed: watch::Sender::new(()),
                tracker: TaskTracker::new(),
                cancel: CancellationToken::new(),
            }),
        }
    }

    /// The script it was started with.
    #[must_use]
    pub fn script(&self) -> &Script {
        &self.core.script
    }

    /// The calls of one operation so far, oldest first.
    #[must_use]
    pub fn calls(&self, operation: &str) -> Vec<Call> {
        let state = self.core.state();
        let calls = state
            .calls
            .iter()
            .filter(|call| call.operation == operation);
        calls.cloned().collect()
    }

    /// How many calls of one operation there were.
    #[must_use]
    pub fn count(&self, operation: &str) -> usize {
        let state = self.core.state();
        let calls = state
            .calls
            .iter()
            .filter(|call| call.operation == operation);
        calls.count()
    }

    /// Every call so far, oldest first.
    #[must_use]
    pub fn all_calls(&self) -> Vec<Call> {
        self.core.state().calls.clone()
    }

    /// Every task ever run, oldest first.
    #[must_use]
    pub fn tasks(&self) -> Vec<Task> {
        self.core.state().tasks.clone()
    }

    /// `lastStatus` of every task, oldest first.
    #[must_use]
    pub fn task_statuses(&self) -> Vec<&'static str> {
        let now = Instant::now();
        let state = self.core.state();
        let tasks = state.tasks.iter();
        tasks.map(|task| task.course.at(now).last_status).collect()
    }

    /// Every session ever started, oldest first.
    #[must_use]
    pub fn sessions(&self) -> Vec<Session> {
        let state = self.core.state();
        state
            .sessions
            .iter()
            .map(|entry| entry.public.clone())
            .collect()
    }

    /// The sessions that have not ended, oldest first.
    #[must_use]
    pub fn active_sessions(&self) -> Vec<Session> {
        let mut sessions = self.sessions();
        sessions.retain(Session::is_active);
        sessions
    }

    /// Every WebSocket request that reached the gateway, oldest first.
    #[must_use]
    pub fn links(&self) -> Vec<Link> {
        self.core.state().links.clone()
    }

    /// Waits until `holds` says so, looking at every change. Wrap it in a timeout to bound it.
    pub async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let mut changed = self.core.changed.subscribe();
        while !holds(self) {
            let _ = tokio::time::timeout(LOOK_AGAIN, changed.changed()).await;
        }
    }
}

impl Core {
    /// The state, for reading. Not to be kept across an await.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Alters the state and wakes whoever waits for a change.
    pub fn change<T>(&self, alter: impl FnOnce(&mut State) -> T) -> T {
        let result = alter(&mut self.state());
        self.changed.send_replace(());
        result
    }

    /// Runs a task that ends with the simulator.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let cancel = self.cancel.clone();
        self.tracker.spawn(async move {
            cancel.run_until_cancelled(task).await;
        });
    }

    /// Wall-clock time of a moment; it follows a paused clock.
    pub fn wall(&self, at: Instant) -> SystemTime {
        self.origin_wall + at.saturating_duration_since(self.origin)
    }

    /// A moment as AWS's JSON has it: seconds since the epoch, to the millisecond.
    pub fn epoch(&self, at: Instant) -> f64 {
        let since = self.wall(at).duration_since(SystemTime::UNIX_EPOCH);
        let millis = since.map_or(0, |since| since.as_millis());
        millis as f64 / 1000.0
    }

    /// An ARN of this account.
    pub fn arn(&self, service: &str, rest: &str) -> String {
        let Script {
            region, account, ..
        } = &self.script;
        format!("arn:aws:{service}:{region}:{account}:{rest}")
    }

    /// The caller, as GetCallerIdentity and AccessDenied name it.
    pub fn caller_arn(&self) -> String {
        let Script {
            account, caller, ..
        } = &self.script;
        format!("arn:aws:sts::{account}:assumed-role/Developer/{caller}")
    }
}

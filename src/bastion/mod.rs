//! A bastion: one ECS task, or a machine in its place, shared by the tunnels that hold a lease on it.
//!
//! One task with one loop and one call in flight. [`lifecycle`] decides, `calls` asks AWS, and `run`
//! passes news on. A [`Lease`] is a claim that the task be running: while one is held the task
//! is kept, and when the last is dropped it rests and is stopped.

mod calls;
mod carrier;
mod choose;
pub mod hybrid;
pub mod instance;
mod keeper;
mod launch;
mod lease;
pub mod lifecycle;
pub(crate) mod node;
mod own;
mod phases;
mod run;
pub mod service;
mod shown;
mod warm;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::aws::{Aws, Network, Task};
use crate::config;
use crate::state::{State as Records, TaskRecord};
use crate::status::{self, Chosen, Reason};

pub use lease::{Going, Lease};
pub use own::Own;

use calls::Seen;
use carrier::Carrier;
use keeper::{Keeper, Until};
use lifecycle::{Kind, Lifecycle, Settings};
use phases::Phases;
use run::Bastion;

/// A running bastion, as tunnels and the status see it.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    view: watch::Receiver<View>,
    records: Records,
    /// Until when somebody wants it kept, and until when it is kept.
    asked: Arc<watch::Sender<Option<Until>>>,
    kept: watch::Receiver<Option<Instant>>,
    max_sessions: usize,
}

#[derive(Debug)]
enum Command {
    Lease(oneshot::Sender<Result<Lease, Reason>>),
    Doubt,
    Unreachable,
    Dismiss,
    Reset,
    /// Leave the task at the end, whatever its rule says.
    Leave(oneshot::Sender<()>),
}

/// What a bastion shows of itself.
#[derive(Debug, Clone)]
struct View {
    name: String,
    kind: Kind,
    state: lifecycle::State,
    since: Instant,
    task: Option<Seen>,
    network: Vec<Chosen>,
    service: Option<status::Service>,
    last_error: Option<(Reason, Instant)>,
    leases: usize,
    phases: Phases,
}

impl View {
    /// Before anything has happened.
    fn first(config: &config::Bastion, lifecycle: &Lifecycle) -> Self {
        let (state, since) = lifecycle.state();
        Self {
            name: config.name.clone(),
            kind: carrier::kind(config),
            state: state.clone(),
            since: since.into(),
            task: None,
            network: Vec::new(),
            service: None,
            last_error: None,
            leases: 0,
            phases: Phases::default(),
        }
    }
}

impl Handle {
    /// Wait for the task to be usable. Dropping the future withdraws the request.
    pub async fn lease(&self) -> Result<Lease, Reason> {
        let (reply, answer) = oneshot::channel();
        let _ = self.commands.send(Command::Lease(reply)).await;
        let gone = || Reason::new("shutting_down", "the daemon is shutting down");
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// A session could not be opened, or has fallen silent: have a look at the task.
    pub fn doubt(&self) {
        // With a full queue it is busy being asked already.
        let _ = self.commands.try_send(Command::Doubt);
    }

    /// StartSession says, time and again, that the agent of the leased task is not connected.
    pub fn unreachable(&self) {
        let _ = self.commands.try_send(Command::Unreachable);
    }

    /// A person wants no more of it: once nobody has a lease it is not kept for whoever may come next.
    pub fn dismiss(&self) {
        let _ = self.commands.try_send(Command::Dismiss);
    }

    /// So many sessions of ours each of its containers is given.
    pub fn max_sessions(&self) -> usize {
        self.max_sessions
    }

    /// Forget earlier failures.
    pub fn reset(&self) {
        let _ = self.commands.try_send(Command::Reset);
    }

    /// Its name in the configuration.
    pub fn name(&self) -> String {
        self.view.borrow().name.clone()
    }

    /// At the end, leave the task to the daemon that comes after.
    pub async fn leave(&self) {
        let (reply, heard) = oneshot::channel();
        let _ = self.commands.send(Command::Leave(reply)).await;
        let _ = heard.await;
    }

    /// No task is at hand or on its way, and nobody wants one.
    pub fn is_at_rest(&self) -> bool {
        let view = self.view.borrow();
        let is_wanted = view.leases > 0 || self.kept.borrow().is_some();
        !is_wanted
            && matches!(
                view.state,
                lifecycle::State::Stopped | lifecycle::State::Cooling(..)
            )
    }

    /// Keep it for so long, though nobody may be connected; `None` takes that back.
    pub fn keep(&self, time: Option<Duration>) {
        self.asked.send_replace(time.map(Until::after));
    }

    /// What a start is waiting for, in words, and for how long.
    pub fn phase(&self) -> String {
        let view = self.view.borrow();
        let phase = shown::phase(&view.state, view.kind);
        match view.phases.current(now()) {
            Some(lasted) => format!("{phase} {}s", lasted.as_secs()),
            None => phase,
        }
    }

    /// Wait until the status may be another. `false` when the bastion has ended.
    pub async fn changed(&mut self) -> bool {
        self.view.changed().await.is_ok()
    }

    /// What it is doing. Reads what was published; wakes nobody.
    pub fn status(&self, now: Instant) -> status::Bastion {
        let view = self.view.borrow().clone();
        let left = |until: Instant| until.saturating_duration_since(now).as_secs();
        status::Bastion {
            usual_start: self.records.usual_start(&view.name),
            kept_seconds: self.kept.borrow().map(left),
            ..shown::status(&view, now)
        }
    }
}

/// What all bastions share.
#[derive(Clone)]
pub struct Shared {
    /// The calls.
    pub aws: Aws,
    /// Where tasks are remembered for the next start.
    pub records: Records,
    /// Whose bastion it is, in user mode.
    pub owner: String,
    /// Who acts: the user, and on which machine.
    pub who: String,
    /// See [`Settings::pace`].
    pub pace: f64,
    /// Cancelled when calls may be made.
    pub begin: CancellationToken,
}

/// Whether a task of an earlier run is the one that `config` wants: with other parameters it would
/// be of no use.
pub fn is_wanted(task: &TaskRecord, config: &config::Bastion) -> bool {
    task.bastion == config.name
        && task.cluster == config.cluster
        && task.params == carrier::params(config)
}

/// Those of `tasks` that were run for `config`, whether they are of use or not, in the order in which they would be used.
pub fn of_bastion(
    tasks: Vec<Task>,
    config: &config::Bastion,
    network: &Network,
    owner: &str,
) -> Vec<Task> {
    choose::in_order(tasks, &launch::wanted(config, network, owner))
}

/// Start a bastion on `tasks`. `adopt` is a task of an earlier run. It ends, by its rule for the
/// task, when `cancel` is cancelled.
pub fn spawn(
    tasks: &mut JoinSet<()>,
    config: config::Bastion,
    adopt: Option<String>,
    shared: Shared,
    cancel: CancellationToken,
) -> Handle {
    let lifecycle = Lifecycle::new(settings(&config, shared.pace), adopt.clone(), now());
    let (commands, receiver) = mpsc::channel(64);
    let (view, view_receiver) = watch::channel(View::first(&config, &lifecycle));
    let (asked, requests) = watch::channel(None);
    let (shown, kept) = watch::channel(None);
    let handle = Handle {
        commands,
        view: view_receiver,
        records: shared.records.clone(),
        asked: Arc::new(asked),
        kept,
        max_sessions: config.max_sessions_per_container,
    };
    let keeper = Keeper {
        name: config.name.clone(),
        warm: config.warm.clone(),
        records: shared.records.clone(),
        handle: handle.clone(),
        asked: requests,
        shown,
    };
    let span = tracing::info_span!("bastion", name = config.name);
    let carrier = Carrier::new(config, &shared, adopt.as_deref());
    let bastion = Bastion::new(lifecycle, carrier, &shared, receiver, view, cancel.clone());
    tasks.spawn(bastion.run().instrument(span));
    tasks.spawn(keeper.run(shared.begin, cancel));
    handle
}

/// What the lifecycle goes by.
fn settings(config: &config::Bastion, pace: f64) -> Settings {
    Settings {
        kind: carrier::kind(config),
        idle_stop: config.idle_stop,
        shared: config.mode == config::Mode::Shared,
        stop_on_shutdown: config.on_shutdown == config::OnShutdown::Stop,
        max_age: launch::max_age(config),
        pace,
        seed: fastrand::u64(..),
    }
}

/// The clock that the timers go by.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}

//! A bastion: one ECS task, or a machine in its place, shared by the tunnels that hold a lease on it.
//!
//! One task with one loop and one call in flight. [`lifecycle`] decides, `calls` asks AWS, and
//! this passes news on. A [`Lease`] is a claim that the task be running: while one is held the task
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
mod shown;
mod warm;

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::aws::{Aws, Network, Task};
use crate::config;
use crate::cost::{Meter, Usage};
use crate::state::{StartRecord, State as Records, TaskRecord};
use crate::status::{self, Chosen, Reason};

pub use lease::{Going, Lease};
pub use own::Own;

use calls::{Answer, Seen};
use carrier::Carrier;
use keeper::{Keeper, Until};
use lifecycle::{Event, Kind, Lifecycle, Settings};
use phases::Phases;

/// What stopping the task may take at shutdown.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(10);
/// How often a launch that takes longer is looked at.
const MOMENT: Duration = Duration::from_millis(500);

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
    last_error: Option<(Reason, Instant)>,
    leases: usize,
    phases: Phases,
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
    let settings = Settings {
        kind: carrier::kind(&config),
        idle_stop: config.idle_stop,
        shared: config.mode == config::Mode::Shared,
        stop_on_shutdown: config.on_shutdown == config::OnShutdown::Stop,
        max_age: launch::max_age(&config),
        pace: shared.pace,
        seed: fastrand::u64(..),
    };
    let lifecycle = Lifecycle::new(settings, adopt.clone(), now());
    let (state, since) = lifecycle.state();
    let (commands, receiver) = mpsc::channel(64);
    let (view, view_receiver) = watch::channel(View {
        name: config.name.clone(),
        kind: carrier::kind(&config),
        state: state.clone(),
        since: since.into(),
        task: None,
        network: Vec::new(),
        last_error: None,
        leases: 0,
        phases: Phases::default(),
    });
    let (name, warm) = (config.name.clone(), config.warm.clone());
    let max_sessions = config.max_sessions_per_container;
    let (begin, end) = (shared.begin.clone(), cancel.clone());
    let span = tracing::info_span!("bastion", name = config.name);
    let renewed = shared.aws.renewed();
    let earlier = shared.records.contents().tasks;
    let earlier = earlier
        .iter()
        .find(|task| Some(&task.arn) == adopt.as_ref());
    let calls = Arc::new(Carrier::new(
        config,
        shared.aws,
        shared.owner,
        shared.who,
        earlier,
    ));
    let records = shared.records.clone();
    let bastion = Bastion {
        lifecycle,
        calls,
        records: shared.records,
        commands: receiver,
        view,
        begin: shared.begin,
        cancel,
        renewed,
        call: None,
        seen: None,
        meter: Meter::new(SystemTime::now()),
        requests: Vec::new(),
        leases: None,
        departing: Vec::new(),
    };
    tasks.spawn(bastion.run().instrument(span));
    let (asked, requests) = watch::channel(None);
    let (shown, kept) = watch::channel(None);
    let handle = Handle {
        commands,
        view: view_receiver,
        records: records.clone(),
        asked: Arc::new(asked),
        kept,
        max_sessions,
    };
    let keeper = Keeper {
        name,
        warm,
        records,
        handle: handle.clone(),
        asked: requests,
        shown,
    };
    tasks.spawn(keeper.run(begin, end));
    handle
}

struct Bastion {
    lifecycle: Lifecycle,
    calls: Arc<Carrier>,
    records: Records,
    commands: mpsc::Receiver<Command>,
    view: watch::Sender<View>,
    begin: CancellationToken,
    cancel: CancellationToken,
    /// Changes when somebody has signed in.
    renewed: watch::Receiver<u64>,
    /// The one call in flight.
    call: Option<Pin<Box<dyn Future<Output = Answer> + Send>>>,
    /// The task as last seen.
    seen: Option<Seen>,
    /// Counts what it costs.
    meter: Meter,
    requests: Vec<oneshot::Sender<Result<Lease, Reason>>>,
    /// The leases on the present task; closed when the last is dropped.
    leases: Option<watch::Sender<Option<Going>>>,
    /// The leases on tasks that are going away, by ARN.
    departing: Vec<(String, watch::Sender<Option<Going>>)>,
}

impl Bastion {
    async fn run(mut self) {
        let cancel = self.cancel.clone();
        tokio::select! {
            () = self.begin.cancelled() => {}
            () = cancel.cancelled() => {}
        }
        while !cancel.is_cancelled() {
            self.turn(cancel.cancelled()).await;
        }
        self.lifecycle.handle_shutdown(now());
        let deadline = Instant::now() + SHUTDOWN_LIMIT;
        while !self.lifecycle.is_finished() {
            // A task that is being run is waited for: otherwise nobody would know of it.
            if Instant::now() >= deadline && !self.lifecycle.is_launching() {
                tracing::warn!(
                    "the task could not be stopped in time; the next start looks after it"
                );
                return;
            }
            self.turn(sleep_until(deadline.max(Instant::now() + MOMENT)))
                .await;
        }
        // The last outcome has news too: that the task need not be remembered.
        self.follow_events();
        self.publish();
    }

    /// Do what is to be done, then wait for one thing to happen.
    async fn turn(&mut self, interrupted: impl Future<Output = ()>) {
        self.follow_events();
        if self.call.is_none()
            && let Some(action) = self.lifecycle.poll_action()
        {
            let calls = Arc::clone(&self.calls);
            self.call = Some(Box::pin(async move { calls.perform(action).await }));
        }
        self.publish();
        let timeout = self.lifecycle.poll_timeout();
        let call = async {
            match &mut self.call {
                Some(call) => call.await,
                None => pending().await,
            }
        };
        let unleased = async {
            match &self.leases {
                Some(leases) => leases.closed().await,
                None => pending().await,
            }
        };
        let timer = async {
            match timeout {
                Some(at) => sleep_until(at.into()).await,
                None => pending().await,
            }
        };
        tokio::select! {
            answer = call => {
                self.call = None;
                self.seen = answer.seen.or(self.seen.take());
                self.note_node();
                self.lifecycle.handle_outcome(answer.outcome, now());
                self.count();
            }
            Some(command) = self.commands.recv() => self.obey(command),
            Ok(()) = self.renewed.changed() => self.signed_in(),
            () = unleased => {
                self.leases = None;
                self.lifecycle.handle_unleased(now());
            }
            () = timer => self.lifecycle.handle_timeout(now()),
            () = interrupted => {}
        }
    }

    /// After a crash nobody else would know what it has left behind.
    fn note_node(&self) {
        if let Some(Seen {
            arn,
            node: Some(node),
            ..
        }) = &self.seen
        {
            self.records.record_node(arn, node);
        }
    }

    /// The task at hand was just looked at.
    fn count(&mut self) {
        let Some(seen) = self.seen.as_ref().filter(|_| self.lifecycle.has_task()) else {
            return;
        };
        let counted = self.records.counted(&seen.arn);
        let piece = self.meter.seen(&seen.metered, counted, SystemTime::now());
        self.put_down(piece);
    }

    fn put_down(&self, piece: Option<Usage>) {
        if let Some(piece) = piece {
            self.records.record_usage(self.calls.name(), &piece);
        }
    }

    fn obey(&mut self, command: Command) {
        let now = now();
        match command {
            Command::Lease(reply) => {
                self.requests.push(reply);
                self.lifecycle.handle_request(now);
            }
            Command::Doubt => self.lifecycle.handle_doubt(now),
            Command::Unreachable => self.lifecycle.handle_unreachable(now),
            Command::Dismiss => self.lifecycle.handle_dismissal(now),
            Command::Reset => self.lifecycle.handle_reset(now),
            Command::Leave(reply) => {
                self.lifecycle.leave_at_shutdown();
                let _ = reply.send(());
            }
        }
    }

    fn signed_in(&mut self) {
        self.lifecycle.handle_nudge(now());
        self.view.send_if_modified(|view| {
            let mended = view.last_error.take_if(|(reason, _)| reason.is_login());
            mended.is_some()
        });
    }

    fn follow_events(&mut self) {
        while let Some(event) = self.lifecycle.poll_event() {
            match event {
                Event::Ready { targets } => self.grant(&targets),
                Event::Failed(reason) => self.refuse(reason),
                Event::Going {
                    arn,
                    reason,
                    stopped,
                } => self.announce(arn, Going { reason, stopped }),
                Event::Gone { arn, reason } => self.announce_end(&arn, reason),
                Event::Holding(arn) => {
                    tracing::info!(task = %arn, "using it");
                    self.records.record_task(self.calls.record(arn));
                }
                Event::LetGo(arn) => {
                    tracing::info!(task = %arn, "done with it");
                    self.records.forget_task(&arn);
                    let rest = self.meter.ended(&arn, SystemTime::now());
                    self.put_down(rest);
                }
            }
        }
    }

    fn grant(&mut self, targets: &[String]) {
        self.view.send_modify(|view| view.last_error = None);
        let leases = self.leases.get_or_insert_with(|| watch::Sender::new(None));
        for request in self.requests.drain(..) {
            let lease = Lease::watched(targets, leases.subscribe());
            let _ = request.send(Ok(lease));
        }
    }

    fn refuse(&mut self, reason: Reason) {
        self.view
            .send_modify(|view| view.last_error = Some((reason.clone(), Instant::now())));
        for request in self.requests.drain(..) {
            let _ = request.send(Err(reason.clone()));
        }
    }

    fn announce(&mut self, arn: String, going: Going) {
        tracing::warn!(reason = %going.reason.message, stopped = going.stopped, "the task is going away");
        self.departing.retain(|(_, leases)| !leases.is_closed());
        let Some(leases) = self.leases.take() else {
            return;
        };
        let stopped = going.stopped;
        leases.send_replace(Some(going));
        if !stopped {
            self.departing.push((arn, leases));
        }
    }

    fn announce_end(&mut self, arn: &str, reason: Reason) {
        let is_it = |(departing, _): &mut (String, _)| departing == arn;
        for (_, leases) in self.departing.extract_if(.., is_it) {
            tracing::info!(task = %arn, reason = %reason.message, "the task has gone");
            leases.send_replace(Some(Going {
                reason: reason.clone(),
                stopped: true,
            }));
        }
    }

    fn publish(&mut self) {
        let (state, since) = self.lifecycle.state();
        let task = self.seen.clone();
        let network = self.calls.chosen();
        let leases = self
            .leases
            .as_ref()
            .map_or(0, watch::Sender::receiver_count);
        self.view.send_modify(|view| {
            if view.state != *state {
                tracing::debug!(state = %shown::phase(state, view.kind), "bastion");
            }
            view.state = state.clone();
            view.since = since.into();
            view.task = task;
            view.network = network;
            view.leases = leases;
            let started = view.phases.note(state, view.kind, &view.name, now());
            if let Some(start) = started {
                tracing::info!(phases = %told(&start), "started");
                self.records.record_start(start);
            }
        });
    }
}

/// The phases of a start in a line.
fn told(start: &StartRecord) -> String {
    let phases = start.phases.iter();
    let phases = phases.map(|phase| format!("{} {} ms", phase.name, phase.ms));
    phases.collect::<Vec<_>>().join(", ")
}

/// The clock that the timers go by.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}

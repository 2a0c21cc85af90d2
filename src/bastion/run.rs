//! The task of one bastion: does what the lifecycle says, one call at a time, and passes news on.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::calls::{Answer, Seen};
use super::carrier::Carrier;
use super::lifecycle::{Event, Lifecycle};
use super::{Command, Going, Lease, Shared, View, now, shown};
use crate::cost::{Meter, Usage};
use crate::state::{StartRecord, State as Records};
use crate::status::Reason;

/// What stopping the task may take at shutdown.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(10);
/// How often a launch that takes longer is looked at.
const MOMENT: Duration = Duration::from_millis(500);

/// All that it needs and knows.
pub(super) struct Bastion {
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
    pub(super) fn new(
        lifecycle: Lifecycle,
        carrier: Carrier,
        shared: &Shared,
        commands: mpsc::Receiver<Command>,
        view: watch::Sender<View>,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            lifecycle,
            calls: Arc::new(carrier),
            records: shared.records.clone(),
            commands,
            view,
            begin: shared.begin.clone(),
            cancel,
            renewed: shared.aws.renewed(),
            call: None,
            seen: None,
            meter: Meter::new(SystemTime::now()),
            requests: Vec::new(),
            leases: None,
            departing: Vec::new(),
        }
    }

    pub(super) async fn run(mut self) {
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
                    "what is left of the bastion could not be ended in time; the next start looks after it"
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
                    if self.calls.is_recorded() {
                        self.records.record_task(self.calls.record(arn));
                    }
                }
                Event::LetGo(arn) => {
                    tracing::info!(task = %arn, "done with it");
                    if self.calls.is_recorded() {
                        self.records.forget_task(&arn);
                    }
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
        let service = self.calls.service();
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
            view.service = service;
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

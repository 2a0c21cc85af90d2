//! The task of one SSM session, over one link after another.
//!
//! Thin: [`Lifecycle`] says what to do, this does it and reports. The session is known to the
//! state file from before its first byte until AWS knows that it is over.

mod place;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::bridge::Bridge;
use super::conn::{Accepted, Counters};
use super::link::{self, Inbox, LinkEnd};
use super::reason;
use super::remote::Place;
use super::view::{Phase, Publisher};
use crate::aws::{Aws, Opened};
use crate::config::{self, Remote};
use crate::net::Net;
use crate::proto::{self, Options};
use crate::session::changes::Changes;
use crate::session::{Lifecycle, Outcome, Step, dial, stale, trouble, trouble_resuming};
use crate::state::{SessionRecord, State};
use crate::status::Reason;

/// What telling AWS about the end of a session may take.
const TERMINATE_LIMIT: Duration = Duration::from_secs(5);

/// What a session is made from.
#[derive(Clone)]
pub struct Context {
    /// The calls.
    pub aws: Aws,
    /// The way out.
    pub net: Net,
    /// Where sessions are remembered for the next start.
    pub state: State,
    /// The tunnel's configuration.
    pub tunnel: Arc<config::Tunnel>,
    /// What StartSession is given.
    pub target: String,
    /// The tunnel's counters.
    pub counters: Arc<Counters>,
    /// Shown in the account's session list: who, for what.
    pub reason: String,
    /// What changes around all tunnels.
    pub changes: Changes,
}

/// What comes to a session from its tunnel.
pub struct Mailbox {
    /// Connections to carry.
    pub placed: mpsc::Receiver<Accepted>,
    /// Cancelled when the session is to end.
    pub end: CancellationToken,
    /// Where it shows itself.
    pub view: Publisher,
}

/// How a session ended.
#[derive(Debug)]
pub struct Ended {
    /// Why, unless it was let go.
    pub reason: Option<Reason>,
    /// It never became usable, because AWS could not reach the target.
    pub unreachable: bool,
    /// Some connection has got through it.
    pub reached: bool,
    /// AWS was told of its end, or told it.
    pub settled: bool,
    /// Connections that were open when it ended.
    pub lost: usize,
    /// Connections it was given but never took up.
    pub unplaced: Vec<Accepted>,
}

impl Ended {
    /// A fault of ours has ended it.
    pub fn broken() -> Self {
        Self {
            reason: Some(Reason::new(
                "internal",
                "bastiond itself failed; see its log",
            )),
            unreachable: false,
            reached: false,
            settled: false,
            lost: 0,
            unplaced: Vec::new(),
        }
    }
}

/// Run one session from StartSession to its end.
pub async fn run(context: Context, mailbox: Mailbox) -> Ended {
    let seed = fastrand::u64(..);
    let mut options = Options::client(seed, SystemTime::now());
    options.remote_host = !matches!(context.tunnel.remote, Remote::Target { .. });
    if context.tunnel.keepalive == config::Keepalive::Never {
        options.keepalive = None;
    }
    let protocol = proto::Session::new(options, now());
    let linger = context.tunnel.half_close_linger;
    let counters = Arc::clone(&context.counters);
    let bridge = Bridge::new(protocol, counters, linger, mailbox.view.clone());
    let lifecycle = Lifecycle::new(seed, now());
    Session {
        changes: context.changes.subscribe(),
        renewed: context.aws.renewed(),
        context,
        mailbox,
        bridge,
        lifecycle,
        place: None,
        opened: None,
        left_behind: false,
    }
    .run()
    .await
}

struct Session {
    context: Context,
    mailbox: Mailbox,
    bridge: Bridge,
    lifecycle: Lifecycle,
    /// Where it leads, once found: the same at every attempt to start.
    place: Option<Place>,
    changes: watch::Receiver<()>,
    /// The token and URL for the next link.
    opened: Option<Opened>,
    /// Changes when somebody has signed in.
    renewed: watch::Receiver<u64>,
    /// AWS could not be told of the end: the next start will.
    left_behind: bool,
}

impl Session {
    async fn run(mut self) -> Ended {
        loop {
            let outcome = match self.lifecycle.step() {
                Step::Start => self.start().await,
                Step::Link => self.link().await,
                Step::Resume => self.resume().await,
                Step::Wait(until) => self.wait(until.into()).await,
                Step::Terminate => self.terminate().await,
                Step::End => break,
            };
            if let Some(outcome) = outcome {
                self.lifecycle.handle_outcome(outcome, now());
            }
        }
        self.end().await
    }

    /// Costs one of the few StartSession calls an account has, so it is awaited even when the
    /// session is no longer wanted, and then undone.
    async fn start(&mut self) -> Option<Outcome> {
        let Place { host, port } = match self.place().await {
            Ok(place) => place,
            Err(trouble) => return Some(Outcome::Started(Err(trouble))),
        };
        let Context { aws, target, .. } = &self.context;
        let reason = &self.context.reason;
        let host = host.as_deref();
        let started = match &self.context.tunnel.document {
            None => aws.start_session(target, host, port, reason).await,
            Some(document) => {
                aws.start_session_by(document, target, host, port, reason)
                    .await
            }
        };
        let outcome = started.map(|opened| self.started(opened)).map_err(trouble);
        self.note_end();
        Some(Outcome::Started(outcome))
    }

    fn started(&mut self, opened: Opened) {
        tracing::info!(session = %opened.id, target = %self.context.target, "session started");
        self.context.state.record_session(SessionRecord {
            tunnel: self.context.tunnel.name.clone(),
            id: opened.id.to_string(),
            target: self.context.target.clone(),
            started_at: SystemTime::now().into(),
        });
        self.mailbox
            .view
            .update(|view| view.id = Some(opened.id.clone()));
        self.opened = Some(opened);
    }

    async fn link(&mut self) -> Option<Outcome> {
        let known = self.mailbox.view.current().agent_version.is_some();
        if !known {
            self.enter(Phase::Linking);
        }
        // A token opens one link.
        let Some(opened) = self.opened.take() else {
            return Some(Outcome::LinkLost("no token at hand".to_owned()));
        };
        self.changes.mark_unchanged();
        let dialled = tokio::select! {
            dialled = dial(&self.context.aws, &self.context.net, &opened) => dialled,
            () = stale(self.changes.clone()) => return Some(Outcome::Interrupted),
            () = self.mailbox.end.cancelled() => {
                self.lifecycle.handle_end();
                return Some(Outcome::LinkLost("asked to end".to_owned()));
            }
        };
        let socket = match dialled {
            Ok(socket) => socket,
            Err(trouble) => {
                self.enter(Phase::Resuming(trouble.reason.clone()));
                return Some(Outcome::NotLinked(trouble));
            }
        };
        if known {
            self.enter(Phase::Connected);
        }
        let open_frame = self.bridge.session.open_frame(opened.token.expose());
        let Mailbox { placed, end, .. } = &mut self.mailbox;
        let inbox = Inbox {
            placed,
            end,
            changes: &mut self.changes,
        };
        let ended = link::run(&mut self.bridge, socket, open_frame, inbox).await;
        if self.mailbox.view.current().agent_version.is_some() {
            self.lifecycle.handle_connected();
        }
        self.note_end();
        Some(self.link_ended(ended))
    }

    fn link_ended(&mut self, end: LinkEnd) -> Outcome {
        match end {
            LinkEnd::Lost(why) => {
                tracing::info!(%why, "link lost; resuming");
                self.enter(Phase::Resuming(Reason::new("link_lost", &why)));
                Outcome::LinkLost(why)
            }
            LinkEnd::Closed(output) => {
                tracing::info!(%output, "session closed by AWS");
                Outcome::Closed(reason::closed(&output, &self.mailbox.view.current().remote))
            }
            LinkEnd::Failed(failure) => {
                tracing::warn!(%failure, "session failed");
                Outcome::Failed(reason::failed(&failure))
            }
            LinkEnd::Terminated { acked } => Outcome::Terminated(acked),
        }
    }

    async fn resume(&mut self) -> Option<Outcome> {
        // A sign-in from here on may come too late for this attempt.
        self.renewed.mark_unchanged();
        let Some(id) = self.mailbox.view.current().id else {
            return Some(Outcome::Resumed(Ok(false)));
        };
        self.changes.mark_unchanged();
        let resumed = tokio::select! {
            resumed = self.context.aws.resume_session(&id) => resumed,
            () = stale(self.changes.clone()) => return Some(Outcome::Interrupted),
            () = self.mailbox.end.cancelled() => {
                self.lifecycle.handle_end();
                return Some(Outcome::LinkLost("asked to end".to_owned()));
            }
        };
        let outcome = resumed.map_err(trouble_resuming).map(|opened| {
            self.opened = opened;
            self.opened.is_some()
        });
        if let Err(trouble) = &outcome {
            tracing::warn!(error = %trouble.reason.message, "cannot resume the session");
            self.enter(Phase::Resuming(trouble.reason.clone()));
        }
        Some(Outcome::Resumed(outcome))
    }

    async fn wait(&mut self, until: Instant) -> Option<Outcome> {
        tokio::select! {
            () = sleep_until(until) => Some(Outcome::Done),
            Ok(()) = self.changes.changed() => {
                self.lifecycle.handle_nudge(now());
                None
            }
            Ok(()) = self.renewed.changed() => {
                self.lifecycle.handle_nudge(now());
                None
            }
            () = self.mailbox.end.cancelled() => {
                self.lifecycle.handle_end();
                None
            }
        }
    }

    async fn terminate(&mut self) -> Option<Outcome> {
        self.enter(Phase::Ending);
        // Whoever is still connected need not wait until AWS knows.
        if self.mailbox.end.is_cancelled() {
            self.bridge.close_all().await;
            self.bridge.detach();
            self.bridge.publish();
        }
        let Some(id) = self.mailbox.view.current().id else {
            return Some(Outcome::Done);
        };
        let terminated = timeout(TERMINATE_LIMIT, self.context.aws.terminate_session(&id)).await;
        self.left_behind = !matches!(terminated, Ok(Ok(())));
        match terminated {
            Ok(Ok(())) => tracing::debug!(session = %id, "session terminated"),
            Ok(Err(error)) => tracing::warn!(session = %id, %error, "cannot terminate the session"),
            Err(_) => tracing::warn!(session = %id, "cannot terminate the session in time"),
        }
        Some(Outcome::Done)
    }

    async fn end(mut self) -> Ended {
        self.enter(Phase::Ending);
        let open = self.mailbox.view.current().connections;
        if let (Some(reason), 1..) = (self.lifecycle.reason(), open) {
            reason::log_reset(reason, open);
        }
        self.bridge.close_all().await;
        let view = self.mailbox.view.current();
        if let Some(id) = view.id.filter(|_| !self.left_behind) {
            self.context.state.forget_session(id.as_str());
        }
        self.mailbox.placed.close();
        let mut unplaced = Vec::new();
        while let Ok(accepted) = self.mailbox.placed.try_recv() {
            unplaced.push(accepted);
        }
        Ended {
            reason: self.lifecycle.reason().cloned(),
            unreachable: self.lifecycle.is_unreachable(),
            reached: view.reached > 0,
            settled: !self.left_behind,
            lost: view.connections,
            unplaced,
        }
    }

    /// An end that was asked for while a step could not be interrupted.
    fn note_end(&mut self) {
        if self.mailbox.end.is_cancelled() {
            self.lifecycle.handle_end();
        }
    }

    fn enter(&self, phase: Phase) {
        self.mailbox
            .view
            .update(|view| view.enter(phase, Instant::now()));
    }
}

/// The clock that the timers go by.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}

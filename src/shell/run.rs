//! A shell's session, from its start to its end, over one link after another.
//!
//! Thin: [`Lifecycle`] says what to do, `proto::shell` what to send; this does it, and carries bytes between the
//! WebSocket and this side's terminal or pipes.

mod carry;
mod key;

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::io;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::escape::Escape;
use super::opening::Opening;
use super::record::Recording;
use super::terminal::{self, Input, Output, Stream};
use super::wrapper::{Encoder, Marks};
use crate::aws::{Aws, Opened, SessionId};
use crate::net::Net;
use crate::proto::shell::{Options, Shell};
use crate::session::{Lifecycle, Outcome, Step, dial, trouble, trouble_resuming};
use crate::status::Reason;
use key::KeyCall;

/// What telling AWS about the end may take.
const TERMINATE_LIMIT: Duration = Duration::from_secs(3);

/// What a session is made from.
pub struct Plan {
    /// The calls.
    pub aws: Aws,
    /// The way out.
    pub net: Net,
    /// What to open.
    pub opening: Opening,
    /// Shown in the account's session list.
    pub reason: String,
    /// The number in the marks of a wrapped command.
    pub number: Option<String>,
    /// Whether a person is at both ends: keys, colours, sizes.
    pub on_terminal: bool,
    /// Whether standard input is to be sent, and as the wrapper wants it.
    pub piped: bool,
    /// Whether the far side has something to say at once.
    pub expects_greeting: bool,
    /// Where to record.
    pub recording: Option<Recording>,
    /// Cancelled by SIGTERM and the like.
    pub end: CancellationToken,
}

/// How a session ended.
#[derive(Debug)]
pub struct Ended {
    /// The status of what ran there, if it was told.
    pub status: Option<i32>,
    /// Why it ended otherwise, if not by our wish.
    pub reason: Option<Reason>,
    /// Nobody reads our standard output any more.
    pub unread: bool,
    /// What the service said of the end; may be empty.
    pub closed: Option<String>,
}

/// Runs a session to its end. The terminal is as before when it returns.
pub async fn run(plan: Plan) -> io::Result<Ended> {
    let raw = match plan.on_terminal {
        true => Some(terminal::Raw::enter()?),
        false => None,
    };
    let mut session = Session::new(plan)?;
    session.live().await;
    let (ended, recording) = session.ended();
    drop(raw);
    if let Some(recording) = recording {
        recording.finish()?;
    }
    Ok(ended)
}

struct Session {
    plan: Plan,
    protocol: Shell,
    lifecycle: Lifecycle,
    /// `None` when it has ended.
    input: Option<Input>,
    output: Output,
    resized: Signal,
    escape: Escape,
    encoder: Encoder,
    marks: Option<Marks>,
    /// Output that nobody has taken yet.
    waiting: VecDeque<(Stream, Bytes)>,
    waiting_bytes: usize,
    /// The far side's command takes input.
    begun: bool,
    status: Option<i32>,
    /// The far side has written something.
    heard: bool,
    /// It has failed without a word; why is waited for until then.
    wordless: Option<Instant>,
    closed: Option<String>,
    unread: bool,
    /// The token and URL for the next link.
    opened: Option<Opened>,
    id: Option<SessionId>,
    /// The call for a data key, under way.
    key: Option<KeyCall>,
    /// It is to end; until then the agent may acknowledge that.
    leaving: Option<Instant>,
    started: Instant,
}

impl Session {
    fn new(plan: Plan) -> io::Result<Self> {
        let seed = fastrand::u64(..);
        let started = Instant::now();
        let options = Options {
            seed,
            wall: SystemTime::now(),
            size: plan.on_terminal.then(terminal::size),
            expects_greeting: plan.expects_greeting,
        };
        Ok(Self {
            protocol: Shell::new(options, started.into_std()),
            lifecycle: Lifecycle::new(seed, started.into_std()),
            input: Some(Input::start()?),
            output: Output::start()?,
            resized: signal(SignalKind::window_change())?,
            escape: Escape::new(),
            encoder: Encoder::default(),
            marks: plan.number.as_deref().map(Marks::new),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            begun: plan.number.is_none(),
            status: None,
            heard: false,
            wordless: None,
            closed: None,
            unread: false,
            opened: None,
            id: None,
            key: None,
            leaving: None,
            started,
            plan,
        })
    }

    /// What is to be told of it. The output is written; the recording is not yet whole.
    fn ended(self) -> (Ended, Option<Recording>) {
        let ended = Ended {
            status: self.status,
            reason: self.lifecycle.reason().cloned(),
            unread: self.unread,
            closed: self.closed,
        };
        self.output.finish();
        (ended, self.plan.recording)
    }

    async fn live(&mut self) {
        loop {
            let outcome = match self.lifecycle.step() {
                Step::Start => Some(self.start().await),
                Step::Link => Some(self.link().await),
                Step::Resume => Some(self.resume().await),
                Step::Wait(until) => self.wait(until.into()).await,
                Step::Terminate => Some(self.terminate().await),
                Step::End => break,
            };
            if let Some(outcome) = outcome {
                let now = Instant::now().into_std();
                self.lifecycle.handle_outcome(outcome, now);
            }
        }
        if let Some(marks) = &mut self.marks {
            let rest = marks.finish();
            self.show(Stream::Out, rest.into());
        }
        while let Some(piece) = self.waiting.pop_front() {
            if self.output.room().await.is_err() {
                break;
            }
            self.output.send(piece);
        }
    }

    /// Awaited even when it is no longer wanted, and then undone.
    async fn start(&mut self) -> Outcome {
        let Plan {
            aws,
            opening,
            reason,
            ..
        } = &self.plan;
        let started = opening.open(aws, reason).await;
        self.note_end();
        let outcome = started.map_err(trouble).map(|opened| {
            tracing::info!(session = %opened.id, "session started");
            self.id = Some(opened.id.clone());
            self.opened = Some(opened);
        });
        Outcome::Started(outcome)
    }

    async fn link(&mut self) -> Outcome {
        let Some(opened) = self.opened.take() else {
            return Outcome::LinkLost("no token at hand".to_owned());
        };
        let (aws, net) = (self.plan.aws.clone(), self.plan.net.clone());
        let dialling = async move {
            let socket = dial(&aws, &net, &opened).await;
            socket.map(|socket| (socket, opened))
        };
        match self.meanwhile(dialling).await {
            None => Outcome::LinkLost("asked to end".to_owned()),
            Some(Err(trouble)) => Outcome::NotLinked(trouble),
            Some(Ok((socket, opened))) => self.carry(socket, opened).await,
        }
    }

    async fn resume(&mut self) -> Outcome {
        let Some(id) = self.id.clone() else {
            return Outcome::Resumed(Ok(false));
        };
        let aws = self.plan.aws.clone();
        let resuming = async move { aws.resume_session(&id).await };
        match self.meanwhile(resuming).await {
            None => Outcome::LinkLost("asked to end".to_owned()),
            Some(resumed) => Outcome::Resumed(resumed.map_err(trouble_resuming).map(|opened| {
                self.opened = opened;
                self.opened.is_some()
            })),
        }
    }

    async fn wait(&mut self, until: Instant) -> Option<Outcome> {
        self.meanwhile(sleep_until(until))
            .await
            .map(|()| Outcome::Done)
    }

    async fn terminate(&mut self) -> Outcome {
        if let Some(id) = &self.id {
            let terminating = self.plan.aws.terminate_session(id);
            match timeout(TERMINATE_LIMIT, terminating).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "cannot end the session"),
                Err(_) => tracing::warn!("cannot end the session in time"),
            }
        }
        Outcome::Done
    }

    /// Does something that takes its time while the terminal can be left: `None` when it is.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        loop {
            let may_read = self.may_read();
            tokio::select! {
                done = &mut work => return Some(done),
                piece = next(&mut self.input), if may_read => self.take_input(piece),
                _ = self.resized.recv() => self.resize(),
                () = self.plan.end.cancelled(), if self.leaving.is_none() => self.leave(),
            }
            if self.leaving.is_some() {
                self.lifecycle.handle_end();
                return None;
            }
        }
    }

    /// An end that was asked for while a step could not be interrupted.
    fn note_end(&mut self) {
        if self.plan.end.is_cancelled() {
            self.lifecycle.handle_end();
        }
    }
}

async fn next(input: &mut Option<Input>) -> Option<Bytes> {
    match input {
        Some(input) => input.next().await,
        None => pending().await,
    }
}

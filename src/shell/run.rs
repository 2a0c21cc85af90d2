//! A shell's session, from its start to its end, over one link after another.
//!
//! Thin: [`Lifecycle`] says what to do, `proto::shell` what to send; this does it, and carries bytes between the
//! WebSocket and this side's terminal or pipes.

use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::escape::{self, Escape, Wish};
use super::opening::Opening;
use super::record::Recording;
use super::terminal::{self, Input, Output, Stream};
use super::wrapper::{Encoder, Mark, Marks};
use crate::aws::{Aws, DataKey, Error, Opened, SessionId};
use crate::net::Net;
use crate::proto::shell::{Event, Failure, Options, Shell};
use crate::session::{Lifecycle, Outcome, Socket, Step, Wire, dial, trouble, trouble_resuming};
use crate::status::Reason;

/// What the agent is given to acknowledge the end.
const TERMINATE_PATIENCE: Duration = Duration::from_secs(1);
/// What telling AWS about the end may take.
const TERMINATE_LIMIT: Duration = Duration::from_secs(3);
/// What is sent to the agent that asked for a key that is not to be had.
const LAST_WORDS_PATIENCE: Duration = Duration::from_secs(1);
/// Output that may wait for whoever reads it before the WebSocket is not read any more.
const MAX_WAITING: usize = 256 * 1024;
/// What may be typed or pasted while the far side takes nothing.
const MAX_TYPED: usize = 1024 * 1024;

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
    let seed = fastrand::u64(..);
    let now = Instant::now().into_std();
    let size = plan.on_terminal.then(terminal::size);
    let options = Options {
        seed,
        wall: SystemTime::now(),
        size,
        expects_greeting: plan.expects_greeting,
    };
    let raw = match plan.on_terminal {
        true => Some(terminal::Raw::enter()?),
        false => None,
    };
    let mut session = Session {
        protocol: Shell::new(options, now),
        lifecycle: Lifecycle::new(seed, now),
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
        closed: None,
        unread: false,
        opened: None,
        id: None,
        key: None,
        leaving: None,
        started: Instant::now(),
        plan,
    };
    session.live().await;
    let reason = session.lifecycle.reason().cloned();
    let Session {
        input,
        output,
        plan,
        status,
        unread,
        closed,
        ..
    } = session;
    output.finish();
    drop(input);
    drop(raw);
    if let Some(recording) = plan.recording {
        recording.finish()?;
    }
    Ok(Ended {
        status,
        reason,
        unread,
        closed,
    })
}

type KeyCall = Pin<Box<dyn Future<Output = Result<DataKey, Error>> + Send>>;

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

    /// Carries the session over one WebSocket until either ends.
    async fn carry(&mut self, socket: Socket, opened: Opened) -> Outcome {
        let open_frame = self.protocol.open_frame(opened.token.expose());
        self.protocol.handle_connected(Instant::now().into_std());
        let mut wire = Wire::new(socket, open_frame);
        let outcome = self.pump(&mut wire).await;
        if let Outcome::Failed(_) = outcome {
            let words = poll_fn(|cx| wire.poll_last_words(&mut self.protocol, cx));
            let _ = timeout(LAST_WORDS_PATIENCE, words).await;
        }
        self.protocol.handle_disconnected(Instant::now().into_std());
        wire.close().await;
        outcome
    }

    async fn pump(&mut self, wire: &mut Wire<impl AsyncSocket>) -> Outcome {
        let mut was_reading = true;
        loop {
            if let Some(outcome) = self.follow_events() {
                return outcome;
            }
            let reading = self.waiting_bytes < MAX_WAITING;
            if reading && !was_reading {
                wire.excuse_silence(Instant::now());
                self.protocol.excuse_silence(Instant::now().into_std());
            }
            was_reading = reading;
            let due = self.next_due(wire, reading);
            let may_read = self.may_read();
            let (protocol, key) = (&mut self.protocol, &mut self.key);
            tokio::select! {
                carried = poll_fn(|cx| wire.poll(protocol, reading, cx)) => {
                    if let Err(why) = carried {
                        return self.follow_events().unwrap_or(Outcome::LinkLost(why));
                    }
                }
                piece = next(&mut self.input), if may_read => self.take_input(piece),
                room = self.output.room(), if !self.waiting.is_empty() => match room {
                    Ok(()) => self.send_on(),
                    Err(()) => self.nobody_reads(),
                },
                made = under_way(key) => self.take_key(made),
                _ = self.resized.recv() => self.resize(),
                () = self.plan.end.cancelled(), if self.leaving.is_none() => self.leave(),
                () = sleep_until(due) => {
                    self.protocol.handle_timeout(Instant::now().into_std());
                    if let Some(why) = wire.lost(reading, Instant::now()) {
                        return Outcome::LinkLost(why.to_owned());
                    }
                }
            }
        }
    }

    fn next_due(&self, wire: &Wire<impl AsyncSocket>, reading: bool) -> Instant {
        let protocol = self.protocol.poll_timeout().map(Instant::from_std);
        let dues = [protocol, self.leaving];
        let earliest = dues.into_iter().flatten().min();
        let wire = wire.next_due(reading);
        earliest.map_or(wire, |at| at.min(wire))
    }

    /// What follows from what has come; the end of the link, if that does.
    fn follow_events(&mut self) -> Option<Outcome> {
        while let Some(event) = self.protocol.poll_event() {
            match event {
                Event::Ready {
                    customer_message, ..
                } => {
                    self.lifecycle.handle_connected();
                    if let Some(message) = customer_message.filter(|_| self.plan.on_terminal) {
                        self.show(Stream::Err, format!("{message}\r\n").into());
                    }
                }
                Event::KeyWanted { key_id, challenge } => self.ask_for_key(key_id, challenge),
                Event::Output(bytes) => self.take_output(&bytes),
                Event::StdErr(bytes) => self.show(Stream::Err, bytes),
                Event::Exit(status) => self.finished(status),
                Event::Unresponsive => {
                    return Some(Outcome::LinkLost("nothing is acknowledged".to_owned()));
                }
                Event::Closed { output } => return Some(self.closed(output)),
                Event::Failed(failure) => return Some(Outcome::Failed(reason(&failure))),
            }
        }
        let leaving = self.leaving?;
        let acked = self.protocol.is_terminate_acked();
        if acked || leaving <= Instant::now() {
            self.lifecycle.handle_end();
            return Some(Outcome::Terminated(acked));
        }
        None
    }

    fn closed(&mut self, output: String) -> Outcome {
        let why = match output.is_empty() {
            true => "AWS or the agent ended the session".to_owned(),
            false => output.clone(),
        };
        self.closed = Some(output);
        Outcome::Closed(Reason::new("session_closed", why))
    }

    fn take_output(&mut self, bytes: &Bytes) {
        let Some(marks) = &mut self.marks else {
            return self.show(Stream::Out, bytes.clone());
        };
        let (shown, marks) = marks.handle(bytes);
        // What a wrapped command leaves behind when it has ended is its shell's.
        if self.status.is_none() {
            self.show(Stream::Out, shown.into());
        }
        for mark in marks {
            match mark {
                Mark::Begun => self.begun = true,
                Mark::Ended(status) => self.finished(status),
            }
        }
    }

    fn finished(&mut self, status: i32) {
        self.status.get_or_insert(status);
        self.leave();
    }

    fn show(&mut self, stream: Stream, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        if let Some(recording) = &mut self.plan.recording
            && let Err(error) = recording.output(self.started.elapsed(), &bytes)
        {
            tracing::warn!(%error, "the recording is not whole");
            self.plan.recording = None;
        }
        self.waiting_bytes += bytes.len();
        self.waiting.push_back((stream, bytes));
    }

    fn take_input(&mut self, piece: Option<Bytes>) {
        let Some(piece) = piece else {
            self.input = None;
            if self.plan.piped {
                let last = self.encoder.finish();
                self.protocol.write(last.into());
            } else if self.plan.on_terminal {
                // The window is gone; nobody will ever end the shell.
                self.leave();
            }
            return;
        };
        if self.plan.on_terminal {
            let (typed, wish) = self.escape.handle(&piece);
            self.protocol.write(typed.into());
            match wish {
                Some(Wish::Quit) => self.leave(),
                Some(Wish::Help) => self.show(Stream::Err, escape::HELP.into()),
                None => {}
            }
        } else if self.plan.piped {
            let lines = self.encoder.encode(&piece);
            self.protocol.write(lines.into());
        }
    }

    fn send_on(&mut self) {
        if let Some(piece) = self.waiting.pop_front() {
            self.waiting_bytes -= piece.1.len();
            self.output.send(piece);
        }
    }

    fn nobody_reads(&mut self) {
        self.unread = true;
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.leave();
    }

    /// Whether more is to be read from this side. A terminal is read on, so that it can be left also when nothing is
    /// taken at the far side.
    fn may_read(&self) -> bool {
        match self.plan.on_terminal {
            true => self.protocol.unsent() < MAX_TYPED,
            false => self.begun && self.protocol.can_write(),
        }
    }

    fn resize(&mut self) {
        if !self.plan.on_terminal {
            return;
        }
        let size = terminal::size();
        self.protocol.resize(size);
        if let Some(recording) = &mut self.plan.recording {
            let _ = recording.resize(self.started.elapsed(), size);
        }
    }

    /// The session is to end.
    fn leave(&mut self) {
        if self.leaving.is_none() {
            self.protocol.terminate();
            self.leaving = Some(Instant::now() + TERMINATE_PATIENCE);
        }
    }

    /// An end that was asked for while a step could not be interrupted.
    fn note_end(&mut self) {
        if self.plan.end.is_cancelled() {
            self.lifecycle.handle_end();
        }
    }

    fn ask_for_key(&mut self, key_id: String, challenge: Option<String>) {
        let session = self.id.as_ref().map(ToString::to_string);
        let aws = self.plan.aws.clone();
        let target = self.plan.opening.target().to_owned();
        self.key = Some(Box::pin(async move {
            let mut context = BTreeMap::from([
                ("aws:ssm:SessionId".to_owned(), session.unwrap_or_default()),
                ("aws:ssm:TargetId".to_owned(), target),
            ]);
            if let Some(challenge) = challenge {
                context.insert("aws:ssm:RandomChallenge".to_owned(), challenge);
            }
            aws.data_key(&key_id, &context).await
        }));
    }

    fn take_key(&mut self, made: Result<DataKey, Error>) {
        self.key = None;
        match made {
            Ok(key) => self.protocol.provide_key(&key.plain, &key.encrypted),
            Err(error) => {
                let hint = error.hint().map(|hint| format!(" ({hint})"));
                let why = format!(
                    "the account encrypts shells, and there is no data key: {error}{}",
                    hint.unwrap_or_default()
                );
                self.protocol.refuse_key(&why);
            }
        }
    }
}

/// What a link may be carried over.
trait AsyncSocket: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin {}
impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> AsyncSocket for S {}

async fn next(input: &mut Option<Input>) -> Option<Bytes> {
    match input {
        Some(input) => input.next().await,
        None => pending().await,
    }
}

async fn under_way(call: &mut Option<KeyCall>) -> Result<DataKey, Error> {
    match call {
        Some(call) => call.await,
        None => pending().await,
    }
}

fn reason(failure: &Failure) -> Reason {
    let code = match failure {
        Failure::HandshakeTimeout(_) => "handshake_timeout",
        Failure::Handshake(_) => "protocol_error",
        Failure::SessionType(_) => "wrong_document",
        Failure::NoKey(_) => "no_data_key",
        Failure::Unreadable => "undecryptable",
        Failure::Unresponsive => "session_silent",
    };
    Reason::new(code, failure.to_string())
}

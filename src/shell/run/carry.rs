//! A session over one WebSocket: what comes is shown, what is typed is sent, until either ends.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep_until, timeout};

use super::key::under_way;
use super::{Session, next};
use crate::aws::Opened;
use crate::proto::shell::{Event, Failure};
use crate::session::{Outcome, Socket, Wire};
use crate::shell::escape::{self, Wish};
use crate::shell::terminal::{self, Stream};
use crate::shell::wrapper::Mark;
use crate::status::Reason;

/// What the agent is given to acknowledge the end.
const TERMINATE_PATIENCE: Duration = Duration::from_secs(1);
/// A status without a word may be followed by why the command could not be started: the agent takes a second for that.
const REASON_PATIENCE: Duration = Duration::from_secs(3);
/// What is sent to the agent that asked for a key that is not to be had.
const LAST_WORDS_PATIENCE: Duration = Duration::from_secs(1);
/// Output that may wait for whoever reads it before the WebSocket is not read any more.
const MAX_WAITING: usize = 256 * 1024;
/// What may be typed or pasted while the far side takes nothing.
const MAX_TYPED: usize = 1024 * 1024;

impl Session {
    /// Carries the session over one WebSocket until either ends.
    pub(super) async fn carry(&mut self, socket: Socket, opened: Opened) -> Outcome {
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
        let dues = [protocol, self.leaving, self.wordless];
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
                Event::Output(bytes) => {
                    self.heard = true;
                    self.take_output(&bytes);
                }
                Event::StdErr(bytes) => self.take_error(bytes),
                Event::Exit(status) => self.take_status(status),
                Event::Unresponsive => {
                    return Some(Outcome::LinkLost("nothing is acknowledged".to_owned()));
                }
                Event::Closed { output } => return Some(self.closed(output)),
                Event::Failed(failure) => return Some(Outcome::Failed(reason(&failure))),
            }
        }
        if self.wordless.is_some_and(|until| until <= Instant::now()) {
            self.leave();
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

    fn take_error(&mut self, bytes: Bytes) {
        self.heard = true;
        self.show(Stream::Err, bytes);
        if self.wordless.is_some() {
            self.leave();
        }
    }

    /// The status of a command without a terminal. One that cannot be started has it before its reason.
    fn take_status(&mut self, status: i32) {
        if status == 0 || self.heard {
            return self.finished(status);
        }
        self.status.get_or_insert(status);
        self.wordless = Some(Instant::now() + REASON_PATIENCE);
    }

    fn finished(&mut self, status: i32) {
        self.status.get_or_insert(status);
        self.leave();
    }

    pub(super) fn show(&mut self, stream: Stream, bytes: Bytes) {
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

    pub(super) fn take_input(&mut self, piece: Option<Bytes>) {
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
    pub(super) fn may_read(&self) -> bool {
        match self.plan.on_terminal {
            true => self.protocol.unsent() < MAX_TYPED,
            false => self.begun && self.protocol.can_write(),
        }
    }

    pub(super) fn resize(&mut self) {
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
    pub(super) fn leave(&mut self) {
        self.wordless = None;
        if self.leaving.is_none() {
            self.protocol.terminate();
            self.leaving = Some(Instant::now() + TERMINATE_PATIENCE);
        }
    }
}

/// What a link may be carried over.
trait AsyncSocket: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin {}
impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> AsyncSocket for S {}

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

//! The agent behind a session that is a shell or a command: one task a session, over any number of links.
//!
//! The protocol is `proto::shell::Agent`; here are its clock, its sockets, its process, and what only the service does.

mod process;

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use crate::proto::{
    Protocol as _,
    shell::{Agent, AgentEvent, Profile},
};

use super::{
    agent::link::{self, Link},
    faults::{Command, Cut, Death, Faults},
    frames, kms,
    session::{End, Session, ToAgent},
    world::World,
};
pub(super) use process::Plan;
use process::Process;

/// The agent's patience for a HandshakeResponse, and for the proof that both have the key.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(15);
/// What the agent waits for acknowledgements when its shell has ended.
const LAST_ACKS: Duration = Duration::from_secs(2);
/// Flag 2 to `channel_closed`.
const TERMINATION: Duration = Duration::from_millis(20);
/// The service's words for an idle session.
const IDLE: &str = "Your session timed out due to inactivity and has been terminated.";

/// What a shell's agent is made of.
pub(super) struct Shell {
    pub world: World,
    pub session: String,
    pub target: String,
    pub plan: Plan,
    pub profile: Profile,
    pub orders: mpsc::Receiver<ToAgent>,
    pub faults: watch::Receiver<Faults>,
    /// When its task dies.
    pub death: watch::Receiver<Option<Instant>>,
}

/// Serves one session to its end.
pub(super) async fn run(shell: Shell) {
    let mut actor = Actor::new(shell);
    loop {
        actor.pump();
        if actor.is_over() {
            break;
        }
        actor.turn().await;
    }
    actor.finish();
}

struct Actor {
    shell: Shell,
    protocol: Agent,
    process: Option<Process>,
    /// Typed, and not taken by the process yet.
    typed: VecDeque<Bytes>,
    faults: Faults,
    link: Option<Link>,
    started: Instant,
    last_input: Instant,
    ready: bool,
    dead: bool,
    /// The process has ended, and the agent waits until then for the client to have it all.
    exited: Option<Instant>,
    ending: Option<(Instant, End, String)>,
}

impl Actor {
    fn new(shell: Shell) -> Self {
        let now = Instant::now();
        let wall = shell.world.core.wall(now);
        let seed = fastrand::u64(..);
        let faults = shell.faults.borrow().clone();
        let protocol = Agent::new(shell.profile.clone(), seed, wall, now.into_std());
        Self {
            protocol,
            faults,
            process: None,
            typed: VecDeque::new(),
            link: None,
            started: now,
            last_input: now,
            ready: false,
            dead: false,
            exited: None,
            ending: None,
            shell,
        }
    }

    fn is_over(&self) -> bool {
        let now = Instant::now();
        self.ending.as_ref().is_some_and(|(at, ..)| *at <= now)
    }

    fn end_at(&mut self, at: Instant, why: End, output: impl Into<String>) {
        if self.ending.as_ref().is_none_or(|(old, ..)| at < *old) {
            self.ending = Some((at, why, output.into()));
        }
    }

    async fn turn(&mut self) {
        let deadline = self.next_deadline();
        // An agent whose terminal takes nothing reads nothing.
        let reads = self.typed.is_empty();
        let from_link = async {
            match &mut self.link {
                Some(link) => link.next(&self.faults, reads).await,
                None => std::future::pending().await,
            }
        };
        let hears = self.protocol.can_write();
        let from_process = async {
            match &mut self.process {
                Some(process) => process.next(hears, !reads).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            news = from_link => if let link::News::Lost(why) = news { self.lose_link(&why) },
            news = from_process => self.handle_process(news),
            Some(order) = self.shell.orders.recv() => self.handle_order(order),
            Ok(()) = self.shell.faults.changed() => {
                self.faults = self.shell.faults.borrow_and_update().clone();
            }
            Ok(()) = self.shell.death.changed() => {}
            () = sleep_until(deadline) => self.handle_timeout(),
        }
        self.cut_if_due();
    }

    fn pump(&mut self) {
        let now = Instant::now();
        if self.shell.death.borrow().is_some_and(|at| at <= now) && !self.dead {
            self.dead = true;
            self.process = None;
            if self.shell.world.script().death == Death::Announced {
                self.end_at(now, End::Died, "");
            }
        }
        while let Some(link) = &mut self.link
            && let Some(frame) = link.take()
        {
            if self.dead {
                continue;
            }
            if frames::message_type(&frame) == b"input_stream_data" {
                self.last_input = now;
            }
            if self.protocol.handle_input(frame, now.into_std()).is_err() {
                self.update(|session| session.rejected += 1);
            }
        }
        while let Some(event) = self.protocol.poll_event() {
            self.handle_event(event, now);
        }
        self.feed();
        while !self.dead
            && let Some(link) = self.link.as_mut().filter(|link| link.has_room())
            && let Some(frame) = self.protocol.poll_transmit(now.into_std())
        {
            link.send(&self.faults, frame, None, now);
        }
        while let Some(event) = self.protocol.poll_event() {
            self.handle_event(event, now);
        }
        if self.exited.is_some() && self.protocol.is_drained() {
            self.end_at(now, End::Exited, "");
        }
    }

    fn handle_event(&mut self, event: AgentEvent, now: Instant) {
        match event {
            AgentEvent::Ready => {
                self.ready = true;
                self.update(|session| session.ready = true);
                self.process = Some(Process::start(&self.shell.plan));
            }
            AgentEvent::KeyOffered {
                encrypted,
                acknowledges_challenge,
            } => self.take_key(&encrypted, acknowledges_challenge, now),
            AgentEvent::Input(bytes) => self.typed.push_back(bytes),
            AgentEvent::Resized(size) => {
                if let Some(process) = &self.process {
                    process.resize(size);
                }
            }
            AgentEvent::TerminateRequested => {
                self.update(|session| session.terminate_flags += 1);
                if !self.faults.ignore_terminate {
                    self.end_at(now + TERMINATION, End::Flag, "");
                }
            }
            AgentEvent::Failed(text) => self.end_at(now, End::Failed(text.clone()), text),
        }
    }

    /// KMS gives the key to whoever names the context that it was made with.
    fn take_key(&mut self, encrypted: &[u8], acknowledges_challenge: bool, now: Instant) {
        let challenge = self.shell.profile.encryption.as_ref();
        let challenge = challenge.and_then(|(_, challenge)| challenge.as_deref());
        let context = kms::context(
            &self.shell.session,
            &self.shell.target,
            challenge.filter(|_| acknowledges_challenge),
        );
        match kms::decrypt(&self.shell.world.core, encrypted, &context) {
            Some(key) => self.protocol.provide_key(&key),
            None => {
                let text = "Fetching data key failed: InvalidCiphertextException";
                self.end_at(now, End::Failed(text.to_owned()), text);
            }
        }
    }

    fn feed(&mut self) {
        let Some(process) = &self.process else { return };
        while let Some(bytes) = self.typed.front() {
            if !process.try_type_in(bytes) {
                return;
            }
            self.typed.pop_front();
        }
    }

    fn handle_process(&mut self, news: process::News) {
        match news {
            process::News::Room => {}
            process::News::Wrote(kind, bytes) => self.protocol.write(kind, bytes),
            process::News::NotStarted => self.tell_status(1),
            process::News::Ended(code) => {
                if let Some(code) = code {
                    self.tell_status(code);
                }
                self.process = None;
                self.typed.clear();
                self.exited = Some(Instant::now() + LAST_ACKS);
            }
        }
    }

    /// Only streams that are told apart have a status beside them.
    fn tell_status(&mut self, code: i32) {
        if !self.shell.plan.terminal && self.shell.plan.separate {
            self.protocol.exit(code);
        }
    }

    fn handle_order(&mut self, order: ToAgent) {
        let now = Instant::now();
        match order {
            ToAgent::Attach(socket, index) => {
                self.lose_link("replaced by a newer link");
                let seed = self.faults.seed.wrapping_add(index as u64);
                let fragment = self.shell.world.script().fragment;
                self.link = Some(Link::new(*socket, index, fragment, seed));
                self.last_input = now;
                self.protocol.handle_connected(now.into_std());
                self.update(|session| {
                    session.links += 1;
                    session.linked = true;
                });
            }
            ToAgent::Resumed => self.last_input = now,
            ToAgent::Terminate => self.end_at(now, End::Api, ""),
            ToAgent::Command(Command::Cut(cut)) => self.cut(&cut),
            ToAgent::Command(Command::End(output)) => {
                self.end_at(now, End::Commanded, output.unwrap_or_default());
            }
            ToAgent::Command(Command::Inject(frame)) => {
                if let Some(link) = &mut self.link {
                    link.send_untouched(frame);
                }
            }
            // Nobody has seen the service ask a shell for a pause.
            ToAgent::Command(Command::PauseClient { .. } | Command::PauseAgent { .. }) => {}
        }
    }

    fn lose_link(&mut self, why: &str) {
        if let Some(link) = self.link.take() {
            self.note_end(link.index, why);
            self.protocol.handle_disconnected(Instant::now().into_std());
            self.update(|session| session.linked = false);
        }
    }

    fn cut_if_due(&mut self) {
        if let (Some(link), Some((after, cut))) = (&self.link, &self.faults.cut_after)
            && link.messages >= *after
        {
            let cut = cut.clone();
            self.cut(&cut);
        }
    }

    fn cut(&mut self, cut: &Cut) {
        let Some(mut link) = self.link.take() else {
            return;
        };
        self.note_end(link.index, &format!("cut: {cut:?}"));
        self.protocol.handle_disconnected(Instant::now().into_std());
        self.update(|session| session.linked = false);
        let core = &self.shell.world.core;
        match cut {
            Cut::Bye => core.spawn(link.farewell(1000, "Bye".to_owned())),
            Cut::Close(code, reason) => core.spawn(link.farewell(*code, reason.clone())),
            Cut::Drop => {}
            Cut::Reset => link.reset(),
            Cut::HalfOpen => {
                link.freeze();
                self.link = Some(link);
            }
        }
    }

    fn next_deadline(&self) -> Instant {
        let protocol = self.protocol.poll_timeout().map(Instant::from_std);
        let all = [
            protocol.filter(|_| !self.dead),
            self.link.as_ref().and_then(Link::next_arrival),
            self.ending.as_ref().map(|(at, ..)| *at),
            self.exited,
            self.handshake_deadline(),
            *self.shell.death.borrow(),
        ];
        let idle = self.last_input + self.shell.world.script().idle_timeout;
        let now = Instant::now();
        let due = all
            .into_iter()
            .flatten()
            .filter(|at| *at > now || !self.dead);
        due.min().map_or(idle, |at| at.min(idle))
    }

    fn handle_timeout(&mut self) {
        let now = Instant::now();
        if !self.dead {
            self.protocol.handle_timeout(now.into_std());
        }
        if let Some(link) = &mut self.link {
            link.handle_timeout(now);
        }
        if self.exited.is_some_and(|at| at <= now) {
            self.end_at(now, End::Exited, "");
        }
        if self.handshake_deadline().is_some_and(|at| at <= now) {
            let text = "Handshake timed out. Please ensure that you have the latest version of the session manager plugin.";
            self.end_at(now, End::Failed(text.to_owned()), text);
        }
        if self.last_input + self.shell.world.script().idle_timeout <= now {
            self.end_at(now, End::Idle, IDLE);
        }
    }

    fn handshake_deadline(&self) -> Option<Instant> {
        (!self.ready && !self.dead).then(|| self.started + HANDSHAKE_LIMIT)
    }

    fn finish(mut self) {
        let now = Instant::now();
        let Some((_, why, output)) = self.ending.take() else {
            return;
        };
        self.update(|session| {
            session.ended.get_or_insert((now, why));
            session.linked = false;
        });
        if let Some(mut link) = self.link.take() {
            let core = &self.shell.world.core;
            let (form, wall) = (self.faults.closed_form, core.wall(now));
            let id = &self.shell.session;
            link.send_untouched(frames::channel_closed(id, Some(&output), form, wall));
            self.note_end(link.index, "the session ended");
            core.spawn(link.farewell(1000, "Bye".to_owned()));
        }
    }

    fn note_end(&self, index: usize, why: &str) {
        self.shell.world.core.change(|state| {
            state.links[index].ended.get_or_insert(why.to_owned());
        });
    }

    fn update(&self, alter: impl FnOnce(&mut Session)) {
        self.shell.world.core.change(|state| {
            let mut sessions = state.sessions.iter_mut().map(|entry| &mut entry.public);
            sessions
                .find(|session| session.id == self.shell.session)
                .map(alter)
        });
    }
}

/// How the agent asks for what an account wants of its shells.
pub(super) fn profile(script: &super::script::Shells, session_type: &str) -> Profile {
    let challenge = script.challenges.then(|| uuid::Uuid::new_v4().to_string());
    let encryption = script.kms_key.clone().map(|key| (key, challenge));
    let message = match encryption {
        Some(_) => "This session is encrypted using AWS KMS.",
        None => "",
    };
    Profile {
        agent_version: script.agent_version.clone(),
        session_type: session_type.to_owned(),
        encryption,
        pace: script.pace,
        customer_message: message.to_owned(),
    }
}

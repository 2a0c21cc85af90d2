//! The agent behind a session, and the service's part of the session's life: one task a session, from StartSession to
//! the session's end, over any number of links.
//!
//! The protocol is `proto::Session` in the agent's role. Here are its clock, its sockets and its events;
//! [`service`] is what only the service does: timeouts, links coming and going, the end. The faults in force are
//! looked up at every step.

mod conn;
pub(super) mod link;
mod service;
mod streams;
mod transit;

use std::time::Duration;

use bytes::Bytes;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use crate::proto::{AgentProfile, Event, Failure, Options, Session as Protocol, StreamId};

use super::{
    document::Document,
    faults::{Faults, Handshake, Zombie},
    frames,
    session::{End, Session, ToAgent},
    world::World,
};
use link::Link;
use service::Ending;
use streams::Streams;

/// HandshakeComplete to the failure of a session whose host does not resolve (measured: about 10 ms).
const INITIALISATION: Duration = Duration::from_millis(10);

/// Flag 2 to `channel_closed` (measured: within 200 ms).
const TERMINATION: Duration = Duration::from_millis(20);

/// What an agent is made of.
pub(super) struct Agent {
    pub world: World,
    pub session: String,
    pub document: Document,
    pub profile: AgentProfile,
    pub orders: mpsc::Receiver<ToAgent>,
    pub faults: watch::Receiver<Faults>,
    /// When its task dies.
    pub death: watch::Receiver<Option<Instant>>,
}

/// Serves one session to its end.
pub(super) async fn run(agent: Agent) {
    let mut actor = Actor::new(agent);
    while !actor.is_over() {
        actor.pump();
        let turn = actor.wait().await;
        actor.handle(turn);
    }
    actor.finish();
}

/// What an actor woke for.
enum Turn {
    Link(link::News),
    Streams(streams::News),
    Order(ToAgent),
    Faults,
    /// Some deadline may be over, or another one.
    Clock,
}

struct Actor {
    world: World,
    id: String,
    document: Document,
    protocol: Protocol,
    link: Option<Link>,
    streams: Streams,
    /// Streams connected, as last published.
    connected: usize,
    orders: mpsc::Receiver<ToAgent>,
    faults: Faults,
    faults_in_force: watch::Receiver<Faults>,
    death: watch::Receiver<Option<Instant>>,
    started: Instant,
    last_input: Instant,
    ready: bool,
    /// The first HandshakeRequest has been lost already.
    request_lost: bool,
    /// The task is gone: nobody reads, nobody answers.
    dead: bool,
    ending: Option<Ending>,
}

impl Actor {
    fn new(agent: Agent) -> Self {
        let now = Instant::now();
        let options = Options::agent(fastrand::u64(..), agent.world.core.wall(now), agent.profile);
        let faults = agent.faults.borrow().clone();
        Self {
            world: agent.world,
            id: agent.session,
            document: agent.document,
            protocol: Protocol::new(options, now.into_std()),
            link: None,
            streams: Streams::new(),
            connected: 0,
            orders: agent.orders,
            faults,
            faults_in_force: agent.faults,
            death: agent.death,
            started: now,
            last_input: now,
            ready: false,
            request_lost: false,
            dead: false,
            ending: None,
        }
    }

    /// Waits for the next thing to do; takes bytes only as the protocol has room for them.
    async fn wait(&mut self) -> Turn {
        let deadline = self.next_deadline();
        let read_link = self.dead || self.protocol.accepts_input();
        let read_streams = self.protocol.can_write();
        let from_link = async {
            match &mut self.link {
                Some(link) => link.next(&self.faults, read_link).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            news = from_link => Turn::Link(news),
            news = self.streams.next(read_streams) => Turn::Streams(news),
            Some(order) = self.orders.recv() => Turn::Order(order),
            Ok(()) = self.faults_in_force.changed() => Turn::Faults,
            Ok(()) = self.death.changed() => Turn::Clock,
            () = sleep_until(deadline) => Turn::Clock,
        }
    }

    fn handle(&mut self, turn: Turn) {
        let now = Instant::now();
        match turn {
            // Frames that arrived are taken, and room for more is used, before the next wait.
            Turn::Link(link::News::Arrived | link::News::Sent) => {}
            Turn::Link(link::News::Lost(why)) => self.lose_link(&why, now),
            Turn::Streams(news) => self.handle_streams(news),
            Turn::Order(order) => self.handle_order(order, now),
            Turn::Faults => {
                self.faults = self.faults_in_force.borrow_and_update().clone();
                self.streams.redial(self.faults.dial);
            }
            Turn::Clock => self.handle_timeout(now),
        }
        self.cut_if_due(now);
    }

    /// Takes what arrived, acts on what the protocol says, gives the link what is to be sent.
    fn pump(&mut self) {
        let now = Instant::now();
        self.die_if_due(now);
        self.take_frames(now);
        while let Some(event) = self.protocol.poll_event() {
            self.handle_event(event, now);
        }
        while !self.dead && self.link.as_ref().is_some_and(Link::has_room) {
            let Some(frame) = self.protocol.poll_transmit(now.into_std()) else {
                break;
            };
            self.send(frame, now);
        }
        let connected = self.streams.connected();
        if connected != self.connected {
            self.connected = connected;
            self.update(|session| session.streams = connected);
        }
    }

    fn take_frames(&mut self, now: Instant) {
        while let Some(link) = &mut self.link
            && (self.dead || self.protocol.accepts_input())
            && let Some(frame) = link.take()
        {
            if self.dead {
                continue;
            }
            if frames::message_type(&frame) == b"input_stream_data" {
                self.last_input = now;
            }
            if self.faults.zombie == Zombie::Mute {
                continue;
            }
            if let Err(error) = self.protocol.handle_input(frame, now.into_std()) {
                tracing::debug!(session = self.id, %error, "frame ignored");
                self.update(|session| session.rejected += 1);
            }
        }
    }

    /// Sends a frame of the agent's to the client, unless the handshake is disturbed.
    fn send(&mut self, frame: Bytes, now: Instant) {
        if !self.ready && self.is_queued() {
            return;
        }
        let Some(link) = &mut self.link else { return };
        let mut not_before = None;
        if !self.ready {
            let is_request = frames::payload_type(&frame) == Some(frames::HANDSHAKE_REQUEST);
            match &self.faults.handshake {
                Handshake::Never | Handshake::Output(_) => return,
                Handshake::Lost if is_request && !self.request_lost => {
                    self.request_lost = true;
                    return;
                }
                Handshake::Twice if is_request => link.send(&self.faults, frame.clone(), None, now),
                Handshake::Delay(time) => not_before = Some(link.since + *time),
                Handshake::Normal | Handshake::Lost | Handshake::Twice | Handshake::Closed(_) => {}
            }
        }
        link.send(&self.faults, frame, not_before, now);
    }

    fn handle_event(&mut self, event: Event, now: Instant) {
        let asleep = self.dead || self.faults.zombie == Zombie::Acks;
        match event {
            Event::Ready { .. } => self.initialise(now),
            Event::Opened(id) => {
                self.update(|session| session.opened += 1);
                if !asleep {
                    self.streams.open(id, self.faults.dial);
                }
            }
            Event::Readable(id) if asleep => self.discard(id),
            Event::Readable(id) => self.streams.deliver(&mut self.protocol, id),
            Event::Finished(_) if asleep => {}
            Event::Finished(id) => self.streams.handle_finished(&mut self.protocol, id),
            Event::TerminateRequested => {
                self.update(|session| session.terminate_flags += 1);
                if !self.faults.ignore_terminate {
                    self.end_at(now + TERMINATION, End::Flag, Some(String::new()));
                }
            }
            Event::Failed(failure) => self.fail(&failure, now),
            // Only a client hears these.
            Event::Refused(_) | Event::Answered(_) | Event::Unresponsive | Event::Closed { .. } => {
            }
        }
    }

    /// The port plugin's start: the name is resolved, once for the whole session.
    fn initialise(&mut self, now: Instant) {
        self.ready = true;
        self.update(|session| session.ready = true);
        let destination = &self.world.script().destination;
        match destination.resolve(&self.document.host, self.document.port) {
            Ok(address) => self.streams.resolved(address, self.faults.dial),
            Err(text) => self.end_at(now + INITIALISATION, End::Failed(text.clone()), Some(text)),
        }
    }

    fn fail(&mut self, failure: &Failure, now: Instant) {
        let text = match failure {
            Failure::HandshakeTimeout => service::HANDSHAKE_TIMED_OUT.to_owned(),
            other => other.to_string(),
        };
        self.end_at(now, End::Failed(text.clone()), Some(text));
    }

    fn handle_streams(&mut self, news: streams::News) {
        match news {
            streams::News::Read(bytes) => {
                let mut next = Some(bytes);
                while let Some(bytes) = next {
                    if self.faults.zombie != Zombie::Acks {
                        self.streams.handle_read(&mut self.protocol, bytes);
                    }
                    let more = self.protocol.can_write();
                    next = more.then(|| self.streams.try_read()).flatten();
                }
            }
            streams::News::Dialled(id, result) => {
                if !self
                    .streams
                    .handle_dialled(&mut self.protocol, id, result, self.faults.dial)
                {
                    self.update(|session| session.refused += 1);
                }
            }
            streams::News::Room => self.streams.deliver_blocked(&mut self.protocol),
            streams::News::Nothing => {}
        }
    }

    fn discard(&mut self, id: StreamId) {
        while self.protocol.read(id).is_some() {}
    }

    /// The agent serves as many sessions as it can, and until one of them ends hears of no other.
    fn is_queued(&self) -> bool {
        let Some(limit) = self.world.script().session_limit else {
            return false;
        };
        let state = self.world.core.state();
        let sessions = state.sessions.iter().map(|entry| &entry.public);
        let mut earlier = Vec::new();
        for session in sessions {
            if session.id == self.id {
                let is_beside =
                    |other: &&Session| other.is_active() && other.target == session.target;
                return earlier.into_iter().filter(is_beside).count() >= limit;
            }
            earlier.push(session);
        }
        false
    }

    fn update(&self, alter: impl FnOnce(&mut Session)) {
        self.world.core.change(|state| {
            let mut sessions = state.sessions.iter_mut().map(|entry| &mut entry.public);
            sessions.find(|session| session.id == self.id).map(alter)
        });
    }
}

//! The service's half of a session: its links, its deadlines, its end.

use std::time::Duration;

use tokio::time::Instant;

use super::{Actor, link::Link};
use crate::sim::{
    faults::{Command, Cut, Death, Handshake},
    frames,
    gateway::Upgraded,
    session::{End, ToAgent},
};

/// The agent's patience for a HandshakeResponse, from the moment the session was started (reference agent).
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(15);

/// The agent's words when that is over.
pub(super) const HANDSHAKE_TIMED_OUT: &str = "Handshake timed out. Please ensure that you have the latest version of the session manager plugin.";

/// The service's words for an idle session.
const IDLE: &str = "Your session timed out due to inactivity and has been terminated.";

/// A decided end.
pub(super) struct Ending {
    at: Instant,
    why: End,
    /// `channel_closed`'s `Output`.
    output: Option<String>,
}

impl Actor {
    pub fn is_over(&self) -> bool {
        let now = Instant::now();
        self.ending.as_ref().is_some_and(|ending| ending.at <= now)
    }

    /// Decides the end, unless an earlier one is decided.
    pub fn end_at(&mut self, at: Instant, why: End, output: Option<String>) {
        if self.ending.as_ref().is_none_or(|old| at < old.at) {
            self.ending = Some(Ending { at, why, output });
        }
    }

    /// Tells the client and the world.
    pub fn finish(mut self) {
        let now = Instant::now();
        let Some(Ending { why, output, .. }) = self.ending.take() else {
            return;
        };
        tracing::debug!(session = self.id, ?why, "session ended");
        self.update(|session| {
            session.ended.get_or_insert((now, why));
            session.linked = false;
            session.streams = 0;
        });
        if let Some(mut link) = self.link.take() {
            let wall = self.world.core.wall(now);
            let form = self.faults.closed_form;
            link.send_untouched(frames::channel_closed(
                &self.id,
                output.as_deref(),
                form,
                wall,
            ));
            self.note_end(link.index, "the session ended");
            self.world.core.spawn(link.farewell(1000, "Bye".to_owned()));
        }
    }

    pub fn handle_order(&mut self, order: ToAgent, now: Instant) {
        match order {
            ToAgent::Attach(socket, index) => self.attach(*socket, index, now),
            ToAgent::Resumed => self.last_input = now,
            ToAgent::Terminate => self.end_at(now, End::Api, Some(String::new())),
            ToAgent::Command(Command::Cut(cut)) => self.cut(&cut, now),
            ToAgent::Command(Command::End(output)) => self.end_at(now, End::Commanded, output),
            ToAgent::Command(Command::Inject(frame)) => {
                if let Some(link) = &mut self.link {
                    link.send_untouched(frame);
                }
            }
            ToAgent::Command(Command::PauseClient { start }) => {
                let frame = frames::publication(start, self.world.core.wall(now));
                if let Some(link) = &mut self.link {
                    link.send_untouched(frame);
                }
            }
            ToAgent::Command(Command::PauseAgent { start }) => {
                let frame = frames::publication(start, self.world.core.wall(now));
                let taken = self.protocol.handle_input(frame, now.into_std());
                debug_assert!(taken.is_ok(), "the frame is well formed");
            }
        }
    }

    /// A new link takes the place of the one before.
    fn attach(&mut self, socket: Upgraded, index: usize, now: Instant) {
        self.lose_link("replaced by a newer link", now);
        let seed = self.faults.seed.wrapping_add(index as u64);
        let mut link = Link::new(socket, index, self.world.script().fragment, seed);
        match &self.faults.handshake {
            Handshake::Output(bytes) if !self.ready => {
                let wall = self.world.core.wall(now);
                link.send_untouched(frames::output(0, frames::OUTPUT, bytes, wall));
            }
            Handshake::Closed(text) if !self.ready => {
                let text = text.clone();
                self.end_at(now, End::Failed(text.clone()), Some(text));
            }
            _ => {}
        }
        self.link = Some(link);
        self.last_input = now;
        self.protocol.handle_connected(now.into_std());
        self.update(|session| {
            session.links += 1;
            session.linked = true;
        });
    }

    pub fn lose_link(&mut self, why: &str, now: Instant) {
        if let Some(link) = self.link.take() {
            tracing::debug!(session = self.id, why, "link lost");
            self.note_end(link.index, why);
            self.protocol.handle_disconnected(now.into_std());
            self.update(|session| session.linked = false);
        }
    }

    fn note_end(&self, index: usize, why: &str) {
        self.world.core.change(|state| {
            state.links[index].ended.get_or_insert(why.to_owned());
        });
    }

    pub fn cut_if_due(&mut self, now: Instant) {
        if let (Some(link), Some((after, cut))) = (&self.link, &self.faults.cut_after)
            && link.messages >= *after
        {
            let cut = cut.clone();
            self.cut(&cut, now);
        }
    }

    fn cut(&mut self, cut: &Cut, now: Instant) {
        let Some(mut link) = self.link.take() else {
            return;
        };
        self.note_end(link.index, &format!("cut: {cut:?}"));
        self.protocol.handle_disconnected(now.into_std());
        self.update(|session| session.linked = false);
        match cut {
            Cut::Bye => self.world.core.spawn(link.farewell(1000, "Bye".to_owned())),
            Cut::Close(code, reason) => self.world.core.spawn(link.farewell(*code, reason.clone())),
            Cut::Drop => {}
            Cut::Reset => link.reset(),
            Cut::HalfOpen => {
                link.freeze();
                self.link = Some(link);
            }
        }
    }

    /// The earliest of everything that is due some time.
    pub fn next_deadline(&self) -> Instant {
        let protocol = self.protocol.poll_timeout().map(Instant::from_std);
        let deadlines = [
            protocol.filter(|_| !self.dead),
            self.link.as_ref().and_then(Link::next_arrival),
            self.link_deadline(),
            self.handshake_deadline(),
            self.death_at(),
            self.ending.as_ref().map(|ending| ending.at),
        ];
        let earliest = deadlines.into_iter().flatten().min();
        let idle = self.idle_deadline();
        earliest.map_or(idle, |earliest| earliest.min(idle))
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if !self.dead {
            self.protocol.handle_timeout(now.into_std());
        }
        if let Some(link) = &mut self.link {
            link.handle_timeout(now);
        }
        if self.link_deadline().is_some_and(|at| at <= now) {
            self.cut(&Cut::Bye, now);
        }
        if self.handshake_deadline().is_some_and(|at| at <= now) {
            let text = HANDSHAKE_TIMED_OUT.to_owned();
            self.end_at(now, End::Failed(text.clone()), Some(text));
        }
        if self.idle_deadline() <= now {
            self.end_at(now, End::Idle, Some(IDLE.to_owned()));
        }
    }

    /// The task is gone, and nobody says so unless the script wants it.
    pub fn die_if_due(&mut self, now: Instant) {
        if self.death_at().is_none_or(|at| at > now) {
            return;
        }
        self.dead = true;
        self.streams.clear();
        if self.world.script().death == Death::Announced {
            self.end_at(now, End::Died, Some(String::new()));
        }
    }

    fn idle_deadline(&self) -> Instant {
        self.last_input + self.world.script().idle_timeout
    }

    fn link_deadline(&self) -> Option<Instant> {
        let link = self.link.as_ref().filter(|link| !link.is_frozen())?;
        Some(link.since + self.world.script().link_lifetime?)
    }

    /// None while the agent is not one that shakes hands.
    fn handshake_deadline(&self) -> Option<Instant> {
        let mute = matches!(
            self.faults.handshake,
            Handshake::Never | Handshake::Output(_)
        );
        let waits = !self.ready && !self.dead && !mute;
        let waits = waits && !self.is_queued();
        waits.then(|| self.started + HANDSHAKE_LIMIT)
    }

    fn death_at(&self) -> Option<Instant> {
        self.death.borrow().filter(|_| !self.dead)
    }
}

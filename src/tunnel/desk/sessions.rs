//! A tunnel's sessions, from its side: opening, watching, letting go.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{self, JoinError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::Tunnel;
use crate::bastion::{Going, Lease};
use crate::config::Via;
use crate::status::Reason;
use crate::tunnel::claim::Claim;
use crate::tunnel::conn::Accepted;
use crate::tunnel::containers::Seat;
use crate::tunnel::placement::{self, Candidate, Stage};
use crate::tunnel::reason;
use crate::tunnel::remote;
use crate::tunnel::session::{self, Context, Ended, Mailbox};
use crate::tunnel::view::{Phase, Publisher, View};

/// Connections on their way to a session's task.
const MAX_PLACED: usize = 64;
/// A dial that shows nothing for so long is worth a look at the task behind it.
pub const DOUBT_AFTER: Duration = Duration::from_secs(5);
/// How often the task is doubted at most.
const DOUBT_INTERVAL: Duration = Duration::from_secs(10);
/// So many refusals in a row are more than a chance.
const REFUSALS: u64 = 2;
/// How often a session is left for them: a database that is down is no reason for many.
const ROTATE_INTERVAL: Duration = Duration::from_secs(30);

/// One session, from the tunnel's side.
pub struct Slot {
    pub(super) placed: mpsc::Sender<Accepted>,
    pub(super) end: CancellationToken,
    /// Its place in the container that it goes through.
    pub(super) seat: Seat,
    pub(super) view: watch::Receiver<View>,
    /// It takes nothing new: its task is going away, or it was told to end.
    pub(super) leaving: bool,
    /// Since when the dial was silent that was last warned of.
    warned_of: Option<Instant>,
    /// It was connected when last looked at.
    connected: bool,
    /// How long it took to connect is on record.
    counted: bool,
    /// Connections that had got through when last looked at, and those that were refused.
    reached: u64,
    refused: u64,
    /// Refusals when a connection last got through.
    refused_before: u64,
    /// Connections it was given.
    pub(super) handed: u64,
}

impl Slot {
    /// It ends now, and whoever is connected through it is reset.
    pub(super) fn cut(&mut self, reason: &Reason) {
        self.leaving = true;
        self.end.cancel();
        let open = self.view.borrow().connections;
        if open > 0 {
            reason::log_reset(reason, open);
        }
    }
}

impl Tunnel {
    /// Start one in the container with fewest, if any bears another.
    pub(super) fn start_session(&mut self) {
        let seat = match self.seat() {
            Ok(seat) => seat,
            Err(full) => return tracing::debug!(?full, "there is no place for another session"),
        };
        let target = seat.target().to_owned();
        self.shared.starting.notify_one();
        let key = self.next_key;
        self.next_key += 1;
        let (placed, receiver) = mpsc::channel(MAX_PLACED);
        let end = CancellationToken::new();
        let view = Publisher::new(
            key,
            remote::unresolved(&self.config.remote),
            Arc::clone(&self.views_changed),
        );
        let slot = Slot {
            placed,
            end: end.clone(),
            seat,
            view: view.subscribe(),
            leaving: false,
            warned_of: None,
            connected: false,
            counted: false,
            reached: 0,
            refused: 0,
            refused_before: 0,
            handed: 0,
        };
        self.sessions.insert(key, slot);
        let context = Context {
            aws: self.shared.aws.clone(),
            net: self.shared.net.clone(),
            state: self.shared.state.clone(),
            tunnel: Arc::clone(&self.config),
            target,
            counters: Arc::clone(&self.counters),
            reason: format!(
                "bastiond: tunnel {} of {}",
                self.config.name, self.shared.user
            ),
            changes: self.shared.changes.clone(),
        };
        let mailbox = Mailbox {
            placed: receiver,
            end,
            view,
        };
        let session =
            session::run(context, mailbox).instrument(tracing::info_span!("session", key));
        let task = self.tasks.spawn(session);
        self.keys.insert(task.id(), key);
    }

    /// A session's task has ended, well or by a fault of ours.
    pub(super) fn joined(&mut self, joined: Result<(task::Id, Ended), JoinError>) {
        let id = match &joined {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let Some(key) = self.keys.remove(&id) else {
            return;
        };
        let ended = joined.map(|(_, ended)| ended);
        self.ended(
            key,
            ended.unwrap_or_else(|error| {
                tracing::error!(%error, "a session's task broke");
                Ended::broken()
            }),
        );
    }

    /// A session's view has changed.
    pub(super) fn look(&mut self) {
        let mut works = false;
        let mut errors = Vec::new();
        let mut connected_after = Vec::new();
        for slot in self.sessions.values_mut() {
            let view = slot.view.borrow_and_update().clone();
            let connected = view.phase == Phase::Connected;
            let was_connected = std::mem::replace(&mut slot.connected, connected);
            works |= connected && !was_connected;
            if connected && !was_connected {
                slot.seat.works();
            }
            if connected && !was_connected && !std::mem::replace(&mut slot.counted, true) {
                connected_after.push(view.since.saturating_duration_since(view.started));
            }
            if view.reached > slot.reached {
                (slot.reached, slot.refused_before) = (view.reached, view.refused);
                (self.failures, self.cooling, works) = (0, None, true);
            }
            if view.refused > std::mem::replace(&mut slot.refused, view.refused) {
                errors.push(reason::refused(&view.remote, view.refused_after));
            }
            if let Phase::Resuming(reason) = &view.phase
                && reason.is_login()
            {
                errors.push(reason.clone());
            }
        }
        if let Via::Bastion(name) = &self.config.via {
            for took in connected_after {
                let ms = took.as_millis() as u64;
                self.shared.state.record_connecting(name, ms);
            }
        }
        if works {
            self.board.send_modify(|board| board.last_error = None);
        }
        errors.into_iter().for_each(|error| self.trouble(error));
        self.rotate();
        self.doubt();
    }

    /// Connections are refused, or nobody is signed in: say so. Whoever waits for the person to sign
    /// in is told at once.
    fn trouble(&mut self, error: Reason) {
        tracing::warn!(error = %error.message, "a tunnel is in trouble");
        match error.is_login() {
            true => self.refuse_waiting(&error),
            false => self.note_error(error),
        }
    }

    /// The agent resolves the host once a session. After a fail-over it dials an address that has
    /// gone: refusals in a row send newcomers to a new session, now and then.
    fn rotate(&mut self) {
        let now = Instant::now();
        if self.rotated_at.is_some_and(|at| now < at + ROTATE_INTERVAL) {
            return;
        }
        for slot in self.sessions.values_mut().filter(|slot| !slot.leaving) {
            if slot.refused - slot.refused_before >= REFUSALS {
                tracing::info!("connections are refused; the next goes to a new session");
                slot.leaving = true;
                self.rotated_at = Some(now);
            }
        }
    }

    /// A lost link or a silent dial may mean that the task has died: AWS is asked, now and then.
    pub(super) fn doubt(&mut self) {
        let now = Instant::now();
        self.warn_of_silence(now);
        let is_doubtful = |slot: &Slot| {
            let view = slot.view.borrow();
            let silent = view
                .unresolved_since
                .is_some_and(|since| since + DOUBT_AFTER <= now);
            silent || matches!(view.phase, Phase::Resuming(_))
        };
        let recently = self.doubted_at.is_some_and(|at| now < at + DOUBT_INTERVAL);
        if !recently && self.sessions.values().any(is_doubtful) {
            self.doubted_at = Some(now);
            if let Some(bastion) = &self.bastion {
                bastion.doubt();
            }
        }
    }

    /// Say once of each dial that hangs that it does; the status says so for as long as it lasts.
    fn warn_of_silence(&mut self, now: Instant) {
        for (key, slot) in &mut self.sessions {
            let since = slot.view.borrow().unresolved_since;
            let silent = since.filter(|since| *since + DOUBT_AFTER <= now);
            if let Some(since) = silent
                && slot.warned_of != Some(since)
            {
                slot.warned_of = Some(since);
                let reason = reason::no_answer(&slot.view.borrow().remote, now - since);
                tracing::warn!(session = key, error = %reason.message, hint = reason.hint, "a connection hangs");
            }
        }
    }

    /// The task goes away: nothing new is placed on it. What is open lasts as long as the task; whoever is connected
    /// will want another.
    pub(super) fn lose_lease(&mut self, going: Going) {
        let Claim::Held(lease) = std::mem::replace(&mut self.claim, Claim::None) else {
            return;
        };
        let is_in_use = self.is_in_use();
        for slot in self.sessions.values_mut() {
            slot.leaving = true;
        }
        if going.stopped {
            self.end_sessions_on(&lease, &going.reason);
        } else {
            self.departing.push(lease);
        }
        // A task that nobody used is nobody's loss.
        if is_in_use {
            tracing::warn!(reason = %going.reason.message, stopped = going.stopped, "the bastion task is going away");
            self.note_error(going.reason);
            self.claim = Claim::ask(self.bastion.as_ref(), None);
        }
    }

    /// A task that was going away has gone, and with it what was still open.
    pub(super) fn task_has_gone(&mut self, index: usize, going: Going) {
        let lease = self.departing.swap_remove(index);
        if self.is_in_use() {
            tracing::warn!(reason = %going.reason.message, "the bastion task has gone");
        }
        self.end_sessions_on(&lease, &going.reason);
    }

    fn end_sessions_on(&mut self, lease: &Lease, reason: &Reason) {
        let sessions = self.sessions.values_mut();
        sessions
            .filter(|slot| lease.is_on(slot.seat.target()))
            .for_each(|slot| slot.cut(reason));
    }

    /// Whether anybody is connected.
    pub(super) fn is_in_use(&self) -> bool {
        self.candidates()
            .iter()
            .any(|candidate| candidate.connections > 0)
    }

    fn ended(&mut self, key: u64, ended: Ended) {
        let slot = self.sessions.remove(&key);
        for accepted in ended.unplaced.into_iter().rev() {
            self.waiting.push_front(accepted);
        }
        if !self.sessions.values().any(|slot| slot.leaving) {
            for reply in self.ending.drain(..) {
                let _ = reply.send(Ok(()));
            }
        }
        let Some(reason) = ended.reason else { return };
        if ended.reached {
            // One that AWS ended while nobody was connected is nobody's loss.
            if ended.lost > 0 {
                self.note_error(reason);
            }
            return;
        }
        if let Some(slot) = slot.filter(|_| ended.settled)
            && self.met_limit(&slot, &reason)
        {
            return;
        }
        if let (true, Some(bastion)) = (ended.unreachable, &self.bastion) {
            // The task may have ended in this very moment, or its agent may never come: the bastion finds out, and
            // those who wait take what is there then.
            bastion.unreachable();
            self.claim = Claim::None;
            return;
        }
        if reason.code != "session_idle_timeout" {
            self.cool_down(reason);
        }
    }

    /// End what nobody has used for a while, then give up the lease.
    pub(super) fn let_go(&mut self) {
        let now = Instant::now().into_std();
        for key in placement::expired(&self.candidates(), self.config.session_linger, now) {
            if let Some(slot) = self.sessions.get_mut(&key) {
                tracing::info!(session = key, "ending the idle session");
                slot.leaving = true;
                slot.end.cancel();
            }
        }
        self.give_way();
        for slot in self.sessions.values().filter(|slot| slot.leaving) {
            if slot.candidate(0).connections == 0 {
                slot.end.cancel();
            }
        }
        let sessions = &self.sessions;
        self.departing.retain(|lease| {
            sessions
                .values()
                .any(|slot| lease.is_on(slot.seat.target()))
        });
        let idle = self.sessions.is_empty() && self.waiting.is_empty() && self.warming.is_empty();
        if idle {
            self.claim = Claim::None;
        }
    }

    pub(super) fn end_sessions(&mut self, reason: &Reason) {
        self.sessions.values_mut().for_each(|slot| slot.cut(reason));
    }

    pub(super) fn candidates(&self) -> Vec<Candidate> {
        self.sessions
            .iter()
            .map(|(key, slot)| slot.candidate(*key))
            .collect()
    }
}

impl Slot {
    /// The view, corrected by what has been placed since it was published.
    pub(super) fn candidate(&self, key: u64) -> Candidate {
        let view = self.view.borrow();
        let on_its_way = (self.handed - view.attached) as usize;
        let mut candidate = view.candidate(key);
        candidate.connections += on_its_way;
        candidate.unresolved += on_its_way;
        if on_its_way > 0 {
            candidate.idle_since = None;
        }
        if self.leaving {
            candidate.stage = Stage::Leaving;
        }
        candidate
    }
}

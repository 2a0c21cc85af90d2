//! A tunnel's sessions, from its side: opening, watching, letting go.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::Tunnel;
use crate::bastion::Going;
use crate::tunnel::claim::Claim;
use crate::tunnel::conn::Accepted;
use crate::tunnel::placement::{self, Candidate, Stage};
use crate::tunnel::reason;
use crate::tunnel::session::{self, Context, Ended, Mailbox};
use crate::tunnel::view::{Phase, Publisher, View};

/// Connections on their way to a session's task.
const MAX_PLACED: usize = 64;
/// A dial that shows nothing for so long is worth a look at the task behind it.
pub const DOUBT_AFTER: Duration = Duration::from_secs(5);
/// How often the task is doubted at most.
const DOUBT_INTERVAL: Duration = Duration::from_secs(10);

/// One session, from the tunnel's side.
pub struct Slot {
    pub(super) placed: mpsc::Sender<Accepted>,
    end: CancellationToken,
    pub(super) view: watch::Receiver<View>,
    /// It takes nothing new: its task is going away, or it was told to end.
    leaving: bool,
    /// It was connected when last looked at.
    connected: bool,
    /// Connections that had got through when last looked at, and those that were refused.
    reached: u64,
    refused: u64,
}

impl Tunnel {
    pub(super) fn start_session(&mut self, target: String) {
        self.shared.starting.notify_one();
        let key = self.next_key;
        self.next_key += 1;
        let (placed, receiver) = mpsc::channel(MAX_PLACED);
        let end = CancellationToken::new();
        let view = Publisher::new(Arc::clone(&self.views_changed));
        let slot = Slot {
            placed,
            end: end.clone(),
            view: view.subscribe(),
            leaving: false,
            connected: false,
            reached: 0,
            refused: 0,
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
        };
        let mailbox = Mailbox {
            placed: receiver,
            end,
            view,
        };
        let session = async move { (key, session::run(context, mailbox).await) };
        self.tasks
            .spawn(session.instrument(tracing::info_span!("session", key)));
    }

    /// A session's view has changed.
    pub(super) fn look(&mut self) {
        let mut errors = Vec::new();
        let mut works = false;
        for slot in self.sessions.values_mut() {
            let view = slot.view.borrow_and_update();
            if view.phase == Phase::Connected {
                (self.failures, self.cooling, self.gave_up_lease) = (0, None, false);
            }
            let connected = view.phase == Phase::Connected;
            works |= connected && !std::mem::replace(&mut slot.connected, connected);
            works |= view.reached > std::mem::replace(&mut slot.reached, view.reached);
            if view.refused > slot.refused {
                slot.refused = view.refused;
                let host = self.config.host.as_deref().unwrap_or("localhost");
                errors.push(reason::refused(host, self.config.port));
            }
        }
        if works {
            self.board.send_modify(|board| board.last_error = None);
        }
        for error in errors {
            tracing::warn!(error = %error.message, "connection refused by the far side");
            self.note_error(error);
        }
        self.doubt();
    }

    /// A lost link or a silent dial may mean that the task has died: AWS is asked, now and then.
    pub(super) fn doubt(&mut self) {
        let now = Instant::now();
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

    /// The task goes away: nothing new is placed on it. What is open lasts as long as the task.
    pub(super) fn lose_lease(&mut self, going: Going) {
        self.claim = Claim::None;
        for slot in self.sessions.values_mut() {
            slot.leaving = true;
            if going.stopped {
                slot.end.cancel();
            }
        }
        if !self.sessions.is_empty() {
            tracing::warn!(reason = %going.reason.message, stopped = going.stopped, "the bastion task is going away");
            self.note_error(going.reason);
        }
    }

    pub(super) fn ended(&mut self, key: u64, ended: Ended) {
        self.sessions.remove(&key);
        for accepted in ended.unplaced.into_iter().rev() {
            self.waiting.push_front(accepted);
        }
        if self.sessions.is_empty() {
            for reply in self.ending.drain(..) {
                let _ = reply.send(Ok(()));
            }
        }
        let Some(reason) = ended.reason else { return };
        // An idle session that AWS ended is nobody's loss.
        if reason.code != "session_idle_timeout" {
            self.note_error(reason.clone());
        }
        if ended.was_connected {
            return;
        }
        if let (true, Some(bastion), false) = (ended.unreachable, &self.bastion, self.gave_up_lease)
        {
            // The task may have ended in this very moment: look, and take what is there then.
            self.gave_up_lease = true;
            bastion.doubt();
            self.claim = Claim::None;
            return;
        }
        self.cool_down(reason);
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
        for slot in self.sessions.values().filter(|slot| slot.leaving) {
            if slot.candidate(0).connections == 0 {
                slot.end.cancel();
            }
        }
        let idle = self.sessions.is_empty() && self.waiting.is_empty() && self.warming.is_empty();
        if idle {
            self.claim = Claim::None;
        }
    }

    pub(super) fn end_sessions(&mut self) {
        for slot in self.sessions.values_mut() {
            slot.leaving = true;
            slot.end.cancel();
        }
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
        let on_its_way = self.placed.max_capacity() - self.placed.capacity();
        let mut candidate = self.view.borrow().candidate(key);
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

//! The task of a tunnel: takes connections in, finds each a session, and clears up after both.

mod room;
mod sessions;
mod upkeep;
mod waiting;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{self, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use room::Shortage;
use sessions::{DOUBT_AFTER, Slot};
use waiting::Cooling;

use super::board::Board;
use super::claim::{self, Claim, News};
use super::conn::{Accepted, Counters};
use super::placement::{self, Choice};
use super::session::Ended;
use super::{Command, Shared};
use crate::bastion::{self, Lease};
use crate::config::{self, Via};
use crate::status::{Problem, Reason};

/// Connections held while there is no session; a pool that asks for more has to wait to be accepted.
const MAX_WAITING: usize = 512;
/// What sessions are given to end at shutdown. A StartSession under way is awaited and undone: it
/// takes ten seconds at most, and as much again when the network has just gone.
const END_PATIENCE: Duration = Duration::from_secs(20);

/// What comes to the tunnel.
pub struct Inbox {
    /// Accepted connections.
    pub incoming: mpsc::Receiver<Accepted>,
    /// Requests.
    pub commands: mpsc::Receiver<Command>,
    /// The listeners' tasks.
    pub listeners: JoinSet<()>,
    /// Ends them.
    pub closing: CancellationToken,
    /// Cancelled when the daemon ends.
    pub cancel: CancellationToken,
}

/// See the module.
pub struct Tunnel {
    config: Arc<config::Tunnel>,
    bastion: Option<bastion::Handle>,
    shared: Shared,
    counters: Arc<Counters>,
    board: watch::Sender<Board>,
    inbox: Inbox,
    claim: Claim,
    waiting: VecDeque<Accepted>,
    /// Who waits for `up`, and for `down`.
    warming: Vec<oneshot::Sender<Result<(), Problem>>>,
    ending: Vec<oneshot::Sender<Result<(), Problem>>>,
    /// Who waits for `reset`.
    resetting: Vec<oneshot::Sender<Result<(), Problem>>>,
    sessions: BTreeMap<u64, Slot>,
    tasks: JoinSet<Ended>,
    views_changed: Arc<Notify>,
    next_key: u64,
    /// Connections are refused for a while.
    cooling: Option<Cooling>,
    failures: u32,
    /// Leases on tasks that are going away, with sessions still open.
    departing: Vec<Lease>,
    /// Changes when somebody has signed in.
    renewed: watch::Receiver<u64>,
    doubted_at: Option<Instant>,
    /// When a session was last left because its connections were refused.
    rotated_at: Option<Instant>,
    /// Which session a task carries.
    keys: HashMap<task::Id, u64>,
    /// Since when nothing more is accepted, and whether all that was accepted is here.
    closing_since: Option<Instant>,
    is_cut_off: bool,
    /// Changes when a place in a container has become free, or is wanted.
    places: watch::Receiver<()>,
    /// Somebody waits for such a place.
    shortage: Option<Shortage>,
}

impl Tunnel {
    /// A tunnel at rest.
    pub fn new(
        config: Arc<config::Tunnel>,
        bastion: Option<bastion::Handle>,
        shared: Shared,
        counters: Arc<Counters>,
        board: watch::Sender<Board>,
        inbox: Inbox,
    ) -> Self {
        Self {
            renewed: shared.aws.renewed(),
            places: shared.containers.changes(),
            shortage: None,
            config,
            bastion,
            shared,
            counters,
            board,
            inbox,
            claim: Claim::None,
            waiting: VecDeque::new(),
            warming: Vec::new(),
            ending: Vec::new(),
            resetting: Vec::new(),
            sessions: BTreeMap::new(),
            tasks: JoinSet::new(),
            views_changed: Arc::default(),
            next_key: 0,
            cooling: None,
            failures: 0,
            departing: Vec::new(),
            doubted_at: None,
            rotated_at: None,
            keys: HashMap::new(),
            closing_since: None,
            is_cut_off: false,
        }
    }

    /// Serve until cancelled; then let what is open finish, and end the rest.
    pub async fn run(mut self) {
        let cancel = self.inbox.cancel.clone();
        loop {
            self.place();
            self.renew();
            self.let_go();
            self.answer_resetting();
            self.publish();
            if self.is_closed() {
                break;
            }
            let has_room = self.waiting.len() < MAX_WAITING && !self.is_cut_off;
            let deadline = self.next_deadline();
            tokio::select! {
                () = cancel.cancelled() => break,
                accepted = self.inbox.incoming.recv(), if has_room => match accepted {
                    Some(accepted) => self.waiting.push_back(accepted),
                    None => self.is_cut_off = true,
                },
                news = self.claim.news() => self.follow(news),
                (index, going) = claim::gone(&mut self.departing) => self.task_has_gone(index, going),
                () = self.views_changed.notified() => self.look(),
                Some(joined) = self.tasks.join_next_with_id() => self.joined(joined),
                Some(command) = self.inbox.commands.recv() => self.obey(command),
                Ok(()) = self.renewed.changed() => self.signed_in(),
                Ok(()) = self.places.changed() => {}
                () = sleep_until(deadline) => self.expire(),
            }
        }
        self.shut_down().await;
    }

    /// Find sessions for those who wait.
    fn place(&mut self) {
        let shortage = self.shortage.take();
        while !self.waiting.is_empty() || !self.warming.is_empty() {
            let (max_age, now) = (self.config.max_session_age, Instant::now().into_std());
            match placement::place(&self.candidates(), max_age, self.has_room(), now) {
                Choice::Use(key) => {
                    self.answer_warming(Ok(()));
                    if !self.hand_over(key) {
                        return;
                    }
                }
                Choice::Open => {
                    // Those who have gone away need no session.
                    self.waiting.retain(|accepted| !accepted.has_left());
                    match self.waiting.is_empty() && self.warming.is_empty() {
                        true => break,
                        false => return self.open(),
                    }
                }
                Choice::Wait => return,
                Choice::Full => return self.fall_short(shortage),
            }
        }
        // Nobody waits for the bastion any more, nor will those who lose the present one.
        if matches!(self.claim, Claim::Asked(_)) && !self.is_in_use() {
            self.claim = Claim::None;
        }
    }

    /// Give the first in line to a session. `false` when there is none, or it cannot be taken now.
    fn hand_over(&mut self, key: u64) -> bool {
        let (Some(slot), Some(accepted)) = (self.sessions.get_mut(&key), self.waiting.pop_front())
        else {
            return false;
        };
        match slot.placed.try_send(accepted) {
            Ok(()) => {
                slot.handed += 1;
                true
            }
            Err(error) => {
                self.waiting.push_front(error.into_inner());
                false
            }
        }
    }

    fn open(&mut self) {
        if self.is_cooling()
            && let Some(cooling) = &self.cooling
        {
            let reason = cooling.reason.clone();
            return self.reset_waiting(&reason);
        }
        match &self.claim {
            Claim::Held(_) => self.start_session(),
            Claim::None => {
                let target = match &self.config.via {
                    Via::Target(target) => Some(target.as_str()),
                    Via::Bastion(_) => None,
                };
                self.claim = Claim::ask(self.bastion.as_ref(), target);
                if matches!(self.claim, Claim::Held(_)) {
                    self.open();
                }
            }
            Claim::Asked(_) => {}
        }
    }

    /// News of the bastion.
    fn follow(&mut self, news: News) {
        match news {
            News::Answer(Ok(lease)) => {
                self.claim = Claim::Held(lease);
                // The successor of a task that went away: what was wrong is mended.
                if !self.sessions.is_empty() {
                    self.board.send_modify(|board| board.last_error = None);
                }
            }
            News::Answer(Err(reason)) => {
                self.claim = Claim::None;
                self.refuse_waiting(&reason);
            }
            News::Going(going) => self.lose_lease(going),
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Up(reply) => {
                self.forget_failures();
                self.warming.push(reply);
            }
            Command::Restart(reply) => {
                self.forget_failures();
                self.end_sessions(&Reason::new("tunnel_restarted", "the tunnel is restarted"));
                self.warming.push(reply);
            }
            Command::Reset(reply) => {
                self.forget_failures();
                self.end_sessions(&Reason::new("tunnel_reset", "the tunnel was reset"));
                self.resetting.push(reply);
            }
            Command::Down(reply) => {
                let reason = Reason::new("tunnel_down", "the tunnel was taken down");
                self.reset_waiting(&reason);
                self.end_sessions(&reason);
                if let Some(bastion) = &self.bastion {
                    bastion.dismiss();
                }
                match self.sessions.is_empty() {
                    true => drop(reply.send(Ok(()))),
                    false => self.ending.push(reply),
                }
            }
            Command::Close => {
                self.closing_since.get_or_insert_with(Instant::now);
                self.inbox.closing.cancel();
            }
        }
    }

    /// Somebody wants it tried at once.
    fn forget_failures(&mut self) {
        self.cooling = None;
        if let Some(bastion) = &self.bastion {
            bastion.reset();
        }
    }

    /// Those who wait for a reset are answered when no connection is left on what was cut off. The sessions themselves
    /// may take longer: AWS is told of their end.
    fn answer_resetting(&mut self) {
        let has_connections = |slot: &sessions::Slot| slot.candidate(0).connections > 0;
        let mut cut = self.sessions.values().filter(|slot| slot.leaving);
        if !cut.any(has_connections) {
            for reply in self.resetting.drain(..) {
                let _ = reply.send(Ok(()));
            }
        }
    }

    /// Nothing more is accepted, and what was is done with, or has had its time.
    fn is_closed(&self) -> bool {
        let Some(since) = self.closing_since else {
            return false;
        };
        let is_done = self.is_cut_off && self.waiting.is_empty() && !self.is_in_use();
        is_done || since.elapsed() >= self.shared.drain
    }

    fn next_deadline(&self) -> Instant {
        let now = Instant::now();
        let candidates = self.candidates();
        let hold = self
            .waiting
            .front()
            .map(|accepted| accepted.at + self.config.hold_timeout);
        let linger = placement::next_deadline(
            &candidates,
            self.config.session_linger,
            self.config.max_session_age,
            now.into_std(),
        );
        let silent = candidates.iter().filter_map(|c| c.unresolved_since).min();
        let silent =
            silent.map(|since| (Instant::from_std(since) + DOUBT_AFTER).max(now + DOUBT_AFTER));
        let chance = match self.waiting.is_empty() {
            true => None,
            false => placement::next_chance(&candidates, now.into_std()),
        };
        let due = [
            hold,
            linger.map(Instant::from_std),
            silent,
            chance.map(Instant::from_std),
            self.cooling.as_ref().map(|cooling| cooling.until),
            self.closing_since.map(|since| since + self.shared.drain),
        ];
        due.into_iter()
            .flatten()
            .min()
            .unwrap_or(now + Duration::from_secs(3600))
    }

    fn publish(&mut self) {
        let now = Instant::now();
        let wanted = !self.waiting.is_empty() || !self.warming.is_empty();
        self.board.send_modify(|board| {
            board.waiting = self.waiting.len();
            board.starting_since = wanted.then(|| board.starting_since.unwrap_or(now));
            let was_idle = board.sessions.is_empty();
            board.sessions = self
                .sessions
                .iter()
                .map(|(key, slot)| (*key, slot.view.clone()))
                .collect();
            if was_idle != board.sessions.is_empty() {
                board.since = now;
            }
            board.target = self.claim.targets().first().cloned();
            board.full = self.shortage.as_ref().map(|it| it.reason.clone());
        });
    }

    async fn shut_down(mut self) {
        let now = Instant::now();
        self.board
            .send_modify(|board| (board.stopping, board.since) = (true, now));
        while self.inbox.listeners.join_next().await.is_some() {}
        let reason = Reason::new("shutting_down", "the daemon is shutting down");
        self.inbox.incoming.close();
        while self.inbox.incoming.recv().await.is_some() {}
        self.reset_waiting(&reason);
        let had = self.closing_since.map_or(Duration::ZERO, |at| at.elapsed());
        let drain = self.shared.drain.saturating_sub(had);
        let _ = timeout(drain, self.drained()).await;
        self.end_sessions(&reason);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(END_PATIENCE, ended).await.is_err() {
            tracing::warn!("sessions did not end in time");
            self.tasks.shutdown().await;
        }
    }

    /// Until no connection is open.
    async fn drained(&mut self) {
        while self.is_in_use() {
            self.views_changed.notified().await;
        }
    }
}

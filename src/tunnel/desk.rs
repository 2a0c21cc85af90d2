//! The task of a tunnel: takes connections in, finds each a session, and clears up after both.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::board::Board;
use super::claim::{Claim, News};
use super::conn::{Accepted, Counters};
use super::placement::{self, Candidate, Choice, Stage};
use super::reason;
use super::session::{self, Context, Ended, Mailbox};
use super::view::{Phase, Publisher, View};
use super::{Command, Shared};
use crate::bastion::{self, Going};
use crate::config::{self, Via};
use crate::status::{Problem, Reason};

/// Connections held while there is no session; a pool that asks for more has to wait to be accepted.
const MAX_WAITING: usize = 512;
/// Connections on their way to a session's task.
const MAX_PLACED: usize = 64;
/// After a session could not be started, connections are refused with the same words for so long:
/// a pool that reconnects in a loop must not become a loop of calls.
const COOL_DOWN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));
/// A dial that shows nothing for so long is worth a look at the task behind it.
const DOUBT_AFTER: Duration = Duration::from_secs(5);
/// How often the task is doubted at most.
const DOUBT_INTERVAL: Duration = Duration::from_secs(10);
/// What sessions are given to end at shutdown, the calls to AWS included.
const END_PATIENCE: Duration = Duration::from_secs(8);

/// What comes to the tunnel.
pub struct Inbox {
    /// Accepted connections.
    pub incoming: mpsc::Receiver<Accepted>,
    /// Requests.
    pub commands: mpsc::Receiver<Command>,
    /// The listeners' tasks.
    pub listeners: JoinSet<()>,
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
    sessions: BTreeMap<u64, Slot>,
    tasks: JoinSet<(u64, Ended)>,
    views_changed: Arc<Notify>,
    next_key: u64,
    /// Connections are refused until then, for this reason.
    cooling: Option<(Instant, Reason)>,
    failures: u32,
    /// The lease was already given up once because its target could not be reached.
    gave_up_lease: bool,
    doubted_at: Option<Instant>,
}

/// One session, from the tunnel's side.
struct Slot {
    placed: mpsc::Sender<Accepted>,
    end: CancellationToken,
    view: watch::Receiver<View>,
    /// It takes nothing new: its task is going away, or it was told to end.
    leaving: bool,
    /// Refusals that were reported already.
    refused: u64,
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
            sessions: BTreeMap::new(),
            tasks: JoinSet::new(),
            views_changed: Arc::default(),
            next_key: 0,
            cooling: None,
            failures: 0,
            gave_up_lease: false,
            doubted_at: None,
        }
    }

    /// Serve until cancelled; then let what is open finish, and end the rest.
    pub async fn run(mut self) {
        let cancel = self.inbox.cancel.clone();
        loop {
            self.place();
            self.let_go();
            self.publish();
            let deadline = self.next_deadline();
            tokio::select! {
                () = cancel.cancelled() => break,
                Some(accepted) = self.inbox.incoming.recv(), if self.waiting.len() < MAX_WAITING => {
                    self.accepted(accepted);
                }
                news = self.claim.news() => self.follow(news),
                () = self.views_changed.notified() => self.look(),
                Some(Ok((key, ended))) = self.tasks.join_next() => self.ended(key, ended),
                Some(command) = self.inbox.commands.recv() => self.obey(command),
                () = sleep_until(deadline) => self.expire(),
            }
        }
        self.shut_down().await;
    }

    fn accepted(&mut self, accepted: Accepted) {
        match &self.cooling {
            Some((until, _)) if Instant::now() < *until => accepted.reset(),
            _ => self.waiting.push_back(accepted),
        }
    }

    /// Find sessions for those who wait.
    fn place(&mut self) {
        while !self.waiting.is_empty() || !self.warming.is_empty() {
            match placement::place(&self.candidates(), Instant::now().into_std()) {
                Choice::Use(key) => {
                    self.answer_warming(Ok(()));
                    if !self.hand_over(key) {
                        return;
                    }
                }
                Choice::Open => return self.open(),
                Choice::Wait => return,
            }
        }
        // Nobody waits for the bastion any more.
        if matches!(self.claim, Claim::Asked(_)) {
            self.claim = Claim::None;
        }
    }

    /// Give the first in line to a session. `false` when there is none, or it cannot be taken now.
    fn hand_over(&mut self, key: u64) -> bool {
        let (Some(slot), Some(accepted)) = (self.sessions.get(&key), self.waiting.pop_front()) else {
            return false;
        };
        match slot.placed.try_send(accepted) {
            Ok(()) => true,
            Err(error) => {
                self.waiting.push_front(error.into_inner());
                false
            }
        }
    }

    fn open(&mut self) {
        match self.claim.target() {
            Some(target) => self.start_session(target.to_owned()),
            None if matches!(self.claim, Claim::None) => {
                let target = match &self.config.via {
                    Via::Target(target) => Some(target.as_str()),
                    Via::Bastion(_) => None,
                };
                self.claim = Claim::ask(self.bastion.as_ref(), target);
                if self.claim.target().is_some() {
                    self.open();
                }
            }
            None => {}
        }
    }

    fn start_session(&mut self, target: String) {
        let key = self.next_key;
        self.next_key += 1;
        let (placed, receiver) = mpsc::channel(MAX_PLACED);
        let end = CancellationToken::new();
        let view = Publisher::new(Arc::clone(&self.views_changed));
        let slot = Slot { placed, end: end.clone(), view: view.subscribe(), leaving: false, refused: 0 };
        self.sessions.insert(key, slot);
        let context = Context {
            aws: self.shared.aws.clone(),
            net: self.shared.net.clone(),
            state: self.shared.state.clone(),
            tunnel: Arc::clone(&self.config),
            target,
            counters: Arc::clone(&self.counters),
            reason: format!("bastiond: tunnel {} of {}", self.config.name, self.shared.user),
        };
        let mailbox = Mailbox { placed: receiver, end, view };
        let session = async move { (key, session::run(context, mailbox).await) };
        self.tasks.spawn(session.instrument(tracing::info_span!("session", key)));
    }

    /// News of the bastion.
    fn follow(&mut self, news: News) {
        match news {
            News::Answer(Ok(lease)) => self.claim = Claim::Held(lease),
            News::Answer(Err(reason)) => {
                self.claim = Claim::None;
                self.refuse_waiting(&reason);
            }
            News::Going(going) => self.lose_lease(going),
        }
    }

    /// The task goes away: nothing new is placed on it. What is open lasts as long as the task.
    fn lose_lease(&mut self, going: Going) {
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

    /// A session's view has changed.
    fn look(&mut self) {
        let mut errors = Vec::new();
        for slot in self.sessions.values_mut() {
            let view = slot.view.borrow_and_update();
            if view.phase == Phase::Connected {
                (self.failures, self.cooling, self.gave_up_lease) = (0, None, false);
            }
            if view.refused > slot.refused {
                slot.refused = view.refused;
                let host = self.config.host.as_deref().unwrap_or("localhost");
                errors.push(reason::refused(host, self.config.port));
            }
        }
        for error in errors {
            tracing::warn!(error = %error.message, "connection refused by the far side");
            self.note_error(error);
        }
        self.doubt();
    }

    /// A lost link or a silent dial may mean that the task has died: AWS is asked, now and then.
    fn doubt(&mut self) {
        let now = Instant::now();
        let is_doubtful = |slot: &Slot| {
            let view = slot.view.borrow();
            let silent = view.unresolved_since.is_some_and(|since| since + DOUBT_AFTER <= now);
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

    fn ended(&mut self, key: u64, ended: Ended) {
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
        self.note_error(reason.clone());
        if ended.was_connected {
            return;
        }
        if let (true, Some(bastion), false) = (ended.unreachable, &self.bastion, self.gave_up_lease) {
            // The task may have ended in this very moment: look, and take what is there then.
            self.gave_up_lease = true;
            bastion.doubt();
            self.claim = Claim::None;
            return;
        }
        self.cool_down(reason);
    }

    /// A session could not be started.
    fn cool_down(&mut self, reason: Reason) {
        let pause = match reason.is_login() {
            true => COOL_DOWN.0,
            false => COOL_DOWN.0.saturating_mul(1 << self.failures.min(6)).min(COOL_DOWN.1),
        };
        self.failures += 1;
        self.refuse_waiting(&reason);
        self.cooling = Some((Instant::now() + pause, reason));
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Up(reply) => {
                self.cooling = None;
                if let Some(bastion) = &self.bastion {
                    bastion.reset();
                }
                self.warming.push(reply);
            }
            Command::Down(reply) => {
                let reason = Reason::new("tunnel_down", "the tunnel was taken down");
                self.reset_waiting(&reason);
                self.end_sessions();
                match self.sessions.is_empty() {
                    true => drop(reply.send(Ok(()))),
                    false => self.ending.push(reply),
                }
            }
        }
    }

    fn expire(&mut self) {
        let now = Instant::now();
        let hold = self.config.hold_timeout;
        while self.waiting.front().is_some_and(|accepted| accepted.at + hold <= now) {
            let phase = self.bastion.as_ref().map_or_else(String::new, |b| format!(": {}", b.phase()));
            let message = format!("no session within {}{phase}", humantime::format_duration(hold));
            self.note_error(Reason::new("hold_timeout", message));
            if let Some(accepted) = self.waiting.pop_front() {
                accepted.reset();
            }
        }
        self.doubt();
    }

    /// End what nobody has used for a while, then give up the lease.
    fn let_go(&mut self) {
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

    fn next_deadline(&self) -> Instant {
        let now = Instant::now();
        let candidates = self.candidates();
        let hold = self.waiting.front().map(|accepted| accepted.at + self.config.hold_timeout);
        let linger = placement::next_deadline(&candidates, self.config.session_linger);
        let silent = candidates.iter().filter_map(|c| c.unresolved_since).min();
        let silent = silent.map(|since| (Instant::from_std(since) + DOUBT_AFTER).max(now + DOUBT_AFTER));
        let due = [hold, linger.map(Instant::from_std), silent];
        due.into_iter().flatten().min().unwrap_or(now + Duration::from_secs(3600))
    }

    fn candidates(&self) -> Vec<Candidate> {
        self.sessions.iter().map(|(key, slot)| slot.candidate(*key)).collect()
    }

    fn end_sessions(&mut self) {
        for slot in self.sessions.values_mut() {
            slot.leaving = true;
            slot.end.cancel();
        }
    }

    /// Whoever waits is told at once that it was in vain.
    fn refuse_waiting(&mut self, reason: &Reason) {
        tracing::warn!(error = %reason.message, hint = reason.hint, waiting = self.waiting.len(), "cannot start");
        self.reset_waiting(reason);
        self.note_error(reason.clone());
    }

    fn reset_waiting(&mut self, reason: &Reason) {
        self.waiting.drain(..).for_each(Accepted::reset);
        self.answer_warming(Err(reason.clone()));
    }

    fn answer_warming(&mut self, answer: Result<(), Reason>) {
        let subject = format!("tunnel {}", self.config.name);
        let problem = |reason| Problem::new(&subject, reason, SystemTime::now(), Duration::ZERO);
        let answer = answer.map_err(problem);
        for reply in self.warming.drain(..) {
            let _ = reply.send(answer.clone());
        }
    }

    fn note_error(&mut self, reason: Reason) {
        self.board.send_modify(|board| board.last_error = Some((reason, Instant::now())));
    }

    fn publish(&mut self) {
        let now = Instant::now();
        let wanted = !self.waiting.is_empty() || !self.warming.is_empty();
        self.board.send_modify(|board| {
            board.waiting = self.waiting.len();
            board.starting_since = wanted.then(|| board.starting_since.unwrap_or(now));
            let was_idle = board.sessions.is_empty();
            board.sessions = self.sessions.iter().map(|(key, slot)| (*key, slot.view.clone())).collect();
            if was_idle != board.sessions.is_empty() {
                board.since = now;
            }
            board.target = self.claim.target().map(str::to_owned);
        });
    }

    async fn shut_down(mut self) {
        let now = Instant::now();
        self.board.send_modify(|board| (board.stopping, board.since) = (true, now));
        while self.inbox.listeners.join_next().await.is_some() {}
        let reason = Reason::new("shutting_down", "the daemon is shutting down");
        self.inbox.incoming.close();
        while let Some(accepted) = self.inbox.incoming.recv().await {
            accepted.reset();
        }
        self.reset_waiting(&reason);
        let drain = self.shared.drain;
        let _ = timeout(drain, self.drained()).await;
        self.end_sessions();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(END_PATIENCE, ended).await.is_err() {
            tracing::warn!("sessions did not end in time");
            self.tasks.shutdown().await;
        }
    }

    /// Until no connection is open.
    async fn drained(&mut self) {
        while self.candidates().iter().any(|candidate| candidate.connections > 0) {
            self.views_changed.notified().await;
        }
    }
}

impl Slot {
    /// The view, corrected by what has been placed since it was published.
    fn candidate(&self, key: u64) -> Candidate {
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

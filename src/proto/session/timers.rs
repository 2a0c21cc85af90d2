//! The deadlines of a session, each with a name.

use super::{Event, Failure, Handshake, Life, Session, Timer};
use crate::proto::datachannel::Verdict;
use std::time::{Duration, Instant};

/// Deadlines and times that are the session's own; the data channel has more.
#[derive(Default)]
pub(super) struct Timers {
    /// When the handshake should be complete.
    pub(super) handshake: Option<Instant>,
    /// When the agent should be ready for data.
    pub(super) settle: Option<Instant>,
    /// When bytes of the pipe were sent last.
    pub(super) last_data: Option<Instant>,
    /// Agent: when its port plugin is ready.
    pub(super) port_ready: Option<Instant>,
    /// Agent: when to see whether the mux heard anything.
    pub(super) mux_check: Option<Instant>,
    /// Agent: whether it did since the last look.
    pub(super) mux_heard: bool,
    /// Agent: when its mux says that it is there.
    pub(super) mux_nop: Option<Instant>,
}

impl Timers {
    /// The handshake is complete.
    pub(super) fn completed(&mut self, now: Instant) {
        self.handshake = None;
        self.last_data = Some(now);
    }

    /// The agent is given time before it gets data.
    pub(super) fn settle(&mut self, keeps_early_data: bool, now: Instant) {
        let time = if keeps_early_data { SETTLE } else { OLD_SETTLE };
        self.settle = Some(now + time);
    }
}

impl Session {
    /// Does what is due. Calling it early, or without need, is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.life == Life::Closed {
            return;
        }
        self.channel.handle_timeout(now);
        if take_due(&mut self.timers.handshake, now) {
            self.fail(Failure::HandshakeTimeout);
        }
        take_due(&mut self.timers.settle, now);
        self.judge_silence(now);
        if self.is_due(self.probe_at(), now) && self.channel.silence.wants_probe(now) {
            self.mux.nop(&mut self.channel.pipe);
        }
        if self.is_due(self.keepalive_at(), now) {
            self.mux.nop(&mut self.channel.pipe);
        }
        self.check_mux(now);
        if take_due(&mut self.timers.mux_nop, now) && self.life == Life::Going {
            self.mux.nop(&mut self.channel.pipe);
            self.timers.mux_nop = Some(now + MUX_NOP);
        }
    }

    /// The owner could not read the link for a while, as when its destinations took nothing: acknowledgements may lie
    /// unread in it. The time after which [`Event::Unresponsive`] or [`Failure::Unresponsive`] comes begins anew `now`;
    /// call it before the next [`Session::handle_timeout`]. Without anything to be acknowledged it does nothing.
    pub fn excuse_silence(&mut self, now: Instant) {
        self.channel.silence.excuse(now);
    }

    /// When to call [`Session::handle_timeout`]; `None` while nothing can become due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_timer().map(|(_, at)| at)
    }

    /// The same, with the name of the deadline.
    pub fn next_timer(&self) -> Option<(Timer, Instant)> {
        if self.life == Life::Closed {
            return None;
        }
        let open = self.handshake == Handshake::Complete
            && self.life == Life::Going
            && self.timers.settle.is_none();
        let [resend, burst, pace, pause] = self
            .channel
            .deadlines(open && !self.channel.pipe.is_empty());
        let going = |at: Option<Instant>| at.filter(|_| self.life == Life::Going);
        let table = [
            (Timer::Resend, resend),
            (Timer::Burst, burst),
            (Timer::Pace, pace),
            (Timer::Pause, pause),
            (Timer::Handshake, going(self.timers.handshake)),
            (Timer::Settle, going(self.timers.settle)),
            (Timer::Silence, going(self.silence_at())),
            (Timer::Probe, going(self.probe_at())),
            (Timer::Keepalive, going(self.keepalive_at())),
            (Timer::MuxSilence, going(self.timers.mux_check)),
            (Timer::MuxNop, going(self.timers.mux_nop)),
        ];
        let due = table
            .into_iter()
            .filter_map(|(timer, at)| Some((timer, at?)));
        due.min_by_key(|&(_, at)| at)
    }

    fn is_due(&self, at: Option<Instant>, now: Instant) -> bool {
        self.life == Life::Going && at.is_some_and(|at| at <= now)
    }

    fn silence_at(&self) -> Option<Instant> {
        self.channel.silence.deadline().filter(|_| self.is_client())
    }

    fn judge_silence(&mut self, now: Instant) {
        if !self.is_due(self.silence_at(), now) {
            return;
        }
        match self.channel.silence.judge(now) {
            Some(Verdict::Suspect) => self.events.push_back(Event::Unresponsive),
            Some(Verdict::Dead) => self.fail(Failure::Unresponsive),
            None => {}
        }
    }

    /// An agent that ignores duplicates may have all that is unacknowledged; only something new can tell.
    fn probe_at(&self) -> Option<Instant> {
        let useful = self.is_client()
            && !self.traits.acks_duplicates
            && self.handshake == Handshake::Complete;
        self.channel.silence.probe_at().filter(|_| useful)
    }

    fn keepalive_at(&self) -> Option<Instant> {
        let wanted = self.is_client() && self.handshake == Handshake::Complete;
        if !wanted || !self.channel.is_linked() || !self.channel.pipe.is_empty() {
            return None;
        }
        let for_streams = self.options.keepalive.filter(|_| !self.mux.is_empty());
        let for_agent = self.traits.needs_frames.then_some(OLD_AGENT_KEEPALIVE);
        let interval = for_agent.or(for_streams)?;
        Some(self.timers.last_data? + interval)
    }

    fn check_mux(&mut self, now: Instant) {
        if !take_due(&mut self.timers.mux_check, now) {
            return;
        }
        if std::mem::take(&mut self.timers.mux_heard) || !self.accepts_input() {
            self.timers.mux_check = self.mux_keepalive().map(|period| now + period);
        } else {
            self.fail(Failure::MuxSilent);
        }
    }
}

/// How often the mux of an agent with a keepalive says that it is there.
pub(super) const MUX_NOP: Duration = Duration::from_secs(10);

/// Clears a deadline that has come; true if it had.
fn take_due(timer: &mut Option<Instant>, now: Instant) -> bool {
    timer.take_if(|at| *at <= now).is_some()
}

/// As long as the agent waits for its part.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(15);

/// The reference agent first writes HandshakeComplete and then notes that it is: what comes in between it acknowledges
/// and throws away. After that its port plugin needs 5 to 26 ms more until it takes anything.
pub(in crate::proto) const SETTLE: Duration = Duration::from_millis(30);

/// How long the port plugin of an agent that loses early data is given.
const OLD_SETTLE: Duration = Duration::from_secs(1);

/// Old agents look every 30 s whether anything came for their mux since the last look.
const OLD_AGENT_KEEPALIVE: Duration = Duration::from_secs(25);

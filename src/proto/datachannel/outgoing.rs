//! Numbering, the messages not yet acknowledged, and when each is sent again.
//!
//! A message is kept as the frame that was sent, and sent again as it is. Memory and time depend on the messages that are
//! unacknowledged, not on how far their numbers lie apart: one may wait for ever. Messages are looked through only when
//! the earliest of them may be due.

use super::Resend;
use super::rtt::Rtt;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Messages sent and not acknowledged.
pub(super) struct Outgoing {
    resend: Resend,
    next: i64,
    kept: BTreeMap<i64, Kept>,
    counted: usize,
    due: VecDeque<i64>,
    wake: Option<Instant>,
    wedges: bool,
}

struct Kept {
    frame: Bytes,
    sent: Instant,
    due: Instant,
    sends: u32,
    /// How often its wait was doubled; see [`Rtt::timeout`].
    level: u32,
    passed: u32,
    eager: bool,
    queued: bool,
    slow: bool,
    repeated: bool,
}

/// What an acknowledgement told.
pub(super) struct Acked {
    /// From the last sending of the message to now.
    pub(super) elapsed: Duration,
    /// Whether the message had been sent once only, so that `elapsed` is certain.
    pub(super) certain: bool,
    /// Whether it proves that others are lost.
    pub(super) passed_lost: bool,
}

/// A frame to send again.
pub(super) struct Again {
    pub(super) frame: Bytes,
    /// Whether an answer is not expected any more.
    pub(super) slow: bool,
}

impl Outgoing {
    pub(super) fn new(resend: Resend) -> Self {
        Self {
            resend,
            next: 0,
            kept: BTreeMap::new(),
            counted: 0,
            due: VecDeque::new(),
            wake: None,
            wedges: false,
        }
    }

    /// The number of the next message.
    pub(super) fn next(&self) -> i64 {
        self.next
    }

    /// Keeps the message of the next number, sent `now`. An `eager` one is sent again sooner.
    pub(super) fn keep(&mut self, frame: Bytes, eager: bool, rtt: &Rtt, now: Instant) {
        let wait = if eager {
            rtt.eager_timeout(rtt.backoff())
        } else {
            rtt.first_timeout()
        };
        let kept = Kept {
            frame,
            sent: now,
            due: now + wait,
            sends: 1,
            level: rtt.backoff(),
            passed: 0,
            eager,
            queued: false,
            slow: false,
            repeated: false,
        };
        self.kept.insert(self.next, kept);
        self.next += 1;
        self.counted += 1;
        self.wake_by(now + wait, now);
    }

    /// Forgets the message `number`; `None` if it is not kept.
    pub(super) fn acknowledge(&mut self, number: i64, rtt: &Rtt, now: Instant) -> Option<Acked> {
        let kept = self.kept.remove(&number)?;
        self.counted -= usize::from(!kept.slow);
        let passed_lost = self.note_passed(number, rtt, now);
        self.drop_stale();
        if self.kept.is_empty() {
            self.wake = None;
        }
        Some(Acked {
            elapsed: now.saturating_duration_since(kept.sent),
            certain: !kept.repeated,
            passed_lost,
        })
    }

    /// Whether `number` was sent and acknowledged.
    pub(super) fn is_acknowledged(&self, number: i64) -> bool {
        number < self.next && !self.kept.contains_key(&number)
    }

    /// Finds what is due; true if a message waited longer than it should have. `rtt` learns of those.
    pub(super) fn collect_due(&mut self, rtt: &mut Rtt, now: Instant) -> bool {
        if self.wake.is_none_or(|wake| wake > now) {
            return false;
        }
        match self.resend {
            Resend::FrontOnly => self.collect_front(rtt, now),
            Resend::All => self.collect_all(rtt, now),
        }
    }

    /// Everything is due, in order, as if never sent. What was sent before says nothing of the next link's round trip.
    pub(super) fn collect_everything(&mut self, now: Instant) {
        self.forget_due();
        if self.resend == Resend::FrontOnly {
            self.wake = (!self.kept.is_empty()).then_some(now + TICK);
            return;
        }
        for kept in self.kept.values_mut() {
            (kept.queued, kept.slow, kept.repeated) = (true, false, true);
            (kept.sends, kept.level, kept.passed) = (0, 0, 0);
        }
        self.due.extend(self.kept.keys());
        self.counted = self.kept.len();
        self.wake = None;
    }

    /// Nothing is to be sent again for now.
    pub(super) fn forget_due(&mut self) {
        for number in std::mem::take(&mut self.due) {
            if let Some(kept) = self.kept.get_mut(&number) {
                kept.queued = false;
            }
        }
    }

    /// Whether something is due.
    pub(super) fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// The next frame to send again, taken as sent `now`.
    pub(super) fn take_due(&mut self, rtt: &Rtt, now: Instant) -> Option<Again> {
        let number = self.due.pop_front()?;
        let kept = self
            .kept
            .get_mut(&number)
            .expect("stale numbers are dropped at once");
        kept.queued = false;
        kept.passed = 0;
        kept.sent = now;
        kept.sends += 1;
        kept.repeated = true;
        let slow = kept.slow || self.wedges && kept.sends > WEDGED_AFTER;
        let slowed = !std::mem::replace(&mut kept.slow, slow) && slow;
        kept.due = now + kept.wait(rtt);
        let (frame, due) = (kept.frame.clone(), kept.due);
        self.counted -= usize::from(slowed);
        self.drop_stale();
        self.wake_by(due, now);
        Some(Again { frame, slow })
    }

    /// When to look for what is due.
    pub(super) fn wake(&self) -> Option<Instant> {
        self.wake
    }

    /// Messages not acknowledged.
    pub(super) fn unacked(&self) -> usize {
        self.kept.len()
    }

    /// Those of them that count against the window.
    pub(super) fn counted(&self) -> usize {
        self.counted
    }

    /// The peer ignores what it has already: a lost acknowledgement is lost for good. Its message is then repeated at
    /// leisure and no longer holds up others.
    pub(super) fn expect_wedges(&mut self) {
        self.wedges = true;
    }

    fn collect_front(&mut self, rtt: &Rtt, now: Instant) -> bool {
        self.wake = (!self.kept.is_empty()).then_some(now + TICK);
        let Some(mut front) = self.kept.first_entry() else {
            return false;
        };
        let (number, front) = (*front.key(), front.get_mut());
        let late = !front.queued && now.saturating_duration_since(front.sent) >= rtt.timeout(0);
        if late {
            front.queued = true;
            self.due.push_back(number);
        }
        late
    }

    fn collect_all(&mut self, rtt: &mut Rtt, now: Instant) -> bool {
        let mut any_late = false;
        self.wake = None;
        for (&number, kept) in self.kept.iter_mut().filter(|(_, kept)| !kept.queued) {
            if kept.due > now {
                self.wake = Some(self.wake.map_or(kept.due, |wake| wake.min(kept.due)));
                continue;
            }
            let late = !kept.eager && !kept.slow;
            if late {
                rtt.late(kept.level);
            }
            any_late |= late;
            kept.level += 1;
            kept.queued = true;
            self.due.push_back(number);
        }
        any_late
    }

    /// Messages below `number` that are still missing have been passed by one more; true if that proves one lost.
    fn note_passed(&mut self, number: i64, rtt: &Rtt, now: Instant) -> bool {
        if self.resend == Resend::FrontOnly {
            return false;
        }
        let before = self.due.len();
        for (&number, kept) in self.kept.range_mut(..number) {
            if kept.pass(rtt, now) {
                self.due.push_back(number);
            }
        }
        self.due.len() > before
    }

    /// Keeps the front of `due` something that is still kept.
    fn drop_stale(&mut self) {
        while let Some(number) = self.due.front() {
            if self.kept.contains_key(number) {
                return;
            }
            self.due.pop_front();
        }
    }

    fn wake_by(&mut self, due: Instant, now: Instant) {
        let at = match self.resend {
            Resend::FrontOnly => now + TICK,
            Resend::All => due,
        };
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }
}

impl Kept {
    fn wait(&self, rtt: &Rtt) -> Duration {
        match (self.slow, self.eager) {
            (true, _) => WEDGED_REPEAT,
            (false, true) => rtt.eager_timeout(self.level),
            (false, false) => rtt.timeout(self.level),
        }
    }

    /// One more message sent later has been acknowledged earlier; true if that says that this one is lost.
    fn pass(&mut self, rtt: &Rtt, now: Instant) -> bool {
        self.passed = self.passed.saturating_add(1);
        let rested = now.saturating_duration_since(self.sent) >= rtt.smoothed();
        let lost = self.passed >= PASSED_MEANS_LOST && rested && !self.queued && !self.slow;
        self.queued |= lost;
        lost
    }
}

/// The period of the reference's scheduler.
const TICK: Duration = Duration::from_millis(100);

/// Acknowledgements of later messages that prove a loss; fewer may be mere reordering.
const PASSED_MEANS_LOST: u32 = 8;

/// Sends after which a peer that ignores duplicates may well have the message.
const WEDGED_AFTER: u32 = 5;

/// How often such a message is repeated.
const WEDGED_REPEAT: Duration = Duration::from_secs(1);

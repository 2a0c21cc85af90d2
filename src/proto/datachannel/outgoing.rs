//! Numbering, the messages not yet acknowledged, and when each is sent again.
//!
//! A message is kept as the frame that was sent, and sent again as it is. Acknowledging is O(1): the queue is indexed by
//! number. Messages are looked through only when the earliest of them may be due.

use super::Resend;
use super::rtt::Rtt;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Messages sent and not acknowledged.
pub(super) struct Outgoing {
    resend: Resend,
    first: i64,
    kept: VecDeque<Option<Kept>>,
    unacked: usize,
    counted: usize,
    due: VecDeque<i64>,
    holes: Vec<i64>,
    highest: i64,
    wake: Option<Instant>,
    wedges: bool,
}

struct Kept {
    frame: Bytes,
    sent: Instant,
    due: Instant,
    sends: u32,
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
}

impl Outgoing {
    pub(super) fn new(resend: Resend) -> Self {
        Self {
            resend,
            first: 0,
            kept: VecDeque::new(),
            unacked: 0,
            counted: 0,
            due: VecDeque::new(),
            holes: Vec::new(),
            highest: -1,
            wake: None,
            wedges: false,
        }
    }

    /// The number of the next message.
    pub(super) fn next(&self) -> i64 {
        self.first + self.kept.len() as i64
    }

    /// Keeps the message of the next number, sent `now`. An `eager` one is sent again sooner.
    pub(super) fn keep(&mut self, frame: Bytes, eager: bool, rtt: &Rtt, now: Instant) {
        let due = now
            + if eager {
                rtt.eager_timeout(1)
            } else {
                rtt.timeout(1)
            };
        self.kept.push_back(Some(Kept::new(frame, eager, due, now)));
        self.unacked += 1;
        self.counted += 1;
        self.wake_by(due, now);
    }

    /// Forgets the message `number`; `None` if it is not kept.
    pub(super) fn acknowledge(&mut self, number: i64, rtt: &Rtt, now: Instant) -> Option<Acked> {
        let kept = self.slot(number)?.take()?;
        self.unacked -= 1;
        self.counted -= usize::from(!kept.slow);
        while let Some(None) = self.kept.front() {
            self.kept.pop_front();
            self.first += 1;
        }
        self.note_passed(number, rtt, now);
        self.drop_stale();
        if self.unacked == 0 {
            self.wake = None;
        }
        let elapsed = now.saturating_duration_since(kept.sent);
        Some(Acked {
            elapsed,
            certain: !kept.repeated,
        })
    }

    /// Whether `number` was sent and acknowledged.
    pub(super) fn is_acknowledged(&self, number: i64) -> bool {
        let index = usize::try_from(number - self.first);
        index.map_or(number < self.first, |index| {
            matches!(self.kept.get(index), Some(None))
        })
    }

    /// Finds what is due; true if a message waited longer than it should have.
    pub(super) fn collect_due(&mut self, rtt: &Rtt, now: Instant) -> bool {
        if self.wake.is_none_or(|wake| wake > now) {
            return false;
        }
        match self.resend {
            Resend::FrontOnly => self.collect_front(rtt, now),
            Resend::All => self.collect_all(now),
        }
    }

    /// Everything is due, in order, as if never sent.
    pub(super) fn collect_everything(&mut self, now: Instant) {
        self.forget_due();
        if self.resend == Resend::FrontOnly {
            self.wake = (self.unacked > 0).then_some(now + TICK);
            return;
        }
        for (number, kept) in (self.first..).zip(&mut self.kept) {
            if let Some(kept) = kept {
                (kept.queued, kept.slow, kept.sends, kept.passed) = (true, false, 0, 0);
                self.due.push_back(number);
            }
        }
        self.counted = self.unacked;
        self.wake = None;
    }

    /// Nothing is to be sent again for now.
    pub(super) fn forget_due(&mut self) {
        for number in std::mem::take(&mut self.due) {
            if let Some(Some(kept)) = self.slot(number) {
                kept.queued = false;
            }
        }
    }

    /// Whether something is due.
    pub(super) fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// The next frame to send again, taken as sent `now`.
    pub(super) fn take_due(&mut self, rtt: &Rtt, now: Instant) -> Option<Bytes> {
        let number = self.due.pop_front()?;
        let wedges = self.wedges;
        let kept = self
            .slot(number)?
            .as_mut()
            .expect("stale numbers are dropped at once");
        kept.queued = false;
        kept.passed = 0;
        kept.sent = now;
        kept.sends += 1;
        kept.repeated = true;
        let slowed =
            wedges && kept.sends > WEDGED_AFTER && !std::mem::replace(&mut kept.slow, true);
        kept.due = now + kept.wait(rtt);
        let (frame, due) = (kept.frame.clone(), kept.due);
        self.counted -= usize::from(slowed);
        self.drop_stale();
        self.wake_by(due, now);
        Some(frame)
    }

    /// When to look for what is due.
    pub(super) fn wake(&self) -> Option<Instant> {
        self.wake
    }

    /// Messages not acknowledged.
    pub(super) fn unacked(&self) -> usize {
        self.unacked
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

    fn slot(&mut self, number: i64) -> Option<&mut Option<Kept>> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.kept.get_mut(index)
    }

    fn collect_front(&mut self, rtt: &Rtt, now: Instant) -> bool {
        self.wake = (self.unacked > 0).then_some(now + TICK);
        let first = self.first;
        let Some(Some(front)) = self.kept.front_mut() else {
            return false;
        };
        let late = !front.queued && now.saturating_duration_since(front.sent) >= rtt.timeout(1);
        if late {
            front.queued = true;
            self.due.push_back(first);
        }
        late
    }

    fn collect_all(&mut self, now: Instant) -> bool {
        let mut late = false;
        self.wake = None;
        for (number, slot) in (self.first..).zip(&mut self.kept) {
            let Some(kept) = slot.as_mut().filter(|kept| !kept.queued) else {
                continue;
            };
            if kept.due <= now {
                kept.queued = true;
                late |= !kept.eager && !kept.slow;
                self.due.push_back(number);
            } else {
                self.wake = Some(self.wake.map_or(kept.due, |wake| wake.min(kept.due)));
            }
        }
        late
    }

    /// Messages below `number` that are still missing have been passed by one more.
    fn note_passed(&mut self, number: i64, rtt: &Rtt, now: Instant) {
        if self.resend == Resend::FrontOnly {
            return;
        }
        if number > self.highest {
            self.holes.extend(self.highest + 1..number);
            self.highest = number;
        }
        let mut holes = std::mem::take(&mut self.holes);
        holes.retain(|&hole| match self.slot(hole) {
            Some(Some(_)) if hole > number => true,
            Some(Some(kept)) => {
                if kept.pass(rtt, now) {
                    self.due.push_back(hole);
                }
                true
            }
            Some(None) | None => false,
        });
        self.holes = holes;
    }

    /// Keeps the front of `due` something that is still kept.
    fn drop_stale(&mut self) {
        while let Some(&number) = self.due.front() {
            if matches!(self.slot(number), Some(Some(_))) {
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
    fn new(frame: Bytes, eager: bool, due: Instant, sent: Instant) -> Self {
        let (queued, slow, repeated) = (false, false, false);
        Self {
            frame,
            sent,
            due,
            sends: 1,
            passed: 0,
            eager,
            queued,
            slow,
            repeated,
        }
    }

    fn wait(&self, rtt: &Rtt) -> Duration {
        match (self.slow, self.eager) {
            (true, _) => WEDGED_REPEAT,
            (false, true) => rtt.eager_timeout(self.sends),
            (false, false) => rtt.timeout(self.sends),
        }
    }

    /// One more message sent later has been acknowledged earlier; true if that says that this one is lost.
    fn pass(&mut self, rtt: &Rtt, now: Instant) -> bool {
        self.passed += 1;
        let rested = now.saturating_duration_since(self.sent) >= rtt.smoothed();
        let lost = self.passed >= PASSED_MEANS_LOST && rested && !self.queued;
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

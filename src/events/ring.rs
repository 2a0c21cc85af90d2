//! The latest events, kept for those who come late, and handed to those who follow.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use time::OffsetDateTime;
use tokio::sync::watch;

use super::Change;
use crate::status::{Event, SCHEMA};

/// Events kept. A busy day of one tunnel has a few hundred; each is some hundred bytes.
const KEPT: usize = 1024;

/// Where events are told, and read from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Events(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kept: Mutex<VecDeque<Arc<Event>>>,
    /// The number of the latest.
    latest: watch::Sender<u64>,
}

impl Default for Events {
    fn default() -> Self {
        Self(Arc::new(Inner {
            kept: Mutex::default(),
            latest: watch::Sender::new(0),
        }))
    }
}

impl Events {
    /// Tell of a change. Never waits for a reader.
    pub fn tell(&self, change: Change) {
        // All of it under the lock, so that the ring has them in order.
        let mut kept = self.kept();
        let seq = *self.0.latest.borrow() + 1;
        let event = numbered(change, seq, SystemTime::now());
        tracing::debug!(seq, "{event}");
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(Arc::new(event));
        self.0.latest.send_replace(seq);
    }

    /// Follows from now on, after the `last` ones of those that are kept.
    pub fn reader(&self, last: usize) -> Reader {
        let kept = self.kept();
        let first = kept.len().saturating_sub(last);
        let next = kept.get(first).map(|event| event.seq);
        let after = kept.back().map_or(0, |event| event.seq) + 1;
        Reader {
            events: self.clone(),
            next: next.unwrap_or(after),
            latest: self.0.latest.subscribe(),
        }
    }

    /// Changes with each event.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.latest.subscribe()
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Arc<Event>>> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads one event after another.
#[derive(Debug)]
pub struct Reader {
    events: Events,
    /// The number of the event to read next.
    next: u64,
    latest: watch::Receiver<u64>,
}

/// What a reader gets.
#[derive(Debug)]
pub enum Read {
    /// The next event.
    Event(Arc<Event>),
    /// So many were lost to it; it goes on with the oldest that is kept.
    Lost(u64),
}

impl Reader {
    /// The next event. May be dropped and called again.
    pub async fn next(&mut self) -> Read {
        loop {
            self.latest.mark_unchanged();
            if let Some(read) = self.try_next() {
                return read;
            }
            // The sender lives in `events`, so this only ends with a change.
            let _ = self.latest.changed().await;
        }
    }

    /// The next event, if there is one.
    pub fn try_next(&mut self) -> Option<Read> {
        let kept = self.events.kept();
        let oldest = kept.front()?.seq;
        if self.next < oldest {
            let lost = oldest - self.next;
            self.next = oldest;
            return Some(Read::Lost(lost));
        }
        let index = usize::try_from(self.next - oldest).ok()?;
        let event = Arc::clone(kept.get(index)?);
        self.next += 1;
        Some(Read::Event(event))
    }
}

fn numbered(change: Change, seq: u64, now: SystemTime) -> Event {
    let at = OffsetDateTime::from(now);
    let at = at.replace_millisecond(at.millisecond()).unwrap_or(at);
    Event {
        schema: SCHEMA,
        seq,
        at,
        unix_seconds: (at.unix_timestamp_nanos() / 1_000_000) as f64 / 1e3,
        kind: change.kind,
        name: change.name,
        tunnel: change.tunnel,
        id: change.id,
        state: change.state,
        was: change.was,
        detail: change.detail,
        code: change.code,
        hint: change.hint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reader_gets_what_was_and_what_comes_in_order() {
        let events = Events::default();
        tell(&events, 5);
        let mut reader = events.reader(2);
        assert_eq!((seq(reader.next().await), seq(reader.next().await)), (4, 5));
        assert!(reader.try_next().is_none());
        let waiting = tokio::spawn(async move { seq(reader.next().await) });
        tokio::task::yield_now().await;
        tell(&events, 1);
        assert_eq!(waiting.await.unwrap(), 6);
    }

    #[test]
    fn a_reader_from_now_on_gets_nothing_old_and_one_of_all_gets_all() {
        let events = Events::default();
        assert!(events.reader(0).try_next().is_none());
        assert!(events.reader(usize::MAX).try_next().is_none());
        tell(&events, 3);
        assert!(events.reader(0).try_next().is_none());
        let mut all = events.reader(usize::MAX);
        assert_eq!(seq(all.try_next().unwrap()), 1);
    }

    #[test]
    fn a_slow_reader_is_told_what_it_lost_and_holds_up_nobody() {
        let events = Events::default();
        let mut slow = events.reader(0);
        tell(&events, KEPT as u64 + 10);
        assert!(matches!(slow.try_next(), Some(Read::Lost(10))));
        assert_eq!(seq(slow.try_next().unwrap()), 11);
        assert_eq!(events.kept().len(), KEPT);
    }

    fn tell(events: &Events, times: u64) {
        for _ in 0..times {
            events.tell(Change::of_daemon("ready"));
        }
    }

    fn seq(read: Read) -> u64 {
        match read {
            Read::Event(event) => event.seq,
            Read::Lost(lost) => panic!("{lost} events are lost"),
        }
    }
}

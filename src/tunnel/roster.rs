//! The local connections that are open, for who asks.
//!
//! The lock is taken when a connection comes, when it goes, and by who asks. The way of its bytes knows only the two
//! counters of its own [`Ticket`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::platform::port_holder::{self, Holder, Pair};
use crate::status::{self, Connection};

/// No session has it yet.
const WAITING: u64 = u64::MAX;

/// All that are open, whichever tunnel they came to. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Roster(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    open: Mutex<BTreeMap<u64, Arc<Entry>>>,
    latest: AtomicU64,
}

#[derive(Debug)]
struct Entry {
    tunnel: Arc<str>,
    addresses: Pair,
    at: Instant,
    at_clock: SystemTime,
    session: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    /// Whose it is, once somebody wanted to know.
    holder: OnceLock<Option<Holder>>,
}

/// A connection's place in the roster, and its seat, for as long as it is held.
#[derive(Debug)]
pub struct Ticket {
    id: u64,
    entry: Arc<Entry>,
    roster: Roster,
    /// Its claim on one of the descriptors that connections may have.
    _seat: OwnedSemaphorePermit,
}

impl Roster {
    /// A connection was accepted, for which there is a seat.
    pub fn enter(
        &self,
        tunnel: &Arc<str>,
        local: SocketAddr,
        peer: SocketAddr,
        seat: OwnedSemaphorePermit,
    ) -> Ticket {
        let id = self.0.latest.fetch_add(1, Ordering::Relaxed) + 1;
        let entry = Arc::new(Entry {
            tunnel: Arc::clone(tunnel),
            addresses: Pair { local, peer },
            at: Instant::now(),
            at_clock: SystemTime::now(),
            session: AtomicU64::new(WAITING),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            holder: OnceLock::new(),
        });
        self.open().insert(id, Arc::clone(&entry));
        Ticket {
            id,
            entry,
            roster: self.clone(),
            _seat: seat,
        }
    }

    /// All of them, the oldest first. Reads what they count; wakes none. Looks for the programs of those that it was
    /// not asked for before, which reads files.
    pub fn list(&self) -> Vec<Connection> {
        let open: Vec<(u64, Arc<Entry>)> = {
            let open = self.open();
            open.iter()
                .map(|(id, entry)| (*id, Arc::clone(entry)))
                .collect()
        };
        look_for_holders(&open);
        let now = Instant::now();
        open.iter()
            .map(|(id, entry)| entry.shown(*id, now))
            .collect()
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Entry>>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All at once: the system's tables are read as a whole.
fn look_for_holders(open: &[(u64, Arc<Entry>)]) {
    let unknown = |entry: &&Arc<Entry>| entry.holder.get().is_none();
    let unknown: Vec<&Arc<Entry>> = open
        .iter()
        .map(|(_, entry)| entry)
        .filter(unknown)
        .collect();
    if unknown.is_empty() {
        return;
    }
    let pairs: Vec<Pair> = unknown.iter().map(|entry| entry.addresses).collect();
    let mut holders = port_holder::of_peers(&pairs);
    for entry in unknown {
        let _ = entry.holder.set(holders.remove(&entry.addresses));
    }
}

impl Entry {
    fn shown(&self, id: u64, now: Instant) -> Connection {
        let session = self.session.load(Ordering::Relaxed);
        let holder = self.holder.get().and_then(Option::as_ref);
        Connection {
            id,
            tunnel: self.tunnel.to_string(),
            session: (session != WAITING).then_some(session),
            local: self.addresses.local.to_string(),
            peer: self.addresses.peer.to_string(),
            pid: holder.map(|holder| holder.pid),
            program: holder.map(|holder| holder.program.clone()),
            accepted_at: status::timestamp(self.at_clock),
            age_seconds: now.saturating_duration_since(self.at).as_secs(),
            bytes_sent: self.sent.load(Ordering::Relaxed),
            bytes_received: self.received.load(Ordering::Relaxed),
        }
    }
}

impl Ticket {
    /// The session of this number has taken it up.
    pub fn placed(&self, session: u64) {
        self.entry.session.store(session, Ordering::Relaxed);
    }

    /// So many bytes went to the far side.
    pub fn sent(&self, bytes: u64) {
        self.entry.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So many bytes came from there.
    pub fn received(&self, bytes: u64) {
        self.entry.received.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.roster.open().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;

    #[test]
    fn a_connection_is_listed_for_as_long_as_it_is_open() {
        let (roster, seats) = (Roster::default(), Arc::new(Semaphore::new(2)));
        let enter = || {
            let (local, peer) = ("127.0.0.1:1".parse(), "127.0.0.1:2".parse());
            let seat = seats.clone().try_acquire_owned().unwrap();
            roster.enter(&"db".into(), local.unwrap(), peer.unwrap(), seat)
        };
        let (first, second) = (enter(), enter());
        first.placed(0);
        first.sent(3);
        first.received(4);
        let of = |it: &Connection| (it.id, it.session, it.bytes_sent, it.bytes_received);
        let all: Vec<_> = roster.list().iter().map(of).collect();
        assert_eq!(all, [(1, Some(0), 3, 4), (2, None, 0, 0)]);
        drop(first);
        assert_eq!((roster.list().len(), seats.available_permits()), (1, 1));
        drop(second);
        assert_eq!(roster.list(), []);
    }
}

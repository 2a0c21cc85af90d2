//! How many sessions each container bears, and which one the next session goes to.
//!
//! The agent in a container serves few sessions. One that is over its limit gets no handshake, and until another ends
//! the agent hears of no further session: nobody's. So the daemon keeps a book of its sessions in all containers, for
//! all tunnels: a session needs a [`Seat`]. [`Book`] is pure; [`Containers`] shares it, and wakes who waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Sessions in a container whose bastion says nothing else, and of a tunnel through an instance: each is a process
/// there.
pub const MAX_SESSIONS: usize = 4;
/// How targets in containers begin. What else there is bears hundreds.
const IN_CONTAINER: &str = "ecs:";
/// So long it counts what a container turned out to bear: a handshake may be missing for another reason, and a task
/// may live for weeks.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// What is known of the containers that sessions go through.
#[derive(Debug, Default)]
pub struct Book {
    containers: BTreeMap<String, Container>,
    next_seat: u64,
    /// Those who wait for a place in one of these.
    waiting: BTreeMap<u64, Vec<String>>,
}

#[derive(Debug, Default)]
struct Container {
    /// The sessions there, and whether each has worked.
    seats: BTreeMap<u64, bool>,
    /// The number of sessions that it turned out to bear, and when.
    learnt: Option<(usize, Instant)>,
}

impl Container {
    fn bears(&self, most: usize, now: Instant) -> usize {
        self.learnt(now).map_or(most, |learnt| learnt.min(most))
    }

    fn learnt(&self, now: Instant) -> Option<usize> {
        let (bears, at) = self.learnt?;
        (now.saturating_duration_since(at) < REMEMBERED).then_some(bears)
    }
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// The sessions that there are.
    pub sessions: usize,
    /// The containers that they are in.
    pub containers: usize,
    /// Some container has turned out to bear fewer than it may be given.
    pub learnt: bool,
}

impl Book {
    /// A place in one of `targets`, of which each is given at most `most` sessions: where fewest are.
    pub fn take(
        &mut self,
        targets: &[String],
        most: usize,
        now: Instant,
    ) -> Result<(u64, String), Full> {
        let free = targets
            .iter()
            .filter(|target| self.is_free(target, most, now));
        let Some(target) = free.min_by_key(|target| self.sessions(target)).cloned() else {
            return Err(self.full(targets, most, now));
        };
        let seat = self.next_seat;
        self.next_seat += 1;
        let container = self.containers.entry(target.clone()).or_default();
        container.seats.insert(seat, false);
        Ok((seat, target))
    }

    /// Whether there is a place.
    pub fn has_room(&self, targets: &[String], most: usize, now: Instant) -> bool {
        targets.iter().any(|target| self.is_free(target, most, now))
    }

    /// The session has had its handshake.
    pub fn works(&mut self, target: &str, seat: u64) {
        let container = self.containers.get_mut(target);
        if let Some(works) = container.and_then(|it| it.seats.get_mut(&seat)) {
            *works = true;
        }
    }

    /// The session's handshake did not come. If others work there, so many is what the container bears.
    pub fn missed(&mut self, target: &str, seat: u64, now: Instant) -> Option<usize> {
        let container = self.containers.get_mut(target)?;
        let others = container.seats.iter();
        let working = others.filter(|(key, works)| **key != seat && **works);
        let bears = Some(working.count()).filter(|_| target.starts_with(IN_CONTAINER))?;
        container.learnt = (bears > 0).then_some((bears, now)).or(container.learnt);
        (bears > 0).then_some(bears)
    }

    /// The session is over. What was learnt of the container lately is kept.
    pub fn release(&mut self, target: &str, seat: u64, now: Instant) {
        if let Some(container) = self.containers.get_mut(target) {
            container.seats.remove(&seat);
        }
        let is_known = |it: &Container| !it.seats.is_empty() || it.learnt(now).is_some();
        self.containers.retain(|_, container| is_known(container));
    }

    /// Whether somebody waits for a place in this container.
    pub fn is_wanted(&self, target: &str) -> bool {
        let mut waiting = self.waiting.values().flatten();
        waiting.any(|wanted| wanted == target)
    }

    fn sessions(&self, target: &str) -> usize {
        self.containers.get(target).map_or(0, |it| it.seats.len())
    }

    fn is_free(&self, target: &str, most: usize, now: Instant) -> bool {
        self.sessions(target) < self.bears(target, most, now)
    }

    fn bears(&self, target: &str, most: usize, now: Instant) -> usize {
        match self.containers.get(target) {
            _ if !target.starts_with(IN_CONTAINER) => usize::MAX,
            Some(container) => container.bears(most, now),
            None => most,
        }
    }

    /// Why there is no place.
    pub fn full(&self, targets: &[String], most: usize, now: Instant) -> Full {
        let bears_less = |target: &String| self.bears(target, most, now) < most;
        Full {
            sessions: targets.iter().map(|target| self.sessions(target)).sum(),
            containers: targets.len(),
            learnt: targets.iter().any(bears_less),
        }
    }
}

/// The book of all tunnels; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Containers(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    book: Mutex<Book>,
    changed: watch::Sender<()>,
}

/// A session's place in a container, until it is dropped.
#[derive(Debug)]
pub struct Seat {
    containers: Containers,
    target: String,
    key: u64,
}

/// The wish for a place in a container, until it is dropped.
#[derive(Debug)]
pub struct Wish {
    containers: Containers,
    key: u64,
}

impl Containers {
    /// See `Book::take`.
    pub fn take(&self, targets: &[String], most: usize) -> Result<Seat, Full> {
        let (key, target) = self.book().take(targets, most, now())?;
        Ok(Seat {
            containers: self.clone(),
            target,
            key,
        })
    }

    /// See `Book::has_room`.
    pub fn has_room(&self, targets: &[String], most: usize) -> bool {
        self.book().has_room(targets, most, now())
    }

    /// See `Book::full`.
    pub fn full(&self, targets: &[String], most: usize) -> Full {
        self.book().full(targets, most, now())
    }

    /// See `Book::is_wanted`.
    pub fn is_wanted(&self, target: &str) -> bool {
        self.book().is_wanted(target)
    }

    /// Those who have sessions there and do not need them are told.
    pub fn wish(&self, targets: &[String]) -> Wish {
        let mut book = self.book();
        let key = book.next_seat;
        book.next_seat += 1;
        book.waiting.insert(key, targets.to_vec());
        drop(book);
        self.0.changed.send_replace(());
        Wish {
            containers: self.clone(),
            key,
        }
    }

    /// Changes when a place has become free, and when somebody waits for one.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// What StartSession is given.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// See `Book::works`.
    pub fn works(&self) {
        self.containers.book().works(&self.target, self.key);
    }

    /// See `Book::missed`.
    pub fn missed(&self) -> Option<usize> {
        let mut book = self.containers.book();
        book.missed(&self.target, self.key, now())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut book = self.containers.book();
        book.release(&self.target, self.key, now());
        drop(book);
        self.containers.0.changed.send_replace(());
    }
}

impl Drop for Wish {
    fn drop(&mut self) {
        self.containers.book().waiting.remove(&self.key);
    }
}

/// The clock that timers go by.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| format!("ecs:{name}")).collect()
    }

    #[test]
    fn sessions_are_spread_over_the_containers_with_fewest_first() {
        let (mut book, now) = (Book::default(), Instant::now());
        let four = targets(&["a", "b", "c", "d"]);
        let mut taken: Vec<String> = Vec::new();
        while let Ok((_, target)) = book.take(&four, 2, now) {
            taken.push(target);
        }
        assert_eq!(taken, [four.clone(), four.clone()].concat());
        let full = Full {
            sessions: 8,
            containers: 4,
            learnt: false,
        };
        assert_eq!(book.take(&four, 2, now), Err(full));
        assert!(!book.has_room(&four, 2, now) && book.has_room(&four, 3, now));
        book.release(&four[2], 2, now);
        assert_eq!(book.take(&four, 2, now).unwrap().1, four[2]);
    }

    #[test]
    fn a_session_without_a_handshake_beside_others_that_work_tells_what_the_container_bears() {
        let (mut book, now) = (Book::default(), Instant::now());
        let one = targets(&["a"]);
        let seats: Vec<u64> = (0..3).map(|_| book.take(&one, 4, now).unwrap().0).collect();
        assert_eq!(
            book.missed(&one[0], seats[2], now),
            None,
            "nothing works there"
        );
        book.works(&one[0], seats[0]);
        book.works(&one[0], seats[1]);
        assert_eq!(book.missed(&one[0], seats[2], now), Some(2));
        book.release(&one[0], seats[2], now);
        let full = book.take(&one, 4, now).unwrap_err();
        assert_eq!((full.sessions, full.learnt), (2, true));
        seats
            .iter()
            .for_each(|seat| book.release(&one[0], *seat, now));
        for _ in 0..2 {
            book.take(&one, 4, now).unwrap();
        }
        assert!(!book.has_room(&one, 4, now), "it is not forgotten");
    }

    #[test]
    fn what_a_container_turned_out_to_bear_counts_for_an_hour() {
        let (mut book, now) = (Book::default(), Instant::now());
        let one = targets(&["a"]);
        let seats: Vec<u64> = (0..2).map(|_| book.take(&one, 4, now).unwrap().0).collect();
        book.works(&one[0], seats[0]);
        assert_eq!(book.missed(&one[0], seats[1], now), Some(1));
        book.release(&one[0], seats[1], now);
        let just_before = now + Duration::from_secs(3599);
        assert!(book.full(&one, 4, just_before).learnt);
        assert!(!book.has_room(&one, 4, just_before));
        let later = now + Duration::from_secs(3600);
        assert!(!book.full(&one, 4, later).learnt);
        assert!(book.has_room(&one, 4, later));
        book.release(&one[0], seats[0], later);
        assert!(book.containers.is_empty(), "nothing is left of old tasks");
    }

    #[test]
    fn an_instance_bears_what_it_is_given() {
        let (mut book, now) = (Book::default(), Instant::now());
        let node = ["i-0123456789abcdef0".to_owned()];
        let seats: Vec<u64> = (0..9)
            .map(|_| book.take(&node, 4, now).unwrap().0)
            .collect();
        book.works(&node[0], seats[0]);
        assert_eq!(book.missed(&node[0], seats[1], now), None);
        assert!(book.has_room(&node, 4, now));
    }

    #[tokio::test]
    async fn who_waits_is_woken_by_a_place_and_who_has_one_by_a_wish() {
        let containers = Containers::default();
        let one = targets(&["a"]);
        let seat = containers.take(&one, 1).unwrap();
        let mut changes = containers.changes();
        let wish = containers.wish(&one);
        assert!(changes.has_changed().unwrap() && containers.is_wanted(&one[0]));
        changes.mark_unchanged();
        drop(seat);
        assert!(changes.has_changed().unwrap() && containers.has_room(&one, 1));
        drop(wish);
        assert!(!containers.is_wanted(&one[0]));
    }
}

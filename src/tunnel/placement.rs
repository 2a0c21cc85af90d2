//! Which session a new connection goes to, when to open another, and when to let one go.
//!
//! Pure functions of what is known of each session. A connection stays where it was put.

use std::time::{Duration, Instant};

/// The agent dials one stream at a time, so more than this would only queue behind a slow dial.
const MAX_UNRESOLVED: usize = 64;
/// A dial that has shown nothing for so long is likely to be dropped packets; those behind it wait
/// for the kernel of the task to give up, which takes about two minutes.
const SUSPECT_AFTER: Duration = Duration::from_secs(10);
/// Dials of which the oldest is no older than this follow each other well: those who wait are better
/// off behind them than with a session that has yet to be started.
const BRISK: Duration = Duration::from_secs(2);
/// A session of which nothing was heard for so long, though something should have been, while another one works, is
/// of no use to anybody. (The reference gives an agent as long after a resume.)
const SILENT_AFTER: Duration = Duration::from_secs(60);

/// What is known of one session.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Its number in the tunnel.
    pub key: u64,
    /// How far it is.
    pub stage: Stage,
    /// When it was begun.
    pub started: Instant,
    /// Open connections.
    pub connections: usize,
    /// Connections of which nothing was heard from the far side.
    pub unresolved: usize,
    /// Since when the oldest of them has been waiting.
    pub unresolved_since: Option<Instant>,
    /// When anything was last heard, while one of them waits.
    pub heard_at: Instant,
    /// When a connection last got through.
    pub reached_at: Option<Instant>,
    /// It has stopped reading, because its only reader is slow.
    pub stalled: bool,
    /// Since when it has had no connection.
    pub idle_since: Option<Instant>,
}

/// How far a session is, as placement sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It will be usable.
    Coming,
    /// It is.
    Usable,
    /// It takes nothing new.
    Leaving,
}

/// Where a new connection goes.
#[derive(Debug, PartialEq, Eq)]
pub enum Choice {
    /// To this session.
    Use(u64),
    /// To one that has to be opened.
    Open,
    /// Nowhere yet.
    Wait,
    /// Nowhere yet, because nothing bears another session.
    Full,
}

/// Choose for one new connection. A session older than `max_age` is the last choice. `room`: there is a place for
/// another session.
pub fn place(sessions: &[Candidate], max_age: Duration, room: bool, now: Instant) -> Choice {
    let usable = |s: &&Candidate| s.stage == Stage::Usable && s.takes_more(now);
    if let Some(best) = sessions
        .iter()
        .filter(usable)
        .min_by_key(|s| (s.is_old(max_age, now), s.connections, s.key))
    {
        return Choice::Use(best.key);
    }
    let coming = sessions.iter().any(|s| s.stage == Stage::Coming);
    if coming || sessions.iter().any(|s| s.is_brisk(now)) {
        return Choice::Wait;
    }
    if room {
        return Choice::Open;
    }
    // Behind a dial that hangs, perhaps; perhaps only behind somebody who has nothing to say.
    let last_resort = sessions
        .iter()
        .filter(|s| s.stage == Stage::Usable && !s.stalled)
        .min_by_key(|s| (s.unresolved, s.key));
    last_resort.map_or(Choice::Full, |session| Choice::Use(session.key))
}

/// Whether a session is to be opened beside those there are, for nobody yet: one that is in use has become old.
pub fn wants_successor(
    sessions: &[Candidate],
    max_age: Duration,
    room: bool,
    now: Instant,
) -> bool {
    let is_young = |s: &Candidate| s.stage != Stage::Leaving && !s.is_old(max_age, now);
    let is_worn =
        |s: &Candidate| s.stage == Stage::Usable && s.connections > 0 && s.is_old(max_age, now);
    room && sessions.iter().any(is_worn) && !sessions.iter().any(is_young)
}

/// The sessions whose successor is there: nothing new is placed on them.
pub fn succeeded(sessions: &[Candidate], max_age: Duration, now: Instant) -> Vec<u64> {
    let is_young = |s: &Candidate| s.stage == Stage::Usable && !s.is_old(max_age, now);
    if !sessions.iter().any(is_young) {
        return Vec::new();
    }
    let is_left = |s: &&Candidate| s.stage != Stage::Leaving && s.is_old(max_age, now);
    sessions.iter().filter(is_left).map(|s| s.key).collect()
}

/// The sessions whose agent acknowledges and delivers nothing: a connection has waited long, nothing came for any
/// other, and meanwhile somebody got through another session to the same place.
pub fn silent(sessions: &[Candidate], now: Instant) -> Vec<u64> {
    let is_silent = |s: &&Candidate| {
        let Some(since) = s.unresolved_since else {
            return false;
        };
        let works = |other: &Candidate| other.key != s.key && other.reached_at > Some(since);
        now.duration_since(since.max(s.heard_at)) >= SILENT_AFTER && sessions.iter().any(works)
    };
    sessions.iter().filter(is_silent).map(|s| s.key).collect()
}

/// The sessions that have been without a connection for `linger`.
pub fn expired(sessions: &[Candidate], linger: Duration, now: Instant) -> Vec<u64> {
    let is_expired = |s: &&Candidate| s.ends_at(linger).is_some_and(|at| at <= now);
    sessions.iter().filter(is_expired).map(|s| s.key).collect()
}

/// When to look at placement again, if nothing else happens before.
pub fn next_deadline(
    sessions: &[Candidate],
    linger: Duration,
    max_age: Duration,
    now: Instant,
) -> Option<Instant> {
    let ends = sessions.iter().filter_map(|s| s.ends_at(linger));
    let young = sessions.iter().filter(|s| !s.is_old(max_age, now));
    ends.chain(young.map(|s| s.started + max_age)).min()
}

/// When those who wait for a place may find one, if nothing else happens before.
pub fn next_chance(sessions: &[Candidate], now: Instant) -> Option<Instant> {
    let brisk = sessions.iter().filter(|s| s.is_brisk(now));
    brisk
        .filter_map(|s| s.unresolved_since)
        .map(|since| since + BRISK)
        .min()
}

impl Candidate {
    fn takes_more(&self, now: Instant) -> bool {
        !self.stalled && self.unresolved < MAX_UNRESOLVED && !self.is_suspect(now)
    }

    fn is_old(&self, max_age: Duration, now: Instant) -> bool {
        now.duration_since(self.started) >= max_age
    }

    /// Whether it takes no more only because many dials are under way, and they follow each other.
    fn is_brisk(&self, now: Instant) -> bool {
        let young = |since| now.duration_since(since) < BRISK;
        self.stage == Stage::Usable
            && !self.stalled
            && self.unresolved >= MAX_UNRESOLVED
            && self.unresolved_since.is_none_or(young)
    }

    /// Whether its dials seem to hang.
    pub fn is_suspect(&self, now: Instant) -> bool {
        self.unresolved_since
            .is_some_and(|since| now.duration_since(since) >= SUSPECT_AFTER)
    }

    /// When it is let go, unless a connection comes.
    pub fn ends_at(&self, linger: Duration) -> Option<Instant> {
        match self.stage {
            // Also one that is being resumed for nobody.
            Stage::Usable | Stage::Coming => self.idle_since.map(|since| since + linger),
            Stage::Leaving => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usable(key: u64, connections: usize) -> Candidate {
        Candidate {
            key,
            stage: Stage::Usable,
            started: Instant::now(),
            connections,
            unresolved: 0,
            unresolved_since: None,
            heard_at: Instant::now(),
            reached_at: None,
            stalled: false,
            idle_since: None,
        }
    }

    const HOUR: Duration = Duration::from_secs(3600);

    fn place_in(sessions: &[Candidate], now: Instant) -> Choice {
        place(sessions, HOUR, true, now)
    }

    #[test]
    fn without_a_session_one_is_opened() {
        assert_eq!(place_in(&[], Instant::now()), Choice::Open);
    }

    #[test]
    fn a_session_on_its_way_is_waited_for() {
        let coming = Candidate {
            stage: Stage::Coming,
            ..usable(1, 0)
        };
        assert_eq!(place_in(&[coming], Instant::now()), Choice::Wait);
    }

    #[test]
    fn the_session_with_fewest_connections_is_used() {
        assert_eq!(
            place_in(&[usable(1, 5), usable(2, 3)], Instant::now()),
            Choice::Use(2)
        );
    }

    #[test]
    fn one_session_carries_many_connections() {
        assert_eq!(place_in(&[usable(1, 500)], Instant::now()), Choice::Use(1));
    }

    #[test]
    fn more_than_sixty_four_dials_wait_for_each_other_only_while_they_are_brisk() {
        let now = Instant::now() + Duration::from_secs(60);
        let full = |millis| Candidate {
            unresolved: 64,
            unresolved_since: Some(now - Duration::from_millis(millis)),
            ..usable(1, 64)
        };
        assert_eq!(place_in(&[full(1999)], now), Choice::Wait);
        let chance = next_chance(&[full(1999)], now);
        assert_eq!(chance, Some(now + Duration::from_millis(1)));
        assert_eq!(place_in(&[full(2000)], now), Choice::Open);
        assert_eq!(next_chance(&[full(2000)], now), None);
    }

    #[test]
    fn without_room_for_another_session_a_silent_dial_keeps_nobody_out() {
        let now = Instant::now() + Duration::from_secs(60);
        let silent = |key, unresolved| Candidate {
            unresolved,
            unresolved_since: Some(now - Duration::from_secs(30)),
            ..usable(key, 1)
        };
        let four = [silent(1, 2), silent(2, 1), silent(3, 3), silent(4, 2)];
        assert_eq!(place(&four, HOUR, false, now), Choice::Use(2));
        assert_eq!(place(&four, HOUR, true, now), Choice::Open);
    }

    #[test]
    fn a_dial_silent_for_ten_seconds_sends_new_connections_elsewhere() {
        let now = Instant::now() + Duration::from_secs(60);
        let since = |s| Candidate {
            unresolved: 1,
            unresolved_since: Some(now - Duration::from_secs(s)),
            ..usable(1, 1)
        };
        assert_eq!(place_in(&[since(9)], now), Choice::Use(1));
        assert_eq!(place_in(&[since(10)], now), Choice::Open);
    }

    #[test]
    fn a_stalled_or_leaving_session_takes_nothing_new() {
        let stalled = Candidate {
            stalled: true,
            ..usable(1, 1)
        };
        let leaving = Candidate {
            stage: Stage::Leaving,
            ..usable(2, 0)
        };
        assert_eq!(place_in(&[stalled, leaving], Instant::now()), Choice::Open);
    }

    #[test]
    fn without_room_for_another_session_one_waits_for_it() {
        let stalled = |key| Candidate {
            stalled: true,
            ..usable(key, 1)
        };
        let four: Vec<_> = (0..4).map(stalled).collect();
        assert_eq!(place(&four, HOUR, false, Instant::now()), Choice::Full);
        assert_eq!(place(&[], HOUR, false, Instant::now()), Choice::Full);
    }

    #[test]
    fn a_session_is_let_go_only_after_its_linger_without_connections() {
        let now = Instant::now() + Duration::from_secs(600);
        let linger = Duration::from_secs(120);
        let idle = |s| Candidate {
            idle_since: Some(now - Duration::from_secs(s)),
            ..usable(7, 0)
        };
        assert!(expired(&[idle(119)], linger, now).is_empty());
        assert_eq!(expired(&[idle(120)], linger, now), [7]);
        assert!(expired(&[usable(7, 1)], linger, now).is_empty());
        assert_eq!(
            next_deadline(&[idle(100)], linger, HOUR, now),
            Some(now + Duration::from_secs(20))
        );
    }

    #[test]
    fn an_old_session_is_used_until_its_successor_is_there() {
        let old = usable(1, 3);
        let start = old.started;
        let now = start + HOUR;
        let young = |stage| Candidate {
            started: now - Duration::from_secs(2),
            stage,
            ..usable(2, 0)
        };
        let deadline = |sessions: &[Candidate]| next_deadline(sessions, HOUR, HOUR, start);
        let alone = [old.clone()];
        assert!(!wants_successor(
            &alone,
            HOUR,
            true,
            now - Duration::from_millis(1)
        ));
        assert_eq!(deadline(&alone), Some(now));

        assert!(wants_successor(&alone, HOUR, true, now));
        assert!(!wants_successor(&alone, HOUR, false, now));
        assert!(succeeded(&alone, HOUR, now).is_empty());
        assert_eq!(place_in(&alone, now), Choice::Use(1));

        let coming = [old.clone(), young(Stage::Coming)];
        assert!(!wants_successor(&coming, HOUR, true, now));
        assert!(succeeded(&coming, HOUR, now).is_empty());
        assert_eq!(place_in(&coming, now), Choice::Use(1));

        let resuming = Candidate {
            stage: Stage::Coming,
            ..old.clone()
        };
        let both = [resuming, young(Stage::Usable)];
        assert_eq!(succeeded(&both, HOUR, now), [1]);
        let both = [old, young(Stage::Usable)];
        assert_eq!(succeeded(&both, HOUR, now), [1]);
        assert_eq!(place_in(&both, now), Choice::Use(2));
        assert!(!wants_successor(&both, HOUR, true, now));
    }

    #[test]
    fn an_old_session_that_nobody_uses_needs_no_successor() {
        let now = Instant::now() + 2 * HOUR;
        assert!(!wants_successor(&[usable(1, 0)], HOUR, true, now));
        let leaving = Candidate {
            stage: Stage::Leaving,
            ..usable(1, 3)
        };
        assert!(!wants_successor(&[leaving], HOUR, true, now));
    }

    #[test]
    fn a_session_is_silent_when_nothing_comes_and_another_gets_through_to_the_same_place() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let now = start + 100 * second;
        let hanging = |heard: Instant| Candidate {
            unresolved: 1,
            unresolved_since: Some(start + 10 * second),
            heard_at: heard,
            ..usable(1, 2)
        };
        let works = |reached: Instant| Candidate {
            reached_at: Some(reached),
            ..usable(2, 1)
        };
        let (before, after) = (start, start + 20 * second);
        assert_eq!(silent(&[hanging(before), works(after)], now), [1]);
        let early = start + 69 * second;
        assert!(silent(&[hanging(before), works(after)], early).is_empty());
        let heard = start + 41 * second;
        assert!(silent(&[hanging(heard), works(after)], now).is_empty());
        assert!(silent(&[hanging(before), works(before)], now).is_empty());
        assert!(silent(&[hanging(before)], now).is_empty());
    }
}

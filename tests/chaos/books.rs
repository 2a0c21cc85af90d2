//! What must hold afterwards: the simulator's books, the state file, and what the process holds.

use std::{fs, time::Duration};

use bastiond::sim::{Call, End, Session, World};
use tokio::time::Instant;

use crate::journal;

/// How long after a daemon has learnt of a session its state file may not know it.
const WRITING: Duration = Duration::from_millis(500);
/// Attempts to resume are no further apart, with a jump of the clock in between.
const RESUME_PAUSE: Duration = Duration::from_secs(300);

/// What the process holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    pub descriptors: usize,
    /// Resident memory in bytes.
    pub memory: usize,
}

impl Usage {
    pub fn now() -> Self {
        let descriptors = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = resident.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok());
        Self {
            descriptors,
            memory: kilobytes.unwrap_or(0) << 10,
        }
    }
}

/// Nothing was left open.
pub fn same_descriptors(before: &Usage, after: &Usage, seed: u64) {
    assert_eq!(
        after.descriptors,
        before.descriptors,
        "descriptors stay open; seed {seed}\n{}",
        journal::tail()
    );
}

/// What could not be known to any daemon, and is left to the service's own idle timeout.
#[derive(Debug, Default)]
pub struct Excuses {
    /// When daemons crashed.
    pub crashes: Vec<std::time::Instant>,
}

impl Excuses {
    /// A session is nobody's fault when its StartSession was never answered, or when the daemon crashed in the very
    /// moment that it learnt of it.
    pub fn cover(&self, world: &World, session: &Session) -> bool {
        let mut starts = world.calls("StartSession").into_iter();
        let unanswered = starts.any(|call| call.status.is_none() && call.at <= session.started);
        let learnt = journal::when_said(&format!("session started session={}", session.id));
        let mut crashes = self.crashes.iter();
        let crashed = match learnt {
            Some(learnt) => crashes.any(|at| (learnt..=learnt + WRITING).contains(at)),
            None => !self.crashes.is_empty(),
        };
        (session.links == 0 && unanswered) || crashed
    }
}

/// Sessions that the service has and nobody here knows.
pub fn stray_sessions(world: &World, known: &[String], excuses: &Excuses) -> Vec<Session> {
    let mut sessions = world.active_sessions();
    sessions.retain(|session| !known.contains(&session.id) && !excuses.cover(world, session));
    sessions
}

/// Sessions that ended only because nobody used them for twenty minutes, and nobody tried to either.
pub fn forgotten_sessions(world: &World, excuses: &Excuses) -> Vec<Session> {
    let mut sessions = world.sessions();
    sessions.retain(|session| match session.ended {
        Some((at, End::Idle)) => {
            !excuses.cover(world, session) && !was_cared_for(world, session, at)
        }
        _ => false,
    });
    sessions
}

/// Whether a daemon, whose calls all failed, was still at it when the service ended the session.
fn was_cared_for(world: &World, session: &Session, end: Instant) -> bool {
    let of_it = |call: &Call| {
        let age = end.saturating_duration_since(call.at);
        call.body["SessionId"] == session.id.as_str() && age < RESUME_PAUSE
    };
    let calls = ["ResumeSession", "TerminateSession"].map(|name| world.calls(name));
    calls.iter().flatten().any(of_it)
}

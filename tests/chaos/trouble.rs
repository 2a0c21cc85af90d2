//! What may go wrong, and how often.

use std::time::Duration;

use bastiond::sim::{AgentCourse, ApiFault, Cut, Dial, Failure, Handshake, Line, Plan, Zombie};

/// Every call that the daemon makes.
const OPERATIONS: [&str; 10] = [
    "ListTasks",
    "DescribeTasks",
    "RunTask",
    "StopTask",
    "StartSession",
    "ResumeSession",
    "TerminateSession",
    "DescribeSessions",
    "GetConnectionStatus",
    "GetCallerIdentity",
];

/// One thing that goes wrong.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// Every link ends.
    Cut(Cut),
    /// Every link ends after so many messages, for a while.
    Short(u64, Cut),
    /// Messages are lost, doubled, overtaken or late, for a while.
    Lossy(Line, Line),
    /// WebSocket requests are refused.
    Upgrades(usize, u16),
    /// The next calls fail.
    Call(&'static str, usize, Api),
    /// All calls fail, for a while.
    Calls(&'static str, Api),
    /// A session's agent looks alive and is not, until the session ends.
    Zombie(Zombie),
    /// Dials hang or are refused, for a while.
    Dial(Dial),
    /// Handshakes go wrong, for a while.
    Handshake(Handshake),
    /// One side is asked to be silent, and never asked to speak again until it is healed.
    Pause { client: bool },
    /// The service ends every session.
    End(Option<&'static str>),
    /// The service ends every session while it has no link: the next ResumeSession says so.
    EndUnheard,
    /// Every running task stops.
    Stop(&'static str, &'static str),
    /// The next task is no good.
    Task(Bad),
    /// The clock jumps: minutes pass in which nothing could be done.
    Skip(u64),
    /// `ctl down`.
    Down,
    /// `ctl up`.
    Up,
    /// The daemon is stopped and started.
    Restart,
    /// The daemon is gone from one moment to the next, and started again.
    Crash,
}

/// How a call fails.
#[derive(Clone, Copy, Debug)]
pub enum Api {
    Throttle,
    Internal,
    AccessDenied,
    ExpiredToken,
    LoseAnswer,
    Reset,
    Hang,
    Delay(u64),
}

/// What is wrong with a task.
#[derive(Clone, Copy, Debug)]
pub enum Bad {
    AgentNeverConnects,
    AgentNeverStarts,
    AgentStopped,
    NoImage,
    Exits,
    OutOfMemory,
    Spot,
}

type Draw = fn(&mut fastrand::Rng) -> Trouble;

/// How often each is drawn, in proportion: what can be survived much more often than what cannot, so that connections
/// live to see many troubles.
const WEIGHTS: [(u32, Draw); 19] = [
    (240, |rng| Trouble::Cut(cut(rng))),
    (12, |rng| Trouble::Short(rng.u64(20..400), cut(rng))),
    (40, |rng| Trouble::Lossy(line(rng), line(rng))),
    (30, |rng| {
        Trouble::Upgrades(rng.usize(1..4), one(rng, &[403, 429, 503]))
    }),
    (40, |rng| {
        Trouble::Call(one(rng, &OPERATIONS), rng.usize(1..4), api(rng))
    }),
    (10, |rng| Trouble::Calls(one(rng, &OPERATIONS), api(rng))),
    (2, |rng| {
        Trouble::Zombie(one(rng, &[Zombie::Acks, Zombie::Mute]))
    }),
    (4, |rng| {
        Trouble::Dial(one(rng, &[Dial::Hang, Dial::Refuse]))
    }),
    (4, |rng| Trouble::Handshake(handshake(rng))),
    (10, |rng| Trouble::Pause { client: rng.bool() }),
    (3, |rng| {
        Trouble::End(one(
            rng,
            &[None, Some("ended by an administrator"), Some("")],
        ))
    }),
    (2, |_| Trouble::EndUnheard),
    (3, stop),
    (5, |rng| Trouble::Task(bad(rng))),
    (24, |rng| Trouble::Skip(one(rng, &[2, 11, 31, 61, 125]))),
    (2, |_| Trouble::Down),
    (10, |_| Trouble::Up),
    (3, |_| Trouble::Restart),
    (3, |_| Trouble::Crash),
];

impl Trouble {
    pub fn draw(rng: &mut fastrand::Rng) -> Self {
        let all: u32 = WEIGHTS.iter().map(|(weight, _)| weight).sum();
        let mut lot = rng.u32(..all);
        for (weight, draw) in WEIGHTS {
            match lot.checked_sub(weight) {
                Some(rest) => lot = rest,
                None => return draw(rng),
            }
        }
        unreachable!("the lot is less than all weights")
    }

    /// Its name in the summary.
    pub fn kind(&self) -> String {
        match self {
            Self::Cut(cut) => format!("cut {}", name(cut)),
            Self::Call(operation, ..) | Self::Calls(operation, _) => operation.to_string(),
            Self::Task(bad) => format!("task {}", name(bad)),
            Self::Stop(code, _) => format!("stop {code}"),
            other => name(other),
        }
    }
}

/// The first word of what `Debug` writes.
fn name(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    let end = text
        .find(|c: char| !c.is_alphanumeric())
        .unwrap_or(text.len());
    text[..end].to_owned()
}

fn one<T: Copy>(rng: &mut fastrand::Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

fn cut(rng: &mut fastrand::Rng) -> Cut {
    match rng.u32(..7) {
        0 => Cut::Bye,
        1 => Cut::Close(1001, "going away".into()),
        2 => Cut::Close(1009, "too big".into()),
        3 => Cut::Close(1011, String::new()),
        4 => Cut::Drop,
        5 => Cut::Reset,
        _ => Cut::HalfOpen,
    }
}

fn line(rng: &mut fastrand::Rng) -> Line {
    let mut rate = |most: f64| if rng.bool() { most * rng.f64() } else { 0.0 };
    Line {
        drop: rate(0.05),
        drop_acks: rate(0.2),
        duplicate: rate(0.1),
        bad_digest: rate(0.02),
        reorder: rate(0.2),
        reorder_by: Duration::from_millis(rng.u64(1..60)),
        latency: Duration::from_millis(if rng.bool() { rng.u64(0..80) } else { 0 }),
    }
}

fn api(rng: &mut fastrand::Rng) -> Api {
    match rng.u32(..8) {
        0 => Api::Throttle,
        1 => Api::Internal,
        2 => Api::AccessDenied,
        3 => Api::ExpiredToken,
        4 => Api::LoseAnswer,
        5 => Api::Reset,
        6 => Api::Hang,
        _ => Api::Delay(rng.u64(50..2000)),
    }
}

fn handshake(rng: &mut fastrand::Rng) -> Handshake {
    match rng.u32(..6) {
        0 => Handshake::Delay(Duration::from_millis(rng.u64(10..4000))),
        1 => Handshake::Never,
        2 => Handshake::Lost,
        3 => Handshake::Twice,
        4 => Handshake::Output(bytes::Bytes::from_static(b"a shell says hello")),
        _ => Handshake::Closed("the plugin failed".into()),
    }
}

fn stop(rng: &mut fastrand::Rng) -> Trouble {
    let (code, reason) = one(
        rng,
        &[
            ("UserInitiated", "Task stopped by a person"),
            ("SpotInterruption", "Your Spot Task was interrupted."),
            ("TerminationNotice", "The host is being retired."),
            (
                "EssentialContainerExited",
                "Essential container in task exited",
            ),
        ],
    );
    Trouble::Stop(code, reason)
}

fn bad(rng: &mut fastrand::Rng) -> Bad {
    use Bad::*;
    one(
        rng,
        &[
            AgentNeverConnects,
            AgentNeverStarts,
            AgentStopped,
            NoImage,
            Exits,
            OutOfMemory,
            Spot,
        ],
    )
}

impl Api {
    pub fn fault(self) -> ApiFault {
        match self {
            Self::Throttle => ApiFault::Throttle,
            Self::Internal => ApiFault::Internal,
            Self::AccessDenied => ApiFault::AccessDenied,
            Self::ExpiredToken => ApiFault::ExpiredToken,
            Self::LoseAnswer => ApiFault::LoseAnswer,
            Self::Reset => ApiFault::Reset,
            Self::Hang => ApiFault::Hang,
            Self::Delay(millis) => ApiFault::Delay(Duration::from_millis(millis)),
        }
    }
}

impl Bad {
    pub fn plan(self) -> Plan {
        let soon = Duration::from_millis(40);
        let failure = match self {
            Self::NoImage => Some(Failure::to_start(soon / 4, "CannotPullContainerError: no")),
            Self::Exits => Some(Failure::exit(soon, 1)),
            Self::OutOfMemory => Some(Failure {
                container_reason: Some(
                    "OutOfMemoryError: Container killed due to memory usage".into(),
                ),
                ..Failure::exit(soon * 20, 137)
            }),
            Self::Spot => Some(Failure::spot(soon * 20, Duration::from_secs(2))),
            _ => None,
        };
        let agent = match self {
            Self::AgentNeverConnects => AgentCourse::NeverConnects,
            Self::AgentNeverStarts => AgentCourse::NeverStarts,
            Self::AgentStopped => AgentCourse::Stopped("it crashed".into()),
            _ => AgentCourse::Connects,
        };
        Plan {
            agent,
            failure,
            ..Plan::default()
        }
    }
}

//! A whole start as the simulator records it, against the schedule that one bucket of calls for a whole account allows:
//! no call outside its window, none missing, and none besides.
//!
//! The clock goes in small steps, and after each there are some turns of the runtime. Daemon and simulator share it with
//! the test, so lateness is counted in steps: a busy machine makes all of them longer, and none of them more.

use std::time::Duration;

use bastiond::sim::{ApiFault, Call, Script, Timing, World};
use bastiond::status::TunnelState;
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::support::{House, Terms, skip};

/// When the task runs, and how long after that its agent connects.
const RUNNING: Duration = Duration::from_secs(127);
const CONNECTING: Duration = Duration::from_secs(18);
/// So many steps after its time a call is in the record. A call takes one; what it waits for may take others.
const LATEST: usize = 3;
/// Of the runtime, after each step.
const TURNS: usize = 12;
/// What a start calls. Who the caller is, is asked for the status.
const OF_A_START: [&str; 6] = [
    "RunTask",
    "ListTasks",
    "DescribeTasks",
    "GetConnectionStatus",
    "StartSession",
    "GetCallerIdentity",
];

/// Of calls of one operation that are made at a time between `from` and `until`, in milliseconds after RunTask: the least
/// and the longest pause before the next one.
struct Window {
    phase: &'static str,
    operation: &'static str,
    from: u64,
    until: u64,
    pause: (u64, u64),
}

/// What was called when, and the steps of the clock, in milliseconds after RunTask.
struct Record {
    calls: Vec<(String, u64)>,
    steps: Vec<u64>,
    windows: Vec<Window>,
}

#[tokio::test]
async fn the_recorded_calls_of_a_start_are_those_of_the_schedule() {
    let record = a_start().await;
    record.holds(record.at("RunTask") == [0], "one task is run");
    let lists = record.at("ListTasks");
    record.holds(
        lists.len() == 3 && lists[1] == 0,
        "two lists before RunTask, one after",
    );
    record.is_due("the look for a twin", 0, lists[2], (3000, 5000));
    record.is_due(
        "the first look",
        0,
        record.at("DescribeTasks")[0],
        (5000, 5000),
    );
    record.keeps_its_windows();
    record.tries_of_a_session();
    let strange = record
        .calls
        .iter()
        .find(|(name, _)| !OF_A_START.contains(&name.as_str()));
    record.holds(strange.is_none(), &format!("not in a start: {strange:?}"));
}

fn windows(running: u64, connected: u64) -> Vec<Window> {
    let window = |phase, operation, (from, until), pause| Window {
        phase,
        operation,
        from,
        until,
        pause,
    };
    let (look, probe) = ("DescribeTasks", "GetConnectionStatus");
    vec![
        window("5-12 s", look, (5000, 12_000), (1000, 1000)),
        window("12-45 s", look, (12_000, 45_000), (560, 840)),
        window("45-120 s", look, (45_000, 120_000), (2000, 2000)),
        window("from 120 s on", look, (120_000, running), (5000, 5000)),
        window("it runs", look, (running, connected), (2000, 2000)),
        window(
            "10 s since then",
            probe,
            (running, running + 10_000),
            (500, 500),
        ),
        window(
            "and after",
            probe,
            (running + 10_000, connected),
            (1000, 1000),
        ),
    ]
}

/// A start that goes through every phase. Its session is refused as often as is borne, as by an agent that is not there.
async fn a_start() -> Record {
    let script = Script {
        timing: Timing {
            pulling: RUNNING - 2 * Timing::fast().activating,
            agent_connect: CONNECTING,
            ..Timing::fast()
        },
        ..Script::fast()
    };
    let house = House::with(script).await;
    let refused = ApiFault::Error(400, "TargetNotConnected".into(), "not connected".into());
    house.world().fail_next("StartSession", 5, refused);
    let terms = Terms {
        tunnel: "hold_timeout = \"5m\"",
        pace: 1.0,
        ..Terms::default()
    };
    let daemon = house.daemon(&terms).await;
    let client = daemon.connect().await;
    let mut steps = Vec::new();
    while house.world().sessions().is_empty() {
        assert!(
            steps.len() < 3000,
            "no session: {:#?}",
            daemon.status().await
        );
        steps.push(Instant::now());
        skip(step(house.world())).await;
        for _ in 0..TURNS {
            yield_now().await;
        }
    }
    daemon.is(TunnelState::Ready).await;
    drop(client);
    let record = Record::of(house.world(), &steps);
    house.close(daemon).await;
    record
}

/// Short where pauses are short.
fn step(world: &World) -> Duration {
    let launched = world.calls("RunTask").first().map(|call| call.at);
    match launched.map_or(0, |at| at.elapsed().as_secs()) {
        45..126 => Duration::from_millis(200),
        _ => Duration::from_millis(100),
    }
}

impl Record {
    fn of(world: &World, steps: &[Instant]) -> Self {
        let launched = world.calls("RunTask")[0].at;
        let after = |at: Instant| {
            let after = at.saturating_duration_since(launched).as_millis();
            u64::try_from(after).expect("a start does not last for ever")
        };
        let all = world.all_calls();
        // What a list has named is looked at as a part of it.
        let is_listed = |at: usize| at > 0 && all[at - 1].operation == "ListTasks";
        let own =
            |(at, call): &(usize, &Call)| call.operation != "DescribeTasks" || !is_listed(*at);
        let calls = all.iter().enumerate().filter(own);
        let calls = calls.map(|(_, call)| (call.operation.clone(), after(call.at)));
        let mut record = Self {
            calls: calls.collect(),
            steps: steps.iter().map(|at| after(*at)).collect(),
            windows: Vec::new(),
        };
        let probes = record.at("GetConnectionStatus");
        let mut looks = record.at("DescribeTasks");
        looks.retain(|look| *look <= probes[0]);
        record.windows = windows(looks[looks.len() - 1], probes[probes.len() - 1]);
        record
    }

    fn at(&self, operation: &str) -> Vec<u64> {
        let calls = self.calls.iter().filter(|(name, _)| name == operation);
        calls.map(|(_, at)| *at).collect()
    }

    /// Each pause is one of its window, and no window is without a call.
    fn keeps_its_windows(&self) {
        let connected = self.windows.iter().map(|window| window.until).max();
        for operation in ["DescribeTasks", "GetConnectionStatus"] {
            let all = self.at(operation);
            for pair in all.windows(2).filter(|pair| Some(pair[1]) <= connected) {
                if let Some(pause) = self.pause(operation, pair[0]) {
                    self.is_due(operation, pair[0], pair[1], pause);
                }
            }
        }
        for window in &self.windows {
            let mut all = self.at(window.operation).into_iter();
            let is_used = all.any(|at| (window.from..window.until).contains(&at));
            self.holds(is_used, window.phase);
        }
    }

    /// The pause after a call that is in the record at `at`. It may have been decided on some steps before. `None` when
    /// the start is over.
    fn pause(&self, operation: &str, at: u64) -> Option<(u64, u64)> {
        let earlier = self.steps.iter().rev().filter(|step| **step < at);
        let earliest = earlier.take(LATEST).last().copied().unwrap_or(at);
        let fits = |window: &&Window| {
            window.operation == operation && window.from <= at && earliest < window.until
        };
        let pauses = || self.windows.iter().filter(fits).map(|window| window.pause);
        let least = pauses().map(|(least, _)| least).min();
        let most = pauses().map(|(_, most)| most).max();
        least.zip(most)
    }

    /// A call is never early. It is late by no more steps than it takes to be made.
    fn is_due(&self, what: &str, from: u64, at: u64, pause: (u64, u64)) {
        let due = from + pause.1;
        let late = self
            .steps
            .iter()
            .filter(|step| (due..at).contains(*step))
            .count();
        let fits = at - from >= pause.0 && late <= LATEST;
        let told = format!(
            "{what}: at {at} ms, {} ms after {from}, {late} steps late",
            at - from
        );
        self.holds(fits, &told);
    }

    /// StartSession is tried six times, when its agent is known to be connected, at growing pauses.
    fn tries_of_a_session(&self) {
        let tries = self.at("StartSession");
        let connected = self.at("GetConnectionStatus").pop().unwrap_or_default();
        self.holds(tries.len() == 6, "six tries");
        self.is_due("the session", connected, tries[0], (0, 0));
        for (pair, pause) in tries.windows(2).zip([700, 1000, 1500, 2000, 3000]) {
            self.is_due("another try", pair[0], pair[1], (pause, pause));
        }
    }

    fn holds(&self, holds: bool, what: &str) {
        assert!(holds, "{what}\n{}", self.histogram());
    }

    /// Of each phase, how many calls there were after which pauses.
    fn histogram(&self) -> String {
        let row = |window: &Window| {
            let all = self.at(window.operation);
            let inside = |pair: &&[u64]| (window.from..window.until).contains(&pair[0]);
            let pauses = all.windows(2).filter(inside).map(|pair| pair[1] - pair[0]);
            let mut pauses: Vec<u64> = pauses.collect();
            pauses.sort_unstable();
            format!(
                "{:16} {:20} {:3} calls, pauses of {:?} ms: {pauses:?}\n",
                window.phase,
                window.operation,
                pauses.len(),
                window.pause,
            )
        };
        self.windows.iter().map(row).collect()
    }
}

//! P: a start, phase by phase. Only with `--start`.

use std::time::Duration;

use crate::doctor::check::{Check, Gap, Judge, Level, Verdict, known};
use crate::doctor::facts::{Bastion, Start, Step, Tunnel};
use crate::status::{Phase, Quantiles, UsualStart};

const LEVELS: &[Level] = &[Level::Warn, Level::Fail];
/// What is more than twice the usual by at least this is worth a word.
const NOTED: u64 = 2_000;

pub const CHECKS: &[Check] = &[
    Check {
        id: "P01",
        title: "a task is asked for",
        looks_at: "the search for a task that runs already, and RunTask",
        levels: LEVELS,
        why: "Both take well below a second. Calls that AWS throttles are repeated, and that takes longer.",
        fix: "see who else in the account makes calls to ECS: others' calls count for the same limits",
        needs: &[],
        judge: Judge::Bastion(asked),
    },
    Check {
        id: "P02",
        title: "the network is there",
        looks_at: "the time for which the task is PROVISIONING",
        levels: LEVELS,
        why: "AWS makes a network interface for the task: eight to twelve seconds.",
        fix: "take subnets with free addresses in several zones",
        needs: &[],
        judge: Judge::Bastion(network),
    },
    Check {
        id: "P03",
        title: "the image is pulled",
        looks_at: "the time until the image is there",
        levels: LEVELS,
        why: "Fargate keeps no layers: every start pulls the whole image, and unpacks it with the CPU that the task has.",
        fix: "take a small image, such as busybox, out of ECR of the same region (a pull-through cache)",
        needs: &[],
        judge: Judge::Bastion(image),
    },
    Check {
        id: "P04",
        title: "the containers start",
        looks_at: "the time between the image and RUNNING",
        levels: LEVELS,
        why: "One or two seconds, unless containers wait for each other or for a health check.",
        fix: "take out of the task what a bastion does not need: health checks, `dependsOn`, further containers",
        needs: &[],
        judge: Judge::Bastion(containers),
    },
    Check {
        id: "P05",
        title: "the agent connects",
        looks_at: "the time between RUNNING and the agent's connection",
        levels: LEVELS,
        why: "Two to ten seconds. The agent looks for ssmmessages, by way of NAT or an endpoint.",
        fix: "see N02, N03 and N05 for the way to ssmmessages; a task with more CPU starts its agent sooner",
        needs: &[],
        judge: Judge::Bastion(agent),
    },
    Check {
        id: "P06",
        title: "a session opens",
        looks_at: "StartSession, and the WebSocket",
        levels: LEVELS,
        why: "Both are calls from this machine: about a second, through a proxy a little more.",
        fix: "see L06 and L08 for the way of this machine to AWS",
        needs: super::running::A_SESSION,
        judge: Judge::Tunnel(session),
    },
    Check {
        id: "P07",
        title: "the agent greets",
        looks_at: "the handshake with the agent",
        levels: LEVELS,
        why: "The agent starts a worker for the session, which takes CPU: about a second.",
        fix: "give the task more CPU, or end sessions that nobody uses",
        needs: super::running::A_SESSION,
        judge: Judge::Tunnel(handshake),
    },
    Check {
        id: "P08",
        title: "the database's port answers",
        looks_at: "the first connection of the agent to it",
        levels: LEVELS,
        why: "Within a region that takes milliseconds. What takes longer goes a long way, or is looked up slowly.",
        fix: "take a subnet in the database's network and zone for the bastion",
        needs: super::running::A_SESSION,
        judge: Judge::Tunnel(connect),
    },
];

/// The phases of a task, in their order: their names, and what is slow.
const PHASES: [(&[&str], Duration); 5] = [
    (
        &["looking for a task", "asking for a task"],
        Duration::from_secs(5),
    ),
    (&["provisioning network"], Duration::from_secs(30)),
    (&["pulling image"], Duration::from_secs(30)),
    (&["starting containers"], Duration::from_secs(15)),
    (&["waiting for agent"], Duration::from_secs(20)),
];

fn asked(bastion: &Bastion) -> Result<Verdict, Gap> {
    phase(bastion, 0)
}

fn network(bastion: &Bastion) -> Result<Verdict, Gap> {
    phase(bastion, 1)
}

fn image(bastion: &Bastion) -> Result<Verdict, Gap> {
    phase(bastion, 2)
}

fn containers(bastion: &Bastion) -> Result<Verdict, Gap> {
    phase(bastion, 3)
}

fn agent(bastion: &Bastion) -> Result<Verdict, Gap> {
    phase(bastion, 4)
}

fn phase(bastion: &Bastion, index: usize) -> Result<Verdict, Gap> {
    let start = bastion.start.as_ref().ok_or(Gap::Needs("--start"))?;
    if start.ran {
        return Ok(Verdict::ok("it ran already"));
    }
    let (names, slow) = PHASES[index];
    if let Some(reason) = &start.failed {
        let reached = reached(start);
        if reached == index {
            return Ok(Verdict::fail(&reason.message).maybe_fix(reason.hint.clone()));
        }
        if reached < index {
            return Err(Gap::Needs("the phase before it"));
        }
    }
    let of_it = |it: &&Phase| names.contains(&it.name.as_str());
    let took: Vec<_> = start.phases.iter().filter(of_it).map(|it| it.ms).collect();
    if took.is_empty() {
        return Ok(Verdict::ok("too short to be seen"));
    }
    let usual = start.usual.as_ref().and_then(|it| usual_of(it, names));
    Ok(judged(took.iter().sum(), usual, slow))
}

/// How far a start came that failed.
fn reached(start: &Start) -> usize {
    let at = |it: &Phase| {
        PHASES
            .iter()
            .position(|(names, _)| names.contains(&it.name.as_str()))
    };
    start.phases.iter().filter_map(at).max().unwrap_or_default()
}

/// Of a phase with several names the one that takes the time.
fn usual_of(usual: &UsualStart, names: &[&str]) -> Option<Quantiles> {
    let of_it = usual
        .phases
        .iter()
        .filter(|it| names.contains(&it.name.as_str()));
    of_it.map(|it| it.quantiles).max_by_key(|it| it.p95_ms)
}

/// Slow in itself, or by what is usual here.
fn judged(ms: u64, usual: Option<Quantiles>, slow: Duration) -> Verdict {
    let told = match usual {
        Some(Quantiles { p50_ms, p95_ms }) => format!(
            "{}; usually {}, and 95 of 100 within {}",
            seconds(ms),
            seconds(p50_ms),
            seconds(p95_ms)
        ),
        None => seconds(ms),
    };
    let is_unusual = usual.is_some_and(|it| ms > it.p95_ms * 2 && ms > it.p95_ms + NOTED);
    match is_unusual || Duration::from_millis(ms) > slow {
        true => Verdict::warn(told),
        false => Verdict::ok(told),
    }
}

fn seconds(ms: u64) -> String {
    format!("{:.1} s", Duration::from_millis(ms).as_secs_f64())
}

fn session(tunnel: &Tunnel) -> Result<Verdict, Gap> {
    step(tunnel, Step::Session, Duration::from_secs(5))
}

fn handshake(tunnel: &Tunnel) -> Result<Verdict, Gap> {
    step(tunnel, Step::Handshake, Duration::from_secs(5))
}

fn connect(tunnel: &Tunnel) -> Result<Verdict, Gap> {
    step(tunnel, Step::Connect, Duration::from_secs(2))
}

/// A step that was not taken: R03 says why.
fn step(tunnel: &Tunnel, step: Step, slow: Duration) -> Result<Verdict, Gap> {
    let trial = known(&tunnel.trial)?.as_ref();
    let trial = trial.ok_or(Gap::Needs("a task that runs (P01 to P05)"))?;
    let took = trial.steps.iter().find(|(taken, _)| *taken == step);
    let (_, took) = took.ok_or(Gap::Needs("a session that comes so far (R03)"))?;
    Ok(judged(took.as_millis() as u64, None, slow))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::fixture;
    use crate::status::{Reason, UsualPhase};

    fn started(phases: &[(&str, u64)], alter: impl Fn(&mut Start)) -> Bastion {
        let phases = phases.iter().map(|(name, ms)| Phase {
            name: (*name).to_owned(),
            ms: *ms,
        });
        let mut start = Start {
            ran: false,
            phases: phases.collect(),
            ..Start::ran()
        };
        alter(&mut start);
        Bastion {
            start: Some(start),
            ..fixture::bastion()
        }
    }

    #[test]
    fn a_phase_is_slow_in_itself_or_by_what_is_usual() {
        let quantiles = Quantiles {
            p50_ms: 1_000,
            p95_ms: 2_000,
        };
        let level = |ms, usual| judged(ms, usual, Duration::from_secs(20)).level;
        assert_eq!(level(19_000, None), Level::Ok);
        assert_eq!(level(21_000, None), Level::Warn);
        assert_eq!(level(3_900, Some(quantiles)), Level::Ok);
        assert_eq!(level(4_100, Some(quantiles)), Level::Warn);
        let told = judged(1_500, Some(quantiles), Duration::from_secs(20));
        assert_eq!(
            told.evidence,
            "1.5 s; usually 1.0 s, and 95 of 100 within 2.0 s"
        );
    }

    #[test]
    fn a_start_that_fails_fails_in_its_phase_and_those_after_it_are_skipped() {
        let phases = [
            ("asking for a task", 300),
            ("provisioning network", 9_000),
            ("pulling image", 4_000),
        ];
        let reason = Reason::new("task_stopped", "it cannot pull").with_hint("mend the image");
        let bastion = started(&phases, |start| start.failed = Some(reason.clone()));
        assert_eq!(asked(&bastion).unwrap().level, Level::Ok);
        assert_eq!(network(&bastion).unwrap().level, Level::Ok);
        let told = image(&bastion).unwrap();
        assert_eq!(told.level, Level::Fail);
        assert_eq!(told.fix_of(&CHECKS[2]).as_deref(), Some("mend the image"));
        assert!(containers(&bastion).is_err() && agent(&bastion).is_err());
    }

    #[test]
    fn both_names_of_the_first_phase_count_and_the_usual_is_told() {
        let phases = [("looking for a task", 200), ("asking for a task", 900)];
        let usual = UsualStart {
            starts: 3,
            whole: Quantiles {
                p50_ms: 1,
                p95_ms: 1,
            },
            phases: vec![UsualPhase {
                name: "asking for a task".into(),
                quantiles: Quantiles {
                    p50_ms: 500,
                    p95_ms: 800,
                },
            }],
        };
        let bastion = started(&phases, |start| start.usual = Some(usual.clone()));
        let told = asked(&bastion).unwrap().evidence;
        assert_eq!(told, "1.1 s; usually 0.5 s, and 95 of 100 within 0.8 s");
        assert_eq!(agent(&bastion).unwrap().evidence, "too short to be seen");
    }
}

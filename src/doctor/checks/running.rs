//! R: the running task, and those that have stopped lately.

use crate::aws::{self, Task};
use crate::doctor::check::{Check, Gap, Judge, Level, Verdict, known};
use crate::doctor::facts::{Bastion, Stuck, Tunnel};
use crate::status::Reason;

const TASKS: &[&str] = &["ecs:ListTasks", "ecs:DescribeTasks"];
/// What a session takes to the task that runs.
pub const A_SESSION: &[&str] = &["ecs:ListTasks", "ecs:DescribeTasks", "ssm:StartSession"];
/// Nothing is there that could serve one.
pub const NOTHING_RUNS: &str = "nothing runs";
/// What ECS Exec needs of Fargate's platform.
const PLATFORM: (u32, u32, u32) = (1, 4, 0);
/// Stopped tasks that are told of.
const TOLD: usize = 5;

pub const CHECKS: &[Check] = &[
    Check {
        id: "R01",
        title: "the running task has an agent that runs",
        looks_at: "`enableExecuteCommand`, `platformVersion`, connectivity and the agent's status of the task",
        levels: &[Level::Fail],
        why: "Sessions are served by the agent that ECS Exec puts into the container. A task that was run without \
              it, or whose agent has stopped, never gets one.",
        fix: "aws ecs stop-task --region {region} --cluster {cluster} --task {task}: the next connection runs another",
        needs: TASKS,
        judge: Judge::Bastion(agent),
    },
    Check {
        id: "R02",
        title: "the agent is connected to AWS",
        looks_at: "the connection status of the task's target",
        levels: &[Level::Fail],
        why: "An agent that runs and is not connected has no way to ssmmessages, or its task role does not allow the \
              channel: TargetNotConnected.",
        fix: "give the task a way to ssmmessages.{region} on port 443 (NAT, a public address or a VPC endpoint), and \
              its role the four ssmmessages actions",
        needs: &[
            "ecs:ListTasks",
            "ecs:DescribeTasks",
            "ssm:GetConnectionStatus",
        ],
        judge: Judge::Bastion(connected),
    },
    Check {
        id: "R03",
        title: "a session reaches the database",
        looks_at: "a session that is opened and ended again: the agent's greeting and version, and a connection to the \
                   database's port",
        levels: &[Level::Fail],
        why: "All else may be right and the database still not be reached: its host is resolved in the task, and packets may \
              be dropped on the way, which is silence for five seconds.",
        fix: "see that rules and lists of both sides let the bastion reach {remote} (N05 to N08), or ask AWS what is in the \
              way (N10)",
        needs: A_SESSION,
        judge: Judge::Tunnel(session),
    },
    Check {
        id: "R04",
        title: "one task serves the bastion",
        looks_at: "running tasks with the bastion's tags",
        levels: &[Level::Warn],
        why: "Two laptops that start at the same moment may run two. The later one stops its own; what is left is \
              paid for until its watchdog ends it.",
        fix: "aws ecs stop-task --region {region} --cluster {cluster} --task {task}",
        needs: TASKS,
        judge: Judge::Bastion(single),
    },
    Check {
        id: "R05",
        title: "no task has failed lately",
        looks_at: "the last five stopped tasks of the family",
        levels: &[Level::Info],
        why: "Why tasks stopped says what the next one will meet.",
        fix: "{advice}",
        needs: TASKS,
        judge: Judge::Bastion(stopped),
    },
];

fn first(bastion: &Bastion) -> Result<Option<&Task>, Gap> {
    Ok(known(&bastion.tasks)?.first())
}

fn agent(bastion: &Bastion) -> Result<Verdict, Gap> {
    let Some(task) = first(bastion)? else {
        return Ok(Verdict::ok("no task runs"));
    };
    let id = &task.id;
    let verdict = match wrong(task, bastion.config.container.as_deref()) {
        Some(why) => Verdict::fail(format!("task {id} {why}")),
        None => Verdict::ok(format!("task {id}, {}", age(task))),
    };
    Ok(verdict
        .fill("region", &bastion.region)
        .fill("cluster", &bastion.config.cluster)
        .fill("task", id))
}

fn wrong(task: &Task, container: Option<&str>) -> Option<String> {
    if !task.enable_execute_command {
        return Some("was run without ECS Exec".to_owned());
    }
    if let Some(version) = task.platform_version.as_deref()
        && is_old(version)
    {
        return Some(format!(
            "is of platform {version}, and ECS Exec needs 1.4.0"
        ));
    }
    if task.connectivity.as_deref() == Some("DISCONNECTED") {
        return Some("is disconnected from ECS".to_owned());
    }
    let agent = task.container(container).ok()?.exec_agent.as_ref()?;
    let why = agent.reason.as_deref().unwrap_or("no reason given");
    (agent.status == "STOPPED").then(|| format!("has an agent that has stopped: {why}"))
}

fn age(task: &Task) -> String {
    let age = task.started_at.and_then(|at| at.elapsed().ok());
    age.map_or_else(
        || task.phase().to_owned(),
        |age| format!("running for {} min", age.as_secs() / 60),
    )
}

fn is_old(version: &str) -> bool {
    let mut parts = version.split('.').map(str::parse::<u32>);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch))) => (major, minor, patch) < PLATFORM,
        _ => false,
    }
}

fn connected(bastion: &Bastion) -> Result<Verdict, Gap> {
    let Some(task) = first(bastion)? else {
        return Ok(Verdict::ok("no task runs"));
    };
    let container = bastion.config.container.as_deref();
    if wrong(task, container).is_some() {
        return Err(Gap::Needs("an agent that runs (R01)"));
    }
    if task.last_status != "RUNNING" || task.target(container).is_err() {
        return Ok(Verdict::ok(format!("not yet: {}", task.phase())));
    }
    Ok(match known(&bastion.connected)? {
        true => Verdict::ok(format!("task {}", task.id)),
        false => Verdict::fail(format!("the agent of task {} is not connected", task.id))
            .fill("region", &bastion.region),
    })
}

fn session(tunnel: &Tunnel) -> Result<Verdict, Gap> {
    let Some(trial) = known(&tunnel.trial)? else {
        return Ok(Verdict::ok(NOTHING_RUNS));
    };
    let remote = &trial.remote;
    let failed = |reason: &Reason| Verdict::fail(&reason.message).maybe_fix(reason.hint.clone());
    let verdict = match &trial.stuck {
        None => {
            let agent = trial.agent.as_deref().unwrap_or("of no version");
            Verdict::ok(format!("{remote}, by agent {agent}"))
        }
        Some(Stuck::Session(reason) | Stuck::Handshake(reason) | Stuck::Connect(reason)) => {
            failed(reason)
        }
        Some(Stuck::Silence(waited)) => {
            let seconds = waited.as_secs();
            Verdict::fail(format!("no answer from {remote} for {seconds} s"))
        }
    };
    Ok(verdict.fill("remote", remote))
}

fn single(bastion: &Bastion) -> Result<Verdict, Gap> {
    let tasks = known(&bastion.tasks)?;
    Ok(match tasks.as_slice() {
        [] | [_] => Verdict::ok(format!("{} tasks", tasks.len()).replace("1 tasks", "1 task")),
        [_, .., last] => {
            let ids: Vec<_> = tasks.iter().map(|task| task.id.as_str()).collect();
            Verdict::warn(format!("{} tasks run: {}", tasks.len(), ids.join(", ")))
                .fill("region", &bastion.region)
                .fill("cluster", &bastion.config.cluster)
                .fill("task", &last.id)
        }
    })
}

fn stopped(bastion: &Bastion) -> Result<Verdict, Gap> {
    let tasks = known(&bastion.stopped)?;
    if tasks.is_empty() {
        return Ok(Verdict::ok("none is known that stopped"));
    }
    let told: Vec<_> = tasks.iter().take(TOLD).map(aws::diagnose).collect();
    let advised = told.iter().find_map(|it| Some((it, it.hint.clone()?)));
    let Some((diagnosis, advice)) = advised else {
        return Ok(Verdict::ok(format!(
            "{} stopped, all as they should",
            told.len()
        )));
    };
    Ok(Verdict::info(&diagnosis.summary).fill("advice", advice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::AgentStatus;
    use crate::doctor::fixture;

    fn with(alter: fn(&mut Task)) -> Verdict {
        let mut task = fixture::task();
        alter(&mut task);
        let bastion = Bastion {
            tasks: Ok(vec![task]),
            ..fixture::bastion()
        };
        agent(&bastion).unwrap()
    }

    #[test]
    fn a_task_that_can_have_no_session_fails() {
        assert_eq!(with(|_| {}).level, Level::Ok);
        for alter in [
            (|task| task.enable_execute_command = false) as fn(&mut Task),
            |task| task.platform_version = Some("1.3.0".into()),
            |task| task.connectivity = Some("DISCONNECTED".into()),
            |task| {
                task.containers[0].exec_agent = Some(AgentStatus {
                    status: "STOPPED".into(),
                    reason: Some("boom".into()),
                });
            },
        ] {
            let told = with(alter);
            assert_eq!(told.level, Level::Fail, "{told:?}");
            assert!(told.fix_of(&CHECKS[0]).unwrap().contains("stop-task"));
        }
    }

    #[test]
    fn platforms_are_compared_as_numbers() {
        for (version, old) in [
            ("1.4.0", false),
            ("1.3.9", true),
            ("1.10.0", false),
            ("LATEST", false),
            ("1.0.0", true),
        ] {
            assert_eq!(is_old(version), old, "{version}");
        }
    }

    #[test]
    fn a_second_task_is_told_with_the_one_to_stop() {
        let (mut one, mut two) = (fixture::task(), fixture::task());
        (one.id, two.id) = ("one".into(), "two".into());
        let bastion = Bastion {
            tasks: Ok(vec![one, two]),
            ..fixture::bastion()
        };
        let told = single(&bastion).unwrap();
        assert_eq!(told.level, Level::Warn);
        assert!(told.fix_of(&CHECKS[3]).unwrap().ends_with("--task two"));
    }
}

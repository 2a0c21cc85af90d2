//! Every row of `docs/errors.md` as the status tells it: the simulator answers, or stops a task, in AWS's words, and the
//! problem has the row's word, meaning and advice, and AWS's own text and request id.
//!
//! The page is made of the tables that the program goes by, so a row that has no case here is found.

mod cases;
mod page;

use std::time::Duration;

use bastiond::sim::{ApiFault, Failure, Instance, Plan, Script};
use bastiond::status::Problem;
use serde_json::json;
use tokio::time::sleep;

use crate::machines::through;
use crate::shell::encrypted::encrypting;
use crate::shell::{between_pipes, house_with_task};
use crate::sign_in::{Person, write};
use crate::support::{Daemon, House, LIMIT, Terms, skip};
use cases::{Case, ELSEWHERE, Stop};
use page::{Failed, Row, rows};

const INSTANCE: &str = "i-0123456789abcdef0";

#[tokio::test]
async fn each_row_of_calls_about_tasks_and_sessions_is_told() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    each(&house, &daemon, cases::TASKS).await;
    house.close(daemon).await;
}

#[tokio::test]
async fn each_reason_for_which_no_task_is_run_is_told() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    each(&house, &daemon, cases::PLACEMENT).await;
    house.close(daemon).await;
}

#[tokio::test]
async fn each_row_of_roles_is_told() {
    let house = House::new().await;
    let terms = Terms {
        top: "role_arn = \"arn:aws:iam::123456789012:role/start-bastion\"",
        ..Terms::default()
    };
    let daemon = house.daemon(&terms).await;
    each(&house, &daemon, cases::ROLES).await;
    house.close(daemon).await;
}

#[tokio::test]
async fn each_row_of_instances_is_told() {
    let instances = vec![Instance::fast(INSTANCE, "jump").tag("bastiond:managed", "true")];
    let house = House::with(Script {
        instances,
        ..Script::fast()
    })
    .await;
    let daemon = house
        .daemon(&through(&format!("instance = \"{INSTANCE}\"")))
        .await;
    each(&house, &daemon, cases::INSTANCES).await;
    house.close(daemon).await;
}

#[tokio::test]
async fn each_row_of_tasks_that_stop_is_told() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let rows = rows();
    for stop in cases::STOPS {
        let row = Row::of(&rows, &stop.failed());
        let replaced = match row.again.as_str() {
            "at once, 2 times" => 2,
            "at once" | "when somebody connects" => 1,
            _ => 0,
        };
        for _ in 0..=replaced {
            house.world().plan_next_task(stop.plan());
        }
        let problem = refused(&daemon, row, stop.text).await;
        assert_told(row, &problem, stop.text);
    }
    house.close(daemon).await;
}

/// Action and resource on their own lines, and the statement that grants them.
#[tokio::test]
async fn each_kind_of_policy_that_denies_is_told() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let rows = rows();
    for (text, why) in cases::DENIALS {
        let row = rows
            .iter()
            .find(|row| row.section == "Denied" && row.cause == *why);
        let row = row.unwrap_or_else(|| panic!("no row: {why}"));
        let fault = ApiFault::Error(400, "AccessDeniedException".into(), (*text).into());
        house.world().fail_always("RunTask", fault);
        let problem = refused(&daemon, row, text).await;
        house.world().heal("RunTask");
        assert_eq!(problem.code, "access_denied");
        let (resource, hint) = ("arn:aws:ecs:x:1:task/y", problem.hint.expect("a hint"));
        let advice = row.meaning.replace("ACTION", "ecs:RunTask");
        let told: Vec<&str> = hint.lines().collect();
        match text.contains("resource: ") {
            true => assert_eq!(told[0], advice.replace("RESOURCE", resource)),
            false => assert!(told[0].contains("ecs:RunTask"), "{hint}"),
        }
        assert!(
            told.iter()
                .any(|line| line.starts_with("action: ecs:RunTask")),
            "{hint}"
        );
        let has_statement = told.iter().any(|line| line.starts_with("statement: {"));
        let is_granted = why.starts_with("no policy") || why.starts_with("AWS does not say");
        assert_eq!(has_statement, is_granted, "{hint}");
    }
    house.close(daemon).await;
}

/// The built program, whose messages are its exit.
#[tokio::test]
async fn each_row_of_shells_is_told() {
    let (house, task) = house_with_task(encrypting("3.3.987.0", true)).await;
    let rows = rows();
    for case in cases::SHELLS {
        let row = Row::of(&rows, &case.failed());
        house.world().fail_always(case.operation, case.fault());
        let ended = between_pipes(&house, &[&task, "--", "id"], None).await;
        house.world().heal(case.operation);
        assert_eq!(ended.status, Some(255), "{}", ended.stderr);
        for told in [case.text, row.meaning.as_str(), "request "] {
            assert!(ended.stderr.contains(told), "{told}: {}", ended.stderr);
        }
        let hint = row.hint().unwrap_or_default();
        assert!(ended.stderr.contains(&hint), "{hint}: {}", ended.stderr);
    }
    house.sweep_beside().await;
}

/// The built program, with a home of its own: what the files of AWS lack.
#[tokio::test]
async fn each_row_of_missing_credentials_is_told() {
    let rows = rows();
    for (profile, config, section, cause) in cases::CREDENTIALS {
        let house = House::new().await;
        let terms = Terms {
            top: profile,
            ..Terms::default()
        };
        let person = Person::start(&house, &terms, |home| write(home, ".aws/config", config)).await;
        person
            .client
            .up("app-db")
            .await
            .expect_err("no credentials");
        let problems = person.client.status().await.expect("a status").problems;
        let row = rows
            .iter()
            .find(|row| row.section == *section && row.cause.contains(cause));
        let row = row.unwrap_or_else(|| panic!("no row: {cause}"));
        let told = problems.iter().find(|problem| problem.code == row.word);
        let told = told.unwrap_or_else(|| panic!("{cause}: {problems:?}"));
        assert!(told.message.contains(&row.meaning), "{told:?}");
        assert_eq!(told.hint, row.hint_for("dev"), "{told:?}");
        person.end(house).await;
    }
}

#[tokio::test]
async fn a_conflict_names_the_task_that_is_used() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    drop(daemon.served().await);
    let task = house.world().tasks().remove(0);
    let world = house.world();
    world.fail_next("ListTasks", 2, ApiFault::Answer(json!({"taskArns": []})));
    world.fail_next("RunTask", 1, ApiFault::Conflict(task.arn.clone()));
    let other = house.daemon_in(&Terms::default(), "other").await;
    drop(other.served().await);
    assert_eq!(other.tunnel().await.target, Some(task.target(0)));
    assert_eq!(world.tasks().len(), 1);
    other.stop().await;
    house.close(daemon).await;
}

#[test]
fn no_row_is_without_a_test() {
    let rows = rows();
    assert!(rows.len() > 90, "{}", rows.len());
    let mut open: Vec<&Row> = rows.iter().collect();
    let all = [
        cases::TASKS,
        cases::PLACEMENT,
        cases::ROLES,
        cases::INSTANCES,
        cases::SHELLS,
    ];
    let failed = all.into_iter().flatten().map(Case::failed);
    for failed in failed.chain(cases::STOPS.iter().map(Stop::failed)) {
        let row = Row::of(&rows, &failed);
        open.retain(|it| !std::ptr::eq(*it, row));
    }
    for (_, why) in cases::DENIALS {
        open.retain(|row| row.section != "Denied" || row.cause != *why);
    }
    for (_, _, section, cause) in cases::CREDENTIALS {
        open.retain(|row| row.section != *section || !row.cause.contains(cause));
    }
    let sources = crate::conformance::Sources::gather();
    for (section, told, test) in ELSEWHERE {
        let is_it =
            |row: &&Row| row.section == *section && (row.cause == *told || row.meaning == *told);
        let at = open.iter().position(is_it);
        open.remove(at.unwrap_or_else(|| panic!("not open: {section}: {told}")));
        sources.assert_exists(test);
    }
    assert!(open.is_empty(), "rows without a test: {open:#?}");
}

async fn each(house: &House, daemon: &Daemon, cases: &[Case]) {
    let rows = rows();
    for case in cases {
        let row = Row::of(&rows, &case.failed());
        house.world().fail_always(case.operation, case.fault());
        let problem = refused(daemon, row, case.text).await;
        house.world().heal(case.operation);
        assert_told(row, &problem, case.text);
        assert!(problem.message.contains("request "), "{problem:?}");
    }
}

/// What the status says when the tunnel does not come up. Where that is tried again, time passes.
async fn refused(daemon: &Daemon, row: &Row, text: &str) -> Problem {
    let began = std::time::Instant::now();
    let up = daemon.client.up("app-db");
    tokio::pin!(up);
    let error = loop {
        tokio::select! {
            outcome = &mut up => break outcome.expect_err(text),
            () = sleep(Duration::from_millis(20)) => {
                let told = daemon.status().await;
                assert!(began.elapsed() < LIMIT, "{text}: not refused: {told:#?}");
                if row.again == "yes" {
                    skip(Duration::from_millis(250)).await;
                }
            }
        }
    };
    let problems = daemon.status().await.problems;
    let told = problems
        .iter()
        .find(|problem| problem.message.contains(text));
    told.cloned()
        .unwrap_or_else(|| panic!("{text}: {error}: {problems:?}"))
}

fn assert_told(row: &Row, problem: &Problem, text: &str) {
    assert_eq!(problem.code, row.word, "{text}: {problem:?}");
    let meaning = row.meaning.replace("exit code N", "exit code 3");
    assert!(problem.message.contains(&meaning), "{meaning}: {problem:?}");
    match row.hint() {
        Some(hint) if hint.starts_with("see [Denied]") => {
            let hint = problem.hint.as_deref().unwrap_or_default();
            assert!(hint.contains("statement: {"), "{problem:?}");
        }
        // It tells by how much, where AWS's answer has told the time.
        Some(hint) if hint == "set the clock" => {
            let told = problem.hint.as_deref().unwrap_or_default();
            assert!(told.starts_with(&hint), "{problem:?}");
        }
        hint => assert_eq!(problem.hint, hint, "{text}"),
    }
}

impl Case {
    fn failed(&self) -> Failed<'_> {
        Failed {
            section: self.section,
            operation: self.operation,
            code: self.code,
            text: self.text,
            exit: None,
        }
    }

    /// A case without a code is a RunTask that gives no task.
    fn fault(&self) -> ApiFault {
        match self.code {
            "" => ApiFault::Answer(json!({
                "tasks": [],
                "failures": [{"arn": "arn:aws:ecs:x:1:container-instance/y", "reason": self.text}],
            })),
            code => ApiFault::Error(self.status, code.into(), self.text.into()),
        }
    }
}

impl Stop {
    fn failed(&self) -> Failed<'_> {
        Failed {
            section: "Tasks that stopped",
            operation: "",
            code: self.code,
            text: self.text,
            exit: Some(self.exit.unwrap_or(0)),
        }
    }

    fn plan(&self) -> Plan {
        Plan {
            failure: Some(Failure {
                after: Duration::from_millis(6),
                notice: Duration::ZERO,
                code: self.code.into(),
                reason: self.text.into(),
                exit_code: self.exit,
                container_reason: None,
            }),
            ..Plan::default()
        }
    }
}

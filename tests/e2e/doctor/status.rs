//! A start that fails: the status shows by itself what the doctor finds.

use std::time::Duration;

use bastiond::sim::{AgentCourse, ApiFault, Dial, Failure, Faults, Plan};
use bastiond::status::{BastionState, Problem};
use serde_json::json;
use tokio::time::sleep;

use super::faults::isolated;
use super::{account, network};
use crate::support::{Daemon, House, Terms, assert_reset, pass, until, within};
use crate::task_ends::{later, patient};

/// The first problem, and the doctor's finding.
async fn finding(daemon: &Daemon, code: &str) -> (Problem, Problem) {
    let is_it = |problem: &&Problem| problem.code == code;
    let found = async {
        loop {
            let problems = daemon.status().await.problems;
            if let Some(found) = problems.iter().find(is_it) {
                return (problems[0].clone(), found.clone());
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    within("the doctor has looked", found).await
}

#[tokio::test]
async fn a_start_that_fails_is_looked_into_once_and_the_finding_stands_in_the_status() {
    let house = House::with(account()).await;
    house.world().set_network(isolated());
    let reason = "CannotPullContainerError: failed to resolve ref public.ecr.aws/docker/library/busybox: dial tcp \
                  99.83.145.10:443: i/o timeout";
    let plan = Plan {
        failure: Some(Failure::to_start(Duration::from_millis(6), reason)),
        ..Plan::default()
    };
    house.plan_tasks(8, &plan);
    let daemon = house.daemon(&Terms::default()).await;
    assert_reset(&mut daemon.connect().await).await;
    let (first, found) = finding(&daemon, "doctor_t09").await;
    assert!(
        first.message.contains("CannotPullContainerError"),
        "{first:?}"
    );
    assert_eq!(found.subject, "bastion dev");
    assert!(found.hint.expect("a fix").contains("copy public.ecr.aws"));

    let looked = house.world().count("DescribeSubnets");
    assert_reset(&mut daemon.connect().await).await;
    assert_eq!(house.world().count("DescribeSubnets"), looked);
    house.close(daemon).await;
}

#[tokio::test]
async fn an_agent_that_does_not_connect_is_looked_into() {
    let house = House::with(account()).await;
    // The role has lost its permissions.
    house.world().fail_always(
        "SimulatePrincipalPolicy",
        ApiFault::Rewrite(|value| {
            let results = value["EvaluationResults"]["member"].as_array_mut();
            for result in results.into_iter().flatten() {
                let action = result["EvalActionName"].as_str().unwrap_or_default();
                if action.starts_with("ssmmessages:Create") {
                    result["EvalDecision"] = json!("implicitDeny");
                }
            }
        }),
    );
    let plan = Plan {
        agent: AgentCourse::NeverConnects,
        ..Plan::default()
    };
    house.plan_tasks(3, &plan);
    let daemon = house.daemon(&patient()).await;
    let mut client = daemon.connect().await;
    later(&daemon, |status| {
        status.bastions[0].state == BastionState::Failed
    })
    .await;
    assert_reset(&mut client).await;
    let (first, found) = finding(&daemon, "doctor_i02").await;
    assert_eq!(first.code, "target_not_connected");
    let fix = found.hint.expect("a fix");
    assert!(
        fix.contains("allow bastion-task ssmmessages:CreateControlChannel"),
        "{fix}"
    );
    house.close(daemon).await;
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_looked_into() {
    let house = House::with(account()).await;
    let mut closed = network();
    closed.security_groups[2].rules.pop();
    house.world().set_network(closed);
    house.world().set_faults(Faults {
        dial: Dial::Hang,
        ..Faults::default()
    });
    let daemon = house
        .daemon(&Terms {
            host: Some("rds-cluster:app"),
            ..Terms::default()
        })
        .await;
    let _hanging = daemon.connect().await;
    until(house.world(), "the dial hangs", |world| {
        world.sessions().first().is_some_and(|it| it.opened == 1)
    })
    .await;
    pass(Duration::from_secs(6)).await;
    daemon.problem("no_answer").await;
    let (_, found) = finding(&daemon, "doctor_n06").await;
    let fix = found.hint.expect("a fix");
    assert!(
        fix.contains("--group-id sg-db") && fix.contains("--port 5432"),
        "{fix}"
    );
    house.world().set_faults(Faults::default());
    house.close(daemon).await;
}

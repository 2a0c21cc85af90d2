//! Each call of a bastion's whole life, denied: told with the statement that grants it, or borne.

use std::collections::BTreeSet;

use bastiond::sim::{ApiFault, Cut};

use crate::support::{Daemon, House, Terms, operations, ping};

/// Without these nothing is served: the action that is told.
const TOLD: [(&str, &str); 4] = [
    ("ListTasks", "ecs:ListTasks"),
    ("RunTask", "ecs:RunTask"),
    ("DescribeTasks", "ecs:DescribeTasks"),
    ("StartSession", "ssm:StartSession"),
];

/// Without these clients are served all the same. (A session is ended by a word to the agent; the tests of endings deny
/// TerminateSession.)
const BORNE: [&str; 5] = [
    "GetCallerIdentity",
    "GetConnectionStatus",
    "ResumeSession",
    "DescribeSessions",
    "StopTask",
];

#[tokio::test]
async fn what_a_bastion_cannot_do_without_is_told_with_its_action_and_statement() {
    for (operation, action) in TOLD {
        let house = House::new().await;
        house.world().fail_always(operation, ApiFault::AccessDenied);
        let daemon = house.daemon(&Terms::default()).await;
        daemon.client.up("app-db").await.expect_err(operation);
        let problem = daemon.problem("access_denied").await;
        let hint = problem.hint.expect("a hint");
        let lines: Vec<&str> = hint.lines().collect();
        assert!(
            lines.contains(&format!("action: {action}").as_str()),
            "{hint}"
        );
        let statement = lines
            .last()
            .and_then(|line| line.strip_prefix("statement: "));
        let statement: serde_json::Value =
            serde_json::from_str(statement.expect("a statement")).expect("JSON");
        assert_eq!(statement["Action"], action);
        house.world().heal(operation);
        house.close(daemon).await;
    }
}

#[tokio::test]
async fn what_a_bastion_can_do_without_keeps_nobody_from_working() {
    for operation in BORNE {
        let house = House::new().await;
        house.world().fail_always(operation, ApiFault::AccessDenied);
        let daemon = house.daemon(&Terms::default()).await;
        a_life(&house, &daemon).await;
        daemon.stop().await;
        assert!(house.world().count(operation) > 0, "{operation}");
        house.sweep().await;
    }
}

#[tokio::test]
async fn no_call_of_a_bastion_s_life_is_forgotten() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    a_life(&house, &daemon).await;
    daemon.stop().await;
    let made: BTreeSet<String> = operations(house.world()).into_iter().collect();
    let known = TOLD.iter().map(|(operation, _)| *operation).chain(BORNE);
    let known: BTreeSet<String> = known.map(str::to_owned).collect();
    assert_eq!(made, known);
    house.sweep().await;
}

/// A start, a link that is lost, and another connection, whatever has become of the first.
async fn a_life(house: &House, daemon: &Daemon) {
    let first = daemon.served().await;
    house.world().cut_links(&Cut::Bye);
    drop(first);
    ping(&mut daemon.connect().await).await;
    daemon.client.down("app-db").await.expect("it is down");
}

//! RunTask whose answer never arrives: a task may run that nobody was told of.

use std::time::Duration;

use bastiond::sim::{ApiFault, Plan, Script, Timing};
use bastiond::status::BastionState;
use serde_json::json;

use crate::support::{House, Terms, assert_reset, aws_call, skip, until};

/// As often as one call is sent.
const ATTEMPTS: usize = 3;
const ECS: &str = "AmazonEC2ContainerServiceV20141113";

fn brief() -> Terms {
    Terms {
        bastion: "idle_stop = \"1s\"",
        ..Terms::default()
    }
}

#[tokio::test]
async fn a_task_that_nobody_was_told_of_is_found_and_stopped_though_nobody_connects_again() {
    let script = Script {
        timing: Timing {
            visible_after: Duration::from_millis(200),
            ..Timing::fast()
        },
        ..Script::fast()
    };
    let house = House::with(script).await;
    house
        .world()
        .fail_next("RunTask", ATTEMPTS, ApiFault::LoseAnswer);
    let daemon = house.daemon(&brief()).await;
    assert_reset(&mut daemon.connect().await).await;
    assert_eq!(house.world().tasks().len(), 1);
    until(house.world(), "the task is stopped", |world| {
        world.count("StopTask") == 1
    })
    .await;
    let stop = house.world().calls("StopTask").remove(0);
    assert_eq!(stop.body["task"], house.world().tasks()[0].arn);
    assert_eq!(house.world().count("StartSession"), 0);
    house.close(daemon).await;
}

#[tokio::test]
async fn it_is_found_and_stopped_by_a_daemon_that_ends_too() {
    let house = House::new().await;
    house
        .world()
        .fail_next("RunTask", ATTEMPTS, ApiFault::LoseAnswer);
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.connect().await;
    until(house.world(), "the last attempt", |world| {
        world.count("RunTask") == ATTEMPTS
    })
    .await;
    daemon.stop_under(&mut client).await;
    assert_eq!(house.world().count("StopTask"), 1);
    house.sweep().await;
}

#[tokio::test]
async fn the_search_goes_on_when_there_is_no_network() {
    let house = House::new().await;
    house
        .world()
        .fail_next("RunTask", ATTEMPTS, ApiFault::LoseAnswer);
    let daemon = house.daemon(&brief()).await;
    let mut client = daemon.connect().await;
    until(house.world(), "the first attempt", |world| {
        world.count("RunTask") == 1
    })
    .await;
    let listed = house.world().count("ListTasks");
    house.world().fail_always("ListTasks", ApiFault::Reset);
    assert_reset(&mut client).await;
    until(house.world(), "a look in vain", |world| {
        world.count("ListTasks") >= listed + ATTEMPTS
    })
    .await;
    house.world().heal("ListTasks");
    until(house.world(), "the task is stopped", |world| {
        world.count("StopTask") == 1
    })
    .await;
    house.close(daemon).await;
}

#[tokio::test]
async fn the_next_start_gets_that_task_and_no_second_one() {
    let house = House::new().await;
    house.world().plan_next_task(Plan {
        timing: Some(Timing {
            visible_after: Duration::from_secs(600),
            ..Timing::fast()
        }),
        ..Plan::default()
    });
    house
        .world()
        .fail_next("RunTask", ATTEMPTS, ApiFault::LoseAnswer);
    let daemon = house.daemon(&Terms::default()).await;
    assert_reset(&mut daemon.connect().await).await;
    // Somebody's task stops meanwhile: a new token would be made from its name.
    let mut theirs = house.world().calls("RunTask")[0].body.clone();
    theirs["clientToken"] = json!("another");
    theirs["tags"] = json!([]);
    let answer = aws_call(&house, &format!("{ECS}.RunTask"), "ecs", &theirs).await;
    let task = answer["tasks"][0]["taskArn"].clone();
    let body = json!({"cluster": "backend", "task": task});
    aws_call(&house, &format!("{ECS}.StopTask"), "ecs", &body).await;
    skip(Duration::from_secs(6)).await;
    let client = daemon.connect().await;
    let runs = ATTEMPTS + 2;
    until(house.world(), "it is run again", |world| {
        world.count("RunTask") == runs
    })
    .await;
    let calls = house.world().calls("RunTask");
    assert_eq!(
        calls[runs - 1].body["clientToken"],
        calls[0].body["clientToken"]
    );
    assert_eq!(house.world().tasks().len(), 2);
    drop(client);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_refusal_is_no_lost_answer() {
    let house = House::new().await;
    house.world().fail_always("RunTask", ApiFault::AccessDenied);
    let daemon = house.daemon(&Terms::default()).await;
    assert_reset(&mut daemon.connect().await).await;
    let listed = house.world().count("ListTasks");
    skip(Duration::from_secs(120)).await;
    assert_eq!(daemon.bastion().await.state, BastionState::Failed);
    assert_eq!(house.world().count("ListTasks"), listed);
    house.close(daemon).await;
}

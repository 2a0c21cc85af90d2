//! What a service cannot do, and what somebody may not do with it.

use std::time::Duration;

use bastiond::sim::{ApiFault, Failure, Plan, Service, Timing, World};
use bastiond::status::Status;
use tokio::net::TcpStream;

use super::{NAME, account, asked, count, decided, down, house, lowered, running, terms};
use crate::machines::through;
use crate::support::{Daemon, House, assert_reset, hang_up, ping, until};

/// The clients that wait are let go at once, each with the one thing to do.
#[tokio::test]
async fn what_keeps_a_service_from_serving_is_told_with_what_to_do() {
    type Spoil = fn(&World);
    let rows: [(Spoil, &str, &str); 8] = [
        (
            |world| world.delete_service(NAME, "DRAINING"),
            "unsuitable",
            "create the service again",
        ),
        (
            |world| world.delete_service(NAME, "INACTIVE"),
            "unsuitable",
            "create the service again",
        ),
        (
            |world| world.cannot_place(NAME, Some("Capacity is unavailable at this time.")),
            "no_capacity",
            "other availability zones",
        ),
        (
            |world| world.cannot_place(NAME, Some("RESOURCE:ENI")),
            "invalid_request",
            "--services bas_tion-1",
        ),
        (
            |world| {
                let why = "ECS deployment circuit breaker: tasks failed to start.";
                world.fail_deployment(NAME, why);
            },
            "unsuitable",
            "--force-new-deployment",
        ),
        (
            |world| world.fail_always("UpdateService", ApiFault::AccessDenied),
            "access_denied",
            "ecs:UpdateService",
        ),
        (
            |world| world.fail_always("DescribeServices", ApiFault::AccessDenied),
            "access_denied",
            "ecs:DescribeServices",
        ),
        (
            |world| world.fail_always("ListTasks", ApiFault::AccessDenied),
            "access_denied",
            "ecs:ListTasks",
        ),
    ];
    for (spoil, code, advice) in rows {
        let house = house(0).await;
        spoil(house.world());
        let daemon = house.daemon(&terms()).await;
        assert_reset(&mut daemon.connect().await).await;
        let problem = daemon.problem(code).await;
        let hint = problem.hint.expect("a hint");
        assert!(hint.contains(advice), "{advice}: {hint}");
        // What was raised in vain does not stay.
        daemon.stop().await;
        let left = count(house.world());
        assert_eq!(left, 0, "{advice}: the count is {left}");
        house.sweep().await;
    }
}

/// ECS goes on trying meanwhile. What passes, the client does not notice.
#[tokio::test]
async fn a_task_of_the_service_that_does_not_start_has_its_successor_or_is_told() {
    let house = house(0).await;
    let daemon = house.daemon(&terms()).await;
    let mut client = stuck(&house, &daemon, 0).await;
    let passing = "Timeout waiting for network interface provisioning to complete.";
    fails_to_start(house.world(), passing);
    ping(&mut client).await;
    assert_eq!(
        (asked(house.world()), house.world().tasks().len()),
        (vec![1], 2)
    );
    hang_up(client);
    down(&daemon).await;
    lowered(&house).await;

    let mut client = stuck(&house, &daemon, 2).await;
    fails_to_start(house.world(), "CannotPullContainerError: manifest unknown");
    assert_reset(&mut client).await;
    let problem = daemon.problem("task_stopped").await;
    assert!(problem.message.contains("manifest unknown"), "{problem:?}");
    daemon.stop().await;
    lowered(&house).await;
    house.sweep().await;
}

/// A client that waits for a task, one after so many, that takes its time to pull its image.
async fn stuck(house: &House, daemon: &Daemon, before: usize) -> TcpStream {
    house.world().plan_next_task(Plan {
        timing: Some(Timing {
            pulling: Duration::from_secs(100_000),
            ..Timing::fast()
        }),
        ..Plan::default()
    });
    let client = daemon.connect().await;
    until(house.world(), "a task is started", |world| {
        world.tasks().len() > before
    })
    .await;
    let arn = house.world().tasks()[before].arn.clone();
    let is_followed = |status: &Status| {
        let mut tasks = status.bastions.iter().filter_map(|it| it.task.as_ref());
        tasks.any(|task| task.arn == arn)
    };
    daemon.until("the task is followed", is_followed).await;
    client
}

fn fails_to_start(world: &World, why: &str) {
    let task = world.tasks().pop().expect("a task");
    world.end_task(&task.arn, Failure::to_start(Duration::ZERO, why));
}

#[tokio::test]
async fn a_service_that_is_not_there_or_starts_tasks_without_an_agent_is_told() {
    let other = through("cluster = \"backend\"\nservice = \"bastoin\"");
    let house = house(0).await;
    let daemon = house.daemon(&other).await;
    assert_reset(&mut daemon.connect().await).await;
    let problem = daemon.problem("not_found").await;
    assert!(problem.hint.expect("a hint").contains("correct `service`"));
    house.close(daemon).await;

    for desired in [0, 1] {
        let mut service = Service::fast(NAME, desired);
        service.exec = false;
        let house = House::with(account(service)).await;
        until(house.world(), "it runs", |world| {
            running(world) == desired as usize
        })
        .await;
        let daemon = house.daemon(&terms()).await;
        assert_reset(&mut daemon.connect().await).await;
        let hint = daemon.problem("no_target").await.hint.expect("a hint");
        assert!(hint.contains("--enable-execute-command"), "{hint}");
        assert_eq!(
            asked(house.world()),
            [0_u64; 0],
            "nothing is gained by raising it"
        );
        house.close(daemon).await;
    }
}

/// Whoever may not tag is still the one who has raised it.
#[tokio::test]
async fn whoever_may_not_tag_the_service_lowers_what_he_has_raised_all_the_same() {
    let house = house(0).await;
    house
        .world()
        .fail_always("TagResource", ApiFault::AccessDenied);
    let daemon = house.daemon(&terms()).await;
    for _ in 0..2 {
        hang_up(daemon.served().await);
        down(&daemon).await;
        lowered(&house).await;
    }
    assert_eq!(asked(house.world()), [1, 0, 1, 0]);
    assert_eq!(
        house.world().count("TagResource"),
        1,
        "it is asked for once"
    );
    house.close(daemon).await;
}

#[tokio::test]
async fn whoever_may_not_count_sessions_leaves_the_count() {
    let house = house(0).await;
    house
        .world()
        .fail_always("DescribeSessions", ApiFault::AccessDenied);
    let daemon = house.daemon(&terms()).await;
    hang_up(daemon.served().await);
    down(&daemon).await;
    decided(&daemon, "the sessions on it cannot be counted").await;
    daemon.stop().await;
    assert_eq!((asked(house.world()), count(house.world())), (vec![1], 1));
    house.sweep().await;
}

//! Bastions whose task is an ECS service's: its count is raised when somebody connects, and lowered by whoever leaves last.

mod crash;
mod told;

use std::time::Duration;

use bastiond::sim::{ApiFault, Script, Service, World};
use bastiond::status::{BastionKind, BastionState, Status};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::machines::{jump, through};
use crate::support::{Daemon, House, Terms, assert_reset, hang_up, ping, state_text, until};

const NAME: &str = "bas_tion-1";
const LEASE: &str = "bastiond:lease";

fn account(service: Service) -> Script {
    Script {
        services: vec![service],
        ..Script::fast()
    }
}

async fn house(desired: u32) -> House {
    House::with(account(Service::fast(NAME, desired))).await
}

fn lines(more: &str) -> String {
    format!("cluster = \"backend\"\nservice = \"{NAME}\"\n{more}")
}

fn terms() -> Terms {
    through(&lines("idle_stop = \"1s\""))
}

fn count(world: &World) -> u32 {
    world.service_count(NAME)
}

fn running(world: &World) -> usize {
    let statuses = world.task_statuses();
    statuses.iter().filter(|it| **it == "RUNNING").count()
}

/// The counts that were asked for.
fn asked(world: &World) -> Vec<u64> {
    let calls = world.calls("UpdateService").into_iter();
    calls
        .filter_map(|call| call.body["desiredCount"].as_u64())
        .collect()
}

async fn lowered(house: &House) {
    until(house.world(), "the count is lowered", |world| {
        count(world) == 0 && running(world) == 0
    })
    .await;
}

async fn decided(daemon: &Daemon, what: &str) {
    let holds = |status: &Status| {
        let services = status.bastions.iter().filter_map(|it| it.service.as_ref());
        let mut decisions = services.filter_map(|it| it.decision.as_deref());
        decisions.any(|it| it.contains(what))
    };
    daemon.until(what, holds).await;
}

async fn down(daemon: &Daemon) {
    daemon.client.down("app-db").await.expect("it is down");
}

#[tokio::test]
async fn a_count_of_none_is_raised_for_the_first_user_and_lowered_after_the_last() {
    let house = house(0).await;
    let daemon = house.daemon(&terms()).await;
    assert_eq!(
        house.world().count("DescribeServices"),
        0,
        "nobody wants it"
    );
    let client = daemon.served().await;
    assert_eq!((asked(house.world()), running(house.world())), (vec![1], 1));
    let bastion = jump(&daemon).await;
    assert_eq!(bastion.kind, BastionKind::Service);
    let task = bastion.task.expect("its task is shown");
    assert_eq!(task.arn, house.world().tasks()[0].arn);
    let service = bastion.service.expect("the service is shown");
    assert_eq!((service.name.as_str(), service.desired), (NAME, Some(1)));
    assert!(
        service
            .decision
            .is_some_and(|it| it.contains("raised from 0 to 1"))
    );
    let start = bastion.start.expect("a start");
    let phases: Vec<&str> = start.phases.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        phases[..2],
        ["looking at the service", "raising the service's count"]
    );
    assert!(state_text(&house).contains(&format!(":service/backend/{NAME}")));
    hang_up(client);
    down(&daemon).await;
    lowered(&house).await;
    decided(&daemon, "lowered from 1 to 0").await;
    assert_eq!(house.world().service_tag(NAME, LEASE).as_deref(), Some("0"));
    assert_eq!(asked(house.world()), [1, 0]);
    assert_eq!(
        house.world().count("RunTask") + house.world().count("StopTask"),
        0
    );
    assert!(daemon.status().await.healthy);
    house.close(daemon).await;
}

/// In a moment when nobody else would: while the daemon ends.
#[tokio::test]
async fn a_daemon_that_ends_lowers_what_it_has_raised() {
    let house = house(0).await;
    let daemon = house.daemon(&terms()).await;
    hang_up(daemon.served().await);
    daemon.stop().await;
    lowered(&house).await;
    assert!(!state_text(&house).contains(":service/"));
    house.sweep().await;
}

#[tokio::test]
async fn a_service_that_runs_already_is_used_and_left_as_it_is() {
    let house = house(1).await;
    until(house.world(), "it runs", |world| running(world) == 1).await;
    let daemon = house.daemon(&terms()).await;
    hang_up(daemon.served().await);
    decided(&daemon, "its count is 1 already").await;
    down(&daemon).await;
    decided(&daemon, "left at 1: it was not a bastiond that raised it").await;
    daemon.stop().await;
    assert_eq!(asked(house.world()), [0_u64; 0]);
    assert_eq!(house.world().count("TagResource"), 0);
    assert_eq!((count(house.world()), running(house.world())), (1, 1));
    house.sweep().await;
}

#[tokio::test]
async fn laptops_at_once_share_one_task_and_only_the_last_to_leave_lowers_the_count() {
    let house = house(0).await;
    let terms = terms();
    let started = (0..4).map(|at| {
        let (house, terms) = (&house, &terms);
        async move {
            let daemon = house.daemon_in(terms, &format!("laptop-{at}")).await;
            let client = daemon.served().await;
            (daemon, client)
        }
    });
    let mut laptops = join_all(started).await;
    assert!(asked(house.world()).iter().all(|count| *count == 1));
    assert_eq!(house.world().tasks().len(), 1, "one task for all");
    while laptops.len() > 1 {
        let (daemon, client) = laptops.remove(0);
        hang_up(client);
        daemon.stop().await;
        for (_, client) in &mut laptops {
            ping(client).await;
        }
        let left = laptops.len();
        assert_eq!(count(house.world()), 1, "{left} are left");
    }
    let (daemon, client) = laptops.remove(0);
    hang_up(client);
    daemon.stop().await;
    lowered(&house).await;
    assert_eq!(house.world().tasks().len(), 1);
    house.sweep().await;
}

/// The first has raised it, and leaves last; the second has found it raised.
#[tokio::test]
async fn whoever_raised_the_count_lowers_it_when_others_came_and_went() {
    let house = house(0).await;
    let first = house.daemon_in(&terms(), "first").await;
    let client = first.served().await;
    let second = house.daemon_in(&terms(), "second").await;
    hang_up(second.served().await);
    second.stop().await;
    assert_eq!((count(house.world()), asked(house.world())), (1, vec![1]));
    hang_up(client);
    first.stop().await;
    lowered(&house).await;
    house.sweep().await;
}

/// It has no session yet; only its lease tells.
#[tokio::test]
async fn a_count_is_not_lowered_while_somebody_else_is_connecting() {
    let house = house(0).await;
    let daemon = house.daemon(&terms()).await;
    hang_up(daemon.served().await);
    let soon = std::time::SystemTime::now() + Duration::from_secs(100);
    let soon = soon
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after")
        .as_secs();
    let lease = format!("{soon}/somebody");
    house.world().tag_service(NAME, LEASE, &lease);
    down(&daemon).await;
    decided(&daemon, "somebody else is connecting").await;
    assert_eq!(count(house.world()), 1);
    house
        .world()
        .tag_service(NAME, LEASE, "1764363266/somebody");
    lowered(&house).await;
    house.close(daemon).await;
}

#[tokio::test]
async fn never_leaves_the_count_to_others() {
    let house = house(0).await;
    let never = through(&lines("scale_down = \"never\"\nidle_stop = \"1s\""));
    let daemon = house.daemon(&never).await;
    hang_up(daemon.served().await);
    down(&daemon).await;
    decided(&daemon, "scale_down is \"never\"").await;
    assert!(!state_text(&house).contains(":service/"));
    daemon.stop().await;
    assert_eq!((asked(house.world()), count(house.world())), (vec![1], 1));
    assert_eq!(house.world().count("TagResource"), 0);
    house.sweep().await;
}

#[tokio::test]
async fn a_count_that_somebody_raised_further_is_left_alone() {
    let house = house(0).await;
    let daemon = house.daemon(&terms()).await;
    hang_up(daemon.served().await);
    house.world().scale_service(NAME, 2);
    down(&daemon).await;
    decided(&daemon, "left at 2: somebody else has raised it further").await;
    daemon.stop().await;
    assert_eq!((asked(house.world()), count(house.world())), (vec![1], 2));
    house.sweep().await;
}

/// As Application Auto Scaling does below its minimum.
#[tokio::test]
async fn a_count_that_is_raised_again_after_it_was_lowered_is_left_alone() {
    let house = house(0).await;
    let daemon = house.daemon(&terms()).await;
    hang_up(daemon.served().await);
    down(&daemon).await;
    until(house.world(), "it is lowered", |world| {
        asked(world) == [1, 0]
    })
    .await;
    house.world().scale_service(NAME, 1);
    decided(&daemon, "raised to 1 again by somebody else").await;
    hang_up(daemon.served().await);
    down(&daemon).await;
    decided(&daemon, "left at 1: it was not a bastiond").await;
    daemon.stop().await;
    assert_eq!(
        (asked(house.world()), count(house.world())),
        (vec![1, 0], 1)
    );
    house.sweep().await;
}

#[tokio::test]
async fn a_count_that_was_lowered_under_its_users_is_raised_for_the_next() {
    let house = house(0).await;
    let daemon = house.daemon(&terms()).await;
    let mut first = daemon.served().await;
    house.world().scale_service(NAME, 0);
    lowered(&house).await;
    crate::support::pass(Duration::from_secs(10)).await;
    assert_reset(&mut first).await;
    hang_up(daemon.served().await);
    assert_eq!(asked(house.world()), [1, 1]);
    down(&daemon).await;
    lowered(&house).await;
    house.close(daemon).await;
}

#[tokio::test]
async fn a_task_that_is_killed_has_its_successor_from_the_service() {
    let house = house(0).await;
    let daemon = house.daemon(&terms()).await;
    let mut first = daemon.served().await;
    let killed = house.world().tasks()[0].arn.clone();
    house
        .world()
        .stop_task(&killed, "UserInitiated", "maintenance");
    crate::support::pass(Duration::from_secs(10)).await;
    assert_reset(&mut first).await;
    hang_up(daemon.served().await);
    let tasks = house.world().tasks();
    assert_eq!(tasks.len(), 2, "the service has started another");
    assert_eq!(jump(&daemon).await.task.expect("a task").arn, tasks[1].arn);
    assert_eq!(asked(house.world()), [1], "it is not raised again");
    assert_eq!(house.world().count("RunTask"), 0);
    down(&daemon).await;
    lowered(&house).await;
    house.close(daemon).await;
}

/// Nobody is connected, so nobody looks for the successor; it would run for ever.
#[tokio::test]
async fn a_task_that_is_replaced_while_nobody_is_connected_does_not_keep_the_count_up() {
    let house = house(0).await;
    let mut terms = through(&lines("idle_stop = \"10m\""));
    terms.tunnel = "session_linger = \"1s\"";
    let daemon = house.daemon(&terms).await;
    hang_up(daemon.served().await);
    let rests = |status: &Status| {
        let mut bastions = status.bastions.iter();
        bastions.any(|it| it.name == "jump" && it.state == BastionState::Resting)
    };
    daemon.until("it rests", rests).await;
    let killed = house.world().tasks()[0].arn.clone();
    house
        .world()
        .stop_task(&killed, "UserInitiated", "maintenance");
    until(house.world(), "its successor runs", |world| {
        world.task_statuses() == ["STOPPED", "RUNNING"]
    })
    .await;
    for _ in 0..40 {
        if count(house.world()) == 0 {
            break;
        }
        crate::support::pass(Duration::from_secs(30)).await;
    }
    lowered(&house).await;
    house.close(daemon).await;
}

#[tokio::test]
async fn a_deployment_that_rolls_is_followed() {
    let house = house(0).await;
    let daemon = house.daemon(&terms()).await;
    let mut first = daemon.served().await;
    house.world().deploy_service(NAME);
    until(
        house.world(),
        "the new task has taken the old one's place",
        |world| world.task_statuses() == ["STOPPED", "RUNNING"],
    )
    .await;
    crate::support::pass(Duration::from_secs(10)).await;
    assert_reset(&mut first).await;
    hang_up(daemon.served().await);
    let latest = house.world().tasks()[1].arn.clone();
    assert_eq!(jump(&daemon).await.task.expect("a task").arn, latest);
    assert_eq!(
        (asked(house.world()), house.world().tasks().len()),
        (vec![1], 2)
    );
    down(&daemon).await;
    lowered(&house).await;
    house.close(daemon).await;
}

/// Its definition may have the tags of a task that a daemon runs.
#[tokio::test]
async fn the_task_of_a_service_is_no_orphan() {
    let house = house(1).await;
    until(house.world(), "it runs", |world| running(world) == 1).await;
    let old = ApiFault::Rewrite(make_old);
    house.world().fail_always("DescribeTasks", old);
    let daemon = house.daemon(&terms()).await;
    let found = daemon.client.orphans(false).await.expect("a list");
    assert_eq!(found, []);
    assert!(house.world().count("DescribeTasks") >= 1, "it was seen");
    house.close(daemon).await;
}

/// Tagged as ours, and of some minutes ago.
fn make_old(answer: &mut Value) {
    for task in answer["tasks"].as_array_mut().into_iter().flatten() {
        task["tags"] = json!([
            {"key": "bastiond:stack", "value": "jump"},
            {"key": "bastiond:mode", "value": "shared"},
        ]);
        task["createdAt"] = json!(1_764_363_266);
    }
}

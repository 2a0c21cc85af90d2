//! The task that ends while somebody is connected, and the one that never gets going.

use std::time::Duration;

use bastiond::sim::{AgentCourse, Failure, Plan, Timing, World};
use bastiond::status::{BastionState, Status, TunnelState};

use crate::support::{Daemon, House, Terms, assert_reset, hang_up, ping, skip, until};

/// Clients that wait as long as it takes.
pub fn patient() -> Terms {
    Terms {
        tunnel: "hold_timeout = \"1h\"",
        ..Terms::default()
    }
}

fn task(world: &World) -> String {
    world.tasks()[0].arn.clone()
}

/// The second task runs, and its target.
async fn successor(house: &House) -> String {
    until(house.world(), "a successor runs", |world| {
        world.task_statuses().get(1) == Some(&"RUNNING")
    })
    .await;
    house.world().tasks()[1].target(0)
}

#[tokio::test]
async fn a_spot_notice_starts_a_successor_while_open_connections_go_on_to_their_end() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut old = daemon.served().await;
    let notice = Duration::from_secs(6);
    house
        .world()
        .end_task(&task(house.world()), Failure::spot(Duration::ZERO, notice));
    let noticed = tokio::time::Instant::now();
    // Nobody asks for it.
    let target = successor(&house).await;
    assert!(noticed.elapsed() < notice / 2, "{:?}", noticed.elapsed());
    ping(&mut old).await;
    daemon
        .until("it is ready", |status| {
            status.bastions[0].state == BastionState::Ready
        })
        .await;
    let mut new = daemon.served().await;
    assert_eq!(house.world().sessions()[1].target, target);
    ping(&mut old).await;
    let status = daemon.status().await;
    assert!(status.healthy, "{:?}", status.problems);
    // The service tells nobody that the old task has gone.
    assert_reset(&mut old).await;
    assert!(noticed.elapsed() < notice + Duration::from_secs(5));
    ping(&mut new).await;
    assert_eq!(house.world().count("RunTask"), 2);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_task_that_ends_at_once_has_a_successor_before_anybody_asks_and_the_status_says_why() {
    let scaled_in = Failure {
        code: "ServiceSchedulerInitiated".into(),
        reason: "Scaling activity initiated by (deployment ecs-svc/123)".into(),
        ..Failure::exit(Duration::ZERO, 0)
    };
    let out_of_memory = Failure {
        container_reason: Some("OutOfMemoryError: Container killed due to memory usage".into()),
        ..Failure::exit(Duration::ZERO, 137)
    };
    let retired = Failure {
        code: "TerminationNotice".into(),
        reason: "ECS is performing maintenance on the underlying infrastructure".into(),
        ..Failure::exit(Duration::ZERO, 143)
    };
    let by_hand = Failure {
        code: "UserInitiated".into(),
        reason: "Task stopped by user".into(),
        ..Failure::exit(Duration::ZERO, 143)
    };
    let watchdog = Failure::exit(Duration::ZERO, 0);
    for (failure, says, hint) in [
        (
            scaled_in,
            "its service stopped the task: Scaling activity",
            None,
        ),
        (out_of_memory, "OutOfMemoryError", Some("more memory")),
        (retired, "aws replaces the host", None),
        (by_hand, "the task was stopped: Task stopped by user", None),
        (watchdog, "ended by itself", None),
    ] {
        let house = House::new().await;
        let daemon = house.daemon(&Terms::default()).await;
        let mut client = daemon.served().await;
        house.world().end_task(&task(house.world()), failure);
        assert_reset(&mut client).await;
        let problem = daemon.problem("task_stopped").await;
        assert!(problem.message.contains(says), "{problem:?}");
        let hinted = hint.is_none_or(|hint| {
            problem
                .hint
                .as_deref()
                .is_some_and(|told| told.contains(hint))
        });
        assert!(hinted, "{problem:?}");
        successor(&house).await;
        daemon.served().await;
        assert!(daemon.status().await.healthy, "{says}");
        assert_eq!(house.world().count("RunTask"), 2);
        house.close(daemon).await;
    }
}

#[tokio::test]
async fn a_task_that_ends_when_nobody_is_connected_is_no_problem_and_not_replaced() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    hang_up(daemon.served().await);
    daemon
        .until("nobody is connected", |status| {
            status.tunnels[0].ends_in_seconds.is_some()
        })
        .await;
    let watchdog = Failure::exit(Duration::ZERO, 0);
    house.world().end_task(&task(house.world()), watchdog);
    let status = daemon
        .until("it is seen", |status| {
            status.bastions[0].state == BastionState::Stopped
                && status.tunnels[0].sessions.is_empty()
        })
        .await;
    assert!(status.healthy, "{:?}", status.problems);
    assert_eq!(status.tunnels[0].state, TunnelState::Idle);
    assert_eq!(house.world().count("RunTask"), 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_task_whose_agent_never_connects_is_replaced_once_and_then_told() {
    let house = House::new().await;
    let plan = Plan {
        agent: AgentCourse::NeverConnects,
        ..Plan::default()
    };
    house.plan_tasks(3, &plan);
    let daemon = house.daemon(&patient()).await;
    let mut client = daemon.connect().await;
    let status = later(&daemon, |status| {
        status.bastions[0].state == BastionState::Failed
    })
    .await;
    assert_reset(&mut client).await;
    let problem = &status.problems[0];
    assert_eq!(problem.code, "target_not_connected", "{problem:?}");
    let hint = problem.hint.clone().unwrap_or_default();
    assert!(hint.contains("ssmmessages"), "{problem:?}");
    let count = |operation| house.world().count(operation);
    assert_eq!((count("RunTask"), count("StopTask")), (2, 2));
    house.close(daemon).await;
}

#[tokio::test]
async fn a_task_that_is_replaced_in_time_serves_those_who_wait() {
    let house = House::new().await;
    house.world().plan_next_task(Plan {
        agent: AgentCourse::NeverConnects,
        ..Plan::default()
    });
    let daemon = house.daemon(&patient()).await;
    let mut client = daemon.connect().await;
    later(&daemon, |status| {
        status.tunnels[0].state == TunnelState::Ready
    })
    .await;
    ping(&mut client).await;
    let count = |operation| house.world().count(operation);
    assert_eq!((count("RunTask"), count("StopTask")), (2, 1));
    house.close(daemon).await;
}

#[tokio::test]
async fn a_task_stuck_on_its_way_is_replaced_once_and_then_told_with_the_step_it_hangs_at() {
    let house = House::new().await;
    let plan = Plan {
        timing: Some(Timing {
            pulling: Duration::from_secs(7200),
            ..Timing::fast()
        }),
        ..Plan::default()
    };
    house.plan_tasks(2, &plan);
    let daemon = house.daemon(&patient()).await;
    let mut client = daemon.connect().await;
    let status = later(&daemon, |status| {
        status.bastions[0].state == BastionState::Failed
    })
    .await;
    assert_reset(&mut client).await;
    let problem = &status.problems[0];
    assert!(problem.message.contains("pulling image"), "{problem:?}");
    assert!(problem.hint.is_some(), "{problem:?}");
    let count = |operation| house.world().count(operation);
    assert_eq!((count("RunTask"), count("StopTask")), (2, 2));
    house.close(daemon).await;
}

#[tokio::test]
async fn a_task_that_does_not_start_is_told_with_what_mends_it() {
    for (reason, hint) in [
        (
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref \
             public.ecr.aws/x: public.ecr.aws/x: not found",
            "image of the task definition",
        ),
        (
            "ResourceInitializationError: unable to pull secrets or registry auth: connection issue",
            "execution role",
        ),
        (
            "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/arm64'",
            "runtimePlatform",
        ),
        (
            "Capacity is unavailable at this time.",
            "availability zones",
        ),
        (
            "Timeout waiting for network interface provisioning to complete.",
            "free addresses",
        ),
    ] {
        let house = House::new().await;
        let plan = Plan {
            failure: Some(Failure::to_start(Duration::from_millis(6), reason)),
            ..Plan::default()
        };
        house.plan_tasks(3, &plan);
        let daemon = house.daemon(&Terms::default()).await;
        assert_reset(&mut daemon.connect().await).await;
        let status = daemon.status().await;
        let problem = &status.problems[0];
        assert!(problem.message.contains(reason), "{problem:?}");
        let told = problem.hint.clone().unwrap_or_default();
        assert!(told.contains(hint), "{problem:?}");
        house.close(daemon).await;
    }
}

/// Lets time pass until the status is so.
pub async fn later(daemon: &Daemon, holds: impl Fn(&Status) -> bool) -> Status {
    for _ in 0..2000 {
        let status = daemon.status().await;
        if holds(&status) {
            return status;
        }
        skip(Duration::from_secs(1)).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never so: {:#?}", daemon.status().await);
}

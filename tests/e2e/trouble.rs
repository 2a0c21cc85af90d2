//! AWS in trouble, and the task that dies.

use std::time::Duration;

use bastiond::sim::{AgentCourse, ApiFault, Death, Plan, Script};
use bastiond::status::TunnelState;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::support::{House, Terms, assert_reset, pattern, ping, send, skip};

const CALLS: [&str; 5] = [
    "ListTasks",
    "RunTask",
    "DescribeTasks",
    "GetConnectionStatus",
    "StartSession",
];

#[tokio::test]
async fn throttling_of_any_call_is_survived() {
    survived(ApiFault::Throttle).await;
}

#[tokio::test]
async fn an_internal_error_of_any_call_is_survived() {
    survived(ApiFault::Internal).await;
}

#[tokio::test]
async fn a_broken_connection_at_any_call_is_survived() {
    survived(ApiFault::Reset).await;
}

async fn survived(fault: ApiFault) {
    let house = House::new().await;
    for call in CALLS {
        house.world().fail_next(call, 1, fault.clone());
    }
    let daemon = house.daemon(&Terms::default()).await;
    daemon.served().await;
    assert_eq!(house.world().tasks().len(), 1);
    assert!(daemon.status().await.healthy);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_lost_answer_to_run_task_does_not_run_a_second() {
    let house = House::new().await;
    house.world().fail_next("RunTask", 1, ApiFault::LoseAnswer);
    let daemon = house.daemon(&Terms::default()).await;
    daemon.served().await;
    assert_eq!(house.world().count("RunTask"), 2);
    assert_eq!(house.world().tasks().len(), 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn expired_credentials_ask_for_a_login_and_heal_by_it() {
    for call in ["ListTasks", "RunTask", "StartSession"] {
        let house = House::new().await;
        house.world().fail_always(call, ApiFault::ExpiredToken);
        let daemon = house.daemon(&Terms::default()).await;
        assert_reset(&mut daemon.connect().await).await;
        let tunnel = daemon.is(TunnelState::NeedsLogin).await;
        let hint = tunnel.last_error.and_then(|problem| problem.hint);
        assert!(hint.is_some_and(|hint| !hint.is_empty()), "{call}");
        house.world().heal(call);
        skip(Duration::from_secs(6)).await;
        daemon.served().await;
        assert!(daemon.status().await.healthy, "{call}");
        house.close(daemon).await;
    }
}

#[tokio::test]
async fn a_role_is_assumed_when_one_is_configured() {
    let house = House::new().await;
    let terms = Terms {
        top: "role_arn = \"arn:aws:iam::123456789012:role/start-bastion\"",
        ..Terms::default()
    };
    let daemon = house.daemon(&terms).await;
    daemon.served().await;
    assert_eq!(house.world().count("AssumeRole"), 1);
    let aws = daemon.status().await.aws;
    assert!(aws.credentials_seconds_left.is_some_and(|left| left > 3000));
    house.close(daemon).await;
}

#[tokio::test]
async fn a_task_killed_in_the_middle_is_replaced_within_seconds() {
    for death in [Death::Silent, Death::Announced] {
        let script = Script {
            death,
            ..Script::fast()
        };
        let house = House::with(script).await;
        let daemon = house.daemon(&Terms::default()).await;
        let mut client = daemon.served().await;
        send(&mut client, &pattern(100_000, 1)).await;
        let task = house.world().tasks().remove(0);
        house
            .world()
            .stop_task(&task.arn, "UserInitiated", "somebody stopped it");
        let killed = tokio::time::Instant::now();
        assert_reset(&mut client).await;
        daemon.served().await;
        assert!(killed.elapsed() < Duration::from_secs(15), "{death:?}");
        assert_eq!(house.world().count("RunTask"), 2);
        let second = house.world().tasks()[1].target(0);
        assert_eq!(daemon.tunnel().await.target, Some(second));
        assert!(daemon.status().await.healthy);
        house.close(daemon).await;
    }
}

/// GetConnectionStatus is optional, so its silence must not make a task without an agent a trap.
#[tokio::test]
async fn a_task_whose_agent_never_comes_is_replaced_even_when_its_status_may_not_be_asked() {
    let house = House::new().await;
    house.world().plan_next_task(Plan {
        agent: AgentCourse::NeverConnects,
        ..Plan::default()
    });
    house
        .world()
        .fail_always("GetConnectionStatus", ApiFault::AccessDenied);
    let daemon = house.daemon(&Terms::default()).await;
    let address = daemon.address().await;
    let begun = tokio::time::Instant::now();
    let waiting = async {
        loop {
            let served = async {
                let mut client = TcpStream::connect(address).await?;
                client.write_all(b"?").await?;
                client.read_exact(&mut [0; 1]).await
            };
            if served.await.is_ok() {
                return;
            }
        }
    };
    tokio::pin!(waiting);
    while begun.elapsed() < Duration::from_secs(180) {
        tokio::select! {
            () = &mut waiting => break,
            () = sleep(Duration::from_millis(20)) => skip(Duration::from_secs(1)).await,
        }
    }
    assert_eq!(house.world().count("RunTask"), 2);
    assert_ne!(house.world().task_statuses()[0], "RUNNING");
    assert!(daemon.status().await.healthy);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_task_that_dies_while_it_rests_is_replaced_by_the_next_connection() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    daemon.client.up("app-db").await.expect("it is up");
    daemon.client.down("app-db").await.expect("it is down");
    let task = house.world().tasks().remove(0);
    house
        .world()
        .stop_task(&task.arn, "InfrastructureHealth", "the host is gone");
    sleep(Duration::from_millis(20)).await;
    daemon.served().await;
    assert_eq!(house.world().count("RunTask"), 2);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_state_folder_that_cannot_be_written_is_a_warning_and_no_more() {
    let house = House::new().await;
    // Root may write anywhere, so something that is no folder stands in the way.
    std::fs::write(house.paths().state, "in the way").expect("written");
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    let problem = daemon.problem("state_unwritable").await;
    assert!(problem.hint.is_some());
    ping(&mut client).await;
    house.close(daemon).await;
}

#[tokio::test]
async fn a_state_file_that_makes_no_sense_is_kept_aside() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    daemon.served().await;
    daemon.stop().await;
    let folder = house.paths().state;
    std::fs::write(folder.join("state.json"), "{ not json").expect("written");
    let daemon = house.daemon(&Terms::default()).await;
    assert!(!daemon.status().await.healthy);
    daemon.served().await;
    let aside = std::fs::read_to_string(folder.join("state.json.bad"));
    assert_eq!(aside.expect("kept"), "{ not json");
    house.close(daemon).await;
}

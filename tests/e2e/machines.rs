//! Bastions whose agent is on an EC2 instance instead of in a task.

use std::time::Duration;

use bastiond::sim::{ApiFault, Instance, Script};
use bastiond::status::{Bastion, BastionKind, BastionState};

use crate::support::{Daemon, House, Terms, assert_reset, ping, until};

const ID: &str = "i-0123456789abcdef0";
const OTHER: &str = "i-0fedcba9876543210";

fn managed() -> Instance {
    Instance::fast(ID, "jump host_1").tag("bastiond:managed", "true")
}

async fn house_with(instances: Vec<Instance>) -> House {
    House::with(Script {
        instances,
        ..Script::fast()
    })
    .await
}

/// The first tunnel goes through this bastion, beside that of the default configuration.
pub fn through(lines: &str) -> Terms {
    Terms {
        via: "bastion = \"jump\"",
        more: format!("[bastion.jump]\n{lines}"),
        ..Terms::default()
    }
}

pub async fn jump(daemon: &Daemon) -> Bastion {
    let bastions = daemon.status().await.bastions;
    let jump = bastions.into_iter().find(|it| it.name == "jump");
    jump.expect("the bastion")
}

async fn is(daemon: &Daemon, state: BastionState) {
    let holds = |status: &bastiond::status::Status| {
        let mut bastions = status.bastions.iter();
        bastions.any(|it| it.name == "jump" && it.state == state)
    };
    daemon
        .until(&format!("the bastion is {state:?}"), holds)
        .await;
}

#[tokio::test]
async fn an_instance_is_started_for_its_first_user_and_stopped_after_the_last() {
    let house = house_with(vec![managed()]).await;
    let terms = through("instance = \"jump host_1\"\nidle_stop = \"1s\"");
    let daemon = house.daemon(&terms).await;
    assert_eq!(
        house.world().count("DescribeInstances"),
        0,
        "nobody wants it"
    );
    let client = daemon.served().await;
    let bastion = jump(&daemon).await;
    let machine = bastion.task.expect("it is shown");
    assert_eq!(
        (
            bastion.kind,
            machine.id.as_str(),
            machine.last_status.as_str()
        ),
        (BastionKind::Instance, ID, "running")
    );
    assert_eq!(machine.target.as_deref(), Some(ID));
    let start = bastion.start.expect("a start");
    let phases: Vec<&str> = start.phases.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        phases,
        [
            "looking for the instance",
            "starting the instance",
            "waiting for agent"
        ]
    );
    assert_eq!(house.world().sessions()[0].target, ID);
    crate::support::hang_up(client);
    daemon.client.down("app-db").await.expect("it is down");
    until(house.world(), "the instance is stopped", |world| {
        world.instance_state(ID) == "stopped"
    })
    .await;
    is(&daemon, BastionState::Stopped).await;
    assert_eq!(house.world().count("StartInstances"), 1);
    assert_eq!(house.world().count("RunTask"), 0);
    assert!(daemon.status().await.healthy);
    house.close(daemon).await;
}

#[tokio::test]
async fn an_instance_that_is_not_tagged_for_it_is_left_running() {
    let house = house_with(vec![Instance::fast(ID, "jump")]).await;
    let daemon = house.daemon(&through("instance = \"jump\"")).await;
    daemon.served().await;
    daemon.client.down("app-db").await.expect("it is down");
    daemon.stop().await;
    assert!(house.world().count("DescribeSessions") >= 1);
    assert_eq!(house.world().count("StopInstances"), 0);
    assert_eq!(house.world().instance_state(ID), "running");
    house.sweep().await;
}

#[tokio::test]
async fn an_instance_that_others_use_or_that_nobody_can_tell_about_is_left_running() {
    for denied in [false, true] {
        let house = house_with(vec![managed()]).await;
        let daemon = house
            .daemon(&through(&format!("instance = \"{ID}\"")))
            .await;
        daemon.served().await;
        match denied {
            true => {
                let fault = ApiFault::AccessDenied;
                house.world().fail_always("DescribeSessions", fault);
            }
            false => {
                let body = serde_json::json!({"Target": ID});
                let call = "AmazonSSM.StartSession";
                crate::support::aws_call(&house, call, "ssm", &body).await;
            }
        }
        daemon.client.down("app-db").await.expect("it is down");
        daemon.stop().await;
        assert!(house.world().count("DescribeSessions") >= 1);
        assert_eq!(house.world().count("StopInstances"), 0, "denied: {denied}");
        house.sweep().await;
    }
}

#[tokio::test]
async fn an_instance_that_runs_is_used_as_it_is() {
    let house = house_with(vec![managed().running()]).await;
    let daemon = house
        .daemon(&through("instance = \"tag:Name=jump host_1\""))
        .await;
    daemon.served().await;
    assert_eq!(house.world().count("StartInstances"), 0);
    house.close(daemon).await;
}

#[tokio::test]
async fn one_that_is_just_stopping_is_waited_for_and_started_again() {
    let mut slow = managed().running();
    slow.stopping = Duration::from_millis(500);
    let house = house_with(vec![slow]).await;
    house.world().stop_instance(ID);
    let daemon = house
        .daemon(&through(&format!("instance = \"{ID}\"")))
        .await;
    let mut client = daemon.connect().await;
    let waits = |status: &bastiond::status::Status| {
        let detail = status.bastions[1].detail.as_deref();
        detail == Some("waiting for the instance to stop")
    };
    daemon.until("it waits for the stop", waits).await;
    ping(&mut client).await;
    assert_eq!(house.world().count("StartInstances"), 1);
    house.close(daemon).await;
}

/// EC2 tells of a stop some seconds before it allows a start.
#[tokio::test]
async fn a_start_that_comes_too_early_is_tried_again() {
    let house = house_with(vec![managed()]).await;
    let early = ApiFault::Error(
        400,
        "IncorrectInstanceState".into(),
        "The instance is not in a state from which it can be started.".into(),
    );
    house.world().fail_next("StartInstances", 3, early);
    let daemon = house
        .daemon(&through(&format!("instance = \"{ID}\"")))
        .await;
    daemon.served().await;
    assert_eq!(house.world().count("StartInstances"), 4);
    house.close(daemon).await;
}

#[tokio::test]
async fn an_instance_that_is_stopped_under_its_users_is_started_for_the_next() {
    let house = house_with(vec![managed()]).await;
    let daemon = house.daemon(&through("instance = \"jump host_1\"")).await;
    let mut first = daemon.served().await;
    house.world().stop_instance(ID);
    crate::support::pass(Duration::from_secs(40)).await;
    assert_reset(&mut first).await;
    daemon.served().await;
    assert_eq!(house.world().count("StartInstances"), 2);
    house.close(daemon).await;
}

/// Each with its own advice; the clients that wait are let go at once.
#[tokio::test]
async fn what_keeps_an_instance_from_starting_is_told_with_what_to_do() {
    let error = |code: &str| ApiFault::Error(400, code.into(), format!("{code}: as AWS says"));
    for (operation, fault, code, advice) in [
        (
            "StartInstances",
            error("InsufficientInstanceCapacity"),
            "no_capacity",
            "change the instance's type",
        ),
        (
            "StartInstances",
            ApiFault::AccessDenied,
            "access_denied",
            "\"Action\":\"ec2:StartInstances\"",
        ),
        (
            "StartInstances",
            error("VcpuLimitExceeded"),
            "quota_reached",
            "Service Quotas",
        ),
        (
            "DescribeInstances",
            ApiFault::AccessDenied,
            "access_denied",
            "\"Action\":\"ec2:DescribeInstances\"",
        ),
        (
            "DescribeInstances",
            error("InvalidInstanceID.NotFound"),
            "not_found",
            "`instance`",
        ),
    ] {
        let house = house_with(vec![managed()]).await;
        house.world().fail_always(operation, fault);
        let daemon = house
            .daemon(&through(&format!("instance = \"{ID}\"")))
            .await;
        assert_reset(&mut daemon.connect().await).await;
        let problem = daemon.problem(code).await;
        let hint = problem.hint.expect("a hint");
        assert!(hint.contains(advice), "{operation} {code}: {hint}");
        assert_eq!(house.world().instance_state(ID), "stopped");
        house.close(daemon).await;
    }
}

#[tokio::test]
async fn an_instance_that_does_not_come_up_is_told_in_the_words_of_ec2_and_not_started_for_ever() {
    let house = house_with(vec![managed()]).await;
    let words = "Client.InternalError: Client error on launch";
    house
        .world()
        .fail_instance_start(ID, "Client.InternalError", words);
    let daemon = house
        .daemon(&through(&format!("instance = \"{ID}\"")))
        .await;
    assert_reset(&mut daemon.connect().await).await;
    let problem = daemon.problem("instance_stopped").await;
    assert!(problem.message.contains(words), "{problem:?}");
    assert!(problem.hint.expect("a hint").contains("KMS key"));
    assert_eq!(house.world().count("StartInstances"), 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn an_agent_that_does_not_come_is_told_after_seven_minutes_and_the_instance_stopped() {
    let mut deaf = managed();
    deaf.has_agent = false;
    let house = house_with(vec![deaf]).await;
    let mut terms = through(&format!("instance = \"{ID}\""));
    terms.tunnel = "hold_timeout = \"15m\"";
    let daemon = house.daemon(&terms).await;
    let mut client = daemon.connect().await;
    until(house.world(), "it is asked for its agent", |world| {
        world.count("GetConnectionStatus") >= 2
    })
    .await;
    crate::support::skip(Duration::from_secs(430)).await;
    assert_reset(&mut client).await;
    let problem = daemon.problem("target_not_connected").await;
    assert!(problem.message.contains("420 s"), "{problem:?}");
    let hint = problem.hint.expect("a hint");
    assert!(hint.contains("AmazonSSMManagedInstanceCore"), "{hint}");
    until(house.world(), "it is stopped", |world| {
        world.instance_state(ID) == "stopped"
    })
    .await;
    assert_eq!(house.world().count("StartInstances"), 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn several_that_fit_are_listed_and_none_is_started() {
    let twin = Instance::fast(OTHER, "jump host_1");
    let house = house_with(vec![managed(), twin]).await;
    let daemon = house.daemon(&through("instance = \"jump host_1\"")).await;
    assert_reset(&mut daemon.connect().await).await;
    let problem = daemon.problem("several_fit").await;
    assert!(
        problem.message.contains(ID) && problem.message.contains(OTHER),
        "{problem:?}"
    );
    assert_eq!(house.world().count("StartInstances"), 0);
    house.close(daemon).await;
}

#[tokio::test]
async fn whoever_may_not_ask_for_the_connection_looks_into_the_list_of_nodes() {
    let house = house_with(vec![managed()]).await;
    let denied = ApiFault::AccessDenied;
    house.world().fail_always("GetConnectionStatus", denied);
    let daemon = house
        .daemon(&through(&format!("instance = \"{ID}\"")))
        .await;
    daemon.served().await;
    assert!(house.world().count("DescribeInstanceInformation") >= 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn two_laptops_share_an_instance_and_only_the_last_to_leave_stops_it() {
    let house = house_with(vec![managed()]).await;
    let terms = through("instance = \"jump host_1\"");
    let (one, two) = tokio::join!(
        house.daemon_in(&terms, "one"),
        house.daemon_in(&terms, "two")
    );
    let (first, mut second) = tokio::join!(one.served(), two.served());
    drop(first);
    one.stop().await;
    ping(&mut second).await;
    assert_eq!(house.world().count("StopInstances"), 0);
    drop(second);
    two.client.down("app-db").await.expect("it is down");
    two.stop().await;
    until(house.world(), "it is stopped", |world| {
        world.instance_state(ID) == "stopped"
    })
    .await;
    house.sweep().await;
}

#[tokio::test]
async fn after_a_crash_the_instance_is_looked_after_and_stopped() {
    let house = house_with(vec![managed()]).await;
    let terms = through("instance = \"jump host_1\"\nidle_stop = \"1s\"");
    let daemon = house.daemon(&terms).await;
    daemon.served().await;
    let recorded = async {
        while !crate::support::state_text(&house).contains(ID) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    crate::support::within("it is on record", recorded).await;
    daemon.crash().await;
    for session in house.world().active_sessions() {
        house
            .world()
            .command(&session.id, bastiond::sim::Command::End(None));
    }
    let daemon = house.daemon(&terms).await;
    until(house.world(), "it is stopped", |world| {
        world.instance_state(ID) == "stopped"
    })
    .await;
    assert_eq!(house.world().count("StartInstances"), 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn an_instance_of_an_earlier_run_that_the_configuration_no_longer_wants_is_stopped() {
    let house = house_with(vec![managed()]).await;
    let daemon = house
        .daemon(&through(
            "instance = \"jump host_1\"\non_shutdown = \"leave\"",
        ))
        .await;
    daemon.served().await;
    daemon.client.down("app-db").await.expect("it is down");
    daemon.stop().await;
    assert_eq!(house.world().instance_state(ID), "running");
    let daemon = house.daemon(&through("instance = \"another\"")).await;
    until(house.world(), "it is stopped", |world| {
        world.instance_state(ID) == "stopped"
    })
    .await;
    house.close(daemon).await;
}

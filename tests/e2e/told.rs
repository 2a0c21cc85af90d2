//! What a person is told: the phases of a start and how long they usually take.

use std::time::Duration;

use bastiond::sim::{ApiFault, Script, Timing};
use bastiond::status::{BastionState, OrphanKind, OrphanState, StartState, TunnelState};
use serde_json::{Value, json};

use crate::support::{House, Terms, aws_call, pass, skip, until};

#[tokio::test]
async fn each_phase_of_a_start_is_told_while_it_lasts_and_measured_for_the_next() {
    let script = Script {
        timing: Timing {
            provisioning: Duration::from_millis(300),
            pulling: Duration::from_millis(300),
            ..Timing::fast()
        },
        ..Script::fast()
    };
    let house = House::with(script).await;
    let daemon = house.daemon(&Terms::default()).await;
    assert_eq!(daemon.bastion().await.usual_start, None);
    let client = daemon.connect().await;
    for phase in ["provisioning network", "pulling image"] {
        let status = daemon
            .until(phase, |status| {
                let start = status.bastions[0].start.as_ref();
                start.is_some_and(|start| start.phases.iter().any(|it| it.name == phase))
            })
            .await;
        let detail = status.tunnels[0].detail.clone().unwrap_or_default();
        assert!(detail.starts_with(phase), "with its seconds: {detail}");
    }
    daemon.is(TunnelState::Ready).await;
    let status = daemon
        .until("the session is counted", |status| {
            let usual = status.bastions[0].usual_start.as_ref();
            usual.is_some_and(|usual| usual.phases.iter().any(|it| it.name == "connecting"))
        })
        .await;
    let start = status.bastions[0].start.clone().expect("a start");
    assert_eq!(start.state, StartState::Ready);
    let of = |name: &str| {
        start
            .phases
            .iter()
            .find(|it| it.name == name)
            .map(|it| it.ms)
    };
    assert!(of("provisioning network") >= Some(200), "{start:?}");
    assert!(of("pulling image") >= Some(200), "{start:?}");
    drop(client);
    daemon.client.down("app-db").await.expect("it is down");
    daemon.stop().await;

    let daemon = house.daemon(&Terms::default()).await;
    let usual = daemon
        .bastion()
        .await
        .usual_start
        .expect("from the state file");
    assert_eq!(usual.starts, 1);
    assert!(usual.whole.p50_ms >= 500, "{usual:?}");
    house.close(daemon).await;
}

#[tokio::test]
async fn what_the_task_costs_is_told_from_a_minute_on() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    assert_eq!(daemon.status().await.cost, None, "nothing was used");
    drop(daemon.served().await);
    daemon.client.down("app-db").await.expect("it is down");
    daemon.stop().await;

    let daemon = house.daemon(&Terms::default()).await;
    let cost = daemon.status().await.cost.expect("a task was used");
    assert_eq!(cost.month.seconds, 60, "the least that is billed: {cost:?}");
    let [row] = &cost.rows[..] else {
        panic!("one size: {cost:?}");
    };
    assert_eq!(
        (row.bastion.as_str(), row.size.cpu, row.size.memory),
        ("dev", 256, 512)
    );
    assert!((0.0001..0.0005).contains(&cost.month.usd), "{cost:?}");
    house.close(daemon).await;
}

#[tokio::test]
async fn a_bastion_that_somebody_wants_kept_outlives_its_idle_time_and_no_more() {
    let house = House::new().await;
    let terms = Terms {
        bastion: "idle_stop = \"10m\"",
        ..Terms::default()
    };
    let daemon = house.daemon(&terms).await;
    daemon
        .client
        .up_for("app-db", "2h")
        .await
        .expect("it is up");
    daemon
        .until("it is kept", |status| {
            status.bastions[0].kept_seconds > Some(7000)
        })
        .await;
    for _ in 0..6 {
        pass(Duration::from_secs(15 * 60)).await;
    }
    let bastion = daemon.bastion().await;
    assert_eq!(bastion.state, BastionState::Ready, "{bastion:?}");
    assert!(bastion.kept_seconds < Some(1900), "{bastion:?}");
    assert_eq!(house.world().tasks().len(), 1);
    skip(Duration::from_secs(31 * 60)).await;
    daemon
        .until("it rests", |status| {
            status.bastions[0].state == BastionState::Resting
        })
        .await;
    skip(Duration::from_secs(11 * 60)).await;
    daemon
        .until("it is stopped", |status| {
            status.bastions[0].state == BastionState::Stopped
        })
        .await;
    house.close(daemon).await;
}

#[tokio::test]
async fn going_down_takes_back_that_it_be_kept() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    daemon
        .client
        .up_for("app-db", "2h")
        .await
        .expect("it is up");
    daemon
        .until("it is kept", |status| {
            status.bastions[0].kept_seconds.is_some()
        })
        .await;
    daemon.client.down("app-db").await.expect("it is down");
    daemon
        .until("it rests", |status| {
            let bastion = &status.bastions[0];
            bastion.kept_seconds.is_none() && bastion.state == BastionState::Resting
        })
        .await;
    let wrong = daemon.client.up_for("app-db", "a while").await.unwrap_err();
    assert!(wrong.to_string().contains("a while"), "{wrong}");
    house.close(daemon).await;
}

#[tokio::test]
async fn a_schedule_runs_the_bastion_without_anybody() {
    let house = House::new().await;
    let always = Terms {
        bastion: "warm = \"Mon-Sun 00:00-24:00\"",
        ..Terms::default()
    };
    let daemon = house.daemon(&always).await;
    daemon
        .until("it is warm", |status| {
            let bastion = &status.bastions[0];
            bastion.state == BastionState::Ready && bastion.kept_seconds.is_some()
        })
        .await;
    assert_eq!(
        house.world().sessions().len(),
        0,
        "a session comes with a connection"
    );
    house.close(daemon).await;
}

#[tokio::test]
async fn orphans_are_what_is_ours_old_and_held_by_nobody_and_are_ended_when_asked() {
    let house = House::with(Script {
        page_size: 1,
        ..Script::fast()
    })
    .await;
    let daemon = house.daemon(&Terms::default()).await;
    drop(daemon.served().await);
    let own = house.world().tasks().remove(0);
    let lost = run_elsewhere(&house, "shared").await;
    let others = run_elsewhere(&house, "user").await;
    let used = run_elsewhere(&house, "shared").await;
    let reason = house.world().sessions()[0]
        .reason
        .clone()
        .expect("a reason");
    let left = start_elsewhere(&house, &used, &reason).await;
    let foreign = start_elsewhere(&house, &used, "somebody else").await;
    assert_eq!(
        daemon.client.orphans(false).await.expect("a list"),
        [],
        "all are young"
    );

    for call in ["DescribeTasks", "DescribeSessions"] {
        house.world().fail_always(call, ApiFault::Rewrite(make_old));
    }
    let found = daemon.client.orphans(false).await.expect("a list");
    let shown: Vec<_> = found.iter().map(|it| (it.kind, it.id.as_str())).collect();
    assert_eq!(
        shown,
        [
            (OrphanKind::Task, lost.as_str()),
            (OrphanKind::Session, left.as_str())
        ],
        "not {own:?}, {others}, {foreign}"
    );
    assert!(
        found.iter().all(|it| it.age_seconds >= Some(120)),
        "{found:?}"
    );

    house
        .world()
        .fail_next("StopTask", 1, ApiFault::AccessDenied);
    let ended = daemon.client.orphans(true).await.expect("a list");
    let states: Vec<_> = ended.iter().map(|it| it.state).collect();
    assert_eq!(states, [OrphanState::Failed, OrphanState::Ended]);
    assert!(
        ended[0]
            .error
            .as_deref()
            .unwrap_or_default()
            .contains("StopTask")
    );
    let ended = daemon.client.orphans(true).await.expect("a list");
    assert_eq!(ended.len(), 1, "{ended:?}");
    assert_eq!(ended[0].state, OrphanState::Ended);
    until(house.world(), "they are gone", |world| {
        let active: Vec<_> = world
            .active_sessions()
            .into_iter()
            .map(|it| it.id)
            .collect();
        let runs = |arn: &str| {
            let tasks = world.tasks();
            tasks
                .iter()
                .any(|task| task.arn == arn && task.course.ending.is_none())
        };
        !active.contains(&left) && active.contains(&foreign) && !runs(&lost) && runs(&used)
    })
    .await;
    assert_eq!(daemon.client.orphans(false).await.expect("a list"), []);
    house.close(daemon).await;
}

/// The answer as it would have been some minutes after.
fn make_old(answer: &mut Value) {
    for (list, time) in [("tasks", "createdAt"), ("Sessions", "StartDate")] {
        for one in answer[list].as_array_mut().into_iter().flatten() {
            one[time] = json!(one[time].as_f64().expect("a time") - 300.0);
        }
    }
}

/// A task as a daemon that is gone would have left it.
async fn run_elsewhere(house: &House, mode: &str) -> String {
    let body = json!({
        "cluster": "backend", "taskDefinition": "bastion", "enableExecuteCommand": true,
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        "tags": [
            {"key": "bastiond:stack", "value": "earlier"},
            {"key": "bastiond:mode", "value": mode},
            {"key": "bastiond:owner", "value": "somebody-else"},
        ],
    });
    let operation = "AmazonEC2ContainerServiceV20141113.RunTask";
    let answer = aws_call(house, operation, "ecs", &body).await;
    answer["tasks"][0]["taskArn"]
        .as_str()
        .expect("an ARN")
        .to_owned()
}

async fn start_elsewhere(house: &House, arn: &str, reason: &str) -> String {
    until(house.world(), "its agent is there", |world| {
        let tasks = world.tasks();
        let task = tasks.iter().find(|task| task.arn == arn).expect("it runs");
        task.course.at(tokio::time::Instant::now()).connected
    })
    .await;
    let tasks = house.world().tasks();
    let task = tasks.iter().find(|task| task.arn == arn).expect("it runs");
    let body = json!({
        "Target": task.target(0), "Reason": reason,
        "DocumentName": "AWS-StartPortForwardingSession", "Parameters": {"portNumber": ["1"]},
    });
    let answer: Value = aws_call(house, "AmazonSSM.StartSession", "ssm", &body).await;
    answer["SessionId"].as_str().expect("an id").to_owned()
}

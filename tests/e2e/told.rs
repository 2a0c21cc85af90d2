//! What a person is told: the phases of a start and how long they usually take.

use std::time::Duration;

use bastiond::sim::{Script, Timing};
use bastiond::status::{BastionState, StartState, TunnelState};

use crate::support::{House, Terms, pass, skip};

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

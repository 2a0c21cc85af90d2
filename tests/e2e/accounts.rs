//! Two accounts in one daemon: each bastion has its own way to AWS.

use bastiond::sim::{ApiFault, Script};
use bastiond::status::TunnelState;

use crate::support::{House, Terms, assert_reset, connect, operations, ping};

/// A second tunnel through a bastion of another account, with `lines` of its own.
pub fn prod(other: &House, lines: &str) -> String {
    let endpoint = other.sim.endpoint();
    format!(
        r#"
        [bastion.prod]
        cluster = "backend"
        task_definition = "bastion"
        subnets = ["subnet-0a1b2c3d"]
        [bastion.prod.aws]
        endpoint_url = "{endpoint}"
        role_arn = "arn:aws:iam::210987654321:role/prod"
        {lines}
        [[tunnel]]
        name = "prod-db"
        listen = "127.0.0.1:0"
        bastion = "prod"
        host = "db.internal"
        port = 5432
        "#
    )
}

fn two(other: &House) -> Terms {
    Terms {
        more: prod(other, "region = \"eu-west-1\""),
        ..Terms::default()
    }
}

async fn other() -> House {
    House::with(Script {
        account: "210987654321".into(),
        region: "eu-west-1".into(),
        ..Script::fast()
    })
    .await
}

#[tokio::test]
async fn each_bastion_runs_in_its_own_account_and_region() {
    let (house, other) = (House::new().await, other().await);
    let daemon = house.daemon(&two(&other)).await;
    drop(daemon.served().await);
    assert_eq!(
        operations(other.world()),
        Vec::<String>::new(),
        "nobody went there"
    );
    ping(&mut connect(daemon.address_of(1).await).await).await;
    assert_eq!(house.world().tasks().len(), 1);
    assert_eq!(other.world().tasks().len(), 1);
    assert_eq!(house.world().count("AssumeRole"), 0);
    assert_eq!(other.world().count("AssumeRole"), 1);
    let status = daemon
        .until("both are known", |status| {
            let own = status.bastions[1].aws.as_ref();
            status.aws.account.is_some() && own.is_some_and(|own| own.account.is_some())
        })
        .await;
    let own = status.bastions[1].aws.clone().expect("its own");
    assert_eq!(status.bastions[0].aws, None);
    assert_eq!(status.aws.account.as_deref(), Some("123456789012"));
    assert_eq!(own.account.as_deref(), Some("210987654321"));
    assert_eq!(own.region.as_deref(), Some("eu-west-1"));
    daemon.client.down("prod-db").await.expect("it is down");
    other.sweep_beside().await;
    house.close(daemon).await;
}

#[tokio::test]
async fn a_sign_in_that_is_over_in_one_account_leaves_the_other_alone() {
    let (house, other) = (House::new().await, other().await);
    other
        .world()
        .fail_always("AssumeRole", ApiFault::ExpiredToken);
    let daemon = house.daemon(&two(&other)).await;
    assert_reset(&mut connect(daemon.address_of(1).await).await).await;
    let status = daemon
        .until("a sign-in is asked for", |status| {
            status.tunnels[1].state == TunnelState::NeedsLogin
        })
        .await;
    let [problem] = &status.problems[..] else {
        panic!("one problem: {:?}", status.problems);
    };
    assert!(problem.subject.contains("prod"), "{problem:?}");
    assert_eq!(status.aws.last_error, None);
    drop(daemon.served().await);
    other.sweep_beside().await;
    house.close(daemon).await;
}

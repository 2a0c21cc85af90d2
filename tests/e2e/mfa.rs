//! Roles that want a code of an MFA device: the person gives it through the control API, and the daemon never asks.

use bastiond::sim::Script;
use bastiond::status::{Status, TunnelState};

use crate::accounts::prod;
use crate::support::{Daemon, House, Terms, assert_reset, connect, operations};

const SERIAL: &str = "arn:aws:iam::123456789012:mfa/developer";

fn terms() -> Terms {
    Terms {
        top: "role_arn = \"arn:aws:iam::123456789012:role/start\"\n\
              mfa_serial = \"arn:aws:iam::123456789012:mfa/developer\"",
        ..Terms::default()
    }
}

async fn house() -> House {
    House::with(Script {
        mfa_codes: vec!["123456".into(), "234567".into()],
        ..Script::fast()
    })
    .await
}

/// Somebody connects, and is told that a code is needed.
async fn asked_for_a_code(daemon: &Daemon) -> Status {
    assert_reset(&mut daemon.connect().await).await;
    daemon
        .until("a code is asked for", |status| {
            status.tunnels[0].state == TunnelState::NeedsMfaCode
        })
        .await
}

#[tokio::test]
async fn a_role_that_wants_an_mfa_code_waits_for_it_and_everything_goes_on_when_it_is_given() {
    let house = house().await;
    let daemon = house.daemon(&terms()).await;
    let status = asked_for_a_code(&daemon).await;
    let [problem] = &status.problems[..] else {
        panic!("one problem: {:?}", status.problems)
    };
    assert_eq!(problem.code, "credentials_mfa");
    assert!(problem.message.contains(SERIAL), "{problem:?}");
    assert_eq!(problem.hint.as_deref(), Some("bastiond ctl mfa CODE"));
    assert_eq!(
        operations(house.world()),
        Vec::<String>::new(),
        "AWS is not bothered"
    );
    daemon
        .client
        .mfa("123456", None)
        .await
        .expect("it is taken");
    drop(daemon.served().await);
    assert!(daemon.status().await.healthy);
    let assumed = house.world().calls("AssumeRole").remove(0).body;
    assert_eq!(assumed["SerialNumber"], SERIAL);
    assert_eq!(assumed["TokenCode"], "123456");
    assert_eq!(house.world().count("AssumeRole"), 1);
    let nobody = daemon.client.mfa("234567", None).await.unwrap_err();
    assert!(nobody.to_string().contains("nobody waits"), "{nobody}");
    house.close(daemon).await;
}

#[tokio::test]
async fn a_wrong_code_is_told_and_is_not_tried_again() {
    let house = house().await;
    let daemon = house.daemon(&terms()).await;
    asked_for_a_code(&daemon).await;
    let wrong = daemon.client.mfa("999999", None).await.unwrap_err();
    assert!(
        wrong.to_string().contains("wrong or was used before"),
        "{wrong}"
    );
    asked_for_a_code(&daemon).await;
    assert_eq!(house.world().count("AssumeRole"), 1);
    daemon
        .client
        .mfa("123456", None)
        .await
        .expect("it is taken");
    drop(daemon.served().await);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_code_goes_to_the_account_that_is_named_when_several_wait() {
    let (house, other) = (house().await, house().await);
    let daemon = house.daemon(&two(&other)).await;
    asked_for_a_code(&daemon).await;
    assert_reset(&mut connect(daemon.address_of(1).await).await).await;
    let several = daemon.client.mfa("123456", None).await.unwrap_err();
    assert!(
        several.to_string().contains("several accounts"),
        "{several}"
    );
    let prod = daemon.client.mfa("123456", Some("prod")).await;
    prod.expect("it is taken");
    assert_eq!(other.world().count("AssumeRole"), 1);
    assert_eq!(house.world().count("AssumeRole"), 0);
    daemon
        .client
        .mfa("234567", None)
        .await
        .expect("it is taken");
    assert_eq!(house.world().count("AssumeRole"), 1);
    other.sweep_beside().await;
    house.close(daemon).await;
}

/// A second tunnel through a bastion of another account, whose role wants a code too.
fn two(other: &House) -> Terms {
    Terms {
        more: prod(other, &format!("mfa_serial = \"{SERIAL}\"")),
        ..terms()
    }
}

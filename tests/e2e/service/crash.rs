//! Counts that were raised by a daemon that is no more, or that does not know it.

use std::time::Duration;

use bastiond::sim::{ApiFault, Command};
use serde_json::json;

use super::{LEASE, NAME, asked, count, decided, down, house, lowered, terms};
use crate::support::{House, Terms, assert_reset, aws_call, hang_up, state_text, until, within};

#[tokio::test]
async fn a_raised_count_of_which_the_answer_was_lost_is_used_by_the_next_and_lowered() {
    let house = house(0).await;
    let lost = ApiFault::LoseAnswer;
    house.world().fail_next("UpdateService", 3, lost);
    let daemon = house.daemon(&terms()).await;
    assert_reset(&mut daemon.connect().await).await;
    assert!(
        state_text(&house).contains(":service/"),
        "it may have been raised"
    );
    daemon
        .client
        .reset("app-db")
        .await
        .expect("failures are forgotten");
    hang_up(daemon.served().await);
    assert_eq!(asked(house.world()), [1, 1, 1], "of one call");
    down(&daemon).await;
    lowered(&house).await;
    house.close(daemon).await;
}

async fn crashed(house: &House) {
    let daemon = house.daemon(&terms()).await;
    let client = daemon.served().await;
    let recorded = async {
        while !state_text(house).contains(":service/") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within("the raised count is on record", recorded).await;
    daemon.crash().await;
    hang_up(client);
    for session in house.world().active_sessions() {
        house.world().command(&session.id, Command::End(None));
    }
    // Its lease is over by then.
    let over = house.world().service_tag(NAME, LEASE).expect("a lease");
    let (_, daemon) = over.split_once('/').expect("whose");
    house
        .world()
        .tag_service(NAME, LEASE, &format!("1764363266/{daemon}"));
}

#[tokio::test]
async fn after_a_crash_the_raised_count_is_used_or_lowered() {
    let house = house(0).await;
    crashed(&house).await;
    let daemon = house.daemon(&terms()).await;
    hang_up(daemon.served().await);
    assert_eq!(
        (asked(house.world()), house.world().tasks().len()),
        (vec![1], 1)
    );
    down(&daemon).await;
    lowered(&house).await;
    daemon.stop().await;

    crashed(&house).await;
    let daemon = house.daemon(&terms()).await;
    lowered(&house).await;
    assert_eq!(asked(house.world()), [1, 0, 1, 0]);
    house.close(daemon).await;
}

/// Somebody has lowered it meanwhile, and somebody else raised it for purposes of his own.
#[tokio::test]
async fn after_a_crash_a_count_that_others_have_raised_since_is_left_alone() {
    let house = house(0).await;
    crashed(&house).await;
    house.world().tag_service(NAME, LEASE, "0");
    let daemon = house.daemon(&terms()).await;
    decided(&daemon, "left at 1: it was not a bastiond").await;
    daemon.stop().await;
    assert_eq!((asked(house.world()), count(house.world())), (vec![1], 1));
    assert!(!state_text(&house).contains(":service/"));
    house.sweep().await;
}

#[tokio::test]
async fn a_count_that_the_configuration_no_longer_names_is_lowered_unless_somebody_is_on_it() {
    for used in [false, true] {
        let house = house(0).await;
        crashed(&house).await;
        if used {
            let body = json!({"Target": house.world().tasks()[0].target(0)});
            aws_call(&house, "AmazonSSM.StartSession", "ssm", &body).await;
        }
        let daemon = house.daemon(&Terms::default()).await;
        match used {
            false => lowered(&house).await,
            true => {
                until(house.world(), "it is looked at", |world| {
                    world.count("DescribeSessions") >= 1
                })
                .await;
            }
        }
        // Whatever was to be done about it has been done after another start.
        hang_up(daemon.served().await);
        daemon.stop().await;
        assert_eq!(count(house.world()), u32::from(used));
        house.sweep().await;
    }
}

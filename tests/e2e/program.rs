//! The built program against a simulator: what only a process of its own can show.

use std::io::ErrorKind;
use std::time::Duration;

use bastiond::sim::{ApiFault, Cut, Script};
use bastiond::status::{BastionState, Status};
use rustix::process::Signal;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::process::Process;
use crate::support::{
    House, Terms, assert_reset, echo_whole, pattern, ping, receive, send, state_text, until, within,
};

#[tokio::test]
async fn neither_tokens_nor_bytes_nor_credentials_are_in_the_log_at_any_level() {
    let house = House::new().await;
    let process = Process::start(&house, &Terms::default(), "trace").await;
    let mut client = process.served().await;
    send(&mut client, b"a-secret-in-the-bytes").await;
    receive(&mut client, 21).await;
    house.world().cut_links(&Cut::Bye);
    ping(&mut client).await;
    house
        .world()
        .fail_next("ResumeSession", 1, ApiFault::AccessDenied);
    house.world().cut_links(&Cut::Drop);
    assert_reset(&mut client).await;
    let links = house.world().links();
    assert!(links.len() >= 2);
    let log = process.stop().await;
    assert!(log.contains("TRACE") && log.contains("session started"));
    let mut secrets = vec![
        "a-secret-in-the-bytes".to_owned(),
        "a-secret-access-key".to_owned(),
        "a-session-token".to_owned(),
        // Every token of the simulator begins so.
        "AAEAA".to_owned(),
        "TokenValue".to_owned(),
    ];
    for link in &links {
        let (_, query) = link.target.split_once('?').expect("a query");
        secrets.push(query.to_owned());
        let authorization = link.header("authorization").expect("it is signed");
        let (_, signature) = authorization.split_once("Signature=").expect("a signature");
        secrets.push(signature.to_owned());
    }
    for secret in secrets {
        let line = log.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "{secret}");
    }
    house.sweep_beside().await;
}

#[tokio::test]
async fn after_a_crash_the_task_is_adopted_and_the_sessions_are_ended() {
    let house = House::new().await;
    let process = Process::start(&house, &Terms::default(), "bastiond=info").await;
    let mut client = process.served().await;
    within("the state is written", async {
        while !state_text(&house).contains("developer-") {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    ping(&mut client).await;
    process.crash().await;
    let left = house.world().active_sessions().remove(0).id;

    let process = Process::start(&house, &Terms::default(), "bastiond=info").await;
    until(house.world(), "the leftover session is ended", |world| {
        world.active_sessions().is_empty()
    })
    .await;
    let ended = house.world().calls("TerminateSession").remove(0);
    assert_eq!(ended.body["SessionId"], left);
    let task = house.world().tasks().remove(0).arn;
    let adopted = |status: &Status| {
        let bastion = &status.bastions[0];
        let is_it = bastion.task.as_ref().is_some_and(|shown| shown.arn == task);
        is_it && bastion.state == BastionState::Resting
    };
    within("the task is looked after", async {
        while !adopted(&process.status().await) {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    drop(process.served().await);
    assert_eq!(house.world().count("RunTask"), 1);
    process.stop().await;
    assert_eq!(house.world().count("StopTask"), 1);
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_pool_that_tries_again_and_again_does_not_fill_the_log_with_one_failure() {
    let house = House::new().await;
    house.world().fail_always("RunTask", ApiFault::AccessDenied);
    let process = Process::start(&house, &Terms::default(), "bastiond=info").await;
    let address = process.status().await.tunnels[0].listeners[0]
        .address
        .clone();
    for _ in 0..30 {
        // A refusal may come before the connection is wholly there.
        let refused = async { TcpStream::connect(&address).await?.read_u8().await };
        let refused = within("a refusal", refused).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionReset);
    }
    let attempts = house.world().count("RunTask");
    let log = process.stop().await;
    let told = log.matches("cannot start").count();
    assert!((1..=attempts).contains(&told), "{told} of {attempts}");
    assert_eq!(log.matches("connections are reset").count(), 30);
    house.sweep_beside().await;
}

#[tokio::test]
async fn no_byte_waits_for_who_reads_its_stderr() {
    let house = House::new().await;
    // Of `trace` a pipe is soon full.
    let process = Process::start(&house, &Terms::default(), "trace").await;
    let mut client = process.served().await;
    echo_whole(&mut client, &pattern(300_000, 1), 1).await;
    let log = process.stop().await;
    assert!(log.len() > 2 * 64 * 1024, "{}", log.len());
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let house = House::new().await;
    let mut process = Process::start(&house, &Terms::default(), "bastiond=info").await;
    let _client = process.served().await;
    house.world().fail_always("StopTask", ApiFault::Hang);
    house
        .world()
        .fail_always("DescribeSessions", ApiFault::Hang);
    process.signal(Signal::INT);
    until(house.world(), "it is shutting down", |world| {
        world.count("DescribeSessions") > 0
    })
    .await;
    let second = std::time::Instant::now();
    process.signal(Signal::INT);
    assert!(!process.ended().await.success());
    assert!(second.elapsed() < Duration::from_secs(3));
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_faithful_agent_at_its_own_pace_is_carried_by_the_program() {
    let script = Script {
        agent: Script::default().agent,
        ..Script::fast()
    };
    let house = House::with(script).await;
    let process = Process::start(&house, &Terms::default(), "bastiond=info").await;
    let mut client = process.served().await;
    echo_whole(&mut client, &pattern(300_000, 1), 1).await;
    process.stop().await;
    house.sweep_beside().await;
}

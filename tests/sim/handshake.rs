//! The simulator's handshake, as it should be and otherwise.

use std::time::Duration;

use crate::support::{
    client::Client,
    node::{session, start, start_session},
    soon,
};
use bastiond::{
    proto::{Event, Failure, payload::RequestedAction},
    sim::{Faults, Handshake, Script},
};
use bytes::Bytes;
use serde_json::json;

#[tokio::test]
async fn a_disturbed_handshake_still_completes() {
    let delay = Duration::from_millis(40);
    for handshake in [Handshake::Lost, Handshake::Twice, Handshake::Delay(delay)] {
        let faults = Faults {
            handshake: handshake.clone(),
            ..Faults::default()
        };
        let (_sim, api) = start(Script {
            faults,
            ..Script::fast()
        })
        .await;
        let (mut client, _) = session(&api, "db").await;
        let id = client.session.open();
        assert!(
            soon(client.echo(id, b"hello", async |_, _| {})).await,
            "{handshake:?}"
        );
    }
}

#[tokio::test]
async fn a_handshake_can_fail_in_many_ways() {
    let failure = async |handshake: Handshake| {
        let faults = Faults {
            handshake,
            ..Faults::default()
        };
        let (_sim, api) = start(Script {
            faults,
            ..Script::fast()
        })
        .await;
        let mut client = Client::open(&start_session(&api, "db").await).await;
        let ends = |event: &Event| matches!(event, Event::Failed(_) | Event::Closed { .. });
        soon(client.until(ends)).await
    };
    let output = Bytes::from_static(b"sh-5.1$ ");
    assert_eq!(
        failure(Handshake::Output(output)).await,
        Event::Failed(Failure::NotAPortSession)
    );
    let closed = failure(Handshake::Closed("no such plugin".into())).await;
    assert_eq!(
        closed,
        Event::Closed {
            output: "no such plugin".into()
        }
    );
}

#[tokio::test]
async fn data_sent_before_the_agent_is_ready_comes_by_resend() {
    let mut script = Script::fast();
    script.agent.unready_for = Duration::from_millis(300);
    let (_sim, api) = start(script).await;
    let (mut client, _) = session(&api, "db").await;
    let id = client.session.open();
    assert!(soon(client.echo(id, b"hello", async |_, _| {})).await);
    assert!(client.session.stats(std::time::Instant::now()).resent > 0);
}

#[tokio::test]
async fn an_action_that_the_client_cannot_do_ends_the_session_in_the_agent_s_words() {
    let mut script = Script::fast();
    script.agent.extra_actions = vec![RequestedAction {
        action_type: "Dance".into(),
        action_parameters: json!({"Style": "tango"}),
    }];
    let (_sim, api) = start(script).await;
    let mut client = Client::open(&start_session(&api, "db").await).await;
    let output = soon(client.closed()).await;
    assert!(
        output.contains("Dance failed on client with status 3"),
        "{output}"
    );
}

#[tokio::test]
async fn long_messages_come_in_fragments() {
    let mut script = Script::fast();
    script.agent.customer_message = "x".repeat(20_000);
    let (_sim, api) = start(script).await;
    let mut client = Client::open(&start_session(&api, "db").await).await;
    let ready = soon(client.until(|event| matches!(event, Event::Ready { .. }))).await;
    let Event::Ready {
        customer_message, ..
    } = ready
    else {
        unreachable!()
    };
    // It arrived whole, or its digest would not have fitted; what is told of it is bounded.
    assert_eq!(customer_message, Some("x".repeat(500)));
}

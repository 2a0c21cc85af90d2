//! How the simulator's sessions end, and what they survive.

use std::time::{Duration, SystemTime};

use crate::support::{
    api::text,
    client::Client,
    node::{node_script, session, start, start_session},
    soon,
};
use bastiond::{
    proto::Options,
    sim::{self, Command, Death, End, Faults, Script, Zombie},
};
use bytes::Bytes;
use serde_json::json;

#[tokio::test]
async fn flag_2_is_acknowledged_and_ends_the_session() {
    let (sim, api) = start(Script::fast()).await;
    let (mut client, started) = session(&api, "db").await;
    client.session.terminate(std::time::Instant::now());
    assert_eq!(soon(client.closed()).await, "");
    assert!(client.session.is_terminate_acked());
    let session = &sim.world().sessions()[0];
    assert_eq!(
        (
            session.terminate_flags,
            session.ended.as_ref().unwrap().1.clone()
        ),
        (1, End::Flag)
    );
    assert_eq!(
        api.resume(&text(&started["SessionId"])).await["TokenValue"],
        ""
    );
}

#[tokio::test]
async fn flag_2_can_be_ignored() {
    let faults = Faults {
        ignore_terminate: true,
        ..Faults::default()
    };
    let (sim, api) = start(Script {
        faults,
        ..Script::fast()
    })
    .await;
    let (mut client, _) = session(&api, "db").await;
    client.session.terminate(std::time::Instant::now());
    soon(client.drained()).await;
    assert!(client.session.is_terminate_acked());
    client.idle(Duration::from_millis(60)).await;
    assert!(sim.world().sessions()[0].is_active());
}

#[tokio::test]
async fn terminate_session_ends_it_with_channel_closed() {
    let (sim, api) = start(Script::fast()).await;
    let (mut client, started) = session(&api, "db").await;
    api.ssm(
        "TerminateSession",
        json!({"SessionId": started["SessionId"]}),
    )
    .await;
    soon(client.closed()).await;
    assert_eq!(
        sim.world().sessions()[0].ended.as_ref().unwrap().1,
        End::Api
    );
}

#[tokio::test]
async fn both_forms_of_channel_closed_are_understood() {
    for closed_form in [sim::frames::Form::Short, sim::frames::Form::Long] {
        for output in [None, Some("by the administrator")] {
            let faults = Faults {
                closed_form,
                ..Faults::default()
            };
            let (sim, api) = start(Script {
                faults,
                ..Script::fast()
            })
            .await;
            let (mut client, _) = session(&api, "db").await;
            sim.world().end_sessions(output);
            assert_eq!(soon(client.closed()).await, output.unwrap_or_default());
        }
    }
}

#[tokio::test]
async fn a_name_that_does_not_resolve_ends_the_session() {
    let (_sim, api) = start(Script::fast()).await;
    let mut client = Client::open(&start_session(&api, "nowhere").await).await;
    let output = soon(client.closed()).await;
    assert!(
        output.starts_with("lookup nowhere") && output.ends_with("no such host"),
        "{output}"
    );
    let mut client = Client::open(&start_session(&api, "169.254.169.254").await).await;
    assert_eq!(
        soon(client.closed()).await,
        "Forwarding to IP address 169.254.169.254 is forbidden."
    );
}

#[tokio::test]
async fn an_idle_session_is_ended_in_the_service_s_words() {
    let (sim, api) = start(Script {
        idle_timeout: Duration::from_millis(60),
        ..Script::fast()
    })
    .await;
    let mut client = Client::open(&start_session(&api, "db").await).await;
    assert!(
        soon(client.closed())
            .await
            .contains("timed out due to inactivity")
    );
    assert_eq!(
        sim.world().sessions()[0].ended.as_ref().unwrap().1,
        End::Idle
    );
}

#[tokio::test]
async fn a_dead_task_is_silent_or_says_so() {
    for death in [Death::Silent, Death::Announced] {
        let (sim, api) = start(Script {
            death,
            ..Script::fast()
        })
        .await;
        let task = api.task("t").await;
        let target = soon(api.target(&task)).await;
        let mut client = Client::open(&api.start_session(&target, "db").await).await;
        soon(client.ready()).await;
        api.ecs("StopTask", json!({"cluster": "backend", "task": task}))
            .await;
        match death {
            Death::Announced => assert_eq!(soon(client.closed()).await, ""),
            Death::Silent => {
                let id = client.session.open();
                client.session.write(id, Bytes::from_static(b"hello"));
                client.idle(Duration::from_millis(60)).await;
                assert!(client.lost.is_none() && !client.session.is_drained());
                assert!(sim.world().sessions()[0].is_active());
            }
        }
    }
}

#[tokio::test]
async fn zombies_acknowledge_and_deliver_nothing_or_do_not_even_that() {
    for zombie in [Zombie::Acks, Zombie::Mute] {
        let (sim, api) = start(Script::fast()).await;
        let (mut client, _) = session(&api, "db").await;
        soon(client.drained()).await;
        sim.world().set_faults(Faults {
            zombie,
            ..Faults::default()
        });
        let id = client.session.open();
        client.session.write(id, Bytes::from_static(b"hello"));
        match zombie {
            Zombie::Mute => client.idle(Duration::from_millis(80)).await,
            Zombie::Acks | Zombie::No => soon(client.drained()).await,
        }
        assert_eq!(client.session.is_drained(), zombie == Zombie::Acks);
        assert_eq!(client.session.read(id), None);
        assert!(client.lost.is_none());
    }
}

#[tokio::test]
async fn junk_is_survived() {
    let (sim, api) = start(Script::fast()).await;
    let (mut client, started) = session(&api, "db").await;
    let unknown = (
        "acknowledgement of nothing",
        sim::frames::acknowledge(9999, SystemTime::now()),
    );
    for (_, frame) in sim::frames::malformed(SystemTime::now())
        .into_iter()
        .chain([unknown])
    {
        sim.world()
            .command(&text(&started["SessionId"]), Command::Inject(frame));
    }
    let id = client.session.open();
    assert!(soon(client.echo(id, b"hello", async |_, _| {})).await);
}

#[tokio::test]
async fn an_old_client_version_gets_the_old_keepalive() {
    let mut script = node_script();
    script.agent.mux_keepalive = Some(Duration::from_millis(50));
    let (_sim, api) = start(script).await;
    let mut options = Options::client(1, SystemTime::now());
    options.client_version = "1.2.0.0".into();
    options.keepalive = None;
    let mut client = Client::with(options, &start_session(&api, "db").await).await;
    soon(client.closed()).await;
}

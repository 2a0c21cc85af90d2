//! The simulator's gateway: links opened, refused, cut and replaced.

use std::time::Duration;

use crate::support::{
    api::text,
    client::{Client, connect, connect_with},
    node::{noise, session, start, start_session},
    soon,
};
use bastiond::{
    proto::Event,
    sim::{Cut, Faults, Script, Signature},
};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio_tungstenite::tungstenite;

#[tokio::test]
async fn a_bye_is_resumed_and_no_byte_is_lost() {
    for cut in [
        Cut::Bye,
        Cut::Drop,
        Cut::Reset,
        Cut::Close(1001, "going away".into()),
    ] {
        let (sim, api) = start(Script::fast()).await;
        let (mut client, started) = session(&api, "db").await;
        let session = text(&started["SessionId"]);
        let id = client.session.open();
        let bytes = noise(1 << 20);
        let (mut cuts, mut resumes) = (0, 0);
        let same = client.echo(id, &bytes, async |client, received| {
            let linked = sim.world().sessions()[0].linked && cuts == resumes;
            if linked && cuts < 3 && received >= cuts * 250_000 {
                sim.world().cut_links(&cut);
                cuts += 1;
            }
            if client.lost.is_some() {
                client.link(&api.resume(&session).await).await;
                resumes += 1;
            }
        });
        assert!(soon(same).await, "{cut:?}");
        assert!(resumes >= 1);
        // The last one may still be on its way to the agent.
        let world = sim.world();
        soon(world.until(|world| world.sessions()[0].links == 1 + resumes)).await;
        let links = sim.world().links();
        let opens: Vec<_> = links
            .iter()
            .map(|link| link.open.clone().unwrap())
            .collect();
        assert!(
            opens
                .iter()
                .all(|open| open.client_id == opens[0].client_id)
        );
        assert_ne!(opens[0].request_id, opens[1].request_id);
    }
}

#[tokio::test]
async fn a_bye_says_1000() {
    let (sim, api) = start(Script::fast()).await;
    let (mut client, _) = session(&api, "db").await;
    sim.world().cut_links(&Cut::Bye);
    assert_eq!(soon(client.until_lost()).await, "1000 Bye");
    assert!(sim.world().sessions()[0].is_active());
}

#[tokio::test]
async fn links_are_cut_by_age_and_by_count() {
    let by_age = Script {
        link_lifetime: Some(Duration::from_millis(30)),
        ..Script::fast()
    };
    let (_sim, api) = start(by_age).await;
    let mut client = Client::open(&start_session(&api, "db").await).await;
    assert_eq!(soon(client.until_lost()).await, "1000 Bye");

    let faults = Faults {
        cut_after: Some((4, Cut::Drop)),
        ..Faults::default()
    };
    let (sim, api) = start(Script {
        faults,
        ..Script::fast()
    })
    .await;
    let started = start_session(&api, "db").await;
    let mut client = Client::open(&started).await;
    soon(client.until_lost()).await;
    assert_eq!(sim.world().sessions()[0].links, 1);
}

#[tokio::test]
async fn a_half_open_link_does_nothing_and_is_replaced() {
    let (sim, api) = start(Script::fast()).await;
    let (mut client, started) = session(&api, "db").await;
    sim.world().cut_links(&Cut::HalfOpen);
    let world = sim.world();
    soon(world.until(|world| !world.sessions()[0].linked)).await;
    let id = client.session.open();
    client.session.write(id, Bytes::from_static(b"hello"));
    client.idle(Duration::from_millis(60)).await;
    assert!(client.lost.is_none() && !client.session.is_drained());
    client
        .link(&api.resume(&text(&started["SessionId"])).await)
        .await;
    assert!(soon(client.echo(id, b"", async |_, _| {})).await);
    soon(client.until(|event| *event == Event::Readable(id))).await;
    assert_eq!(client.session.read(id).unwrap(), "hello");
}

#[tokio::test]
async fn a_token_opens_one_link_of_its_own_session() {
    let (sim, api) = start(Script::fast()).await;
    let (mut client, started) = session(&api, "db").await;
    client.link(&started).await;
    assert!(soon(client.until_lost()).await.starts_with("1008"));

    let other = start_session(&api, "db").await;
    let mut mixed = start_session(&api, "db").await;
    mixed["TokenValue"] = other["TokenValue"].clone();
    client.link(&mixed).await;
    assert!(soon(client.until_lost()).await.starts_with("1008"));
    let accepted: Vec<_> = sim
        .world()
        .links()
        .iter()
        .map(|link| link.is_accepted())
        .collect();
    assert_eq!(accepted, [true, false, false]);
}

#[tokio::test]
async fn tokens_expire() {
    let (_sim, api) = start(Script {
        token_lifetime: Duration::ZERO,
        ..Script::fast()
    })
    .await;
    let mut client = Client::open(&start_session(&api, "db").await).await;
    assert!(soon(client.until_lost()).await.starts_with("1008"));
}

#[tokio::test]
async fn a_second_link_takes_the_place_of_the_first() {
    let (sim, api) = start(Script::fast()).await;
    let (mut client, started) = session(&api, "db").await;
    let old = client.socket.take();
    client
        .link(&api.resume(&text(&started["SessionId"])).await)
        .await;
    let id = client.session.open();
    assert!(soon(client.echo(id, b"hello", async |_, _| {})).await);
    assert_eq!(
        sim.world().links()[0].ended.as_deref(),
        Some("replaced by a newer link")
    );
    drop(old);
}

#[tokio::test]
async fn the_gateway_remembers_requests_byte_for_byte() {
    let (sim, api) = start(Script::fast()).await;
    let started = start_session(&api, "db").await;
    let url = text(&started["StreamUrl"]);
    for awkward in ["+", "/", "=", "cell-number="] {
        assert!(url.split_once('?').unwrap().1.contains(awkward), "{url}");
    }
    let _socket = connect_with(&url, &[("authorization", "AWS4-HMAC-SHA256 …")])
        .await
        .unwrap();
    let link = &sim.world().links()[0];
    assert!(url.ends_with(&link.target) && link.is_signed());
    assert_eq!(link.session, text(&started["SessionId"]));
}

#[tokio::test]
async fn upgrades_are_refused_on_demand() {
    let (sim, api) = start(Script::fast()).await;
    let url = text(&start_session(&api, "db").await["StreamUrl"]);
    let status = async |signed: bool| {
        let headers: &[_] = if signed {
            &[("authorization", "AWS4-HMAC-SHA256 …")]
        } else {
            &[]
        };
        match connect_with(&url, headers).await {
            Ok(_) => 101,
            Err(tungstenite::Error::Http(response)) => response.status().as_u16(),
            Err(error) => panic!("{error}"),
        }
    };
    sim.world().refuse_upgrades(1, 503);
    assert_eq!((status(false).await, status(false).await), (503, 101));
    sim.world().set_faults(Faults {
        signature: Signature::Required(403),
        ..Faults::default()
    });
    assert_eq!((status(false).await, status(true).await), (403, 101));
    sim.world().set_faults(Faults {
        signature: Signature::Refused(401),
        ..Faults::default()
    });
    assert_eq!((status(false).await, status(true).await), (101, 401));
}

#[tokio::test]
async fn a_first_frame_that_is_no_open_frame_is_refused() {
    let (sim, api) = start(Script::fast()).await;
    let url = text(&start_session(&api, "db").await["StreamUrl"]);
    for frame in [
        tungstenite::Message::text("hello"),
        tungstenite::Message::binary(vec![0; 120]),
    ] {
        let mut socket = connect(&url).await.unwrap();
        socket.send(frame).await.unwrap();
        let answer = soon(socket.next()).await.unwrap().unwrap();
        assert!(
            matches!(answer, tungstenite::Message::Close(Some(_))),
            "{answer:?}"
        );
    }
    assert!(sim.world().links().iter().all(|link| link.ended.is_some()));
}

#[tokio::test]
async fn a_ping_may_come_before_the_first_frame() {
    let (sim, api) = start(Script::fast()).await;
    let started = start_session(&api, "db").await;
    let mut socket = connect(&text(&started["StreamUrl"])).await.unwrap();
    let open = json!({"MessageSchemaVersion": "1.0", "TokenValue": started["TokenValue"]});
    for frame in [
        tungstenite::Message::Ping("keepalive".into()),
        tungstenite::Message::text(open.to_string()),
    ] {
        socket.send(frame).await.unwrap();
    }
    let first = loop {
        let frame = soon(socket.next()).await.unwrap().unwrap();
        if !frame.is_pong() {
            break frame;
        }
    };
    assert!(first.is_binary(), "{first:?}");
    assert!(sim.world().links()[0].is_accepted());
}

//! The simulator's agent: streams, their destinations and their bytes.

use std::time::Duration;

use crate::support::{
    api::{Api, text},
    client::Client,
    node::{Join, node_script, noise, session, start},
    soon,
};
use bastiond::{
    proto::Event,
    sim::{self, Command, Destination, Dial, Faults, Line, Script},
};
use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

#[tokio::test]
async fn a_cold_start_by_raw_calls_reaches_the_destination() {
    let (sim, api) = start(Script::fast()).await;
    let task = api.task("cold").await;
    let target = soon(api.target(&task)).await;
    let started = api.start_session(&target, "db").await;
    let mut client = Client::open(&started).await;
    soon(client.ready()).await;
    let id = client.session.open();
    assert!(soon(client.echo(id, &noise(1 << 20), async |_, _| {})).await);
    assert_eq!(sim.world().sessions()[0].opened, 1);
    soon(sim.shutdown()).await;
}

#[tokio::test]
async fn a_closed_port_refuses_the_stream_and_keeps_the_session() {
    let (sim, api) = start(Script::fast()).await;
    let (mut client, _) = session(&api, "closed").await;
    let (first, second) = (client.session.open(), client.session.open());
    soon(client.until(|event| *event == Event::Refused(first))).await;
    soon(client.until(|event| *event == Event::Refused(second))).await;
    let session = &sim.world().sessions()[0];
    assert_eq!((session.refused, session.is_active()), (2, true));
}

#[tokio::test]
async fn a_hanging_dial_holds_up_the_streams_behind_it() {
    let faults = Faults {
        dial: Dial::Hang,
        ..Faults::default()
    };
    let (sim, api) = start(Script {
        faults,
        ..Script::fast()
    })
    .await;
    let (mut client, _) = session(&api, "db").await;
    let (first, second) = (client.session.open(), client.session.open());
    client.session.write(second, Bytes::from_static(b"second"));
    soon(
        async {
            sim.world()
                .until(|world| world.sessions()[0].opened == 2)
                .await
        }
        .join(&mut client),
    )
    .await;
    client.idle(Duration::from_millis(50)).await;
    assert_eq!(sim.world().sessions()[0].streams, 0);
    sim.world().set_faults(Faults::default());
    soon(client.until(|event| *event == Event::Readable(second))).await;
    assert!(soon(client.echo(first, b"first", async |_, _| {})).await);
}

#[tokio::test]
async fn bytes_survive_a_bad_line() {
    let line = Line {
        drop: 0.05,
        drop_acks: 0.05,
        duplicate: 0.1,
        bad_digest: 0.05,
        reorder: 0.2,
        reorder_by: Duration::from_millis(5),
        latency: Duration::from_micros(300),
    };
    let to_agent = Line {
        bad_digest: 0.0,
        ..line.clone()
    };
    let faults = Faults {
        seed: 7,
        to_agent,
        to_client: line,
        ..Faults::default()
    };
    let (sim, api) = start(Script::fast()).await;
    let (mut client, _) = session(&api, "db").await;
    sim.world().set_faults(faults);
    let id = client.session.open();
    assert!(soon(client.echo(id, &noise(200_000), async |_, _| {})).await);
    let stats = client.session.stats(std::time::Instant::now());
    assert!(
        stats.resent > 0 && stats.duplicates > 0 && stats.dropped > 0,
        "{stats:?}"
    );
}

#[tokio::test]
async fn a_destination_that_ends_ends_the_stream_after_its_data() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let destination = Destination::host("db", listener.local_addr().unwrap());
    let sim = sim::start(Script {
        destination,
        ..node_script()
    })
    .await
    .unwrap();
    let (mut client, _) = session(&Api::of(&sim), "db").await;
    let id = client.session.open();
    let serve = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(b"goodbye").await.unwrap();
    };
    soon(serve.join(&mut client)).await;
    soon(client.until(|event| *event == Event::Finished(id))).await;
    assert_eq!(client.session.read(id).unwrap(), "goodbye");
}

#[tokio::test]
async fn a_fin_closes_the_destination_after_what_came_before_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let destination = Destination::host("db", listener.local_addr().unwrap());
    let sim = sim::start(Script {
        destination,
        ..node_script()
    })
    .await
    .unwrap();
    let (mut client, _) = session(&Api::of(&sim), "db").await;
    let id = client.session.open();
    client.session.write(id, Bytes::from(noise(60_000)));
    client.session.finish(id);
    let serve = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut all = Vec::new();
        socket.read_to_end(&mut all).await.unwrap();
        all
    };
    assert_eq!(soon(serve.join(&mut client)).await, noise(60_000));
    soon(sim.world().until(|world| world.sessions()[0].streams == 0)).await;
}

#[tokio::test]
async fn a_destination_that_does_not_read_stops_the_session_within_its_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let destination = Destination::host("db", listener.local_addr().unwrap());
    let sim = sim::start(Script {
        destination,
        ..node_script()
    })
    .await
    .unwrap();
    let (mut client, _) = session(&Api::of(&sim), "db").await;
    let id = client.session.open();
    let (mut socket, _) = soon(async { listener.accept().await.unwrap() }.join(&mut client)).await;
    let mut written = 0;
    let piece = Bytes::from(noise(32 * 1024));
    let mut quiet = 0;
    while quiet < 20 {
        match client.session.can_write() {
            true => {
                client.session.write(id, piece.clone());
                written += piece.len();
                quiet = 0;
            }
            false => quiet += 1,
        }
        // A socket that takes nothing more would block a plain client for good.
        let _ = tokio::time::timeout(Duration::from_millis(30), client.step()).await;
    }
    assert!(((4 << 20)..(32 << 20)).contains(&written), "{written}");
    let drain = async {
        let mut buffer = vec![0; 1 << 20];
        let mut read = 0;
        while read < written {
            read += socket.read(&mut buffer).await.unwrap();
        }
    };
    soon(drain.join(&mut client)).await;
}

#[tokio::test]
async fn a_paused_agent_resumes() {
    let (sim, api) = start(Script::fast()).await;
    let (mut client, started) = session(&api, "db").await;
    sim.world().command(
        &text(&started["SessionId"]),
        Command::PauseAgent { start: false },
    );
    let id = client.session.open();
    assert!(soon(client.echo(id, &noise(100_000), async |_, _| {})).await);
}

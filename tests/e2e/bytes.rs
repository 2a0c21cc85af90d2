//! What a connection carries: exactly what was sent, in order, once; and how connections end, each by itself.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bastiond::proto::AgentProfile;
use bastiond::sim::{ApiFault, Cut, Dial, Faults, Script};
use bastiond::status::TunnelState;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::support::{
    Database, House, Terms, assert_reset, connect, echo, echo_whole, hash, pass, pattern, ping,
    receive, receive_all, send, skip, until, within,
};

const MIB: usize = 1 << 20;

#[tokio::test]
async fn bytes_of_any_number_arrive_as_they_were_sent() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let sizes = [
        2, 1015, 1016, 1017, 1023, 1024, 1025, 32_767, 32_768, 32_769, MIB,
    ];
    for (seed, size) in sizes.into_iter().enumerate() {
        let mut client = daemon.connect().await;
        echo_whole(&mut client, &pattern(size, seed as u64), seed as u64).await;
    }
    house.close(daemon).await;
}

#[tokio::test]
async fn a_single_line_feed_arrives_as_it_is() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.connect().await;
    send(&mut client, b"\n").await;
    assert_eq!(receive(&mut client, 1).await, b"\n");
    house.close(daemon).await;
}

#[tokio::test]
async fn one_connection_goes_on_in_pieces_of_any_size() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.connect().await;
    let mut rng = fastrand::Rng::with_seed(7);
    for seed in 0..200 {
        let length = rng.usize(1..5000);
        echo_whole(&mut client, &pattern(length, seed), seed).await;
    }
    house.close(daemon).await;
}

#[tokio::test]
async fn an_agent_that_paces_and_fragments_its_messages_is_understood() {
    let script = Script {
        agent: AgentProfile::default(),
        ..Script::fast()
    };
    let house = House::with(script).await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.connect().await;
    echo_whole(&mut client, &pattern(100_000, 1), 1).await;
    house.close(daemon).await;
}

#[tokio::test]
async fn messages_in_fragments_are_put_together() {
    use bastiond::sim::{Command, frames};
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    // Of a type nobody knows, so it only has to be read; as long as four fragments.
    let long = frames::output(1 << 40, 99, &[7; 16_000], std::time::SystemTime::now());
    let session = &house.world().sessions()[0].id;
    house.world().command(session, Command::Inject(long));
    echo_whole(&mut client, &pattern(10_000, 1), 1).await;
    let session = house.world().sessions().remove(0);
    assert_eq!((session.links, session.rejected), (1, 0));
    house.close(daemon).await;
}

#[tokio::test]
async fn one_session_carries_two_hundred_connections_at_once() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    daemon.client.up("app-db").await.expect("it is up");
    let address = daemon.address().await;
    let (go, gone) = watch::channel(false);
    let mut clients = JoinSet::new();
    for seed in 0..200 {
        let mut gone = gone.clone();
        clients.spawn(async move {
            let mut client = connect(address).await;
            ping(&mut client).await;
            let _ = gone.wait_for(|go| *go).await;
            echo_whole(&mut client, &pattern(5_000, seed), seed).await;
        });
    }
    until(house.world(), "two hundred streams", |world| {
        world.sessions()[0].streams == 200
    })
    .await;
    assert_eq!(daemon.is(TunnelState::Ready).await.connections, 200);
    go.send_replace(true);
    within("two hundred echoes", clients.join_all()).await;
    assert_eq!(house.world().count("StartSession"), 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_reply_that_comes_after_the_client_closed_its_half_is_complete() {
    let length = 300_000;
    let answered = Arc::new(Notify::new());
    let wait = Arc::clone(&answered);
    let database = Database::serve(move |mut socket| {
        let wait = Arc::clone(&wait);
        async move {
            let mut question = [0; 8];
            let _ = socket.read_exact(&mut question).await;
            wait.notified().await;
            let _ = socket.write_all(&pattern(length, 1)).await;
        }
    })
    .await;
    let house = House::of(Script::fast(), database).await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.connect().await;
    send(&mut client, b"question").await;
    client.shutdown().await.expect("half is closed");
    until(house.world(), "the stream is open", |world| {
        world.sessions().iter().any(|session| session.streams == 1)
    })
    .await;
    skip(Duration::from_secs(30)).await;
    answered.notify_one();
    let answer = receive_all(&mut client).await;
    assert_eq!(hash(&answer), hash(&pattern(length, 1)));
    house.close(daemon).await;
}

#[tokio::test]
async fn a_half_closed_connection_that_stays_silent_is_reset_after_the_linger() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    client.shutdown().await.expect("half is closed");
    // An echo ends when its input does, but the agent must not hear of that.
    daemon
        .until("still there", |status| status.tunnels[0].connections == 1)
        .await;
    assert_eq!(house.world().sessions()[0].streams, 1);
    pass(Duration::from_secs(75)).await;
    // Whether it was owed more, nobody knows: an end would say that it was not.
    assert_reset(&mut client).await;
    until(house.world(), "the stream is closed", |world| {
        world.sessions()[0].streams == 0
    })
    .await;
    house.close(daemon).await;
}

#[tokio::test]
async fn a_half_closed_connection_gets_its_reply_after_an_outage_longer_than_the_linger() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    house.world().fail_always("ResumeSession", ApiFault::Reset);
    house.world().cut_links(&Cut::Drop);
    daemon.is(TunnelState::Reconnecting).await;
    send(&mut client, b"question").await;
    client.shutdown().await.expect("half is closed");
    for _ in 0..3 {
        let before = house.world().count("ResumeSession");
        skip(Duration::from_secs(30)).await;
        until(house.world(), "another attempt", |world| {
            world.count("ResumeSession") > before
        })
        .await;
    }
    house.world().heal("ResumeSession");
    skip(Duration::from_secs(10)).await;
    assert_eq!(receive(&mut client, 8).await, b"question");
    house.close(daemon).await;
}

#[tokio::test]
async fn when_the_database_closes_the_client_gets_all_and_then_the_end() {
    let length = 500_000;
    let database = Database::serve(move |mut socket| async move {
        let _ = socket.write_all(&pattern(length, 2)).await;
    })
    .await;
    let house = House::of(Script::fast(), database).await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.connect().await;
    let got = receive_all(&mut client).await;
    assert_eq!(hash(&got), hash(&pattern(length, 2)));
    house.close(daemon).await;
}

#[tokio::test]
async fn what_a_client_still_sends_does_not_spoil_the_last_words_of_the_database() {
    let length = 200_000;
    let database = Database::serve(move |mut socket| async move {
        let mut scrap = [0; 1000];
        let _ = socket.read_exact(&mut scrap).await;
        let _ = socket.write_all(&pattern(length, 2)).await;
        let _ = socket.shutdown().await;
        while socket.read(&mut scrap).await.is_ok_and(|read| read > 0) {}
    })
    .await;
    let house = House::of(Script::fast(), database).await;
    let daemon = house.daemon(&Terms::default()).await;
    let client = daemon.connect().await;
    let (mut reader, mut writer) = client.into_split();
    let sending = tokio::spawn(async move { while writer.write_all(&[7; 1000]).await.is_ok() {} });
    let mut got = Vec::new();
    while got.len() < length {
        let read = within("all of it", reader.read_buf(&mut got)).await;
        assert!(read.expect("no reset before the end") > 0, "{}", got.len());
    }
    assert_eq!(hash(&got), hash(&pattern(length, 2)));
    within("the sender ends", sending).await.expect("no panic");
    house.close(daemon).await;
}

#[tokio::test]
async fn a_database_that_resets_ends_only_its_own_connection() {
    let database = Database::serve(|mut socket: TcpStream| async move {
        let mut first = [0; 1];
        let _ = socket.read_exact(&mut first).await;
        match first[0] {
            b'R' => socket.set_zero_linger().expect("a socket"),
            _ => {
                let _ = socket.write_all(&first).await;
                echo(socket).await;
            }
        }
    })
    .await;
    let house = House::of(Script::fast(), database).await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut other = daemon.served().await;
    let mut client = daemon.connect().await;
    send(&mut client, b"R").await;
    // A reset of the database reaches us as the end of the stream: the mux has no other word.
    assert_eq!(receive_all(&mut client).await, b"");
    ping(&mut other).await;
    house.close(daemon).await;
}

#[tokio::test]
async fn a_client_that_resets_closes_its_stream_and_no_other() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut other = daemon.served().await;
    let client = daemon.served().await;
    client.set_zero_linger().expect("a socket");
    drop(client);
    until(house.world(), "one stream is left", |world| {
        world.sessions()[0].streams == 1
    })
    .await;
    ping(&mut other).await;
    assert_eq!(daemon.tunnel().await.connections, 1);
    house.close(daemon).await;
}

/// The agent resolves the host once a session, so after a fail-over only a new session finds the database.
#[tokio::test]
async fn after_two_refusals_in_a_row_the_next_connection_gets_a_new_session() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    house.world().set_faults(Faults {
        dial: Dial::Refuse,
        ..Faults::default()
    });
    assert_reset(&mut daemon.connect().await).await;
    assert_reset(&mut daemon.connect().await).await;
    daemon
        .until("the session is left", |status| {
            status.tunnels[0].sessions.is_empty()
        })
        .await;
    house.world().set_faults(Faults::default());
    let _client = daemon.served().await;
    assert_eq!(house.world().count("StartSession"), 2);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_refused_dial_resets_that_client_and_the_status_says_so_until_it_works() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut other = daemon.served().await;
    house.world().set_faults(Faults {
        dial: Dial::Refuse,
        ..Faults::default()
    });
    assert_reset(&mut daemon.connect().await).await;
    let problem = daemon.problem("connect_failed").await;
    assert!(problem.message.contains("db.internal:5432"), "{problem:?}");
    assert!(problem.hint.is_some());
    ping(&mut other).await;
    house.world().set_faults(Faults::default());
    daemon.served().await;
    daemon.until("healthy", |status| status.healthy).await;
    assert_eq!(house.world().count("StartSession"), 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn three_refused_dials_reset_three_clients() {
    let house = House::new().await;
    house.world().set_faults(Faults {
        dial: Dial::Hang,
        ..Faults::default()
    });
    let daemon = house.daemon(&Terms::default()).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(daemon.connect().await);
    }
    until(house.world(), "three streams", |world| {
        world.sessions().iter().any(|session| session.opened == 3)
    })
    .await;
    house.world().set_faults(Faults {
        dial: Dial::Refuse,
        ..Faults::default()
    });
    for client in &mut clients {
        assert_reset(client).await;
    }
    house.close(daemon).await;
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_told() {
    let house = House::new().await;
    let terms = Terms {
        host: Some("nowhere.internal"),
        ..Terms::default()
    };
    let daemon = house.daemon(&terms).await;
    assert_reset(&mut daemon.connect().await).await;
    let problem = daemon.problem("host_not_resolved").await;
    assert!(problem.message.contains("nowhere.internal"), "{problem:?}");
    house.close(daemon).await;
}

/// A database that sends without end to whoever says `F`, and is an echo to others.
async fn flood_or_echo(mut socket: TcpStream) {
    let mut first = [0; 1];
    let _ = socket.read_exact(&mut first).await;
    let _ = socket.write_all(&first).await;
    if first[0] != b'F' {
        return echo(socket).await;
    }
    let chunk = vec![7; 64 * 1024];
    while socket.write_all(&chunk).await.is_ok() {}
}

#[tokio::test]
async fn beside_others_a_client_that_does_not_read_is_cut_at_its_bound_and_they_go_on() {
    let house = House::of(unhurried(), Database::serve(flood_or_echo).await).await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut busy = daemon.connect().await;
    send(&mut busy, b"b").await;
    receive(&mut busy, 1).await;
    let mut slow = daemon.connect_narrow().await;
    send(&mut slow, b"F").await;
    receive(&mut slow, 1).await;
    let cut = daemon.until("one is cut", |status| status.tunnels[0].connections == 1);
    let going_on = async {
        loop {
            ping(&mut busy).await;
        }
    };
    tokio::select! {
        _ = cut => {}
        () = going_on => {}
    }
    ping(&mut busy).await;
    assert_reset(&mut slow).await;
    assert_eq!(house.world().count("StartSession"), 1);
    assert_eq!(house.world().sessions()[0].links, 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_lone_client_that_does_not_read_is_waited_for_and_loses_nothing() {
    let length = 36 * MIB;
    let bytes = Arc::new(pattern(length, 3));
    let sent = Arc::clone(&bytes);
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let database = Database::serve(move |mut socket| {
        let (count, sent) = (Arc::clone(&count), Arc::clone(&sent));
        async move {
            for chunk in sent.chunks(64 * 1024) {
                if socket.write_all(chunk).await.is_err() {
                    return;
                }
                count.fetch_add(chunk.len(), Ordering::Relaxed);
            }
        }
    })
    .await;
    let house = House::of(unhurried(), database).await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.connect_narrow().await;
    let first = receive(&mut client, 1).await;
    // The daemon holds as much as it may, and then nobody takes any more.
    let taken = || written.load(Ordering::Relaxed);
    let full = async {
        let mut before = 0;
        while taken() < 16 * MIB || before < taken() {
            before = taken();
            sleep(Duration::from_millis(200)).await;
        }
    };
    within("the daemon is full", full).await;
    assert!(taken() < length, "{} bytes are somewhere", taken());
    skip(Duration::from_secs(20)).await;
    let mut got = first;
    got.extend(receive_all(&mut client).await);
    // Not by hash: it takes longer than the way through the tunnel.
    assert!(got == *bytes);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_database_that_does_not_read_stops_the_client_and_loses_nothing() {
    let length = 20 * MIB;
    let bytes = Arc::new(pattern(length, 4));
    let expected = Arc::clone(&bytes);
    let read = Arc::new(Notify::new());
    let wait = Arc::clone(&read);
    let database = Database::serve(move |mut socket| {
        let (wait, expected) = (Arc::clone(&wait), Arc::clone(&expected));
        async move {
            wait.notified().await;
            let mut got = vec![0; length];
            let _ = socket.read_exact(&mut got).await;
            let word = if got == *expected { b"same" } else { b"diff" };
            let _ = socket.write_all(word).await;
            pending::<()>().await;
        }
    })
    .await;
    let house = House::of(unhurried(), database).await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.connect().await;
    let mut sent = 0;
    // Until nobody takes any more for a while.
    while let Ok(taken) = timeout(Duration::from_millis(700), client.write(&bytes[sent..])).await {
        sent += taken.expect("no reset");
    }
    assert!(sent < length - MIB, "{sent} bytes are somewhere");
    read.notify_one();
    send(&mut client, &bytes[sent..]).await;
    assert_eq!(receive(&mut client, 4).await, b"same");
    house.close(daemon).await;
}

/// Without pauses, but with the repeats of the official agent, ten a second: one that repeats all it has under way
/// would drown a client that is slow because the machine is busy.
fn unhurried() -> Script {
    Script {
        agent: AgentProfile {
            pace: None,
            ..AgentProfile::default()
        },
        ..Script::fast()
    }
}

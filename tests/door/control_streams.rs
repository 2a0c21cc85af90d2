//! Events and logs at the door: what goes on without end, and what becomes of those who do not read it.

use std::{io::Write as _, time::Duration};

use bastiond::{
    events::Change,
    status::{Event, EventKind},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::{sleep, timeout},
};

use crate::support::door::{Daemon, refused};

/// More than any buffer on the way and the ring hold together.
const MANY: usize = 20_000;

#[tokio::test]
async fn events_are_those_that_were_asked_for_and_then_what_comes() {
    let daemon = Daemon::start().await;
    for state in ["a", "b", "c"] {
        daemon.events.tell(Change::of_daemon(state));
    }
    let mut past = daemon.client().events(2, false).await.unwrap();
    let mut states = Vec::new();
    while let Some(event) = past.next().await.unwrap() {
        states.push(event.state);
    }
    assert_eq!(states, ["b", "c"]);
    let mut coming = daemon.client().events(1, true).await.unwrap();
    assert_eq!(coming.next().await.unwrap().unwrap().state, "c");
    daemon.events.tell(Change::of_daemon("d"));
    assert_eq!(coming.next().await.unwrap().unwrap().state, "d");
    daemon.stop().await;
    assert_eq!(
        coming.next().await.unwrap(),
        None,
        "it ends with the daemon"
    );
}

#[tokio::test]
async fn a_reader_of_events_that_is_too_slow_holds_up_nobody_and_is_told_so_in_its_last_line() {
    let daemon = Daemon::start().await;
    let mut slow = follow(&daemon).await;
    tell_many(&daemon).await;
    let text = read_all(&mut slow).await;
    let mut lines = text.lines().filter(|line| line.starts_with('{'));
    let last: Event = serde_json::from_str(lines.next_back().unwrap()).unwrap();
    assert_eq!(
        (last.kind, last.state.as_str()),
        (EventKind::Stream, "dropped")
    );
    assert!(last.detail.unwrap().contains("too slow"));
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_is_cut_off_and_gives_its_place_back() {
    let daemon = Daemon::start().await;
    let mut readers = Vec::new();
    for _ in 0..8 {
        readers.push(follow(&daemon).await);
    }
    let busy = refused(daemon.client().events(0, true).await.err().unwrap());
    assert_eq!((busy.status, busy.code.as_str()), (503, "busy"));
    tell_many(&daemon).await;
    sleep(Duration::from_secs(11)).await;
    assert!(daemon.client().events(0, true).await.is_ok());
    let text = read_all(&mut readers[0]).await;
    assert!(!text.contains("dropped"), "it could not even be told");
    daemon.stop().await;
}

#[tokio::test]
async fn the_log_is_given_by_lines_and_none_is_said_to_be_none() {
    let daemon = Daemon::start().await;
    let none = refused(daemon.client().logs(None, None, false).await.err().unwrap());
    assert_eq!((none.status, none.code.as_str()), (409, "no_logs"));
    std::fs::create_dir_all(&daemon.paths.logs).unwrap();
    let name = daemon.paths.logs.join("bastiond.2026-11-28.log");
    let mut file = std::fs::File::create(name).unwrap();
    for number in 0..150 {
        writeln!(file, "line {number}").unwrap();
    }
    let mut all = daemon.client().logs(None, None, false).await.unwrap();
    let mut lines = Vec::new();
    while let Some(line) = all.next().await.unwrap() {
        lines.push(String::from_utf8(line.to_vec()).unwrap());
    }
    assert_eq!((lines.len(), lines[0].as_str()), (100, "line 50"));
    let mut more = daemon.client().logs(Some(1), None, true).await.unwrap();
    assert_eq!(more.next().await.unwrap().unwrap(), "line 149");
    writeln!(file, "line 150").unwrap();
    let next = timeout(Duration::from_secs(60), more.next()).await.unwrap();
    assert_eq!(next.unwrap().unwrap(), "line 150");
    drop(more);
    daemon.stop().await;
}

async fn follow(daemon: &Daemon) -> UnixStream {
    let mut stream = UnixStream::connect(&daemon.paths.socket).await.unwrap();
    let request = b"GET /v1/events HTTP/1.1\r\nHost: bastiond\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut head = [0; 15];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    stream
}

/// In turns with the server, so that it sends what it can.
async fn tell_many(daemon: &Daemon) {
    for number in 0..MANY {
        daemon
            .events
            .tell(Change::of_daemon("ready").because("nothing has happened"));
        if number % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
}

async fn read_all(stream: &mut UnixStream) -> String {
    let mut text = Vec::new();
    let read = timeout(Duration::from_secs(60), stream.read_to_end(&mut text));
    let _ = read.await.expect("an end");
    String::from_utf8_lossy(&text).into_owned()
}

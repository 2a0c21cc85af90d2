//! What programs see and do through the control API of a daemon that works.

use std::path::Path;
use std::time::Duration;

use bastiond::control::Goal;
use bastiond::control::client::{Client, Error, Lines, Values};
use bastiond::sim::ApiFault;
use bastiond::status::{Event, EventKind, TunnelState};
use tokio::time::sleep;

use crate::process::Process;
use crate::support::{House, LIMIT, Terms, assert_reset, hang_up, ping, send, within};

#[tokio::test]
async fn the_life_of_a_tunnel_is_told_in_the_words_of_the_status() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut events = daemon.client.events(1000, true).await.expect("events");
    let mut told = Vec::new();
    follow(&mut events, &mut told, "daemon bastiond ready").await;
    let client = daemon.served().await;
    follow(&mut events, &mut told, "tunnel app-db ready").await;
    drop(client);
    daemon.client.down("app-db").await.expect("it is down");
    // Which of the two is noticed first is nobody's business.
    let mut rest = Vec::new();
    let has = |rest: &[Event], wanted: &str| rest.iter().any(|event| words(event) == wanted);
    while !(has(&rest, "session 0 ended") && has(&rest, "tunnel app-db idle")) {
        let event = within("the end of it", events.next()).await;
        rest.push(event.expect("an event").expect("it goes on"));
    }
    told.append(&mut rest);
    let position = |wanted: &str| told.iter().position(|it| words(it) == wanted);
    assert!(position("tunnel app-db starting").is_some(), "{told:#?}");
    let order = [
        "bastion dev starting",
        "bastion dev ready",
        "session 0 connected",
        "session 0 ended",
    ];
    let places: Vec<_> = order.iter().map(|wanted| position(wanted)).collect();
    assert!(places.iter().all(Option::is_some), "{order:?}: {told:#?}");
    assert!(places.is_sorted(), "{places:?}: {told:#?}");
    let numbers: Vec<u64> = told.iter().map(|event| event.seq).collect();
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{numbers:?}"
    );
    let session = &told[places[2].unwrap_or_default()];
    assert_eq!(session.tunnel.as_deref(), Some("app-db"));
    assert!(session.id.is_some(), "{session:?}");
    let listens = |event: &Event| event.kind == EventKind::Listener && event.state == "listening";
    assert!(told.iter().any(listens), "{told:#?}");
    house.close(daemon).await;
}

#[tokio::test]
async fn a_failure_is_told_with_its_code_and_what_mends_it_and_the_stream_ends_with_the_daemon() {
    let house = House::new().await;
    house
        .world()
        .fail_next("RunTask", 9, ApiFault::AccessDenied);
    let daemon = house.daemon(&Terms::default()).await;
    let mut events = daemon.client.events(0, true).await.expect("events");
    daemon.client.up("app-db").await.expect_err("it is denied");
    let mut told = Vec::new();
    follow(&mut events, &mut told, "tunnel app-db failed").await;
    let failed = told.last().expect("told");
    assert_eq!(failed.code.as_deref(), Some("access_denied"));
    assert!(
        failed.hint.is_some() && failed.detail.is_some(),
        "{failed:?}"
    );
    daemon.stop().await;
    while let Some(event) = within("the end", events.next()).await.expect("an end") {
        told.push(event);
    }
    let stopping = told
        .iter()
        .map(words)
        .any(|it| it == "daemon bastiond stopping");
    assert!(stopping, "{told:#?}");
    house.sweep().await;
}

#[tokio::test]
async fn connections_are_listed_with_what_they_carry_and_whose_they_are() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    let listed = daemon.client.connections(None).await.expect("a list");
    let [one] = &listed.connections[..] else {
        panic!("one connection: {listed:?}");
    };
    assert_eq!((one.tunnel.as_str(), one.session), ("app-db", Some(0)));
    assert_eq!((one.bytes_sent, one.bytes_received), (4, 4));
    assert_eq!(one.peer, client.local_addr().expect("bound").to_string());
    assert_eq!(
        one.local,
        client.peer_addr().expect("connected").to_string()
    );
    if cfg!(target_os = "linux") {
        assert_eq!(one.pid, Some(std::process::id()));
        assert!(
            one.program
                .as_ref()
                .is_some_and(|name| name.starts_with("e2e")),
            "{one:?}"
        );
    }
    ping(&mut client).await;
    let listed = daemon
        .client
        .connections(Some("app-db"))
        .await
        .expect("a list");
    assert_eq!(listed.connections[0].bytes_sent, 8);
    let unknown = daemon.client.connections(Some("app_db")).await;
    assert_eq!(code(unknown.expect_err("none")), "unknown_tunnel");
    hang_up(client);
    let gone = async {
        let list = || daemon.client.connections(None);
        while !list().await.expect("a list").connections.is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    within("it is gone", gone).await;
    house.close(daemon).await;
}

/// What hangs is cut off at once, though neither the agent nor AWS says a word.
#[tokio::test]
async fn a_reset_frees_the_clients_of_a_session_that_hangs_and_the_next_has_a_new_one() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    house.half_open().await;
    let slow = ApiFault::Delay(Duration::from_secs(2));
    house.world().fail_next("TerminateSession", 1, slow);
    send(&mut client, b"is anybody there?").await;
    let tunnel = daemon.client.reset("app-db").await.expect("a reset");
    assert_eq!(tunnel.connections, 0);
    assert_reset(&mut client).await;
    daemon.served().await;
    assert_eq!(house.world().count("StartSession"), 2);
    assert_eq!(house.world().tasks().len(), 1);
    let nothing = daemon.client.reset("nothing").await;
    assert_eq!(code(nothing.expect_err("none")), "unknown_tunnel");
    house.close(daemon).await;
}

#[tokio::test]
async fn a_restart_gives_a_new_session_on_the_task_that_runs() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    let before = daemon.tunnel().await.sessions[0].id.clone();
    let tunnel = daemon.client.restart("app-db").await.expect("a restart");
    assert_eq!(tunnel.state, TunnelState::Ready);
    assert_reset(&mut client).await;
    let mut ids = tunnel.sessions.iter().map(|session| session.id.clone());
    assert!(ids.any(|id| id.is_some() && id != before), "{tunnel:?}");
    daemon.served().await;
    assert_eq!(house.world().count("StartSession"), 2);
    assert_eq!(house.world().tasks().len(), 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_wait_ends_when_the_tunnel_is_there_and_says_where_it_is_when_it_is_not() {
    let house = House::new().await;
    let terms = Terms {
        bastion: "idle_stop = \"1s\"",
        ..Terms::default()
    };
    let daemon = house.daemon(&terms).await;
    let short = Duration::from_secs(1);
    let late = daemon.client.wait("app-db", Goal::Ready, short).await;
    let late = late.expect_err("nobody wants it");
    assert!(
        late.to_string().contains("not ready within 1s: it is idle"),
        "{late}"
    );
    assert_eq!(code(late), "wait_timeout");
    let idle = daemon.client.wait_for_all(Goal::Stopped, short).await;
    assert_eq!(idle.expect("it is stopped").tunnels.len(), 1);

    let waiting = daemon.client.clone();
    let waiting = tokio::spawn(async move { waiting.wait("app-db", Goal::Ready, LIMIT).await });
    let client = daemon.served().await;
    let ready = within("it is ready", waiting).await.expect("no panic");
    assert_eq!(ready.expect("ready").state, TunnelState::Ready);
    hang_up(client);
    daemon.client.down("app-db").await.expect("it is down");
    let stopped = daemon.client.wait("app-db", Goal::Stopped, LIMIT).await;
    assert_eq!(stopped.expect("it stops").state, TunnelState::Idle);
    assert_eq!(daemon.bastion().await.task, None);
    house.close(daemon).await;
}

#[tokio::test]
async fn the_log_is_read_and_followed_and_the_configuration_shown() {
    let house = House::new().await;
    let mut process = Process::start(&house, &Terms::default(), "bastiond=info").await;
    let all = process.client.logs(Some(1000), Some("1h"), true).await;
    let mut lines = all.expect("logs");
    read_until(&mut lines, "listening").await;
    let client = process.served().await;
    read_until(&mut lines, "session connected").await;
    let in_force = process.client.config().await.expect("a configuration");
    let setting = |path: &str| in_force.settings.iter().find(|it| it.path == path);
    let cluster = setting("bastion.dev.cluster").expect("it is set");
    assert_eq!(cluster.value, "backend");
    hang_up(client);
    process.signal(rustix::process::Signal::TERM);
    assert!(process.ended().await.success());
    while within("the end", lines.next())
        .await
        .expect("an end")
        .is_some()
    {}
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_program_is_run_when_a_tunnel_is_ready_and_when_its_bastion_has_stopped() {
    let house = House::new().await;
    let note = house.folder.path().join("note");
    let line =
        "$BASTIOND_EVENT_KIND $BASTIOND_EVENT_NAME $BASTIOND_EVENT_STATE $BASTIOND_EVENT_WAS";
    let script = format!(
        "echo \"{line}\" >> '{}'; echo said $BASTIOND_EVENT_STATE",
        note.display()
    );
    let terms = Terms {
        first: format!(
            "on_event = ['sh', '-c', \"\"\"{}\"\"\"]",
            script.replace('"', "\\\"")
        ),
        ..Terms::default()
    };
    let mut process = Process::start(&house, &terms, "bastiond=info").await;
    let client = process.served().await;
    noted(&note, "tunnel app-db ready starting").await;
    drop(client);
    process.client.down("app-db").await.expect("it is down");
    process.signal(rustix::process::Signal::TERM);
    assert!(process.ended().await.success());
    // The end of the daemon waits for who is to hear of it.
    noted(&note, "bastion dev stopped stopping").await;
    let text = std::fs::read_to_string(&note).expect("a note");
    assert!(
        text.lines().all(|line| line.split(' ').count() == 4),
        "{text}"
    );
    let logged = process.logged();
    assert!(logged.contains("said ready"), "{logged}");
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_crowd_of_followers_leaves_room_for_others_and_those_that_go_for_newcomers() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut followers = Vec::new();
    for _ in 0..8 {
        followers.push(daemon.client.events(0, true).await.expect("a place"));
    }
    let ninth = daemon.client.events(0, true).await;
    assert_eq!(code(ninth.err().expect("no place")), "busy");
    assert_eq!(daemon.status().await.tunnels.len(), 1);
    followers.pop();
    let place = async {
        while follow_one(&daemon.client).await.is_err() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    within("its place is free", place).await;
    drop(followers);
    house.close(daemon).await;
}

/// Reads on until an event of these words, which is the last.
async fn follow(events: &mut Values<Event>, told: &mut Vec<Event>, wanted: &str) {
    loop {
        let event = within(wanted, events.next()).await.expect("an event");
        told.push(event.expect("it goes on"));
        if told.last().is_some_and(|event| words(event) == wanted) {
            return;
        }
    }
}

async fn read_until(lines: &mut Lines, wanted: &str) {
    loop {
        let line = within(wanted, lines.next()).await.expect("a line");
        let line = line.expect("it goes on");
        if String::from_utf8_lossy(&line).contains(wanted) {
            return;
        }
    }
}

/// Kind, name and state.
fn words(event: &Event) -> String {
    let kind = serde_json::to_value(event.kind).expect("a word");
    format!(
        "{} {} {}",
        kind.as_str().expect("a word"),
        event.name,
        event.state
    )
}

fn code(error: Error) -> String {
    match error {
        Error::Refused(refusal) => refusal.code,
        other => panic!("not refused: {other}"),
    }
}

async fn noted(note: &Path, wanted: &str) {
    let there = async {
        while !std::fs::read_to_string(note).is_ok_and(|text| text.contains(wanted)) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    within(wanted, there).await;
}

async fn follow_one(client: &Client) -> Result<Values<Event>, Error> {
    client.events(0, true).await
}

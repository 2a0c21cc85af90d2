//! The agent's own faults: what it loses, repeats, holds back, and how it ends a session.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bastiond::proto::AgentProfile;
use bastiond::sim::{ApiFault, Command, Cut, Faults, Handshake, Line, Script, frames::Form};
use bastiond::status::TunnelState;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{
    Database, House, Terms, assert_reset, echo, echo_whole, pass, pattern, ping, receive, send,
    until, within,
};

/// Both forms of the message's header that the service has been seen to use.
const FORMS: [Form; 2] = [Form::Short, Form::Long];

#[tokio::test]
async fn data_right_after_the_handshake_arrives_whether_the_agent_ignores_or_loses_it() {
    let host = Terms::default().host;
    // The last one acknowledges what it is not ready for, and loses it; it knows no hosts yet.
    for (version, host) in [
        ("3.3.987.0", host),
        ("3.1.1188.0", host),
        ("3.0.222.0", None),
    ] {
        let script = Script {
            agent: AgentProfile {
                pace: None,
                unready_for: Duration::from_millis(300),
                ..AgentProfile::release(version)
            },
            ..Script::fast()
        };
        let name = host.unwrap_or("localhost");
        let house = House::named(name, script, Database::serve(echo).await).await;
        let terms = Terms {
            host,
            ..Terms::default()
        };
        let daemon = house.daemon(&terms).await;
        let mut first = daemon.connect().await;
        send(&mut first, b"first words").await;
        assert_eq!(receive(&mut first, 11).await, b"first words", "{version}");
        house.close(daemon).await;
    }
}

/// Repeats are the oldest alone, ten a second: what counts is that each is acknowledged, also when it is here already.
/// One that stayed unacknowledged would be repeated for ever, and nothing after it.
#[tokio::test]
async fn an_agent_that_repeats_its_oldest_alone_gets_everything_across_a_cut() {
    let script = Script {
        agent: AgentProfile {
            pace: None,
            ..AgentProfile::default()
        },
        ..Script::fast()
    };
    let echoed = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&echoed);
    let database = Database::serve(move |socket| count_and_echo(socket, Arc::clone(&counter)));
    let house = House::of(script, database.await).await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    let session = house.world().sessions()[0].id.clone();
    let unheard = Faults {
        to_agent: Line {
            drop_acks: 1.0,
            ..Line::default()
        },
        ..Faults::default()
    };
    house.world().set_faults_of(&session, unheard);
    ping(&mut client).await;
    let lossy = Faults {
        to_client: Line {
            drop: 1.0,
            ..Line::default()
        },
        ..Faults::default()
    };
    house.world().set_faults_of(&session, lossy);
    let bytes = pattern(20_000, 2);
    let before = echoed.load(Ordering::Relaxed);
    send(&mut client, &bytes).await;
    let lost = async {
        while echoed.load(Ordering::Relaxed) < before + bytes.len() {
            pass(Duration::from_millis(10)).await;
        }
    };
    within("all is echoed, and lost", lost).await;
    house.world().set_faults_of(&session, Faults::default());
    house.world().cut_links(&Cut::Reset);
    assert_eq!(receive(&mut client, bytes.len()).await, bytes);
    ping(&mut client).await;
    assert_eq!(house.world().sessions()[0].links, 2);
    house.close(daemon).await;
}

async fn count_and_echo(mut socket: TcpStream, count: Arc<AtomicUsize>) {
    let mut chunk = vec![0; 4096];
    while let Ok(length @ 1..) = socket.read(&mut chunk).await {
        if socket.write_all(&chunk[..length]).await.is_err() {
            return;
        }
        count.fetch_add(length, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn messages_that_all_come_twice_are_taken_once() {
    let house = House::new().await;
    let twice = Line {
        duplicate: 1.0,
        ..Line::default()
    };
    house.world().set_faults(Faults {
        to_agent: twice.clone(),
        to_client: twice,
        ..Faults::default()
    });
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    echo_whole(&mut client, &pattern(300_000, 4), 4).await;
    assert_eq!(house.world().sessions()[0].links, 1);
    house.close(daemon).await;
}

/// Any word of ours ends an agent's pause, and it would never end otherwise.
#[tokio::test]
async fn an_agent_that_was_paused_and_never_started_again_answers_the_next_word() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    let session = house.world().sessions()[0].id.clone();
    for _ in 0..3 {
        let pause = Command::PauseAgent { start: false };
        house.world().command(&session, pause);
        ping(&mut client).await;
    }
    assert_eq!(house.world().sessions()[0].links, 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_session_that_is_closed_before_its_handshake_is_told_in_either_form() {
    for form in FORMS {
        let house = House::new().await;
        house.world().set_faults(Faults {
            handshake: Handshake::Closed("no such plugin".to_owned()),
            closed_form: form,
            ..Faults::default()
        });
        let daemon = house.daemon(&Terms::default()).await;
        assert_reset(&mut daemon.connect().await).await;
        let problem = daemon.problem("session_closed").await;
        assert!(problem.message.contains("no such plugin"), "{problem:?}");
        assert_eq!(house.world().count("ResumeSession"), 0);
        house.close(daemon).await;
    }
}

#[tokio::test]
async fn a_session_that_is_closed_during_its_handshake_is_told_in_either_form() {
    for form in FORMS {
        let house = House::new().await;
        house.world().set_faults(Faults {
            handshake: Handshake::Delay(Duration::from_secs(5)),
            closed_form: form,
            ..Faults::default()
        });
        let daemon = house.daemon(&Terms::default()).await;
        let mut client = daemon.connect().await;
        until(house.world(), "a link", |world| {
            world.sessions().iter().any(|session| session.linked)
        })
        .await;
        house
            .world()
            .end_sessions(Some("an administrator ended it"));
        assert_reset(&mut client).await;
        daemon.problem("session_closed").await;
        let count = |operation| house.world().count(operation);
        assert_eq!((count("ResumeSession"), count("TerminateSession")), (0, 0));
        house.close(daemon).await;
    }
}

#[tokio::test]
async fn a_session_that_is_closed_in_the_middle_of_bytes_is_told_in_either_form() {
    for form in FORMS {
        let house = House::new().await;
        house.world().set_faults(Faults {
            closed_form: form,
            ..Faults::default()
        });
        let daemon = house.daemon(&Terms::default()).await;
        let mut client = daemon.served().await;
        send(&mut client, &pattern(200_000, 3)).await;
        receive(&mut client, 1000).await;
        house
            .world()
            .end_sessions(Some("an administrator ended it"));
        assert_reset(&mut client).await;
        daemon.problem("session_closed").await;
        daemon.served().await;
        assert_eq!(house.world().count("ResumeSession"), 0);
        assert!(daemon.status().await.healthy);
        house.close(daemon).await;
    }
}

#[tokio::test]
async fn a_session_that_is_closed_while_it_is_resumed_is_over_and_the_next_connection_works() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    let slow = ApiFault::Delay(Duration::from_millis(300));
    house.world().fail_next("ResumeSession", 1, slow);
    house.world().cut_links(&Cut::Bye);
    daemon.is(TunnelState::Reconnecting).await;
    house
        .world()
        .end_sessions(Some("an administrator ended it"));
    assert_reset(&mut client).await;
    let error = daemon.tunnel().await.last_error.expect("a reason");
    assert!(error.message.contains("session"), "{error:?}");
    daemon.served().await;
    let count = |operation| house.world().count(operation);
    assert_eq!((count("StartSession"), count("ResumeSession")), (2, 1));
    house.close(daemon).await;
}

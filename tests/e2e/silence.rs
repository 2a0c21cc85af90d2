//! Nothing comes: dials that hang, agents that have stopped listening, and what is said of them meanwhile.

use std::time::Duration;

use bastiond::sim::{Dial, Faults, World, Zombie};
use bastiond::status::TunnelState;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::support::{
    Daemon, House, Terms, assert_reset, hang_up, pass, ping, receive, send, until,
};

#[tokio::test]
async fn a_dial_that_hangs_is_told_while_it_hangs_and_others_go_to_a_second_session() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut working = daemon.served().await;
    dials(house.world(), 0, Dial::Hang);
    let mut hanging = daemon.connect().await;
    until(house.world(), "the dial hangs", |world| {
        world.sessions()[0].opened == 2
    })
    .await;
    assert!(daemon.status().await.healthy, "it is too early to complain");
    pass(Duration::from_secs(6)).await;
    let problem = daemon.problem("no_answer").await;
    assert!(problem.message.contains("db.internal:5432"), "{problem:?}");
    assert!(problem.message.contains("for 6 s"), "{problem:?}");
    let hint = problem.hint.expect("what to look at");
    assert!(hint.contains("security group"), "{hint}");
    ping(&mut working).await;

    pass(Duration::from_secs(5)).await;
    daemon.served().await;
    assert_eq!(house.world().sessions().len(), 2);

    // The security group is mended.
    dials(house.world(), 0, Dial::Normal);
    ping(&mut hanging).await;
    daemon.until("healthy", |status| status.healthy).await;
    house.close(daemon).await;
}

#[tokio::test]
async fn a_dial_that_the_system_of_the_task_gives_up_is_told_from_a_closed_port() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let _working = daemon.served().await;
    dials(house.world(), 0, Dial::Hang);
    let mut hanging = daemon.connect().await;
    until(house.world(), "the dial hangs", |world| {
        world.sessions()[0].opened == 2
    })
    .await;
    pass(Duration::from_secs(130)).await;
    dials(house.world(), 0, Dial::Refuse);
    assert_reset(&mut hanging).await;
    let problem = daemon.problem("connect_timed_out").await;
    assert!(problem.message.contains("no answer for 13"), "{problem:?}");

    let mut refused = daemon.connect().await;
    assert_reset(&mut refused).await;
    let problem = daemon.problem("connect_failed").await;
    assert!(problem.message.contains("refused"), "{problem:?}");
    house.close(daemon).await;
}

/// A client whose own patience is shorter than ours leaves nothing behind but a dial that hangs.
#[tokio::test]
async fn a_client_that_hangs_up_on_a_dial_does_not_hide_it() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let _working = daemon.served().await;
    dials(house.world(), 0, Dial::Hang);
    for attempt in 0..2 {
        let impatient = daemon.connect().await;
        until(house.world(), "the client's stream", |world| {
            world.sessions()[0].opened >= 2 + attempt
        })
        .await;
        pass(Duration::from_secs(6)).await;
        hang_up(impatient);
        connections(&daemon, 1).await;
    }
    daemon.served().await;
    assert_eq!(house.world().sessions().len(), 2);
    house.close(daemon).await;
}

/// Who is connected and waits to be spoken to is no dial that hangs.
#[tokio::test]
async fn a_client_that_says_nothing_is_no_reason_to_complain_nor_for_another_session() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut quiet = daemon.connect().await;
    connections(&daemon, 1).await;
    for _ in 0..4 {
        pass(Duration::from_secs(4)).await;
    }
    assert!(daemon.status().await.healthy);
    let mut other = daemon.served().await;
    ping(&mut quiet).await;
    ping(&mut other).await;
    // The two, and what asked whether the agent listens.
    assert_eq!(house.world().sessions()[0].opened, 3);
    assert_eq!(house.world().sessions().len(), 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn no_session_is_given_more_than_sixty_four_dials_at_once() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let _working = daemon.served().await;
    house.world().set_faults(Faults {
        dial: Dial::Hang,
        ..Faults::default()
    });
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(daemon.connect().await);
    }
    until(house.world(), "a second session has the rest", |world| {
        let sessions = world.sessions();
        // One was served before.
        sessions.len() == 2 && sessions[0].opened == 65 && sessions[1].opened == 36
    })
    .await;
    house.world().set_faults(Faults::default());
    for client in &mut crowd {
        ping(client).await;
    }
    house.close(daemon).await;
}

#[tokio::test]
async fn an_agent_that_acknowledges_nothing_gets_one_resume_and_is_then_replaced() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    zombie(house.world(), Zombie::Mute);
    send(&mut client, b"anybody?").await;
    let mut jumps = 0;
    while house.world().sessions()[0].links < 2 {
        // Pongs still come; the clock must not run away from them.
        pass(Duration::from_secs(5)).await;
        jumps += 1;
        assert!(jumps < 20, "it is not noticed");
    }
    assert!(jumps >= 5, "too early: after {jumps} jumps of 5 s");
    let mut after = 0;
    let replaced = async {
        loop {
            pass(Duration::from_secs(5)).await;
            after += 1;
        }
    };
    tokio::select! {
        () = replaced => {}
        () = assert_reset(&mut client) => {}
    }
    assert!((11..=14).contains(&after), "after {after} jumps of 5 s");
    let problem = daemon.problem("session_unresponsive").await;
    assert!(
        problem.message.contains("acknowledges nothing"),
        "{problem:?}"
    );
    daemon.served().await;
    let sessions = house.world().sessions();
    assert_eq!((sessions.len(), sessions[0].links), (2, 2));
    assert_eq!(house.world().count("TerminateSession"), 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn an_agent_that_acknowledges_and_delivers_nothing_gets_no_new_connections_and_is_left() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut old = daemon.served().await;
    zombie(house.world(), Zombie::Acks);
    send(&mut old, b"a query").await;
    let mut lost = daemon.connect().await;
    send(&mut lost, b"anybody?").await;
    until(house.world(), "the stream is opened", |world| {
        world.sessions()[0].opened == 2
    })
    .await;
    pass(Duration::from_secs(6)).await;
    daemon.problem("no_answer").await;
    pass(Duration::from_secs(5)).await;
    let mut working = daemon.served().await;
    assert_eq!(house.world().sessions().len(), 2);

    let mut jumps = 0;
    while daemon.tunnel().await.connections > 1 {
        pass(Duration::from_secs(5)).await;
        jumps += 1;
        assert!(jumps < 20, "it is not noticed");
    }
    assert!(jumps >= 9, "too early: after {jumps} jumps of 5 s");
    assert_reset(&mut old).await;
    assert_reset(&mut lost).await;
    let problem = daemon.problem("session_silent").await;
    assert!(
        problem.message.contains("2 connections were cut"),
        "{problem:?}"
    );
    ping(&mut working).await;
    daemon.served().await;
    let tunnel = daemon.is(TunnelState::Ready).await;
    assert!(tunnel.last_error.is_none(), "{tunnel:?}");
    assert_eq!(house.world().sessions().len(), 2);
    house.close(daemon).await;
}

/// A query may take as long as it likes: nothing comes, and that alone is no reason to give up a session.
#[tokio::test]
async fn an_answer_that_takes_ten_minutes_is_waited_for() {
    let (answer, question) = (Duration::from_secs(600), "how many?");
    let slow = move |mut socket: TcpStream| async move {
        let asked = receive(&mut socket, question.len()).await;
        sleep(answer).await;
        send(&mut socket, &asked).await;
    };
    let database = crate::support::Database::serve(slow).await;
    let house = House::of(bastiond::sim::Script::fast(), database).await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut first = daemon.connect().await;
    send(&mut first, question.as_bytes()).await;
    connections(&daemon, 1).await;
    for _ in 0..40 {
        pass(Duration::from_secs(15)).await;
        assert!(daemon.status().await.healthy);
    }
    pass(Duration::from_secs(5)).await;
    assert_eq!(receive(&mut first, 9).await, question.as_bytes());
    assert_eq!(house.world().sessions()[0].links, 1);
    house.close(daemon).await;
}

async fn connections(daemon: &Daemon, count: usize) {
    daemon
        .until("so many connections", |status| {
            status.tunnels[0].connections == count
        })
        .await;
}

fn dials(world: &World, session: usize, dial: Dial) {
    let session = world.sessions()[session].id.clone();
    world.set_faults_of(
        &session,
        Faults {
            dial,
            ..Faults::default()
        },
    );
}

fn zombie(world: &World, zombie: Zombie) {
    let session = world.sessions()[0].id.clone();
    world.set_faults_of(
        &session,
        Faults {
            zombie,
            ..Faults::default()
        },
    );
}

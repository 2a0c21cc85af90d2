//! The program ended by signals at any moment, and started again: nothing stays behind that nobody looks after.

use std::time::Duration;

use bastiond::sim::{ApiFault, Cut, Death, Script, Session, World};
use rustix::process::Signal;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

use crate::process::{PROGRAM, Process};
use crate::support::{House, Terms, assert_reset, state_text, until, within};

/// Times that it is ended, unless `BASTIOND_CHAOS` is set.
const ENDS: usize = 10;
/// A session that was started so shortly before a SIGKILL may be in nobody's books.
const UNWRITTEN: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_hangup_ends_a_daemon_in_the_foreground_in_order() {
    let house = House::new().await;
    let mut process = Process::start(&house, &Terms::default(), "bastiond=info").await;
    let mut client = process.served().await;
    process.signal(Signal::HUP);
    assert_reset(&mut client).await;
    assert!(process.ended().await.success());
    assert_eq!(house.world().active_sessions().len(), 0);
    assert_eq!(house.world().count("StopTask"), 1);
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_hangup_makes_a_daemon_in_the_background_read_its_configuration_again() {
    let house = House::new().await;
    let mut command = Command::new(PROGRAM);
    command.args(["run", "--detached"]);
    let mut process = Process::launch(&house, &Terms::default(), "bastiond=info", command).await;
    let mut client = process.served().await;
    house.rewrite(&Terms {
        more: crate::reload::metrics(),
        ..Terms::default()
    });
    process.signal(Signal::HUP);
    within("it has the new tunnel", async {
        while process.status().await.tunnels.len() < 2 {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    crate::support::ping(&mut client).await;
    process.signal(Signal::TERM);
    assert!(process.ended().await.success());
    house.sweep_beside().await;
}

#[tokio::test]
async fn whenever_it_is_ended_the_next_start_looks_after_what_is_left() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let house = House::with(Script {
        death: Death::Announced,
        ..Script::fast()
    })
    .await;
    // In this mode the task is stopped whoever is counted on it: also sessions that nobody can know of.
    let terms = Terms {
        bastion: "mode = \"user\"",
        ..Terms::default()
    };
    let ends = std::env::var("BASTIOND_CHAOS").map_or(ENDS, |_| 20 * ENDS);
    let mut kills = Vec::new();
    for _ in 0..ends {
        let mut process = Process::start(&house, &terms, "bastiond=info").await;
        let _client = moment(&house, &process, &mut rng).await;
        sleep(Duration::from_millis(rng.u64(0..60))).await;
        let signal = [Signal::TERM, Signal::KILL, Signal::HUP][rng.usize(..3)];
        process.signal(signal);
        // A stop is a moment too.
        if rng.bool() && signal != Signal::KILL {
            sleep(Duration::from_millis(rng.u64(0..400))).await;
            process.signal(Signal::KILL);
        }
        process.ended().await;
        kills.push(Instant::now());
        house.world().clear_surprises();
    }
    let mut process = Process::start(&house, &terms, "bastiond=info").await;
    drop(process.served().await);
    let own = |id: &str| state_text(&house).matches(id).count() > 0;
    until(house.world(), "leftover sessions are ended", |world| {
        let strays = strays(world, &kills);
        strays.iter().all(|session| own(&session.id)) && strays.len() <= 1
    })
    .await;
    process.signal(Signal::TERM);
    assert!(process.ended().await.success());
    until(house.world(), "every task has stopped", |world| {
        let mut statuses = world.task_statuses().into_iter();
        statuses.all(|status| status == "STOPPED")
    })
    .await;
    assert_eq!(strays(house.world(), &kills).len(), 0);
    house.sweep_beside().await;
}

/// Some way into a start, a resume or nothing at all. The client is to be kept until the end.
async fn moment(house: &House, process: &Process, rng: &mut fastrand::Rng) -> Option<TcpStream> {
    let world = house.world();
    let stage = rng.usize(..5);
    if stage == 0 {
        return None;
    }
    let (calls, sessions) = (world.all_calls().len(), world.sessions().len());
    let mut client = process.connect().await;
    let _ = client.write_all(b"hello").await;
    match stage {
        1 => {
            until(world, "it begins", |world| world.all_calls().len() > calls).await;
            sleep(Duration::from_millis(rng.u64(0..200))).await;
        }
        2 => {
            until(world, "a session", |world| {
                world.sessions().len() > sessions
            })
            .await;
        }
        _ => {
            let one_linked = |world: &World| {
                let mut fresh = world.sessions().into_iter().skip(sessions);
                fresh.any(|session| session.streams > 0)
            };
            until(world, "a stream", one_linked).await;
        }
    }
    if stage == 4 {
        let resumes = world.count("ResumeSession");
        let slow = ApiFault::Delay(Duration::from_millis(100));
        world.fail_next("ResumeSession", 1, slow);
        world.cut_links(&Cut::Drop);
        let resuming = world.until(|world| world.count("ResumeSession") > resumes);
        timeout(Duration::from_secs(20), resuming)
            .await
            .expect("it is resumed");
    }
    Some(client)
}

/// Active sessions, but for those that a SIGKILL has left unwritten.
fn strays(world: &World, kills: &[Instant]) -> Vec<Session> {
    let mut sessions = world.active_sessions();
    sessions.retain(|session| {
        let unwritten =
            |kill: &Instant| *kill >= session.started && *kill <= session.started + UNWRITTEN;
        !kills.iter().any(unwritten)
    });
    sessions
}

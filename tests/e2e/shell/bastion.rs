//! In a bastion of the configuration: by the daemon's lease, or without a daemon.

use bastiond::sim::{Instance, ManagedNode, Script, Service};
use bastiond::status::BastionState;
use rustix::process::{Signal, kill_process};
use tokio::process::Command;

use super::between_pipes;
use super::terminal::{Terminal, program_in};
use crate::machines::through;
use crate::support::{House, Terms, until, within};

#[tokio::test]
async fn the_daemon_runs_the_bastion_and_keeps_it_for_as_long_as_somebody_is_in() {
    let house = House::new().await;
    let idle = Terms {
        bastion: "idle_stop = \"1s\"",
        ..Terms::default()
    };
    let daemon = house.daemon(&idle).await;
    let mut terminal = Terminal::open(&house, &["dev"]).await;
    terminal.expect("$ ").await;
    assert_eq!(house.world().count("RunTask"), 1);
    // The lease is the daemon's own, by its own clock.
    crate::support::skip(std::time::Duration::from_secs(30)).await;
    assert_eq!(daemon.bastion().await.state, BastionState::Ready);
    terminal.send("exit 4\r").await;
    terminal.ends(4).await;
    house.close(daemon).await;
}

#[tokio::test]
async fn a_second_shell_finds_the_task_of_the_first() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    for _ in 0..2 {
        let ended = between_pipes(&house, &["dev", "--", "echo", "hello"], None).await;
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    }
    assert_eq!(house.world().count("RunTask"), 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn without_a_daemon_the_bastion_is_run_and_stopped_again() {
    let house = House::new().await;
    let ended = between_pipes(&house, &["--", "echo", "hello"], None).await;
    assert_eq!(
        (ended.status, ended.stdout.as_slice()),
        (Some(0), &b"hello\n"[..]),
        "{}",
        ended.stderr
    );
    assert_eq!(house.world().count("RunTask"), 1);
    until(house.world(), "the task is stopped", |world| {
        world.task_statuses() == ["STOPPED"]
    })
    .await;
    house.sweep_beside().await;
}

/// The daemon keeps the count up meanwhile; without a daemon this program raises it, and lowers it again.
#[tokio::test]
async fn the_task_of_a_service_is_entered_as_any_other() {
    let terms = through("cluster = \"backend\"\nservice = \"bastion\"\nidle_stop = \"1s\"");
    for with_daemon in [true, false] {
        let house = House::with(Script {
            services: vec![Service::fast("bastion", 0)],
            ..Script::fast()
        })
        .await;
        let daemon = match with_daemon {
            true => Some(house.daemon(&terms).await),
            false => None,
        };
        let mut command = Command::from(super::command(&house, &["jump", "--", "echo", "hello"]));
        house.rewrite(&terms);
        let ended = within("the shell ends", command.kill_on_drop(true).output()).await;
        let ended = ended.expect("it runs");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.stdout, b"hello\n", "{said}");
        assert_eq!(house.world().tasks().len(), 1);
        if let Some(daemon) = daemon {
            // The lease is the daemon's own, by its own clock.
            daemon.stop().await;
        }
        until(house.world(), "the count is lowered", |world| {
            world.service_count("bastion") == 0 && world.task_statuses() == ["STOPPED"]
        })
        .await;
        assert_eq!(house.world().count("RunTask"), 0);
        house.sweep_beside().await;
    }
}

/// Bastions that are no tasks: an instance, which is started for it, and a hybrid node.
#[tokio::test]
async fn through_an_instance_or_a_node_it_is_a_shell_there() {
    let (instance, node) = ("i-0123456789abcdef0", "mi-0123456789abcdef0");
    let script = Script {
        instances: vec![Instance::fast(instance, "jump").tag("bastiond:managed", "true")],
        managed_nodes: vec![ManagedNode {
            id: node.into(),
            connected: true,
            ..ManagedNode::default()
        }],
        ..Script::fast()
    };
    let lines = [
        "instance = \"jump\"".to_owned(),
        format!("node = \"{node}\""),
    ];
    for (line, target) in lines.iter().zip([instance, node]) {
        let house = House::with(script.clone()).await;
        for with_daemon in [true, false] {
            let terms = through(line);
            house.rewrite(&terms);
            let daemon = match with_daemon {
                true => Some(house.daemon(&terms).await),
                false => None,
            };
            let ended = between_pipes(&house, &["jump", "--", "echo", "hello"], None).await;
            let got = (ended.status, ended.stdout.as_slice());
            assert_eq!(got, (Some(0), &b"hello\n"[..]), "{line}: {}", ended.stderr);
            let session = house.world().sessions().pop().expect("a session");
            assert_eq!(session.target, target);
            assert_eq!(house.world().count("RunTask"), 0);
            if let Some(daemon) = daemon {
                daemon.stop().await;
            }
        }
        house.sweep().await;
    }
}

#[tokio::test]
async fn a_start_that_is_interrupted_leaves_no_task() {
    let house = House::new().await;
    let mut terminal = Terminal::open(&house, &["dev"]).await;
    until(house.world(), "a task is run", |world| {
        world.count("RunTask") == 1
    })
    .await;
    kill_process(program_in(&house), Signal::INT).expect("signalled");
    terminal.ends(130).await;
    until(house.world(), "the task is stopped", |world| {
        world.task_statuses() == ["STOPPED"]
    })
    .await;
    house.sweep_beside().await;
}

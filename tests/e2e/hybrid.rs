//! Tasks that bring an agent along and register it as a hybrid node: `agent = "hybrid"`.

use std::time::Duration;

use bastiond::sim::{
    ApiFault, Command, ManagedNode, Registration, Script, TaskDefinition, Timing, World,
};

use crate::support::{Daemon, House, Terms, assert_reset, state_text, until, within};

const DEAD: &str = "mi-0fedcba9876543210";

fn account(registers: Registration, managed_nodes: Vec<ManagedNode>) -> Script {
    let definition = TaskDefinition {
        registers,
        ..TaskDefinition::default()
    };
    Script {
        task_definitions: vec![definition],
        managed_nodes,
        ..Script::fast()
    }
}

fn hybrid() -> Terms {
    Terms {
        bastion: "agent = \"hybrid\"\nidle_stop = \"1s\"",
        ..Terms::default()
    }
}

/// A node of an earlier task, at the address of all.
fn leftover(id: &str, connected: bool, hours: u64) -> ManagedNode {
    ManagedNode {
        id: id.to_owned(),
        connected,
        name: "bastion".to_owned(),
        address: "10.0.1.23".to_owned(),
        tags: vec![("bastiond:task".to_owned(), "0123abcd".to_owned())],
        age: Duration::from_secs(hours * 3600),
    }
}

/// The node that the first task has become.
fn node_of(world: &World) -> String {
    format!("mi-{}", &world.tasks()[0].id[..17])
}

async fn leave(house: &House, daemon: &Daemon) {
    daemon.client.down("app-db").await.expect("it is down");
    until(house.world(), "the task is stopped", |world| {
        world.task_statuses() == ["STOPPED"]
    })
    .await;
}

#[tokio::test]
async fn the_task_is_used_as_the_node_it_has_become_and_deregistered_with_it() {
    for registers in [Registration::Tagged, Registration::Untagged] {
        // Others at the same address: one that is dead, one that lives and was there before.
        let others = vec![
            ManagedNode {
                tags: Vec::new(),
                ..leftover(DEAD, false, 2)
            },
            ManagedNode {
                tags: Vec::new(),
                ..leftover("mi-00000000000000001", true, 2)
            },
        ];
        let house = House::with(account(registers, others)).await;
        let daemon = house.daemon(&hybrid()).await;
        let client = daemon.served().await;
        let node = node_of(house.world());
        assert_eq!(house.world().sessions()[0].target, node, "{registers:?}");
        let request = house.world().calls("RunTask").remove(0).body;
        assert_eq!(request["enableExecuteCommand"], false);
        let shown = daemon.bastion().await.task.expect("a task");
        assert_eq!(shown.target.as_ref(), Some(&node));
        assert!(house.world().nodes().contains(&node));
        crate::support::hang_up(client);
        leave(&house, &daemon).await;
        until(house.world(), "its node is gone", |world| {
            !world.nodes().contains(&node)
        })
        .await;
        assert_eq!(house.world().nodes().len(), 2, "those of others stay");
        house.close(daemon).await;
    }
}

#[tokio::test]
async fn the_node_of_a_task_that_ended_by_itself_is_deregistered() {
    let house = House::with(account(Registration::Tagged, Vec::new())).await;
    let daemon = house.daemon(&hybrid()).await;
    let client = daemon.served().await;
    let task = house.world().tasks().remove(0);
    house
        .world()
        .stop_task(&task.arn, "EssentialContainerExited", "done");
    crate::support::hang_up(client);
    let node = node_of(house.world());
    until(house.world(), "its node is gone", |world| {
        !world.nodes().contains(&node)
    })
    .await;
    house.close(daemon).await;
}

#[tokio::test]
async fn nodes_that_have_been_dead_for_an_hour_are_swept_away_and_no_others() {
    let kept = [
        leftover("mi-00000000000000001", true, 2),
        leftover("mi-00000000000000002", false, 0),
        ManagedNode {
            tags: vec![("their".to_owned(), "own".to_owned())],
            ..leftover("mi-00000000000000003", false, 2)
        },
    ];
    let mut nodes = kept.to_vec();
    nodes.push(leftover(DEAD, false, 2));
    let house = House::with(account(Registration::Tagged, nodes)).await;
    let daemon = house.daemon(&hybrid()).await;
    crate::support::hang_up(daemon.served().await);
    leave(&house, &daemon).await;
    until(house.world(), "it is swept away", |world| {
        world.nodes().len() == kept.len()
    })
    .await;
    let left = house.world().nodes();
    assert!(kept.iter().all(|it| left.contains(&it.id)), "{left:?}");
    house.close(daemon).await;
}

/// Without a tag only the state file knows the node.
#[tokio::test]
async fn after_a_crash_the_node_is_deregistered_with_its_task() {
    let house = House::with(account(Registration::Untagged, Vec::new())).await;
    let daemon = house.daemon(&hybrid()).await;
    daemon.served().await;
    let node = node_of(house.world());
    let recorded = async {
        while !state_text(&house).contains(&format!("\"node\": \"{node}\"")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within("the node is on record", recorded).await;
    daemon.crash().await;
    for session in house.world().active_sessions() {
        house.world().command(&session.id, Command::End(None));
    }
    let daemon = house.daemon(&hybrid()).await;
    until(house.world(), "its node is gone", |world| {
        world.nodes().is_empty()
    })
    .await;
    house.close(daemon).await;
}

#[tokio::test]
async fn whoever_may_not_see_nodes_is_told_and_whoever_may_not_deregister_stops_the_task_all_the_same()
 {
    let house = House::with(account(Registration::Tagged, Vec::new())).await;
    let denied = || ApiFault::AccessDenied;
    house
        .world()
        .fail_always("DescribeInstanceInformation", denied());
    let daemon = house.daemon(&hybrid()).await;
    assert_reset(&mut daemon.connect().await).await;
    let hint = daemon.problem("access_denied").await.hint.expect("a hint");
    assert!(hint.contains("ssm:DescribeInstanceInformation"), "{hint}");
    house.world().heal("DescribeInstanceInformation");
    house
        .world()
        .fail_always("DeregisterManagedInstance", denied());
    crate::support::hang_up(daemon.served().await);
    leave(&house, &daemon).await;
    until(house.world(), "it was tried", |world| {
        world.count("DeregisterManagedInstance") >= 1
    })
    .await;
    assert_eq!(house.world().count("RunTask"), 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_task_that_never_becomes_a_node_is_told_with_where_to_look() {
    let timing = Timing {
        agent_connect: Duration::from_secs(100_000),
        ..Timing::fast()
    };
    let script = Script {
        timing,
        ..account(Registration::Tagged, Vec::new())
    };
    let house = House::with(script).await;
    let terms = Terms {
        tunnel: "hold_timeout = \"30m\"",
        ..hybrid()
    };
    let daemon = house.daemon(&terms).await;
    let mut client = daemon.connect().await;
    for attempt in 1..=2 {
        until(house.world(), "a task is run", |world| {
            world.count("RunTask") == attempt
        })
        .await;
        let waits = |status: &bastiond::status::Status| {
            let detail = status.bastions[0].detail.as_deref();
            detail == Some("waiting for the task to register")
        };
        daemon.until("it is waited for", waits).await;
        crate::support::skip(Duration::from_secs(310)).await;
    }
    assert_reset(&mut client).await;
    let problem = daemon.problem("task_start_failed").await;
    let hint = problem.hint.expect("a hint");
    assert!(hint.contains("bastiond:task"), "{hint}");
    house.close(daemon).await;
}

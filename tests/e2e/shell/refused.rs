//! What cannot be entered: each says what is wrong, and what mends it.

use bastiond::sim::{ApiFault, Container, ManagedNode, Script, TaskDefinition};

use super::{Finished, between_pipes, house_with_task};
use crate::support::House;

/// It failed, in these words.
#[track_caller]
fn assert_refused(ended: &Finished, words: &[&str]) {
    assert_eq!(ended.status, Some(255), "{}", ended.stderr);
    assert!(ended.stdout.is_empty());
    for word in words {
        assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn a_task_that_is_not_there() {
    let (house, _) = house_with_task(Script::fast()).await;
    let ended = between_pipes(&house, &["nothing", "--", "id"], None).await;
    assert_refused(&ended, &["no task `nothing`", "cluster `backend`", "hint:"]);
    let ended = between_pipes(&house, &["x", "--cluster", "elsewhere", "--", "id"], None).await;
    assert_refused(&ended, &["Cluster not found", "hint: check `cluster`"]);
    house.sweep_beside().await;
}

#[tokio::test]
async fn several_tasks_are_listed() {
    let (house, task) = house_with_task(Script::fast()).await;
    let other = house.world().run_task("bastion");
    let ended = between_pipes(&house, &["bastion", "--", "id"], None).await;
    assert_refused(&ended, &["name one", &task, &other]);
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_container_has_to_be_named_among_several() {
    let script = Script {
        task_definitions: vec![TaskDefinition {
            containers: vec![Container::new("app"), Container::new("sidecar")],
            ..TaskDefinition::default()
        }],
        ..Script::fast()
    };
    let (house, task) = house_with_task(script).await;
    let ended = between_pipes(&house, &[&task, "--", "id"], None).await;
    assert_refused(&ended, &["app", "sidecar"]);
    let ended = between_pipes(&house, &[&task, "--container", "db", "--", "id"], None).await;
    assert_refused(&ended, &["db", "app", "sidecar"]);
    let words = [&task, "--container", "sidecar", "--", "echo", "here"];
    let ended = between_pipes(&house, &words, None).await;
    assert_eq!(
        (ended.status, ended.stdout.as_slice()),
        (Some(0), &b"here\n"[..])
    );
    let call = house.world().calls("ExecuteCommand").remove(0);
    assert_eq!(call.body["container"], "sidecar");
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_denied_call_names_its_permission() {
    let (house, task) = house_with_task(Script::fast()).await;
    for (call, action) in [
        ("ListTasks", "ecs:ListTasks"),
        ("DescribeTasks", "ecs:DescribeTasks"),
        ("ExecuteCommand", "ecs:ExecuteCommand"),
    ] {
        house.world().fail_always(call, ApiFault::AccessDenied);
        let ended = between_pipes(&house, &[&task, "--", "id"], None).await;
        assert_refused(&ended, &[action]);
        house.world().heal(call);
    }
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_node_that_is_not_connected_or_not_known() {
    let id = "mi-0123456789abcdef0";
    let script = Script {
        managed_nodes: vec![ManagedNode {
            id: id.to_owned(),
            connected: false,
            ..ManagedNode::default()
        }],
        ..Script::fast()
    };
    let house = House::with(script).await;
    let ended = between_pipes(&house, &[id, "--", "id"], None).await;
    assert_refused(&ended, &["not connected"]);
    let ended = between_pipes(&house, &["i-0aaaaaaaaaaaaaaaa", "--", "id"], None).await;
    assert_refused(&ended, &["i-0aaaaaaaaaaaaaaaa"]);
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_recording_never_replaces_a_file() {
    let (house, task) = house_with_task(Script::fast()).await;
    let file = house.folder.path().join("precious");
    std::fs::write(&file, "precious").expect("written");
    let words = [&task, "--record", file.to_str().expect("text"), "--", "id"];
    let ended = between_pipes(&house, &words, None).await;
    assert_refused(&ended, &["precious", "exists"]);
    assert_eq!(std::fs::read_to_string(&file).expect("text"), "precious");
    assert_eq!(house.world().count("ExecuteCommand"), 0);
    house.sweep_beside().await;
}

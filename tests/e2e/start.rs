//! From the first connection to the first byte: nothing before it, one start for all, and what a failed start says.

use std::time::Duration;

use bastiond::sim::{AgentCourse, ApiFault, Failure, ManagedNode, Plan, Script, Timing};
use bastiond::status::{BastionState, ListenerState, TunnelState};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::support::{
    Daemon, Database, House, Terms, assert_reset, aws_call, connect, echo, operations, pass, ping,
    skip, until, within,
};

#[tokio::test]
async fn nothing_is_asked_of_aws_before_the_first_connection() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    assert!(
        daemon.line.starts_with("listening on 127.0.0.1:"),
        "{}",
        daemon.line
    );
    let status = daemon.status().await;
    assert_eq!(status.tunnels[0].state, TunnelState::Idle);
    assert_eq!(status.bastions[0].state, BastionState::Stopped);
    assert!(status.healthy, "{:?}", status.problems);
    assert_eq!(operations(house.world()), Vec::<String>::new());
    house.close(daemon).await;
}

#[tokio::test]
async fn first_connection_runs_a_task_and_is_served() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let client = daemon.served().await;
    let tunnel = daemon.is(TunnelState::Ready).await;
    assert_eq!((tunnel.connections, tunnel.waiting), (1, 0));
    assert_eq!((tunnel.bytes_sent, tunnel.bytes_received), (4, 4));
    let task = house.world().tasks().remove(0);
    assert_eq!(tunnel.target, Some(task.target(0)));
    let bastion = daemon.bastion().await;
    assert_eq!(bastion.state, BastionState::Ready);
    assert_eq!(bastion.task.map(|shown| shown.arn), Some(task.arn));
    let session = house.world().sessions().remove(0);
    assert_eq!(
        session.document,
        "AWS-StartPortForwardingSessionToRemoteHost"
    );
    assert_eq!((session.host.as_str(), session.port), ("db.internal", 5432));
    drop(client);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_team_s_own_document_leads_to_the_hosts_that_it_accepts() {
    let house = House::new().await;
    let terms = Terms {
        tunnel: "document = \"bastiond-port-forward\"",
        ..Terms::default()
    };
    let daemon = house.daemon(&terms).await;
    drop(daemon.served().await);
    let session = house.world().sessions().remove(0);
    assert_eq!(session.document, "bastiond-port-forward");
    house.close(daemon).await;
}

#[tokio::test]
async fn without_spot_capacity_the_task_is_run_on_demand() {
    for provider in [
        "capacity_provider = \"FARGATE_SPOT\"\ntags = { team = \"data\" }",
        "capacity_provider_strategy = [\"capacityProvider=FARGATE_SPOT,weight=4\", \"capacityProvider=FARGATE\"]\n\
         tags = { team = \"data\" }",
    ] {
        runs_on_demand_after(provider).await;
    }
}

async fn runs_on_demand_after(provider: &'static str) {
    let house = House::new().await;
    let none = "Capacity is unavailable at this time. Please try again later or in a different availability zone";
    let refused = ApiFault::Error(400, "ClientException".into(), none.into());
    house.world().fail_next("RunTask", 1, refused);
    let spot = Terms {
        bastion: provider,
        ..Terms::default()
    };
    let daemon = house.daemon(&spot).await;
    drop(daemon.served().await);
    let calls = house.world().calls("RunTask");
    let [first, second] = &calls[..] else {
        panic!("{} calls", calls.len())
    };
    let provider = &first.body["capacityProviderStrategy"][0]["capacityProvider"];
    assert_eq!(*provider, "FARGATE_SPOT");
    assert_eq!(second.body["launchType"], "FARGATE");
    assert_ne!(first.body["clientToken"], second.body["clientToken"]);
    assert_eq!(
        first.body["tags"], second.body["tags"],
        "others find it all the same"
    );
    let tags = second.body["tags"].as_array().expect("tags");
    assert!(tags.contains(&json!({"key": "team", "value": "data"})));
    house.close(daemon).await;
}

#[tokio::test]
async fn a_role_that_was_just_made_is_waited_for() {
    let house = House::new().await;
    let words = "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/bastion'";
    let early = ApiFault::Error(400, "ClientException".into(), words.into());
    house.world().fail_next("RunTask", 2, early);
    let daemon = house.daemon(&Terms::default()).await;
    drop(daemon.served().await);
    assert_eq!(house.world().count("RunTask"), 3);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_port_is_listened_on_at_both_loopback_addresses() {
    let house = House::new().await;
    let terms = Terms {
        listen: free_port().await.to_string(),
        ..Terms::default()
    };
    let daemon = house.daemon(&terms).await;
    let listeners = daemon.tunnel().await.listeners;
    let expected = match TcpListener::bind("[::1]:0").await {
        Ok(_) => vec![
            format!("127.0.0.1:{}", terms.listen),
            format!("[::1]:{}", terms.listen),
        ],
        Err(_) => vec![format!("127.0.0.1:{}", terms.listen)],
    };
    let addresses: Vec<_> = listeners.into_iter().map(|l| l.address).collect();
    assert_eq!(addresses, expected);
    for address in addresses {
        let mut client = connect(address.parse().expect("an address")).await;
        ping(&mut client).await;
    }
    house.close(daemon).await;
}

#[tokio::test]
async fn a_taken_port_names_its_holder_and_is_had_later_while_the_other_tunnel_works() {
    let house = House::new().await;
    let holder = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let taken = holder.local_addr().expect("bound");
    let terms = Terms {
        more: format!(
            "[[tunnel]]\nname = \"other\"\nlisten = \"{taken}\"\nbastion = \"dev\"\nhost = \"db.internal\"\nport = 1"
        ),
        ..Terms::default()
    };
    let daemon = house.daemon(&terms).await;
    assert!(daemon.line.contains("waiting for"), "{}", daemon.line);
    let problem = daemon.problem("port_busy").await;
    assert_eq!(problem.subject, "tunnel other");
    let other = daemon.status().await.tunnels.remove(1);
    assert_eq!(other.state, TunnelState::PortBusy);
    let shown = other.listeners[0].holder.clone().unwrap_or_default();
    if cfg!(target_os = "linux") {
        let pid = std::process::id().to_string();
        assert!(shown.contains("e2e") && shown.contains(&pid), "{shown}");
    }
    let client = daemon.served().await;
    drop(holder);
    let listens =
        |listener: &bastiond::status::Listener| listener.state == ListenerState::Listening;
    daemon
        .until("the port is had", |status| {
            status.tunnels[1].listeners.iter().all(listens)
        })
        .await;
    ping(&mut connect(taken).await).await;
    assert!(daemon.status().await.healthy);
    drop(client);
    house.close(daemon).await;
}

#[tokio::test]
async fn fifty_connections_at_once_share_one_start() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut clients = JoinSet::new();
    let address = daemon.address().await;
    for _ in 0..50 {
        clients.spawn(async move {
            let mut client = connect(address).await;
            ping(&mut client).await;
        });
    }
    within("fifty answers", clients.join_all()).await;
    let count = |operation| house.world().count(operation);
    assert_eq!((count("RunTask"), count("StartSession")), (1, 1));
    assert_eq!(house.world().sessions()[0].opened, 50);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_failed_start_resets_all_who_wait_and_says_why_and_what_to_do() {
    let house = House::new().await;
    house.world().fail_always("RunTask", ApiFault::AccessDenied);
    let daemon = house.daemon(&Terms::default()).await;
    let mut clients = clients(&daemon, 10).await;
    for client in &mut clients {
        assert_reset(client).await;
    }
    let status = daemon.status().await;
    assert_eq!(status.bastions[0].state, BastionState::Failed);
    assert_eq!(status.tunnels[0].state, TunnelState::Failed);
    assert_eq!(status.problems.len(), 1, "{:?}", status.problems);
    let problem = &status.problems[0];
    assert!(problem.message.contains("ecs:RunTask"), "{problem:?}");
    assert!(problem.hint.is_some(), "{problem:?}");
    house.close(daemon).await;
}

#[tokio::test]
async fn after_a_failed_start_the_same_reason_is_given_without_calls_for_a_while() {
    let house = House::new().await;
    house
        .world()
        .fail_next("RunTask", 1, ApiFault::AccessDenied);
    let daemon = house.daemon(&Terms::default()).await;
    assert_reset(&mut daemon.connect().await).await;
    let calls = operations(house.world());
    for _ in 0..5 {
        assert_reset(&mut daemon.connect().await).await;
    }
    assert_eq!(operations(house.world()), calls);
    assert!(!daemon.status().await.healthy);
    skip(Duration::from_secs(6)).await;
    daemon.served().await;
    let status = daemon.status().await;
    assert!(status.healthy, "{:?}", status.problems);
    house.close(daemon).await;
}

#[tokio::test]
async fn after_a_session_that_could_not_be_started_too() {
    let house = House::new().await;
    house
        .world()
        .fail_next("StartSession", 1, ApiFault::AccessDenied);
    let daemon = house.daemon(&Terms::default()).await;
    assert_reset(&mut daemon.connect().await).await;
    let problem = daemon.tunnel().await.last_error.expect("a reason");
    assert!(problem.message.contains("ssm:StartSession"), "{problem:?}");
    assert_reset(&mut daemon.connect().await).await;
    assert_eq!(house.world().count("StartSession"), 1);
    skip(Duration::from_secs(6)).await;
    daemon.served().await;
    assert!(daemon.status().await.healthy);
    house.close(daemon).await;
}

#[tokio::test]
async fn up_does_not_wait_for_the_cool_down() {
    let house = House::new().await;
    house
        .world()
        .fail_next("RunTask", 1, ApiFault::AccessDenied);
    let daemon = house.daemon(&Terms::default()).await;
    assert_reset(&mut daemon.connect().await).await;
    let tunnel = daemon.client.up("app-db").await.expect("it is up");
    assert_eq!(tunnel.state, TunnelState::Ready);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_task_that_cannot_start_is_told_with_the_words_of_ecs() {
    let house = House::new().await;
    let reason = "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to \
                  resolve ref docker.io/library/alpine:3: dial tcp 3.94.224.37:443: i/o timeout";
    let plan = Plan {
        failure: Some(Failure::to_start(Duration::from_millis(6), reason)),
        ..Plan::default()
    };
    house.plan_tasks(2, &plan);
    let daemon = house.daemon(&Terms::default()).await;
    assert_reset(&mut daemon.connect().await).await;
    let status = daemon.status().await;
    let problem = &status.problems[0];
    assert!(
        problem.message.contains("CannotPullContainerError"),
        "{problem:?}"
    );
    assert!(problem.hint.is_some(), "{problem:?}");
    house.close(daemon).await;
}

#[tokio::test]
async fn a_connection_is_held_no_longer_than_its_hold_timeout() {
    let house = House::new().await;
    house.world().plan_next_task(Plan {
        agent: AgentCourse::NeverConnects,
        ..Plan::default()
    });
    let terms = Terms {
        tunnel: "hold_timeout = \"1s\"",
        ..Terms::default()
    };
    let daemon = house.daemon(&terms).await;
    let mut client = daemon.connect().await;
    let tunnel = daemon.is(TunnelState::Starting).await;
    assert_eq!(tunnel.waiting, 1);
    assert_reset(&mut client).await;
    let problem = daemon.problem("hold_timeout").await;
    assert!(problem.message.contains("1s"), "{problem:?}");
    house.close(daemon).await;
}

#[tokio::test]
async fn the_status_names_the_step_that_a_start_is_at() {
    let script = Script {
        timing: Timing {
            provisioning: Duration::from_millis(400),
            ..Timing::fast()
        },
        ..Script::fast()
    };
    let house = House::with(script).await;
    let daemon = house.daemon(&Terms::default()).await;
    let client = daemon.connect().await;
    daemon
        .until("a step is shown", |status| {
            let tunnel = &status.tunnels[0];
            tunnel.state == TunnelState::Starting && tunnel.detail.is_some()
        })
        .await;
    daemon.is(TunnelState::Ready).await;
    drop(client);
    house.close(daemon).await;
}

#[tokio::test]
async fn up_has_a_session_ready_and_down_ends_it_while_the_listener_stays() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let tunnel = daemon.client.up("app-db").await.expect("it is up");
    assert_eq!(tunnel.state, TunnelState::Ready);
    assert_eq!(house.world().sessions().len(), 1);
    let mut client = daemon.served().await;
    let tunnel = daemon.client.down("app-db").await.expect("it is down");
    assert!(tunnel.sessions.is_empty(), "{tunnel:?}");
    assert_reset(&mut client).await;
    until(house.world(), "no session is left", |world| {
        world.active_sessions().is_empty()
    })
    .await;
    daemon.served().await;
    assert_eq!(house.world().sessions().len(), 2);
    house.close(daemon).await;
}

#[tokio::test]
async fn up_says_why_not() {
    let house = House::new().await;
    house
        .world()
        .fail_next("RunTask", 1, ApiFault::AccessDenied);
    let daemon = house.daemon(&Terms::default()).await;
    let error = daemon.client.up("app-db").await.expect_err("refused");
    assert!(error.to_string().contains("ecs:RunTask"), "{error}");
    house.close(daemon).await;
}

#[tokio::test]
async fn a_task_that_runs_and_fits_is_used_by_whoever_comes() {
    let house = House::new().await;
    leave_a_task(&house, "on_shutdown = \"leave\"").await;
    std::fs::remove_dir_all(house.paths().state).expect("a state folder");
    let daemon = house.daemon(&Terms::default()).await;
    daemon.served().await;
    assert_eq!(house.world().count("RunTask"), 1);
    house.close(daemon).await;
    // It was not this daemon that ran it, but nobody else uses it.
}

#[tokio::test]
async fn a_task_of_ours_with_other_parameters_is_not_used_but_stopped() {
    let house = House::new().await;
    leave_a_task(&house, "on_shutdown = \"leave\"\nassign_public_ip = true").await;
    let daemon = house.daemon(&Terms::default()).await;
    daemon.served().await;
    assert_eq!(house.world().count("RunTask"), 2);
    let tasks = house.world().tasks();
    assert_eq!(daemon.tunnel().await.target, Some(tasks[1].target(0)));
    until(house.world(), "the first is stopped", |world| {
        world.count("StopTask") == 1
    })
    .await;
    assert_eq!(
        house.world().calls("StopTask")[0].body["task"],
        tasks[0].arn
    );
    let reason = &house.world().calls("StopTask")[0].body["reason"];
    let reason = reason.as_str().expect("a reason");
    let why = "bastiond: no longer wanted by the configuration, by ";
    assert!(
        reason.starts_with(why) && reason.contains(" on "),
        "{reason}"
    );
    house.close(daemon).await;
}

/// At login the network may not be up yet.
#[tokio::test]
async fn a_task_that_nobody_wants_any_more_and_that_cannot_be_stopped_yet_is_stopped_later() {
    let house = House::new().await;
    leave_a_task(&house, "on_shutdown = \"leave\"\nassign_public_ip = true").await;
    let world = house.world();
    world.fail_always("StopTask", ApiFault::AccessDenied);
    let daemon = house.daemon(&Terms::default()).await;
    until(world, "it is tried", |world| world.count("StopTask") == 1).await;
    world.heal("StopTask");
    let later = async {
        while world.count("StopTask") == 1 {
            pass(Duration::from_secs(15)).await;
        }
    };
    within("it is tried again", later).await;
    daemon.stop().await;
    house.sweep().await;
}

#[tokio::test]
async fn a_task_that_another_laptop_runs_with_the_same_token_is_adopted() {
    let house = House::new().await;
    // A stopped task makes the token one that does not change with the minute.
    leave_a_task(&house, "").await;
    house
        .world()
        .fail_next("RunTask", 1, ApiFault::AccessDenied);
    let daemon = house.daemon(&Terms::default()).await;
    assert_reset(&mut daemon.connect().await).await;
    let mut theirs = house.world().calls("RunTask")[1].body.clone();
    theirs["startedBy"] = json!("somebody-else");
    let service = "AmazonEC2ContainerServiceV20141113.RunTask";
    let answer = aws_call(&house, service, "ecs", &theirs).await;
    let arn = answer["tasks"][0]["taskArn"].as_str().expect("a task");
    // The list is not consistent yet: theirs is not in it.
    house
        .world()
        .fail_next("ListTasks", 1, ApiFault::Answer(json!({"taskArns": []})));
    daemon.client.up("app-db").await.expect("it is up");
    let runs = house.world().calls("RunTask");
    assert_eq!(runs.last().and_then(|call| call.status), Some(400));
    assert_eq!(house.world().tasks().len(), 2);
    let task = daemon.bastion().await.task.expect("a task");
    assert_eq!(task.arn, arn);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_fixed_target_needs_no_ecs_at_all() {
    let node = "i-0123456789abcdef0";
    let script = Script {
        managed_nodes: vec![ManagedNode {
            id: node.to_owned(),
            connected: true,
            ..ManagedNode::default()
        }],
        ..Script::fast()
    };
    let house = House::with(script).await;
    let terms = Terms {
        via: "target = \"i-0123456789abcdef0\"",
        ..Terms::default()
    };
    let daemon = house.daemon(&terms).await;
    daemon.served().await;
    assert_eq!(daemon.tunnel().await.target.as_deref(), Some(node));
    daemon.client.down("app-db").await.expect("it is down");
    let ecs = house.world().all_calls().into_iter();
    let ecs = ecs.filter(|call| call.signed_for.as_deref() == Some("ecs"));
    assert_eq!(ecs.count(), 0);
    house.close(daemon).await;
}

#[tokio::test]
async fn without_a_host_the_plain_document_leads_to_the_target_itself() {
    let house = House::named("localhost", Script::fast(), Database::serve(echo).await).await;
    let terms = Terms {
        host: None,
        ..Terms::default()
    };
    let daemon = house.daemon(&terms).await;
    daemon.served().await;
    let session = house.world().sessions().remove(0);
    assert_eq!(session.document, "AWS-StartPortForwardingSession");
    assert_eq!(session.host, "localhost");
    assert_eq!(daemon.tunnel().await.remote, "port 5432 of the target");
    house.close(daemon).await;
}

#[tokio::test]
async fn a_second_daemon_is_told_who_runs() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let refused = house.try_daemon(&Terms::default()).await;
    let error = refused.err().expect("only one may run").to_string();
    let pid = std::process::id().to_string();
    assert!(
        error.contains("already running") && error.contains(&pid),
        "{error}"
    );
    daemon.served().await;
    house.close(daemon).await;
}

/// Runs a task by a daemon and lets it go, as `bastion` says.
async fn leave_a_task(house: &House, bastion: &'static str) {
    let terms = Terms {
        bastion,
        ..Terms::default()
    };
    let daemon = house.daemon(&terms).await;
    drop(daemon.served().await);
    daemon.stop().await;
    until(house.world(), "no session is left", |world| {
        world.active_sessions().is_empty()
    })
    .await;
}

async fn clients(daemon: &Daemon, count: usize) -> Vec<TcpStream> {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(daemon.connect().await);
    }
    clients
}

/// One that is free on both loopback addresses, as far as anybody can tell.
async fn free_port() -> u16 {
    loop {
        let v4 = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = v4.local_addr().expect("bound").port();
        let v6 = TcpListener::bind(("::1", port)).await;
        let taken = v6.is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse);
        if !taken {
            return port;
        }
    }
}

//! Bastions whose agent is on a hybrid node instead of in a task.

use std::time::Duration;

use bastiond::sim::{ApiFault, ManagedNode, Script};
use bastiond::status::{BastionKind, TunnelState};
use serde_json::Value;

use crate::machines::{jump, through};
use crate::support::{House, Terms, assert_reset};

const NODE: &str = "mi-0123456789abcdef0";

fn node(id: &str, name: &str) -> ManagedNode {
    ManagedNode {
        id: id.to_owned(),
        connected: true,
        name: name.to_owned(),
        address: "10.0.0.7".to_owned(),
        tags: vec![("place".to_owned(), "d\u{f6}ner_-1".to_owned())],
        age: Duration::from_secs(7200),
    }
}

async fn house_with_nodes(managed_nodes: Vec<ManagedNode>) -> House {
    House::with(Script {
        managed_nodes,
        page_size: 5,
        ..Script::fast()
    })
    .await
}

/// On the third page of the list, where it is found by name.
#[tokio::test]
async fn a_node_is_found_by_id_tag_or_name_and_neither_started_nor_stopped() {
    let mut nodes: Vec<_> = (0..11)
        .map(|at| ManagedNode {
            tags: Vec::new(),
            ..node(&format!("mi-{at:017x}"), "desk")
        })
        .collect();
    nodes.push(node(NODE, "office"));
    let house = house_with_nodes(nodes).await;
    for line in [
        format!("node = \"{NODE}\""),
        "node = \"tag:place=d\u{f6}ner_-1\"".to_owned(),
        "node = \"office\"".to_owned(),
    ] {
        let daemon = house.daemon(&through(&line)).await;
        daemon.served().await;
        let bastion = jump(&daemon).await;
        let shown = bastion.task.expect("it is shown");
        assert_eq!(
            (bastion.kind, shown.id.as_str(), shown.last_status.as_str()),
            (BastionKind::Node, NODE, "Online")
        );
        daemon.client.down("app-db").await.expect("it is down");
        daemon.stop().await;
    }
    let targets = house.world().sessions().into_iter().map(|it| it.target);
    assert!(targets.into_iter().all(|target| target == NODE));
    for call in house.world().calls("DescribeInstanceInformation") {
        let filters = call.body["Filters"].as_array().map_or(0, Vec::len);
        assert_eq!(filters, 1, "tags cannot be combined: {}", call.body);
    }
    assert_eq!(house.world().count("DescribeSessions"), 0);
    house.sweep().await;
}

#[tokio::test]
async fn a_node_that_is_no_use_is_told_with_what_to_do() {
    let gone = ManagedNode {
        connected: false,
        ..node(NODE, "office")
    };
    let twins = [
        node("mi-00000000000000001", "twin"),
        node("mi-00000000000000002", "twin"),
    ];
    let [one, two] = twins;
    let house = house_with_nodes(vec![gone, one, two]).await;
    for (line, code, said, advice) in [
        (
            "node = \"office\"",
            "node_offline",
            "ConnectionLost",
            "amazon-ssm-agent",
        ),
        (
            "node = \"twin\"",
            "several_fit",
            "mi-00000000000000002 (twin, 10.0.0.7)",
            "node = ",
        ),
        ("node = \"offcie\"", "not_found", "offcie", "`office`"),
        (
            "node = \"mi-0fedcba9876543210\"",
            "not_found",
            "ap-northeast-1",
            "`node`",
        ),
        (
            "node = \"tag:no=such\"",
            "not_found",
            "tag:no=such",
            "`node`",
        ),
    ] {
        let daemon = house.daemon(&through(line)).await;
        assert_reset(&mut daemon.connect().await).await;
        let problem = daemon.problem(code).await;
        assert!(problem.message.contains(said), "{line}: {problem:?}");
        let hint = problem.hint.expect("a hint");
        assert!(hint.contains(advice), "{line}: {hint}");
        daemon.client.down("app-db").await.expect("it is down");
        daemon.stop().await;
    }
    assert_eq!(house.world().count("StartSession"), 0);
    house.sweep().await;
}

#[tokio::test]
async fn without_the_advanced_tier_the_command_that_turns_it_on_is_told() {
    let house = house_with_nodes(vec![node(NODE, "office")]).await;
    let words =
        "Enable advanced-instances tier to use Session Manager with your on-premises instances";
    let fault = ApiFault::Error(400, "BadRequest".into(), words.into());
    house.world().fail_always("StartSession", fault);
    let daemon = house.daemon(&through("node = \"office\"")).await;
    assert_reset(&mut daemon.connect().await).await;
    let problem = daemon.problem("unsuitable").await;
    let hint = problem.hint.expect("a hint");
    assert!(hint.contains("--setting-value advanced"), "{hint}");
    house.close(daemon).await;
}

#[tokio::test]
async fn a_denied_list_of_nodes_is_told_with_the_statement_that_grants_it() {
    let house = house_with_nodes(vec![node(NODE, "office")]).await;
    let denied = ApiFault::AccessDenied;
    house
        .world()
        .fail_always("DescribeInstanceInformation", denied);
    let daemon = house.daemon(&through("node = \"office\"")).await;
    assert_reset(&mut daemon.connect().await).await;
    let hint = daemon.problem("access_denied").await.hint.expect("a hint");
    let statement = hint
        .lines()
        .last()
        .and_then(|it| it.strip_prefix("statement: "));
    let statement: Value = serde_json::from_str(statement.expect("a statement")).expect("JSON");
    assert_eq!(statement["Action"], "ssm:DescribeInstanceInformation");
    house.close(daemon).await;
}

#[tokio::test]
async fn a_fixed_target_needs_no_call_but_those_of_its_sessions() {
    let house = house_with_nodes(vec![node(NODE, "office")]).await;
    let terms = Terms {
        via: "target = \"mi-0123456789abcdef0\"",
        ..Terms::default()
    };
    let daemon = house.daemon(&terms).await;
    daemon.served().await;
    daemon.is(TunnelState::Ready).await;
    let asked = crate::support::operations(house.world());
    let others = ["StartSession", "GetCallerIdentity"];
    assert!(
        asked.iter().all(|it| others.contains(&it.as_str())),
        "{asked:?}"
    );
    house.close(daemon).await;
}

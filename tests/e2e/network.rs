//! Where a task runs: found in the VPC of the database, or by tags and names, and told with the reasons.

use bastiond::sim::{
    ApiFault, DbCluster, Destination, Endpoint, Network, RouteTable, Script, SecurityGroup, Subnet,
};
use bastiond::status::{Bastion, ChosenKind, Status};
use serde_json::{Value, json};

use crate::support::{Daemon, Database, House, Terms, assert_reset, echo, hang_up};

const REGION_A: &str = "ap-northeast-1a";
const REGION_C: &str = "ap-northeast-1c";

/// A VPC as many have it: public, private and isolated subnets in two zones, and another VPC beside it.
fn network() -> Network {
    let subnet = |id: &str, zone: &str| Subnet::new(id, "vpc-1", zone);
    Network {
        subnets: vec![
            subnet("subnet-public", REGION_C).tag("Name", "public"),
            subnet("subnet-a", REGION_A).tag("Tier", "priv\u{e9}e_1"),
            subnet("subnet-c", REGION_C).tag("Tier", "priv\u{e9}e_1"),
            subnet("subnet-db", REGION_C),
            Subnet::new("subnet-other", "vpc-2", REGION_C),
        ],
        route_tables: vec![
            RouteTable::new("rtb-public", "vpc-1", &["subnet-public"], Some("igw-1")),
            RouteTable::new(
                "rtb-private",
                "vpc-1",
                &["subnet-a", "subnet-c"],
                Some("nat-1"),
            ),
            RouteTable {
                main: true,
                ..RouteTable::new("rtb-main", "vpc-1", &[], None)
            },
        ],
        security_groups: vec![
            SecurityGroup::new("sg-default", "vpc-1", "default"),
            SecurityGroup::new("sg-task", "vpc-1", "x").tag("bastiond:stack", "bastion"),
            SecurityGroup::new("sg-db", "vpc-1", "db").lets_in(5433, "sg-task"),
            SecurityGroup::new("sg-elsewhere", "vpc-2", "y").tag("bastiond:stack", "bastion"),
        ],
        endpoints: Vec::new(),
        ..Network::default()
    }
}

async fn house(network: Network) -> House {
    let database = Database::serve(echo).await;
    let cluster = DbCluster {
        id: "app".into(),
        engine: "aurora-postgresql".into(),
        endpoint: "app.cluster-x".into(),
        port: 5433,
        vpc: "vpc-1".into(),
        zone: REGION_C.into(),
        security_group: "sg-db".into(),
    };
    let script = Script {
        db_clusters: vec![cluster],
        network,
        destination: Destination::Everything(database.address),
        page_size: 2,
        ..Script::fast()
    };
    House::wholly(script, database).await
}

fn terms(network: &'static str) -> Terms {
    Terms {
        network,
        host: Some("rds-cluster:app"),
        port: "",
        ..Terms::default()
    }
}

/// What RunTask was told.
fn place(house: &House) -> Value {
    let call = house
        .world()
        .calls("RunTask")
        .pop()
        .expect("a task was run");
    call.body["networkConfiguration"]["awsvpcConfiguration"].clone()
}

async fn bastion(daemon: &Daemon) -> Bastion {
    let status: Status = daemon.client.status().await.expect("a status");
    status.bastions.into_iter().next().expect("a bastion")
}

#[tokio::test]
async fn what_is_left_out_is_found_in_the_vpc_of_the_database_and_its_zone_first() {
    let house = house(network()).await;
    let daemon = house.daemon(&terms("")).await;
    let _client = daemon.served().await;
    assert_eq!(
        place(&house),
        json!({
            "subnets": ["subnet-c", "subnet-a"],
            "securityGroups": ["sg-task"],
            "assignPublicIp": "DISABLED",
        })
    );
    let told: Vec<_> = bastion(&daemon).await.network;
    let told: Vec<_> = told
        .iter()
        .map(|it| (it.kind, it.value.as_str(), it.reason.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (
                ChosenKind::Subnet,
                "subnet-c",
                "found: in the database's zone ap-northeast-1c; way out by nat-1; 250 addresses free"
            ),
            (
                ChosenKind::Subnet,
                "subnet-a",
                "found: in zone ap-northeast-1a; way out by nat-1; 250 addresses free"
            ),
            (
                ChosenKind::SecurityGroup,
                "sg-task",
                "found: x has the tag bastiond:stack=bastion"
            ),
        ]
    );
    assert_eq!(
        house.world().count("DescribeVpcEndpoints"),
        0,
        "they do not matter"
    );
    house.close(daemon).await;
}

#[tokio::test]
async fn tags_and_names_are_looked_up_and_the_way_out_decides_about_a_public_address() {
    let house = house(network()).await;
    let by_tag = "subnets = [\"tag:Tier=priv\u{e9}e_1\"]\nsecurity_groups = [\"db\", \"sg-task\"]";
    let daemon = house.daemon(&terms(by_tag)).await;
    hang_up(daemon.served().await);
    assert_eq!(
        place(&house),
        json!({
            "subnets": ["subnet-a", "subnet-c"],
            "securityGroups": ["sg-db", "sg-task"],
            "assignPublicIp": "DISABLED",
        })
    );
    daemon.client.down("app-db").await.expect("it is down");
    daemon.stop().await;
    let daemon = house.daemon(&terms("subnets = [\"public\"]")).await;
    let _client = daemon.served().await;
    assert_eq!(place(&house)["assignPublicIp"], "ENABLED");
    house.close(daemon).await;
}

#[tokio::test]
async fn ids_need_no_call() {
    let house = house(network()).await;
    let daemon = house.daemon(&terms(Terms::default().network)).await;
    let _client = daemon.served().await;
    let calls = house.world().all_calls();
    let is_of_ec2 =
        |operation: &str| operation.contains("Subnets") || operation.contains("Security");
    assert!(!calls.iter().any(|call| is_of_ec2(&call.operation)));
    house.close(daemon).await;
}

#[tokio::test]
async fn two_laptops_that_found_other_subnets_share_a_task() {
    let house = house(network()).await;
    let ana = house.daemon_in(&terms(""), "ana").await;
    let _first = ana.served().await;
    let mut changed = network();
    changed.subnets.retain(|subnet| subnet.id != "subnet-c");
    house.world().set_network(changed);
    let kim = house.daemon_in(&terms(""), "kim").await;
    let _second = kim.served().await;
    assert_eq!(house.world().count("RunTask"), 1);
    assert_eq!(bastion(&kim).await.network[0].value, "subnet-a");
    kim.stop().await;
    house.close(ana).await;
}

#[tokio::test]
async fn isolated_subnets_serve_with_endpoints_and_their_lack_is_told() {
    let mut network = network();
    network.route_tables[1].blackhole = true;
    network.route_tables.remove(0);
    let house = house(network.clone()).await;
    let daemon = house.daemon(&terms("assign_public_ip = false")).await;
    assert_reset(&mut daemon.connect().await).await;
    let problem = daemon.problem("not_found").await;
    let lacks = "`subnet-a (no way out, and no endpoint for ssmmessages, ecr.api, ecr.dkr, s3)`";
    assert!(problem.message.contains(lacks), "{}", problem.message);
    for service in ["ssmmessages", "ecr.api", "ecr.dkr"] {
        network
            .endpoints
            .push(Endpoint::interface("vpc-1", service));
    }
    network
        .endpoints
        .push(Endpoint::gateway("vpc-1", "s3", "rtb-main"));
    house.world().set_network(network);
    daemon.client.up("app-db").await.expect("it is up");
    let _client = daemon.served().await;
    // Of the tables only the main one knows the way to S3.
    assert_eq!(place(&house)["subnets"], json!(["subnet-db"]));
    house.close(daemon).await;
}

#[tokio::test]
async fn what_may_be_in_the_way_is_told_and_stops_nobody() {
    let mut network = network();
    network.security_groups[2].rules.clear();
    let house = house(network).await;
    let daemon = house.daemon(&terms("")).await;
    let _client = daemon.served().await;
    let told = bastion(&daemon).await.network.pop().expect("a caution");
    assert_eq!(told.kind, ChosenKind::Caution);
    assert_eq!(
        told.reason,
        "no rule of the database's sg-db lets sg-task in at port 5433"
    );
    house.close(daemon).await;
}

/// One row for each call that the search makes.
#[tokio::test]
async fn whichever_call_is_denied_the_statement_that_grants_it_is_told() {
    let house = house(network()).await;
    let world = house.world();
    let daemon = house.daemon(&terms("")).await;
    for (operation, action) in [
        ("DescribeDBClusters", "rds:DescribeDBClusters"),
        ("DescribeDBInstances", "rds:DescribeDBInstances"),
        ("DescribeSubnets", "ec2:DescribeSubnets"),
        ("DescribeRouteTables", "ec2:DescribeRouteTables"),
        ("DescribeSecurityGroups", "ec2:DescribeSecurityGroups"),
    ] {
        world.fail_always(operation, ApiFault::AccessDenied);
        daemon.client.up("app-db").await.expect_err(operation);
        let status = daemon.client.status().await.expect("a status");
        let hints = status.problems.iter().filter_map(|it| it.hint.as_deref());
        let hints: String = hints.collect();
        assert!(
            hints.contains(&format!("action: {action}")),
            "{operation}: {hints}"
        );
        assert!(hints.contains("\"Sid\":\"Discover"), "{operation}: {hints}");
        world.heal(operation);
    }
    // Without the rules nothing is doubted.
    world.fail_always("DescribeSecurityGroupRules", ApiFault::AccessDenied);
    daemon.client.up("app-db").await.expect("it is up");
    let _client = daemon.served().await;
    house.close(daemon).await;
}

#[tokio::test]
async fn several_that_fit_are_named_and_none_is_taken() {
    let mut network = network();
    let twin = SecurityGroup::new("sg-twin", "vpc-1", "z").tag("bastiond:stack", "bastion");
    network.security_groups.push(twin);
    let house = house(network).await;
    let daemon = house.daemon(&terms("")).await;
    assert_reset(&mut daemon.connect().await).await;
    let problem = daemon.problem("several_fit").await;
    let named =
        "2 security groups have the tag bastiond:stack=bastion: `sg-task (x)`, `sg-twin (z)`";
    assert!(problem.message.contains(named), "{}", problem.message);
    assert_eq!(house.world().count("RunTask"), 0);
    house.close(daemon).await;
}

#[tokio::test]
async fn an_empty_account_is_told_what_to_set() {
    let house = house(Network::default()).await;
    let daemon = house.daemon(&terms("")).await;
    assert_reset(&mut daemon.connect().await).await;
    let problem = daemon.problem("not_found").await;
    assert!(
        problem.message.contains("has no subnet that is to be seen"),
        "{}",
        problem.message
    );
    let plain = Terms {
        host: Some("db.internal"),
        port: "port = 5432",
        ..terms("")
    };
    let other = house.daemon_in(&plain, "other").await;
    assert_reset(&mut other.connect().await).await;
    let problem = other.problem("aws_configuration").await;
    assert_eq!(
        problem.hint.as_deref(),
        Some("set `subnets` of the bastion")
    );
    other.stop().await;
    house.close(daemon).await;
}

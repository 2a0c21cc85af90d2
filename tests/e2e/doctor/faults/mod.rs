//! Each fault in turn: exactly its check fires, with the fix.

mod definition;
mod network;
mod policies;
mod running;

use std::time::Duration;

use bastiond::doctor::Level;
use bastiond::sim::{ApiFault, Endpoint, Faults, Network, World};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{GROUP, SUBNET, VPC, account, examined, fired, left_running, look};
use crate::support::{House, Terms};

/// A fault: the check that must fire, words of its fix, and how it is planted.
type Fault = (&'static str, &'static str, Plant);

/// The database is named by its id.
const DATABASE: Plant = Plant::Text("host = \"db.internal\"", "host = \"rds-cluster:app\"");

enum Plant {
    /// AWS's answer to a call is altered.
    Answer(&'static str, fn(&mut Value)),
    /// AWS refuses a call.
    Refused(&'static str, ApiFault),
    /// The network is another.
    Network(fn(&mut Network)),
    /// The network and the definition, whose image is in ECR, are others.
    Isolated(fn(&mut Network)),
    /// The configuration's text says the second instead of the first.
    Text(&'static str, &'static str),
    /// Sessions meet this.
    Faults(fn(&mut Faults)),
    /// Several, one after the other.
    All(Vec<Plant>),
}

impl Plant {
    /// Gives the configuration.
    fn plant(self, world: &World, text: &str) -> String {
        match self {
            Self::Answer(operation, alter) => {
                world.fail_always(operation, ApiFault::Rewrite(alter));
            }
            Self::Refused(operation, fault) => world.fail_always(operation, fault),
            Self::Network(alter) => {
                let mut network = super::network();
                alter(&mut network);
                world.set_network(network);
            }
            Self::Isolated(alter) => {
                let mut network = isolated();
                alter(&mut network);
                world.set_network(network);
                world.fail_always("DescribeTaskDefinition", ApiFault::Rewrite(private_image));
            }
            Self::Text(from, to) => {
                assert!(text.contains(from), "{from}");
                return text.replace(from, to);
            }
            Self::Faults(alter) => {
                let mut faults = Faults::default();
                alter(&mut faults);
                world.set_faults(faults);
            }
            Self::All(plants) => {
                let planted = |text: String, plant: Self| plant.plant(world, &text);
                return plants.into_iter().fold(text.to_owned(), planted);
            }
        }
        text.to_owned()
    }
}

/// No way out, and every endpoint that stands in for one.
pub fn isolated() -> Network {
    let interface = |service: &str| Endpoint::interface(VPC, service);
    let mut network = super::network();
    network.route_tables[0].default_route = None;
    network.endpoints = ["ssmmessages", "logs", "ecr.api", "ecr.dkr"]
        .map(interface)
        .into();
    network.endpoints[0].groups = vec!["sg-endpoints".into()];
    network
        .endpoints
        .push(Endpoint::gateway(VPC, "s3", "rtb-1"));
    network
}

pub fn private_image(value: &mut Value) {
    container(value)["image"] =
        json!("123456789012.dkr.ecr.ap-northeast-1.amazonaws.com/busybox:1");
}

fn container(value: &mut Value) -> &mut Value {
    &mut value["taskDefinition"]["containerDefinitions"][0]
}

async fn fires(fault: Fault, with_task: bool) {
    let (id, fix, plant) = fault;
    // Of a database that says nothing one need not wait for long.
    let is_silent = id == "R03" && fix.contains("N05");
    let house = House::with(account()).await;
    if with_task {
        left_running(&house).await;
    }
    let text = house.config(&Terms::default());
    let mut text = plant.plant(house.world(), &text);
    if id == "L06" {
        // Nobody listens there.
        let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = gone.local_addr().expect("bound");
        drop(gone);
        text = text.replace(&house.sim.endpoint(), &format!("http://{address}"));
    }
    let report = examined(&house, &text, |request| {
        if is_silent {
            request.silence = Duration::from_millis(300);
        }
    })
    .await;
    assert_eq!(fired(&report), [id], "{fix}: {report:#?}");
    let finding = report.findings.iter().find(|it| it.id == id).expect("it");
    let told = finding.fix.as_deref().expect("a fix");
    assert!(told.contains(fix), "{id}: {told}");
    if is_silent {
        let path = report.findings.iter().find(|it| it.id == "N10");
        let path = path.and_then(|it| it.fix.as_deref()).expect("a command");
        assert!(
            path.contains("--source eni-") && path.contains("--destination-port 5432"),
            "{path}"
        );
    }
    assert_eq!(house.world().active_sessions().len(), 0);
    house.sweep().await;
}

#[tokio::test]
async fn faults_of_credentials_fire_their_check_alone() {
    for fault in policies::of_machine_and_credentials() {
        fires(fault, false).await;
    }
}

#[tokio::test]
async fn faults_of_the_definition_fire_their_check_alone() {
    for fault in definition::of_definition() {
        fires(fault, false).await;
    }
}

#[tokio::test]
async fn faults_of_the_network_fire_their_check_alone() {
    for fault in network::of_network() {
        fires(fault, false).await;
    }
}

#[tokio::test]
async fn faults_of_policies_and_sessions_fire_their_check_alone() {
    for fault in policies::of_policies_and_sessions() {
        fires(fault, false).await;
    }
}

#[tokio::test]
async fn faults_of_running_tasks_fire_their_check_alone() {
    for fault in running::of_running_tasks() {
        fires(fault, true).await;
    }
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_is_told_as_the_roles_fault() {
    let house = House::with(account()).await;
    let terms = Terms {
        top: "role_arn = \"arn:aws:iam::123456789012:role/start\"",
        ..Terms::default()
    };
    house
        .world()
        .fail_always("AssumeRole", ApiFault::AccessDenied);
    let report = look(&house, &house.config(&terms), &[]).await;
    assert_eq!(fired(&report), ["C03"], "{report:#?}");
    house.sweep().await;
}

#[tokio::test]
async fn a_taken_port_a_wrong_key_and_proxies_are_told() {
    let house = House::with(account()).await;
    let other = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let terms = Terms {
        listen: format!("\"{}\"", other.local_addr().expect("bound")),
        ..Terms::default()
    };
    let report = look(&house, &house.config(&terms), &[]).await;
    assert_eq!(fired(&report), ["L02"], "{report:#?}");

    let text = house.config(&Terms::default());
    let wrong = text.replace("shutdown_timeout", "shutdwn_timeout");
    let report = look(&house, &wrong, &[]).await;
    assert_eq!(fired(&report), ["L01"], "{report:#?}");
    assert!(report.findings[0].evidence.contains("shutdwn_timeout"));

    let proxied = |name: &str| (name == "HTTPS_PROXY").then(|| "http://127.0.0.1:9".to_owned());
    let report = examined(&house, &text, |request| request.lookup = proxied).await;
    assert_eq!(fired(&report), ["L07"], "{report:#?}");
    house.sweep().await;
}

#[tokio::test]
async fn subnets_groups_and_what_else_is_named_are_those_of_the_account() {
    let house = House::with(account()).await;
    let text = house.config(&Terms::default());
    look(&house, &text, &["N01", "N05"]).await;
    let subnets = house.world().calls("DescribeSubnets").remove(0);
    assert_eq!(subnets.body["Filter.1.Value.1"], SUBNET);
    let rules = house.world().calls("DescribeSecurityGroupRules").remove(0);
    assert_eq!(rules.body["Filter.1.Value.1"], GROUP);
    house.sweep().await;
}

/// It is no fault of ours, and no statement of ours mends it.
#[tokio::test]
async fn what_a_control_policy_denies_is_told_as_such() {
    let house = House::with(account()).await;
    let words = "User: me is not authorized to perform: ecs:DescribeClusters on resource: * with an explicit deny in a \
                 service control policy";
    let denied = ApiFault::Error(400, "AccessDeniedException".into(), words.into());
    house.world().fail_always("DescribeClusters", denied);
    let report = look(&house, &house.config(&Terms::default()), &[]).await;
    assert_eq!(fired(&report), Vec::<&str>::new(), "{report:#?}");
    let told = report
        .findings
        .iter()
        .find(|it| it.id == "I04")
        .expect("it");
    assert_eq!(told.level, Level::Info);
    let fix = told.fix.as_deref().expect("a fix");
    assert_eq!(
        fix,
        "ask the organisation's administrator to allow ecs:DescribeClusters"
    );
    house.sweep().await;
}

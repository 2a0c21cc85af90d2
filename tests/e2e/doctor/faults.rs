//! Each fault in turn: exactly its check fires, with the fix.

use bastiond::sim::{ApiFault, Endpoint, Network, World};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{GROUP, SUBNET, VPC, account, examined, fired, left_running, look, network};
use crate::support::{House, Terms};

/// A fault: the check that must fire, words of its fix, and how it is planted.
type Fault = (&'static str, &'static str, Plant);

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
                let mut network = network();
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
        }
        text.to_owned()
    }
}

/// No way out, and every endpoint that stands in for one.
pub fn isolated() -> Network {
    let interface = |service: &str| Endpoint::interface(VPC, service);
    let mut network = network();
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

/// A simulation in which `action` comes out so.
fn decide(value: &mut Value, action: &str, decision: &str) {
    let results = value["EvaluationResults"]["member"].as_array_mut();
    for result in results.into_iter().flatten() {
        if result["EvalActionName"] == action {
            result["EvalDecision"] = json!(decision);
        }
    }
}

fn content(value: &mut Value, alter: fn(&mut Value)) {
    let text = value["Content"].as_str().unwrap_or_default();
    let mut content: Value = serde_json::from_str(text).unwrap_or_default();
    alter(&mut content);
    value["Content"] = json!(content.to_string());
}

fn of_machine_and_credentials() -> Vec<Fault> {
    vec![
        (
            "L06",
            "let 127.0.0.1 through",
            Plant::Text(
                "region = \"ap-northeast-1\"",
                "region = \"ap-northeast-1\" # gone",
            ),
        ),
        (
            "C02",
            "account 999999999999",
            Plant::Text(
                "cluster = \"backend\"",
                "cluster = \"arn:aws:ecs:ap-northeast-1:999999999999:cluster/backend\"",
            ),
        ),
        (
            "C02",
            "",
            Plant::Refused("GetCallerIdentity", ApiFault::ExpiredToken),
        ),
        (
            "C04",
            "set `region` under [aws] to eu-west-1",
            Plant::Text(
                "cluster = \"backend\"",
                "cluster = \"arn:aws:ecs:eu-west-1:123456789012:cluster/backend\"",
            ),
        ),
        (
            "C04",
            "enable ap-northeast-1",
            Plant::Refused(
                "GetCallerIdentity",
                ApiFault::Error(
                    403,
                    "RegionDisabledException".into(),
                    "STS is not activated".into(),
                ),
            ),
        ),
    ]
}

fn of_definition() -> Vec<Fault> {
    let definition = |alter| Plant::Answer("DescribeTaskDefinition", alter);
    let cluster = |alter| Plant::Answer("DescribeClusters", alter);
    vec![
        (
            "T01",
            "aws ecs list-clusters",
            cluster(|it| it["clusters"][0]["status"] = json!("INACTIVE")),
        ),
        (
            "T02",
            "the family",
            definition(|it| it["taskDefinition"]["status"] = json!("INACTIVE")),
        ),
        (
            "T02",
            "awsvpc",
            definition(|it| it["taskDefinition"]["networkMode"] = json!("bridge")),
        ),
        (
            "T02",
            "FARGATE",
            definition(|it| it["taskDefinition"]["compatibilities"] = json!(["EC2"])),
        ),
        (
            "T02",
            "list-task-definition-families",
            Plant::Text(
                "task_definition = \"bastion\"",
                "task_definition = \"none\"",
            ),
        ),
        (
            "T03",
            "a taskRoleArn",
            definition(|it| it["taskDefinition"]["taskRoleArn"] = Value::Null),
        ),
        (
            "T03",
            "an executionRoleArn",
            definition(|it| it["taskDefinition"]["executionRoleArn"] = Value::Null),
        ),
        (
            "T04",
            "initProcessEnabled to true",
            definition(|it| container(it)["linuxParameters"] = json!({})),
        ),
        (
            "T05",
            "readonlyRootFilesystem to false for container `bastion`",
            definition(|it| container(it)["readonlyRootFilesystem"] = json!(true)),
        ),
        (
            "T06",
            "remove pidMode",
            definition(|it| it["taskDefinition"]["pidMode"] = json!("task")),
        ),
        (
            "T07",
            "remove AWS_PROFILE",
            definition(|it| {
                container(it)["environment"] = json!([{"name": "AWS_PROFILE", "value": "x"}, {"name": "IDLE_SECONDS", "value": "1"}]);
            }),
        ),
        (
            "T08",
            "set NO_PROXY",
            definition(|it| {
                container(it)["environment"] = json!([{"name": "HTTPS_PROXY", "value": "http://p"}, {"name": "IDLE_SECONDS", "value": "1"}]);
            }),
        ),
        (
            "T11",
            "create-log-group --region ap-northeast-1 --log-group-name /gone",
            definition(|it| {
                container(it)["logConfiguration"]["options"]["awslogs-group"] = json!("/gone")
            }),
        ),
        (
            "T11",
            "awslogs-region to ap-northeast-1",
            definition(|it| {
                container(it)["logConfiguration"]["options"]["awslogs-region"] = json!("eu-west-1")
            }),
        ),
        (
            "T12",
            "infra/watchdog.sh",
            definition(|it| container(it)["environment"] = json!([])),
        ),
        (
            "T13",
            "essential to true",
            definition(|it| container(it)["essential"] = json!(false)),
        ),
        (
            "T13",
            "stopTimeout",
            definition(|it| container(it)["stopTimeout"] = json!(60)),
        ),
        (
            "T14",
            "put-cluster-capacity-providers",
            Plant::Text(
                "cluster = \"backend\"",
                "capacity_provider = \"OURS\"\ncluster = \"backend\"",
            ),
        ),
    ]
}

fn of_network() -> Vec<Fault> {
    vec![
        (
            "T09",
            "copy public.ecr.aws",
            Plant::Network(|it| *it = isolated()),
        ),
        (
            "N01",
            "aws ec2 describe-subnets",
            Plant::Network(|it| it.subnets.clear()),
        ),
        (
            "N01",
            "free addresses",
            Plant::Network(|it| it.subnets[0].free_addresses = 3),
        ),
        (
            "N02",
            "assign_public_ip = true",
            Plant::Network(|it| it.route_tables[0].default_route = Some("igw-1".into())),
        ),
        (
            "N02",
            "default route",
            Plant::Network(|it| it.route_tables[0].blackhole = true),
        ),
        (
            "N03",
            "create-vpc-endpoint --region ap-northeast-1 --vpc-id vpc-0a1b2c3d --vpc-endpoint-type Interface --service-name com.amazonaws.ap-northeast-1.ssmmessages",
            Plant::Isolated(|it| drop(it.endpoints.remove(0))),
        ),
        (
            "N03",
            "com.amazonaws.ap-northeast-1.ecr.dkr",
            Plant::Isolated(|it| drop(it.endpoints.remove(3))),
        ),
        (
            "N03",
            "--private-dns-enabled",
            Plant::Isolated(|it| it.endpoints[0].private_dns = false),
        ),
        (
            "N03",
            "--group-id sg-endpoints --protocol tcp --port 443 --source-group sg-0a1b2c3d",
            Plant::Network(|it| drop(it.security_groups[1].rules.pop())),
        ),
        (
            "N04",
            "add rtb-1 to an S3 gateway",
            Plant::Isolated(|it| drop(it.endpoints.pop())),
        ),
        (
            "N05",
            "--group-id sg-0a1b2c3d",
            Plant::Network(|it| it.security_groups[0].rules.clear()),
        ),
        (
            "N05",
            "--port 5432",
            Plant::Network(|it| {
                let rule = &mut it.security_groups[0].rules[0];
                (rule.protocol, rule.ports) = ("tcp".into(), Some((443, 443)));
            }),
        ),
        (
            "N09",
            "IPv4",
            Plant::Answer("DescribeSubnets", |it| {
                it["subnetSet"]["item"][0]["cidrBlock"] = json!("");
            }),
        ),
        (
            "D01",
            "",
            Plant::Text("host = \"db.internal\"", "host = \"rds-cluster:gone\""),
        ),
    ]
}

fn of_policies_and_sessions() -> Vec<Fault> {
    let simulated = |alter| Plant::Answer("SimulatePrincipalPolicy", alter);
    vec![
        (
            "I01",
            "allow yourself ecs:RunTask on arn:aws:ecs:ap-northeast-1:123456789012:task-definition/bastion:3",
            simulated(|it| decide(it, "ecs:RunTask", "implicitDeny")),
        ),
        (
            "I02",
            "allow bastion-task ssmmessages:OpenControlChannel",
            simulated(|it| decide(it, "ssmmessages:OpenControlChannel", "implicitDeny")),
        ),
        (
            "I03",
            "allow bastion-execution logs:PutLogEvents",
            simulated(|it| decide(it, "logs:PutLogEvents", "implicitDeny")),
        ),
        (
            "I05",
            "remove the statement",
            simulated(|it| decide(it, "ssm:StartSession", "explicitDeny")),
        ),
        (
            "I06",
            "bastion-task allow ecs-tasks",
            Plant::Answer("GetRole", |it| {
                it["Role"]["AssumeRolePolicyDocument"] = json!("%7B%7D")
            }),
        ),
        (
            "S01",
            "idle session timeout",
            Plant::Refused(
                "GetDocument",
                ApiFault::Answer(json!({
                    "Content": "{\"sessionType\": \"Port\", \"inputs\": {\"idleSessionTimeout\": \"5\"}}",
                })),
            ),
        ),
        (
            "S02",
            "widen the allowedPattern of host",
            Plant::Answer("GetDocument", |it| {
                content(it, |it| {
                    it["parameters"]["host"]["allowedPattern"] = json!("^other$")
                });
            }),
        ),
        (
            "Q01",
            "--quota-code L-3032A538",
            Plant::Answer("GetServiceQuota", |it| it["Quota"]["Value"] = json!(0.0)),
        ),
    ]
}

fn of_running_tasks() -> Vec<Fault> {
    let tasks = |alter| Plant::Answer("DescribeTasks", alter);
    vec![
        (
            "R01",
            "stop-task",
            tasks(|it| it["tasks"][0]["enableExecuteCommand"] = json!(false)),
        ),
        (
            "R01",
            "stop-task",
            tasks(|it| it["tasks"][0]["platformVersion"] = json!("1.3.0")),
        ),
        (
            "R02",
            "ssmmessages.ap-northeast-1",
            Plant::Answer("GetConnectionStatus", |it| {
                it["Status"] = json!("notconnected")
            }),
        ),
        (
            "R04",
            "--task other",
            tasks(|it| {
                let mut other = it["tasks"][0].clone();
                other["taskArn"] =
                    json!("arn:aws:ecs:ap-northeast-1:123456789012:task/backend/other");
                other["createdAt"] = json!(4_000_000_000.0);
                it["tasks"].as_array_mut().expect("tasks").push(other);
            }),
        ),
        (
            "S03",
            "end sessions",
            Plant::Answer("DescribeSessions", |it| {
                let session = json!({"SessionId": "x", "Target": "y"});
                it["Sessions"] = json!(vec![session; 20]);
            }),
        ),
    ]
}

async fn fires(fault: Fault, with_task: bool) {
    let (id, fix, plant) = fault;
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
    let report = look(&house, &text, &[]).await;
    assert_eq!(fired(&report), [id], "{fix}: {report:#?}");
    let finding = report.findings.iter().find(|it| it.id == id).expect("it");
    let told = finding.fix.as_deref().expect("a fix");
    assert!(told.contains(fix), "{id}: {told}");
    house.sweep().await;
}

#[tokio::test]
async fn faults_of_credentials_fire_their_check_alone() {
    for fault in of_machine_and_credentials() {
        fires(fault, false).await;
    }
}

#[tokio::test]
async fn faults_of_the_definition_fire_their_check_alone() {
    for fault in of_definition() {
        fires(fault, false).await;
    }
}

#[tokio::test]
async fn faults_of_the_network_fire_their_check_alone() {
    for fault in of_network() {
        fires(fault, false).await;
    }
}

#[tokio::test]
async fn faults_of_policies_and_sessions_fire_their_check_alone() {
    for fault in of_policies_and_sessions() {
        fires(fault, false).await;
    }
}

#[tokio::test]
async fn faults_of_running_tasks_fire_their_check_alone() {
    for fault in of_running_tasks() {
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
    let report = examined(&house, &text, &[], proxied).await;
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

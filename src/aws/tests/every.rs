//! Every call that is made, and every trouble it can meet: each ends in time, with the right word, and is not
//! repeated more often than three times.

use std::{collections::BTreeMap, time::Instant};

use bytes::Bytes;
use futures_util::{
    FutureExt as _, TryFutureExt as _,
    future::{BoxFuture, join_all},
};
use http::Response;
use http_body_util::Full;
use serde_json::json;

use super::{
    super::fake::{Fake, answer, error, ok},
    *,
};

const OPERATIONS: [&str; 47] = [
    "ListTasks",
    "DescribeTasks",
    "RunTask",
    "StopTask",
    "DescribeServices",
    "UpdateService",
    "TagResource",
    "StartSession",
    "ExecuteCommand",
    "GenerateDataKey",
    "ResumeSession",
    "TerminateSession",
    "GetConnectionStatus",
    "DescribeSessions",
    "GetCallerIdentity",
    "AssumeRole",
    "DescribeSubnets",
    "DescribeRouteTables",
    "DescribeSecurityGroups",
    "DescribeSecurityGroupRules",
    "DescribeVpcEndpoints",
    "DescribeInstances",
    "StartInstances",
    "StopInstances",
    "DescribeInstanceInformation",
    "DeregisterManagedInstance",
    "DescribeClusters",
    "DescribeTaskDefinition",
    "GetDocument",
    "DescribeLogGroups",
    "GetServiceQuota",
    "SimulatePrincipalPolicy",
    "GetRole",
    "GetMetricStatistics",
    "BatchGetImage",
    "DescribeNetworkAcls",
    "DescribeVpcAttribute",
    "DescribeStacks",
    "CreateChangeSet",
    "DescribeChangeSet",
    "ListChangeSets",
    "ExecuteChangeSet",
    "DeleteChangeSet",
    "DescribeStackEvents",
    "DescribeStackResources",
    "GetTemplate",
    "DeleteStack",
];

/// Makes the call; what it gives is not of interest here.
async fn make(aws: &Aws, operation: &str) -> Result<(), Error> {
    let (id, run, context) = (SessionId::new("me-1"), run(), BTreeMap::new());
    let arns = ["arn:1".to_owned()];
    let call: BoxFuture<'_, Result<(), Error>> = match operation {
        "ListTasks" => aws
            .list_tasks("c", Some("f"), Desired::Running)
            .map_ok(drop)
            .boxed(),
        "DescribeTasks" => aws.describe_tasks("c", &arns).map_ok(drop).boxed(),
        "RunTask" => aws.run_task(&run).map_ok(drop).boxed(),
        "StopTask" => aws.stop_task("c", "arn:1", "enough").boxed(),
        "DescribeServices" => aws.service("c", "s").map_ok(drop).boxed(),
        "UpdateService" => aws.scale_service("c", "s", 1).boxed(),
        "TagResource" => aws.tag_service("arn:1", "k", "v").boxed(),
        "StartSession" => aws.start_session("t", None, 1, "r").map_ok(drop).boxed(),
        "ExecuteCommand" => aws
            .execute_command("c", "1", None, "sh")
            .map_ok(drop)
            .boxed(),
        "GenerateDataKey" => aws.data_key("k", &context).map_ok(drop).boxed(),
        "ResumeSession" => aws.resume_session(&id).map_ok(drop).boxed(),
        "TerminateSession" => aws.terminate_session(&id).boxed(),
        "GetConnectionStatus" => aws.connection_status("t").map_ok(drop).boxed(),
        "DescribeSessions" => aws.active_sessions("t").map_ok(drop).boxed(),
        "DescribeSubnets" => aws.subnets(&[]).map_ok(drop).boxed(),
        "DescribeRouteTables" => aws.route_tables(&[]).map_ok(drop).boxed(),
        "DescribeSecurityGroups" => aws.security_groups(&[]).map_ok(drop).boxed(),
        "DescribeSecurityGroupRules" => aws.security_group_rules(&[]).map_ok(drop).boxed(),
        "DescribeVpcEndpoints" => aws.vpc_endpoints(&[]).map_ok(drop).boxed(),
        "DescribeInstances" => aws.instances(&[]).map_ok(drop).boxed(),
        "StartInstances" => aws.start_instance("i-1").boxed(),
        "StopInstances" => aws.stop_instance("i-1").boxed(),
        "DescribeInstanceInformation" => aws.nodes(Nodes::Hybrid).map_ok(drop).boxed(),
        "DeregisterManagedInstance" => aws.deregister_node("mi-1").boxed(),
        "DescribeClusters" => aws.cluster("c").map_ok(drop).boxed(),
        "DescribeTaskDefinition" => aws.task_definition("f").map_ok(drop).boxed(),
        "GetDocument" => aws.session_document("d").map_ok(drop).boxed(),
        "DescribeLogGroups" => aws.has_log_group("g").map_ok(drop).boxed(),
        "GetServiceQuota" => aws.fargate_quota("L-1").map_ok(drop).boxed(),
        "SimulatePrincipalPolicy" => {
            let asked = async { aws.simulate("arn:1", &Question::default()).await };
            asked.map_ok(drop).boxed()
        }
        "GetRole" => aws.role("r").map_ok(drop).boxed(),
        "GetMetricStatistics" => {
            let asked = async { aws.usage(&UsageMetric::default()).await };
            asked.map_ok(drop).boxed()
        }
        "BatchGetImage" => {
            let asked = async { aws.image_architectures(&image()).await };
            asked.map_ok(drop).boxed()
        }
        "DescribeNetworkAcls" => aws.network_acls(&[]).map_ok(drop).boxed(),
        "DescribeVpcAttribute" => aws.vpc_dns("vpc-1").map_ok(drop).boxed(),
        "DescribeStacks" => aws.stacks().map_ok(drop).boxed(),
        "CreateChangeSet" => {
            let nothing = BTreeMap::new();
            let made = async move { aws.create_change_set(change_set(&nothing)).await };
            made.map_ok(drop).boxed()
        }
        "DescribeChangeSet" => aws.change_set("s", "c").map_ok(drop).boxed(),
        "ListChangeSets" => aws.change_sets("s").map_ok(drop).boxed(),
        "ExecuteChangeSet" => aws.execute_change_set("s", "c").boxed(),
        "DeleteChangeSet" => aws.delete_change_set("s", "c").boxed(),
        "DescribeStackEvents" => aws.stack_events("s").map_ok(drop).boxed(),
        "DescribeStackResources" => aws.stack_resources("s").map_ok(drop).boxed(),
        "GetTemplate" => aws.stack_template("s").map_ok(drop).boxed(),
        "DeleteStack" => aws.delete_stack("s", "t").boxed(),
        _ => aws.identity().map_ok(drop).boxed(),
    };
    call.await
}

fn image() -> Image {
    Image::parse("123456789012.dkr.ecr.eu-west-1.amazonaws.com/busybox:1").expect("one of ECR")
}

fn change_set(nothing: &BTreeMap<String, String>) -> NewChangeSet<'_> {
    NewChangeSet {
        stack: "s",
        name: "c",
        is_new: true,
        template: "t",
        parameters: nothing,
        tags: nothing,
    }
}

fn run() -> RunTask {
    RunTask {
        cluster: "c".into(),
        task_definition: "bastion".into(),
        subnets: vec!["subnet-1".into()],
        security_groups: Vec::new(),
        assign_public_ip: false,
        capacity_providers: Vec::new(),
        exec: true,
        platform_version: None,
        started_by: "bastiond/shared".into(),
        tags: BTreeMap::new(),
        propagate_tags: true,
        group: None,
        overrides: config::Overrides::default(),
        client_token: "token".into(),
    }
}

/// How each operation fails against `fake`, and how often it was sent.
async fn failures(fake: &Fake, limits: Timeouts) -> Vec<(&'static str, Error, usize)> {
    let net = &net(&[]);
    let all = OPERATIONS.map(|operation| {
        async move {
            let mut config = config(fake.url());
            if operation == "AssumeRole" {
                config.role_arn = Some("arn:aws:iam::123456789012:role/start".into());
            }
            let aws = with(&config, net, limits).await;
            let failed = make(&aws, operation).await;
            (operation, failed.expect_err(operation))
        }
        .boxed()
    });
    let failed = join_all(all).await.into_iter();
    let sent = |operation: &str| {
        let calls = fake.calls().into_iter();
        calls.filter(|call| call.operation == operation).count()
    };
    failed
        .map(|(operation, error)| (operation, error, sent(operation)))
        .collect()
}

fn refused(
    operation: &str,
    status: u16,
    code: &str,
    message: &str,
) -> Option<Response<Full<Bytes>>> {
    match operation {
        _ if is_of_query(operation) => answer(
            status,
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                 </ErrorResponse>"
            ),
        ),
        _ if is_of_ec2(operation) => answer(
            status,
            format!(
                "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
                 <RequestID>r-1</RequestID></Response>"
            ),
        ),
        _ => error(status, code, message),
    }
}

/// Those that speak XML, but for EC2.
fn is_of_query(operation: &str) -> bool {
    let of_iam = [
        "GetCallerIdentity",
        "AssumeRole",
        "GetRole",
        "SimulatePrincipalPolicy",
        "GetMetricStatistics",
    ];
    of_iam.contains(&operation) || is_of_stacks(operation)
}

fn is_of_stacks(operation: &str) -> bool {
    operation.contains("Stack") || operation.contains("ChangeSet") || operation == "GetTemplate"
}

fn is_of_ec2(operation: &str) -> bool {
    [
        "Subnets",
        "RouteTables",
        "SecurityGroup",
        "VpcEndpoints",
        "VpcAttribute",
        "NetworkAcls",
        "Instances",
    ]
    .iter()
    .any(|thing| operation.contains(thing))
}

/// For calls that are answered, however busy this machine is with other tests.
const PATIENT: Timeouts = Timeouts {
    connect: Duration::from_secs(60),
    attempt: Duration::from_secs(60),
    operation: Duration::from_secs(300),
};

#[tokio::test]
async fn every_call_that_aws_turns_away_says_why_and_is_not_sent_more_than_three_times() {
    let rows = [
        (
            400,
            "ThrottlingException",
            "Rate exceeded",
            Kind::Throttled,
            3,
        ),
        (429, "SlowDownPlease", "too many", Kind::Throttled, 3),
        (500, "InternalFailure", "our fault", Kind::Transient, 3),
        (503, "ServiceUnavailable", "our fault", Kind::Transient, 3),
        (
            400,
            "ExpiredToken",
            "it is over",
            Kind::Login(Login::Expired),
            1,
        ),
        (403, "RequestExpired", "too late", Kind::ClockSkew(None), 3),
    ];
    // One after the other: so many at once would make a busy machine look like a silent one.
    for (status, code, message, kind, at_most) in rows {
        let script = move |call: &super::super::fake::Call, _| {
            refused(&call.operation, status, code, message)
        };
        let fake = Fake::start(script).await;
        for (operation, failed, sent) in failures(&fake, PATIENT).await {
            let is_it = std::mem::discriminant(&failed.kind) == std::mem::discriminant(&kind);
            assert!(is_it, "{operation}: {failed:?}");
            assert!((1..=at_most).contains(&sent), "{operation} {code}: {sent}");
        }
    }
}

#[tokio::test]
async fn every_call_ends_in_time_when_no_answer_comes() {
    let fake = Fake::start(|_, _| None).await;
    let short = Duration::from_millis(500);
    let limits = Timeouts {
        connect: short,
        attempt: short,
        operation: 2 * short,
    };
    let began = Instant::now();
    for (operation, failed, sent) in failures(&fake, limits).await {
        assert_eq!(failed.kind, Kind::Timeout, "{operation}: {failed}");
        assert!(sent <= 3, "{operation}: {sent}");
    }
    // Three attempts, the pauses between them, and a busy machine.
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn every_call_to_a_closed_port_says_so() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = free.local_addr().unwrap();
    drop(free);
    let all = OPERATIONS.map(|operation| {
        async move {
            let mut config = config(format!("http://{closed}"));
            if operation == "AssumeRole" {
                config.role_arn = Some("arn:aws:iam::123456789012:role/start".into());
            }
            let aws = with(&config, &net(&[]), PATIENT).await;
            let failed = make(&aws, operation).await.unwrap_err();
            assert_eq!(failed.kind, Kind::Unreachable, "{operation}: {failed}");
            assert!(failed.is_retryable());
        }
        .boxed()
    });
    join_all(all).await;
}

#[tokio::test]
async fn an_answer_that_lacks_everything_breaks_nothing() {
    let fake = Fake::start(|call, _| match call.operation.as_str() {
        "GetCallerIdentity" | "AssumeRole" => answer(200, "<nothing/>".into()),
        operation if is_of_ec2(operation) || is_of_stacks(operation) => {
            answer(200, "<nothing/>".into())
        }
        _ => ok(json!({})),
    })
    .await;
    for operation in OPERATIONS.iter().filter(|name| **name != "AssumeRole") {
        let aws = aws(&fake).await;
        let outcome = make(&aws, operation).await;
        // Those that would have to be acted on are errors.
        let needs = [
            "DescribeTasks",
            "RunTask",
            "DescribeServices",
            "StartSession",
            "ExecuteCommand",
            "GenerateDataKey",
            "GetDocument",
            "SimulatePrincipalPolicy",
            "GetRole",
            "GetMetricStatistics",
        ]
        .contains(operation);
        let is_xml = is_of_ec2(operation) || is_of_stacks(operation);
        // What a VPC does not tell is as it is by itself.
        let is_told = is_xml && *operation != "DescribeVpcAttribute";
        let fails = needs || *operation == "GetCallerIdentity" || is_told;
        assert_eq!(outcome.is_err(), fails, "{operation}: {outcome:?}");
        if *operation == "RunTask" {
            assert!(outcome.unwrap_err().is_ambiguous(), "it may have been done");
        }
    }
}

#[tokio::test]
async fn a_task_without_a_name_is_no_task() {
    let fake = Fake::start(|_, _| ok(json!({"tasks": [{"lastStatus": "PENDING"}]}))).await;
    let failed = aws(&fake).await.run_task(&run()).await.unwrap_err();
    assert!(failed.is_ambiguous(), "{failed}");
}

#[tokio::test]
async fn calls_that_aws_allows_few_of_take_turns_whoever_makes_them() {
    for operation in ["ResumeSession", "TerminateSession", "DescribeSessions"] {
        let fake = Fake::start(|_, _| ok(json!({"Sessions": []}))).await;
        let aws = aws(&fake).await;
        let began = Instant::now();
        let all = (0..6).map(|_| make(&aws, operation));
        assert!(join_all(all).await.iter().all(Result::is_ok));
        assert_eq!(fake.calls().len(), 6);
        let took = began.elapsed();
        assert!(took >= Duration::from_secs(2), "{operation}: {took:?}");
    }
}

#[tokio::test]
async fn whichever_call_is_denied_its_action_and_the_statement_that_grants_it_are_told() {
    for (code, message) in [
        ("AccessDeniedException", "Access denied"),
        (
            "UnauthorizedOperation",
            "You are not authorized to perform this operation.",
        ),
    ] {
        let script =
            move |call: &super::super::fake::Call, _| refused(&call.operation, 400, code, message);
        let fake = Fake::start(script).await;
        let mut actions = Vec::new();
        for (operation, failed, sent) in failures(&fake, PATIENT).await {
            assert!(
                matches!(failed.kind, Kind::Denied(_)),
                "{operation}: {failed:?}"
            );
            assert_eq!((failed.message.as_str(), sent), (message, 1), "{operation}");
            let hint = failed.hint().unwrap();
            if operation == "GetCallerIdentity" {
                continue; // It needs no permission: nothing can be granted.
            }
            let lines: Vec<&str> = hint.lines().collect();
            let action = lines[1]
                .strip_prefix("action: ")
                .expect("a line for the action");
            assert!(
                action.ends_with(&format!(":{operation}")),
                "{operation}: {hint}"
            );
            let statement = lines.last().unwrap().strip_prefix("statement: ").unwrap();
            let statement: serde_json::Value = serde_json::from_str(statement).unwrap();
            assert_eq!(statement["Action"], action);
            actions.push(action.to_owned());
        }
        actions.sort();
        actions.dedup();
        assert_eq!(actions.len(), OPERATIONS.len() - 1, "each has its own");
    }
}

//! The simulator's sessions, identity and faults, by raw AWS calls.

use std::time::Duration;

use crate::support::{
    api::{Api, text},
    soon,
};
use bastiond::sim::{self, ApiFault, ManagedNode, Script, Sim};
use serde_json::{Value, json};

#[tokio::test]
async fn start_session_needs_a_connected_agent() {
    let script = Script {
        managed_nodes: nodes(),
        ..Script::fast()
    };
    let (sim, api) = start(script).await;
    let code = async |target: &str| {
        api.try_ssm("StartSession", start_session(target))
            .await
            .code()
    };
    assert_eq!(code("ecs:backend_0_0-1").await, "TargetNotConnected");
    assert_eq!(code("mi-0123456789abcdef0").await, "TargetNotConnected");
    assert_eq!(code("").await, "ValidationException");
    let node = "i-0123456789abcdef0";
    api.ssm("StartSession", start_session(node)).await;
    sim.world().set_node_connected(node, false);
    assert_eq!(code(node).await, "TargetNotConnected");
}

#[tokio::test]
async fn sessions_are_resumed_listed_and_ended() {
    let (_sim, api) = start(Script {
        managed_nodes: nodes(),
        ..Script::fast()
    })
    .await;
    let node = "i-0123456789abcdef0";
    let started = api.ssm("StartSession", start_session(node)).await;
    let session = json!({"SessionId": started["SessionId"]});
    assert!(text(&started["SessionId"]).starts_with("developer-"));
    let resumed = api.ssm("ResumeSession", session.clone()).await;
    assert_ne!(resumed["TokenValue"], started["TokenValue"]);
    assert_ne!(resumed["StreamUrl"], started["StreamUrl"]);

    let filter = json!({"State": "Active", "Filters": [{"key": "Target", "value": node}]});
    let listed = api.ssm("DescribeSessions", filter.clone()).await;
    assert_eq!(listed["Sessions"][0]["SessionId"], started["SessionId"]);
    let elsewhere = json!({"State": "Active", "Filters": [{"key": "Target", "value": "i-1"}]});
    assert_eq!(
        api.ssm("DescribeSessions", elsewhere).await["Sessions"],
        json!([])
    );

    assert_eq!(api.ssm("TerminateSession", session.clone()).await, session);
    assert_eq!(
        api.ssm("DescribeSessions", filter).await["Sessions"],
        json!([])
    );
    assert_eq!(
        api.ssm("ResumeSession", session.clone()).await["TokenValue"],
        ""
    );
    let unknown = json!({"SessionId": "developer-0"});
    assert_eq!(
        api.try_ssm("ResumeSession", unknown).await.code(),
        "DoesNotExistException"
    );
}

#[tokio::test]
async fn sts_answers_in_xml() {
    let (_sim, api) = start(Script::fast()).await;
    let call = async |form: &str| api.call(None, "sts", form.to_owned()).await.unwrap();
    let identity = call("Action=GetCallerIdentity&Version=2011-06-15").await;
    assert!(
        identity.body.contains("<Account>123456789012</Account>"),
        "{}",
        identity.body
    );
    assert!(identity.body.contains("<GetCallerIdentityResult>"));
    let role = "arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fstart-bastion";
    let assumed = call(&format!(
        "Action=AssumeRole&RoleArn={role}&RoleSessionName=me&Version=2011-06-15"
    ))
    .await;
    assert!(
        assumed.body.contains("assumed-role/start-bastion/me</Arn>"),
        "{}",
        assumed.body
    );
    assert!(assumed.body.contains("<Expiration>2"));
    let missing = call("Action=AssumeRole").await;
    assert_eq!(missing.status, 400);
    assert!(missing.body.contains("<Code>ValidationError</Code>"));
}

#[tokio::test]
async fn a_signature_for_another_service_is_refused() {
    let (sim, api) = start(Script::fast()).await;
    let target = Some("AmazonSSM.GetConnectionStatus");
    let body = json!({"Target": "i-1"}).to_string();
    let wrong = api.call(target, "ecs", body.clone()).await.unwrap();
    assert_eq!(wrong.code(), "InvalidSignatureException");
    let unsigned = api.call(target, "", body).await.unwrap();
    assert_eq!(unsigned.code(), "MissingAuthenticationTokenException");
    let calls = sim.world().calls("GetConnectionStatus");
    assert_eq!(
        (
            calls[0].signed_for.as_deref(),
            calls[1].signed_for.as_deref()
        ),
        (Some("ecs"), None)
    );
}

#[tokio::test]
async fn faults_strike_in_the_order_they_were_queued() {
    let (sim, api) = start(Script::fast()).await;
    let world = sim.world();
    world.fail_next("ListTasks", 2, ApiFault::Throttle);
    world.fail_next("ListTasks", 1, ApiFault::AccessDenied);
    world.fail_next("ListTasks", 1, ApiFault::ExpiredToken);
    world.fail_next("ListTasks", 1, ApiFault::Internal);
    world.fail_next(
        "ListTasks",
        1,
        ApiFault::Error(400, "ClientException".into(), "no".into()),
    );
    world.fail_next("ListTasks", 1, ApiFault::Answer(json!({"taskArns": ["x"]})));
    world.fail_next("ListTasks", 1, ApiFault::Delay(Duration::from_millis(5)));
    let mut codes = Vec::new();
    for _ in 0..6 {
        codes.push(
            api.try_ecs("ListTasks", json!({"cluster": "backend"}))
                .await
                .code(),
        );
    }
    let expected = [
        "ThrottlingException",
        "ThrottlingException",
        "AccessDeniedException",
        "ExpiredTokenException",
        "ServerException",
        "ClientException",
    ];
    assert_eq!(codes, expected);
    assert_eq!(api.list(json!({})).await, ["x"]);
    assert_eq!(api.list(json!({})).await, [""; 0]);
    let statuses: Vec<_> = world
        .calls("ListTasks")
        .iter()
        .map(|call| call.status)
        .collect();
    assert_eq!(statuses, [400, 400, 400, 400, 500, 400, 200, 200].map(Some));
}

#[tokio::test]
async fn a_denied_call_is_worded_like_iam() {
    let (sim, api) = start(Script::fast()).await;
    sim.world().fail_always("RunTask", ApiFault::AccessDenied);
    let message = text(&api.run_task("t", json!({})).await.json()["message"]);
    let expected = "is not authorized to perform: ecs:RunTask on resource: \
                    arn:aws:ecs:ap-northeast-1:123456789012:task-definition/bastion because no identity-based policy";
    assert!(message.contains(expected), "{message}");
    sim.world().heal("RunTask");
    api.task("t").await;
}

#[tokio::test]
async fn a_lost_answer_is_repaired_by_the_client_token() {
    let (sim, api) = start(Script::fast()).await;
    sim.world().fail_next("RunTask", 1, ApiFault::LoseAnswer);
    let call = json!({
        "cluster": "backend", "taskDefinition": "bastion", "launchType": "FARGATE", "enableExecuteCommand": true,
        "clientToken": "t", "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s"]}},
    });
    let target = Some("AmazonEC2ContainerServiceV20141113.RunTask");
    assert!(api.call(target, "ecs", call.to_string()).await.is_err());
    assert_eq!(sim.world().tasks().len(), 1);
    let again = api.ecs("RunTask", call).await;
    assert_eq!(
        again["tasks"][0]["taskArn"],
        json!(sim.world().tasks()[0].arn)
    );
    assert_eq!(sim.world().tasks().len(), 1);
}

#[tokio::test]
async fn a_reset_and_a_hang_leave_no_answer() {
    let (sim, api) = start(Script::fast()).await;
    let call = || {
        api.call(
            Some("AmazonSSM.GetConnectionStatus"),
            "ssm",
            r#"{"Target":"i-1"}"#.into(),
        )
    };
    sim.world()
        .fail_next("GetConnectionStatus", 1, ApiFault::Reset);
    assert!(call().await.is_err());
    sim.world()
        .fail_next("GetConnectionStatus", 1, ApiFault::Hang);
    assert!(
        tokio::time::timeout(Duration::from_millis(50), call())
            .await
            .is_err()
    );
    assert_eq!(sim.world().calls("GetConnectionStatus")[1].status, None);
    soon(sim.shutdown()).await;
}

#[tokio::test]
async fn an_answer_can_be_altered() {
    let (sim, api) = start(Script {
        managed_nodes: nodes(),
        ..Script::fast()
    })
    .await;
    sim.world().fail_next(
        "StartSession",
        1,
        ApiFault::Rewrite(|answer| answer["TokenValue"] = json!("stale")),
    );
    let started = api
        .ssm("StartSession", start_session("i-0123456789abcdef0"))
        .await;
    assert_eq!(started["TokenValue"], "stale");
    assert_eq!(sim.world().sessions().len(), 1);
}

#[tokio::test]
async fn what_is_not_an_aws_call_is_an_error() {
    let (_sim, api) = start(Script::fast()).await;
    let call = async |target: Option<&str>, body: &str| {
        api.call(target, "ecs", body.to_owned())
            .await
            .unwrap()
            .code()
    };
    assert_eq!(
        call(Some("AmazonEC2ContainerServiceV20141113.ListTasks"), "{").await,
        "SerializationException"
    );
    assert_eq!(
        call(Some("Nothing.ListTasks"), "{}").await,
        "UnknownOperationException"
    );
    assert_eq!(call(None, "").await, "MissingAction");
    let unknown = api
        .try_ecs("DescribeCapacityProviders", json!({"cluster": "backend"}))
        .await;
    assert_eq!(unknown.code(), "UnknownOperationException");
}

async fn start(script: Script) -> (Sim, Api) {
    let sim = sim::start(script).await.unwrap();
    let api = Api::of(&sim);
    (sim, api)
}

fn nodes() -> Vec<ManagedNode> {
    vec![
        ManagedNode {
            id: "i-0123456789abcdef0".into(),
            connected: true,
            ..ManagedNode::default()
        },
        ManagedNode {
            id: "mi-0123456789abcdef0".into(),
            connected: false,
            ..ManagedNode::default()
        },
    ]
}

fn start_session(target: &str) -> Value {
    json!({
        "Target": target,
        "DocumentName": "AWS-StartPortForwardingSession",
        "Parameters": {"portNumber": ["5432"], "localPortNumber": ["0"]},
    })
}

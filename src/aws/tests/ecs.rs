//! What ECS is asked, and what its answers become.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    super::fake::{Fake, answer, error, ok},
    *,
};

use crate::config::CapacityProvider;

const ARN: &str =
    "arn:aws:ecs:eu-west-1:123456789012:task/backend/0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn a_task_is_run_with_all_that_a_tunnel_needs() {
    let fake = Fake::start(|_, _| {
        ok(json!({"tasks": [{"taskArn": ARN, "lastStatus": "PROVISIONING"}], "failures": []}))
    })
    .await;
    let task = aws(&fake).await.run_task(&run()).await.unwrap();
    assert_eq!(
        (task.arn.as_str(), task.phase()),
        (ARN, "provisioning network")
    );
    let expected = json!({
        "cluster": "backend",
        "taskDefinition": "bastion",
        "count": 1,
        "launchType": "FARGATE",
        "enableExecuteCommand": true,
        "networkConfiguration": {"awsvpcConfiguration": {
            "subnets": ["subnet-1", "subnet-2"], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED"
        }},
        "startedBy": "bastiond/ab",
        "tags": [{"key": "bastiond:mode", "value": "shared"}],
        "propagateTags": "TASK_DEFINITION",
        "enableECSManagedTags": true,
        "clientToken": "token-1",
    });
    assert_eq!(fake.bodies("RunTask"), [expected]);
}

#[tokio::test]
async fn a_capacity_provider_takes_the_place_of_the_launch_type() {
    let fake = Fake::start(|_, _| ok(json!({"tasks": [{"taskArn": ARN}]}))).await;
    let spot = RunTask {
        capacity_providers: vec![CapacityProvider::only("FARGATE_SPOT")],
        platform_version: Some("1.4.0".into()),
        ..run()
    };
    aws(&fake).await.run_task(&spot).await.unwrap();
    let body = fake.bodies("RunTask").remove(0);
    assert!(body["launchType"].is_null());
    let strategy = json!([{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]);
    assert_eq!(body["capacityProviderStrategy"], strategy);
    assert_eq!(body["platformVersion"], "1.4.0");
}

#[tokio::test]
async fn a_strategy_goes_out_with_its_bases_and_weights() {
    let fake = Fake::start(|_, _| ok(json!({"tasks": [{"taskArn": ARN}]}))).await;
    let of = |name: &str, weight, base| CapacityProvider {
        name: name.into(),
        weight,
        base,
    };
    let both = RunTask {
        capacity_providers: vec![of("FARGATE", 0, 1), of("FARGATE_SPOT", 4, 0)],
        ..run()
    };
    aws(&fake).await.run_task(&both).await.unwrap();
    let body = fake.bodies("RunTask").remove(0);
    assert!(body["launchType"].is_null());
    let strategy = json!([
        {"capacityProvider": "FARGATE", "weight": 0, "base": 1},
        {"capacityProvider": "FARGATE_SPOT", "weight": 4, "base": 0},
    ]);
    assert_eq!(body["capacityProviderStrategy"], strategy);
}

#[tokio::test]
async fn what_is_different_from_the_task_definition_is_sent_in_the_words_of_ecs() {
    let fake = Fake::start(|_, _| ok(json!({"tasks": [{"taskArn": ARN}]}))).await;
    let container = config::ContainerOverride {
        command: Some(vec!["sleep".into(), "60".into()]),
        environment: [("IDLE".to_owned(), "5".to_owned())].into(),
        ..config::ContainerOverride::default()
    };
    let other = RunTask {
        propagate_tags: false,
        group: Some("bastions".into()),
        overrides: config::Overrides {
            cpu: Some(512),
            memory: Some(1024),
            ephemeral_storage: Some(30),
            task_role_arn: Some("arn:aws:iam::123456789012:role/task".into()),
            containers: [("bastion".to_owned(), container)].into(),
            ..config::Overrides::default()
        },
        ..run()
    };
    aws(&fake).await.run_task(&other).await.unwrap();
    let body = fake.bodies("RunTask").remove(0);
    assert!(body["propagateTags"].is_null());
    assert_eq!(body["group"], "bastions");
    let expected = json!({
        "containerOverrides": [{
            "name": "bastion", "command": ["sleep", "60"], "environment": [{"name": "IDLE", "value": "5"}],
        }],
        "cpu": "512",
        "memory": "1024",
        "ephemeralStorage": {"sizeInGiB": 30},
        "taskRoleArn": "arn:aws:iam::123456789012:role/task",
    });
    assert_eq!(body["overrides"], expected);
}

#[tokio::test]
async fn a_repeated_run_carries_the_same_token() {
    let fake = Fake::start(|_, n| match n {
        0 | 1 => error(500, "ServerException", "try again"),
        _ => ok(json!({"tasks": [{"taskArn": ARN}]})),
    })
    .await;
    aws(&fake).await.run_task(&run()).await.unwrap();
    let tokens: Vec<Value> = fake
        .bodies("RunTask")
        .into_iter()
        .map(|body| body["clientToken"].clone())
        .collect();
    assert_eq!(tokens, ["token-1"; 3]);
}

#[tokio::test]
async fn a_run_without_a_task_is_an_error_with_its_reason() {
    for (reason, kind) in [
        (
            "Capacity is unavailable at this time. Please try again later",
            Kind::Capacity,
        ),
        (
            "You've reached the limit on the number of tasks you can run concurrently",
            Kind::Quota,
        ),
        ("RESOURCE:ENI", Kind::Invalid),
        ("news", Kind::Other),
    ] {
        let fake =
            Fake::start(move |_, _| ok(json!({"tasks": [], "failures": [{"reason": reason}]})))
                .await;
        let failed = aws(&fake).await.run_task(&run()).await.unwrap_err();
        assert_eq!((&failed.kind, failed.message.as_str()), (&kind, reason));
    }
    let fake = Fake::start(|_, _| ok(json!({}))).await;
    assert_eq!(
        aws(&fake).await.run_task(&run()).await.unwrap_err().kind,
        Kind::Other
    );
}

#[tokio::test]
async fn a_conflict_names_the_task_to_adopt() {
    let fake = Fake::start(|_, _| {
        answer(
            400,
            json!({"__type": "ConflictException", "message": "in use", "resourceIds": [ARN]})
                .to_string(),
        )
    })
    .await;
    let failed = aws(&fake).await.run_task(&run()).await.unwrap_err();
    assert_eq!(
        (&failed.kind, failed.resource_ids.as_slice()),
        (&Kind::Conflict, [ARN.to_owned()].as_slice())
    );
}

#[tokio::test]
async fn a_denied_call_tells_action_request_and_advice() {
    let text = "User: arn:aws:sts::1:assumed-role/dev/me is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/task because no identity-based policy allows the iam:PassRole action";
    let fake = Fake::start(move |_, _| error(400, "AccessDeniedException", text)).await;
    let failed = aws(&fake).await.run_task(&run()).await.unwrap_err();
    let Kind::Denied(denied) = &failed.kind else {
        panic!("{failed:?}")
    };
    assert_eq!(
        (denied.action.as_deref(), denied.why),
        (Some("iam:PassRole"), Why::NotAllowed)
    );
    assert_eq!(failed.request_id.as_deref(), Some("req-1"));
    assert_eq!(
        failed.to_string(),
        format!(
            "RunTask: a policy does not allow the call: {text} (AccessDeniedException, request req-1)"
        )
    );
    assert!(failed.hint().unwrap().contains("arn:aws:iam::1:role/task"));
    assert_eq!(
        (failed.code_word(), failed.is_retryable()),
        ("access_denied", false)
    );
}

#[tokio::test]
async fn tasks_are_listed_page_by_page() {
    let fake = Fake::start(|call, _| match call.body["nextToken"].as_str() {
        None => ok(json!({"taskArns": ["a"], "nextToken": "2"})),
        Some(_) => ok(json!({"taskArns": ["b"]})),
    })
    .await;
    let arns = aws(&fake)
        .await
        .list_tasks("backend", Some("bastion"), Desired::Stopped)
        .await
        .unwrap();
    assert_eq!(arns, ["a", "b"]);
    let first = json!({"cluster": "backend", "family": "bastion", "desiredStatus": "STOPPED"});
    assert_eq!(fake.bodies("ListTasks")[0], first);
}

#[tokio::test]
async fn a_task_is_described_with_tags_and_agent() {
    let fake = Fake::start(|_, _| {
        ok(json!({"tasks": [task()], "failures": [{"arn": "x", "reason": "MISSING"}]}))
    })
    .await;
    let tasks = aws(&fake)
        .await
        .describe_tasks("backend", &[ARN.into(), "x".into()])
        .await
        .unwrap();
    let [task] = tasks.as_slice() else {
        panic!("{tasks:?}")
    };
    assert_eq!(task.tags["bastiond:mode"], "shared");
    assert_eq!(
        task.target(None).unwrap(),
        "ecs:backend_0123456789abcdef0123456789abcdef_0123-77"
    );
    assert_eq!(
        task.containers[0].exec_agent.as_ref().unwrap().status,
        "RUNNING"
    );
    assert_eq!(
        task.created_at,
        Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_500))
    );
    assert_eq!(
        fake.bodies("DescribeTasks"),
        [json!({"cluster": "backend", "tasks": [ARN, "x"], "include": ["TAGS"]})]
    );
}

#[tokio::test]
async fn many_tasks_are_described_by_the_hundred() {
    let fake = Fake::start(|_, _| ok(json!({"tasks": [task()]}))).await;
    let arns: Vec<String> = (0..101).map(|n| n.to_string()).collect();
    assert_eq!(
        aws(&fake)
            .await
            .describe_tasks("backend", &arns)
            .await
            .unwrap()
            .len(),
        2
    );
    assert!(
        aws(&fake)
            .await
            .describe_tasks("backend", &[])
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_task_that_is_gone_counts_as_stopped() {
    let fake = Fake::start(|_, n| match n {
        0 => error(
            400,
            "InvalidParameterException",
            "The referenced task was not found.",
        ),
        1 => error(400, "ClusterNotFoundException", "Cluster not found."),
        _ => ok(json!({"task": {"taskArn": ARN}})),
    })
    .await;
    let aws = aws(&fake).await;
    aws.stop_task("backend", ARN, &"x".repeat(999))
        .await
        .unwrap();
    assert_eq!(
        aws.stop_task("backend", ARN, "why").await.unwrap_err().kind,
        Kind::NotFound
    );
    aws.stop_task("backend", ARN, "why").await.unwrap();
    assert_eq!(
        fake.bodies("StopTask")[0]["reason"].as_str().unwrap().len(),
        255
    );
}

fn run() -> RunTask {
    RunTask {
        exec: true,
        cluster: "backend".into(),
        task_definition: "bastion".into(),
        subnets: vec!["subnet-1".into(), "subnet-2".into()],
        security_groups: vec!["sg-1".into()],
        assign_public_ip: false,
        capacity_providers: Vec::new(),
        platform_version: None,
        started_by: "bastiond/ab".into(),
        tags: BTreeMap::from([("bastiond:mode".into(), "shared".into())]),
        propagate_tags: true,
        group: None,
        overrides: config::Overrides::default(),
        client_token: "token-1".into(),
    }
}

fn task() -> Value {
    json!({
        "taskArn": ARN,
        "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/backend",
        "lastStatus": "RUNNING",
        "desiredStatus": "RUNNING",
        "enableExecuteCommand": true,
        "createdAt": 1_700_000_000.5,
        "tags": [{"key": "bastiond:mode", "value": "shared"}],
        "containers": [{
            "name": "bastion",
            "runtimeId": "0123-77",
            "managedAgents": [{"name": "ExecuteCommandAgent", "lastStatus": "RUNNING"}],
        }],
    })
}

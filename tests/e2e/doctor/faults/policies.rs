//! Faults of credentials, policies, documents and quotas.

use bastiond::sim::ApiFault;
use serde_json::{Value, json};

use super::{Fault, Plant};

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

pub fn of_machine_and_credentials() -> Vec<Fault> {
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
        (
            "C03",
            "role_session_name",
            Plant::Answer("GetCallerIdentity", |it| {
                it["Arn"] = json!("arn:aws:sts::123456789012:assumed-role/dev/botocore-session-1");
            }),
        ),
    ]
}

pub fn of_policies_and_sessions() -> Vec<Fault> {
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
        (
            "Q01",
            "--desired-value 14",
            Plant::Answer("GetMetricStatistics", |it| {
                it["Datapoints"]["member"]["Maximum"] = json!(6.0);
            }),
        ),
    ]
}

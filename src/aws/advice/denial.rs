//! What is told about a denied call: who can help, the action that it needs, and the statement that grants it.

use serde_json::json;

use super::{Caller, grants};
use crate::aws::error::{Denied, Why};

/// Who can help, and how; `{what}` is the action, with the resource where AWS named one.
pub(super) static WHO: &[(Why, &str, &str)] = &[
    (
        Why::NotAllowed,
        "no policy allows it",
        "allow {what}: add the statement to your policy",
    ),
    (
        Why::ExplicitDeny,
        "a policy denies it",
        "remove the statement that denies {what}",
    ),
    (
        Why::OrganizationPolicy,
        "a service or resource control policy denies it",
        "ask the organisation's administrator: a control policy denies {what}",
    ),
    (
        Why::PermissionsBoundary,
        "the permissions boundary does not allow it",
        "ask an administrator: the permissions boundary does not allow {what}",
    ),
    (
        Why::SessionPolicy,
        "the policy of the login session does not allow it",
        "the session's own policy does not allow {what}: log in without it",
    ),
    (
        Why::EndpointPolicy,
        "the policy of a VPC endpoint does not allow it",
        "the vpc endpoint's policy does not allow {what}: extend it",
    ),
    (
        Why::Unknown,
        "AWS does not say why",
        "allow {what}: add the statement to your policy",
    ),
];

/// One line on who can help, then action, resource and the granting statement on lines of their own.
pub(super) fn advice(operation: &str, denied: &Denied, caller: &Caller) -> String {
    let action = denied.action.as_deref();
    let grant = grants::of(operation, action);
    let Some(action) = action.or(grant.map(|grant| grant.action)) else {
        return format!("ask an administrator to allow {operation}");
    };
    let resource = denied.resource.as_deref();
    let what = match resource {
        Some(resource) => format!("{action} on {resource}"),
        None => action.to_owned(),
    };
    let (_, _, who) = WHO
        .iter()
        .find(|(why, ..)| *why == denied.why)
        .expect("there is a row for each reason");
    let mut lines = vec![who.replace("{what}", &what), format!("action: {action}")];
    lines.extend(resource.map(|resource| format!("resource: {resource}")));
    // A statement more is no help against one that denies.
    if matches!(denied.why, Why::NotAllowed | Why::Unknown) {
        let statement = match grant {
            Some(grant) => grant.statement(resource, caller),
            None => {
                json!({"Effect": "Allow", "Action": action, "Resource": resource.unwrap_or("*")})
            }
        };
        lines.push(format!("statement: {statement}"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const ARN: &str = "arn:aws-cn:ecs:cn-north-1:123456789012:task-definition/bastion:7";

    fn told(
        operation: &str,
        action: Option<&str>,
        resource: Option<&str>,
        why: Why,
    ) -> Vec<String> {
        let denied = Denied {
            action: action.map(str::to_owned),
            resource: resource.map(str::to_owned),
            why,
        };
        let caller = Caller {
            region: "eu-west-1".into(),
            ..Caller::default()
        };
        let told = advice(operation, &denied, &caller);
        told.lines().map(str::to_owned).collect()
    }

    fn statement(lines: &[String]) -> Value {
        let text = lines.last().unwrap().strip_prefix("statement: ").unwrap();
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn action_and_resource_have_lines_of_their_own_and_the_statement_grants_them() {
        let lines = told("RunTask", Some("ecs:RunTask"), Some(ARN), Why::NotAllowed);
        assert_eq!(lines[1], "action: ecs:RunTask");
        assert_eq!(lines[2], format!("resource: {ARN}"));
        assert_eq!(
            statement(&lines),
            json!({
                "Sid": "StartBastion", "Effect": "Allow", "Action": "ecs:RunTask",
                "Resource": "arn:aws-cn:ecs:cn-north-1:123456789012:task-definition/bastion:*"
            })
        );
    }

    #[test]
    fn a_role_is_passed_to_ecs_only() {
        let role = "arn:aws:iam::123456789012:role/task";
        let lines = told("RunTask", Some("iam:PassRole"), Some(role), Why::NotAllowed);
        let statement = statement(&lines);
        assert_eq!(statement["Resource"], role);
        assert_eq!(
            statement["Condition"]["StringEquals"]["iam:PassedToService"],
            "ecs-tasks.amazonaws.com"
        );
    }

    #[test]
    fn a_tunnel_needs_both_the_task_and_the_document_whichever_aws_named() {
        let document = "arn:aws:ssm:eu-west-1::document/AWS-StartPortForwardingSessionToRemoteHost";
        let task = "arn:aws:ecs:eu-west-1:123456789012:task/backend/0123abcd";
        for named in [document, task] {
            let lines = told("StartSession", None, Some(named), Why::Unknown);
            let text = statement(&lines)["Resource"].to_string();
            assert!(
                text.contains(document) && text.contains(":task/*"),
                "{text}"
            );
            assert!(
                !text.contains("0123abcd"),
                "the next task has another id: {text}"
            );
        }
    }

    #[test]
    fn a_denial_that_names_nothing_is_told_by_its_operation() {
        let lines = told("StopTask", None, None, Why::Unknown);
        assert_eq!(lines[1], "action: ecs:StopTask");
        assert_eq!(
            statement(&lines)["Resource"],
            "arn:aws:ecs:eu-west-1:*:task/*"
        );
    }

    #[test]
    fn against_a_denying_policy_no_statement_is_offered() {
        for why in [
            Why::ExplicitDeny,
            Why::OrganizationPolicy,
            Why::PermissionsBoundary,
            Why::SessionPolicy,
            Why::EndpointPolicy,
        ] {
            let lines = told("RunTask", Some("ecs:RunTask"), Some(ARN), why);
            assert!(
                lines.len() == 3 && lines[0].contains("ecs:RunTask"),
                "{lines:?}"
            );
        }
    }
}

//! What allows a denied call: the action that it needs, and the statement of a policy that grants it. The names of the
//! statements are those of `infra/bastion.yaml`.

use serde_json::{Map, Value, json};

use super::Caller;
use crate::aws::error::{Denied, Why};

/// A statement that grants one action.
pub(super) struct Grant {
    /// The operations that need the action, for when AWS does not name it.
    pub operations: &'static [&'static str],
    /// The action.
    pub action: &'static str,
    /// The statement's name.
    pub sid: &'static str,
    /// `{named}` is what AWS named, made wide enough for the next time; `{p}`, `{r}` and `{a}` are partition, region and
    /// account.
    pub resources: &'static [&'static str],
    /// Operator, key and value.
    pub condition: Option<(&'static str, &'static str, &'static str)>,
}

impl Grant {
    const fn new(
        operations: &'static [&'static str],
        action: &'static str,
        sid: &'static str,
    ) -> Self {
        Self {
            operations,
            action,
            sid,
            resources: &["*"],
            condition: None,
        }
    }

    const fn on(mut self, resources: &'static [&'static str]) -> Self {
        self.resources = resources;
        self
    }

    const fn when(
        mut self,
        operator: &'static str,
        key: &'static str,
        value: &'static str,
    ) -> Self {
        self.condition = Some((operator, key, value));
        self
    }

    /// The statement as a policy has it, for `resource` that AWS named.
    pub fn statement(&self, resource: Option<&str>, caller: &Caller) -> Value {
        let mut statement = Map::new();
        statement.insert("Sid".to_owned(), json!(self.sid));
        statement.insert("Effect".to_owned(), json!("Allow"));
        statement.insert("Action".to_owned(), json!(self.action));
        let mut resources: Vec<String> = Vec::new();
        for pattern in self.resources {
            let filled = filled(pattern, resource, caller);
            if !resources.contains(&filled) {
                resources.push(filled);
            }
        }
        let resources = match &resources[..] {
            [one] => json!(one),
            several => json!(several),
        };
        statement.insert("Resource".to_owned(), resources);
        if let Some((operator, key, value)) = self.condition {
            statement.insert("Condition".to_owned(), json!({operator: {key: value}}));
        }
        Value::Object(statement)
    }
}

const TASKS: &[&str] = &["arn:{p}:ecs:{r}:{a}:task/*"];
const SERVICES: &[&str] = &["arn:{p}:ecs:{r}:{a}:service/*"];
const SESSIONS: &[&str] = &["arn:{p}:ssm:{r}:{a}:session/*"];
const STACKS: &[&str] = &["arn:{p}:cloudformation:{r}:{a}:stack/*"];
const NAMED: &[&str] = &["{named}"];
/// AWS's own documents have no account.
const TUNNEL: &[&str] = &[
    "arn:{p}:ecs:{r}:{a}:task/*",
    "arn:{p}:ssm:{r}::document/AWS-StartPortForwardingSessionToRemoteHost",
    "{named}",
];

/// For whoever makes, changes or deletes a stack.
const fn of_stack(operations: &'static [&'static str], action: &'static str) -> Grant {
    Grant::new(operations, action, "DeployStack").on(STACKS)
}

/// Every action that may be denied.
pub(super) static GRANTS: &[Grant] = &[
    Grant::new(&["RunTask"], "ecs:RunTask", "StartBastion").on(NAMED),
    Grant::new(&[], "ecs:TagResource", "TagBastionOnCreate")
        .on(TASKS)
        .when("StringEquals", "ecs:CreateAction", "RunTask"),
    Grant::new(&[], "iam:PassRole", "PassTaskRoles")
        .on(NAMED)
        .when(
            "StringEquals",
            "iam:PassedToService",
            "ecs-tasks.amazonaws.com",
        ),
    Grant::new(&["ListTasks"], "ecs:ListTasks", "FindBastion"),
    Grant::new(&["DescribeTasks"], "ecs:DescribeTasks", "WatchBastion").on(TASKS),
    Grant::new(&["StopTask"], "ecs:StopTask", "StopBastion").on(TASKS),
    Grant::new(
        &["DescribeServices"],
        "ecs:DescribeServices",
        "ScaleService",
    )
    .on(SERVICES),
    Grant::new(&["UpdateService"], "ecs:UpdateService", "ScaleService").on(SERVICES),
    Grant::new(&["TagResource"], "ecs:TagResource", "LeaseService").on(SERVICES),
    Grant::new(&["StartSession"], "ssm:StartSession", "OpenTunnel")
        .on(TUNNEL)
        .when("BoolIfExists", "ssm:SessionDocumentAccessCheck", "true"),
    Grant::new(
        &["GetConnectionStatus"],
        "ssm:GetConnectionStatus",
        "ProbeTunnel",
    )
    .on(TASKS),
    Grant::new(&[], "ssmmessages:OpenDataChannel", "OpenDataChannel").on(SESSIONS),
    Grant::new(&["ResumeSession"], "ssm:ResumeSession", "OwnSessions")
        .on(SESSIONS)
        .when(
            "StringLike",
            "ssm:resourceTag/aws:ssmmessages:session-id",
            "${aws:userid}",
        ),
    Grant::new(&["TerminateSession"], "ssm:TerminateSession", "OwnSessions")
        .on(SESSIONS)
        .when(
            "StringLike",
            "ssm:resourceTag/aws:ssmmessages:session-id",
            "${aws:userid}",
        ),
    Grant::new(
        &["DescribeSessions"],
        "ssm:DescribeSessions",
        "CountSessions",
    ),
    Grant::new(
        &["DescribeInstanceInformation"],
        "ssm:DescribeInstanceInformation",
        "FindNode",
    ),
    Grant::new(
        &["DeregisterManagedInstance"],
        "ssm:DeregisterManagedInstance",
        "ForgetNode",
    )
    .on(&["arn:{p}:ssm:{r}:{a}:managed-instance/*"])
    .when("StringLike", "aws:ResourceTag/bastiond:task", "*"),
    Grant::new(
        &["DescribeInstances"],
        "ec2:DescribeInstances",
        "FindInstance",
    ),
    Grant::new(&["StartInstances"], "ec2:StartInstances", "StartInstance").on(NAMED),
    Grant::new(&["StopInstances"], "ec2:StopInstances", "StopInstance")
        .on(NAMED)
        .when("StringEquals", "aws:ResourceTag/bastiond:managed", "true"),
    Grant::new(&["ExecuteCommand"], "ecs:ExecuteCommand", "OpenShell").on(&[
        "arn:{p}:ecs:{r}:{a}:cluster/*",
        "arn:{p}:ecs:{r}:{a}:task/*",
    ]),
    Grant::new(&["GenerateDataKey"], "kms:GenerateDataKey", "EncryptShell").on(NAMED),
    Grant::new(&["AssumeRole"], "sts:AssumeRole", "AssumeRole").on(NAMED),
    Grant::new(&[], "sts:SetSourceIdentity", "AssumeRole").on(NAMED),
    Grant::new(
        &["DescribeDBClusters"],
        "rds:DescribeDBClusters",
        "Discover",
    ),
    Grant::new(
        &["DescribeDBInstances"],
        "rds:DescribeDBInstances",
        "Discover",
    ),
    Grant::new(&["DescribeDBProxies"], "rds:DescribeDBProxies", "Discover"),
    Grant::new(
        &["DescribeDBProxyEndpoints"],
        "rds:DescribeDBProxyEndpoints",
        "Discover",
    ),
    Grant::new(
        &["DescribeReplicationGroups"],
        "elasticache:DescribeReplicationGroups",
        "Discover",
    ),
    Grant::new(
        &["DescribeClusters"],
        "redshift:DescribeClusters",
        "Discover",
    ),
    Grant::new(
        &["ListWorkgroups"],
        "redshift-serverless:ListWorkgroups",
        "DiscoverWorkgroups",
    ),
    Grant::new(&["DescribeDomains"], "es:DescribeDomains", "Discover"),
    Grant::new(
        &["DescribeStacks"],
        "cloudformation:DescribeStacks",
        "ReadStack",
    )
    .on(STACKS),
    Grant::new(
        &["DescribeDBSubnetGroups"],
        "rds:DescribeDBSubnetGroups",
        "Discover",
    ),
    Grant::new(
        &["DescribeCacheClusters"],
        "elasticache:DescribeCacheClusters",
        "Discover",
    ),
    Grant::new(
        &["DescribeCacheSubnetGroups"],
        "elasticache:DescribeCacheSubnetGroups",
        "Discover",
    ),
    Grant::new(
        &["DescribeSubnets"],
        "ec2:DescribeSubnets",
        "DiscoverNetwork",
    ),
    Grant::new(
        &["DescribeRouteTables"],
        "ec2:DescribeRouteTables",
        "DiscoverNetwork",
    ),
    Grant::new(
        &["DescribeSecurityGroups"],
        "ec2:DescribeSecurityGroups",
        "DiscoverNetwork",
    ),
    Grant::new(
        &["DescribeSecurityGroupRules"],
        "ec2:DescribeSecurityGroupRules",
        "DiscoverNetwork",
    ),
    Grant::new(
        &["DescribeVpcEndpoints"],
        "ec2:DescribeVpcEndpoints",
        "DiscoverNetwork",
    ),
    // That of Redshift has the same name; AWS tells which it denies.
    Grant::new(&[], "ecs:DescribeClusters", "LookAtCluster").on(&["arn:{p}:ecs:{r}:{a}:cluster/*"]),
    Grant::new(
        &["DescribeTaskDefinition"],
        "ecs:DescribeTaskDefinition",
        "LookAtDefinition",
    ),
    Grant::new(&["GetDocument"], "ssm:GetDocument", "LookAtDocuments").on(NAMED),
    Grant::new(
        &["DescribeLogGroups"],
        "logs:DescribeLogGroups",
        "LookAtLog",
    )
    .on(&["arn:{p}:logs:{r}:{a}:log-group:*"]),
    Grant::new(
        &["GetServiceQuota"],
        "servicequotas:GetServiceQuota",
        "LookAtQuota",
    ),
    Grant::new(
        &["GetMetricStatistics"],
        "cloudwatch:GetMetricStatistics",
        "LookAtUsage",
    ),
    Grant::new(&["BatchGetImage"], "ecr:BatchGetImage", "LookAtImage")
        .on(&["arn:{p}:ecr:{r}:{a}:repository/*"]),
    Grant::new(
        &["DescribeNetworkAcls"],
        "ec2:DescribeNetworkAcls",
        "LookAtNetwork",
    ),
    Grant::new(
        &["DescribeVpcAttribute"],
        "ec2:DescribeVpcAttribute",
        "LookAtVpc",
    )
    .on(&["arn:{p}:ec2:{r}:{a}:vpc/*"]),
    Grant::new(&["GetRole"], "iam:GetRole", "LookAtRoles").on(NAMED),
    Grant::new(
        &["SimulatePrincipalPolicy"],
        "iam:SimulatePrincipalPolicy",
        "AskWhatIsAllowed",
    )
    .on(NAMED),
    of_stack(&["CreateChangeSet"], "cloudformation:CreateChangeSet"),
    of_stack(&["DescribeChangeSet"], "cloudformation:DescribeChangeSet"),
    of_stack(&["ListChangeSets"], "cloudformation:ListChangeSets"),
    of_stack(&["ExecuteChangeSet"], "cloudformation:ExecuteChangeSet"),
    of_stack(&["DeleteChangeSet"], "cloudformation:DeleteChangeSet"),
    of_stack(
        &["DescribeStackEvents"],
        "cloudformation:DescribeStackEvents",
    ),
    of_stack(
        &["DescribeStackResources"],
        "cloudformation:DescribeStackResources",
    ),
    of_stack(&["GetTemplate"], "cloudformation:GetTemplate"),
    of_stack(&["DeleteStack"], "cloudformation:DeleteStack"),
    of_stack(&[], "cloudformation:TagResource"),
];

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
    let is_of = |grant: &&Grant| grant.operations.contains(&operation);
    let grants = || GRANTS.iter();
    // An action may be needed by several operations, each on something else.
    let grant = match action {
        Some(action) => grants()
            .filter(is_of)
            .find(|grant| grant.action == action)
            .or_else(|| grants().find(|grant| grant.action == action)),
        None => grants().find(is_of),
    };
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

fn filled(pattern: &str, resource: Option<&str>, caller: &Caller) -> String {
    let parts: Vec<&str> = resource.unwrap_or_default().splitn(6, ':').collect();
    let part = |index: usize| parts.get(index).copied().filter(|part| !part.is_empty());
    let region = Some(caller.region.as_str()).filter(|region| !region.is_empty());
    let named = resource.filter(|name| *name != "*").map(widened);
    pattern
        .replace("{named}", named.as_deref().unwrap_or("*"))
        .replace("{p}", part(1).unwrap_or("aws"))
        .replace("{r}", part(3).or(region).unwrap_or("*"))
        .replace("{a}", part(4).unwrap_or("*"))
}

/// The next revision, task and session have other ids.
fn widened(arn: &str) -> String {
    let cut_at = |mark: &str, separator: char| {
        let (head, tail) = arn.split_once(mark)?;
        let (name, _) = tail.rsplit_once(separator).unwrap_or((tail, ""));
        Some(format!("{head}{mark}{name}{separator}*"))
    };
    cut_at(":task-definition/", ':')
        .or_else(|| Some(format!("{}:task/*", arn.split_once(":task/")?.0)))
        .or_else(|| Some(format!("{}:session/*", arn.split_once(":session/")?.0)))
        .unwrap_or_else(|| arn.to_owned())
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn statements_are_named_as_in_the_template() {
        let template = include_str!("../../../infra/bastion.yaml");
        let of_nodes = include_str!("../../../infra/iam/nodes.json");
        let doctor = include_str!("../../../infra/iam/doctor.json");
        let deploy = include_str!("../../../infra/iam/deploy.json");
        for grant in GRANTS {
            let quoted = format!("\"Sid\": \"{}\"", grant.sid);
            let is_there = template.contains(&format!("Sid: {}\n", grant.sid))
                || of_nodes.contains(&quoted)
                || doctor.contains(&quoted)
                || deploy.contains(&quoted);
            let is_elsewhere = grant.sid == "AssumeRole";
            assert!(is_there != is_elsewhere, "{}", grant.sid);
        }
    }
}

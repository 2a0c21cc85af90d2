//! The statements of a policy that grant what may be denied. Their names are those of `infra/bastion.yaml`.

use serde_json::{Map, Value, json};

use super::Caller;

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

/// What grants `operation`, by the `action` that AWS named, if it did.
pub(super) fn of(operation: &str, action: Option<&str>) -> Option<&'static Grant> {
    let is_of = |grant: &&Grant| grant.operations.contains(&operation);
    let grants = || GRANTS.iter();
    // An action may be needed by several operations, each on something else.
    match action {
        Some(action) => grants()
            .filter(is_of)
            .find(|grant| grant.action == action)
            .or_else(|| grants().find(|grant| grant.action == action)),
        None => grants().find(is_of),
    }
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

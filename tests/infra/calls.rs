//! The calls that the code can make, as IAM sees them: on which resource, and with what known of the request.

/// One thing that an operation needs.
pub struct Call {
    /// As the source names it; `WebSocket` is a session's data channel.
    pub operation: &'static str,
    pub action: &'static str,
    pub resource: &'static str,
    pub context: &'static [(&'static str, &'static str)],
}

/// What AWS asks no policy of the caller for: who he is, and a role, which is allowed by the role's own trust policy.
pub const FREE: [&str; 2] = ["GetCallerIdentity", "AssumeRole"];

const CLUSTER: &str = "arn:aws:ecs:eu-west-1:123456789012:cluster/c";
const TASK: &str = "arn:aws:ecs:eu-west-1:123456789012:task/c/0123456789abcdef";
pub const IN_CLUSTER: &[(&str, &str)] = &[("ecs:cluster", CLUSTER)];
const OURS: &[(&str, &str)] = &[("aws:ResourceTag/bastiond:stack", "b")];
pub const TO_ECS: &[(&str, &str)] = &[("iam:PassedToService", "ecs-tasks.amazonaws.com")];
const SESSION: &str = "arn:aws:ssm:eu-west-1:123456789012:session/me-0123456789abcdef0";
const MINE: &[(&str, &str)] = &[(
    "ssm:resourceTag/aws:ssmmessages:session-id",
    "${aws:userid}",
)];

const STACK: &str =
    "arn:aws:cloudformation:eu-west-1:123456789012:stack/s/01234567-89ab-cdef-0123-456789abcdef";

pub const fn call(
    operation: &'static str,
    action: &'static str,
    resource: &'static str,
    context: &'static [(&'static str, &'static str)],
) -> Call {
    Call {
        operation,
        action,
        resource,
        context,
    }
}

/// What `bastiond doctor` asks of it besides.
#[rustfmt::skip]
pub const DOCTOR_CALLS: &[Call] = &[
    call("DescribeClusters", "ecs:DescribeClusters", CLUSTER, &[]),
    call("DescribeTaskDefinition", "ecs:DescribeTaskDefinition", "*", &[]),
    call("GetDocument", "ssm:GetDocument", "arn:aws:ssm:eu-west-1:123456789012:document/b-port-forward", &[]),
    call("GetDocument", "ssm:GetDocument", "arn:aws:ssm:eu-west-1:123456789012:document/SSM-SessionManagerRunShell", &[]),
    call("GetDocument", "ssm:GetDocument", "arn:aws:ssm:eu-west-1::document/AWS-StartPortForwardingSession", &[]),
    call("GetDocument", "ssm:GetDocument", "arn:aws:ssm:eu-west-1::document/AWS-StartPortForwardingSessionToRemoteHost", &[]),
    call("DescribeLogGroups", "logs:DescribeLogGroups", "arn:aws:logs:eu-west-1:123456789012:log-group:/bastiond/b", &[]),
    call("GetServiceQuota", "servicequotas:GetServiceQuota", "arn:aws:servicequotas:eu-west-1:123456789012:fargate/L-3032A538", &[]),
    call("GetMetricStatistics", "cloudwatch:GetMetricStatistics", "*", &[]),
    call("BatchGetImage", "ecr:BatchGetImage", "arn:aws:ecr:eu-west-1:123456789012:repository/x", &[]),
    call("DescribeNetworkAcls", "ec2:DescribeNetworkAcls", "*", &[]),
    call("DescribeVpcAttribute", "ec2:DescribeVpcAttribute", "arn:aws:ec2:eu-west-1:123456789012:vpc/vpc-0a1b2c3d", &[]),
    call("GetRole", "iam:GetRole", "arn:aws:iam::123456789012:role/x", &[]),
    call("SimulatePrincipalPolicy", "iam:SimulatePrincipalPolicy", "arn:aws:iam::123456789012:role/x", &[]),
    call("SimulatePrincipalPolicy", "iam:SimulatePrincipalPolicy", "arn:aws:iam::123456789012:user/x", &[]),
];

/// What a stack named `b` with a cluster named `c` is used by.
#[rustfmt::skip]
pub const CALLS: &[Call] = &[
    call("RunTask", "ecs:RunTask", "arn:aws:ecs:eu-west-1:123456789012:task-definition/b:3",
        &[("ecs:cluster", CLUSTER), ("aws:RequestTag/bastiond:stack", "b")]),
    call("RunTask", "ecs:TagResource", TASK, &[("ecs:CreateAction", "RunTask")]),
    call("RunTask", "iam:PassRole", "arn:aws:iam::123456789012:role/b-task", TO_ECS),
    call("RunTask", "iam:PassRole", "arn:aws:iam::123456789012:role/b-execution", TO_ECS),
    call("UpdateService", "ecs:UpdateService", "arn:aws:ecs:eu-west-1:123456789012:service/c/b", IN_CLUSTER),
    call("DescribeServices", "ecs:DescribeServices", "arn:aws:ecs:eu-west-1:123456789012:service/c/b", IN_CLUSTER),
    call("TagResource", "ecs:TagResource", "arn:aws:ecs:eu-west-1:123456789012:service/c/b",
        &[("ecs:cluster", CLUSTER), ("aws:TagKeys", "bastiond:lease")]),
    call("ListTasks", "ecs:ListTasks", "*", IN_CLUSTER),
    call("DescribeTasks", "ecs:DescribeTasks", TASK, IN_CLUSTER),
    call("StopTask", "ecs:StopTask", TASK, OURS),
    call("StartSession", "ssm:StartSession", TASK, OURS),
    call("StartSession", "ssm:StartSession", "arn:aws:ssm:eu-west-1:123456789012:document/b-port-forward",
        &[("ssm:SessionDocumentAccessCheck", "true")]),
    call("StartSession", "ssm:StartSession", "arn:aws:ssm:eu-west-1::document/AWS-StartPortForwardingSession",
        &[("ssm:SessionDocumentAccessCheck", "true")]),
    call("WebSocket", "ssmmessages:OpenDataChannel", SESSION, &[]),
    call("ResumeSession", "ssm:ResumeSession", SESSION, MINE),
    call("TerminateSession", "ssm:TerminateSession", SESSION, MINE),
    call("GetConnectionStatus", "ssm:GetConnectionStatus", TASK, OURS),
    call("DescribeSessions", "ssm:DescribeSessions", "*", &[]),
    call("ExecuteCommand", "ecs:ExecuteCommand", CLUSTER, &[]),
    call("ExecuteCommand", "ecs:ExecuteCommand", TASK, IN_CLUSTER),
    call("GenerateDataKey", "kms:GenerateDataKey", "arn:aws:kms:eu-west-1:123456789012:key/k", &[]),
    call("DescribeStacks", "cloudformation:DescribeStacks", STACK, &[]),
    call("DescribeDBClusters", "rds:DescribeDBClusters", "arn:aws:rds:eu-west-1:123456789012:cluster:app", &[]),
    call("DescribeDBInstances", "rds:DescribeDBInstances", "arn:aws:rds:eu-west-1:123456789012:db:app", &[]),
    call("DescribeDBProxies", "rds:DescribeDBProxies", "arn:aws:rds:eu-west-1:123456789012:db-proxy:prx-1", &[]),
    call("DescribeDBProxyEndpoints", "rds:DescribeDBProxyEndpoints",
        "arn:aws:rds:eu-west-1:123456789012:db-proxy-endpoint:prx-endpoint-1", &[]),
    call("DescribeReplicationGroups", "elasticache:DescribeReplicationGroups",
        "arn:aws:elasticache:eu-west-1:123456789012:replicationgroup:cache", &[]),
    call("DescribeDBSubnetGroups", "rds:DescribeDBSubnetGroups", "arn:aws:rds:eu-west-1:123456789012:subgrp:app", &[]),
    call("DescribeCacheClusters", "elasticache:DescribeCacheClusters",
        "arn:aws:elasticache:eu-west-1:123456789012:cluster:cache-001", &[]),
    call("DescribeCacheSubnetGroups", "elasticache:DescribeCacheSubnetGroups",
        "arn:aws:elasticache:eu-west-1:123456789012:subnetgroup:private", &[]),
    call("DescribeClusters", "redshift:DescribeClusters", "arn:aws:redshift:eu-west-1:123456789012:cluster:dwh", &[]),
    call("ListWorkgroups", "redshift-serverless:ListWorkgroups", "*", &[]),
    call("DescribeDomains", "es:DescribeDomains", "arn:aws:es:eu-west-1:123456789012:domain/logs", &[]),
    call("DescribeSubnets", "ec2:DescribeSubnets", "*", &[]),
    call("DescribeRouteTables", "ec2:DescribeRouteTables", "*", &[]),
    call("DescribeSecurityGroups", "ec2:DescribeSecurityGroups", "*", &[]),
    call("DescribeSecurityGroupRules", "ec2:DescribeSecurityGroupRules", "*", &[]),
    call("DescribeVpcEndpoints", "ec2:DescribeVpcEndpoints", "*", &[]),
];

/// What each operation on nodes needs: targets of `i-…` and `mi-…`, with their tag.
#[rustfmt::skip]
pub const NODE_CALLS: &[Call] = &[
    call("StartSession", "ssm:StartSession", "arn:aws:ec2:eu-west-1:123456789012:instance/i-0123456789abcdef0", OURS),
    call("StartSession", "ssm:StartSession", "arn:aws:ssm:eu-west-1:123456789012:managed-instance/mi-0123456789abcdef0", OURS),
    call("StartSession", "ssm:StartSession",
        "arn:aws:ssm:eu-west-1::document/AWS-StartPortForwardingSessionToRemoteHost",
        &[("ssm:SessionDocumentAccessCheck", "true")]),
    call("StartSession", "ssm:StartSession", "arn:aws:ssm:eu-west-1::document/AWS-StartPortForwardingSession", &[]),
    call("StartSession", "ssm:StartSession", "arn:aws:ssm:eu-west-1:123456789012:document/SSM-SessionManagerRunShell", &[]),
    call("StartSession", "ssm:StartSession", "arn:aws:ssm:eu-west-1::document/AWS-StartInteractiveCommand", &[]),
    call("StartSession", "ssm:StartSession", "arn:aws:ssm:eu-west-1::document/AWS-StartNonInteractiveCommand", &[]),
    call("GetConnectionStatus", "ssm:GetConnectionStatus",
        "arn:aws:ec2:eu-west-1:123456789012:instance/i-0123456789abcdef0", OURS),
    call("GetConnectionStatus", "ssm:GetConnectionStatus",
        "arn:aws:ssm:eu-west-1:123456789012:managed-instance/mi-0123456789abcdef0", OURS),
    call("DescribeInstances", "ec2:DescribeInstances", "*", &[]),
    call("StartInstances", "ec2:StartInstances", "arn:aws:ec2:eu-west-1:123456789012:instance/i-0123456789abcdef0", OURS),
    call("StopInstances", "ec2:StopInstances", "arn:aws:ec2:eu-west-1:123456789012:instance/i-0123456789abcdef0",
        &[("aws:ResourceTag/bastiond:stack", "b"), ("aws:ResourceTag/bastiond:managed", "true")]),
    call("DescribeInstanceInformation", "ssm:DescribeInstanceInformation", "*", &[]),
    call("DeregisterManagedInstance", "ssm:DeregisterManagedInstance",
        "arn:aws:ssm:eu-west-1:123456789012:managed-instance/mi-0123456789abcdef0", OURS),
    call("DescribeSessions", "ssm:DescribeSessions", "*", &[]),
];

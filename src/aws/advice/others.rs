//! What fails without an error of AWS: no place for a task, no credentials, no way to AWS.

use super::row::Row;
use crate::aws::error::{Denied, Kind, Login, Why};

const NOT_FARGATE: &str = "run it on Fargate: a capacity provider with EC2 instances was used";

/// Why RunTask answered without a task: `failures[].reason`.
pub(in crate::aws) static PLACEMENT: &[Row] = &[
    Row::worded(
        &["capacity is unavailable"],
        Kind::Capacity,
        "there is no Fargate capacity at this time",
    )
    .advice("try subnets of other availability zones"),
    Row::worded(
        &["reached the limit on the number of tasks"],
        Kind::Quota,
        "the account may not run more tasks at a time",
    )
    .advice("request a higher quota in the Service Quotas console (Fargate On-Demand vCPU); a fresh account may have to launch an EC2 instance once"),
    Row::worded(
        &["reached the limit", "above your limit"],
        Kind::Quota,
        "the quota of vCPUs is used up",
    )
    .advice("request a higher quota in the Service Quotas console (Fargate On-Demand vCPU)"),
    Row::worded(&["missing"], Kind::NotFound, "ECS does not know the task (yet)"),
    Row::worded(&["resource:"], Kind::Invalid, "an EC2 instance has no room for the task")
        .advice(NOT_FARGATE),
    Row::worded(
        &["agent", "location", "attribute"],
        Kind::Invalid,
        "no EC2 instance fits the task",
    )
    .advice(NOT_FARGATE),
];

/// Why a service has no task, by its latest event or the reason of its deployment.
pub(in crate::aws) static EVENTS: &[Row] = &[
    Row::worded(
        &["capacity is unavailable"],
        Kind::Capacity,
        "there is no Fargate capacity at this time",
    )
    .advice("try again in some minutes; if it stays, give the service subnets of other availability zones"),
    Row::worded(
        &["reached the limit", "above your limit"],
        Kind::Quota,
        "the account may not run more tasks at a time",
    )
    .advice("request a higher quota in the Service Quotas console (Fargate On-Demand vCPU)"),
    Row::worded(
        &["unable to assume"],
        Kind::RoleNotReady,
        "ECS cannot assume a role of the service or its task",
    )
    .advice("check that the role trusts ecs-tasks.amazonaws.com"),
    Row::worded(
        &["circuit breaker", "deployment failed"],
        Kind::Unsuitable,
        "the deployment circuit breaker has given up the service's latest deployment",
    )
    .advice("mend the task definition, and deploy it: aws ecs update-service{profile} --region {region} --cluster CLUSTER --service SERVICE --task-definition FAMILY --force-new-deployment"),
    Row::worded(
        &["unable to consistently start"],
        Kind::Unsuitable,
        "the tasks of the service end soon after their start",
    )
    .advice("look why they stopped: aws ecs list-tasks{profile} --region {region} --cluster CLUSTER --service-name SERVICE --desired-status STOPPED"),
    Row::worded(
        &["unable to place a task"],
        Kind::Invalid,
        "the service has no place for its task",
    )
    .advice("look at the service's events and its launch type: aws ecs describe-services{profile} --region {region} --cluster CLUSTER --services SERVICE"),
    Row::worded(
        &["failed to start", "failed to launch"],
        Kind::Invalid,
        "the service cannot start its task",
    )
    .advice("look at the service's events: aws ecs describe-services{profile} --region {region} --cluster CLUSTER --services SERVICE"),
];

/// Why there are no credentials, by the words of the SDK, whose types are private.
pub(in crate::aws) static CREDENTIALS: &[Row] = &[
    Row::worded(
        &["code of the mfa device"],
        Kind::Login(Login::Mfa),
        "the role wants an MFA code",
    )
    .advice("bastiond ctl mfa CODE"),
    Row::worded(
        &["was looked for in"],
        Kind::Configuration,
        "the profile does not exist",
    )
    .advice("run aws configure sso{profile}, or correct `profile` under [aws]"),
    Row::worded(
        &[
            "was not defined",
            "could not be built",
            "sso-session named",
            "invalid sso config",
            "did not contain credentials",
            "missing credential source",
            "credential loop",
            "feature not enabled",
        ],
        Kind::Configuration,
        "the profile is missing, or something in it is",
    )
    .advice("correct {source} in ~/.aws/config, or `profile` under [aws]"),
    Row::worded(
        &["login token", "/login/cache", "please reauthenticate"],
        Kind::Login(Login::Console),
        "the console sign-in is over or never was",
    )
    .advice("aws login{profile}"),
    Row::worded(
        &["forbiddenexception", "no access"],
        Kind::Denied(Denied {
            action: None,
            resource: None,
            why: Why::Unknown,
        }),
        "the account or permission set is not assigned to you",
    )
    .advice("ask an administrator of IAM Identity Center to assign the account and permission set of {source}"),
    Row::worded(
        &[
            "sso token",
            "/sso/cache",
            "unauthorizedexception",
            "invalidgrantexception",
            "session token not found",
        ],
        Kind::Login(Login::Sso),
        "the sign-in of IAM Identity Center is over or never was",
    )
    .advice("aws sso login{profile}"),
    Row::worded(
        &["external process", "credential_process"],
        Kind::Login(Login::Process),
        "the credential_process failed",
    )
    .advice("run the credential_process of {source} by hand to see why it fails"),
    Row::worded(&["provider timed out"], Kind::Timeout, "the source of the credentials did not answer in time"),
];

/// What remains when no words are known.
pub(in crate::aws) static NONE: &[Row] = &[
    Row::worded(
        &[],
        Kind::Login(Login::Missing),
        "there are no credentials at all",
    )
    .advice("set `profile` under [aws], or run aws configure sso"),
    Row::worded(
        &["invalid peer certificate"],
        Kind::Unreachable,
        "the certificate is not AWS's",
    )
    .advice("if a proxy inspects tls here, set AWS_CA_BUNDLE to the file with its certificate"),
    Row::worded(
        &["tunnel error"],
        Kind::Unreachable,
        "the proxy does not let the call through",
    )
    .advice("check HTTPS_PROXY and the credentials in it, or add the host to NO_PROXY"),
    Row::worded(
        &[],
        Kind::Unreachable,
        "no way to AWS: name, connection or TLS",
    )
    .advice("check the network, and VPN and proxy if there are any"),
    Row::worded(&[], Kind::Timeout, "AWS did not answer in time")
        .advice("check the network, and VPN and proxy if there are any"),
    Row::worded(
        &[],
        Kind::Untrusted,
        "an answer was not of the kind that AWS gives",
    )
    .advice("check `endpoint_url`, and what stands between here and AWS"),
];

//! What AWS's codes mean, and what to do. The first row that fits counts, so narrow ones stand before wide ones.

use super::row::Row;
use crate::aws::error::{Denied, Kind, Login, Why};

/// What is denied is read from AWS's text.
const DENIED: Kind = Kind::Denied(Denied {
    action: None,
    resource: None,
    why: Why::Unknown,
});
const INVALID: &[&str] = &["InvalidParameterException", "ClientException"];
/// How the SDK and the services spell a signature that is not right.
pub(in crate::aws) const SIGNATURE: &[&str] = &[
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "AuthFailure",
];
const CLOCK: &str = "set the clock";

/// Whatever call it is.
pub(in crate::aws) static ANY: &[Row] = &[
    Row::code(
        &[
            "ThrottlingException",
            "Throttling",
            "RequestLimitExceeded",
            "TooManyRequestsException",
        ],
        Kind::Throttled,
        "the account makes more calls than AWS allows",
    )
    .advice("wait: it is asked less often; if it stays, look in CloudTrail for what else calls AWS in region {region}"),
    Row::code(
        &[
            "ServerException",
            "InternalServerError",
            "InternalFailure",
            "ServiceUnavailable",
            "InternalError",
            "Unavailable",
            "ServiceUnavailableException",
            "InternalServerException",
        ],
        Kind::Transient,
        "AWS has trouble of its own",
    ),
    Row::code(
        &["ExpiredToken", "ExpiredTokenException"],
        Kind::Login(Login::Expired),
        "the temporary credentials have expired",
    )
    .advice("renew the credentials of {source}"),
    Row::code(
        &[
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "InvalidAccessKeyId",
        ],
        Kind::Login(Login::Rejected),
        "AWS does not know the access key: it was deleted, is of another partition, or lacks its token",
    )
    .advice("check key, secret and partition of {source}"),
    Row::code(
        &["RequestExpired"],
        Kind::Login(Login::Expired),
        "the temporary credentials have expired; or the clock is wrong, when it is more than four minutes off",
    )
    .words(&["request has expired"])
    .advice("renew the credentials of {source}"),
    Row::code(
        &["RequestExpired", "RequestTimeTooSkewed"],
        Kind::ClockSkew(None),
        "the machine's clock is wrong",
    )
    .advice(CLOCK),
    Row::code(SIGNATURE, Kind::ClockSkew(None), "the machine's clock is wrong")
        .words(&["signature expired", "not yet current"])
        .advice(CLOCK),
    Row::code(
        SIGNATURE,
        Kind::Login(Login::Rejected),
        "the secret does not belong to the access key; or the clock, when it is more than four minutes off",
    )
    .advice("check key, secret and partition of {source}"),
    Row::code(
        &["AccessDenied"],
        Kind::Login(Login::Mfa),
        "the MFA code is wrong or was used before",
    )
    .words(&["invalid mfa one time pass code"])
    .advice("wait for the next code, as each is good once, and give it: bastiond ctl mfa CODE"),
    Row::code(
        &["AccessDenied"],
        Kind::Login(Login::Mfa),
        "the role wants an MFA code",
    )
    .words(&["multifactorauthentication"])
    .advice("set `mfa_serial` beside `role_arn`, or use a profile whose session already has MFA"),
    Row::code(
        &["BlockedException"],
        DENIED,
        "AWS has blocked the account",
    )
    .advice("contact AWS support: the account is blocked"),
    Row::code(
        &["OptInRequired", "RegionDisabledException"],
        DENIED,
        "the region is not enabled for the account",
    )
    .advice("enable region {region} for the account, or set another `region`"),
    Row::code(
        &["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"],
        DENIED,
        "a policy does not allow the call",
    ),
    Row::code(
        &["ServiceQuotaExceededException", "LimitExceededException"],
        Kind::Quota,
        "a quota of the account is used up",
    )
    .advice("wait until others are done, or request a higher quota in the Service Quotas console"),
];

/// Of ECS.
pub(in crate::aws) static ECS: &[Row] = &[
    Row::code(
        &["ClusterNotFoundException"],
        Kind::NotFound,
        "the cluster does not exist in this account and region",
    )
    .advice("check `cluster`, `region` ({region}) and `profile`: the cluster is not there"),
    Row::code(
        &["ServiceNotFoundException"],
        Kind::NotFound,
        "the service does not exist in this cluster",
    )
    .advice("correct `service` and `cluster` of the bastion, and check `region` ({region}) and `profile`"),
    Row::code(
        &["ServiceNotActiveException"],
        Kind::Unsuitable,
        "the service is being deleted, or was",
    )
    .advice("create the service again, or name another in `service` of the bastion"),
    Row::code(
        &["ClientException"],
        Kind::RoleNotReady,
        "ECS cannot assume a role of the task: it was just made, or does not trust ECS",
    )
    .words(&["unable to assume the role"])
    .advice("check that the role trusts ecs-tasks.amazonaws.com"),
    Row::code(
        &["ClientException"],
        Kind::Capacity,
        "EC2 instances of a capacity provider are still coming up",
    )
    .words(&["provisioning"])
    .advice("use Fargate: EC2 instances limit how many tasks may be on their way"),
    Row::code(
        &["ClientException"],
        Kind::NotFound,
        "the task definition is missing or was deregistered",
    )
    .words(&["not found", "inactive"])
    .advice("register the task definition again: it is missing or inactive"),
    Row::code(
        &["ClientException"],
        Kind::Throttled,
        "the account makes more calls than AWS allows",
    )
    .words(&["rate exceeded"])
    .advice("wait: it is asked less often"),
    Row::code(&["ClientException"], Kind::Capacity, "there is no Fargate capacity at this time")
        .words(&["capacity is unavailable"])
        .advice("try subnets of other availability zones"),
    Row::code(
        INVALID,
        Kind::Invalid,
        "the task definition's network mode needs subnets",
    )
    .words(&["network configuration must be provided"])
    .advice("set `subnets` of the bastion"),
    Row::code(INVALID, Kind::Invalid, "a subnet does not exist")
        .words(&["subnet id"])
        .advice("correct `subnets` of the bastion"),
    Row::code(INVALID, Kind::Invalid, "a security group does not exist, or is of another VPC")
        .words(&["securitygroup id", "security group"])
        .advice("correct `security_groups` of the bastion"),
    Row::code(INVALID, Kind::Invalid, "the task definition has no task role")
        .words(&["taskrolearn"])
        .advice("give the task definition a task role: ECS Exec needs one"),
    Row::code(
        INVALID,
        Kind::Invalid,
        "the cluster does not have the capacity provider",
    )
    .words(&["capacity provider"])
    .advice("associate it: aws ecs put-cluster-capacity-providers --capacity-providers FARGATE FARGATE_SPOT"),
    Row::code(INVALID, Kind::Invalid, "the task was to run on EC2 instances, of which there are none")
        .words(&["no container instances"])
        .advice("the task definition must be compatible with Fargate"),
    Row::code(
        INVALID,
        Kind::Invalid,
        "ListTasks was asked with filters that exclude each other",
    )
    .words(&["startedby"])
    .of(&["ListTasks"])
    .advice("report this: it is a mistake of bastiond"),
    Row::code(
        &["InvalidParameterException"],
        Kind::TargetNotConnected,
        "the agent of ECS Exec is not there: the task has just started, or was run without it",
    )
    .words(&["execute command agent isn"])
    .advice("run the task anew with ECS Exec: enableExecuteCommand, and a task role that allows ssmmessages"),
    Row::code(&["InvalidParameterException"], Kind::NotFound, "the task is gone")
        .words(&["task was not found"]),
    Row::code(&["InvalidParameterException"], Kind::Invalid, "the task has several containers")
        .words(&["container name must be specified"])
        .advice("name one with --container"),
    Row::code(&["InvalidParameterException"], Kind::Invalid, "the task has no such container")
        .words(&["container was not found"])
        .advice("correct --container"),
    Row::code(
        &["PlatformUnknownException"],
        Kind::Invalid,
        "there is no such platform version",
    )
    .advice("correct the platform version: LATEST is right for nearly everybody"),
    Row::code(
        &["PlatformTaskDefinitionIncompatibilityException"],
        Kind::Invalid,
        "the platform version cannot run the task definition",
    )
    .advice("use Linux platform 1.4.0 or later"),
    Row::code(
        &["UnsupportedFeatureException"],
        Kind::Invalid,
        "the region lacks a feature or a processor architecture",
    )
    .advice("use architecture x86_64: the region lacks a feature"),
    Row::code(
        &["ConflictException"],
        Kind::Conflict,
        "another daemon ran the task in this moment: that task is used",
    ),
    Row::code(&["ClientException"], Kind::Invalid, "ECS does not accept the request").advice("correct the setting that AWS's text names"),
];

/// Of SSM.
pub(in crate::aws) static SSM: &[Row] = &[
    Row::code(
        &["TargetNotConnected", "TargetNotConnectedException"],
        Kind::TargetNotConnected,
        "the agent is not connected to AWS (yet), or the target is of another region or account",
    )
    .advice("check that the agent runs, that the role of its task or machine allows ssmmessages, and the route to ssmmessages"),
    Row::code(
        &["DoesNotExistException"],
        Kind::NotFound,
        "the session is over",
    ),
    Row::code(
        &["InvalidDocument"],
        Kind::Invalid,
        "the session document does not exist",
    )
    .advice("check that the session document exists in region {region}"),
    Row::code(
        &["BadRequest", "BadRequestException", "ValidationException"],
        Kind::Unsuitable,
        "sessions to hybrid nodes need the advanced-instances tier",
    )
    .words(&["advanced-instances tier", "advanced instances tier"])
    .advice(
        "aws ssm update-service-setting{profile} --region {region} --setting-id /ssm/managed-instance/activation-tier \
         --setting-value advanced   (from then on every hybrid node of the account and region is charged by the hour)",
    ),
    Row::code(
        &["ValidationException", "InvalidParameters"],
        Kind::Invalid,
        "a parameter does not fit the session document's pattern, or AWS's model",
    )
    .of(&["StartSession"])
    .advice("correct `host` and `port` of the tunnel: the session document allows others only"),
    Row::code(
        &["InvalidTarget"],
        Kind::Invalid,
        "the target is not managed by Systems Manager in this region",
    )
    .advice("correct `target`, and check that it is in region {region}"),
    Row::code(
        &["InvalidInstanceId"],
        Kind::NotFound,
        "Systems Manager knows no such node in this account and region",
    )
    .advice("correct `node` of the bastion, and check `region` ({region}) and `profile`"),
];

/// Of EC2.
pub(in crate::aws) static EC2: &[Row] = &[
    Row::code(
        &["IncorrectInstanceState"],
        Kind::NotReady,
        "the instance is not in a state from which it can be started or stopped",
    )
    .advice("wait until it is running or stopped, then try again"),
    Row::code(
        &[
            "InsufficientInstanceCapacity",
            "InsufficientHostCapacity",
            "InsufficientReservedInstanceCapacity",
        ],
        Kind::Capacity,
        "EC2 has no capacity for this type of instance in its zone at this time",
    )
    .advice("try again in some minutes; if it stays, change the instance's type"),
    Row::code(
        &["InstanceLimitExceeded", "VcpuLimitExceeded"],
        Kind::Quota,
        "a quota of running instances is used up",
    )
    .advice("request a higher quota for EC2 in the Service Quotas console, or stop other instances"),
    Row::code(
        &["InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"],
        Kind::NotFound,
        "the instance does not exist in this account and region",
    )
    .advice("correct `instance` of the bastion, and check `region` ({region}) and `profile`"),
    Row::code(
        &["UnsupportedOperation"],
        Kind::Unsuitable,
        "the instance cannot be started or stopped: it is a Spot instance, or has an instance store",
    )
    .advice("take an on-demand instance whose root volume is on EBS"),
];

/// Of the services that databases, keys and everything else are asked for.
pub(in crate::aws) static OTHERS: &[Row] = &[
    Row::code(
        &[
            "DBClusterNotFoundFault",
            "DBInstanceNotFound",
            "DBProxyNotFoundFault",
            "ReplicationGroupNotFoundFault",
            "ClusterNotFound",
        ],
        Kind::NotFound,
        "the database does not exist in this account and region",
    )
    .advice("correct `host`, and check `region` ({region}) and `profile`"),
    Row::code(
        &["NotFoundException"],
        Kind::NotFound,
        "the key does not exist",
    )
    .advice("check the KMS key in the preferences of Session Manager, or of the cluster"),
    Row::code(
        &[
            "DisabledException",
            "KMSInvalidStateException",
            "InvalidKeyUsageException",
        ],
        Kind::Invalid,
        "the key cannot be used",
    )
    .advice("check that the KMS key of the account's shells is enabled and encrypts"),
    Row::code(
        &[
            "KMSInternalException",
            "DependencyTimeoutException",
            "KeyUnavailableException",
        ],
        Kind::Transient,
        "AWS has trouble of its own",
    ),
    Row::code(
        &[
            "InvalidParameterException",
            "InvalidParameterValue",
            "InvalidParameters",
            "ValidationException",
        ],
        Kind::Invalid,
        "AWS does not accept a value",
    )
    .advice("correct the setting that AWS's text names"),
];

//! AWS's words, row by row.

/// A call that is refused.
pub struct Case {
    /// Of `docs/errors.md`.
    pub section: &'static str,
    pub operation: &'static str,
    pub status: u16,
    pub code: &'static str,
    pub text: &'static str,
}

/// A task that stops before it can be used.
pub struct Stop {
    pub code: &'static str,
    pub text: &'static str,
    pub exit: Option<i32>,
}

const fn case(
    section: &'static str,
    operation: &'static str,
    code: &'static str,
    text: &'static str,
) -> Case {
    Case {
        section,
        operation,
        status: 400,
        code,
        text,
    }
}

const fn any(code: &'static str, text: &'static str) -> Case {
    case("Any call", "RunTask", code, text)
}

const fn ecs(code: &'static str, text: &'static str) -> Case {
    case("Calls of ECS", "RunTask", code, text)
}

const fn session(code: &'static str, text: &'static str) -> Case {
    case("Calls of SSM", "StartSession", code, text)
}

const fn ec2(code: &'static str, text: &'static str) -> Case {
    case("Calls of EC2", "StartInstances", code, text)
}

const fn failed(text: &'static str) -> Stop {
    stop("TaskFailedToStart", text, None)
}

const fn stop(code: &'static str, text: &'static str, exit: Option<i32>) -> Stop {
    Stop { code, text, exit }
}

const INVALID: &str = "InvalidParameterException";
const CLIENT: &str = "ClientException";
const PLACE: &str = "RunTask that gives no task";

#[rustfmt::skip]
pub const TASKS: &[Case] = &[
    any("ThrottlingException", "Rate exceeded"),
    Case { status: 500, ..any("ServerException", "Service Unavailable. Please try again later.") },
    any("ExpiredTokenException", "The security token included in the request is expired"),
    any("UnrecognizedClientException", "The security token included in the request is invalid."),
    any("RequestExpired", "Request has expired."),
    any("RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
    any("InvalidSignatureException", "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z"),
    any("InvalidSignatureException", "The request signature we calculated does not match the signature you provided."),
    any("BlockedException", "Your Amazon Web Services account was blocked."),
    any("OptInRequired", "You are not subscribed to this service."),
    any("AccessDeniedException", "User: arn:aws:iam::123456789012:user/x is not authorized to perform: iam:PassRole on resource: \
         arn:aws:iam::123456789012:role/y because no identity-based policy allows the iam:PassRole action"),
    any("LimitExceededException", "The limit for the resource was exceeded."),
    ecs("ClusterNotFoundException", "Cluster not found."),
    ecs(CLIENT, "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/y' that was provided for this task."),
    ecs(CLIENT, "You've reached the limit of tasks in the PROVISIONING state."),
    ecs(CLIENT, "TaskDefinition not found."),
    ecs(CLIENT, "Rate exceeded"),
    ecs(CLIENT, "Capacity is unavailable at this time."),
    ecs(INVALID, "Network Configuration must be provided when networkMode 'awsvpc' is specified."),
    ecs(INVALID, "The subnet ID 'subnet-1' does not exist"),
    ecs(INVALID, "The securityGroup ID 'sg-1' does not exist"),
    ecs(INVALID, "The task couldn't be run because a valid taskRoleArn is not being used."),
    ecs(INVALID, "The specified capacity provider 'FARGATE_SPOT' was not found."),
    ecs(INVALID, "No Container Instances were found in your cluster."),
    case("Calls of ECS", "ListTasks", INVALID, "startedBy cannot be specified in combination with another filter."),
    ecs("PlatformUnknownException", "The specified platform version does not exist."),
    ecs("PlatformTaskDefinitionIncompatibilityException", "The platform version does not satisfy the task definition's required capabilities."),
    ecs("UnsupportedFeatureException", "The specified task isn't supported in this Region."),
    ecs(CLIENT, "These actions are usually caused by a client action."),
    case("Other calls", "RunTask", INVALID, "Container override is not valid."),
    session("InvalidDocument", "Document with name AWS-StartPortForwardingSessionToRemoteHost does not exist."),
    session("BadRequest", "Enable advanced-instances tier to use Session Manager with your on-premises instances"),
    session("InvalidParameters", "Parameter \"portNumber\" has value \"5432\" not matching 443"),
    session("InvalidTarget", "The target isn't valid."),
];

#[rustfmt::skip]
pub const PLACEMENT: &[Case] = &[
    case(PLACE, "RunTask", "", "Capacity is unavailable at this time. Please try again later or in a different availability zone"),
    case(PLACE, "RunTask", "", "You've reached the limit on the number of tasks you can run concurrently"),
    case(PLACE, "RunTask", "", "The requested CPU configuration is above your limit"),
    case(PLACE, "RunTask", "", "MISSING"),
    case(PLACE, "RunTask", "", "RESOURCE:ENI"),
    case(PLACE, "RunTask", "", "ATTRIBUTE"),
];

#[rustfmt::skip]
pub const ROLES: &[Case] = &[
    case("Any call", "AssumeRole", "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code."),
    case("Any call", "AssumeRole", "AccessDenied", "MultiFactorAuthentication failed, must provide MFA code"),
];

#[rustfmt::skip]
pub const INSTANCES: &[Case] = &[
    ec2("InsufficientInstanceCapacity", "There is no Spot capacity available that matches your request."),
    ec2("InstanceLimitExceeded", "Your quota allows for 0 more running instance(s)."),
    ec2("UnsupportedOperation", "You can't start the Spot Instance 'i-0123456789abcdef0'"),
];

#[rustfmt::skip]
pub const STOPS: &[Stop] = &[
    failed("CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/arm64'"),
    failed("CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: OCI runtime create failed"),
    failed("CannotPullContainerError: inspect image has been retried 1 time(s): toomanyrequests: You have reached your pull rate limit."),
    failed("CannotPullContainerError: write /var/lib/containerd/x: no space left on device"),
    failed("CannotPullContainerError: panic: runtime error: invalid memory address or nil pointer dereference"),
    failed("CannotPullContainerError: pull access denied, repository does not exist or may require authorization"),
    failed("ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times"),
    failed("ResourceInitializationError: unable to pull secrets or registry auth: the command failed"),
    failed("ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes"),
    failed("CannotPullContainerError: failed to do request: dial tcp 3.94.224.37:443: i/o timeout"),
    failed("CannotPullContainerError: failed to resolve ref public.ecr.aws/x: not found"),
    failed("Timeout waiting for network interface provisioning to complete."),
    failed("Capacity is unavailable at this time."),
    failed("SomethingNewError: as nobody has seen it"),
    stop("EssentialContainerExited", "Essential container in task exited", Some(137)),
    stop("EssentialContainerExited", "OutOfMemoryError: Container killed due to memory usage", Some(1)),
    stop("EssentialContainerExited", "Essential container in task exited", Some(0)),
    stop("EssentialContainerExited", "Essential container in task exited", Some(3)),
    stop("UserInitiated", "Task stopped by user", None),
    stop("ServiceSchedulerInitiated", "Scaling activity initiated by (deployment ecs-svc/1)", None),
    stop("SpotInterruption", "Your Spot Task was interrupted.", None),
    stop("TerminationNotice", "Your Spot Task was interrupted, so says the notice.", None),
    stop("InfrastructureHealth", "The host of your task is retired.", None),
    stop("SomethingNew", "as nobody has seen it", None),
];

/// AWS's words, and why by the page.
#[rustfmt::skip]
pub const DENIALS: &[(&str, &str)] = &[
    ("User: u is not authorized to perform: ecs:RunTask on resource: arn:aws:ecs:x:1:task/y because no identity-based policy allows \
      the ecs:RunTask action", "no policy allows it"),
    ("User: u is not authorized to perform: ecs:RunTask on resource: arn:aws:ecs:x:1:task/y with an explicit deny in an \
      identity-based policy", "a policy denies it"),
    ("User: u is not authorized to perform: ecs:RunTask on resource: arn:aws:ecs:x:1:task/y with an explicit deny in a service \
      control policy", "a service or resource control policy denies it"),
    ("User: u is not authorized to perform: ecs:RunTask on resource: arn:aws:ecs:x:1:task/y because no permissions boundary allows \
      the ecs:RunTask action", "the permissions boundary does not allow it"),
    ("User: u is not authorized to perform: ecs:RunTask on resource: arn:aws:ecs:x:1:task/y because no session policy allows the \
      ecs:RunTask action", "the policy of the login session does not allow it"),
    ("User: u is not authorized to perform: ecs:RunTask on resource: arn:aws:ecs:x:1:task/y because no VPC endpoint policy allows \
      the ecs:RunTask action", "the policy of a VPC endpoint does not allow it"),
    ("Access denied.", "AWS does not say why"),
];

const SERVICES: &str = "what_keeps_a_service_from_serving_is_told_with_what_to_do";
const SAID: &str = "what_a_service_says_of_itself_has_its_advice";
const KMS: &str = "GenerateDataKey";

#[rustfmt::skip]
pub const SHELLS: &[Case] = &[
    case("Calls of ECS", "ExecuteCommand", INVALID, "The execute command failed because execute command was not enabled when the \
         task was run or the execute command agent isn\u{2019}t running. Wait and try again or run a new task"),
    case("Calls of ECS", "ExecuteCommand", INVALID, "Container name must be specified."),
    case("Calls of ECS", "ExecuteCommand", INVALID, "Container was not found."),
    case("Other calls", KMS, "NotFoundException", "Key 'k' does not exist"),
    case("Other calls", KMS, "DisabledException", "k is disabled."),
    case("Other calls", KMS, "KeyUnavailableException", "The request was rejected because the key was not available."),
];

/// Lines of `[aws]`, `~/.aws/config`, and the section and a part of the cause of their row.
#[rustfmt::skip]
pub const CREDENTIALS: &[(&str, &str, &str, &str)] = &[
    ("profile = \"dev\"", "", "No credentials", "`was looked for in`"),
    ("profile = \"dev\"", "[profile other]\nregion = eu-west-1\n", "No credentials", "`was looked for in`"),
    ("profile = \"dev\"", "[profile dev]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n", "No credentials",
     "`was not defined`"),
    ("profile = \"dev\"", "[profile dev]\nlogin_session = arn:aws:iam::123456789012:user/x\n", "No credentials", "`/login/cache`"),
    ("profile = \"dev\"", "[profile dev]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = dev\n\
     [sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.awsapps.com/start\n", "No credentials", "`sso token`"),
    ("profile = \"dev\"", "[profile dev]\ncredential_process = /bin/false\n", "No credentials", "`credential_process`"),
    ("", "", "No answer", "no source has any"),
];

/// Rows of which another test is the proof: section, cause or meaning, test.
#[rustfmt::skip]
pub const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("Calls of ECS", "`InvalidParameterException` with `task was not found`", "a_task_that_is_gone_counts_as_stopped"),
    ("Calls of ECS", "`ServiceNotFoundException`", "a_service_that_is_not_there_or_starts_tasks_without_an_agent_is_told"),
    ("Calls of ECS", "`ServiceNotActiveException`", SERVICES),
    ("A service without a task", "`capacity is unavailable`", SERVICES),
    ("A service without a task", "`circuit breaker` or `deployment failed`", SERVICES),
    ("A service without a task", "`unable to place a task`", SERVICES),
    ("A service without a task", "`reached the limit` or `above your limit`", SAID),
    ("A service without a task", "`unable to assume`", SAID),
    ("A service without a task", "`unable to consistently start`", SAID),
    ("A service without a task", "`failed to start` or `failed to launch`", SAID),
    ("Calls of ECS", "`ConflictException`", "a_conflict_names_the_task_that_is_used"),
    ("Calls of SSM", "`TargetNotConnected`, `TargetNotConnectedException`", "a_task_whose_agent_never_connects_is_replaced_once_and_then_told"),
    ("Calls of SSM", "`DoesNotExistException`", "a_session_that_does_not_exist_any_more_is_over_too"),
    ("Calls of SSM", "`InvalidInstanceId`", "a_node_that_is_no_use_is_told_with_what_to_do"),
    ("Calls of EC2", "`IncorrectInstanceState`", "a_start_that_comes_too_early_is_tried_again"),
    ("Calls of EC2", "`InvalidInstanceID.NotFound`, `InvalidInstanceID.Malformed`", "what_keeps_an_instance_from_starting_is_told_with_what_to_do"),
    ("Other calls", "`DBClusterNotFoundFault`, `DBInstanceNotFound`, `DBProxyNotFoundFault`, `ReplicationGroupNotFoundFault`, `ClusterNotFound`",
     "a_database_that_is_not_there_or_not_to_be_seen_is_told_before_a_session_is_started"),
    ("No credentials", "`code of the mfa device`", "a_role_that_wants_an_mfa_code_waits_for_it_and_everything_goes_on_when_it_is_given"),
    ("No credentials", "`forbiddenexception` or `no access`", "words_of_credential_errors_name_the_login"),
    ("No credentials", "`provider timed out`", "words_of_credential_errors_name_the_login"),
    ("No answer", "`invalid peer certificate`", "the_api_is_reached_by_proxy_and_ca_bundle"),
    ("No answer", "no way to AWS: name, connection or TLS", "a_closed_endpoint_is_unreachable"),
    ("No answer", "AWS did not answer in time", "a_silent_service_ends_in_a_timeout"),
    ("No answer", "an answer was not of the kind that AWS gives", "a_stream_url_elsewhere_is_refused_and_its_session_ended"),
    ("No answer", "`tunnel error`", "a_proxy_that_lets_no_call_through_is_told_with_what_mends_it"),
];

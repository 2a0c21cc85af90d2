//! What AWS said no to, what that means, and what to do about it.
//!
//! AWS's own text and request id are always kept; the kind is decided by the error's code first and by its
//! words only where one code covers several causes.

use std::{fmt, ops::Deref, time::Duration};

/// A call that failed; its fields are those of `Failure`. Boxed, so that a `Result` stays small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Failure>);

/// What is known of a call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The API operation, as AWS spells it.
    pub operation: &'static str,
    /// AWS's error code; none when no answer came.
    pub code: Option<String>,
    /// AWS's own text, or what kept its answer away.
    pub message: String,
    /// The request id that AWS's support asks for.
    pub request_id: Option<String>,
    /// What the failure means.
    pub kind: Kind,
    /// Resources the failure names: the existing tasks of a `ConflictException`.
    pub resource_ids: Vec<String>,
    /// How long AWS asked to wait (`x-amz-retry-after`).
    pub retry_after: Option<Duration>,
    /// What it means, in a few words.
    pub meaning: Option<&'static str>,
    /// The one thing to do, a command where there is one.
    pub hint: Option<String>,
}

/// What a failure means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Too many calls, of ours or of others of the account.
    Throttled,
    /// AWS's own trouble.
    Transient,
    /// No answer: name, connection, proxy or TLS.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// Credentials that somebody has to renew.
    Login(Login),
    /// Credentials that may not do this.
    Denied(Denied),
    /// The machine's clock is wrong; by how many seconds it is behind AWS's, where known.
    ClockSkew(Option<i64>),
    /// The cluster, task definition, task or database does not exist.
    NotFound,
    /// Several things fit, where only one may.
    SeveralFit,
    /// It exists and cannot be used yet.
    NotReady,
    /// It exists and will never serve this purpose.
    Unsuitable,
    /// The client token belongs to a task with other parameters: see `resource_ids`.
    Conflict,
    /// The agent is not connected, yet or any more.
    TargetNotConnected,
    /// No Fargate capacity at this time.
    Capacity,
    /// A quota of the account is used up.
    Quota,
    /// ECS could not assume a role, which happens for seconds after it was made.
    RoleNotReady,
    /// Parameters that will never be accepted.
    Invalid,
    /// What AWS answered must not be used, such as a stream URL elsewhere.
    Untrusted,
    /// A setting of ours or of the AWS configuration files is missing or wrong.
    Configuration,
    /// Anything else.
    Other,
}

/// Why there are no usable credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// The IAM Identity Center session is over or never began.
    Sso,
    /// The console session (`aws login`) is over or never began.
    Console,
    /// No source has any credentials.
    Missing,
    /// Temporary credentials that expired.
    Expired,
    /// AWS does not know the key, or the secret is wrong.
    Rejected,
    /// The `credential_process` command failed.
    Process,
    /// The role needs an MFA code, or another one.
    Mfa,
}

/// What is not allowed, to whom AWS said so, and by which kind of policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denied {
    /// The IAM action.
    pub action: Option<String>,
    /// The ARN it was asked for.
    pub resource: Option<String>,
    /// What denies it.
    pub why: Why,
}

/// What denies an action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Why {
    /// No policy allows it.
    NotAllowed,
    /// A policy denies it explicitly.
    ExplicitDeny,
    /// A service or resource control policy of the organisation.
    OrganizationPolicy,
    /// A permissions boundary.
    PermissionsBoundary,
    /// The session's own policy.
    SessionPolicy,
    /// The policy of a VPC endpoint.
    EndpointPolicy,
    /// AWS does not tell.
    #[default]
    Unknown,
}

impl Error {
    /// Whether the same call may succeed a little later without anybody doing anything.
    pub fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }

    /// Whether AWS may have done what it was asked for all the same: the answer was lost or is of no use, or the last of
    /// several attempts was turned away.
    pub fn is_ambiguous(&self) -> bool {
        match self.kind {
            Kind::Transient | Kind::Unreachable | Kind::Timeout => true,
            Kind::Throttled | Kind::Untrusted | Kind::Other => true,
            Kind::Login(_) | Kind::Denied(_) | Kind::ClockSkew(_) | Kind::Configuration => false,
            Kind::NotFound | Kind::Conflict | Kind::Invalid | Kind::Quota => false,
            Kind::Capacity | Kind::RoleNotReady | Kind::TargetNotConnected => false,
            Kind::SeveralFit | Kind::NotReady | Kind::Unsuitable => false,
        }
    }

    /// Whether somebody has to renew credentials first, or to get others: a role that cannot be assumed any more is
    /// mended like a sign-in that is over.
    pub fn needs_login(&self) -> bool {
        match self.kind {
            Kind::Login(_) => true,
            Kind::Denied(_) => self.operation == "AssumeRole",
            _ => false,
        }
    }

    /// The one thing to do, a command where there is one.
    pub fn hint(&self) -> Option<String> {
        self.hint.clone()
    }

    /// A stable word for the status.
    pub fn code_word(&self) -> &'static str {
        self.kind.word()
    }
}

impl Kind {
    /// Whether the same call may succeed a little later without anybody doing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Kind::Throttled | Kind::Transient | Kind::Unreachable | Kind::Timeout => true,
            Kind::TargetNotConnected | Kind::Capacity | Kind::RoleNotReady => true,
            Kind::Login(_) | Kind::Denied(_) | Kind::ClockSkew(_) => false,
            Kind::NotFound | Kind::Conflict | Kind::SeveralFit | Kind::NotReady => false,
            Kind::Unsuitable | Kind::Quota | Kind::Invalid | Kind::Untrusted => false,
            Kind::Configuration | Kind::Other => false,
        }
    }

    /// A stable word for the status.
    pub fn word(&self) -> &'static str {
        match self {
            Kind::Throttled => "aws_throttled",
            Kind::Transient => "aws_unavailable",
            Kind::Unreachable => "aws_unreachable",
            Kind::Timeout => "aws_timeout",
            Kind::Login(Login::Sso | Login::Console | Login::Expired) => "credentials_expired",
            Kind::Login(Login::Missing) => "credentials_missing",
            Kind::Login(Login::Rejected | Login::Process) => "credentials_refused",
            Kind::Login(Login::Mfa) => "credentials_mfa",
            Kind::Denied(_) => "access_denied",
            Kind::ClockSkew(_) => "clock_wrong",
            Kind::NotFound => "not_found",
            Kind::SeveralFit => "several_fit",
            Kind::NotReady => "not_ready",
            Kind::Unsuitable => "unsuitable",
            Kind::Conflict => "conflict",
            Kind::TargetNotConnected => "target_not_connected",
            Kind::Capacity => "no_capacity",
            Kind::Quota => "quota_reached",
            Kind::RoleNotReady => "role_not_ready",
            Kind::Invalid => "invalid_request",
            Kind::Untrusted => "untrusted_answer",
            Kind::Configuration => "aws_configuration",
            Kind::Other => "aws_error",
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self(Box::new(failure))
    }
}

impl Deref for Error {
    type Target = Failure;

    fn deref(&self) -> &Failure {
        &self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.operation)?;
        if let Some(meaning) = self.meaning {
            write!(f, "{meaning}: ")?;
        }
        f.write_str(&self.message)?;
        match (&self.code, &self.request_id) {
            (Some(code), Some(id)) => write!(f, " ({code}, request {id})"),
            (Some(code), None) => write!(f, " ({code})"),
            (None, Some(id)) => write!(f, " (request {id})"),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

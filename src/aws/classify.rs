//! From what the SDK returns to an `Error`, by AWS's codes and, where one code is not enough, its words.

use std::{error::Error as StdError, time::Duration};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ecs::{error::ProvideErrorMetadata, operation::run_task::RunTaskError};
use aws_smithy_runtime_api::{client::result::SdkError, http::Response};
use aws_types::request_id::RequestId;

use super::{
    advice::{self, Caller},
    denied,
    error::{Error, Failure, Kind, Login},
    login::{chain_text, credentials_kind, find},
};

/// What may let the very same request succeed. AWS has acted on none of those that have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Other credentials than these, if there are any by now: they run out, and keys are rotated.
    Replace,
    /// The right time, once AWS's answer has told it.
    Clock,
}

/// What may help against a failed call.
pub(super) fn remedy<E: ProvideErrorMetadata>(
    error: &SdkError<E, Response>,
    skew: Option<i64>,
) -> Option<Remedy> {
    let refused = error.as_service_error()?;
    let (code, text) = (refused.code()?, refused.message().unwrap_or_default());
    match by_code("", code, text, None, skew) {
        Kind::Login(Login::Expired | Login::Rejected) => Some(Remedy::Replace),
        Kind::ClockSkew(Some(_)) => Some(Remedy::Clock),
        _ => None,
    }
}

/// What a failed SDK call means. `skew` is how many seconds the clock is behind AWS's.
pub(super) fn from_sdk<E>(
    operation: &'static str,
    error: &SdkError<E, Response>,
    skew: Option<i64>,
    caller: &Caller,
) -> Error
where
    E: StdError + ProvideErrorMetadata + 'static,
{
    let code = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code);
    let text = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::message);
    let message = text.map_or_else(|| chain_text(error), str::to_owned);
    let kind = match code {
        Some(code) => by_code(operation, code, &message, status(error), skew),
        None => without_code(error, &message),
    };
    Error::from(Failure {
        request_id: error
            .request_id()
            .or_else(|| error.as_service_error()?.meta().request_id())
            .map(str::to_owned),
        resource_ids: resource_ids(error),
        retry_after: error.raw_response().and_then(retry_after),
        ..failure(operation, code, message, kind, caller)
    })
}

/// A failure with its advice, and nothing that only an answer of AWS has.
pub(super) fn failure(
    operation: &'static str,
    code: Option<&str>,
    message: String,
    kind: Kind,
    caller: &Caller,
) -> Failure {
    let advice = advice::advice(operation, &kind, code, &message, caller);
    let code = code.map(str::to_owned);
    Failure {
        operation,
        code,
        message,
        request_id: None,
        kind,
        resource_ids: Vec::new(),
        retry_after: None,
        meaning: advice.meaning,
        hint: advice.hint,
    }
}

/// What AWS's `code` means, in the light of its words; the HTTP `status` decides for a code that is new.
pub(super) fn by_code(
    operation: &str,
    code: &str,
    message: &str,
    status: Option<u16>,
    skew: Option<i64>,
) -> Kind {
    let of_time = || advice::SIGNATURE.contains(&code) || code == "RequestExpired";
    let is_clock = || of_time() && skew.is_some_and(is_far_off);
    match advice::by_code(operation, code, message).map(|row| &row.kind) {
        Some(Kind::Denied(_)) => Kind::Denied(denied::parse(message)),
        Some(Kind::ClockSkew(_)) => Kind::ClockSkew(skew),
        Some(Kind::Login(_)) if is_clock() => Kind::ClockSkew(skew),
        Some(kind) => kind.clone(),
        None => match by_status(status) {
            Kind::Other if operation == "AssumeRole" => Kind::Denied(denied::parse(message)),
            kind => kind,
        },
    }
}

/// What an answer means of which the HTTP status alone is understood.
pub(super) fn by_status(status: Option<u16>) -> Kind {
    match status {
        Some(429) => Kind::Throttled,
        Some(500..) => Kind::Transient,
        _ => Kind::Other,
    }
}

/// The HTTP status of AWS's answer.
pub(super) fn status<E>(error: &SdkError<E, Response>) -> Option<u16> {
    Some(error.raw_response()?.status().as_u16())
}

/// A clock more than four minutes off is near the five that AWS tolerates; nearer, the secret is wrong.
fn is_far_off(skew: i64) -> bool {
    skew.abs() > 240
}

fn without_code<E: StdError + 'static>(error: &SdkError<E, Response>, message: &str) -> Kind {
    if let Some(credentials) = find::<CredentialsError>(error) {
        return credentials_kind(credentials, &message.to_ascii_lowercase());
    }
    match error {
        SdkError::TimeoutError(_) => Kind::Timeout,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => Kind::Timeout,
        SdkError::DispatchFailure(_) => Kind::Unreachable,
        SdkError::ResponseError(_) => Kind::Transient,
        SdkError::ServiceError(_) => by_status(status(error)),
        _ => Kind::Other,
    }
}

fn resource_ids(error: &(dyn StdError + 'static)) -> Vec<String> {
    match find::<RunTaskError>(error) {
        Some(RunTaskError::ConflictException(conflict)) => conflict.resource_ids().to_vec(),
        _ => Vec::new(),
    }
}

/// Milliseconds, as the SDKs of AWS read it.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get("x-amz-retry-after")?;
    text.parse().ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::operation::stop_task::StopTaskError;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    #[test]
    fn codes_decide_what_a_failure_means() {
        for (code, message, kind) in [
            ("ThrottlingException", "Rate exceeded", Kind::Throttled),
            ("ServerException", "", Kind::Transient),
            (
                "ExpiredTokenException",
                "The security token included in the request is expired",
                Kind::Login(Login::Expired),
            ),
            (
                "UnrecognizedClientException",
                "",
                Kind::Login(Login::Rejected),
            ),
            (
                "ClusterNotFoundException",
                "Cluster not found.",
                Kind::NotFound,
            ),
            (
                "ClientException",
                "TaskDefinition not found.",
                Kind::NotFound,
            ),
            (
                "ClientException",
                "TaskDefinition is inactive",
                Kind::NotFound,
            ),
            (
                "ClientException",
                "ECS was unable to assume the role 'x'",
                Kind::RoleNotReady,
            ),
            (
                "InvalidParameterException",
                "The referenced task was not found.",
                Kind::NotFound,
            ),
            (
                "InvalidParameterException",
                "No Container Instances were found in your cluster.",
                Kind::Invalid,
            ),
            (
                "TargetNotConnected",
                "ecs:x is not connected.",
                Kind::TargetNotConnected,
            ),
            (
                "SignatureDoesNotMatch",
                "Signature expired: 20260101T000000Z is now earlier",
                Kind::ClockSkew(None),
            ),
            (
                "InvalidSignatureException",
                "The request signature does not match",
                Kind::Login(Login::Rejected),
            ),
            ("SomethingNew", "", Kind::Other),
        ] {
            let failed = failed(code, message);
            assert_eq!(failed.kind, kind, "{code} {message}");
            assert_eq!(
                (failed.code.as_deref(), failed.message.as_str()),
                (Some(code), message)
            );
        }
    }

    #[test]
    fn a_wrong_signature_with_a_wrong_clock_blames_the_clock() {
        let kind = |skew| {
            by_code(
                "",
                "InvalidSignatureException",
                "it does not match",
                None,
                skew,
            )
        };
        assert_eq!(kind(Some(-301)), Kind::ClockSkew(Some(-301)));
        assert_eq!(kind(Some(20)), Kind::Login(Login::Rejected));
        let expired = |skew| by_code("", "RequestExpired", "Request has expired.", None, skew);
        assert_eq!(expired(Some(3600)), Kind::ClockSkew(Some(3600)));
        assert_eq!(expired(Some(2)), Kind::Login(Login::Expired));
    }

    #[test]
    fn an_unknown_code_is_judged_by_its_http_status() {
        for (status, kind) in [
            (503, Kind::Transient),
            (500, Kind::Transient),
            (429, Kind::Throttled),
            (400, Kind::Other),
        ] {
            assert_eq!(failed_with(status, "SomethingNew", "").kind, kind);
            let kind = match kind {
                Kind::Other => Kind::Denied(Default::default()),
                kind => kind,
            };
            let code = by_code("AssumeRole", "SomethingNew", "", Some(status), None);
            assert_eq!(code, kind, "{status}");
        }
        let known = failed_with(500, "AccessDeniedException", "");
        assert_eq!(known.kind, Kind::Denied(Default::default()));
    }

    fn failed(code: &str, message: &str) -> Error {
        failed_with(400, code, message)
    }

    fn failed_with(status: u16, code: &str, message: &str) -> Error {
        let meta = ErrorMetadata::builder().code(code).message(message).build();
        let response = Response::new(
            status.try_into().unwrap(),
            aws_smithy_types::body::SdkBody::empty(),
        );
        let error = SdkError::service_error(StopTaskError::generic(meta), response);
        from_sdk("StopTask", &error, None, &Caller::default())
    }
}

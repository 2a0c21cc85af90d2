//! Why credentials could not be had. The SDK's types behind these errors are private, so their words decide;
//! what they lead to is a login command, a setting, or patience.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ecs::error::ProvideErrorMetadata;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_runtime_api::{
    client::result::{ConnectorError, SdkError},
    http::Response,
};
use aws_types::request_id::RequestId;

use super::{
    advice::{self, Caller},
    classify::{by_code, by_status, failure, status},
    denied,
    error::{Error, Failure, Kind, Login},
};

/// Longest text taken from a chain of errors; a command's output can be of any length.
const MAX_TEXT: usize = 400;
/// The SDK's words when every source was tried; what follows, a list of what each lacked, helps nobody.
const NONE_FOUND: &str = "no credentials found in chain";

/// What failed credentials mean to the operation that needed them.
pub(super) fn from_credentials(
    operation: &'static str,
    error: &CredentialsError,
    caller: &Caller,
) -> Error {
    let assume = find::<SdkError<AssumeRoleError, Response>>(error);
    if let Some((call, refused)) = assume.and_then(|call| Some((call, call.as_service_error()?))) {
        let message = refused
            .message()
            .map_or_else(|| chain_text(call), str::to_owned);
        let (code, status) = (refused.code(), status(call));
        let kind = match code {
            Some(code) => by_code("AssumeRole", code, &message, status, None),
            None => by_status(status),
        };
        let request_id = call.request_id().or_else(|| refused.meta().request_id());
        return Error::from(Failure {
            request_id: request_id.map(str::to_owned),
            ..failure("AssumeRole", code, message, kind, caller)
        });
    }
    let mut message = chain_text(error);
    let kind = credentials_kind(error, &message.to_ascii_lowercase());
    if message.contains(NONE_FOUND) {
        message = "there are no credentials in the environment or the profile".to_owned();
    }
    failure(operation, None, message, kind, caller).into()
}

/// The kind of failed credentials, whose chain says `text` in lower case.
pub(super) fn credentials_kind(error: &CredentialsError, text: &str) -> Kind {
    match advice::by_source(text).map(|row| &row.kind) {
        Some(Kind::Denied(_)) => Kind::Denied(denied::parse(text)),
        // Its words are also in what the SDK says when it cannot ask for the sign-in's credentials.
        Some(Kind::Login(Login::Sso)) if is_network(error) => Kind::Unreachable,
        Some(kind) => kind.clone(),
        None => by_variant(error),
    }
}

fn by_variant(error: &CredentialsError) -> Kind {
    match error {
        CredentialsError::CredentialsNotLoaded(_) => Kind::Login(Login::Missing),
        CredentialsError::ProviderTimedOut(_) => Kind::Timeout,
        CredentialsError::InvalidConfiguration(_) => Kind::Configuration,
        _ if has_timed_out(error) => Kind::Timeout,
        _ if is_network(error) => Kind::Unreachable,
        _ => Kind::Other,
    }
}

/// The role was not assumed in time.
fn has_timed_out(error: &CredentialsError) -> bool {
    let call = find::<SdkError<AssumeRoleError, Response>>(error);
    matches!(call, Some(SdkError::TimeoutError(_)))
}

fn is_network(error: &CredentialsError) -> bool {
    find::<ConnectorError>(error).is_some()
}

/// The first error of type `T` in the chain.
pub(super) fn find<'a, T: StdError + 'static>(
    error: &'a (dyn StdError + 'static),
) -> Option<&'a T> {
    sources(error).find_map(|source| source.downcast_ref())
}

fn sources<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// What the chain says, on one line, without the SDK's sentences that say nothing and without repetitions.
pub(super) fn chain_text(error: &(dyn StdError + 'static)) -> String {
    const EMPTY: [&str; 6] = [
        "an error occurred while loading credentials",
        "unexpected credentials error",
        "the credentials provider was not properly configured",
        "service error",
        "dispatch failure",
        "unhandled error",
    ];
    let mut text = String::new();
    for source in sources(error) {
        let words = without_output(source.to_string());
        let part = words.split_whitespace().collect::<Vec<_>>().join(" ");
        if EMPTY.contains(&part.as_str()) || text.contains(&part) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&part);
    }
    let text = if text.is_empty() {
        error.to_string()
    } else {
        text
    };
    text.chars().take(MAX_TEXT).collect()
}

/// Of what a credential process wrote to stderr, the last line says what went wrong; the rest may be a trace with
/// anything in it.
fn without_output(text: String) -> String {
    const MARK: &str = "Stderr: ";
    let Some((before, output)) = text.split_once(MARK) else {
        return text;
    };
    let mut lines = output.lines().rev().map(str::trim);
    let last = lines.find(|line| !line.is_empty()).unwrap_or("nothing");
    format!("{before}{MARK}{}", redacted(last))
}

/// The line without what may be a key, a secret or a token: long runs of their alphabet with digits in them. Paths
/// look alike, but for capitals.
fn redacted(line: &str) -> String {
    let is_of_key = |c: char| c.is_ascii_alphanumeric() || "+/_-".contains(c);
    let mut text = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        let length = rest.find(|c| !is_of_key(c)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(length);
        let has = |is_it: fn(&char) -> bool| run.chars().any(|c| is_it(&c));
        let is_path = run.contains('/') && !has(char::is_ascii_uppercase);
        let is_secret = run.len() >= SHORTEST_SECRET && has(char::is_ascii_digit) && !is_path;
        text.push_str(if is_secret { "…" } else { run });
        let next = after.find(is_of_key).unwrap_or(after.len());
        text.push_str(&after[..next]);
        rest = &after[next..];
    }
    text
}

/// Access key ids have 20 characters; secrets and tokens more.
const SHORTEST_SECRET: usize = 16;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn words_of_credential_errors_name_the_login() {
        for (error, kind) in [
            (
                CredentialsError::provider_error(
                    "the SSO token has expired and cannot be refreshed",
                ),
                Kind::Login(Login::Sso),
            ),
            (
                CredentialsError::provider_error(
                    "failed to read `/home/me/.aws/sso/cache/0a.json`",
                ),
                Kind::Login(Login::Sso),
            ),
            (
                CredentialsError::provider_error(
                    "UnauthorizedException: Session token not found or invalid",
                ),
                Kind::Login(Login::Sso),
            ),
            (
                CredentialsError::provider_error("ForbiddenException: No access"),
                Kind::Denied(Default::default()),
            ),
            (
                CredentialsError::unhandled("cached Login token is expired"),
                Kind::Login(Login::Console),
            ),
            (
                CredentialsError::unhandled("Your session has expired. Please reauthenticate."),
                Kind::Login(Login::Console),
            ),
            (
                CredentialsError::not_loaded("environment variable not set"),
                Kind::Login(Login::Missing),
            ),
            (
                CredentialsError::not_loaded("profile `x` was not defined: could not find"),
                Kind::Configuration,
            ),
            (
                CredentialsError::provider_error(
                    "Error retrieving credentials from external process",
                ),
                Kind::Login(Login::Process),
            ),
            (
                CredentialsError::not_loaded("profile `sso token` was not defined"),
                Kind::Configuration,
            ),
            (
                CredentialsError::provider_timed_out(Duration::from_secs(1)),
                Kind::Timeout,
            ),
        ] {
            let failed = from_credentials("RunTask", &error, &Caller::default());
            assert_eq!(failed.kind, kind, "{}", failed.message);
        }
    }

    #[test]
    fn a_machine_without_credentials_is_told_so_in_few_words() {
        let tried =
            "no credentials found in chain. Attempted:\n  Environment: not set\n  Profile: none";
        let failed = from_credentials(
            "RunTask",
            &CredentialsError::not_loaded(tried),
            &Caller::default(),
        );
        assert_eq!(failed.kind, Kind::Login(Login::Missing));
        assert_eq!(
            failed.message,
            "there are no credentials in the environment or the profile"
        );
    }

    #[test]
    fn the_text_says_the_cause_and_nothing_twice() {
        let inner = CredentialsError::provider_error("the SSO token has expired");
        let outer = CredentialsError::provider_error(inner);
        assert_eq!(chain_text(&outer), "the SSO token has expired");
        assert!(chain_text(&CredentialsError::unhandled("x".repeat(9999))).len() <= MAX_TEXT);
        let lines = CredentialsError::provider_error("it said:\n  no\n");
        assert_eq!(chain_text(&lines), "it said: no");
    }

    #[test]
    fn of_a_credential_process_only_the_last_line_is_told_and_no_secret() {
        let stderr = "Traceback: password=hunter2\nerror: key AKIAIOSFODNN7EXAMPLE \
            secret=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY is locked\n\n";
        let error = CredentialsError::provider_error(format!(
            "Error retrieving credentials: external process exited with code exit status: 1. Stderr: {stderr}"
        ));
        let failed = from_credentials("RunTask", &error, &Caller::default());
        assert_eq!(failed.kind, Kind::Login(Login::Process));
        assert!(
            failed
                .message
                .ends_with("Stderr: error: key … secret=… is locked"),
            "{}",
            failed.message
        );
    }
}

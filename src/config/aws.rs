//! `[aws]`: which account, region and endpoint.

use http::Uri;

use super::{
    Aws,
    error::Complaint,
    host, raw,
    scope::{Report, Section, one_word},
};

pub(super) fn check(raw: Option<raw::Aws>, report: &mut Report) -> Aws {
    let raw = raw.unwrap_or_default();
    let mut scope = report.scope(Section::top().table("aws"));
    Aws {
        profile: scope.checked("profile", raw.profile, not_empty),
        region: scope.checked("region", raw.region, region),
        role_arn: scope.checked("role_arn", raw.role_arn, role_arn),
        endpoint_url: scope.checked("endpoint_url", raw.endpoint_url, endpoint_url),
        sign_websocket: raw.sign_websocket.unwrap_or(true),
    }
}

/// Profile names may have spaces.
fn not_empty(text: &str) -> Result<(), Complaint> {
    if text.trim().is_empty() {
        Err(Complaint::new("must not be empty"))
    } else {
        Ok(())
    }
}

/// `eu-central-1`, `us-gov-west-1`: words of small letters, a number last.
fn region(text: &str) -> Result<(), Complaint> {
    let parts: Vec<&str> = text.split('-').collect();
    let (last, words) = parts.split_last().expect("split gives at least one part");
    let all =
        |part: &str, good: fn(&char) -> bool| !part.is_empty() && part.chars().all(|c| good(&c));
    let words_are_right =
        words.len() >= 2 && words.iter().all(|word| all(word, char::is_ascii_lowercase));
    if words_are_right && all(last, char::is_ascii_digit) {
        return Ok(());
    }
    Err(Complaint::new(format!("`{text}` is not a region"))
        .hint("write its id, such as `ap-northeast-1`"))
}

fn role_arn(text: &str) -> Result<(), Complaint> {
    one_word(text)?;
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let right = match parts[..] {
        ["arn", partition, "iam", "", account, role] => {
            partition.starts_with("aws")
                && account.len() == 12
                && account.chars().all(|c| c.is_ascii_digit())
                && role
                    .strip_prefix("role/")
                    .is_some_and(|name| !name.is_empty())
        }
        _ => false,
    };
    if right {
        return Ok(());
    }
    Err(Complaint::new(format!("`{text}` is not the ARN of a role"))
        .hint("it looks like `arn:aws:iam::123456789012:role/NAME`"))
}

/// Answers from this endpoint hold session tokens: plain HTTP is for this machine only.
fn endpoint_url(text: &str) -> Result<(), Complaint> {
    let refuse = |why: &str| {
        Complaint::new(format!("`{text}` {why}"))
            .hint("write `https://HOST[:PORT]`, or `http://127.0.0.1:PORT`")
    };
    // The password must not be repeated in an error, which may be logged.
    if text.contains('@') {
        return Err(Complaint::new("must not have a user or password in it"));
    }
    let uri: Uri = text.parse().map_err(|_| refuse("is not a URL"))?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(refuse("is not a URL"));
    };
    if authority.host().is_empty() || authority.as_str().ends_with(':') {
        return Err(refuse("needs a host, and a port after a colon"));
    }
    if uri.query().is_some() || text.contains('#') {
        return Err(refuse("must not have a query or a fragment"));
    }
    match scheme {
        "https" => Ok(()),
        "http" if host::is_loopback(authority.host()) => Ok(()),
        "http" => Err(refuse("would carry session tokens in the clear")),
        _ => Err(refuse("is neither https nor http")),
    }
}

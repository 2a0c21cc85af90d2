//! `[aws]`: which account, region and endpoint.

use std::{ops::RangeInclusive, time::Duration};

use http::Uri;
use toml::Spanned;

use super::{
    AssumeRole, Aws,
    duration::RawDuration,
    error::Complaint,
    host, raw,
    scope::{Report, Scope, Section, one_word},
};

/// How long credentials of a role may last (STS API model), and of one that was assumed with a role.
const ROLE_DURATION: RangeInclusive<u64> = 900..=43_200;
const CHAINED: u64 = 3600;

pub(super) fn check(raw: Option<raw::Aws>, report: &mut Report) -> Aws {
    one(
        raw.unwrap_or_default(),
        &Aws::default(),
        Section::top().table("aws"),
        report,
    )
}

/// What is not set is that of `[aws]`; but a role belongs to the profile beside it.
pub(super) fn of_bastion(raw: raw::Aws, base: &Aws, section: Section, report: &mut Report) -> Aws {
    let base = match raw.profile.is_some() || raw.role_arn.is_some() {
        true => &Aws {
            role_arn: None,
            role: AssumeRole::default(),
            ..base.clone()
        },
        false => base,
    };
    one(raw, base, section, report)
}

fn one(raw: raw::Aws, base: &Aws, section: Section, report: &mut Report) -> Aws {
    let mut scope = report.scope(section);
    let or = |own: Option<String>, base: &Option<String>| own.or_else(|| base.clone());
    let profile = scope.checked("profile", raw.profile, not_empty);
    let region = scope.checked("region", raw.region, region);
    let has_role = raw.role_arn.is_some() || base.role_arn.is_some() || scope.was_cut("role_arn");
    let role_arn = scope.checked("role_arn", raw.role_arn, role_arn);
    let endpoint = scope.checked("endpoint_url", raw.endpoint_url, endpoint_url);
    let how = How {
        chain: raw.role_chain,
        external_id: raw.external_id,
        duration: raw.role_duration,
        source_identity: raw.source_identity,
        mfa_serial: raw.mfa_serial,
    };
    Aws {
        profile: or(profile, &base.profile),
        region: or(region, &base.region),
        role_arn: or(role_arn, &base.role_arn),
        role: role(how, &base.role, has_role, &mut scope),
        endpoint_url: or(endpoint, &base.endpoint_url),
        sign_websocket: raw.sign_websocket.unwrap_or(base.sign_websocket),
    }
}

/// How a role is assumed, as written.
struct How {
    chain: Option<Spanned<Vec<Spanned<String>>>>,
    external_id: Option<Spanned<String>>,
    duration: Option<Spanned<RawDuration>>,
    source_identity: Option<Spanned<String>>,
    mfa_serial: Option<Spanned<String>>,
}

fn role(how: How, base: &AssumeRole, has_role: bool, scope: &mut Scope) -> AssumeRole {
    let keys = [
        ("role_chain", how.chain.as_ref().map(Spanned::span)),
        ("external_id", how.external_id.as_ref().map(Spanned::span)),
        ("role_duration", how.duration.as_ref().map(Spanned::span)),
        (
            "source_identity",
            how.source_identity.as_ref().map(Spanned::span),
        ),
        ("mfa_serial", how.mfa_serial.as_ref().map(Spanned::span)),
    ];
    for (key, span) in keys {
        if let Some(span) = span.filter(|_| !has_role) {
            let complaint = Complaint::new("means nothing without `role_arn`");
            scope.wrong(key, span, complaint.hint("set `role_arn` too"));
        }
    }
    let chain = how.chain.map(|chain| {
        let arns = chain.into_inner().into_iter();
        arns.filter_map(|arn| scope.checked("role_chain", Some(arn), role_arn))
            .collect()
    });
    let chain: Vec<String> = chain.unwrap_or_else(|| base.chain.clone());
    let most = match chain.is_empty() {
        true => *ROLE_DURATION.end(),
        false => CHAINED,
    };
    let span = how.duration.as_ref().map(Spanned::span);
    let duration = span
        .clone()
        .map(|_| scope.duration("role_duration", how.duration, Duration::from_secs(CHAINED)));
    if let (Some(duration), Some(span)) = (duration, span)
        && !(*ROLE_DURATION.start()..=most).contains(&duration.as_secs())
    {
        let complaint = format!("must be from 15m to {}h", most / 3600);
        let why = "AWS gives no role longer, and one that is assumed by a role an hour at most";
        scope.wrong("role_duration", span, Complaint::new(complaint).hint(why));
    }
    AssumeRole {
        chain,
        external_id: scope
            .checked("external_id", how.external_id, |text| {
                word_of(text, "_+=,.@:/-", 1224)
            })
            .or_else(|| base.external_id.clone()),
        duration: duration.or(base.duration),
        source_identity: scope
            .checked("source_identity", how.source_identity, |text| {
                word_of(text, "_+=,.@-", 64)
            })
            .or_else(|| base.source_identity.clone()),
        mfa_serial: scope
            .checked("mfa_serial", how.mfa_serial, mfa_serial)
            .or_else(|| base.mfa_serial.clone()),
    }
}

/// Of a virtual device it is an ARN, of another its number (STS API model).
fn mfa_serial(text: &str) -> Result<(), Complaint> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=/:,.@-".contains(c);
    match (9..=256).contains(&text.len()) && text.chars().all(fits) {
        true => Ok(()),
        false => Err(
            Complaint::new(format!("`{}` is no MFA device", text.escape_debug()))
                .hint("it looks like `arn:aws:iam::123456789012:mfa/NAME`, or is a hardware device's serial number"),
        ),
    }
}

/// Letters, digits and `others`, at least two (STS API model).
fn word_of(text: &str, others: &str, most: usize) -> Result<(), Complaint> {
    let fits = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    match (2..=most).contains(&text.len()) && text.chars().all(fits) {
        true => Ok(()),
        false => Err(Complaint::new(format!(
            "must have 2 to {most} letters, digits and {others}"
        ))),
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

pub(super) fn role_arn(text: &str) -> Result<(), Complaint> {
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

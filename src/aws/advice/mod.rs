//! What failures mean and what to do about them: one thing, and the command for it where there is one.
//!
//! It is all in tables, from which `docs/errors.md` is made.

mod calls;
mod denial;
mod grants;
mod others;
#[cfg(test)]
pub(crate) mod page;
mod row;
mod stacks;
#[cfg(test)]
mod tests;

use super::error::Kind;
pub(super) use calls::SIGNATURE;
pub(super) use row::Row;

/// Who calls AWS, as far as advice depends on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Caller {
    /// The profile in force, from the configuration or the environment.
    pub(super) profile: Option<String>,
    /// The region in force.
    pub(super) region: String,
}

/// The row of the `code` that `operation` failed with, in the light of its text.
pub(super) fn by_code(operation: &str, code: &str, message: &str) -> Option<&'static Row> {
    let text = message.to_ascii_lowercase();
    let tables = [
        calls::ANY,
        calls::ECS,
        calls::SSM,
        calls::EC2,
        stacks::CLOUD_FORMATION,
        calls::OTHERS,
    ];
    let mut rows = tables.into_iter().flatten();
    rows.find(|row| row.fits(operation, Some(code), &text))
}

/// The row of a task that was not run, by ECS's reason.
pub(super) fn by_placement(reason: &str) -> Option<&'static Row> {
    let text = reason.to_ascii_lowercase();
    others::PLACEMENT.iter().find(|row| row.has_words(&text))
}

/// The row of a service that has no task, by what its event or its deployment says.
pub(super) fn by_event(message: &str) -> Option<&'static Row> {
    let text = message.to_ascii_lowercase();
    others::EVENTS.iter().find(|row| row.has_words(&text))
}

/// The row of credentials that cannot be had, by a text in lower case.
pub(super) fn by_source(text: &str) -> Option<&'static Row> {
    others::CREDENTIALS.iter().find(|row| row.has_words(text))
}

/// What a failure means, and what to do about it.
pub(super) struct Advice {
    /// What it means, in a few words.
    pub(super) meaning: Option<&'static str>,
    /// The one thing to do.
    pub(super) hint: Option<String>,
}

/// The advice on a failure of `operation` that means `kind`.
pub(super) fn advice(
    operation: &str,
    kind: &Kind,
    code: Option<&str>,
    message: &str,
    caller: &Caller,
) -> Advice {
    let row = row(operation, kind, code, message);
    let meaning = row.map(|row| row.says);
    let advised = row.filter(|row| !row.advice.is_empty());
    let hint = match (kind, advised) {
        (Kind::ClockSkew(seconds), _) => Some(clock(*seconds)),
        (_, Some(row)) => Some(filled(row.advice, caller)),
        (Kind::Denied(denied), None) => Some(denial::advice(operation, denied, caller)),
        (_, None) => None,
    };
    Advice { meaning, hint }
}

/// The row that tells most of a failure whose kind is known already.
fn row(operation: &str, kind: &Kind, code: Option<&str>, message: &str) -> Option<&'static Row> {
    let is_it = |row: &&Row| is_alike(&row.kind, kind);
    let text = message.to_ascii_lowercase();
    if let Some(code) = code {
        let placed = || by_placement(code).filter(|_| operation == "RunTask");
        let known = by_code(operation, code, message).or_else(placed);
        return known.filter(is_it);
    }
    if operation == "UpdateService"
        && let Some(row) = by_event(message).filter(is_it)
    {
        return Some(row);
    }
    let is_login = matches!(kind, Kind::Login(_));
    let mut others = others::NONE.iter().filter(is_it);
    let mut sources = others::CREDENTIALS.iter().filter(is_it);
    by_source(&text)
        .filter(is_it)
        .or_else(|| others.find(|row| row.has_words(&text)))
        .or_else(|| sources.find(|_| is_login))
}

/// The same kind, whatever AWS's text told besides.
fn is_alike(known: &Kind, kind: &Kind) -> bool {
    match (known, kind) {
        (Kind::Denied(_), Kind::Denied(_)) | (Kind::ClockSkew(_), Kind::ClockSkew(_)) => true,
        (known, kind) => known == kind,
    }
}

fn filled(advice: &str, caller: &Caller) -> String {
    advice
        .replace("{region}", &caller.region)
        .replace("{profile}", &option(caller))
        .replace("{source}", &source(caller))
}

fn option(caller: &Caller) -> String {
    let named = caller.profile.as_deref().filter(|name| *name != "default");
    named
        .map(|name| format!(" --profile {}", quoted(name)))
        .unwrap_or_default()
}

/// Where credentials are looked for, in words.
pub(super) fn source(caller: &Caller) -> String {
    let named = caller.profile.as_deref();
    named.map_or_else(
        || "the environment or the default profile".to_owned(),
        |name| format!("profile `{name}`"),
    )
}

/// A name that a shell takes as one word.
fn quoted(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./@:+=,".contains(c);
    if name.chars().all(is_plain) {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', r"'\''"))
    }
}

fn clock(seconds: Option<i64>) -> String {
    match seconds {
        Some(seconds) if seconds >= 0 => format!("set the clock: it is {seconds} s behind aws"),
        Some(seconds) => format!("set the clock: it is {} s ahead of aws", -seconds),
        None => "set the clock".to_owned(),
    }
}

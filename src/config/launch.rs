//! How a bastion's task is run, beyond where.

use std::collections::BTreeMap;

use toml::Spanned;

use super::{
    Launch, Overrides, capacity,
    error::Complaint,
    raw,
    scope::{Scope, one_word},
};

/// Tags of one task (ECS API model), less those that are always there.
const MOST_TAGS: usize = 40;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

type Tags = BTreeMap<Spanned<String>, Spanned<String>>;

/// Takes what it is about out of `raw`.
pub(super) fn check(scope: &mut Scope, raw: &mut raw::Bastion, overrides: Overrides) -> Launch {
    Launch {
        capacity_providers: capacity::check(
            scope,
            raw.capacity_provider.take(),
            raw.capacity_provider_strategy.take(),
        ),
        platform_version: scope.checked("platform_version", raw.platform_version.take(), version),
        tags: checked_tags(scope, raw.tags.take()),
        propagate_tags: raw.propagate_tags.unwrap_or(true),
        group: scope.checked("group", raw.group.take(), group),
        overrides,
    }
}

/// The groups that begin otherwise belong to ECS.
fn group(text: &str) -> Result<(), Complaint> {
    one_word(text)?;
    match text.starts_with("family:") || text.starts_with("service:") || text.len() > LONGEST_VALUE
    {
        true => Err(Complaint::new(format!(
            "`{text}` is no group: at most {LONGEST_VALUE} characters, and not `family:` or `service:` first"
        ))),
        false => Ok(()),
    }
}

/// ECS Exec needs 1.4.0 of the platform.
fn version(text: &str) -> Result<(), Complaint> {
    let numbers: Vec<Option<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
    match numbers[..] {
        _ if text == "LATEST" => Ok(()),
        [Some(major), Some(minor), Some(_)] if (major, minor) >= (1, 4) => Ok(()),
        _ => Err(
            Complaint::new(format!("`{text}` is no platform version that has ECS Exec"))
                .hint("write \"LATEST\", or \"1.4.0\" or later"),
        ),
    }
}

fn checked_tags(scope: &mut Scope, raw: Option<Spanned<Tags>>) -> BTreeMap<String, String> {
    let Some(raw) = raw else {
        return BTreeMap::new();
    };
    if raw.get_ref().len() > MOST_TAGS {
        let count = raw.get_ref().len();
        let complaint = format!("{count} are too many: a task takes {MOST_TAGS} besides our own");
        scope.wrong("tags", raw.span(), Complaint::new(complaint));
    }
    let mut tags = BTreeMap::new();
    for (key, value) in raw.into_inner() {
        let name = format!("tags.{}", key.get_ref());
        let key = scope.checked(&name, Some(key), tag_key);
        let value = scope.checked(&name, Some(value), |text| tag_text(text, LONGEST_VALUE));
        if let (Some(key), Some(value)) = (key, value) {
            tags.insert(key, value);
        }
    }
    tags
}

fn tag_key(text: &str) -> Result<(), Complaint> {
    let lower = text.to_ascii_lowercase();
    if lower.starts_with("aws:") || lower.starts_with("bastiond:") {
        return Err(Complaint::new(
            "keys that begin so belong to AWS and to bastiond",
        ));
    }
    if text.is_empty() {
        return Err(Complaint::new("a tag needs a key"));
    }
    tag_text(text, LONGEST_KEY)
}

fn tag_text(text: &str, longest: usize) -> Result<(), Complaint> {
    let fits = |c: char| c.is_alphanumeric() || " +-=._:/@".contains(c);
    match text.chars().count() <= longest && text.chars().all(fits) {
        true => Ok(()),
        false => Err(Complaint::new(format!(
            "`{text}` is no text for a tag: at most {longest} letters, digits, spaces and `+-=._:/@`"
        ))),
    }
}

//! A thing of AWS in the configuration: by its id, `tag:KEY=VALUE`, or its name.

use std::fmt;

use super::error::Complaint;

/// The longest key and value of a tag (EC2 API model); a name is the latter.
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

/// Which one. Where several fit, none is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pick {
    /// By its id.
    Id(String),
    /// By a tag.
    Tag {
        /// The tag's key.
        key: String,
        /// Its value.
        value: String,
    },
    /// By its name.
    Name(String),
}

impl fmt::Display for Pick {
    /// As it is written in the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => f.write_str(id),
            Self::Tag { key, value } => write!(f, "tag:{key}={value}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Reads one whose ids begin with `prefix`, of all `prefixes` that there are.
pub(super) fn read(text: &str, prefix: &str, prefixes: &[&str]) -> Result<Pick, Complaint> {
    if let Some(tag) = text.strip_prefix("tag:") {
        return tagged(text, tag);
    }
    if let Some(rest) = text.strip_prefix(prefix)
        && !rest.is_empty()
        && rest.chars().all(|c| c.is_ascii_alphanumeric())
    {
        return Ok(Pick::Id(text.to_owned()));
    }
    if let Some(other) = prefixes.iter().find(|other| text.starts_with(**other)) {
        let complaint = format!("`{text}` is not an id that begins with `{prefix}`");
        return Err(match other == &prefix {
            true => Complaint::new(format!("`{text}` is not an id")),
            false => Complaint::new(complaint),
        });
    }
    let fits = (1..=LONGEST_VALUE).contains(&text.chars().count());
    match fits && !text.trim().is_empty() && !text.chars().any(char::is_control) {
        true => Ok(Pick::Name(text.to_owned())),
        false => Err(
            Complaint::new(format!("`{}` is not a name", text.escape_debug()))
                .hint(format!("write `{prefix}…`, `tag:KEY=VALUE` or a name")),
        ),
    }
}

fn tagged(text: &str, tag: &str) -> Result<Pick, Complaint> {
    let fits = |text: &str, longest: usize| {
        (1..=longest).contains(&text.chars().count()) && !text.chars().any(char::is_control)
    };
    match tag.split_once('=') {
        Some((key, value)) if fits(key, LONGEST_KEY) && fits(value, LONGEST_VALUE) => {
            Ok(Pick::Tag {
                key: key.to_owned(),
                value: value.to_owned(),
            })
        }
        _ => Err(
            Complaint::new(format!("`{}` is not a tag", text.escape_debug()))
                .hint("write `tag:KEY=VALUE`"),
        ),
    }
}

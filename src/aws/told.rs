//! What was looked for and not found as it should be, in words: a failure that AWS did not report as one.

use super::{
    Aws,
    error::{Error, Failure, Kind},
};

/// So many names are shown; more is no help.
const MOST_NAMES: usize = 20;

/// A problem in words.
pub(super) struct Told {
    pub(super) kind: Kind,
    pub(super) message: String,
    pub(super) hint: String,
}

impl Aws {
    /// The failure of `operation`, whose answer is the problem.
    pub(super) fn told(&self, operation: &'static str, told: Told) -> Error {
        let failure = self.failure(operation, None, told.message, told.kind);
        Error::from(Failure {
            hint: Some(told.hint),
            ..Failure::clone(&failure)
        })
    }
}

/// The names that there are, as people read them.
pub(super) fn there_are(known: &[String]) -> String {
    match known {
        [] => "none is to be seen".to_owned(),
        known => format!("there are {}", listed(known)),
    }
}

/// Names in backticks.
pub(super) fn listed(names: &[String]) -> String {
    let shown = names.iter().take(MOST_NAMES);
    let mut shown: Vec<String> = shown.map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(MOST_NAMES);
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_very_many_names_only_some_are_shown() {
        let many: Vec<String> = (0..25).map(|n| format!("db-{n}")).collect();
        assert!(listed(&many).ends_with("`db-19`, 5 more"));
    }
}

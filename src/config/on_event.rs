//! `on_event`: the program that is run when something changes.

use toml::Spanned;

use super::{error::Complaint, scope::Scope};

const HINT: &str =
    r#"write the program and its arguments, such as ["/home/me/bin/notify", "--quiet"]"#;

/// The program and its arguments; empty when there is none.
pub(super) fn check(scope: &mut Scope, list: Option<Spanned<Vec<Spanned<String>>>>) -> Vec<String> {
    let Some(list) = list else {
        return Vec::new();
    };
    let span = list.span();
    let words: Vec<String> = list
        .into_inner()
        .into_iter()
        .map(Spanned::into_inner)
        .collect();
    let wrong = match words.first().map(String::as_str) {
        None => Some("names no program"),
        Some("") => Some("has an empty program"),
        Some(_) if words.iter().any(|word| word.contains('\0')) => Some("has a NUL in a word"),
        Some(_) => None,
    };
    if let Some(wrong) = wrong {
        scope.wrong("on_event", span, Complaint::new(wrong).hint(HINT));
    }
    words
}

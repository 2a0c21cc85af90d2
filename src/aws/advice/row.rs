//! What a table of advice is made of.

use crate::aws::error::Kind;

/// A failure that is known, and what to do about it. What is empty fits everything.
pub(in crate::aws) struct Row {
    /// The operations that can fail so.
    pub operations: &'static [&'static str],
    /// AWS's codes.
    pub codes: &'static [&'static str],
    /// Fragments of its text in lower case, any of which is in it.
    pub words: &'static [&'static str],
    /// What it means to the program.
    pub kind: Kind,
    /// What it means to a person.
    pub says: &'static str,
    /// The one thing to do. `{region}`, `{profile}` (the option of the AWS CLI) and `{source}` are filled in.
    pub advice: &'static str,
}

impl Row {
    /// A failure with one of `codes`.
    pub const fn code(codes: &'static [&'static str], kind: Kind, says: &'static str) -> Self {
        Self {
            operations: &[],
            codes,
            words: &[],
            kind,
            says,
            advice: "",
        }
    }

    /// A failure that has no code, with one of `words`.
    pub const fn worded(words: &'static [&'static str], kind: Kind, says: &'static str) -> Self {
        let mut row = Self::code(&[], kind, says);
        row.words = words;
        row
    }

    /// The same, only with one of `words`.
    pub const fn words(mut self, words: &'static [&'static str]) -> Self {
        self.words = words;
        self
    }

    /// The same, only of these operations.
    pub const fn of(mut self, operations: &'static [&'static str]) -> Self {
        self.operations = operations;
        self
    }

    /// The same with the one thing to do.
    pub const fn advice(mut self, advice: &'static str) -> Self {
        self.advice = advice;
        self
    }

    /// Whether this is the failure of `operation` with `code`, whose `text` is in lower case.
    pub fn fits(&self, operation: &str, code: Option<&str>, text: &str) -> bool {
        let is_of = self.operations.is_empty() || self.operations.contains(&operation);
        let has_code = self.codes.is_empty() || code.is_some_and(|code| self.codes.contains(&code));
        is_of && has_code && self.has_words(text)
    }

    /// Whether `text`, in lower case, has the words.
    pub fn has_words(&self, text: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| text.contains(word))
    }
}

//! What is wrong with a configuration file, in words.

use std::fmt;

/// The mistakes of a configuration file, in the order of its lines; never none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    mistakes: Vec<Mistake>,
}

impl Error {
    pub(super) fn new(mut mistakes: Vec<Mistake>) -> Error {
        mistakes.sort_by(|a, b| a.place.cmp(&b.place));
        Error { mistakes }
    }

    /// Each mistake.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.mistakes.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(f, "{newline}{mistake}")?;
        }
        Ok(())
    }
}

/// One mistake and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where it stands.
    pub place: Place,
    /// The table it stands in, as a reader would call it: `[aws]`, `[[tunnel]] "db"`; empty at the top.
    pub section: String,
    /// The key; empty when the text could not be read that far.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// The one thing to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File { line, column } if self.key.is_empty() => {
                write!(f, "line {line}:{column}:")?
            }
            Place::File { line, .. } => write!(f, "line {line}:")?,
            Place::Environment(name) => write!(f, "environment {name}:")?,
            Place::Flag(path) => write!(f, "--set {path}:")?,
        }
        if !self.key.is_empty() {
            write!(f, " `{}`", self.key)?;
            if !self.section.is_empty() {
                write!(f, " in {}", self.section)?;
            }
            write!(f, ":")?;
        }
        write!(f, " {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Where a value comes from, weakest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The configuration file.
    File {
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
    },
    /// A variable of the environment.
    Environment(String),
    /// `--set` on the command line, by what it sets.
    Flag(String),
}

/// What a check of one value has to say; the caller knows where the value stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    pub message: String,
    pub hint: Option<String>,
}

impl Complaint {
    pub fn new(message: impl Into<String>) -> Complaint {
        Complaint {
            message: message.into(),
            hint: None,
        }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Complaint {
        self.hint = Some(hint.into());
        self
    }
}

//! What was found, as it is printed: JSON with a version, and an exit code.

use serde::{Deserialize, Serialize};

use super::check::{Check, Level, Verdict};

/// The version of the JSON; it grows only when something is removed or changes its meaning.
pub const SCHEMA: u32 = 1;

/// Everything that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The program's version.
    pub version: String,
    /// The worst level of all.
    pub level: Level,
    /// How many there are of each level.
    pub count: Count,
    /// In the order of the table.
    pub findings: Vec<Finding>,
}

/// What a check found about a subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The check.
    pub id: String,
    /// How bad it is.
    pub level: Level,
    /// What is right when it is well.
    pub title: String,
    /// `this machine`, `AWS in eu-west-1`, `bastion dev` or `tunnel app-db`.
    pub subject: String,
    /// What was seen.
    pub evidence: String,
    /// The one thing to do.
    pub fix: Option<String>,
    /// Where more is written.
    pub doc: String,
}

/// How many findings there are of each level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Well.
    pub ok: usize,
    /// Worth knowing.
    pub info: usize,
    /// Not known.
    pub skip: usize,
    /// Could be better.
    pub warn: usize,
    /// Will not work.
    pub fail: usize,
}

impl Finding {
    /// What `check` says of `subject`.
    pub fn new(check: &Check, subject: &str, verdict: &Verdict) -> Self {
        Self {
            id: check.id.to_owned(),
            level: verdict.level,
            title: check.title.to_owned(),
            subject: subject.to_owned(),
            evidence: verdict.evidence.clone(),
            fix: verdict.fix_of(check),
            doc: format!("docs/doctor.md#{}", check.id.to_lowercase()),
        }
    }
}

impl Report {
    /// The findings, counted.
    pub fn new(findings: Vec<Finding>) -> Self {
        let count = |level| findings.iter().filter(|it| it.level == level).count();
        let count = Count {
            ok: count(Level::Ok),
            info: count(Level::Info),
            skip: count(Level::Skip),
            warn: count(Level::Warn),
            fail: count(Level::Fail),
        };
        let level = findings.iter().map(|finding| finding.level).max();
        Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            level: level.unwrap_or(Level::Ok),
            count,
            findings,
        }
    }

    /// 0; 1 with warnings; 2 with failures.
    pub fn exit_code(&self) -> u8 {
        match self.level {
            Level::Ok | Level::Info | Level::Skip => 0,
            Level::Warn => 1,
            Level::Fail => 2,
        }
    }
}

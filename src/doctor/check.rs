//! What a check is: a row of a table with a pure judge, and what a judge may say.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::facts::{Account, Bastion, Machine, Node, Tunnel};

/// A row of the table.
pub struct Check {
    /// `T05`: a letter for the area, a number in it.
    pub id: &'static str,
    /// What is right when it is well.
    pub title: &'static str,
    /// What is looked at.
    pub looks_at: &'static str,
    /// The levels that it may have beside ok and skip.
    pub levels: &'static [Level],
    /// Why it matters.
    pub why: &'static str,
    /// The one fix. `{word}` is filled in by the judge.
    pub fix: &'static str,
    /// The IAM actions that it takes; without one of them it is skipped.
    pub needs: &'static [&'static str],
    /// Facts in, verdict out.
    pub judge: Judge,
}

/// What a check is about, and who decides it.
pub enum Judge {
    /// This machine.
    Machine(fn(&Machine) -> Result<Verdict, Gap>),
    /// The way to an account, and who we are there.
    Account(fn(&Account) -> Result<Verdict, Gap>),
    /// A bastion.
    Bastion(fn(&Bastion) -> Result<Verdict, Gap>),
    /// A tunnel.
    Tunnel(fn(&Tunnel) -> Result<Verdict, Gap>),
    /// A machine in the place of a task.
    Node(fn(&Node) -> Result<Verdict, Gap>),
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Well.
    Ok,
    /// Worth knowing.
    Info,
    /// Not known: something needed for it is not allowed or not there.
    Skip,
    /// Works, and could be better.
    Warn,
    /// Will not work.
    Fail,
}

impl Level {
    /// As it is written in text and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Skip => "skip",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What a judge says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How bad it is.
    pub level: Level,
    /// What was seen.
    pub evidence: String,
    /// Another fix than the row's.
    pub fix: Option<String>,
    /// What the row's fix leaves open.
    pub filled: Vec<(&'static str, String)>,
}

impl Verdict {
    fn new(level: Level, evidence: impl Into<String>) -> Self {
        Self {
            level,
            evidence: evidence.into(),
            fix: None,
            filled: Vec::new(),
        }
    }

    /// Well.
    pub fn ok(evidence: impl Into<String>) -> Self {
        Self::new(Level::Ok, evidence)
    }

    /// Worth knowing.
    pub fn info(evidence: impl Into<String>) -> Self {
        Self::new(Level::Info, evidence)
    }

    /// Works, and could be better.
    pub fn warn(evidence: impl Into<String>) -> Self {
        Self::new(Level::Warn, evidence)
    }

    /// Will not work.
    pub fn fail(evidence: impl Into<String>) -> Self {
        Self::new(Level::Fail, evidence)
    }

    /// With another fix than the row's: AWS's error tells a better one.
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// With another fix, if there is one.
    pub fn maybe_fix(mut self, fix: Option<String>) -> Self {
        self.fix = fix;
        self
    }

    /// With what `{word}` of the row's fix stands for.
    pub fn fill(mut self, word: &'static str, with: impl Into<String>) -> Self {
        self.filled.push((word, with.into()));
        self
    }

    /// The fix to show: none of what is well.
    pub fn fix_of(&self, check: &Check) -> Option<String> {
        if matches!(self.level, Level::Ok | Level::Skip) {
            return self.fix.clone();
        }
        let mut text = match &self.fix {
            Some(fix) => return Some(fix.clone()),
            None => check.fix.to_owned(),
        };
        for (word, with) in &self.filled {
            text = text.replace(&format!("{{{word}}}"), with);
        }
        Some(text).filter(|text| !text.is_empty())
    }
}

impl From<Gap> for Verdict {
    fn from(gap: Gap) -> Self {
        let fix = match &gap {
            Gap::Denied(action) => Some(format!("allow {action}")),
            Gap::Failed(_) | Gap::Needs(_) | Gap::Unasked => None,
        };
        Self::new(Level::Skip, gap.to_string()).maybe_fix(fix)
    }
}

/// Why something is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// We may not ask; the action that would allow it.
    Denied(String),
    /// There was no answer.
    Failed(String),
    /// Something else has to be known first: what, and which check tells of it.
    Needs(&'static str),
    /// None of the chosen checks needs it.
    Unasked,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(action) => write!(f, "not allowed: {action}"),
            Self::Failed(why) => write!(f, "no answer: {why}"),
            Self::Needs(what) => write!(f, "needs {what}"),
            Self::Unasked => f.write_str("not asked"),
        }
    }
}

/// A fact, or why it is not known.
pub type Known<T> = Result<T, Gap>;

/// The fact, for a judge.
pub fn known<T>(fact: &Known<T>) -> Result<&T, Gap> {
    fact.as_ref().map_err(Clone::clone)
}

/// The fact, of which there may be none: then the check that tells of that is named.
pub fn some<'a, T>(fact: &'a Known<Option<T>>, needs: &'static str) -> Result<&'a T, Gap> {
    known(fact)?.as_ref().ok_or(Gap::Needs(needs))
}

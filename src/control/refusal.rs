//! An answer that is not what was asked for, as `application/problem+json` (RFC 9457).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::code::Code;
use crate::status::Problem;

/// What the server says instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// `urn:bastiond:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// A stable word.
    pub code: String,
    /// The code as words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, in one sentence.
    pub detail: String,
    /// The one thing to do about it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
}

impl Refusal {
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Box<Refusal> {
        Self::with(code.status(), code.word(), detail.into())
    }

    fn with(status: u16, code: &str, detail: String) -> Box<Refusal> {
        Box::new(Refusal {
            kind: format!("urn:bastiond:problem:{code}"),
            title: code.replace('_', " "),
            code: code.to_owned(),
            status,
            detail,
            hint: None,
        })
    }

    pub(super) fn hint(mut self: Box<Self>, hint: Option<String>) -> Box<Refusal> {
        self.hint = hint;
        self
    }

    /// What a command ran into: the request was right, the state of things was not.
    pub(super) fn from_problem(problem: Problem) -> Box<Refusal> {
        let detail = format!("{}: {}", problem.subject, problem.message);
        Refusal::with(409, &problem.code, detail).hint(problem.hint)
    }
}

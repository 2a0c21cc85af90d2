//! Why something failed, before it is known which part of the status tells it.

use std::time::{Duration, SystemTime};

use super::{Problem, timestamp};

/// Why something failed, and what mends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// A stable word, such as `credentials_expired`.
    pub code: String,
    /// What happened, in one sentence.
    pub message: String,
    /// The one thing to do about it, a command where there is one.
    pub hint: Option<String>,
    login: bool,
}

impl Reason {
    /// A reason without a hint.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            hint: None,
            login: false,
        }
    }

    /// The same with the one thing to do.
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// The same, as one that a person mends by signing in.
    pub fn for_login(self, login: bool) -> Self {
        Self { login, ..self }
    }

    /// Whether signing in takes an MFA code.
    pub fn is_mfa(&self) -> bool {
        self.login && self.code == "credentials_mfa"
    }

    /// Whether a person mends it by signing in.
    pub fn is_login(&self) -> bool {
        self.login
    }
}

impl Problem {
    /// A reason that concerns `subject` and was seen `ago` before `now`.
    pub fn new(subject: impl Into<String>, reason: Reason, now: SystemTime, ago: Duration) -> Self {
        Self {
            code: reason.code,
            subject: subject.into(),
            message: reason.message,
            hint: reason.hint,
            at: timestamp(now.checked_sub(ago).unwrap_or(now)),
            seconds_ago: ago.as_secs(),
        }
    }
}

impl Problem {
    /// Whether a person mends it by signing in.
    pub fn needs_sign_in(&self) -> bool {
        is_sign_in(&self.code)
    }
}

/// Whether what this stable word tells of is mended by signing in.
pub fn is_sign_in(code: &str) -> bool {
    code.starts_with("credentials_")
}

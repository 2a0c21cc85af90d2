//! Why a command has no answer, in words and as an exit code.

use std::{io, path::PathBuf};

use super::{starter::Starter, text};
use crate::{control::client::Error, exit::Exit};

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The daemon has none.
    #[error(transparent)]
    Call(#[from] Error),
    /// There is no such tunnel.
    #[error("there is no tunnel `{}`", .name.escape_debug())]
    NoTunnel {
        /// As it was called.
        name: String,
        /// Which may have been meant.
        hint: Option<String>,
    },
    /// What was asked for is nonsense.
    #[error("{0}")]
    Usage(String),
    /// A file cannot be written.
    #[error("cannot write `{}`: {error}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl Failure {
    pub fn exit(&self) -> Exit {
        match self {
            Failure::Call(error) => of_call(error),
            Failure::NoTunnel { .. } => Exit::Unwell,
            Failure::Usage(_) => Exit::Usage,
            Failure::File { .. } => Exit::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Failure::Call(Error::Unreachable { .. } | Error::Gone { .. }) => {
                Some(Starter::here().command())
            }
            Failure::Call(error) => error.hint(),
            Failure::NoTunnel { hint, .. } => hint.clone(),
            Failure::Usage(_) | Failure::File { .. } => None,
        }
    }
}

fn of_call(error: &Error) -> Exit {
    match error {
        Error::Unreachable { .. }
        | Error::Gone { .. }
        | Error::Impostor { .. }
        | Error::Socket(_)
        | Error::Timeout(_) => Exit::Unreachable,
        Error::Refused(refusal) if refusal.status == 404 => Exit::Unwell,
        Error::Refused(refusal) if refusal.code == "wait_timeout" => Exit::Timeout,
        Error::Refused(refusal) if crate::status::is_sign_in(&refusal.code) => Exit::SignIn,
        Error::Refused(refusal) if refusal.code == "wrong_duration" => Exit::Usage,
        Error::Refused(_) | Error::Garbled(_) => Exit::Failed,
    }
}

/// What AWS and agents say is part of some errors, and must not steer the terminal either.
pub(super) fn complaint(failure: &Failure) -> String {
    let mut text = String::new();
    let said = failure.to_string();
    let hint = failure.hint().map(|hint| format!("hint: {hint}"));
    for line in [format!("error: {said}")].into_iter().chain(hint) {
        let lines: Vec<String> = line.split('\n').map(text::printable).collect();
        text.push_str(&lines.join("\n"));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Refusal;

    fn refused(code: &str, status: u16, detail: &str, hint: &str) -> Failure {
        Failure::Call(Error::Refused(Box::new(Refusal {
            kind: String::new(),
            code: code.into(),
            title: String::new(),
            status,
            detail: detail.into(),
            hint: Some(hint.into()),
        })))
    }

    #[test]
    fn errors_cannot_steer_the_terminal() {
        let text = complaint(&refused(
            "x",
            409,
            "bad\u{1b}]0;owned\u{7}\nnext",
            "try\u{1b}[2J\r",
        ));
        assert_eq!(text, "error: bad ]0;owned \nnext\nhint: try [2J \n");
    }

    #[test]
    fn each_refusal_has_its_exit_code() {
        for (code, status, exit) in [
            ("unknown_tunnel", 404, Exit::Unwell),
            ("credentials_expired", 409, Exit::SignIn),
            ("wait_timeout", 504, Exit::Timeout),
            ("wrong_duration", 400, Exit::Usage),
            ("task_failed", 409, Exit::Failed),
        ] {
            assert_eq!(refused(code, status, "", "").exit(), exit, "{code}");
        }
    }
}

//! Exit codes: the same for every command, and a promise to scripts.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked for.
    Ok = 0,
    /// It did not.
    Failed = 1,
    /// It was called wrongly.
    Usage = 2,
    /// There is no daemon to be reached.
    Unreachable = 3,
    /// Something is not well, or not there.
    Unwell = 4,
    /// AWS wants the user to sign in.
    SignIn = 5,
    /// It took longer than it was given.
    Timeout = 6,
    /// SIGINT.
    Interrupted = 130,
    /// SIGTERM.
    Terminated = 143,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Each code and what it means, for the manual.
pub const MEANINGS: [(&str, &str); 9] = [
    ("0", "ok"),
    ("1", "it failed; stderr says why"),
    ("2", "wrong usage"),
    ("3", "no daemon to be reached"),
    ("4", "something is not healthy, or not found"),
    (
        "5",
        "AWS wants you to sign in; stderr or the status says how",
    ),
    ("6", "what was waited for did not come in time"),
    (
        "130",
        "ended by SIGINT (a daemon: by the second; the first ends it in order, with 0)",
    ),
    ("143", "the same of SIGTERM"),
];

/// The line for help texts.
pub const LINE: &str = "Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 no daemon to be reached, \
    4 not healthy or not found, 5 sign-in needed, 6 too late";

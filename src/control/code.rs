//! What may be wrong with a call itself. What the daemon runs into while it obeys has the code of the problem.

macro_rules! codes {
    ($($name:ident $word:literal $status:literal $meaning:literal, $advice:literal;)*) => {
        /// What is wrong with a call.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Code {
            $($name,)*
        }

        impl Code {
            /// The stable word.
            pub(super) fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// The HTTP status.
            pub(super) fn status(self) -> u16 {
                match self {
                    $(Self::$name => $status,)*
                }
            }
        }

        /// Word, HTTP status, what it means and what to do, of each.
        #[cfg(test)]
        pub(crate) const ROWS: &[(&str, u16, &str, &str)] = &[$(($word, $status, $meaning, $advice),)*];
    };
}

codes! {
    UnknownQuery "unknown_query" 400 "the call takes no such word after the `?`", "leave it out, or take the one that is meant";
    WrongQuery "wrong_query" 400 "what stands after the `?` is of the wrong kind", "see the call in docs/control-api.md";
    WrongDuration "wrong_duration" 400 "a time is none, or out of range", "write for example 90s, 15m or 1h30m";
    WrongMfa "wrong_code" 400 "an MFA code has six digits", "bastiond ctl mfa CODE";
    BrokenContent "broken_content" 400 "the content could not be read", "send none";
    UnexpectedContent "unexpected_content" 400 "the call takes no content", "send none";
    FromAWebPage "from_a_web_page" 403 "an `Origin` or `Referer` header: a web page has caused the call", "call from a program of your own";
    ForeignHost "foreign_host" 403 "the `Host` header is missing, doubled, or another than `bastiond` or `localhost`", "send `Host: bastiond`";
    UnknownPath "unknown_path" 404 "there is no such call", "see the list of calls";
    UnknownTunnel "unknown_tunnel" 404 "the configuration has no tunnel of that name", "take the name that is nearest";
    UnknownBastion "unknown_bastion" 404 "the configuration has no bastion of that name", "take the name that is nearest";
    WrongMethod "wrong_method" 405 "the path is for another method", "take that of the `Allow` header";
    TooSlow "too_slow" 408 "the content did not arrive in 5 s", "send none";
    NoBastion "no_bastion" 409 "the tunnel goes through a target that runs anyway", "leave `for` out";
    NoConfig "no_config" 409 "the daemon was started without a configuration file, as the demo is", "nothing";
    NoLogs "no_logs" 409 "the daemon writes no log files", "look at its stderr, or at the service manager's journal";
    TooLarge "too_large" 413 "more than 64 KiB of content", "send none";
    Busy "busy" 503 "16 callers wait for tunnels, or 8 follow events and logs, already", "wait for those to end, then try again";
    Stopping "stopping" 503 "the daemon is stopping", "start it again";
    WaitTimeout "wait_timeout" 504 "the state waited for was not reached in time", "see `last_error` of the tunnel";
}

/// The part of `docs/errors.md` that tells of them.
#[cfg(test)]
pub(crate) fn section() -> String {
    let mut section = "\n## Calls of the control API\n\n\
        What is wrong with a call itself. What the daemon runs into while it obeys is answered with status 409 and the \
        word of the problem, such as those above.\n\n\
        | word | HTTP status | what it means | what to do |\n|---|---|---|---|\n"
        .to_owned();
    for (word, status, meaning, advice) in ROWS {
        section.push_str(&format!("| `{word}` | {status} | {meaning} | {advice} |\n"));
    }
    section
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_codes_are_the_same_word() {
        let mut words: Vec<_> = ROWS.iter().map(|(word, ..)| *word).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), ROWS.len());
    }
}

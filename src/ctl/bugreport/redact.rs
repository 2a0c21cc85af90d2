//! Takes what is private out of a text and puts a mark in its place: the same for the same within one report, so that
//! what belongs together can still be told, and another in the next.

use std::sync::LazyLock;

use regex_lite::{Captures, Regex};
use sha2::{Digest as _, Sha256};

/// Shorter words are everywhere.
const SHORTEST: usize = 4;

/// What is known to be private, and how it is marked.
pub(super) struct Redactor {
    salt: u64,
    /// Longest first, so that no part of one is left over from another.
    known: Vec<(String, String)>,
}

impl Redactor {
    pub fn new(salt: u64) -> Redactor {
        Redactor {
            salt,
            known: Vec::new(),
        }
    }

    /// `text` is private wherever it appears.
    pub fn know(&mut self, what: &str, text: &str) {
        if text.len() >= SHORTEST {
            self.known.push((text.to_owned(), self.mark(what, text)));
            self.known
                .sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        }
    }

    /// What stands for `text`.
    pub fn mark(&self, what: &str, text: &str) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.salt.to_le_bytes());
        hasher.update(text.as_bytes());
        let digest = hasher.finalize();
        let short: String = digest
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("<{what} {short}>")
    }

    /// `text` without what is known to be private, and without what looks like it.
    pub fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (private, mark) in &self.known {
            text = text.replace(private.as_str(), mark);
        }
        for rule in RULES.iter() {
            let replaced = rule
                .pattern
                .replace_all(&text, |found: &Captures<'_>| self.replacement(rule, found));
            text = replaced.into_owned();
        }
        text
    }

    fn replacement(&self, rule: &Rule, found: &Captures<'_>) -> String {
        let whole = found.get(0).map_or("", |it| it.as_str());
        let before = found.name("before").map_or("", |it| it.as_str());
        let private = found.name("private").map_or(whole, |it| it.as_str());
        let is_ours = private.starts_with('<') || (rule.spares)(private);
        match is_ours {
            true => whole.to_owned(),
            false => format!("{before}{}", self.mark(rule.what, private)),
        }
    }
}

struct Rule {
    what: &'static str,
    pattern: Regex,
    spares: fn(&str) -> bool,
}

/// In this order: what comes first may hold what comes later.
static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let rule = |what, pattern: &str, spares: fn(&str) -> bool| Rule {
        what,
        pattern: Regex::new(pattern).expect("a constant pattern"),
        spares,
    };
    let never: fn(&str) -> bool = |_| false;
    vec![
        rule("url", r#"\b[a-z]+://[^\s"'<>]+"#, never),
        rule(
            "secret",
            r#"(?i)(?P<before>["']?[\w-]*(?:secret|token|passw|pwd|authorization|cookie|signature|api[_-]?key)[\w-]*["']?\s*[:=]\s*)(?P<private>"[^"]*"|'[^']*'|(?:bearer |basic |aws4-[\w-]+ )?[^\s,}]+)"#,
            |text| matches!(text, "null" | "true" | "false"),
        ),
        rule("key", r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}\b", never),
        rule(
            "arn",
            r#"(?P<before>arn:aws[\w-]*:[\w-]*:[\w-]*:)(?P<private>[^\s"',()<>]+)"#,
            never,
        ),
        rule("account", r"\b\d{12}\b", never),
        rule("mail", r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", never),
        rule(
            "address",
            r"\b\d{1,3}(?:\.\d{1,3}){3}\b",
            is_harmless_address,
        ),
        rule(
            "host",
            r"\b(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?\.)+[A-Za-z]{2,}\b",
            is_file,
        ),
        rule("long", r"[A-Za-z0-9+/=_-]{32,}", |text| {
            !text.contains(|c: char| c.is_ascii_digit())
        }),
    ]
});

/// This machine's own, and the versions of agents, which begin with a small number.
fn is_harmless_address(text: &str) -> bool {
    let first = text
        .split('.')
        .next()
        .and_then(|part| part.parse::<u32>().ok());
    first.is_some_and(|first| first < 10 || first == 127)
}

fn is_file(text: &str) -> bool {
    const ENDINGS: [&str; 10] = [
        "toml", "rs", "log", "sock", "lock", "json", "service", "socket", "plist", "txt",
    ];
    let ending = text.rsplit('.').next().unwrap_or_default();
    ENDINGS.contains(&ending)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(text: &str) -> String {
        Redactor::new(7).clean(text)
    }

    #[test]
    fn what_looks_private_is_marked() {
        for (text, left) in [
            (
                "url=wss://ssmmessages.eu-west-1.amazonaws.com/v1?token=CANARY end",
                "url=<url ",
            ),
            (r#"{"TokenValue": "CANARY"}"#, r#"{"TokenValue": <secret "#),
            ("Authorization: Bearer CANARY", "Authorization: <secret "),
            (
                "aws_secret_access_key = CANARY",
                "aws_secret_access_key = <secret ",
            ),
            ("password='CANARY x'", "password=<secret "),
            ("key ASIACANARYCANARY12 used", "key <key "),
            (
                "arn:aws:iam::123456789012:role/CANARY",
                "arn:aws:iam::<arn ",
            ),
            ("account 123456789012 in", "account <account "),
            ("by canary@example.com", "by <mail "),
            ("to 10.3.4.5:5432", "to <address "),
            ("to canary.cluster-x.rds.internal:5432", "to <host "),
            ("AAAAB3NzaC1yc2EAAAADAQABCANARYxyz0123456789", "<long "),
        ] {
            let cleaned = cleaned(text);
            assert!(cleaned.starts_with(left), "{text} -> {cleaned}");
            for private in ["CANARY", "canary", "123456789012", "10.3.4.5"] {
                assert!(!cleaned.contains(private), "{text} -> {cleaned}");
            }
        }
    }

    #[test]
    fn what_helps_and_harms_nobody_stays() {
        for text in [
            "127.0.0.1:55432 of app-db: listening",
            "agent 3.2.582.0",
            "session 1: connected, close code 1000",
            "config.toml:12 2026-11-28T18:00:01.123Z INFO bastiond::tunnel: listening",
            r#"{"token": null}"#,
        ] {
            assert_eq!(cleaned(text), text);
        }
    }

    #[test]
    fn the_same_has_the_same_mark_in_one_report_alone() {
        let mut redactor = Redactor::new(1);
        redactor.know("host", "db.internal");
        let text = redactor.clean("db.internal and db.internal, not dc.internal");
        let marks: Vec<&str> = text.split(['<', '>']).skip(1).step_by(2).collect();
        assert_eq!(marks[0], marks[1]);
        assert_ne!(marks[0], marks[2]);
        assert_ne!(
            Redactor::new(2).mark("host", "db.internal"),
            redactor.mark("host", "db.internal")
        );
    }
}

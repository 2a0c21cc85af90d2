//! What `docs/errors.md` says of AWS, made of the tables.

use std::fmt::Write as _;

use super::{Row, calls, denial, grants, others, stacks};
use crate::aws::{
    decode::{self, Exit, Retry},
    error::{Kind, Login},
};

const HEAD: &str = "# Errors, and what mends them

What AWS says is always shown as it is, with its code and request id. What it means and what to do stands below, in the
words that `bastiond ctl status` and the log have. The first row that fits counts. *Word* is the stable `code` of a
problem in JSON; *again* says whether the same thing is tried again without anybody doing anything.

This page is made from the tables in `src/aws/advice`, `src/aws/decode` and `src/control/code.rs`. After changing them:
`BASTIOND_WRITE_DOCS=1 cargo test --lib errors_page`.
";

/// Whose words, code or cause; meaning; word; again; what to do.
const COLUMNS: &str = "what it means | word | again | what to do";

pub(crate) fn page() -> String {
    let mut page = HEAD.to_owned();
    for (title, rows) in [
        ("Any call", calls::ANY),
        ("Calls of ECS", calls::ECS),
        ("Calls of SSM", calls::SSM),
        ("Calls of EC2", calls::EC2),
        ("Calls of CloudFormation", stacks::CLOUD_FORMATION),
        ("Other calls", calls::OTHERS),
    ] {
        section(&mut page, title, "AWS's code", rows);
    }
    let placement = "RunTask that gives no task";
    section(
        &mut page,
        placement,
        "`failures[].reason`",
        others::PLACEMENT,
    );
    section(
        &mut page,
        "A service without a task",
        "its latest event, or the reason of its deployment",
        others::EVENTS,
    );
    section(
        &mut page,
        "No credentials",
        "the SDK's words",
        others::CREDENTIALS,
    );
    section(&mut page, "No answer", "cause", others::NONE);
    stops(&mut page);
    denials(&mut page);
    page
}

fn section(page: &mut String, title: &str, first: &str, rows: &[Row]) {
    let _ = write!(
        page,
        "\n## {title}\n\n| {first} | {COLUMNS} |\n|---|---|---|---|---|\n"
    );
    for row in rows {
        let again = match &row.kind {
            Kind::Conflict => "its task is used",
            kind if kind.is_retryable() => "yes",
            Kind::Login(_) | Kind::Denied(_) => "after a sign-in",
            _ => "no",
        };
        let again = match &row.kind {
            Kind::Denied(_) => "no",
            _ => again,
        };
        let cause = cause(row);
        let (says, word) = (row.says, row.kind.word());
        let advice = advice(row);
        let _ = writeln!(page, "| {cause} | {says} | `{word}` | {again} | {advice} |");
    }
}

fn cause(row: &Row) -> String {
    let mut cause = quoted(row.codes, ", ");
    if !row.words.is_empty() {
        let with = if cause.is_empty() { "" } else { " with " };
        let _ = write!(cause, "{with}{}", quoted(row.words, " or "));
    }
    if !row.operations.is_empty() {
        let _ = write!(cause, " of {}", row.operations.join(", "));
    }
    match &row.kind {
        Kind::Login(Login::Missing) if cause.is_empty() => "no source has any".to_owned(),
        _ if cause.is_empty() => "anything else".to_owned(),
        _ => cause,
    }
}

fn advice(row: &Row) -> String {
    let named = row
        .advice
        .replace("{region}", "REGION")
        .replace("{profile}", " --profile PROFILE")
        .replace("{source}", "PROFILE");
    match (&row.kind, row.advice) {
        (Kind::Denied(_), "") => "see [Denied](#denied)".to_owned(),
        (_, "") => "nothing".to_owned(),
        _ => named,
    }
}

fn stops(page: &mut String) {
    page.push_str("\n## Tasks that stopped\n\n");
    page.push_str(
        "| `stopCode` | what it means | another task | what to do |\n|---|---|---|---|\n",
    );
    for row in decode::ROWS {
        let mut cause = quoted(row.codes, ", ");
        if cause.is_empty() {
            cause.push_str("anything else");
        }
        cause.push_str(match row.exit {
            Exit::Any => "",
            Exit::Clean => ", exit code 0",
            Exit::Killed => ", exit code 137",
        });
        if !row.words.is_empty() {
            let _ = write!(cause, " with {}", quoted(row.words, " or "));
        }
        let again = match row.retry {
            Retry::No => "no".to_owned(),
            Retry::Times(1) => "at once".to_owned(),
            Retry::Times(times) => format!("at once, {times} times"),
            Retry::After(pause) => format!("after {} s", pause.as_secs()),
            Retry::OnDemand => "when somebody connects".to_owned(),
        };
        let says = row.says.replace("{exit}", "N");
        let advice = if row.advice.is_empty() {
            "nothing"
        } else {
            row.advice
        };
        let _ = writeln!(page, "| {cause} | {says} | {again} | {advice} |");
    }
}

fn denials(page: &mut String) {
    page.push_str(
        "\n## Denied\n\nAction and resource are told on lines of their own, with the statement that grants them.\n\n\
         | why | what to do |\n|---|---|\n",
    );
    for (_, says, advice) in denial::WHO {
        let advice = advice.replace("{what}", "ACTION on RESOURCE");
        let _ = writeln!(page, "| {says} | {advice} |");
    }
    page.push_str("\nThe statements, with what AWS named in place of RESOURCE:\n\n```json\n");
    for grant in grants::GRANTS {
        let statement = grant.statement(Some("RESOURCE"), &super::Caller::default());
        let _ = writeln!(page, "{statement}");
    }
    page.push_str("```\n");
}

fn quoted(words: &[&str], joint: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(joint)
}

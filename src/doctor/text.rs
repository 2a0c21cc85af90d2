//! A report as text for people, at 80 columns: a line for what is well, and what to do about the rest.

use anstyle::{AnsiColor, Style};

use super::check::Level;
use super::checks;
use super::report::{Finding, Report};

/// Columns.
const WIDTH: usize = 80;
/// What evidence and fix are set in by: below the title.
const INDENT: usize = 11;

/// All of it, with a closing newline.
pub fn render(report: &Report) -> String {
    let mut lines = Vec::new();
    for area in checks::areas() {
        let is_of = |finding: &&Finding| area.checks.iter().any(|check| check.id == finding.id);
        let findings: Vec<_> = report.findings.iter().filter(is_of).collect();
        if findings.is_empty() {
            continue;
        }
        lines.push(area.title.to_owned());
        let names_subjects = |finding: &Finding| {
            let same = findings.iter().filter(|it| it.id == finding.id);
            same.count() > 1
        };
        for finding in &findings {
            lines.extend(told(finding, names_subjects(finding)));
        }
        lines.push(String::new());
    }
    lines.push(summary(report));
    lines
        .iter()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

fn told(finding: &Finding, names_subject: bool) -> Vec<String> {
    let style = style(finding.level);
    let subject = match names_subject {
        true => format!(" ({})", printable(&finding.subject)),
        false => String::new(),
    };
    let title = format!("{}{subject}", finding.title);
    let head = format!(
        "{style}{:<4}{style:#}  {}  {title}",
        finding.level, finding.id
    );
    let evidence = printable(&finding.evidence);
    if finding.level == Level::Ok {
        let fits = INDENT + title.chars().count() + 2 + evidence.chars().count() <= WIDTH;
        return match fits && !evidence.is_empty() {
            true => vec![format!("{head}: {evidence}")],
            false => vec![head],
        };
    }
    let mut lines = vec![head];
    for line in finding.evidence.lines() {
        lines.extend(wrapped(&printable(line), ""));
    }
    if let Some(fix) = &finding.fix {
        let mut prefix = "fix: ";
        for line in fix.lines() {
            lines.extend(wrapped(&printable(line), prefix));
            prefix = "     ";
        }
    }
    if finding.level > Level::Skip {
        lines.extend(wrapped(&finding.doc, "see: "));
    }
    lines
}

fn style(level: Level) -> Style {
    let colour = |colour: AnsiColor| colour.on_default();
    match level {
        Level::Ok => colour(AnsiColor::Green),
        Level::Info | Level::Skip => Style::new(),
        Level::Warn => colour(AnsiColor::Yellow),
        Level::Fail => colour(AnsiColor::Red).bold(),
    }
}

fn summary(report: &Report) -> String {
    let count = &report.count;
    let several = |count: usize, one: &str, many: &str| match count {
        1 => format!("1 {one}"),
        many_of => format!("{many_of} {many}"),
    };
    let mut parts = vec![format!("{} ok", count.ok)];
    for (number, one, many) in [
        (count.fail, "failure", "failures"),
        (count.warn, "warning", "warnings"),
        (count.skip, "skipped", "skipped"),
        (count.info, "to know", "to know"),
    ] {
        if number > 0 {
            parts.push(several(number, one, many));
        }
    }
    parts.join(", ")
}

/// Words in lines of what fits; a word that does not is alone.
fn wrapped(text: &str, prefix: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = format!("{:INDENT$}{prefix}", "");
    let start = INDENT + prefix.len();
    let mut length = start;
    for word in text.split_whitespace() {
        let wanted = word.chars().count() + usize::from(length > start);
        if length > start && length + wanted > WIDTH {
            lines.push(std::mem::replace(&mut line, " ".repeat(start)));
            length = start;
        }
        if length > start {
            line.push(' ');
            length += 1;
        }
        line.push_str(word);
        length += word.chars().count();
    }
    lines.push(line);
    lines
}

/// What others wrote moves no cursor.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(id: &str, level: Level, evidence: &str) -> Finding {
        Finding {
            id: id.into(),
            level,
            title: "the agent can write".into(),
            subject: "bastion dev".into(),
            evidence: evidence.into(),
            fix: (level > Level::Info).then(|| "set readonlyRootFilesystem to false for container `bastion`, then register the revision".into()),
            doc: "docs/doctor.md#t05".into(),
        }
    }

    #[test]
    fn a_failure_is_told_with_evidence_fix_and_page() {
        let report = Report::new(vec![
            finding("T01", Level::Ok, "backend"),
            finding(
                "T05",
                Level::Fail,
                "container `bastion` has a\x1b read-only root file system",
            ),
        ]);
        let text = anstream::adapter::strip_str(&render(&report)).to_string();
        insta::assert_snapshot!(text, @r"
        T: cluster and task definition
        ok    T01  the agent can write: backend
        fail  T05  the agent can write
                   container `bastion` has a read-only root file system
                   fix: set readonlyRootFilesystem to false for container `bastion`,
                        then register the revision
                   see: docs/doctor.md#t05

        1 ok, 1 failure
        ");
    }

    #[test]
    fn no_line_is_longer_than_eighty_columns_but_for_a_long_word() {
        let long = "word ".repeat(60);
        for line in wrapped(&long, "fix: ") {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
        assert_eq!(wrapped(&"x".repeat(100), "").len(), 1);
    }
}

//! A status as text for people: a header, a row a tunnel, and what mends what is wrong.
//!
//! The rows are set in `table`.

use anstyle::{AnsiColor, Style};

use super::{cost, table, units::span, width::width as columns_of};
use crate::status::{Aws, Problem, Status, Tunnel, TunnelState};

/// How to print.
#[derive(Clone, Debug)]
pub(super) struct Look {
    /// Columns of the terminal, if there is one.
    pub width: Option<usize>,
    pub palette: Palette,
    /// Where each tunnel leads, and its sessions, as well.
    pub verbose: bool,
}

/// The styles in use. Nothing is said by colour alone.
#[derive(Clone, Debug)]
pub(super) struct Palette {
    pub(super) strong: Style,
    good: Style,
    busy: Style,
    bad: Style,
    alarm: Style,
}

impl Palette {
    pub fn plain() -> Palette {
        let none = Style::new();
        Palette {
            strong: none,
            good: none,
            busy: none,
            bad: none,
            alarm: none,
        }
    }

    pub fn coloured() -> Palette {
        let colour = |colour: AnsiColor| colour.on_default();
        Palette {
            strong: Style::new().bold(),
            good: colour(AnsiColor::Green),
            busy: colour(AnsiColor::Yellow),
            bad: colour(AnsiColor::Red),
            alarm: colour(AnsiColor::Red).bold(),
        }
    }

    pub(super) fn of(&self, state: TunnelState) -> Style {
        match state {
            TunnelState::Idle => Style::new(),
            TunnelState::Ready => self.good,
            TunnelState::Starting | TunnelState::Reconnecting | TunnelState::Stopping => self.busy,
            TunnelState::NeedsLogin | TunnelState::NeedsMfaCode => self.bad,
            TunnelState::PortBusy | TunnelState::Failed => self.bad,
        }
    }
}

/// The whole status, with a closing newline.
pub(super) fn render(status: &Status, look: &Look) -> String {
    let mut lines = header(status, look);
    lines.push(String::new());
    lines.extend(table::table(status, look));
    lines.extend(health(&status.problems, look));
    let mut text = String::new();
    for line in lines {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A tunnel's state in words: `starting 12s: waiting for agent`.
pub(super) fn state(tunnel: &Tunnel) -> String {
    match &tunnel.detail {
        Some(detail) => format!("{}: {}", phase(tunnel), printable(detail)),
        None => phase(tunnel),
    }
}

pub(super) fn phase(tunnel: &Tunnel) -> String {
    let word = match tunnel.state {
        TunnelState::Idle => "idle",
        TunnelState::Starting => "starting",
        TunnelState::Ready => "ready",
        TunnelState::Reconnecting => "reconnecting",
        TunnelState::NeedsLogin => "needs sign-in",
        TunnelState::NeedsMfaCode => "needs MFA code",
        TunnelState::PortBusy => "port busy",
        TunnelState::Failed => "failed",
        TunnelState::Stopping => "stopping",
    };
    format!("{word} {}", span(tunnel.state_seconds))
}

fn header(status: &Status, look: &Look) -> Vec<String> {
    let daemon = &status.daemon;
    let title = printable(&format!("bastiond {}", daemon.version));
    let first = format!(
        "{}, pid {}, up {}",
        styled(look.palette.strong, &title),
        daemon.pid,
        span(daemon.uptime_seconds)
    );
    let more = [
        Some(identity(&status.aws)),
        credentials(&status.aws),
        status.cost.as_ref().map(cost::line),
    ];
    let wrap = |line: String| wrapped("", "  ", &line, look.width);
    let more = more.into_iter().flatten().flat_map(wrap);
    [first].into_iter().chain(more).collect()
}

fn identity(aws: &Aws) -> String {
    printable(&who(aws))
}

fn who(aws: &Aws) -> String {
    let region = aws
        .region
        .as_ref()
        .map(|region| format!(" in {region}"))
        .unwrap_or_default();
    match (&aws.account, &aws.arn) {
        (Some(account), Some(arn)) => format!("account {account}{region}, as {}", role_of(arn)),
        (Some(account), None) => format!("account {account}{region}"),
        (None, Some(arn)) => format!("as {}{region}", role_of(arn)),
        (None, None) => format!("account not known yet{region}"),
    }
}

/// What comes after the account: `assumed-role/dev/alice`.
fn role_of(arn: &str) -> String {
    arn.splitn(6, ':').nth(5).unwrap_or(arn).to_owned()
}

fn credentials(aws: &Aws) -> Option<String> {
    use time::{format_description::BorrowedFormatItem, macros::format_description};
    const MINUTES: &[BorrowedFormatItem] =
        format_description!("[year]-[month]-[day] [hour]:[minute]");
    let (until, left) = (aws.credentials_expire_at?, aws.credentials_seconds_left?);
    let until = until
        .to_offset(time::UtcOffset::UTC)
        .format(&MINUTES)
        .unwrap_or_default();
    Some(match left {
        0 => format!("credentials expired {until} UTC, renewed at the next call"),
        _ => format!("credentials valid for {}, until {until} UTC", span(left)),
    })
}

/// Nothing when all is well.
fn health(problems: &[Problem], look: &Look) -> Vec<String> {
    if problems.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), styled(look.palette.alarm, "# Health")];
    for (index, problem) in problems.iter().enumerate() {
        let number = format!("{}. ", index + 1);
        let ago = match problem.seconds_ago {
            0 => String::new(),
            seconds => format!(" ({} ago)", span(seconds)),
        };
        let said = format!(
            "{}: {}{ago}",
            printable(&problem.subject),
            printable(&problem.message)
        );
        let indent = " ".repeat(number.len());
        lines.extend(wrapped(&number, &indent, &said, look.width));
        if let Some(hint) = &problem.hint {
            // Not wrapped: a command must survive being copied.
            let mut start = "hint: ";
            for line in hint.lines() {
                lines.push(format!("{indent}{start}{}", printable(line)));
                start = "      ";
            }
        }
    }
    lines
}

pub(super) fn wrapped(start: &str, indent: &str, text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else {
        return vec![format!("{start}{text}")];
    };
    let mut lines = Vec::new();
    let mut line = start.to_owned();
    let mut is_fresh = true;
    for word in text.split(' ') {
        if !is_fresh && columns_of(&line) + 1 + columns_of(word) > width {
            lines.push(std::mem::replace(&mut line, indent.to_owned()));
            is_fresh = true;
        }
        if !is_fresh {
            line.push(' ');
        }
        line.push_str(word);
        is_fresh = false;
    }
    lines.push(line);
    lines
}

pub(super) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Texts of AWS and of other programs must not steer the terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests;

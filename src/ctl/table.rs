//! A row a tunnel.
//!
//! A row that fits the terminal stands on one line; otherwise what does not fit goes to a line below it, and a terminal
//! that is narrower still does without some columns. Without a terminal everything of a tunnel stands on one line, so
//! that it can be searched.

use std::net::SocketAddr;

use anstyle::Style;

use super::{
    text::{Look, phase, printable, styled, wrapped},
    units::{age, size, span},
    verbose,
    width::{padding, width},
};
use crate::status::{BastionState, ListenerState, Status, Tunnel, TunnelState};

/// The headings, then each tunnel's row.
pub(super) fn table(status: &Status, look: &Look) -> Vec<String> {
    let rows: Vec<Row> = status
        .tunnels
        .iter()
        .map(|tunnel| row(status, tunnel, look))
        .collect();
    let layout = Layout::of(&rows, look.width);
    let headings = HEADINGS.map(str::to_owned);
    let mut lines = vec![styled(
        look.palette.strong,
        layout.line(&headings, Style::new()).trim_end(),
    )];
    for row in &rows {
        lines.extend(lines_of(row, &layout, look.width));
    }
    lines
}

/// How wide each column is; `None` for those that there is no room for.
struct Layout([Option<usize>; COLUMNS]);

impl Layout {
    fn of(rows: &[Row], terminal: Option<usize>) -> Layout {
        let mut layout = Layout(std::array::from_fn(|column| {
            let cells = rows.iter().map(|row| width(&row.cells[column]));
            let places = rows.iter().flat_map(|row| &row.more_places);
            let places = places.filter(|_| column == 1).map(|place| width(place));
            cells.chain(places).chain([HEADINGS[column].len()]).max()
        }));
        for column in DISPENSABLE {
            if terminal.is_none_or(|terminal| layout.total() <= terminal) {
                break;
            }
            layout.0[column] = None;
        }
        layout
    }

    fn total(&self) -> usize {
        self.before_state() + self.0[COLUMNS - 1].unwrap_or(0)
    }

    /// Where the last column begins.
    fn before_state(&self) -> usize {
        let others = self.0[..COLUMNS - 1].iter().flatten();
        others.map(|width| width + GAP).sum()
    }

    fn line(&self, cells: &[String; COLUMNS], style: Style) -> String {
        let mut text = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let Some(width) = self.0[column] else {
                continue;
            };
            if column > 0 {
                text.push_str("  ");
            }
            let padding = padding(cell, width);
            match (TO_THE_RIGHT[column], column == COLUMNS - 1) {
                (true, _) => text.extend([&padding, cell.as_str()]),
                (false, true) => text.push_str(&styled(style, cell)),
                (false, false) => text.extend([cell.as_str(), &padding]),
            }
        }
        text
    }
}

/// One tunnel, cell by cell; `note` is what may go to a line of its own.
struct Row {
    cells: [String; COLUMNS],
    more_places: Vec<String>,
    note: String,
    details: Vec<String>,
    separator: &'static str,
    style: Style,
}

const COLUMNS: usize = 8;
const HEADINGS: [&str; COLUMNS] = [
    "TUNNEL", "LOCAL", "TASK", "SESS", "CONN", "SENT", "RECV", "STATE",
];
/// Numbers are set to the right.
const TO_THE_RIGHT: [bool; COLUMNS] = [false, false, false, true, true, true, true, false];
const GAP: usize = 2;
/// Columns that a narrow terminal does without, the first to go first: sessions, bytes, the task, connections.
const DISPENSABLE: [usize; 5] = [3, 5, 6, 2, 4];

fn row(status: &Status, tunnel: &Tunnel, look: &Look) -> Row {
    let mut places = tunnel.places(ListenerState::Listening);
    places.extend(tunnel.places(ListenerState::Busy));
    let mut places = places.into_iter().map(|place| printable(&place));
    let cells = [
        tunnel.name.clone(),
        places.next().unwrap_or_default(),
        task(status, tunnel),
        tunnel.sessions.len().to_string(),
        tunnel.connections.to_string(),
        size(tunnel.bytes_sent),
        size(tunnel.bytes_received),
        phase(tunnel),
    ]
    .map(|cell| printable(&cell));
    Row {
        cells,
        more_places: places.collect(),
        note: notes(status, tunnel),
        details: match look.verbose {
            true => verbose::lines(status, tunnel),
            false => Vec::new(),
        },
        separator: if tunnel.detail.is_some() { ": " } else { ", " },
        style: look.palette.of(tunnel.state),
    }
}

/// The task and its age, or the fixed target.
fn task(status: &Status, tunnel: &Tunnel) -> String {
    let task = status
        .bastion_of(tunnel)
        .and_then(|bastion| bastion.task.as_ref());
    // After a replacement the tunnel may still be on a task that is no longer the bastion's.
    if let Some(target) = &tunnel.target
        && task.is_none_or(|task| !target.contains(&task.id))
    {
        return short_target(target);
    }
    match task {
        // Of a machine the whole id is its name, and only one that was started has an age.
        Some(task) if is_machine(&task.id) => match task.started_at {
            Some(_) => format!("{} {}", task.id, age(task.age_seconds)),
            None => task.id.clone(),
        },
        Some(task) => format!("{} {}", short_id(&task.id), age(task.age_seconds)),
        None => "-".to_owned(),
    }
}

fn is_machine(id: &str) -> bool {
    id.starts_with("i-") || id.starts_with("mi-")
}

/// `ecs:CLUSTER_TASK_RUNTIME` is known by its task; instances by their id.
fn short_target(target: &str) -> String {
    match target.starts_with("ecs:") {
        true => short_id(target.rsplit('_').nth(1).unwrap_or(target)),
        false => target.to_owned(),
    }
}

fn short_id(id: &str) -> String {
    id.chars().take(8).collect()
}

fn notes(status: &Status, tunnel: &Tunnel) -> String {
    let waiting = (tunnel.waiting > 0).then(|| format!("{} waiting", tunnel.waiting));
    let task_stops = status
        .bastion_of(tunnel)
        .and_then(|bastion| bastion.stops_in_seconds);
    let ends = match (task_stops, tunnel.ends_in_seconds) {
        (Some(seconds), _) => Some(format!("stops in {}", span(seconds))),
        (None, Some(seconds)) => Some(format!("session ends in {}", span(seconds))),
        (None, None) => None,
    };
    let open = tunnel
        .listeners
        .iter()
        .any(|listener| is_open(&listener.address));
    let open = open.then(|| "open to other machines".to_owned());
    let detail = tunnel.detail.as_deref().map(printable);
    let kept = status.bastion_of(tunnel).and_then(|it| it.kept_seconds);
    let kept = kept.map(|seconds| format!("kept for {}", span(seconds)));
    let notes = [detail, usual(status, tunnel), waiting, ends, kept, open];
    notes.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// How long the start that is under way usually takes.
fn usual(status: &Status, tunnel: &Tunnel) -> Option<String> {
    let bastion = status.bastion_of(tunnel)?;
    let is_starting =
        tunnel.state == TunnelState::Starting && bastion.state == BastionState::Starting;
    let whole = bastion.usual_start.as_ref().filter(|_| is_starting)?.whole;
    let seconds = |ms: u64| span(ms.div_ceil(1000));
    let (p50, p95) = (seconds(whole.p50_ms), seconds(whole.p95_ms));
    Some(format!("usually {p50}, at worst {p95}"))
}

fn is_open(address: &str) -> bool {
    address
        .parse::<SocketAddr>()
        .is_ok_and(|address| !address.ip().is_loopback())
}

fn lines_of(row: &Row, layout: &Layout, terminal: Option<usize>) -> Vec<String> {
    let first = layout.line(&row.cells, row.style);
    let state = width(&row.cells[COLUMNS - 1]);
    let whole = layout.before_state() + state + row.separator.len() + width(&row.note);
    let indent = " ".repeat(layout.0[0].unwrap_or(0) + GAP);
    let is_on_one_line = terminal.is_none_or(|terminal| whole <= terminal);
    let mut below: Vec<&str> = row.more_places.iter().map(String::as_str).collect();
    let mut lines = Vec::new();
    if row.note.is_empty() {
        lines.push(first);
    } else if is_on_one_line {
        lines.push(format!("{}{}{}", first.trim_end(), row.separator, row.note));
    } else {
        lines.push(first);
        below.push(&row.note);
    }
    below.extend(row.details.iter().map(String::as_str));
    let wrap = |text: &str| wrapped(&indent, &indent, text, terminal);
    lines.extend(below.into_iter().flat_map(wrap));
    lines
}

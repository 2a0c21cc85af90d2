//! A row a tunnel.
//!
//! A row that fits the terminal stands on one line; otherwise what does not fit goes to a line below it. Without a
//! terminal everything of a tunnel stands on one line, so that it can be searched.

use std::net::SocketAddr;

use anstyle::Style;

use super::{
    text::{Look, phase, printable, styled},
    units::{age, size, span},
};
use crate::status::{ListenerState, Status, Tunnel, TunnelState};

/// The headings, then each tunnel's row.
pub(super) fn table(status: &Status, look: &Look) -> Vec<String> {
    let rows: Vec<Row> = status
        .tunnels
        .iter()
        .map(|tunnel| row(status, tunnel, look))
        .collect();
    let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| row.cells[column].chars().count());
        let places = rows
            .iter()
            .flat_map(|row| row.more_places.iter().filter(|_| column == 1));
        cells
            .chain(places.map(|place| place.chars().count()))
            .chain([HEADINGS[column].len()])
            .max()
            .unwrap_or(0)
    });
    let headings = HEADINGS.map(str::to_owned);
    let mut lines = vec![styled(
        look.palette.strong,
        line(&headings, &widths, Style::new()).trim_end(),
    )];
    for row in &rows {
        lines.extend(lines_of(row, &widths, look.width));
    }
    lines
}

/// One tunnel, cell by cell; `note` is what may go to a line of its own.
struct Row {
    cells: [String; COLUMNS],
    more_places: Vec<String>,
    note: String,
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
        separator: if tunnel.detail.is_some() { ": " } else { ", " },
        style: look.palette.of(tunnel.state),
    }
}

/// The task and its age, or the fixed target.
fn task(status: &Status, tunnel: &Tunnel) -> String {
    if let Some(target) = &tunnel.target {
        return short_target(target);
    }
    match status
        .bastion_of(tunnel)
        .and_then(|bastion| bastion.task.as_ref())
    {
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
    let is_starting = tunnel.state == TunnelState::Starting;
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

fn lines_of(row: &Row, widths: &[usize; COLUMNS], terminal: Option<usize>) -> Vec<String> {
    let first = line(&row.cells, widths, row.style);
    let state = widths[..COLUMNS - 1]
        .iter()
        .map(|width| width + GAP)
        .sum::<usize>();
    let whole = state
        + row.cells[COLUMNS - 1].chars().count()
        + row.separator.len()
        + row.note.chars().count();
    let indent = " ".repeat(widths[0] + GAP);
    let mut below: Vec<String> = row
        .more_places
        .iter()
        .map(|place| format!("{indent}{place}"))
        .collect();
    if row.note.is_empty() {
        below.insert(0, first);
    } else if terminal.is_none_or(|width| whole <= width) {
        below.insert(
            0,
            format!("{}{}{}", first.trim_end(), row.separator, row.note),
        );
    } else {
        below.insert(0, first);
        below.push(format!("{indent}{}", row.note));
    }
    below
}

fn line(cells: &[String; COLUMNS], widths: &[usize; COLUMNS], style: Style) -> String {
    let mut text = String::new();
    for (column, cell) in cells.iter().enumerate() {
        let padding = " ".repeat(widths[column] - cell.chars().count());
        let gap = if column == 0 { "" } else { "  " };
        let cell = if column == COLUMNS - 1 {
            styled(style, cell)
        } else {
            cell.clone()
        };
        match (TO_THE_RIGHT[column], column == COLUMNS - 1) {
            (true, _) => text.extend([gap, &padding, &cell]),
            (false, true) => text.extend([gap, &cell]),
            (false, false) => text.extend([gap, &cell, &padding]),
        }
    }
    text
}

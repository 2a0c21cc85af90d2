//! `ctl events` and `ctl logs`: lines that go on.

use std::io::{Write as _, stdout};

use time::{UtcOffset, macros::format_description};

use super::{Failure, text::printable};
use crate::{control::client::Client, exit::Exit, status::Event};

pub(super) async fn events(
    client: &Client,
    last: usize,
    follow: bool,
    json: bool,
) -> Result<Exit, Failure> {
    let local = UtcOffset::current_local_offset().unwrap_or(UtcOffset::UTC);
    let mut events = client.events(last, follow).await?;
    while let Some(event) = events.next().await? {
        let line = match json {
            true => serde_json::to_string(&event).expect("an event has only string keys"),
            false => in_words(&event, local),
        };
        if !put(line.as_bytes()) {
            break;
        }
    }
    Ok(Exit::Ok)
}

pub(super) async fn logs(
    client: &Client,
    last: Option<usize>,
    since: Option<&str>,
    follow: bool,
) -> Result<Exit, Failure> {
    let mut lines = client.logs(last, since, follow).await?;
    while let Some(line) = lines.next().await? {
        let line = String::from_utf8_lossy(&line);
        if !put(printable(&line).as_bytes()) {
            break;
        }
    }
    Ok(Exit::Ok)
}

fn in_words(event: &Event, local: UtcOffset) -> String {
    let moment = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let at = event
        .at
        .to_offset(local)
        .format(&moment)
        .unwrap_or_default();
    let hint = event
        .hint
        .iter()
        .map(|hint| format!("\n{:19}  hint: {hint}", ""));
    let line = format!("{at}  {event}{}", hint.collect::<String>());
    line.split('\n')
        .map(printable)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Whether anybody still reads. A line is told at once: whoever follows wants it now.
fn put(line: &[u8]) -> bool {
    let mut stdout = stdout().lock();
    stdout
        .write_all(line)
        .and_then(|()| stdout.write_all(b"\n"))
        .and_then(|()| stdout.flush())
        .is_ok()
}

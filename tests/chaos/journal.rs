//! What happened, in order: the faults, and what the daemons said of them.

use std::{
    collections::VecDeque,
    fmt::Debug,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    layer::{Context, Layer, SubscriberExt as _},
    util::SubscriberInitExt as _,
};

/// More than a round has.
const KEPT: usize = 100_000;
/// What a failure shows.
const SHOWN: usize = 120;

static ENTRIES: Mutex<VecDeque<Entry>> = Mutex::new(VecDeque::new());

/// Something that happened.
#[derive(Clone)]
pub struct Entry {
    at: Instant,
    text: String,
    /// Why connections are reset now, when that is what it says.
    code: Option<String>,
}

/// Follows the daemons' log from now on.
pub fn listen() {
    tracing_subscriber::registry().with(Listener).init();
}

/// A new round.
pub fn clear() {
    entries(VecDeque::clear);
}

/// The test did something.
pub fn note(text: impl Into<String>) {
    add(Entry {
        at: Instant::now(),
        text: text.into(),
        code: None,
    });
}

/// The test did something that resets connections.
pub fn note_cut(code: &str) {
    add(Entry {
        at: Instant::now(),
        text: format!("  test: {code}"),
        code: Some(code.to_owned()),
    });
}

/// The reason given last, within the time in which a reset belongs to it.
pub fn reason(from: Instant, to: Instant) -> Option<String> {
    entries(|entries| {
        let near = |entry: &&Entry| entry.at >= from && entry.at <= to;
        let mut reasons = entries.iter().rev().filter(near);
        reasons.find_map(|entry| entry.code.clone())
    })
}

/// When a daemon first said something that begins like this.
pub fn when_said(beginning: &str) -> Option<Instant> {
    let beginning = format!("  says: {beginning}");
    entries(|entries| {
        let mut said = entries
            .iter()
            .filter(|entry| entry.text.starts_with(&beginning));
        said.next().map(|entry| entry.at)
    })
}

/// The end of the story.
pub fn tail() -> String {
    entries(|entries| {
        let now = Instant::now();
        let from = entries.len().saturating_sub(SHOWN);
        let line = |entry: &Entry| {
            let ago = now.duration_since(entry.at);
            format!("{:>9.3} s ago {}\n", ago.as_secs_f64(), entry.text)
        };
        entries.range(from..).map(line).collect()
    })
}

fn add(entry: Entry) {
    entries(|entries| {
        if entries.len() == KEPT {
            entries.pop_front();
        }
        entries.push_back(entry);
    });
}

fn entries<T>(work: impl FnOnce(&mut VecDeque<Entry>) -> T) -> T {
    work(&mut ENTRIES.lock().unwrap_or_else(PoisonError::into_inner))
}

struct Listener;

impl<S: Subscriber> Layer<S> for Listener {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        let target = metadata.target();
        *metadata.level() <= Level::INFO
            && target.starts_with("bastiond::")
            && !target.starts_with("bastiond::sim")
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut words = Words::default();
        event.record(&mut words);
        let code = match words.message.as_str() {
            "connections are reset" => words.code,
            "connection reset: its client does not read" => Some("slow_reader".to_owned()),
            "a tunnel is in trouble" => Some("connect_failed".to_owned()),
            "the bastion task is going away" => Some("task_stopped".to_owned()),
            "stopping" => Some("shutting_down".to_owned()),
            _ => None,
        };
        let text = format!("  says: {}{}", words.message, words.rest);
        add(Entry {
            at: Instant::now(),
            text,
            code,
        });
    }
}

#[derive(Default)]
struct Words {
    message: String,
    code: Option<String>,
    rest: String,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "code" => self.code = Some(format!("{value:?}").trim_matches('"').to_owned()),
            name => self.rest.push_str(&format!(" {name}={value:?}")),
        }
    }
}

/// How long before a reset its reason may have been given; the log and the reset are two threads of one process.
pub const BEFORE: Duration = Duration::from_secs(3);
/// How long after.
pub const AFTER: Duration = Duration::from_secs(2);

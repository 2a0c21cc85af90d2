//! Why a task stopped: AWS's codes and words turned into a diagnosis, one thing to do, and whether to try
//! again. Pure.
//!
//! The wording is AWS's to change, so each row asks for fragments, and what matches none is shown as it is.

mod rows;

use std::time::Duration;

use super::task::Task;
pub(super) use rows::{Exit, ROWS, Row};

/// Why a task stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// What happened, with AWS's own words.
    pub summary: String,
    /// The one thing to do, when there is one.
    pub hint: Option<String>,
    /// Whether another task would do better.
    pub retry: Retry,
}

/// Whether another task would do better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Not before somebody mends something.
    No,
    /// At once, so many times.
    Times(u8),
    /// Not before this has passed.
    After(Duration),
    /// It ended as it should, or somebody ended it: when somebody connects.
    OnDemand,
}

/// What became of `task`, which stopped.
pub fn diagnose(task: &Task) -> Diagnosis {
    let words = words(task);
    let text = words.to_lowercase();
    let row = ROWS.iter().find(|row| fits(row, task, &text));
    let row = row.expect("the last row fits every task");
    let failed = failed_exit(task).map(|code| code.to_string());
    let says = row.says.replace("{exit}", &failed.unwrap_or_default());
    Diagnosis {
        summary: match words.is_empty() {
            true => says,
            false => format!("{says}: {words}"),
        },
        hint: Some(row.advice.to_owned()).filter(|advice| !advice.is_empty()),
        retry: row.retry,
    }
}

fn fits(row: &Row, task: &Task, text: &str) -> bool {
    let code = task.stop_code.as_deref();
    let has_code = row.codes.is_empty() || code.is_some_and(|code| row.codes.contains(&code));
    let has_exit = match row.exit {
        Exit::Any => true,
        Exit::Clean => failed_exit(task).is_none(),
        Exit::Killed => exit_codes(task).any(|code| code == 137),
    };
    let has_words = row.words.is_empty() || row.words.iter().any(|word| text.contains(word));
    has_code && has_exit && has_words
}

fn failed_exit(task: &Task) -> Option<i32> {
    exit_codes(task).find(|code| *code != 0)
}

fn exit_codes(task: &Task) -> impl Iterator<Item = i32> {
    task.containers
        .iter()
        .filter_map(|container| container.exit_code)
}

/// The task's reason and its containers', which are often more precise.
fn words(task: &Task) -> String {
    let containers = task
        .containers
        .iter()
        .filter_map(|container| container.reason.as_deref());
    let mut all: Vec<&str> = task
        .stopped_reason
        .as_deref()
        .into_iter()
        .chain(containers)
        .collect();
    all.retain(|reason| !reason.is_empty());
    all.dedup();
    all.join("; ")
}

#[cfg(test)]
mod tests;

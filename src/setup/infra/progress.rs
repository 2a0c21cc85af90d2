//! A stack's events as progress. Pure: time is an argument.

use std::{collections::BTreeSet, time::Duration};

use crate::aws::StackEvent;

/// Nothing new for so long, and it is said what is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// What has been said of one operation.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The last event before the operation.
    before: Option<String>,
    told: BTreeSet<String>,
    spoke: Duration,
}

impl Progress {
    /// Of an operation that begins after the newest of these `events`.
    pub fn after(events: &[StackEvent]) -> Self {
        Self {
            before: events.first().map(|it| it.id.clone()),
            ..Self::default()
        }
    }

    /// What is new of `events`, which begin with the newest: oldest first, a line each.
    pub fn news(&mut self, events: &[StackEvent], elapsed: Duration) -> Vec<String> {
        let events = self.of_operation(events);
        let new = events
            .iter()
            .rev()
            .filter(|it| self.told.insert(it.id.clone()));
        let mut lines: Vec<_> = new.filter_map(|it| line(it, elapsed)).collect();
        let open = open(events);
        if lines.is_empty() && !open.is_empty() && elapsed >= self.spoke + PATIENCE {
            lines.push(format!(
                "{}  still working on {}",
                clock(elapsed),
                open.join(", ")
            ));
        }
        if !lines.is_empty() {
            self.spoke = elapsed;
        }
        lines
    }

    /// The reason of the first failure; those that follow from it are no help.
    pub fn failure(&self, events: &[StackEvent]) -> Option<String> {
        let mut oldest_first = self.of_operation(events).iter().rev();
        let failed = oldest_first.find(|it| it.status.ends_with("_FAILED") && !is_follow_up(it))?;
        let reason = failed.reason.as_deref().unwrap_or("AWS does not say why");
        Some(format!("{} ({}): {reason}", failed.resource, failed.kind))
    }

    /// From the newest back to where the operation began.
    fn of_operation<'a>(&self, events: &'a [StackEvent]) -> &'a [StackEvent] {
        let is_before = |it: &StackEvent| Some(&it.id) == self.before.as_ref();
        let end = events.iter().position(is_before).unwrap_or(events.len());
        let begin = events[..end].iter().position(StackEvent::is_begin);
        &events[..begin.map_or(end, |index| index + 1)]
    }
}

/// Whether it failed only because another did.
fn is_follow_up(event: &StackEvent) -> bool {
    let reason = event.reason.as_deref().unwrap_or_default();
    reason.contains("cancelled") || event.is_of_stack()
}

fn line(event: &StackEvent, elapsed: Duration) -> Option<String> {
    let (is_stack, status) = (event.is_of_stack(), event.status.as_str());
    let is_undoing = is_stack && status.ends_with("ROLLBACK_IN_PROGRESS");
    let is_end = !is_stack && (status.ends_with("_COMPLETE") || status.ends_with("_FAILED"));
    if !is_undoing && !is_end {
        return None;
    }
    let reason = event.reason.as_deref().filter(|it| !it.is_empty());
    let reason = reason.map(|it| format!("  {it}")).unwrap_or_default();
    Some(format!(
        "{}  {status:<16}  {}{reason}",
        clock(elapsed),
        event.resource
    ))
}

/// What is begun and not at its end, by the newest event of each.
fn open(events: &[StackEvent]) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    let newest = events.iter().filter(|it| seen.insert(it.resource.as_str()));
    let open = newest.filter(|it| it.status.ends_with("_IN_PROGRESS") && !it.is_of_stack());
    open.map(|it| it.resource.as_str()).collect()
}

fn clock(elapsed: Duration) -> String {
    format!("{:>5} s", elapsed.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: u32, resource: &str, status: &str, reason: &str) -> StackEvent {
        let kind = match resource {
            "b" => "AWS::CloudFormation::Stack",
            _ => "AWS::X::Y",
        };
        StackEvent {
            id: id.to_string(),
            resource: resource.into(),
            kind: kind.into(),
            status: status.into(),
            reason: Some(reason.into()).filter(|it: &String| !it.is_empty()),
        }
    }

    /// As AWS gives them: the newest first.
    fn newest_first(mut events: Vec<StackEvent>) -> Vec<StackEvent> {
        events.reverse();
        events
    }

    fn failed_creation() -> Vec<StackEvent> {
        newest_first(vec![
            event(1, "b", "REVIEW_IN_PROGRESS", "User Initiated"),
            event(2, "b", "CREATE_IN_PROGRESS", "User Initiated"),
            event(3, "TaskRole", "CREATE_IN_PROGRESS", ""),
            event(4, "LogGroup", "CREATE_IN_PROGRESS", ""),
            event(5, "LogGroup", "CREATE_FAILED", "/bastiond/b already exists"),
            event(
                6,
                "TaskRole",
                "CREATE_FAILED",
                "Resource creation cancelled",
            ),
            event(
                7,
                "b",
                "ROLLBACK_IN_PROGRESS",
                "The following resource(s) failed to create: [LogGroup, TaskRole].",
            ),
            event(8, "TaskRole", "DELETE_COMPLETE", ""),
            event(9, "b", "ROLLBACK_COMPLETE", ""),
        ])
    }

    #[test]
    fn each_end_is_told_once_with_its_time_and_the_oldest_first() {
        let all = failed_creation();
        let mut progress = Progress::default();
        let first = progress.news(&all[4..], Duration::from_secs(7));
        assert_eq!(
            first,
            ["    7 s  CREATE_FAILED     LogGroup  /bastiond/b already exists"]
        );
        assert!(progress.news(&all[4..], Duration::from_secs(8)).is_empty());
        let rest = progress.news(&all, Duration::from_secs(12));
        assert_eq!(
            rest,
            [
                "   12 s  CREATE_FAILED     TaskRole  Resource creation cancelled",
                "   12 s  ROLLBACK_IN_PROGRESS  b  The following resource(s) failed to create: [LogGroup, TaskRole].",
                "   12 s  DELETE_COMPLETE   TaskRole",
            ]
        );
    }

    #[test]
    fn the_first_failure_is_the_reason_and_not_what_follows_from_it() {
        let told = Progress::default().failure(&failed_creation());
        assert_eq!(
            told.as_deref(),
            Some("LogGroup (AWS::X::Y): /bastiond/b already exists")
        );
        let well = newest_first(vec![
            event(1, "b", "CREATE_IN_PROGRESS", ""),
            event(2, "TaskRole", "CREATE_COMPLETE", ""),
        ]);
        assert_eq!(Progress::default().failure(&well), None);
    }

    #[test]
    fn what_happened_before_does_not_belong_to_what_is_done_now() {
        let mut events = failed_creation();
        let mut progress = Progress::after(&events);
        assert!(progress.news(&events, Duration::ZERO).is_empty());
        assert_eq!(progress.failure(&events), None);
        events.insert(0, event(10, "b", "DELETE_IN_PROGRESS", "User Initiated"));
        events.insert(0, event(11, "Cluster", "DELETE_COMPLETE", ""));
        let news = progress.news(&events, Duration::from_secs(3));
        assert_eq!(news, ["    3 s  DELETE_COMPLETE   Cluster"]);
        // Who takes it up later does not know what was before, and sees the same.
        let later = Progress::default().news(&events, Duration::ZERO);
        assert_eq!(later, ["    0 s  DELETE_COMPLETE   Cluster"]);
    }

    #[test]
    fn what_takes_long_is_named_now_and_then() {
        let events = newest_first(vec![
            event(1, "b", "CREATE_IN_PROGRESS", ""),
            event(2, "LogsEndpoint", "CREATE_IN_PROGRESS", ""),
            event(3, "LogGroup", "CREATE_COMPLETE", ""),
        ]);
        let mut progress = Progress::default();
        assert_eq!(progress.news(&events, Duration::from_secs(2)).len(), 1);
        assert!(progress.news(&events, Duration::from_secs(21)).is_empty());
        let still = progress.news(&events, Duration::from_secs(22));
        assert_eq!(still, ["   22 s  still working on LogsEndpoint"]);
        assert!(progress.news(&events, Duration::from_secs(23)).is_empty());
    }
}

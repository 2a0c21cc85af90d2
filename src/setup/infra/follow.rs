//! A stack while CloudFormation works on it.

use std::{collections::BTreeSet, time::Duration};

use anyhow::bail;
use tokio::time::{Instant, sleep};

use crate::{
    aws::{Aws, Error, Stack, StackEvent},
    setup::account::fatal,
};

/// How often to look; CloudFormation throttles who looks more often.
const INTERVAL: Duration = Duration::from_secs(2);
/// Endpoints take minutes; nothing of the template takes longer than this.
const LIMIT: Duration = Duration::from_secs(30 * 60);
/// A loss of contact is endured for so long.
const PATIENCE: u32 = 15;

/// What has been said of a stack already.
#[derive(Default)]
pub(super) struct Seen(BTreeSet<String>);

impl Seen {
    /// What happened before does not belong to what is done now.
    pub async fn until_now(aws: &Aws, stack: &str) -> Self {
        let events = aws.stack_events(stack).await.unwrap_or_default();
        Self(events.into_iter().map(|event| event.id).collect())
    }

    /// What is new of `events`, which begin with the newest: oldest first, a line each.
    fn news(&mut self, events: Vec<StackEvent>) -> Vec<String> {
        let new = events
            .into_iter()
            .rev()
            .filter(|event| self.0.insert(event.id.clone()));
        new.map(|event| shown(&event)).collect()
    }
}

fn shown(event: &StackEvent) -> String {
    let reason = event.reason.as_deref().filter(|reason| !reason.is_empty());
    let reason = reason
        .map(|reason| format!("  {reason}"))
        .unwrap_or_default();
    format!("  {:<28}{}{reason}", event.status, event.resource)
}

/// Tells what happens until nothing more does. `None` when the stack is gone.
pub(super) async fn follow(aws: &Aws, name: &str, mut seen: Seen) -> anyhow::Result<Option<Stack>> {
    let began = Instant::now();
    let mut failures = 0;
    loop {
        // First the state: whatever led to it has happened by then.
        let stack = match aws.stack(name).await {
            Err(error) => {
                failures = endured(error, failures)?;
                sleep(INTERVAL).await;
                continue;
            }
            Ok(None) => return Ok(None),
            Ok(Some(stack)) => stack,
        };
        failures = 0;
        for line in seen.news(aws.stack_events(name).await.unwrap_or_default()) {
            eprintln!("{line}");
        }
        if !stack.is_busy() {
            return Ok(Some(stack));
        }
        if began.elapsed() > LIMIT {
            bail!(
                "the stack `{name}` is still {}\nhint: run the same command again to follow it",
                stack.status
            );
        }
        sleep(INTERVAL).await;
    }
}

/// One failure more, unless it is of a kind that lasts or there were too many.
fn endured(error: Error, failures: u32) -> anyhow::Result<u32> {
    match error.is_retryable() && failures < PATIENCE {
        true => Ok(failures + 1),
        false => {
            Err(fatal(error)
                .context("the stack is not seen any more; CloudFormation goes on with it"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_is_told_once_and_the_oldest_first() {
        let event = |id: &str, reason: Option<&str>| StackEvent {
            id: id.into(),
            resource: format!("Thing{id}"),
            status: "CREATE_FAILED".into(),
            reason: reason.map(Into::into),
        };
        let mut seen = Seen::default();
        let first = seen.news(vec![event("2", None), event("1", Some("no capacity"))]);
        assert_eq!(first.len(), 2);
        assert!(
            first[0].ends_with("Thing1  no capacity") && first[1].ends_with("Thing2"),
            "{first:?}"
        );
        assert!(
            seen.news(vec![event("2", None), event("1", None)])
                .is_empty()
        );
        assert_eq!(seen.news(vec![event("3", None), event("2", None)]).len(), 1);
    }
}

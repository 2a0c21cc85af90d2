//! A stack while CloudFormation works on it.

use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep};

use super::{
    fatal,
    progress::Progress,
    state::{Standing, standing},
};
use crate::aws::{Aws, Error, Stack, StackEvent};

/// How often to look at first; CloudFormation allows few looks, so it becomes less.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(3);
/// Endpoints take minutes; nothing of the template takes longer than this.
const LIMIT: Duration = Duration::from_secs(30 * 60);
/// A loss of contact is endured for so many looks, some minutes with the attempts of each.
const PATIENCE: u32 = 15;

/// How it ended.
pub(super) struct Outcome {
    /// The stack; `None` when AWS does not know it any more.
    pub stack: Option<Stack>,
    /// The first thing that failed, and why.
    pub failure: Option<String>,
}

impl Outcome {
    /// The failure in words, wherever it was told.
    pub fn why(&self) -> String {
        let reason = || self.stack.as_ref().and_then(|stack| stack.reason.clone());
        let why = self.failure.clone().or_else(reason);
        why.unwrap_or_else(|| "AWS does not say why".to_owned())
    }
}

/// Tells what happens to the stack of this ARN until nothing more does. `again` is the command that follows it later.
pub(super) async fn follow(
    aws: &Aws,
    id: &str,
    mut progress: Progress,
    again: &str,
) -> anyhow::Result<Outcome> {
    let (began, mut interval, mut failures) = (Instant::now(), FIRST, 0);
    loop {
        // First the state: whatever led to it has happened by then.
        match aws.stack(id).await {
            Err(error) => failures = endured(error, failures, again)?,
            Ok(stack) => {
                failures = 0;
                let events = events(aws, id).await;
                for line in progress.news(&events, began.elapsed()) {
                    crate::errln!("{line}");
                }
                let is_over = |it: &Stack| standing(&it.status) != Standing::Busy;
                if stack.as_ref().is_none_or(is_over) {
                    let failure = progress.failure(&events);
                    return Ok(Outcome { stack, failure });
                }
            }
        }
        if began.elapsed() > LIMIT {
            bail!(
                "CloudFormation is not done after {} minutes\nhint: {again}",
                LIMIT.as_secs() / 60
            );
        }
        sleep(interval).await;
        interval = (interval * 3 / 2).min(LONGEST);
    }
}

/// Without them the state still tells how it ended.
async fn events(aws: &Aws, id: &str) -> Vec<StackEvent> {
    let events = aws.stack_events(id).await;
    events.unwrap_or_else(|error| {
        tracing::debug!(%error, "the events of the stack are not to be seen");
        Vec::new()
    })
}

/// One failure more, unless it is of a kind that lasts or there were too many.
fn endured(error: Error, failures: u32, again: &str) -> anyhow::Result<u32> {
    match error.is_retryable() && failures < PATIENCE {
        true => Ok(failures + 1),
        false => {
            crate::errln!("CloudFormation goes on without this; to follow it: {again}");
            Err(fatal(error))
        }
    }
}

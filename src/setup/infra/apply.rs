//! A change set: prepared, looked at, and carried out or taken back.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{anyhow, bail};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    fatal,
    follow::{Outcome, follow},
    interrupt::{Behind, Interrupts},
    progress::Progress,
    state::{Standing, TAG, standing},
    template::{TEMPLATE, Told},
};
use crate::aws::{Aws, ChangeSet, Error, NewChangeSet, ResourceChange};

/// What our change sets are called, and no one else's.
const PREFIX: &str = "bastiond-infra-";
/// Change sets are made within seconds.
const LIMIT: Duration = Duration::from_secs(5 * 60);
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A change set that nobody has carried out yet.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    aws: Aws,
    /// The stack's name.
    stack: String,
    set: String,
    /// There was no stack before: taking back leaves none.
    is_new: bool,
}

impl Prepared {
    /// Leaves all as it was. A stack of this name that somebody else has made meanwhile stays.
    pub async fn take_back(&self) -> Result<(), Error> {
        let Self {
            aws, stack, set, ..
        } = self;
        aws.delete_change_set(stack, set).await?;
        if !self.is_new {
            return Ok(());
        }
        let left = aws.stack(stack).await?;
        let Some(empty) = left.filter(|it| standing(&it.status) == Standing::Empty) else {
            return Ok(());
        };
        match aws.change_sets(stack).await?.is_empty() {
            true => aws.delete_stack(&empty.id, set).await,
            false => Ok(()),
        }
    }

    /// What is there when that fails.
    pub fn left(&self) -> String {
        let Self { stack, set, .. } = self;
        format!(
            "the stack `{stack}` has the change set `{set}`, which the next `bastiond infra deploy` removes"
        )
    }
}

/// Makes the stack what it is told, or `None` if it is that already. `agrees` sees what would change.
pub(super) async fn apply(
    aws: &Aws,
    interrupts: &Interrupts,
    stack: &str,
    is_new: bool,
    told: &Told,
    again: &str,
    agrees: impl FnOnce(&[ResourceChange]) -> anyhow::Result<()>,
) -> anyhow::Result<Option<Outcome>> {
    let prepared = Prepared {
        aws: aws.clone(),
        stack: stack.to_owned(),
        set: format!("{PREFIX}{}", Uuid::new_v4().simple()),
        is_new,
    };
    let agreed = match prepare(&prepared, interrupts, told).await {
        Ok(None) => Err(None),
        Ok(Some((id, set))) => {
            let changes: Vec<_> = set.changes.into_iter().map(|it| it.of).collect();
            agrees(&changes).map(|()| id).map_err(Some)
        }
        Err(error) => Err(Some(error)),
    };
    match agreed {
        Ok(id) => execute(&prepared, interrupts, &id, again).await.map(Some),
        Err(why_not) => {
            let taken_back = prepared.take_back().await;
            if let Err(error) = taken_back {
                tracing::debug!(%error, "a change set stays until the next time");
            }
            interrupts.leaves(Behind::Nothing).await;
            why_not.map_or(Ok(None), Err)
        }
    }
}

/// The stack's ARN and what would change; `None` if nothing would.
async fn prepare(
    prepared: &Prepared,
    interrupts: &Interrupts,
    told: &Told,
) -> anyhow::Result<Option<(String, ChangeSet)>> {
    let tags = BTreeMap::from([(TAG.to_owned(), prepared.stack.clone())]);
    let new = NewChangeSet {
        stack: &prepared.stack,
        name: &prepared.set,
        is_new: prepared.is_new,
        template: TEMPLATE,
        parameters: &told.0,
        tags: &tags,
    };
    let mut behind = interrupts.hold().await;
    *behind = Behind::Prepared(prepared.clone());
    let made = prepared.aws.create_change_set(new).await;
    drop(behind);
    match made {
        Ok(id) => Ok(ready(prepared).await?.map(|set| (id, set))),
        Err(error) if error.is_of_no_change() => Ok(None),
        Err(error) => Err(fatal(error)),
    }
}

/// Waits until it can be carried out.
async fn ready(prepared: &Prepared) -> anyhow::Result<Option<ChangeSet>> {
    let began = Instant::now();
    loop {
        let set = prepared
            .aws
            .change_set(&prepared.stack, &prepared.set)
            .await;
        match set {
            Ok(set) if set.status == "CREATE_COMPLETE" => return Ok(Some(set)),
            Ok(set) if set.is_needless() => return Ok(None),
            Ok(set) if set.status == "FAILED" => {
                let why = set
                    .reason
                    .unwrap_or_else(|| "it does not say why".to_owned());
                bail!("CloudFormation does not take it: {why}");
            }
            Err(error) if !error.is_retryable() => return Err(fatal(error)),
            Ok(_) | Err(_) => {}
        }
        if began.elapsed() > LIMIT {
            bail!(
                "CloudFormation does not say within {} minutes what would change",
                LIMIT.as_secs() / 60
            );
        }
        sleep(LOOK_AGAIN).await;
    }
}

async fn execute(
    prepared: &Prepared,
    interrupts: &Interrupts,
    id: &str,
    again: &str,
) -> anyhow::Result<Outcome> {
    let aws = &prepared.aws;
    let before = aws.stack_events(id).await.unwrap_or_default();
    let mut behind = interrupts.hold().await;
    let executed = aws.execute_change_set(&prepared.stack, &prepared.set).await;
    match &executed {
        Err(error) if !error.is_ambiguous() => {
            let _ = prepared.take_back().await;
            *behind = Behind::Nothing;
        }
        _ => *behind = Behind::goes_on(again),
    }
    drop(behind);
    executed.map_err(|error| match error.is_ambiguous() {
        true => anyhow!("{error}\nhint: whether it was begun is not known; {again}"),
        false => fatal(error),
    })?;
    crate::errln!(
        "CloudFormation works on the stack `{}`, and goes on if this is interrupted",
        prepared.stack
    );
    follow(aws, id, Progress::after(&before), again).await
}

/// What an interrupted run of ours has left prepared, and whether something of somebody else's is.
pub(super) async fn leftovers(aws: &Aws, stack: &str) -> anyhow::Result<(Vec<String>, bool)> {
    let all = aws.change_sets(stack).await.map_err(fatal)?;
    let (ours, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| it.starts_with(PREFIX));
    Ok((ours, !others.is_empty()))
}

//! The tasks that run in a stack: those of its family, and no others of its cluster.

use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep};

use super::{fatal, template::Told};
use crate::aws::{Aws, Desired, Error, Kind, Stack};

/// Tasks end within a minute; their network interfaces may take another.
const LIMIT: Duration = Duration::from_secs(5 * 60);
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Where a stack's tasks run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tasks {
    pub cluster: String,
    family: String,
    /// The service that runs them, if there is one.
    pub service: Option<String>,
}

impl Tasks {
    /// As the stack tells. One that never came up tells what it was to be made with.
    pub fn of(stack: &Stack) -> Self {
        let told = |key: &str| stack.outputs.get(key).cloned();
        let parameters = Told(stack.parameters.clone());
        let family = told("TaskFamily").unwrap_or_else(|| parameters.value("Name").to_owned());
        let cluster = match parameters.value("ExistingClusterName") {
            "" => family.clone(),
            name => name.to_owned(),
        };
        Self {
            cluster: told("ClusterName").unwrap_or(cluster),
            service: told("ServiceName"),
            family,
        }
    }

    /// Those that run or are on their way.
    pub async fn running(&self, aws: &Aws) -> Result<Vec<String>, Error> {
        let family = Some(self.family.as_str());
        match aws
            .list_tasks(&self.cluster, family, Desired::Running)
            .await
        {
            // A stack that never came up has no cluster.
            Err(error) if error.kind == Kind::NotFound => Ok(Vec::new()),
            listed => listed,
        }
    }

    /// Ends these, and waits until they have ended: they hold on to cluster and security group.
    pub async fn end(&self, aws: &Aws, tasks: &[String]) -> anyhow::Result<()> {
        for task in tasks {
            let ended = aws
                .stop_task(&self.cluster, task, "bastiond infra delete")
                .await;
            ended.map_err(fatal)?;
        }
        let began = Instant::now();
        while !tasks.is_empty() {
            let described = aws
                .describe_tasks(&self.cluster, tasks)
                .await
                .map_err(fatal)?;
            if described.iter().all(|task| task.last_status == "STOPPED") {
                break;
            }
            if began.elapsed() > LIMIT {
                bail!(
                    "the tasks do not end within {} minutes\nhint: run the same command again",
                    LIMIT.as_secs() / 60
                );
            }
            sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }
}

/// The last part of an ARN.
pub(super) fn short(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(outputs: &[(&str, &str)], parameters: &[(&str, &str)]) -> Stack {
        let map = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            pairs
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect()
        };
        Stack {
            outputs: map(outputs),
            parameters: map(parameters),
            ..Stack::default()
        }
    }

    #[test]
    fn a_stack_tells_where_its_tasks_are_even_if_it_never_came_up() {
        let outputs = [
            ("ClusterName", "c"),
            ("TaskFamily", "b"),
            ("ServiceName", "b"),
        ];
        let told = Tasks::of(&stack(&outputs, &[]));
        assert_eq!((told.cluster.as_str(), told.family.as_str()), ("c", "b"));
        assert_eq!(told.service.as_deref(), Some("b"));
        let failed = Tasks::of(&stack(&[], &[("Name", "b")]));
        assert_eq!(
            (failed.cluster.as_str(), failed.family.as_str()),
            ("b", "b")
        );
        let elsewhere = Tasks::of(&stack(
            &[],
            &[("Name", "b"), ("ExistingClusterName", "ours")],
        ));
        assert_eq!(
            (elsewhere.cluster.as_str(), elsewhere.service),
            ("ours", None)
        );
    }
}

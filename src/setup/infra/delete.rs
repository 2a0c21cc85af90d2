//! `bastiond infra delete`: ends the stack's tasks, which would hold on to its cluster and security group, then the stack.

use std::{process::ExitCode, time::Duration};

use anyhow::bail;
use tokio::time::sleep;

use super::{
    account_of, connect,
    follow::{Seen, follow},
};
use crate::{
    aws::{Aws, Desired, Kind, Stack},
    cli,
    setup::{account::fatal, ask::Person},
};

/// Tasks end within a minute; their network interfaces may take another.
const LOOKS: u32 = 90;
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Runs it to its end.
pub(super) async fn run(options: cli::InfraDelete) -> anyhow::Result<ExitCode> {
    let person = Person::at_the_terminal();
    let mut account = account_of(&options.aws);
    let aws = connect(&mut account, &person).await?;
    let name = &options.stack;
    let Some(stack) = aws.stack(name).await.map_err(fatal)? else {
        eprintln!("there is no stack `{name}` in {}", aws.region());
        return Ok(ExitCode::SUCCESS);
    };
    if stack.is_busy() && stack.status != "DELETE_IN_PROGRESS" {
        bail!(
            "the stack `{name}` is {}\nhint: wait until it is done: bastiond infra deploy --stack {name}",
            stack.status
        );
    }
    let tasks = tasks(&aws, &stack).await?;
    eprintln!(
        "the stack `{name}` is {}; {} of its tasks run",
        stack.status,
        tasks.len()
    );
    if !options.yes && !person.is_there() {
        bail!("there is no terminal to ask at\nhint: --yes");
    }
    if !options.yes && !person.confirms("End its tasks, and delete it with all that it made?")? {
        bail!("nothing was changed");
    }
    end(&aws, &stack, tasks).await?;
    let seen = Seen::until_now(&aws, name).await;
    aws.delete_stack(name).await.map_err(fatal)?;
    match follow(&aws, name, seen).await? {
        None => {}
        Some(stack) if stack.status == "DELETE_COMPLETE" => {}
        Some(stack) => bail!(
            "the stack `{name}` is {}: {}\nhint: mend that, and run the same command again",
            stack.status,
            stack.reason.as_deref().unwrap_or("AWS does not say why")
        ),
    }
    eprintln!("the stack `{name}` is gone");
    Ok(ExitCode::SUCCESS)
}

/// Those that run in it; a stack that never came up has none.
async fn tasks(aws: &Aws, stack: &Stack) -> anyhow::Result<Vec<String>> {
    let (Some(cluster), Some(family)) = place(stack) else {
        return Ok(Vec::new());
    };
    match aws
        .list_tasks(cluster, Some(family), Desired::Running)
        .await
    {
        // An earlier run has come as far as the cluster.
        Err(error) if error.kind == Kind::NotFound => Ok(Vec::new()),
        listed => listed.map_err(fatal),
    }
}

async fn end(aws: &Aws, stack: &Stack, tasks: Vec<String>) -> anyhow::Result<()> {
    let (Some(cluster), _) = place(stack) else {
        return Ok(());
    };
    for task in &tasks {
        let ended = aws.stop_task(cluster, task, "bastiond infra delete").await;
        ended.map_err(fatal)?;
    }
    for _ in 0..LOOKS {
        if tasks.is_empty() {
            return Ok(());
        }
        let described = aws.describe_tasks(cluster, &tasks).await.map_err(fatal)?;
        if described.iter().all(|task| task.last_status == "STOPPED") {
            return Ok(());
        }
        sleep(LOOK_AGAIN).await;
    }
    bail!("the tasks of the stack do not end\nhint: run the same command again")
}

fn place(stack: &Stack) -> (Option<&str>, Option<&str>) {
    let told = |key: &str| stack.outputs.get(key).map(String::as_str);
    (told("ClusterName"), told("TaskFamily"))
}

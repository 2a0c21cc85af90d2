//! `bastiond infra delete`: ends the stack's tasks, which would hold on to its cluster and security group, then the stack.

use std::process::ExitCode;

use anyhow::bail;
use uuid::Uuid;

use super::{
    again, connect, fatal,
    follow::follow,
    interrupt::{Behind, Interrupts},
    must_be_asked,
    progress::Progress,
    state::{Standing, foreign, is_ours, standing},
    tasks::{Tasks, short},
    template::Told,
};
use crate::{
    aws::{Aws, Stack, StackResource},
    cli,
    setup::{account::say, ask::Person},
};

/// Runs it to its end.
pub(super) async fn run(options: &cli::InfraDelete) -> anyhow::Result<ExitCode> {
    let person = Person::at_the_terminal();
    must_be_asked(options.yes, &person)?;
    let interrupts = Interrupts::watch()?;
    let (account, aws) = connect(&options.aws, &person).await?;
    let name = &options.stack;
    let again = again("delete", name, &account);
    let Some(stack) = settled(&aws, &interrupts, name, &again).await? else {
        crate::errln!("there is no stack `{name}` in {}", aws.region());
        return Ok(ExitCode::SUCCESS);
    };
    if !is_ours(&stack) && standing(&stack.status) != Standing::Empty {
        bail!(foreign(&stack));
    }
    let tasks = Tasks::of(&stack);
    let running = tasks.running(&aws).await.map_err(fatal)?;
    let resources = aws
        .stack_resources(&stack.id)
        .await
        .unwrap_or_else(|error| {
            say("cannot list what is in the stack", &error);
            Vec::new()
        });
    crate::errln!("{}", list(&stack, &resources, &running));
    if !options.yes && !person.confirms("Delete all of this?")? {
        bail!("nothing was changed");
    }
    interrupts
        .leaves(Behind::Stays(format!(
            "the stack is still there; to go on: {again}"
        )))
        .await;
    tasks.scale_down(&aws).await?;
    tasks.end(&aws, &running).await?;
    delete(&aws, &interrupts, &stack, &again).await?;
    crate::errln!("the stack `{name}` is gone");
    Ok(ExitCode::SUCCESS)
}

/// The stack once nothing is being done with it, unless it is gone then.
async fn settled(
    aws: &Aws,
    interrupts: &Interrupts,
    name: &str,
    again: &str,
) -> anyhow::Result<Option<Stack>> {
    let stack = aws.stack(name).await.map_err(fatal)?;
    let Some(busy) = stack
        .as_ref()
        .filter(|it| standing(&it.status) == Standing::Busy)
    else {
        return Ok(stack);
    };
    crate::errln!("the stack `{name}` is {}: following it", busy.status);
    interrupts.leaves(Behind::goes_on(again)).await;
    let outcome = follow(aws, &busy.id, Progress::default(), again).await?;
    interrupts.leaves(Behind::Nothing).await;
    Ok(outcome.stack.filter(|it| it.status != "DELETE_COMPLETE"))
}

async fn delete(
    aws: &Aws,
    interrupts: &Interrupts,
    stack: &Stack,
    again: &str,
) -> anyhow::Result<()> {
    let before = aws.stack_events(&stack.id).await.unwrap_or_default();
    let mut behind = interrupts.hold().await;
    let token = Uuid::new_v4().to_string();
    aws.delete_stack(&stack.id, &token).await.map_err(fatal)?;
    *behind = Behind::goes_on(again);
    drop(behind);
    let outcome = follow(aws, &stack.id, Progress::after(&before), again).await?;
    match &outcome.stack {
        Some(stack) if stack.status != "DELETE_COMPLETE" => bail!(
            "the stack `{}` is {}: {}\nhint: mend that, and run the same command again",
            stack.name,
            stack.status,
            outcome.why()
        ),
        _ => Ok(()),
    }
}

/// What goes.
fn list(stack: &Stack, resources: &[StackResource], running: &[String]) -> String {
    let mut lines = vec![format!(
        "the stack `{}`, which is {}, with",
        stack.name, stack.status
    )];
    let there = resources.iter().filter(|it| it.status != "DELETE_COMPLETE");
    lines.extend(there.map(|it| format!("  {}  {}", it.name, it.kind)));
    match running.len() {
        0 => lines.push("no task of it runs".to_owned()),
        several => {
            let ids: Vec<_> = running.iter().map(|arn| short(arn)).collect();
            lines.push(format!(
                "{several} of its tasks are ended, and whoever is connected through them is cut off: {}",
                ids.join(", ")
            ));
        }
    }
    lines.extend(kept(stack));
    lines.join("\n")
}

/// What stays, in words.
fn kept(stack: &Stack) -> Vec<String> {
    let told = Told(stack.parameters.clone());
    let mut kept = vec!["stays: your configuration".to_owned()];
    if told.value("ImageSource") == "pull-through-cache" {
        kept.push(format!(
            "stays: the image in ECR, in repositories that begin with {}/",
            told.value("PullThroughPrefix")
        ));
    }
    let cluster = Some(told.value("ExistingClusterName")).filter(|it| !it.is_empty());
    kept.extend(cluster.map(|name| format!("stays: the cluster {name}")));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_and_what_stays_is_told() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let stack = Stack {
            name: "b".into(),
            status: "CREATE_COMPLETE".into(),
            parameters: [
                pair("ImageSource", "pull-through-cache"),
                pair("PullThroughPrefix", "b-ecr"),
                pair("ExistingClusterName", "ours"),
            ]
            .into(),
            ..Stack::default()
        };
        let resource = |name: &str, status: &str| StackResource {
            name: name.into(),
            kind: "T".into(),
            status: status.into(),
        };
        let resources = [
            resource("LogGroup", "CREATE_COMPLETE"),
            resource("Service", "DELETE_COMPLETE"),
        ];
        let told = list(
            &stack,
            &resources,
            &["arn:aws:ecs:r:a:task/c/0123".to_owned()],
        );
        insta::assert_snapshot!(told, @r#"
    the stack `b`, which is CREATE_COMPLETE, with
      LogGroup  T
    1 of its tasks are ended, and whoever is connected through them is cut off: 0123
    stays: your configuration
    stays: the image in ECR, in repositories that begin with b-ecr/
    stays: the cluster ours
    "#);
    }
}

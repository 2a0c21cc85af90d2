//! `bastiond infra status`: looks at the stack, and prints what there is to tell.

use std::process::ExitCode;

use super::{
    again, connect, fatal,
    state::{foreign, is_ours},
    status::{Report, Seen, text},
    tasks::Tasks,
    template::Told,
};
use crate::{
    aws::{Aws, Error, Stack},
    cli,
    exit::Exit,
    setup::{account::say, ask::Person},
};

/// Prints it.
pub(super) async fn run(options: &cli::InfraStatus) -> anyhow::Result<ExitCode> {
    let (account, aws) = connect(&options.aws, &Person::at_the_terminal()).await?;
    let Some(stack) = aws.stack(&options.stack).await.map_err(fatal)? else {
        return absent(options, aws.region());
    };
    let report = look(&aws, &stack).await;
    if options.json {
        crate::outln!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        let told = Told(stack.parameters.clone());
        crate::outln!(
            "{}",
            text(&report, &told, &again("deploy", &stack.name, &account))
        );
    }
    if !is_ours(&stack) {
        crate::errln!("{}", foreign(&stack));
    }
    Ok(match report.healthy {
        true => Exit::Ok.into(),
        false => Exit::Unwell.into(),
    })
}

fn absent(options: &cli::InfraStatus, region: &str) -> anyhow::Result<ExitCode> {
    let stack = &options.stack;
    if options.json {
        let told =
            serde_json::json!({"stack": stack, "region": region, "status": null, "healthy": false});
        crate::outln!("{}", serde_json::to_string_pretty(&told)?);
    }
    crate::errln!(
        "there is no stack `{stack}` in {region}\nhint: bastiond infra deploy --stack {stack}"
    );
    Ok(Exit::Unwell.into())
}

async fn look(aws: &Aws, stack: &Stack) -> Report {
    let template = aws.stack_template(&stack.id).await;
    let tasks = Tasks::of(stack).running(aws).await;
    let seen = Seen {
        region: aws.region(),
        template: known("cannot read the stack's template", template),
        tasks: known("cannot list the stack's tasks", tasks),
    };
    Report::new(stack, seen)
}

/// What cannot be asked is said, and the rest is told all the same.
fn known<T>(what: &str, asked: Result<T, Error>) -> Option<T> {
    asked.map_err(|error| say(what, &error)).ok()
}

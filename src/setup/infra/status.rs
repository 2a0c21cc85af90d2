//! `bastiond infra status`: the stack as it is, and what it tells of itself.

use std::{collections::BTreeMap, process::ExitCode};

use serde::Serialize;

use super::{
    again, connect, cost, fatal,
    state::{Standing, foreign, is_ours, standing},
    tasks::{Tasks, short},
    template::{TEMPLATE, Told},
};
use crate::{
    aws::{Aws, Error, Stack},
    cli,
    config::Prices,
    exit::Exit,
    setup::{account::say, ask::Person},
};

/// What is told, as JSON has it.
#[derive(Debug, Serialize)]
struct Report {
    stack: String,
    region: String,
    /// AWS's word; null when there is no such stack.
    status: Option<String>,
    reason: Option<String>,
    /// Whether it is as somebody wanted it.
    healthy: bool,
    /// Whether its template is that of this program; null where it may not be read.
    template_current: Option<bool>,
    /// The ids of its tasks that run; null where they may not be listed.
    tasks: Option<Vec<String>>,
    /// An estimate.
    idle_month_usd: f64,
    hour_in_use_usd: f64,
    prices_date: String,
    outputs: BTreeMap<String, String>,
}

/// Prints it.
pub(super) async fn run(options: &cli::InfraStatus) -> anyhow::Result<ExitCode> {
    let (account, aws) = connect(&options.aws, &Person::at_the_terminal()).await?;
    let Some(stack) = aws.stack(&options.stack).await.map_err(fatal)? else {
        return absent(options, aws.region());
    };
    let report = report(&aws, &stack).await;
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

async fn report(aws: &Aws, stack: &Stack) -> Report {
    let template = known(
        "cannot read the stack's template",
        aws.stack_template(&stack.id).await,
    );
    let running = Tasks::of(stack).running(aws).await;
    let running = known("cannot list the stack's tasks", running);
    let cost = cost::of(&Told(stack.parameters.clone()), aws.region());
    Report {
        stack: stack.name.clone(),
        region: aws.region().to_owned(),
        status: Some(stack.status.clone()),
        reason: stack.reason.clone(),
        healthy: standing(&stack.status) == Standing::Ready && is_ours(stack),
        template_current: template.map(|it| it.trim() == TEMPLATE.trim()),
        tasks: running.map(|all| all.iter().map(|arn| short(arn).to_owned()).collect()),
        idle_month_usd: cost.idle_month,
        hour_in_use_usd: cost.hour_in_use,
        prices_date: Prices::of_region(aws.region()).date,
        outputs: stack.outputs.clone(),
    }
}

/// What cannot be asked is said, and the rest is told all the same.
fn known<T>(what: &str, asked: Result<T, Error>) -> Option<T> {
    asked.map_err(|error| say(what, &error)).ok()
}

fn text(report: &Report, told: &Told, deploy: &str) -> String {
    let status = report.status.as_deref().unwrap_or_default();
    let mut rows = vec![(
        "stack",
        format!("{} in {} is {status}", report.stack, report.region),
    )];
    rows.extend(report.reason.iter().map(|reason| ("", reason.clone())));
    let template = match report.template_current {
        Some(true) => "that of this program".to_owned(),
        Some(false) => format!("another than that of this program: {deploy}"),
        None => "not to be read".to_owned(),
    };
    rows.push(("template", template));
    let tasks = match &report.tasks {
        Some(none) if none.is_empty() => "none runs".to_owned(),
        Some(tasks) => format!("{} run: {}", tasks.len(), tasks.join(", ")),
        None => "not to be listed".to_owned(),
    };
    rows.push(("tasks", tasks));
    let [cost, source] = cost::words(told, &report.region);
    rows.extend([("cost", cost), ("", source)]);
    rows.extend(
        report
            .outputs
            .iter()
            .map(|(key, value)| (key.as_str(), value.clone())),
    );
    let lines = rows
        .iter()
        .map(|(title, text)| format!("{title:<19}{text}").trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_what_to_do_about_an_old_template() {
        let mut report = Report {
            stack: "bastiond".into(),
            region: "us-east-1".into(),
            status: Some("UPDATE_COMPLETE".into()),
            reason: None,
            healthy: true,
            template_current: Some(false),
            tasks: Some(vec!["0123".into()]),
            idle_month_usd: 0.0,
            hour_in_use_usd: 0.01,
            prices_date: "2026-04".into(),
            outputs: BTreeMap::from([("TaskFamily".into(), "bastiond".into())]),
        };
        let told = Told::default();
        insta::assert_snapshot!(text(&report, &told, "bastiond infra deploy"), @r#"
    stack              bastiond in us-east-1 is UPDATE_COMPLETE
    template           another than that of this program: bastiond infra deploy
    tasks              1 run: 0123
    cost               0.00 USD a month while nobody works, 0.010 USD an hour in use
                       an estimate, by prices of us-east-1 of 2026-04
    TaskFamily         bastiond
    "#);
        (report.tasks, report.template_current) = (None, None);
        let text = text(&report, &told, "");
        assert!(
            text.contains("not to be listed") && text.contains("not to be read"),
            "{text}"
        );
    }
}

//! The stack as it is, and what it tells of itself: as JSON has it, and in rows.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    cost,
    state::{Standing, is_ours, standing},
    tasks::short,
    template::{TEMPLATE, Told},
};
use crate::{aws::Stack, config::Prices};

/// What is told, as JSON has it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    stack: String,
    region: String,
    /// AWS's word; null when there is no such stack.
    status: Option<String>,
    reason: Option<String>,
    /// Whether it is as somebody wanted it.
    pub healthy: bool,
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

/// What is there beside the stack.
pub(super) struct Seen<'a> {
    pub region: &'a str,
    /// `None` where it may not be read.
    pub template: Option<String>,
    /// Their ARNs; `None` where they may not be listed.
    pub tasks: Option<Vec<String>>,
}

impl Report {
    pub fn new(stack: &Stack, seen: Seen<'_>) -> Self {
        let cost = cost::of(&Told(stack.parameters.clone()), seen.region);
        let tasks = seen.tasks;
        Self {
            stack: stack.name.clone(),
            region: seen.region.to_owned(),
            status: Some(stack.status.clone()),
            reason: stack.reason.clone(),
            healthy: standing(&stack.status) == Standing::Ready && is_ours(stack),
            template_current: seen.template.map(|it| it.trim() == TEMPLATE.trim()),
            tasks: tasks.map(|all| all.iter().map(|arn| short(arn).to_owned()).collect()),
            idle_month_usd: cost.idle_month,
            hour_in_use_usd: cost.hour_in_use,
            prices_date: Prices::of_region(seen.region).date,
            outputs: stack.outputs.clone(),
        }
    }
}

/// In rows. `told` are the stack's parameters, `deploy` the command that renews its template.
pub(super) fn text(report: &Report, told: &Told, deploy: &str) -> String {
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

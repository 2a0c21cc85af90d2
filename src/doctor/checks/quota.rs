//! Q: quotas of the account.

use crate::doctor::check::{Check, Gap, Judge, Level, Verdict, known, some};
use crate::doctor::facts::Bastion;

/// `cpu` of a task is in parts of so many to a virtual CPU.
const PARTS: f64 = 1024.0;

pub const CHECKS: &[Check] = &[Check {
    id: "Q01",
    title: "the Fargate quota has room for the task",
    looks_at: "the quota of virtual CPUs, on demand or Spot, how much of it was in use within the last hour, and `cpu` of \
               the task definition",
    levels: &[Level::Warn],
    why: "New accounts have low quotas, and all tasks of the account share them: one too many is not started.",
    fix: "aws service-quotas request-service-quota-increase --region {region} --service-code fargate --quota-code \
          {code} --desired-value {value}",
    needs: &[
        "ecs:DescribeTaskDefinition",
        "servicequotas:GetServiceQuota",
        "cloudwatch:GetMetricStatistics",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
    ],
    judge: Judge::Bastion(room),
}];

fn room(bastion: &Bastion) -> Result<Verdict, Gap> {
    let definition = some(&bastion.definition, "the task definition (T02)")?;
    let cpu = definition
        .cpu
        .as_deref()
        .and_then(|it| it.parse::<f64>().ok());
    let needed = cpu.ok_or(Gap::Needs("`cpu` of the task definition"))? / PARTS;
    let quota = some(&bastion.quota, "a quota that is told")?.value;
    let used = *known(&bastion.usage)?;
    // What runs is part of what is in use.
    let runs = !known(&bastion.tasks)?.is_empty();
    let wanted = if runs { used } else { used + needed };
    let evidence =
        format!("{used} of {quota} virtual CPUs are in use, and the task takes {needed}");
    Ok(match quota >= wanted {
        true => Verdict::ok(evidence),
        false => Verdict::warn(evidence)
            .fill("region", &bastion.region)
            .fill("code", bastion.quota_code())
            .fill("value", (wanted.ceil() * 2.0).max(6.0).to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Quota;
    use crate::doctor::fixture;

    #[test]
    fn what_is_in_use_leaves_room_or_not_and_a_task_that_runs_is_in_it() {
        let with = |used: f64, runs: bool| {
            let quota = Quota {
                value: 6.0,
                metric: None,
            };
            let bastion = Bastion {
                quota: Ok(Some(quota)),
                usage: Ok(used),
                tasks: Ok(if runs {
                    vec![fixture::task()]
                } else {
                    Vec::new()
                }),
                ..fixture::bastion()
            };
            room(&bastion).unwrap().level
        };
        assert_eq!(with(5.75, false), Level::Ok);
        assert_eq!(with(5.8, false), Level::Warn);
        assert_eq!(with(6.0, true), Level::Ok);
    }
}

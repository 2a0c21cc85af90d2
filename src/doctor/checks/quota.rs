//! Q: quotas of the account.

use crate::doctor::check::{Check, Gap, Judge, Level, Verdict, known, some};
use crate::doctor::facts::Bastion;

/// `cpu` of a task is in parts of so many to a virtual CPU.
const PARTS: f64 = 1024.0;

pub const CHECKS: &[Check] = &[Check {
    id: "Q01",
    title: "the Fargate quota has room for the task",
    looks_at: "the quota of virtual CPUs, on demand or Spot, and `cpu` of the task definition",
    levels: &[Level::Warn],
    why: "New accounts have low quotas. What other tasks of the account use of it is not seen here.",
    fix: "aws service-quotas request-service-quota-increase --region {region} --service-code fargate --quota-code \
          {code} --desired-value 6",
    needs: &[
        "ecs:DescribeTaskDefinition",
        "servicequotas:GetServiceQuota",
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
    let quota = known(&bastion.quota)?.ok_or(Gap::Needs("a quota that is told"))?;
    let evidence = format!("{quota} virtual CPUs, and the task takes {needed}");
    Ok(match quota >= needed {
        true => Verdict::ok(evidence),
        false => Verdict::warn(evidence)
            .fill("region", &bastion.region)
            .fill("code", bastion.quota_code()),
    })
}

//! The cluster, and the task definition as a whole.

use crate::aws::{Cluster, Definition};
use crate::doctor::check::{Gap, Verdict, known, some};
use crate::doctor::facts::Bastion;
use crate::doctor::ways::{self, Way};

fn cluster_of(bastion: &Bastion) -> Result<&Cluster, Gap> {
    some(&bastion.cluster, "the cluster (T01)")
}

pub fn definition_of(bastion: &Bastion) -> Result<&Definition, Gap> {
    some(&bastion.definition, "the task definition (T02)")
}

pub fn cluster(bastion: &Bastion) -> Result<Verdict, Gap> {
    let name = &bastion.config.cluster;
    let region = &bastion.region;
    Ok(match known(&bastion.cluster)? {
        None => Verdict::fail(format!("there is no cluster {name} in {region}")),
        Some(cluster) if cluster.status != "ACTIVE" => {
            Verdict::fail(format!("cluster {name} is {}", cluster.status))
        }
        Some(_) => Verdict::ok(name),
    }
    .fill("region", region))
}

pub fn definition(bastion: &Bastion) -> Result<Verdict, Gap> {
    let name = &bastion.config.task_definition;
    let Some(definition) = known(&bastion.definition)? else {
        let region = &bastion.region;
        let fix = format!(
            "set `task_definition` of the bastion to one that exists: aws ecs list-task-definition-families --region {region}"
        );
        return Ok(Verdict::fail(format!("there is no task definition {name}")).fix(fix));
    };
    let mode = definition.network_mode.as_deref().unwrap_or("bridge");
    let is_for_fargate = definition.compatibilities.iter().any(|it| it == "FARGATE");
    Ok(match definition.status.as_str() {
        "ACTIVE" if mode != "awsvpc" => Verdict::fail(format!("{name} has networkMode {mode}")),
        "ACTIVE" if !is_for_fargate => Verdict::fail(format!("{name} is not compatible with Fargate")),
        "ACTIVE" => Verdict::ok(last_part(&definition.arn)),
        status => Verdict::fail(format!("{} is {status}", last_part(&definition.arn)))
            .fix("set `task_definition` of the bastion to the family, which means its latest active revision"),
    })
}

pub fn roles(bastion: &Bastion) -> Result<Verdict, Gap> {
    let definition = definition_of(bastion)?;
    let missing = match (&definition.task_role, &definition.execution_role) {
        (Some(_), Some(_)) => return Ok(Verdict::ok("both are set")),
        (None, _) => "a taskRoleArn",
        (_, None) => "an executionRoleArn",
    };
    let evidence = format!(
        "{} has no {}",
        last_part(&definition.arn),
        &missing[missing.find(' ').unwrap_or(0) + 1..]
    );
    Ok(Verdict::fail(evidence).fill("missing", missing))
}

pub fn pid_mode(bastion: &Bastion) -> Result<Verdict, Gap> {
    let mode = definition_of(bastion)?.pid_mode.as_deref();
    Ok(match mode {
        None | Some("") => Verdict::ok("pidMode is not set"),
        Some(mode) => Verdict::warn(format!("pidMode is {mode}")),
    })
}

pub fn log_group(bastion: &Bastion) -> Result<Verdict, Gap> {
    let groups = definition_of(bastion)?.log_groups();
    let region = &bastion.region;
    let Some((group, of)) = groups.first() else {
        return Ok(Verdict::ok("nothing is logged"));
    };
    if let Some((_, of)) = groups
        .iter()
        .find(|(_, of)| of.is_some_and(|of| of != region))
    {
        let of = of.unwrap_or_default();
        let evidence = format!("awslogs-region is {of}, and the task runs in {region}");
        return Ok(Verdict::warn(evidence).fix(format!("set awslogs-region to {region}")));
    }
    let existing = known(&bastion.log_groups)?;
    let missing = groups
        .iter()
        .find(|(group, _)| !existing.iter().any(|it| it == group));
    Ok(match missing {
        None => Verdict::ok(*group),
        Some((group, _)) => Verdict::warn(format!("there is no log group {group}"))
            .fill("region", of.unwrap_or(region))
            .fill("group", *group),
    })
}

pub fn provider(bastion: &Bastion) -> Result<Verdict, Gap> {
    let wanted = &bastion.config.launch.capacity_providers;
    let wanted: Vec<&str> = wanted
        .iter()
        .map(|provider| provider.name.as_str())
        .collect();
    if wanted.is_empty() {
        return Ok(Verdict::ok("Fargate on demand"));
    }
    let cluster = cluster_of(bastion)?;
    let is_there = |name: &str| cluster.capacity_providers.iter().any(|it| it == name);
    let missing = wanted.iter().find(|name| !is_there(name));
    Ok(match missing {
        None => Verdict::ok(wanted.join(", ")),
        Some(missing) => Verdict::fail(format!(
            "cluster {} does not have {missing}",
            bastion.config.cluster
        ))
        .fill("region", &bastion.region)
        .fill("cluster", &bastion.config.cluster)
        .fill("provider", *missing),
    })
}

pub fn encryption(bastion: &Bastion) -> Result<Verdict, Gap> {
    Ok(match &cluster_of(bastion)?.kms_key {
        None => Verdict::ok("no KMS key"),
        Some(key) => Verdict::info(format!("shells are encrypted with {key}")).fill("key", key),
    })
}

fn last_part(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// What a public registry serves has no way into a subnet without a way out.
pub fn registry(bastion: &Bastion) -> Result<Verdict, Gap> {
    let definition = definition_of(bastion)?;
    let tables = known(&bastion.network.route_tables)?;
    let mut subnets = known(&bastion.network.subnets)?.iter();
    let isolated = subnets.find(|it| ways::of(it, tables) == Way::None);
    let mut containers = definition.containers.iter();
    let public = containers.find(|it| !ways::is_private_ecr(&it.image));
    Ok(match (isolated, public) {
        (Some(subnet), Some(container)) => {
            let image = &container.image;
            let evidence = format!(
                "{image} is of a public registry, and {} has no way out",
                subnet.id
            );
            Verdict::fail(evidence).fill("image", image)
        }
        (None, Some(_)) => Verdict::ok("the subnets have a way out"),
        (_, None) => Verdict::ok("the image is in ECR"),
    })
}

/// The names that registries have for ECS's architectures.
fn is_named(architecture: &str, told: &str) -> bool {
    match architecture {
        "ARM64" => told == "arm64",
        _ => told == "amd64",
    }
}

pub fn architecture(bastion: &Bastion) -> Result<Verdict, Gap> {
    let wanted = &definition_of(bastion)?.architecture;
    let told = known(&bastion.architectures)?;
    let mut telling = told.iter().filter(|(_, all)| !all.is_empty());
    let other = telling.find(|(_, all)| !all.iter().any(|it| is_named(wanted, it)));
    Ok(match other {
        None if told.is_empty() => Verdict::ok("the image is not in this region's ECR"),
        None => Verdict::ok(wanted),
        Some((image, all)) => {
            let all = all.join(" and ");
            let evidence = format!("the task is {wanted}, and {image} is for {all}");
            Verdict::warn(evidence)
                .fill("image", image)
                .fill(
                    "architectures",
                    all.replace("arm64", "ARM64").replace("amd64", "X86_64"),
                )
                .fill("wanted", wanted)
        }
    })
}

//! `[bastion.NAME.overrides]`: what a bastion's task has otherwise than its definition says.

use std::collections::BTreeMap;

use serde::Serialize;
use toml::Spanned;

use super::{
    aws::role_arn,
    error::Complaint,
    raw,
    scope::{Report, Section},
};

/// Longest that ECS takes them, as it counts (ECS API model).
const LONGEST: usize = 8192;
/// Fargate's sizes: CPU units with the least and the most MiB, and the step between.
const SIZES: [(u32, u32, u32, u32); 7] = [
    (256, 512, 2048, 512),
    (512, 1024, 4096, 1024),
    (1024, 2048, 8192, 1024),
    (2048, 4096, 16_384, 1024),
    (4096, 8192, 30_720, 1024),
    (8192, 16_384, 61_440, 4096),
    (16_384, 32_768, 122_880, 8192),
];

/// What is different from the task definition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Overrides {
    /// CPU units of the task.
    pub cpu: Option<u32>,
    /// MiB of the task.
    pub memory: Option<u32>,
    /// GiB of the task's disk.
    pub ephemeral_storage: Option<i32>,
    /// What its containers may do.
    pub task_role_arn: Option<String>,
    /// What ECS may do to start it.
    pub execution_role_arn: Option<String>,
    /// By container.
    pub containers: BTreeMap<String, ContainerOverride>,
}

/// What is different in one container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ContainerOverride {
    /// Its command and arguments.
    pub command: Option<Vec<String>>,
    /// Further variables.
    pub environment: BTreeMap<String, String>,
    /// CPU units.
    pub cpu: Option<i32>,
    /// MiB at most.
    pub memory: Option<i32>,
}

pub(super) fn check(
    raw: Spanned<raw::Overrides>,
    bastion: &Section,
    report: &mut Report,
) -> Overrides {
    let (span, raw) = (raw.span(), raw.into_inner());
    let section = bastion.table("overrides");
    let containers = raw.container.into_iter();
    let containers = containers
        .map(|(name, raw)| {
            let section = section.table("container").table(name.get_ref());
            (name.into_inner(), container(raw, section, report))
        })
        .collect();
    let mut scope = report.scope(section);
    let at = raw.memory.as_ref().or(raw.cpu.as_ref()).map(Spanned::span);
    let overrides = Overrides {
        cpu: scope.whole("cpu", raw.cpu, 256..=16_384),
        memory: scope.whole("memory", raw.memory, 512..=122_880),
        ephemeral_storage: scope.whole("ephemeral_storage", raw.ephemeral_storage, 21..=200),
        task_role_arn: scope.checked("task_role_arn", raw.task_role_arn, role_arn),
        execution_role_arn: scope.checked("execution_role_arn", raw.execution_role_arn, role_arn),
        containers,
    };
    if let (Err(complaint), Some(at)) = (size(overrides.cpu, overrides.memory), at) {
        scope.wrong("memory", at, complaint);
    }
    let length = serde_json::to_string(&overrides).map_or(0, |text| text.len());
    if length > LONGEST {
        let complaint = format!("{length} characters are too many: ECS takes {LONGEST}");
        scope.wrong("container", span, Complaint::new(complaint));
    }
    overrides
}

fn container(
    raw: raw::ContainerOverride,
    section: Section,
    report: &mut Report,
) -> ContainerOverride {
    let mut scope = report.scope(section);
    ContainerOverride {
        command: raw.command,
        environment: raw.environment,
        cpu: scope.whole("cpu", raw.cpu, 1..=16_384),
        memory: scope.whole("memory", raw.memory, 6..=122_880),
    }
}

/// A size that Fargate has, as far as it is known without the task definition.
fn size(cpu: Option<u32>, memory: Option<u32>) -> Result<(), Complaint> {
    let Some(cpu) = cpu else { return Ok(()) };
    let Some((_, least, most, step)) = SIZES.into_iter().find(|size| size.0 == cpu) else {
        let sizes = SIZES.map(|size| size.0.to_string()).join(", ");
        return Err(Complaint::new(format!(
            "Fargate has no {cpu} CPU units: it has {sizes}"
        )));
    };
    let fits =
        |memory: u32| (least..=most).contains(&memory) && (memory - least).is_multiple_of(step);
    match memory.is_none_or(fits) {
        true => Ok(()),
        false => Err(Complaint::new(format!(
            "Fargate has {least} to {most} MiB in steps of {step} with {cpu} CPU units"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn parse(lines: &str) -> Result<Overrides, String> {
        let text = format!(
            "[bastion.dev]\ncluster = 'c'\ntask_definition = 't'\nsubnets = ['subnet-1']\n\
             [bastion.dev.overrides]\n{lines}\n[[tunnel]]\nname = 'db'\nport = 1\n"
        );
        let config = Config::parse(&text).map_err(|error| error.to_string())?;
        Ok(config.bastions["dev"].launch.overrides.clone())
    }

    #[test]
    fn everything_that_a_task_may_have_otherwise_is_read() {
        let overrides = parse(
            "cpu = 512\nmemory = 1024\nephemeral_storage = 30\n\
             task_role_arn = 'arn:aws:iam::123456789012:role/task'\n\
             [bastion.dev.overrides.container.bastion]\n\
             command = ['sleep', '60']\nenvironment = { IDLE = '5' }\ncpu = 128\nmemory = 256\n",
        );
        let overrides = overrides.unwrap();
        assert_eq!((overrides.cpu, overrides.memory), (Some(512), Some(1024)));
        assert_eq!(overrides.ephemeral_storage, Some(30));
        let container = &overrides.containers["bastion"];
        assert_eq!(container.command.as_deref().unwrap(), ["sleep", "60"]);
        assert_eq!(container.environment["IDLE"], "5");
        assert_eq!((container.cpu, container.memory), (Some(128), Some(256)));
    }

    #[test]
    fn sizes_that_fargate_does_not_have_are_refused_with_those_it_has() {
        for (lines, words) in [
            ("cpu = 300", "256, 512, 1024"),
            ("cpu = 256\nmemory = 4096", "512 to 2048 MiB"),
            ("cpu = 512\nmemory = 1536", "steps of 1024"),
            ("ephemeral_storage = 20", "21 to 200"),
            ("task_role_arn = 'role'", "is not the ARN of a role"),
            (
                "[bastion.dev.overrides.container.x]\nimage = 'y'",
                "unknown key",
            ),
        ] {
            let error = parse(lines).unwrap_err();
            assert!(error.contains(words), "{lines}: {error}");
        }
        assert!(
            parse("memory = 4096").is_ok(),
            "the definition says the rest"
        );
    }

    #[test]
    fn what_is_too_long_for_ecs_is_refused() {
        let long = "x".repeat(9000);
        let lines = format!("[bastion.dev.overrides.container.x]\ncommand = ['{long}']");
        assert!(parse(&lines).unwrap_err().contains("ECS takes 8192"));
    }
}

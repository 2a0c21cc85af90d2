//! What a task has otherwise than its definition says, as RunTask takes it.

use aws_sdk_ecs::types::{ContainerOverride, EphemeralStorage, KeyValuePair, TaskOverride};

use crate::config::{self, Overrides};

/// `None` when nothing is different.
pub(super) fn of(overrides: &Overrides) -> Option<TaskOverride> {
    if *overrides == Overrides::default() {
        return None;
    }
    let containers = overrides.containers.iter();
    let containers: Vec<_> = containers.map(|(name, it)| container(name, it)).collect();
    let storage = |gib: i32| EphemeralStorage::builder().size_in_gib(gib).build();
    let task = TaskOverride::builder()
        .set_cpu(overrides.cpu.map(|cpu| cpu.to_string()))
        .set_memory(overrides.memory.map(|memory| memory.to_string()))
        .set_ephemeral_storage(overrides.ephemeral_storage.map(storage))
        .set_task_role_arn(overrides.task_role_arn.clone())
        .set_execution_role_arn(overrides.execution_role_arn.clone())
        .set_container_overrides(Some(containers).filter(|containers| !containers.is_empty()));
    Some(task.build())
}

fn container(name: &str, overrides: &config::ContainerOverride) -> ContainerOverride {
    let pair = |(name, value)| KeyValuePair::builder().name(name).value(value).build();
    let environment: Vec<_> = overrides.environment.iter().map(pair).collect();
    ContainerOverride::builder()
        .name(name)
        .set_command(overrides.command.clone())
        .set_environment(Some(environment).filter(|pairs| !pairs.is_empty()))
        .set_cpu(overrides.cpu)
        .set_memory(overrides.memory)
        .build()
}

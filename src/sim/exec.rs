//! ECS's ExecuteCommand: a shell or a command in a container of a task.

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    ecs::{invalid, last_part},
    shell::{self, Plan},
    ssm::{self, Beginning},
    wire::ApiError,
    world::{State, World},
};

/// Answers one call.
pub(super) fn perform(world: &World, cluster: &str, body: &Value) -> Result<Value, ApiError> {
    let core = &world.core;
    let command = command(body)?;
    let name = last_part(body["task"].as_str().unwrap_or_default());
    let place = place(&core.state(), cluster, name, body["container"].as_str())?;
    let beginning = Beginning {
        id: format!("ecs-execute-command-{}", ssm::session_suffix()),
        target: place.target,
        document: "AmazonECS-ExecuteInteractiveCommand",
        reason: None,
        profile: shell::profile(&core.script.shells, "InteractiveCommands"),
        plan: Plan {
            command: command.to_owned(),
            terminal: true,
            separate: false,
        },
    };
    let answer = ssm::begin_shell(world, beginning).map_err(|_| {
        let message = "The execute command failed due to an internal error. Try again later.";
        ApiError::new("TargetNotConnectedException", message)
    })?;
    Ok(json!({
        "clusterArn": core.arn("ecs", &format!("cluster/{cluster}")),
        "containerArn": core.arn("ecs", &format!("container/{cluster}/{name}")),
        "containerName": place.container,
        "interactive": true,
        "taskArn": place.task_arn,
        "session": {
            "sessionId": answer["SessionId"],
            "streamUrl": answer["StreamUrl"],
            "tokenValue": answer["TokenValue"],
        },
    }))
}

fn command(body: &Value) -> Result<&str, ApiError> {
    let command = body["command"].as_str().unwrap_or_default();
    if command.is_empty() {
        return Err(invalid("command cannot be empty."));
    }
    if body["interactive"] != true {
        return Err(invalid("Interactive is the only mode supported currently."));
    }
    Ok(command)
}

/// Where a command is run.
struct Place {
    task_arn: String,
    container: String,
    target: String,
}

/// The container `wanted` of the task, or the only one, if an agent is connected there.
fn place(
    state: &State,
    cluster: &str,
    task: &str,
    wanted: Option<&str>,
) -> Result<Place, ApiError> {
    let mut tasks = state.tasks.iter().filter(|task| task.cluster == cluster);
    let task = tasks
        .find(|it| it.id == task)
        .ok_or_else(|| invalid("The referenced task was not found."))?;
    let view = task.course.at(Instant::now());
    if view.last_status == "STOPPED" {
        return Err(invalid("The task has stopped."));
    }
    let containers = task.definition.containers.iter().enumerate();
    let fitting: Vec<_> = containers
        .filter(|(_, container)| wanted.is_none_or(|name| name == container.name))
        .collect();
    let (at, container) = match fitting[..] {
        [one] => one,
        [] => return Err(invalid("The container was not found in the task.")),
        _ => return Err(invalid("The container name must be specified.")),
    };
    if !task.has_exec() || !container.agent || view.agent_status != Some("RUNNING") {
        return Err(invalid(
            "The execute command failed because execute command was not enabled when the task was run or the \
             execute command agent isn\u{2019}t running. Wait and try again or run a new task with execute command \
             enabled and try again.",
        ));
    }
    Ok(Place {
        task_arn: task.arn.clone(),
        container: container.name.clone(),
        target: task.target(at),
    })
}

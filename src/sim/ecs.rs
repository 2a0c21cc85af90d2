//! ECS: finding, describing and stopping tasks. Running one is in [`run_task`](super::run_task).

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    exec, inspect, run_task, services,
    task::Task,
    timeline::Ending,
    wire::ApiError,
    world::{Core, State, World},
};

/// Answers one call.
pub(super) fn perform(world: &World, operation: &str, body: &Value) -> Result<Value, ApiError> {
    let core = &*world.core;
    if let Some(answer) = inspect::ecs(core, operation, body) {
        return answer;
    }
    if operation == "TagResource" {
        return services::tag(core, body);
    }
    let cluster = cluster_name(core, body)?;
    match operation {
        "RunTask" => run_task::perform(core, &cluster, body),
        "ListTasks" => list_tasks(core, &cluster, body),
        "DescribeTasks" => describe_tasks(core, &cluster, body),
        "DescribeServices" => services::describe(core, &cluster, body),
        "UpdateService" => services::update(core, &cluster, body),
        "ExecuteCommand" => exec::perform(world, &cluster, body),
        "StopTask" => stop_task(core, &cluster, body),
        _ => {
            let message = format!("the simulator has no {operation}");
            Err(ApiError::new("UnknownOperationException", message))
        }
    }
}

/// ECS's error for parameters that are wrong in themselves or together.
pub(super) fn invalid(message: &str) -> ApiError {
    ApiError::new("InvalidParameterException", message)
}

/// The last part of an ARN, or the whole of a plain name.
pub(super) fn last_part(name_or_arn: &str) -> &str {
    name_or_arn.rsplit('/').next().unwrap_or_default()
}

fn cluster_name(core: &Core, body: &Value) -> Result<String, ApiError> {
    let name = last_part(body["cluster"].as_str().unwrap_or("default"));
    let exists = core.script.clusters.iter().any(|cluster| cluster == name);
    let error = || ApiError::new("ClusterNotFoundException", "Cluster not found.");
    exists.then(|| name.to_owned()).ok_or_else(error)
}

/// `desiredStatus` RUNNING (the default) covers every state before the stop; PENDING matches nothing, as in ECS.
fn list_tasks(core: &Core, cluster: &str, body: &Value) -> Result<Value, ApiError> {
    let text = |name: &str| body[name].as_str();
    let others = ["family", "containerInstance", "serviceName", "launchType"];
    if text("startedBy").is_some() && others.iter().any(|name| text(name).is_some()) {
        return Err(invalid(
            "startedBy cannot be specified in combination with another filter.",
        ));
    }
    let desired = text("desiredStatus").unwrap_or("RUNNING");
    if !["RUNNING", "PENDING", "STOPPED"].contains(&desired) {
        return Err(invalid("Invalid desiredStatus"));
    }
    let now = Instant::now();
    let matches = |task: &Task| {
        let family = text("family").is_none_or(|family| family == task.definition.family);
        let by = text("startedBy").is_none_or(|by| by == task.started_by());
        let status = task.course.at(now).desired_status == desired;
        // No task of the simulator belongs to a container instance.
        let kind = text("containerInstance").is_none();
        let service = text("serviceName").is_none_or(|name| task.is_of_service(last_part(name)));
        let launch = text("launchType").is_none_or(|kind| kind == "FARGATE");
        let is_of = family && by && service && kind && launch;
        task.cluster == cluster && task.is_visible(now) && status && is_of
    };
    let state = core.state();
    let tasks = state.tasks.iter().filter(|task| matches(task));
    page(core, body, tasks.map(|task| task.arn.clone()).collect())
}

fn page(core: &Core, body: &Value, arns: Vec<String>) -> Result<Value, ApiError> {
    let size = body["maxResults"].as_u64().unwrap_or(100);
    if !(1..=100).contains(&size) {
        return Err(invalid("maxResults must be between 1 and 100"));
    }
    let size = (size as usize).min(core.script.page_size.max(1));
    let start = match body["nextToken"].as_str() {
        None => 0,
        Some(token) => page_start(token).ok_or_else(|| invalid("Invalid token."))?,
    };
    let rest = arns.len().saturating_sub(start);
    let arns: Vec<_> = arns.into_iter().skip(start).take(size).collect();
    let mut answer = json!({"taskArns": arns});
    if rest > size {
        answer["nextToken"] = json!(format!("page-{}", start + size));
    }
    Ok(answer)
}

fn page_start(token: &str) -> Option<usize> {
    token.strip_prefix("page-")?.parse().ok()
}

fn describe_tasks(core: &Core, cluster: &str, body: &Value) -> Result<Value, ApiError> {
    let wanted: Vec<&str> = body["tasks"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if wanted.is_empty() {
        return Err(invalid("Tasks cannot be empty."));
    }
    if wanted.len() > 100 {
        return Err(invalid("Number of tasks cannot exceed 100."));
    }
    let include = body["include"].as_array();
    let with_tags = include.is_some_and(|include| include.contains(&json!("TAGS")));
    let now = Instant::now();
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    let mut state = core.state();
    for name in wanted {
        match find(&mut state, cluster, name).filter(|task| task.is_visible(now)) {
            Some(task) => tasks.push(task.describe(core, now, with_tags)),
            None => {
                let arn = core.arn("ecs", &format!("task/{cluster}/{}", last_part(name)));
                failures.push(json!({"arn": arn, "reason": "MISSING"}));
            }
        }
    }
    Ok(json!({"tasks": tasks, "failures": failures}))
}

fn stop_task(core: &Core, cluster: &str, body: &Value) -> Result<Value, ApiError> {
    let name = body["task"]
        .as_str()
        .ok_or_else(|| invalid("task cannot be empty."))?;
    let reason = body["reason"].as_str().unwrap_or("Task stopped by user");
    let now = Instant::now();
    core.change(|state| {
        let task = find(state, cluster, name)
            .ok_or_else(|| invalid("The referenced task was not found."))?;
        let ran = task.course.at(now).started.is_some();
        task.end(Ending {
            at: now,
            notice: Duration::ZERO,
            code: "UserInitiated".into(),
            reason: reason.into(),
            exit_code: ran.then_some(143),
            container_reason: None,
        });
        task.tags = json!([]);
        Ok(json!({"task": task.describe(core, now, false)}))
    })
}

/// A task of the cluster by ARN or id.
fn find<'a>(state: &'a mut State, cluster: &str, name: &str) -> Option<&'a mut Task> {
    let mut tasks = state
        .tasks
        .iter_mut()
        .filter(|task| task.cluster == cluster);
    tasks.find(|task| task.arn == name || task.id == name)
}

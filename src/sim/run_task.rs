//! RunTask: its parameters' rules, its client tokens, and the task it makes.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{sync::watch, time::Instant};

use super::{
    ecs::{invalid, last_part},
    nodes::Node,
    script::{Plan, TaskDefinition},
    task::{ClientToken, Task},
    timeline::Course,
    wire::ApiError,
    world::{Core, State},
};

/// A client token answers with its task until this long after the task's stop (ECS documentation).
const TOKEN_AFTER_STOP: Duration = Duration::from_secs(3600);

/// And no longer than this after the call (ECS documentation).
const TOKEN_AT_MOST: Duration = Duration::from_secs(24 * 3600);

/// Answers the call: the token's old task, or new ones.
pub(super) fn perform(core: &Core, cluster: &str, body: &Value) -> Result<Value, ApiError> {
    let definition = check(core, body)?;
    let token = body["clientToken"].as_str();
    let mut request = body.clone();
    if let Some(members) = request.as_object_mut() {
        members.remove("clientToken");
    }
    let count = body["count"].as_u64().unwrap_or(1);
    core.change(|state| {
        if let Some(answer) =
            token.and_then(|token| repeated(core, state, cluster, token, &request))
        {
            return answer;
        }
        let mut tasks = Vec::new();
        for _ in 0..count {
            let task = make(core, state, cluster, definition, &request);
            tasks.push(task.describe(core, task.course.created, true));
            if let Some(token) = token {
                state.client_tokens.push(ClientToken {
                    cluster: cluster.to_owned(),
                    token: token.to_owned(),
                    task: task.arn.clone(),
                });
            }
            state.nodes.extend(Node::of_task(&task, core));
            state.tasks.push(task);
        }
        Ok(json!({"tasks": tasks, "failures": []}))
    })
}

fn check<'a>(core: &'a Core, body: &Value) -> Result<&'a TaskDefinition, ApiError> {
    let name = body["taskDefinition"].as_str().unwrap_or_default();
    let definition = find_definition(core, last_part(name))
        .ok_or_else(|| ApiError::new("ClientException", "TaskDefinition not found."))?;
    let network = &body["networkConfiguration"]["awsvpcConfiguration"];
    let length = |name: &str| network[name].as_array().map_or(0, Vec::len);
    let token = body["clientToken"].as_str().unwrap_or_default();
    let by = body["startedBy"].as_str().unwrap_or_default();
    let problem = if network.is_null() {
        "Network Configuration must be provided when networkMode 'awsvpc' is specified."
    } else if !(1..=16).contains(&length("subnets")) {
        "subnets must have between 1 and 16 items."
    } else if length("securityGroups") > 5 {
        "securityGroups can have at most 5 items."
    } else if !body["launchType"].is_null() && !body["capacityProviderStrategy"].is_null() {
        "Specifying both launchType and capacityProviderStrategy is not supported. Remove one of them and try again."
    } else if body["launchType"] == "EC2" {
        "No Container Instances were found in your cluster."
    } else if body["enableExecuteCommand"] == true && !definition.task_role {
        "The service couldn't be updated because a valid taskRoleArn is not being used. Specify a valid task role in \
         your task definition and try again."
    } else if !(1..=10).contains(&body["count"].as_u64().unwrap_or(1)) {
        "Count must be between 1 and 10."
    } else if token.len() > 64 || !token.bytes().all(|byte| (33..=126).contains(&byte)) {
        "clientToken must be at most 64 characters of ASCII 33 to 126."
    } else if by.len() > 128
        || !by
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_/-".contains(&byte))
    {
        "startedBy must be at most 128 letters, digits, hyphens, underscores and slashes."
    } else if body["propagateTags"] == "SERVICE" {
        "Invalid propagateTags: SERVICE."
    } else if body["tags"].as_array().map_or(0, Vec::len) > 50 {
        "Too many tags."
    } else {
        return Ok(definition);
    };
    Err(invalid(problem))
}

fn find_definition<'a>(core: &'a Core, name: &str) -> Option<&'a TaskDefinition> {
    let (family, revision) = match name.split_once(':') {
        Some((family, revision)) => (family, Some(revision.parse::<u32>().ok()?)),
        None => (name, None),
    };
    let mut definitions = core.script.task_definitions.iter();
    definitions.find(|known| {
        known.family == family && revision.is_none_or(|wanted| wanted == known.revision)
    })
}

/// The answer to a client token seen before, while it is remembered.
fn repeated(
    core: &Core,
    state: &mut State,
    cluster: &str,
    token: &str,
    request: &Value,
) -> Option<Result<Value, ApiError>> {
    let now = Instant::now();
    let State {
        client_tokens,
        tasks,
        ..
    } = state;
    client_tokens.retain(|known| {
        let task = tasks.iter().find(|task| task.arn == known.task);
        task.is_some_and(|task| remembers(task, now))
    });
    let known = client_tokens
        .iter()
        .filter(|known| known.cluster == cluster && known.token == token);
    let arns: Vec<&String> = known.map(|known| &known.task).collect();
    let old: Vec<&Task> = tasks
        .iter()
        .filter(|task| arns.contains(&&task.arn))
        .collect();
    let first = old.first()?;
    if first.request != *request {
        let message = "Task with the same client token exists already with other parameters.";
        let error = ApiError::new("ConflictException", message).with("resourceIds", json!(arns));
        return Some(Err(error));
    }
    let described: Vec<Value> = old
        .iter()
        .map(|task| describe_old(core, task, now))
        .collect();
    Some(Ok(json!({"tasks": described, "failures": []})))
}

fn remembers(task: &Task, now: Instant) -> bool {
    let stopped = task.course.stopped_at();
    now < task.course.created + TOKEN_AT_MOST
        && stopped.is_none_or(|stopped| now < stopped + TOKEN_AFTER_STOP)
}

/// Of a stopped task a repeated call says no more than this.
fn describe_old(core: &Core, task: &Task, now: Instant) -> Value {
    let view = task.course.at(now);
    if view.last_status != "STOPPED" {
        return task.describe(core, now, true);
    }
    json!({"taskArn": task.arn, "lastStatus": view.last_status, "desiredStatus": view.desired_status})
}

/// A task of `definition` as `request` wants it; whoever makes it puts it among the others.
pub(super) fn make(
    core: &Core,
    state: &mut State,
    cluster: &str,
    definition: &TaskDefinition,
    request: &Value,
) -> Task {
    let Plan {
        timing,
        agent,
        failure,
    } = state.plans.pop_front().unwrap_or_default();
    let created = Instant::now();
    let course = Course {
        timing: timing.unwrap_or(core.script.timing),
        created,
        agent,
        ending: failure.map(|failure| failure.ending(created)),
    };
    let id = uuid::Uuid::new_v4().simple().to_string();
    Task {
        arn: core.arn("ecs", &format!("task/{cluster}/{id}")),
        id,
        cluster: cluster.to_owned(),
        definition: definition.clone(),
        request: request.clone(),
        tags: request["tags"]
            .as_array()
            .map_or(json!([]), |tags| json!(tags)),
        death: watch::Sender::new(course.death()),
        course,
    }
}

//! One simulated ECS task, and how DescribeTasks writes it.

use serde_json::{Map, Value, json};
use tokio::{sync::watch, time::Instant};

use super::{
    script::TaskDefinition,
    timeline::{AgentCourse, Course, Ending, View},
    world::Core,
};

/// A task made by RunTask.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its ARN.
    pub arn: String,
    /// The ARN's last part, 32 hexadecimal digits.
    pub id: String,
    /// The cluster's name.
    pub cluster: String,
    /// The definition it was made from.
    pub definition: TaskDefinition,
    /// RunTask's parameters, without the client token.
    pub request: Value,
    /// Its tags, `[{"key":…,"value":…}]`; StopTask deletes them.
    pub tags: Value,
    /// Its past and decided future.
    pub course: Course,
    /// `stopCode` and the like by whom; when its containers die, for the sessions in it.
    pub(super) death: watch::Sender<Option<Instant>>,
}

/// A client token that RunTask has seen.
pub(super) struct ClientToken {
    pub cluster: String,
    pub token: String,
    pub task: String,
}

impl Task {
    /// Whether ListTasks and DescribeTasks know it at `now`: not yet just after RunTask, and for an hour after its
    /// stop (ECS keeps stopped tasks at least that long).
    pub(super) fn is_visible(&self, now: Instant) -> bool {
        const REMEMBERED: std::time::Duration = std::time::Duration::from_secs(3600);
        let from = self.course.created + self.course.timing.visible_after;
        let until = self.course.stopped_at().map(|stopped| stopped + REMEMBERED);
        now >= from && until.is_none_or(|until| now < until)
    }

    /// Decides its end, unless one has begun.
    pub(super) fn end(&mut self, ending: Ending) {
        let begun = self
            .course
            .ending
            .as_ref()
            .is_some_and(|old| old.at <= ending.at);
        if !begun {
            self.course.ending = Some(ending);
            self.death.send_replace(self.course.death());
        }
    }

    /// A container's `runtimeId` on Fargate: the task's id and ten digits.
    #[must_use]
    pub fn runtime_id(&self, container: usize) -> String {
        format!("{}-{:010}", self.id, 527_074_092 + container)
    }

    /// The target of a session through one of its containers.
    #[must_use]
    pub fn target(&self, container: usize) -> String {
        format!(
            "ecs:{}_{}_{}",
            self.cluster,
            self.id,
            self.runtime_id(container)
        )
    }

    /// Whether `target` names a container of this task that has an agent.
    pub(super) fn has_target(&self, target: &str) -> bool {
        let mut containers = self.definition.containers.iter().enumerate();
        self.has_exec()
            && containers.any(|(at, container)| container.agent && self.target(at) == target)
    }

    /// Its private address: that of every task.
    pub(super) fn address(&self) -> &'static str {
        "10.0.1.23"
    }

    /// `enableExecuteCommand`.
    #[must_use]
    pub fn has_exec(&self) -> bool {
        self.request["enableExecuteCommand"] == true
    }

    /// `startedBy`; empty when there was none.
    #[must_use]
    pub fn started_by(&self) -> &str {
        self.request["startedBy"].as_str().unwrap_or_default()
    }

    /// Whether a service of this name has started it.
    pub(super) fn is_of_service(&self, name: &str) -> bool {
        let group = self.request["group"].as_str().unwrap_or_default();
        group.strip_prefix("service:") == Some(name)
    }

    /// The task as DescribeTasks has it.
    pub(super) fn describe(&self, core: &Core, now: Instant, with_tags: bool) -> Value {
        let view = self.course.at(now);
        let at = |moment: Option<Instant>| moment.map_or(Value::Null, |at| json!(core.epoch(at)));
        let ending = self
            .course
            .ending
            .as_ref()
            .filter(|ending| ending.at <= now);
        let family = &self.definition.family;
        let mut task = json!({
            "attachments": [self.network_interface(&view)],
            "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
            "availabilityZone": format!("{}a", core.script.region),
            "clusterArn": core.arn("ecs", &format!("cluster/{}", self.cluster)),
            "connectivity": view.pull_stopped.map(|_| "CONNECTED"),
            "connectivityAt": at(view.pull_started),
            "containers": self.containers(core, &view, ending),
            "cpu": "256",
            "createdAt": core.epoch(self.course.created),
            "desiredStatus": view.desired_status,
            "enableExecuteCommand": self.has_exec(),
            "executionStoppedAt": at(view.execution_stopped),
            "group": self.request["group"].as_str().map_or(format!("family:{family}"), str::to_owned),
            "healthStatus": "UNKNOWN",
            "lastStatus": view.last_status,
            "launchType": "FARGATE",
            "memory": "512",
            "overrides": {"containerOverrides": [], "inferenceAcceleratorOverrides": []},
            "platformFamily": "Linux",
            "platformVersion": "1.4.0",
            "pullStartedAt": at(view.pull_started),
            "pullStoppedAt": at(view.pull_stopped),
            "startedAt": at(view.started),
            "startedBy": self.request["startedBy"],
            "stopCode": ending.map(|ending| &ending.code),
            "stoppedAt": at(view.stopped),
            "stoppedReason": ending.map(|ending| &ending.reason),
            "stoppingAt": at(view.stopping),
            "tags": if with_tags { self.tags.clone() } else { json!([]) },
            "taskArn": self.arn,
            "taskDefinitionArn": self.definition_arn(core),
            "version": 1,
        });
        drop_nulls(&mut task);
        task
    }

    fn definition_arn(&self, core: &Core) -> String {
        let TaskDefinition {
            family, revision, ..
        } = &self.definition;
        core.arn("ecs", &format!("task-definition/{family}:{revision}"))
    }

    fn network_interface(&self, view: &View) -> Value {
        let status = match view.last_status {
            "PROVISIONING" => "PRECREATED",
            "STOPPED" => "DELETED",
            _ => "ATTACHED",
        };
        let subnet = &self.request["networkConfiguration"]["awsvpcConfiguration"]["subnets"][0];
        json!({
            "id": format!("a{}", &self.id[1..]),
            "type": "ElasticNetworkInterface",
            "status": status,
            "details": [
                {"name": "subnetId", "value": subnet},
                {"name": "networkInterfaceId", "value": format!("eni-{}", &self.id[..17])},
                {"name": "privateIPv4Address", "value": self.address()},
            ],
        })
    }

    fn containers(&self, core: &Core, view: &View, ending: Option<&Ending>) -> Vec<Value> {
        let status = match view.last_status {
            "STOPPED" | "DEPROVISIONING" => "STOPPED",
            "RUNNING" | "STOPPING" if view.started.is_some() => "RUNNING",
            _ => "PENDING",
        };
        let ended = ending.filter(|_| view.execution_stopped.is_some());
        let containers = self.definition.containers.iter().enumerate();
        let mut described = Vec::new();
        for (at, container) in containers {
            let path = format!("container/{}/{}/{at}", self.cluster, self.id);
            let mut value = json!({
                "containerArn": core.arn("ecs", &path),
                "taskArn": self.arn,
                "name": container.name,
                "image": format!("public.ecr.aws/docker/library/{}:latest", container.name),
                "lastStatus": status,
                "healthStatus": "UNKNOWN",
                "cpu": "0",
                "networkInterfaces": [{"privateIpv4Address": self.address()}],
                "runtimeId": view.pull_stopped.map(|_| self.runtime_id(at)),
                "exitCode": ended.and_then(|ending| ending.exit_code),
                "reason": ended.and_then(|ending| ending.container_reason.as_ref()),
            });
            if container.agent && self.has_exec() {
                value["managedAgents"] = json!([self.exec_agent(core, view)]);
            }
            drop_nulls(&mut value);
            described.push(value);
        }
        described
    }

    fn exec_agent(&self, core: &Core, view: &View) -> Value {
        let status = view.agent_status.unwrap_or("PENDING");
        let mut agent = json!({"name": "ExecuteCommandAgent", "lastStatus": status});
        if status == "RUNNING" {
            let timing = &self.course.timing;
            let up = self.course.created + timing.until_running() + timing.agent_start;
            agent["lastStartedAt"] = json!(core.epoch(up));
        }
        if let AgentCourse::Stopped(reason) = &self.course.agent {
            agent["reason"] = json!(reason);
        }
        agent
    }
}

/// AWS leaves out what has no value.
fn drop_nulls(value: &mut Value) {
    let kept = |object: &mut Map<String, Value>| object.retain(|_, value| !value.is_null());
    value.as_object_mut().map(kept);
}

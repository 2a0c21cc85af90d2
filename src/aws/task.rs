//! One ECS task as bastiond sees it, and the way to the agent inside.

use std::{collections::BTreeMap, time::SystemTime};

use aws_sdk_ecs::types::{self, ManagedAgentName};
use aws_smithy_types::DateTime;

use crate::status::{Architecture, Size};

/// A task, as DescribeTasks or RunTask tells it. What AWS leaves out is empty or `None`: the reply for a
/// task that stopped has little more than the ARN and the two states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// The task's ARN.
    pub arn: String,
    /// The ARN's last part, 32 hexadecimal digits.
    pub id: String,
    /// The cluster's name, never its ARN.
    pub cluster_name: String,
    /// `PROVISIONING` … `RUNNING` … `STOPPED`.
    pub last_status: String,
    /// `RUNNING` or `STOPPED`: where AWS moves it.
    pub desired_status: String,
    /// Its containers.
    pub containers: Vec<Container>,
    /// Why it stopped, as a code.
    pub stop_code: Option<String>,
    /// Why it stopped, in words.
    pub stopped_reason: Option<String>,
    /// When it began to stop.
    pub stopping_at: Option<SystemTime>,
    /// When it was asked for.
    pub created_at: Option<SystemTime>,
    /// When its containers ran.
    pub started_at: Option<SystemTime>,
    /// When the image's download began.
    pub pull_started_at: Option<SystemTime>,
    /// When the image's download ended.
    pub pull_stopped_at: Option<SystemTime>,
    /// Its tags; StopTask removes them.
    pub tags: BTreeMap<String, String>,
    /// Whether it may be given an agent at all.
    pub enable_execute_command: bool,
    /// `family:<family>` unless it was given another.
    pub group: Option<String>,
    /// `CONNECTED` or `DISCONNECTED`.
    pub connectivity: Option<String>,
    /// Fargate's platform, as `1.4.0`.
    pub platform_version: Option<String>,
    /// Who started it, as RunTask was told.
    pub started_by: Option<String>,
    /// Its address in its network.
    pub address: Option<String>,
    /// Its network interface, `eni-…`.
    pub interface: Option<String>,
    /// The revision it runs.
    pub task_definition: Option<String>,
    /// What it costs by, where AWS tells.
    pub size: Option<Size>,
}

/// One container of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// Its name in the task definition.
    pub name: String,
    /// The id by which the agent names itself; absent until the container exists.
    pub runtime_id: Option<String>,
    /// The agent of ECS Exec, where there is one.
    pub exec_agent: Option<AgentStatus>,
    /// How it ended.
    pub exit_code: Option<i32>,
    /// Why it ended, in words.
    pub reason: Option<String>,
}

/// The agent's process, not its connection: `RUNNING` is some seconds early.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentStatus {
    /// `PENDING`, `RUNNING` or `STOPPED`.
    pub status: String,
    /// Why it stopped.
    pub reason: Option<String>,
}

/// Why a task has no target (yet).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTarget {
    /// The container or its agent does not exist yet: ask again.
    #[error("the agent of the task is not there yet")]
    NotYet,
    /// The task can never have an agent.
    #[error("the task was started without ecs exec, so it has no agent")]
    ExecDisabled,
    /// No container of the configured name.
    #[error("the task has no container `{name}`, only {}", .candidates.join(", "))]
    UnknownContainer {
        /// The configured name.
        name: String,
        /// Containers there are.
        candidates: Vec<String>,
    },
    /// Several containers have an agent and none is named.
    #[error("several containers have an agent ({}): name one by `container`", .candidates.join(", "))]
    Ambiguous {
        /// Containers with an agent.
        candidates: Vec<String>,
    },
}

impl Task {
    /// The address of the agent in `container`, or in the only container that has one:
    /// `ecs:<cluster>_<task>_<runtime>`, exactly as the agent composes it for itself.
    pub fn target(&self, container: Option<&str>) -> Result<String, NoTarget> {
        let container = self.container(container)?;
        self.address(container).ok_or(NoTarget::NotYet)
    }

    /// The addresses of the agents that sessions may go through, those that run first: that of the container `name`, or
    /// those of all containers that have one. Never none.
    pub fn targets(&self, name: Option<&str>) -> Result<Vec<String>, NoTarget> {
        let mut agents: Vec<_> = self.agents(name)?.into_iter().enumerate().collect();
        agents.sort_by_key(|(at, container)| (container.standing(), *at));
        let ended = agents
            .iter()
            .all(|(_, container)| container.standing() == Standing::Stopped);
        let of_use = agents
            .iter()
            .filter(|(_, container)| ended || container.standing() != Standing::Stopped);
        let targets: Vec<_> = of_use
            .filter_map(|(_, container)| self.address(container))
            .collect();
        match targets.is_empty() {
            true => Err(NoTarget::NotYet),
            false => Ok(targets),
        }
    }

    /// The state of these agents, which is that of the one that is furthest, and why it stopped.
    pub fn agent(&self, name: Option<&str>) -> AgentStatus {
        let agents = self.agents(name).unwrap_or_default();
        let furthest = agents.into_iter().min_by_key(|it| it.standing());
        let agent = furthest.and_then(|container| container.exec_agent.clone());
        agent.unwrap_or_default()
    }

    /// The addresses of all agents in it, whatever they are doing.
    pub fn addresses(&self) -> Vec<String> {
        let containers = self.with_agent().into_iter();
        containers.filter_map(|it| self.address(it)).collect()
    }

    fn agents(&self, name: Option<&str>) -> Result<Vec<&Container>, NoTarget> {
        if !self.enable_execute_command {
            return Err(NoTarget::ExecDisabled);
        }
        match name {
            Some(name) => self.named(name).map(|container| vec![container]),
            None => Ok(self.with_agent()),
        }
    }

    fn address(&self, container: &Container) -> Option<String> {
        let runtime_id = container.runtime_id.as_ref()?;
        Some(format!(
            "ecs:{}_{}_{runtime_id}",
            self.cluster_name, self.id
        ))
    }

    fn with_agent(&self) -> Vec<&Container> {
        let containers = self.containers.iter();
        containers.filter(|c| c.exec_agent.is_some()).collect()
    }

    /// The container whose agent is used: `name`'s, or the only one that has an agent.
    pub fn container(&self, name: Option<&str>) -> Result<&Container, NoTarget> {
        if !self.enable_execute_command {
            return Err(NoTarget::ExecDisabled);
        }
        match name {
            Some(name) => self.named(name),
            None => self.only_one(),
        }
    }

    /// What happens to it right now, in words for a status.
    pub fn phase(&self) -> &'static str {
        match self.last_status.as_str() {
            "STOPPED" | "DELETED" => "stopped",
            _ if self.desired_status == "STOPPED" => "stopping",
            "PROVISIONING" => "provisioning network",
            "PENDING" if self.pull_stopped_at.is_none() => "pulling image",
            "PENDING" | "ACTIVATING" => "starting containers",
            "RUNNING" => "waiting for agent",
            _ => "stopping",
        }
    }

    fn named(&self, name: &str) -> Result<&Container, NoTarget> {
        let found = self
            .containers
            .iter()
            .find(|container| container.name == name);
        found.ok_or_else(|| match self.containers.is_empty() {
            true => NoTarget::NotYet,
            false => NoTarget::UnknownContainer {
                name: name.to_owned(),
                candidates: names(&self.containers),
            },
        })
    }

    fn only_one(&self) -> Result<&Container, NoTarget> {
        let with_agent = self.with_agent();
        match *with_agent {
            [] => Err(NoTarget::NotYet),
            [only] => Ok(only),
            _ => Err(NoTarget::Ambiguous {
                candidates: names(with_agent),
            }),
        }
    }
}

/// How far a container's agent is. In the order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Running,
    Coming,
    Stopped,
}

impl Container {
    fn standing(&self) -> Standing {
        match self.exec_agent.as_ref().map(|agent| agent.status.as_str()) {
            Some("RUNNING") => Standing::Running,
            Some("STOPPED") => Standing::Stopped,
            _ => Standing::Coming,
        }
    }
}

fn names<'a>(containers: impl IntoIterator<Item = &'a Container>) -> Vec<String> {
    containers
        .into_iter()
        .map(|container| container.name.clone())
        .collect()
}

impl From<types::Task> for Task {
    fn from(mut task: types::Task) -> Self {
        let arn = task.task_arn.take().unwrap_or_default();
        let cluster = task.cluster_arn.take().unwrap_or_default();
        let tags = task.tags.take().unwrap_or_default();
        let size = size(&task);
        let address = attached(&task, "privateIPv4Address");
        let interface = attached(&task, "networkInterfaceId");
        Self {
            id: last_part(&arn),
            arn,
            cluster_name: last_part(&cluster),
            last_status: task.last_status.unwrap_or_default(),
            desired_status: task.desired_status.unwrap_or_default(),
            containers: task
                .containers
                .unwrap_or_default()
                .into_iter()
                .map(Container::from)
                .collect(),
            stop_code: task.stop_code.map(|code| code.as_str().to_owned()),
            stopped_reason: task.stopped_reason,
            stopping_at: task.stopping_at.and_then(time),
            created_at: task.created_at.and_then(time),
            started_at: task.started_at.and_then(time),
            pull_started_at: task.pull_started_at.and_then(time),
            pull_stopped_at: task.pull_stopped_at.and_then(time),
            tags: tags
                .into_iter()
                .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
                .collect(),
            enable_execute_command: task.enable_execute_command,
            group: task.group,
            connectivity: task
                .connectivity
                .map(|connectivity| connectivity.as_str().to_owned()),
            platform_version: task.platform_version,
            started_by: task.started_by,
            task_definition: task.task_definition_arn,
            size,
            address,
            interface,
        }
    }
}

impl From<types::Container> for Container {
    fn from(container: types::Container) -> Self {
        let agents = container.managed_agents.unwrap_or_default();
        let exec = agents
            .into_iter()
            .find(|agent| agent.name == Some(ManagedAgentName::ExecuteCommandAgent));
        let status = |agent: types::ManagedAgent| AgentStatus {
            status: agent.last_status.unwrap_or_default(),
            reason: agent.reason,
        };
        Self {
            name: container.name.unwrap_or_default(),
            runtime_id: container.runtime_id,
            exec_agent: exec.map(status),
            exit_code: container.exit_code,
            reason: container.reason,
        }
    }
}

/// What the attachment of its network tells.
fn attached(task: &types::Task, name: &str) -> Option<String> {
    let mut details = task.attachments().iter().flat_map(|it| it.details());
    let detail = details.find(|it| it.name() == Some(name))?;
    detail.value().map(str::to_owned)
}

fn size(task: &types::Task) -> Option<Size> {
    let mut attributes = task.attributes().iter();
    let architecture = attributes.find(|it| it.name() == "ecs.cpu-architecture");
    Some(Size {
        cpu: task.cpu()?.parse().ok()?,
        memory: task.memory()?.parse().ok()?,
        architecture: match architecture.and_then(types::Attribute::value) {
            Some("arm64") => Architecture::Arm64,
            _ => Architecture::X86_64,
        },
        spot: task.capacity_provider_name() == Some("FARGATE_SPOT"),
    })
}

fn last_part(arn: &str) -> String {
    arn.rsplit('/').next().unwrap_or_default().to_owned()
}

fn time(at: DateTime) -> Option<SystemTime> {
    SystemTime::try_from(at).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_composed_as_the_agent_does() {
        let task = running(&[("bastion", true), ("sidecar", false)]);
        assert_eq!(
            task.target(None).unwrap(),
            "ecs:my_cluster-1_0123abcd_0123abcd-111"
        );
        assert_eq!(task.target(Some("bastion")), task.target(None));
    }

    #[test]
    fn several_agents_need_a_name() {
        let task = running(&[("a", true), ("b", true)]);
        let error = task.target(None).unwrap_err().to_string();
        assert!(
            error.contains("a, b") && error.contains("`container`"),
            "{error}"
        );
        assert!(task.target(Some("b")).is_ok());
        let unknown = task.target(Some("c")).unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "the task has no container `c`, only a, b"
        );
    }

    #[test]
    fn without_a_name_sessions_may_go_through_every_agent_that_has_not_stopped() {
        let mut task = running(&[("a", true), ("b", true), ("c", true), ("sidecar", false)]);
        let with = |status: &str| {
            Some(AgentStatus {
                status: status.to_owned(),
                reason: Some("why".to_owned()),
            })
        };
        for (at, status) in ["PENDING", "RUNNING", "STOPPED"].into_iter().enumerate() {
            task.containers[at].exec_agent = with(status);
            task.containers[at].runtime_id = Some(format!("0123abcd-{at}"));
        }
        let of = |at: usize| format!("ecs:my_cluster-1_0123abcd_0123abcd-{at}");
        assert_eq!(task.targets(None), Ok(vec![of(1), of(0)]));
        assert_eq!(task.targets(Some("c")), Ok(vec![of(2)]));
        assert_eq!(task.agent(None).status, "RUNNING");
        assert_eq!(task.agent(Some("c")), with("STOPPED").unwrap());
        task.containers.truncate(1);
        task.containers[0].runtime_id = None;
        assert_eq!(task.targets(None), Err(NoTarget::NotYet));
    }

    #[test]
    fn a_task_without_exec_never_has_a_target() {
        let task = Task {
            enable_execute_command: false,
            ..running(&[("a", true)])
        };
        assert_eq!(task.target(None), Err(NoTarget::ExecDisabled));
    }

    #[test]
    fn an_early_answer_is_asked_again() {
        let mut task = running(&[("a", false)]);
        assert_eq!(task.target(None), Err(NoTarget::NotYet));
        task.containers[0].runtime_id = None;
        assert_eq!(task.target(Some("a")), Err(NoTarget::NotYet));
        task.containers.clear();
        assert_eq!(task.target(Some("a")), Err(NoTarget::NotYet));
    }

    #[test]
    fn each_state_has_its_words() {
        let phase = |last: &str, desired: &str| {
            let task = Task {
                last_status: last.into(),
                desired_status: desired.into(),
                ..Task::default()
            };
            task.phase()
        };
        assert_eq!(phase("PROVISIONING", "RUNNING"), "provisioning network");
        assert_eq!(phase("PENDING", "RUNNING"), "pulling image");
        assert_eq!(phase("ACTIVATING", "RUNNING"), "starting containers");
        assert_eq!(phase("RUNNING", "RUNNING"), "waiting for agent");
        assert_eq!(phase("RUNNING", "STOPPED"), "stopping");
        assert_eq!(phase("DEPROVISIONING", "STOPPED"), "stopping");
        assert_eq!(phase("STOPPED", "STOPPED"), "stopped");
    }

    #[test]
    fn the_bare_reply_for_a_stopped_task_is_understood() {
        let arn = "arn:aws:ecs:eu-west-1:123456789012:task/backend/0123abcd";
        let task = types::Task::builder()
            .task_arn(arn)
            .last_status("STOPPED")
            .desired_status("STOPPED")
            .build();
        let task = Task::from(task);
        assert_eq!(
            (task.id.as_str(), task.phase(), task.cluster_name.as_str()),
            ("0123abcd", "stopped", "")
        );
    }

    fn running(containers: &[(&str, bool)]) -> Task {
        let container = |&(name, has_agent): &(&str, bool)| Container {
            name: name.to_owned(),
            runtime_id: Some("0123abcd-111".to_owned()),
            exec_agent: has_agent.then(AgentStatus::default),
            ..Container::default()
        };
        Task {
            id: "0123abcd".into(),
            cluster_name: "my_cluster-1".into(),
            enable_execute_command: true,
            containers: containers.iter().map(container).collect(),
            ..Task::default()
        }
    }
}

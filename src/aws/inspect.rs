//! What the account holds, for those who want to know whether a bastion can work: clusters, task definitions, session
//! documents, and where credentials are from. Nothing here changes anything.

use std::{collections::BTreeMap, time::SystemTime};

use aws_sdk_ecs::types::{self, ClusterField, KeyValuePair, LogConfiguration, LogDriver};
use serde_json::Value;

use super::{
    Aws, advice,
    error::{Error, Kind},
    login,
};

/// The account's preferences of Session Manager, as a document.
const PREFERENCES: &str = "SSM-SessionManagerRunShell";

/// An ECS cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// `ACTIVE`, or why not.
    pub status: String,
    /// The capacity providers that it is associated with.
    pub capacity_providers: Vec<String>,
    /// The KMS key of its shells.
    pub kms_key: Option<String>,
}

/// A revision of a task definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definition {
    /// Its ARN, with the revision.
    pub arn: String,
    /// `ACTIVE`, or why not.
    pub status: String,
    /// `awsvpc` on Fargate.
    pub network_mode: Option<String>,
    /// `FARGATE` and so on.
    pub compatibilities: Vec<String>,
    /// What the agent is.
    pub task_role: Option<String>,
    /// What pulls the image and writes the log.
    pub execution_role: Option<String>,
    /// Whether containers share their processes.
    pub pid_mode: Option<String>,
    /// Its share of a CPU, in 1/1024.
    pub cpu: Option<String>,
    /// `ARM64`, or `X86_64`, which is what is meant where nothing is said.
    pub architecture: String,
    /// Its containers.
    pub containers: Vec<ContainerDefinition>,
}

/// A container of a task definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerDefinition {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Whether the task ends with it.
    pub essential: bool,
    /// `initProcessEnabled`.
    pub init: bool,
    /// `readonlyRootFilesystem`.
    pub read_only: bool,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// The names that secrets are given to it by.
    pub secrets: Vec<String>,
    /// Entry point and command.
    pub command: Vec<String>,
    /// `stopTimeout`, in seconds.
    pub stop_timeout: Option<i32>,
    /// The options of the awslogs driver.
    pub log: Option<BTreeMap<String, String>>,
}

/// Where credentials are from, and how long they last; never what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The profile, or the environment.
    pub source: String,
    /// When they expire; `None` for lasting ones.
    pub expiry: Option<SystemTime>,
}

impl Definition {
    /// The log groups of its containers, each with the region that is configured.
    pub fn log_groups(&self) -> Vec<(&str, Option<&str>)> {
        let logs = self.containers.iter().filter_map(|it| it.log.as_ref());
        let mut groups = Vec::new();
        for log in logs {
            let option = |name: &str| log.get(name).map(String::as_str);
            if let Some(group) = option("awslogs-group") {
                groups.push((group, option("awslogs-region")));
            }
        }
        groups.dedup();
        groups
    }
}

impl Aws {
    /// Where the credentials in force are from; loads them if need be.
    pub async fn origin(&self) -> Result<Origin, Error> {
        let credentials = self.0.credentials.resolve().await;
        let credentials = credentials
            .map_err(|error| login::from_credentials("credentials", &error, &self.0.caller))?;
        Ok(Origin {
            source: advice::source(&self.0.caller),
            expiry: credentials.expiry(),
        })
    }

    /// How many seconds this machine's clock is behind AWS's; `None` before the first answer.
    pub fn clock_skew(&self) -> Option<i64> {
        self.0.clock.skew()
    }

    /// A cluster; `None` if there is none of that name.
    pub async fn cluster(&self, name: &str) -> Result<Option<Cluster>, Error> {
        let request = self
            .ecs()
            .describe_clusters()
            .clusters(name)
            .include(ClusterField::Configurations);
        let reply = self
            .call("DescribeClusters", || request.clone().send())
            .await?;
        let cluster = reply.clusters.unwrap_or_default().into_iter().next();
        Ok(cluster.map(Cluster::from))
    }

    /// A task definition; `None` if there is none of that name.
    pub async fn task_definition(&self, name: &str) -> Result<Option<Definition>, Error> {
        let request = self.ecs().describe_task_definition().task_definition(name);
        let reply = self
            .call("DescribeTaskDefinition", || request.clone().send())
            .await;
        match reply {
            Ok(reply) => Ok(reply.task_definition.map(Definition::from)),
            // ECS has no code of its own for it: "Unable to describe task definition."
            Err(error) if error.code.as_deref() == Some("ClientException") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The text of a session document; `None` if there is none of that name.
    pub async fn session_document(&self, name: &str) -> Result<Option<Value>, Error> {
        let request = self.ssm().get_document().name(name);
        let reply = match self.call("GetDocument", || request.clone().send()).await {
            Ok(reply) => reply,
            Err(error) if is_no_document(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let text = reply.content.unwrap_or_default();
        let content = serde_json::from_str(&text);
        let unread = |error: serde_json::Error| {
            let message = format!("the document `{name}` is not JSON: {error}");
            self.failure("GetDocument", None, message, Kind::Other)
        };
        content.map(Some).map_err(unread)
    }

    /// The account's preferences of Session Manager; `None` where they are AWS's own.
    pub async fn session_preferences(&self) -> Result<Option<Value>, Error> {
        self.session_document(PREFERENCES).await
    }
}

fn is_no_document(error: &Error) -> bool {
    error.code.as_deref() == Some("InvalidDocument")
}

impl From<types::Cluster> for Cluster {
    fn from(cluster: types::Cluster) -> Self {
        let shells = cluster
            .configuration
            .and_then(|it| it.execute_command_configuration);
        Self {
            status: cluster.status.unwrap_or_default(),
            capacity_providers: cluster.capacity_providers.unwrap_or_default(),
            kms_key: shells.and_then(|it| it.kms_key_id),
        }
    }
}

impl From<types::TaskDefinition> for Definition {
    fn from(definition: types::TaskDefinition) -> Self {
        let compatibilities = definition.compatibilities().iter();
        let containers = definition.container_definitions().iter();
        Self {
            arn: definition.task_definition_arn.clone().unwrap_or_default(),
            status: definition
                .status
                .as_ref()
                .map(|it| it.as_str().to_owned())
                .unwrap_or_default(),
            network_mode: definition
                .network_mode
                .as_ref()
                .map(|it| it.as_str().to_owned()),
            compatibilities: compatibilities.map(|it| it.as_str().to_owned()).collect(),
            task_role: definition.task_role_arn.clone(),
            execution_role: definition.execution_role_arn.clone(),
            pid_mode: definition
                .pid_mode
                .as_ref()
                .map(|it| it.as_str().to_owned()),
            cpu: definition.cpu.clone(),
            architecture: definition
                .runtime_platform
                .as_ref()
                .and_then(|it| it.cpu_architecture.as_ref())
                .map_or("X86_64", |it| it.as_str())
                .to_owned(),
            containers: containers.map(ContainerDefinition::from).collect(),
        }
    }
}

impl From<&types::ContainerDefinition> for ContainerDefinition {
    fn from(container: &types::ContainerDefinition) -> Self {
        let linux = container.linux_parameters.as_ref();
        let words = [container.entry_point(), container.command()];
        let secrets = container.secrets().iter();
        Self {
            name: container.name.clone().unwrap_or_default(),
            image: container.image.clone().unwrap_or_default(),
            // Every container is, unless it says otherwise.
            essential: container.essential != Some(false),
            init: linux.is_some_and(|it| it.init_process_enabled == Some(true)),
            read_only: container.readonly_root_filesystem == Some(true),
            environment: container.environment().iter().filter_map(pair).collect(),
            secrets: secrets.map(|secret| secret.name().to_owned()).collect(),
            command: words.concat(),
            stop_timeout: container.stop_timeout,
            log: container.log_configuration.as_ref().and_then(awslogs),
        }
    }
}

fn pair(pair: &KeyValuePair) -> Option<(String, String)> {
    let value = pair.value.clone().unwrap_or_default();
    Some((pair.name.clone()?, value))
}

fn awslogs(log: &LogConfiguration) -> Option<BTreeMap<String, String>> {
    let options = log.options.clone().unwrap_or_default();
    (log.log_driver == LogDriver::Awslogs).then(|| options.into_iter().collect())
}

//! The calls of ECS: find, run, watch and stop a task.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, CapacityProviderStrategyItem, DesiredStatus, Failure,
    LaunchType, NetworkConfiguration, PropagateTags, Tag, TaskField,
};

use aws_types::request_id::RequestId as _;

use super::{
    Aws, advice,
    error::{self, Error, Kind},
    overrides,
    task::Task,
};
use crate::config::Overrides;

/// Most tasks that one DescribeTasks takes (AWS API model).
const MAX_DESCRIBED: usize = 100;

/// Longest reason that StopTask keeps (AWS API model).
const MAX_REASON: usize = 255;

/// Which tasks to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Desired {
    /// Running ones and those on their way there.
    Running,
    /// Those that stopped within the last hour or so.
    Stopped,
}

/// Which tasks of a cluster to list.
#[derive(Clone, Copy, Debug)]
pub(super) struct List<'a> {
    pub(super) cluster: &'a str,
    pub(super) family: Option<&'a str>,
    pub(super) service: Option<&'a str>,
    pub(super) desired: Desired,
}

impl<'a> List<'a> {
    pub(super) fn all(cluster: &'a str, desired: Desired) -> Self {
        Self {
            cluster,
            family: None,
            service: None,
            desired,
        }
    }
}

/// What to run. The token makes a repeated call answer with the same task; the same token with other
/// parameters is a conflict, which names the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunTask {
    /// Name or ARN of the cluster.
    pub cluster: String,
    /// Family, or family:revision.
    pub task_definition: String,
    /// Subnets of one VPC, at most 16.
    pub subnets: Vec<String>,
    /// At most 5; none means the VPC's default group.
    pub security_groups: Vec<String>,
    /// `FARGATE_SPOT`, or another capacity provider of the cluster; `None`: Fargate on demand.
    pub capacity_provider: Option<String>,
    /// Fargate's platform; `None`: its latest.
    pub platform_version: Option<String>,
    /// Whether ECS puts an agent into it.
    pub exec: bool,
    /// Needs a subnet with a route to an internet gateway.
    pub assign_public_ip: bool,
    /// At most 36 of `[A-Za-z0-9_/-]`.
    pub started_by: String,
    /// Tags of the task.
    pub tags: BTreeMap<String, String>,
    /// Whether it has those of its definition as well.
    pub propagate_tags: bool,
    /// The group that ECS shows it in; `None`: that of its family.
    pub group: Option<String>,
    /// What is different from the task definition.
    pub overrides: Overrides,
    /// At most 64 printable ASCII characters.
    pub client_token: String,
}

impl Aws {
    /// ARNs of the tasks of `family`, or of all, in `cluster`.
    pub async fn list_tasks(
        &self,
        cluster: &str,
        family: Option<&str>,
        desired: Desired,
    ) -> Result<Vec<String>, Error> {
        let list = List {
            family,
            ..List::all(cluster, desired)
        };
        self.list(list).await
    }

    pub(super) async fn list(&self, list: List<'_>) -> Result<Vec<String>, Error> {
        let desired = match list.desired {
            Desired::Running => DesiredStatus::Running,
            Desired::Stopped => DesiredStatus::Stopped,
        };
        let mut arns = Vec::new();
        let mut page = None;
        loop {
            let request = self
                .ecs()
                .list_tasks()
                .cluster(list.cluster)
                .set_family(list.family.map(str::to_owned))
                .set_service_name(list.service.map(str::to_owned))
                .desired_status(desired.clone());
            let request = request.set_next_token(page);
            let reply = self.call("ListTasks", || request.clone().send()).await?;
            arns.extend(reply.task_arns.unwrap_or_default());
            page = reply.next_token.filter(|token| !token.is_empty());
            if page.is_none() {
                return Ok(arns);
            }
        }
    }

    /// All tasks of the cluster that run or are on their way.
    pub async fn running_tasks(&self, cluster: &str) -> Result<Vec<Task>, Error> {
        let arns = self.list_tasks(cluster, None, Desired::Running).await?;
        match arns.is_empty() {
            true => Ok(Vec::new()),
            false => self.describe_tasks(cluster, &arns).await,
        }
    }

    /// The tasks of `arns` that AWS knows, tags included. A task may be missing for seconds after RunTask,
    /// and is for good an hour after it stopped; that is no error.
    pub async fn describe_tasks(&self, cluster: &str, arns: &[String]) -> Result<Vec<Task>, Error> {
        let mut tasks = Vec::new();
        for arns in arns.chunks(MAX_DESCRIBED) {
            let request = self
                .ecs()
                .describe_tasks()
                .cluster(cluster)
                .set_tasks(Some(arns.to_vec()));
            let request = request.include(TaskField::Tags);
            let reply = self
                .call("DescribeTasks", || request.clone().send())
                .await?;
            // A task that AWS does not know is named as a failure.
            if reply.tasks().is_empty() && reply.failures().is_empty() {
                let message = "the answer tells nothing of the tasks".to_owned();
                return Err(self.failure("DescribeTasks", None, message, Kind::Untrusted));
            }
            tasks.extend(reply.tasks.unwrap_or_default().into_iter().map(Task::from));
        }
        Ok(tasks)
    }

    /// Runs one Fargate task. The answer may be a task of an earlier call with the same
    /// token, even a stopped one.
    pub async fn run_task(&self, run: &RunTask) -> Result<Task, Error> {
        // Never both: ECS refuses that.
        let strategy = run
            .capacity_provider
            .as_ref()
            .map(|name| vec![provider(name)]);
        let on_demand = strategy.is_none().then_some(LaunchType::Fargate);
        let request = self
            .ecs()
            .run_task()
            .cluster(&run.cluster)
            .task_definition(&run.task_definition)
            .count(1)
            .set_launch_type(on_demand)
            .set_capacity_provider_strategy(strategy)
            .set_platform_version(run.platform_version.clone())
            .enable_execute_command(run.exec)
            .network_configuration(network(run))
            .started_by(&run.started_by)
            .set_tags(Some(run.tags.iter().map(tag).collect()))
            .set_propagate_tags(run.propagate_tags.then_some(PropagateTags::TaskDefinition))
            .set_group(run.group.clone())
            .set_overrides(overrides::of(&run.overrides))
            .enable_ecs_managed_tags(true)
            .client_token(&run.client_token);
        let reply = self.call("RunTask", || request.clone().send()).await?;
        let request_id = reply.request_id().map(str::to_owned);
        let failure = reply.failures.unwrap_or_default().into_iter().next();
        let task = reply.tasks.unwrap_or_default().into_iter().next();
        match task.map(Task::from).filter(|task| !task.arn.is_empty()) {
            Some(task) => Ok(task),
            None => Err(self.not_run(failure, request_id)),
        }
    }

    /// Stops a task; one that is not there counts as stopped. `reason` becomes its `stopped_reason`.
    pub async fn stop_task(&self, cluster: &str, arn: &str, reason: &str) -> Result<(), Error> {
        let reason: String = reason
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(MAX_REASON)
            .collect();
        let request = self
            .ecs()
            .stop_task()
            .cluster(cluster)
            .task(arn)
            .reason(reason);
        match self.call("StopTask", || request.clone().send()).await {
            Ok(_) => Ok(()),
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// RunTask answers 200 without a task when there is no place for it.
    fn not_run(&self, failure: Option<Failure>, request_id: Option<String>) -> Error {
        let reason = failure
            .as_ref()
            .and_then(Failure::reason)
            .unwrap_or("no task and no reason");
        let detail = failure
            .as_ref()
            .and_then(Failure::detail)
            .unwrap_or_default();
        let message = if detail.is_empty() {
            reason.to_owned()
        } else {
            format!("{reason}: {detail}")
        };
        let kind = advice::by_placement(reason).map_or(Kind::Other, |row| row.kind.clone());
        let known = self.failure("RunTask", Some(reason), message, kind);
        Error::from(error::Failure {
            // The reason is the message, too.
            code: None,
            request_id,
            ..error::Failure::clone(&known)
        })
    }
}

/// A cluster that does not exist is a mistake; a task that does not is stopped.
fn is_gone(error: &Error) -> bool {
    error.kind == Kind::NotFound && error.code.as_deref() == Some("InvalidParameterException")
}

fn network(run: &RunTask) -> NetworkConfiguration {
    let public_ip = if run.assign_public_ip {
        AssignPublicIp::Enabled
    } else {
        AssignPublicIp::Disabled
    };
    let groups = Some(run.security_groups.clone()).filter(|groups| !groups.is_empty());
    let vpc = AwsVpcConfiguration::builder()
        .set_subnets(Some(run.subnets.clone()))
        .set_security_groups(groups)
        .assign_public_ip(public_ip)
        .build()
        .expect("subnets are set");
    NetworkConfiguration::builder()
        .awsvpc_configuration(vpc)
        .build()
}

fn provider(name: &str) -> CapacityProviderStrategyItem {
    CapacityProviderStrategyItem::builder()
        .capacity_provider(name)
        .weight(1)
        .build()
        .expect("a name is set")
}

fn tag((key, value): (&String, &String)) -> Tag {
    Tag::builder().key(key).value(value).build()
}

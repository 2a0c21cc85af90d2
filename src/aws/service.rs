//! ECS services: looked at, scaled, and marked by a tag.

use std::time::SystemTime;

use aws_sdk_ecs::types::{self, ServiceField, Tag};

use super::{
    Aws, Desired, advice,
    error::{Error, Kind},
    task::Task,
};

/// A service, as DescribeServices tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// `ACTIVE`, `DRAINING` or `INACTIVE`.
    pub status: String,
    /// So many tasks it is told to run.
    pub desired: i32,
    /// So many run.
    pub running: i32,
    /// Whether its next tasks get an agent of ECS Exec.
    pub exec: bool,
    /// The id of its latest deployment, which is its tasks' `startedBy`.
    pub primary: Option<String>,
    /// Why that deployment has failed, as far as the circuit breaker says.
    pub failed: Option<String>,
    /// What has happened to it, the latest first.
    pub events: Vec<ServiceEvent>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// Something that has happened to a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceEvent {
    /// Its id.
    pub id: String,
    /// When.
    pub at: Option<SystemTime>,
    /// In ECS's words: `(service x) was unable to place a task. Reason: …`.
    pub message: String,
}

impl Service {
    /// The value of one of its tags.
    pub fn tag(&self, key: &str) -> Option<&str> {
        let mut tags = self.tags.iter();
        let (_, value) = tags.find(|(known, _)| known == key)?;
        Some(value)
    }
}

impl Aws {
    /// The service of this name or ARN, tags included.
    ///
    /// # Errors
    /// One that does not exist is `NotFound`, as is its cluster; one that is being deleted, or was, is `Unsuitable`.
    pub async fn service(&self, cluster: &str, service: &str) -> Result<Service, Error> {
        let request = self
            .ecs()
            .describe_services()
            .cluster(cluster)
            .services(service)
            .include(ServiceField::Tags);
        let reply = self
            .call("DescribeServices", || request.clone().send())
            .await?;
        let found = reply.services.unwrap_or_default().into_iter().next();
        if let Some(service) = found.map(Service::from) {
            return match service.status.as_str() {
                "DRAINING" | "INACTIVE" => Err(self.not_active(&service)),
                _ => Ok(service),
            };
        }
        let failures = reply.failures.unwrap_or_default();
        // A service that ECS does not know is named as a failure.
        let (reason, kind) = match failures.first() {
            Some(failure) => (failure.reason().unwrap_or("MISSING"), Kind::NotFound),
            None => ("the answer tells nothing of the service", Kind::Untrusted),
        };
        let code = (kind == Kind::NotFound).then_some("ServiceNotFoundException");
        Err(self.failure("DescribeServices", code, reason.to_owned(), kind))
    }

    fn not_active(&self, service: &Service) -> Error {
        let message = format!("service {} is {}", service.name, service.status);
        let code = Some("ServiceNotActiveException");
        self.failure("DescribeServices", code, message, Kind::Unsuitable)
    }

    /// Why a service has no task, by what it says of itself.
    pub fn not_placed(&self, message: &str) -> Error {
        let kind = advice::by_event(message).map_or(Kind::Other, |row| row.kind.clone());
        self.failure("UpdateService", None, message.to_owned(), kind)
    }

    /// Tells a service how many tasks to run.
    pub async fn scale_service(
        &self,
        cluster: &str,
        service: &str,
        count: i32,
    ) -> Result<(), Error> {
        let request = self
            .ecs()
            .update_service()
            .cluster(cluster)
            .service(service)
            .desired_count(count);
        let reply = self.call("UpdateService", || request.clone().send()).await;
        reply.map(drop)
    }

    /// Gives a service a tag, or another value for it.
    pub async fn tag_service(&self, arn: &str, key: &str, value: &str) -> Result<(), Error> {
        let tag = Tag::builder().key(key).value(value).build();
        let request = self.ecs().tag_resource().resource_arn(arn).tags(tag);
        let reply = self.call("TagResource", || request.clone().send()).await;
        reply.map(drop)
    }

    /// The tasks of a service that run or are on their way.
    pub async fn service_tasks(&self, cluster: &str, service: &str) -> Result<Vec<Task>, Error> {
        let arns = self.list_service_tasks(cluster, service).await?;
        match arns.is_empty() {
            true => Ok(Vec::new()),
            false => self.describe_tasks(cluster, &arns).await,
        }
    }

    async fn list_service_tasks(&self, cluster: &str, service: &str) -> Result<Vec<String>, Error> {
        let list = super::ecs::List {
            service: Some(service),
            ..super::ecs::List::all(cluster, Desired::Running)
        };
        self.list(list).await
    }
}

impl From<types::Service> for Service {
    fn from(service: types::Service) -> Self {
        let events = service.events.unwrap_or_default().into_iter();
        let mut events: Vec<ServiceEvent> = events.map(ServiceEvent::from).collect();
        events.sort_by_key(|event| std::cmp::Reverse(event.at));
        let deployments = service.deployments.unwrap_or_default().into_iter();
        let primary = { deployments }.find(|it| it.status.as_deref() == Some("PRIMARY"));
        let has_failed = |it: &&types::Deployment| {
            it.rollout_state == Some(types::DeploymentRolloutState::Failed)
        };
        let failed = primary.as_ref().filter(has_failed);
        let tags = service.tags.unwrap_or_default().into_iter();
        Self {
            arn: service.service_arn.unwrap_or_default(),
            name: service.service_name.unwrap_or_default(),
            status: service.status.unwrap_or_default(),
            desired: service.desired_count,
            running: service.running_count,
            exec: service.enable_execute_command,
            failed: failed.map(|it| it.rollout_state_reason.clone().unwrap_or_default()),
            primary: primary.and_then(|it| it.id),
            events,
            tags: tags
                .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
                .collect(),
        }
    }
}

impl From<types::ServiceEvent> for ServiceEvent {
    fn from(event: types::ServiceEvent) -> Self {
        Self {
            id: event.id.unwrap_or_default(),
            at: event
                .created_at
                .and_then(|at| SystemTime::try_from(at).ok()),
            message: event.message.unwrap_or_default(),
        }
    }
}

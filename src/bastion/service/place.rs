//! Which service it is, and the calls about it; nothing is decided here but what a service without a daemon takes.

use std::time::SystemTime;

use super::count::{self, Claim, LEASE_TAG, RELEASED, Verdict};
use crate::aws::{self, Aws, Kind, Service, Task};
use crate::config::ScaleDown;
use crate::state::TaskRecord;
use crate::status::Reason;

/// Which service it is.
pub struct Place {
    pub aws: Aws,
    pub cluster: String,
    /// Its name or ARN.
    pub service: String,
}

impl Place {
    pub async fn look(&self) -> Result<Service, aws::Error> {
        self.aws.service(&self.cluster, &self.service).await
    }

    pub async fn tasks(&self) -> Result<Vec<Task>, aws::Error> {
        self.aws.service_tasks(&self.cluster, &self.service).await
    }

    pub async fn sessions(&self) -> Result<usize, aws::Error> {
        let mut sessions = 0;
        for target in self.tasks().await?.iter().flat_map(Task::addresses) {
            sessions += self.aws.active_sessions(&target).await?.len();
        }
        Ok(sessions)
    }

    /// The tag goes first: whoever raises the count after that writes another.
    pub async fn lower(&self, service: &Service) -> Result<(), aws::Error> {
        if matches!(count::Lease::of(service), count::Lease::Held { .. })
            && let Err(error) = self
                .aws
                .tag_service(&service.arn, LEASE_TAG, RELEASED)
                .await
        {
            tracing::debug!(%error, "the lease of the service stays");
        }
        self.aws
            .scale_service(&self.cluster, &self.service, 0)
            .await
    }

    /// Advice with what stands for this service in its commands.
    pub fn named(&self, advice: &str) -> String {
        advice
            .replace("CLUSTER", &self.cluster)
            .replace("SERVICE", &self.service)
    }

    pub fn without_exec(&self) -> Reason {
        let message = format!("service {} starts its tasks without ECS Exec", self.service);
        let region = self.aws.region();
        let command = format!(
            "aws ecs update-service --region {region} --cluster CLUSTER --service SERVICE --enable-execute-command --force-new-deployment"
        );
        Reason::new("no_target", message).with_hint(self.named(&command))
    }
}

/// Of a service that the configuration does not name any more, and whose count an earlier run has raised: lower it unless
/// somebody uses it. `false` when somebody does.
pub async fn settle_left(aws: &Aws, record: &TaskRecord) -> Result<bool, aws::Error> {
    let place = Place {
        aws: aws.clone(),
        cluster: record.cluster.clone(),
        service: record.arn.clone(),
    };
    let service = match place.look().await {
        Err(error) if is_unfit(&error) => return Ok(true),
        service => service?,
    };
    let now = SystemTime::now();
    match count::judge(&service, ScaleDown::IfLast, Claim::Remembered, "", now) {
        Verdict::Leave(_) => return Ok(true),
        Verdict::Later => return Ok(false),
        Verdict::Lower => {}
    }
    if place.sessions().await? > 0 {
        return Ok(false);
    }
    place.lower(&service).await?;
    tracing::info!(service = %record.arn, "lowered the count of a service that the configuration no longer names");
    Ok(true)
}

/// There is no such service, or not for long.
pub fn is_unfit(error: &aws::Error) -> bool {
    matches!(error.kind, Kind::NotFound | Kind::Unsuitable)
}

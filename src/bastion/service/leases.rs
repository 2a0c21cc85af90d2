//! Telling other daemons that somebody is connecting, by a tag of the service. It is advisory: who may not tag goes on without.

use std::time::SystemTime;

use super::ServiceCalls;
use super::count::{LEASE, LEASE_TAG, Lease};
use crate::aws::Service;

impl ServiceCalls {
    /// Somebody is connecting to a service that a bastiond has raised: others are told to wait with lowering it.
    pub(super) async fn prolong(&self, service: &Service) {
        if matches!(Lease::of(service), Lease::Held { .. })
            && self.claimed.lease_is_due(SystemTime::now())
        {
            self.lease(&service.arn).await;
        }
    }

    /// The same while its task is on the way.
    pub(super) async fn prolong_if_due(&self) {
        if let Some(arn) = self.claimed.leased_service(SystemTime::now()) {
            self.lease(&arn).await;
        }
    }

    /// Write one.
    pub(super) async fn lease(&self, arn: &str) {
        if !self.claimed.may_tag() {
            return;
        }
        let until = SystemTime::now() + LEASE;
        let text = Lease::text(until, self.claimed.id());
        let tagged = self.place.aws.tag_service(arn, LEASE_TAG, &text).await;
        self.claimed.leased(arn, until, &tagged);
    }

    /// Whoever is not connecting any more does not keep others waiting.
    pub(super) async fn withdraw(&self, arn: &str) {
        let service = match self.look().await {
            Ok(service) => service,
            Err(_) => return,
        };
        if let Lease::Held { by, .. } = Lease::of(&service)
            && by == self.claimed.id()
        {
            let now = SystemTime::now();
            let text = Lease::text(now, self.claimed.id());
            let tagged = self.place.aws.tag_service(arn, LEASE_TAG, &text).await;
            self.claimed.leased(arn, now, &tagged);
        }
    }
}

//! What this daemon knows of a service and has to do with its count: in memory, and on record for the next start.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::count::Claim;
use super::is_service;
use crate::aws::{self, Service};
use crate::config::ScaleDown;
use crate::state::{State as Records, TaskRecord};
use crate::status;

/// A lease is renewed so long before it is over.
const RENEWED_BEFORE: Duration = Duration::from_secs(60);

/// Knowledge of one service.
pub struct Claimed {
    name: String,
    records: Records,
    record: TaskRecord,
    /// Tells this daemon's leases from those of others. New at each start: a crash may have left one.
    id: String,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    claim: Claim,
    desired: Option<i32>,
    running: Option<i32>,
    decision: Option<String>,
    /// What it had to say before it was raised.
    events: Vec<String>,
    /// The service with a lease of ours, and until when that holds.
    lease: Option<(String, SystemTime)>,
    /// Tags may not be written.
    untagged: bool,
    just_lowered: bool,
}

impl Claimed {
    /// `record` is what the state file is to hold, but for the ARN; `earlier` what it holds already.
    pub fn new(
        name: &str,
        records: Records,
        record: TaskRecord,
        earlier: Option<&TaskRecord>,
    ) -> Self {
        let earlier = earlier.filter(|earlier| is_service(&earlier.arn));
        let record = earlier.cloned().unwrap_or(record);
        let known = Known {
            claim: earlier.map_or(Claim::None, |_| Claim::Remembered),
            decision: earlier.map(|_| "its count was raised by an earlier run".to_owned()),
            ..Known::default()
        };
        Self {
            name: name.to_owned(),
            records,
            record,
            id: format!("{:08x}", fastrand::u32(..)),
            known: Mutex::new(known),
        }
    }

    /// Which daemon a lease is of.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// For the status.
    pub fn shown(&self) -> status::Service {
        let known = self.lock();
        status::Service {
            name: self.name.clone(),
            desired: known.desired,
            running: known.running,
            decision: known.decision.clone(),
        }
    }

    /// What was decided about the count, and why.
    pub fn decided(&self, decision: String) {
        let mut known = self.lock();
        if known.decision.as_ref() != Some(&decision) {
            tracing::info!(service = %self.name, %decision, "service");
            known.decision = Some(decision);
        }
    }

    /// It was looked at. Once it is lowered, nobody has a part in it any more.
    pub fn seen(&self, service: &Service) {
        let mut known = self.lock();
        known.desired = Some(service.desired);
        known.running = Some(service.running);
        if service.desired == 0 {
            drop(known);
            self.forget();
        }
    }

    /// It does not exist any more, or not for long.
    pub fn gone(&self, error: &aws::Error) {
        let mut known = self.lock();
        (known.desired, known.running) = (None, None);
        known.decision = Some(error.message.clone());
    }

    /// It is about to be raised. That goes on record first.
    pub fn raising(&self, service: &Service, scale_down: ScaleDown) {
        let events = service.events.iter().map(|event| event.id.clone());
        self.lock().events = events.collect();
        if scale_down == ScaleDown::IfLast {
            self.records.record_task(TaskRecord {
                arn: service.arn.clone(),
                started_at: SystemTime::now().into(),
                ..self.record.clone()
            });
            self.lock().claim = Claim::Raised { tagged: false };
        }
    }

    /// It was raised.
    pub fn raised(&self) {
        self.lock().desired = Some(super::WANTED);
        self.decided("its count was raised from 0 to 1: a task was needed".to_owned());
    }

    /// It was lowered.
    pub fn lowered(&self, reason: &str) {
        self.forget();
        let mut known = self.lock();
        known.desired = Some(0);
        known.just_lowered = true;
        drop(known);
        let reason = reason.trim_start_matches("bastiond: ");
        self.decided(format!("its count was lowered from 1 to 0: {reason}"));
    }

    /// Somebody needs it: that it was lowered is past.
    pub fn wanted(&self) {
        self.lock().just_lowered = false;
    }

    /// Whether it was lowered since the last question.
    pub fn was_just_lowered(&self) -> bool {
        std::mem::take(&mut self.lock().just_lowered)
    }

    /// What it had to say before it was raised.
    pub fn known_events(&self) -> Vec<String> {
        self.lock().events.clone()
    }

    /// What this daemon has to do with the count.
    pub fn claim(&self) -> Claim {
        self.lock().claim
    }

    /// Whether it has anything to do with it.
    pub fn is_claimed(&self) -> bool {
        self.lock().claim != Claim::None
    }

    /// Nothing any more.
    pub fn forget(&self) {
        let mut known = self.lock();
        known.lease = None;
        if std::mem::take(&mut known.claim) == Claim::None {
            return;
        }
        drop(known);
        let contents = self.records.contents();
        let mut tasks = contents.tasks.iter();
        let is_it =
            |task: &&TaskRecord| task.bastion == self.record.bastion && is_service(&task.arn);
        if let Some(task) = tasks.find(is_it) {
            self.records.forget_task(&task.arn);
        }
    }

    /// The tag says that it is released, but it is not.
    pub fn is_not_released(&self) {
        self.lock().claim = Claim::Raised { tagged: false };
    }

    /// Whether tags may be written, as far as is known.
    pub fn may_tag(&self) -> bool {
        !self.lock().untagged
    }

    /// A lease was written, or not.
    pub fn leased(&self, arn: &str, until: SystemTime, tagged: &Result<(), aws::Error>) {
        let mut known = self.lock();
        match tagged {
            Ok(()) => {
                known.lease = Some((arn.to_owned(), until));
                if let Claim::Raised { tagged } = &mut known.claim {
                    *tagged = true;
                }
            }
            Err(error) => {
                known.untagged = matches!(error.kind, aws::Kind::Denied(_));
                tracing::info!(
                    service = %self.name, %error, hint = error.hint(),
                    "other daemons are not told that the service is in use, and will not lower its count"
                );
            }
        }
    }

    /// Whether there is no lease of ours, or not for long.
    pub fn lease_is_due(&self, now: SystemTime) -> bool {
        let known = self.lock();
        let lease = known.lease.as_ref();
        lease.is_none_or(|(_, until)| *until < now + RENEWED_BEFORE)
    }

    /// The service whose lease is to be renewed.
    pub fn leased_service(&self, now: SystemTime) -> Option<String> {
        let is_due = self.lease_is_due(now);
        let known = self.lock();
        let lease = known.lease.as_ref().filter(|_| is_due);
        lease.map(|(arn, _)| arn.clone())
    }

    /// The service that has a lease of ours which still holds.
    pub fn lease_to_withdraw(&self, now: SystemTime) -> Option<String> {
        let known = self.lock();
        let lease = known.lease.as_ref().filter(|(_, until)| *until > now);
        lease.map(|(arn, _)| arn.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! A service in the place of a task: its count is raised to one when a task is needed, the task that ECS then starts is
//! used, and the count is lowered again by the rule in `count`.
//!
//! Tasks are ECS's to start, to replace and to stop: none is run and none is stopped here. A bastion that waits for a task
//! is on the service itself, by its ARN, until there is one. That this daemon has raised a count is on record before it
//! is raised, so that the next start lowers it after a crash.

mod claimed;
mod count;
mod leases;
mod place;
mod tasks;

use std::time::SystemTime;

use super::calls::{self, Answer, Seen, trouble};
use super::lifecycle::{Action, Outcome, Phase, Sighting, Trouble};
use crate::aws::{self, Aws, Service, Task};
use crate::config::{self, ScaleDown};
use crate::state::{State as Records, TaskRecord};
use crate::status::{self, Reason};

use claimed::Claimed;
use count::{Verdict, WANTED};
use place::{Place, is_unfit};

pub use place::settle_left;

/// What a start waits for until there is a task.
const WAITING: &str = "waiting for the service to start a task";

/// Whether this is the ARN of a service, not of a task.
pub fn is_service(arn: &str) -> bool {
    arn.contains(":service/")
}

/// The calls of a bastion whose task is a service's.
pub struct ServiceCalls {
    place: Place,
    scale_down: ScaleDown,
    container: Option<String>,
    claimed: Claimed,
}

/// What became of a count that is not needed any more.
enum Settled {
    Lowered,
    Left,
    Later,
}

impl ServiceCalls {
    /// Calls for the service in `config`; `record` is what the state file is to hold when its count is raised, and `earlier`
    /// what an earlier run has put there.
    pub fn new(
        config: &config::Bastion,
        service: config::Service,
        aws: Aws,
        records: Records,
        record: TaskRecord,
        earlier: Option<&TaskRecord>,
    ) -> Self {
        Self {
            claimed: Claimed::new(service.short(), records, record, earlier),
            scale_down: service.scale_down,
            container: config.container.clone(),
            place: Place {
                aws,
                cluster: config.cluster.clone(),
                service: service.name,
            },
        }
    }

    /// The service, for the status.
    pub fn shown(&self) -> status::Service {
        self.claimed.shown()
    }

    /// Make a call. Each has a deadline of its own.
    pub async fn perform(&self, action: Action) -> Answer {
        match action {
            Action::Find => of_task(self.find().await, Outcome::Found),
            Action::Launch => match self.raise().await {
                Ok((sighting, seen)) => Answer {
                    outcome: Outcome::Launched(Ok(sighting)),
                    seen,
                },
                Err(trouble) => Outcome::Launched(Err(trouble)).into(),
            },
            Action::Describe(arn) if is_service(&arn) => {
                of_task(self.look_for_a_task().await, Outcome::Described)
            }
            Action::Describe(arn) => of_task(self.describe(&arn).await, Outcome::Described),
            Action::Probe(target) => {
                let status = self.place.aws.connection_status(&target).await;
                Outcome::Probed(status.map_err(trouble)).into()
            }
            Action::CountSessions(_) => {
                Outcome::Counted(self.count().await.map_err(trouble)).into()
            }
            Action::Stop { arn, reason } => {
                let result = self.stop(&reason).await;
                Outcome::Stopped { arn, result }.into()
            }
            Action::Settle => Outcome::Settled(self.settle().await).into(),
        }
    }

    async fn find(&self) -> Found {
        let service = self.look().await.map_err(trouble)?;
        self.claimed.wanted();
        if service.desired == 0 {
            return Ok(None);
        }
        let count = service.desired;
        self.claimed
            .decided(format!("its count is {count} already, so it is not raised"));
        self.prolong(&service).await;
        self.sight(&service).await.map(Some)
    }

    /// While there is no task, its service is looked at.
    async fn look_for_a_task(&self) -> Found {
        let service = match self.look().await {
            Ok(service) => service,
            Err(error) if is_unfit(&error) => return Ok(Some(self.without(error))),
            Err(error) => return Err(trouble(error)),
        };
        if service.desired == 0 {
            return Ok(Some((lowered(&service), None)));
        }
        self.prolong(&service).await;
        self.sight(&service).await.map(Some)
    }

    async fn describe(&self, arn: &str) -> Found {
        let arns = [arn.to_owned()];
        let cluster = &self.place.cluster;
        let tasks = self.place.aws.describe_tasks(cluster, &arns).await;
        let tasks = tasks.map_err(trouble)?;
        let task = tasks.into_iter().find(|task| task.arn == arn);
        let sighted = task.map(|task| self.sighted(&task));
        match &sighted {
            Some((sighting, _)) if matches!(sighting.phase, Phase::Coming(_)) => {
                self.prolong_if_due().await;
            }
            Some((sighting, _)) if matches!(sighting.phase, Phase::Up { .. }) => {}
            // Should its count have been lowered, this daemon has no part in it any more.
            _ => drop(self.look().await),
        }
        Ok(sighted)
    }

    /// The service's task that is to be used, or what keeps it from having one.
    async fn sight(&self, service: &Service) -> Result<(Sighting, Option<Seen>), Trouble> {
        let tasks = self.place.tasks().await.map_err(trouble)?;
        if let Some(task) = tasks::choose(service, &tasks) {
            return Ok(self.sighted(task));
        }
        if let Some(complaint) = tasks::complaint(service, &self.claimed.known_events()) {
            let error = self.place.aws.not_placed(complaint);
            return Ok(self.without(error));
        }
        Ok((sighting(&service.arn, Phase::Coming(WAITING)), None))
    }

    fn sighted(&self, task: &Task) -> (Sighting, Option<Seen>) {
        let mut phase = calls::phase(task, self.container.as_deref());
        if let Phase::Unusable(reason) = &mut phase
            && !task.enable_execute_command
        {
            let told = self.place.without_exec();
            *reason = Reason::new(reason.code.clone(), reason.message.clone())
                .with_hint(told.hint.unwrap_or_default());
        }
        (sighting(&task.arn, phase), Some(Seen::from(task)))
    }

    /// There is no task, and waiting for one is of no use.
    fn without(&self, error: aws::Error) -> (Sighting, Option<Seen>) {
        let mut reason = Reason::from(error);
        reason.hint = reason.hint.map(|hint| self.place.named(&hint));
        let phase = Phase::Going {
            reason,
            retries: 0,
            stopped: true,
        };
        (sighting(&self.place.service, phase), None)
    }

    /// Have it run a task, unless it does already.
    async fn raise(&self) -> Result<(Sighting, Option<Seen>), Trouble> {
        // Who may not see its tasks could neither use nor settle what was raised.
        let (service, tasks) = tokio::join!(self.look(), self.place.tasks());
        let service = service.and_then(|service| tasks.map(|_| service));
        let service = service.map_err(trouble)?;
        if service.desired > 0 {
            // Another laptop was faster.
            self.prolong(&service).await;
            return self.sight(&service).await;
        }
        if !service.exec {
            return Err(Trouble {
                reason: self.place.without_exec(),
                retry: false,
                ambiguous: false,
                ripens_in: None,
            });
        }
        self.claimed.raising(&service, self.scale_down);
        let Place {
            aws,
            cluster,
            service: name,
        } = &self.place;
        if let Err(error) = aws.scale_service(cluster, name, WANTED).await {
            if !error.is_ambiguous() {
                self.claimed.forget();
            }
            // What may have been raised all the same is on record, and settled later.
            return Err(Trouble {
                ambiguous: false,
                ..trouble(error)
            });
        }
        self.claimed.raised();
        if self.scale_down == ScaleDown::IfLast {
            self.lease(&service.arn).await;
        }
        Ok((sighting(&service.arn, Phase::Coming(WAITING)), None))
    }

    /// The sessions on the service, everybody's, whichever of its tasks they go through. Whoever counts wants to leave, and
    /// is not connecting any more.
    async fn count(&self) -> Result<usize, aws::Error> {
        if let Some(arn) = self.claimed.lease_to_withdraw(SystemTime::now()) {
            self.withdraw(&arn).await;
        }
        let sessions = self.place.sessions().await;
        if let Err(error) = &sessions {
            let why = "its count is left as it is: the sessions on it cannot be counted";
            self.claimed.decided(format!("{why}: {error}"));
        }
        sessions
    }

    /// Nobody has a session on it: lower it, if that is ours to do.
    async fn stop(&self, reason: &str) -> Result<(), Trouble> {
        let later = || Trouble {
            reason: Reason::new(
                "service_in_use",
                "somebody is connecting through the service",
            ),
            retry: true,
            ambiguous: false,
            ripens_in: None,
        };
        let settled = async {
            let service = self.look().await?;
            self.decide(&service, reason).await
        };
        match settled.await {
            Ok(Settled::Lowered | Settled::Left) => Ok(()),
            Ok(Settled::Later) => Err(later()),
            Err(error) if is_unfit(&error) => {
                self.claimed.forget();
                Ok(())
            }
            Err(error) => {
                self.claimed
                    .decided(format!("its count cannot be lowered: {error}"));
                Err(trouble(error))
            }
        }
    }

    /// There is no task at hand: whether nothing is left to do about the count.
    async fn settle(&self) -> bool {
        let was_lowered = self.claimed.was_just_lowered();
        let service = match self.look().await {
            Ok(service) => service,
            Err(error) if is_unfit(&error) => {
                self.claimed.forget();
                return true;
            }
            Err(_) => return false,
        };
        if was_lowered && service.desired > 0 {
            let count = service.desired;
            let again = format!("its count was raised to {count} again by somebody else");
            self.claimed.decided(format!("{again}, and is left alone"));
            return true;
        }
        if service.desired == 0 {
            return true;
        }
        match self.place.sessions().await {
            Ok(0) => {}
            Ok(_) | Err(_) => return !self.claimed.is_claimed(),
        }
        let settled = self
            .decide(&service, "bastiond: no task of it is in use")
            .await;
        matches!(settled, Ok(Settled::Lowered | Settled::Left))
    }

    /// By the rule; nobody has a session.
    async fn decide(&self, service: &Service, reason: &str) -> Result<Settled, aws::Error> {
        let (claim, me) = (self.claimed.claim(), self.claimed.id());
        let verdict = count::judge(service, self.scale_down, claim, me, SystemTime::now());
        match verdict {
            Verdict::Leave(why) => {
                self.claimed.decided(why);
                self.claimed.forget();
                Ok(Settled::Left)
            }
            Verdict::Later => {
                let why = "its count is not lowered now: somebody else is connecting";
                self.claimed.decided(why.to_owned());
                Ok(Settled::Later)
            }
            Verdict::Lower => {
                let lowered = self.place.lower(service).await;
                if lowered.is_err() {
                    self.claimed.is_not_released();
                }
                lowered?;
                self.claimed.lowered(reason);
                Ok(Settled::Lowered)
            }
        }
    }

    /// The service as it is now.
    async fn look(&self) -> Result<Service, aws::Error> {
        let service = self.place.look().await;
        match &service {
            Ok(service) => self.claimed.seen(service),
            Err(error) if is_unfit(error) => self.claimed.gone(error),
            Err(_) => {}
        }
        service
    }
}

/// What was found, as the lifecycle sees it and as the status shows it.
type Found = Result<Option<(Sighting, Option<Seen>)>, Trouble>;

fn of_task(
    found: Found,
    outcome: impl FnOnce(Result<Option<Sighting>, Trouble>) -> Outcome,
) -> Answer {
    match found {
        Ok(Some((sighting, seen))) => Answer {
            outcome: outcome(Ok(Some(sighting))),
            seen,
        },
        Ok(None) => outcome(Ok(None)).into(),
        Err(trouble) => outcome(Err(trouble)).into(),
    }
}

fn sighting(arn: &str, phase: Phase) -> Sighting {
    Sighting {
        arn: arn.to_owned(),
        phase,
    }
}

/// Somebody has lowered it while a task of it was waited for: it may be raised again.
fn lowered(service: &Service) -> Sighting {
    let message = format!("the count of service {} was lowered to 0", service.name);
    let phase = Phase::Going {
        reason: Reason::new("task_stopped", message),
        retries: 1,
        stopped: true,
    };
    sighting(&service.arn, phase)
}

//! The calls a bastion makes whose agent is in a task, and what their answers mean to its lifecycle.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::choose::choose;
use super::hybrid::Hybrid;
use super::launch::{self, Epoch};
use super::lifecycle::{Action, Agent, Outcome, Phase, REGISTERING, Sighting, Trouble};
use crate::aws::{self, Aws, Desired, Kind, Network, NoTarget, Retry, Task};
use crate::config::{Bastion, TaskAgent};
use crate::cost::Metered;
use crate::state::TaskRecord;
use crate::status::{Chosen, ChosenKind, Reason};

/// A role that was just made is not everywhere at once.
const ROLE_PAUSE: Duration = Duration::from_secs(5);
/// How often a token that names a stopped task is replaced before giving up.
const STALE_TOKENS: usize = 3;
/// How long what was found of the network is used again: it seldom changes.
const NETWORK_LASTS: Duration = Duration::from_secs(5 * 60);

/// What came of a call.
pub struct Answer {
    /// For the lifecycle.
    pub outcome: Outcome,
    /// The task, if one was seen.
    pub seen: Option<Seen>,
}

/// A task as last seen, for the status.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Its ARN.
    pub arn: String,
    /// `RUNNING` and so on.
    pub last_status: String,
    /// When it was asked for.
    pub created_at: Option<SystemTime>,
    /// When its containers ran.
    pub started_at: Option<SystemTime>,
    /// The node that it has registered itself as.
    pub node: Option<String>,
    /// For what it costs.
    pub metered: Metered,
}

/// The calls of one bastion.
pub struct Calls {
    config: Bastion,
    aws: Aws,
    owner: String,
    /// Who acts, for the reasons that AWS keeps.
    who: String,
    /// Of a launch that may have run a task though it failed: with the same token, the next gets that very task.
    unanswered: Mutex<Option<Epoch>>,
    /// For tasks that register themselves as nodes.
    hybrid: Option<Hybrid>,
    /// The network as it was last looked up, and until when that holds.
    network: Mutex<Option<(Network, Instant)>>,
}

impl Calls {
    /// Calls for the bastion in `config`; `earlier` is the task that an earlier run has left.
    pub fn new(
        config: Bastion,
        aws: Aws,
        owner: String,
        who: String,
        earlier: Option<&TaskRecord>,
    ) -> Self {
        let is_hybrid = config.agent == TaskAgent::Hybrid;
        Self {
            hybrid: is_hybrid.then(|| Hybrid::new(aws.clone(), earlier)),
            config,
            aws,
            owner,
            who,
            unanswered: Mutex::default(),
            network: Mutex::default(),
        }
    }

    /// Make a call. Each has a deadline of its own.
    pub async fn perform(&self, action: Action) -> Answer {
        match action {
            Action::Find => self.answer(self.find().await, Outcome::Found).await,
            Action::Launch => {
                let launched = self.launch().await.map(Some);
                self.answer(launched, |found| {
                    Outcome::Launched(found.map(|task| task.expect("a launch gives a task")))
                })
                .await
            }
            Action::Describe(arn) => {
                let described = self.describe(&arn).await;
                if let (Some(hybrid), Ok(None)) = (&self.hybrid, &described) {
                    hybrid.retire(&arn).await;
                }
                self.answer(described, Outcome::Described).await
            }
            Action::Probe(target) => {
                Outcome::Probed(self.aws.connection_status(&target).await.map_err(trouble)).into()
            }
            Action::CountSessions(arn) => {
                Outcome::Counted(self.count(&arn).await.map_err(trouble)).into()
            }
            Action::Stop { arn, reason } => {
                let reason = format!("{reason}, by {}", self.who);
                let stopped = self
                    .aws
                    .stop_task(&self.config.cluster, &arn, &reason)
                    .await;
                let result = stopped.map_err(trouble);
                if let Err(Trouble { reason, .. }) = &result {
                    tracing::warn!(task = %arn, error = %reason.message, "cannot stop the task");
                }
                if let (Some(hybrid), Ok(())) = (&self.hybrid, &result) {
                    hybrid.retire(&arn).await;
                }
                Outcome::Stopped { arn, result }.into()
            }
            // Nothing is left of a task that is not at hand.
            Action::Settle => Outcome::Settled(true).into(),
        }
    }

    async fn answer(
        &self,
        task: Result<Option<Task>, aws::Error>,
        outcome: impl FnOnce(Result<Option<Sighting>, Trouble>) -> Outcome,
    ) -> Answer {
        let mut seen = task.as_ref().ok().and_then(Option::as_ref).map(Seen::from);
        let sighting = match task {
            Ok(Some(task)) => self.sighting(&task).await.map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        if let (Some(seen), Some(hybrid)) = (&mut seen, &self.hybrid) {
            seen.node = hybrid.known(&seen.arn);
        }
        Answer {
            outcome: outcome(sighting.map_err(trouble)),
            seen,
        }
    }

    async fn find(&self) -> Result<Option<Task>, aws::Error> {
        let network = self.network().await?;
        let tasks = self.tasks(Desired::Running).await?;
        let wanted = launch::wanted(&self.config, &network, &self.owner);
        Ok(choose(&tasks, &wanted, SystemTime::now()).cloned())
    }

    /// Where the task runs, for the status.
    pub fn chosen(&self) -> Vec<Chosen> {
        let network = self.network.lock();
        let network = network.unwrap_or_else(PoisonError::into_inner);
        let network = network.as_ref();
        network.map_or_else(Vec::new, |(network, _)| network.chosen.clone())
    }

    async fn network(&self) -> Result<Network, aws::Error> {
        let known = self.known_network();
        if let Some((network, until)) = &known
            && Instant::now() < *until
        {
            return Ok(network.clone());
        }
        let wanted = &self.config.network;
        // Boxed: its many calls would make every future around it as large as all of them.
        let network = Box::pin(self.aws.network(wanted, self.config.family())).await?;
        if known.is_none_or(|(before, _)| before != network) {
            network.chosen.iter().for_each(log);
        }
        self.keep_network(network.clone(), Instant::now() + NETWORK_LASTS);
        Ok(network)
    }

    fn known_network(&self) -> Option<(Network, Instant)> {
        let known = self.network.lock();
        known.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep_network(&self, network: Network, until: Instant) {
        let mut known = self.network.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some((network, until));
    }

    /// ECS answers a token with the task it made, even when that has stopped since.
    async fn launch(&self) -> Result<Task, aws::Error> {
        let mut epoch = match self.unanswered() {
            Some(epoch) => epoch,
            None => Epoch::of(&self.tasks(Desired::Stopped).await?, SystemTime::now()),
        };
        for _ in 0..STALE_TOKENS {
            let task = self.launch_in(&epoch).await?;
            if task.desired_status != "STOPPED" && task.last_status != "STOPPED" {
                return Ok(task);
            }
            tracing::debug!(task = %task.arn, "the client token names a stopped task; taking another");
            epoch = Epoch::After(task.arn);
        }
        self.launch_in(&epoch).await
    }

    fn unanswered(&self) -> Option<Epoch> {
        let unanswered = self.unanswered.lock();
        unanswered.unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn launch_in(&self, epoch: &Epoch) -> Result<Task, aws::Error> {
        let network = self.network().await?;
        let request = launch::request(&self.config, &network, &self.owner, epoch);
        tracing::info!(cluster = %self.config.cluster, task_definition = %self.config.task_definition, "running a task");
        let mut run = self.aws.run_task(&request).await;
        if run
            .as_ref()
            .is_err_and(|error| error.kind == Kind::Capacity)
            && let Some(request) = launch::on_demand(&request)
        {
            tracing::warn!("there is no Spot capacity; running the task on demand");
            run = self.aws.run_task(&request).await;
        }
        if run.as_ref().is_err_and(is_of_network) {
            self.keep_network(network, Instant::now());
        }
        let is_unanswered = run.as_ref().is_err_and(aws::Error::is_ambiguous);
        *self
            .unanswered
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = is_unanswered.then(|| epoch.clone());
        match run {
            // Another laptop ran it in this moment, with other words.
            Err(error) if error.kind == Kind::Conflict => match error.resource_ids.first() {
                Some(arn) => self.describe(arn).await?.ok_or(error),
                None => Err(error),
            },
            other => other,
        }
    }

    /// The sessions on a task, everybody's, through all of its containers.
    async fn count(&self, arn: &str) -> Result<usize, aws::Error> {
        let mut sessions = 0;
        let targets = match &self.hybrid {
            Some(hybrid) => hybrid.known(arn).into_iter().collect(),
            None => self
                .describe(arn)
                .await?
                .iter()
                .flat_map(Task::addresses)
                .collect::<Vec<_>>(),
        };
        for target in targets {
            sessions += self.aws.active_sessions(&target).await?.len();
        }
        Ok(sessions)
    }

    async fn describe(&self, arn: &str) -> Result<Option<Task>, aws::Error> {
        let tasks = self
            .aws
            .describe_tasks(&self.config.cluster, &[arn.to_owned()])
            .await?;
        Ok(tasks.into_iter().find(|task| task.arn == arn))
    }

    async fn tasks(&self, desired: Desired) -> Result<Vec<Task>, aws::Error> {
        let family = self.config.family();
        let arns = self
            .aws
            .list_tasks(&self.config.cluster, Some(family), desired)
            .await?;
        if arns.is_empty() {
            return Ok(Vec::new());
        }
        self.aws.describe_tasks(&self.config.cluster, &arns).await
    }

    async fn sighting(&self, task: &Task) -> Result<Sighting, aws::Error> {
        let phase = match &self.hybrid {
            None => phase(task, self.config.container.as_deref()),
            Some(hybrid) => of_hybrid(hybrid, task).await?,
        };
        Ok(Sighting {
            arn: task.arn.clone(),
            phase,
        })
    }
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            seen: None,
        }
    }
}

impl From<&Task> for Seen {
    fn from(task: &Task) -> Self {
        Self {
            arn: task.arn.clone(),
            last_status: task.last_status.clone(),
            created_at: task.created_at,
            started_at: task.started_at,
            node: None,
            metered: Metered {
                arn: task.arn.clone(),
                size: task.size,
                began: task.pull_started_at,
            },
        }
    }
}

/// The same of a task that registers itself as a node. What it leaves behind is cleared away.
async fn of_hybrid(hybrid: &Hybrid, task: &Task) -> Result<Phase, aws::Error> {
    if let Some(phase) = before_or_after(task) {
        if let Phase::Going { stopped: true, .. } = phase {
            hybrid.retire(&task.arn).await;
        }
        return Ok(phase);
    }
    Ok(match hybrid.node_of(task).await? {
        Some(node) => Phase::Up {
            targets: vec![node],
            agent: Agent::Running,
            age: age(task),
        },
        None => Phase::Coming(REGISTERING),
    })
}

/// Whether another look at the network may help: something of it is gone, or a zone has no room.
fn is_of_network(error: &aws::Error) -> bool {
    matches!(error.kind, Kind::Invalid | Kind::NotFound | Kind::Capacity)
}

fn log(chosen: &Chosen) {
    let Chosen {
        kind,
        value,
        reason,
    } = chosen;
    match kind {
        ChosenKind::Subnet => tracing::info!(subnet = %value, %reason, "network"),
        ChosenKind::SecurityGroup => tracing::info!(security_group = %value, %reason, "network"),
        ChosenKind::PublicIp => tracing::info!(public_ip = %value, %reason, "network"),
        ChosenKind::Caution => tracing::warn!(%reason, "network"),
    }
}

/// What the lifecycle needs to know of a task.
pub fn phase(task: &Task, container: Option<&str>) -> Phase {
    if let Some(phase) = before_or_after(task) {
        return phase;
    }
    match task.targets(container) {
        Ok(targets) => Phase::Up {
            targets,
            agent: agent(task, container),
            age: age(task),
        },
        Err(NoTarget::NotYet) => Phase::Coming(task.phase()),
        Err(
            error @ (NoTarget::ExecDisabled
            | NoTarget::UnknownContainer { .. }
            | NoTarget::Ambiguous { .. }),
        ) => Phase::Unusable(Reason::new("no_target", error.to_string())),
    }
}

/// The phase of a task that is not RUNNING, or not for long.
fn before_or_after(task: &Task) -> Option<Phase> {
    // A word that is not known is no reason to give up what may work.
    let serves = !matches!(
        task.last_status.as_str(),
        "DEACTIVATING" | "STOPPING" | "DEPROVISIONING" | "STOPPED" | "DELETED"
    );
    if !serves || task.desired_status == "STOPPED" {
        let diagnosis = aws::diagnose(task);
        let mut reason = Reason::new("task_stopped", diagnosis.summary);
        reason.hint = diagnosis.hint;
        let retries = match diagnosis.retry {
            Retry::Times(times) => times,
            Retry::OnDemand => 1,
            Retry::No | Retry::After(_) => 0,
        };
        return Some(Phase::Going {
            reason,
            retries,
            stopped: !serves,
        });
    }
    (task.last_status != "RUNNING").then(|| Phase::Coming(task.phase()))
}

fn age(task: &Task) -> Duration {
    let created = task.created_at;
    let age = created.and_then(|at| SystemTime::now().duration_since(at).ok());
    age.unwrap_or_default()
}

fn agent(task: &Task, container: Option<&str>) -> Agent {
    let agent = task.agent(container);
    match agent.status.as_str() {
        "RUNNING" => Agent::Running,
        "STOPPED" => Agent::Stopped(agent.reason.unwrap_or_else(|| "no reason given".to_owned())),
        _ => Agent::Pending,
    }
}

/// A call that failed, in the terms of the lifecycle.
pub fn trouble(error: aws::Error) -> Trouble {
    Trouble {
        ripens_in: (error.kind == Kind::RoleNotReady).then_some(ROLE_PAUSE),
        retry: error.is_retryable(),
        ambiguous: error.is_ambiguous(),
        reason: error.into(),
    }
}

//! What an earlier run that crashed left behind: its sessions are ended. Its tasks are adopted by
//! their bastions; those that no bastion wants any more are stopped, unless somebody uses them.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::accounts::Accounts;
use crate::aws::{self, Aws, SessionId};
use crate::bastion::{self, instance, service};
use crate::config::Config;
use crate::state::{Contents, SessionRecord, State, TaskRecord};

/// First and longest pause before what could not be ended is tried again: at login the network may not be up yet, and
/// a laptop may be offline for long.
const AGAIN: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));
/// AWS allows no session to last longer (Session Manager preferences), so what is older is over.
const LONGEST_SESSION: Duration = Duration::from_secs(24 * 3600);

/// What an earlier run left, and nobody has taken over.
pub struct Leftovers {
    /// Who ends them.
    who: String,
    /// Sessions that may be open.
    sessions: Vec<SessionRecord>,
    /// Tasks that may run.
    tasks: Vec<TaskRecord>,
}

impl Leftovers {
    /// What no bastion of `config` adopts of what was there at the end of an `earlier` run.
    pub fn of(config: &Config, earlier: Contents, who: &str) -> Self {
        let is_wanted = |task: &TaskRecord| {
            let mut bastions = config.bastions.values();
            bastions.any(|bastion| bastion::is_wanted(task, bastion))
        };
        let mut tasks = earlier.tasks;
        tasks.retain(|task| !is_wanted(task));
        Self {
            who: who.to_owned(),
            sessions: earlier.sessions,
            tasks,
        }
    }

    /// End all of it, trying again what cannot be ended yet, until cancelled. That stays in the state file meanwhile.
    pub async fn clear(mut self, accounts: Arc<Accounts>, state: State, cancel: CancellationToken) {
        // The calls are futures so deep that the compiler would not follow them through a further one.
        let clearing = Box::pin(async {
            let mut pause = AGAIN.0;
            loop {
                self.end(&accounts, &state).await;
                if self.sessions.is_empty() && self.tasks.is_empty() {
                    return;
                }
                sleep(pause).await;
                pause = (2 * pause).min(AGAIN.1);
            }
        });
        cancel.run_until_cancelled(clearing).await;
    }

    /// Keeps what could not be ended.
    async fn end(&mut self, accounts: &Accounts, state: &State) {
        for session in std::mem::take(&mut self.sessions) {
            let aws = &accounts.of_tunnel(&session.tunnel).aws;
            if !end_session(aws, state, &session).await {
                self.sessions.push(session);
            }
        }
        for task in std::mem::take(&mut self.tasks) {
            let aws = &accounts.of_bastion(&task.bastion).aws;
            match stop_task(aws, &task, &self.who).await {
                Ok(true) => {
                    forget_node(aws, &task).await;
                    state.forget_task(&task.arn);
                }
                Ok(false) => {
                    tracing::info!(task = %task.arn, "a task of an earlier run is in use, so it stays");
                }
                Err(error) => {
                    tracing::warn!(task = %task.arn, %error, "cannot stop a task of an earlier run");
                    self.tasks.push(task);
                }
            }
        }
    }
}

/// Whether it is over.
async fn end_session(aws: &Aws, state: &State, session: &SessionRecord) -> bool {
    let ended = aws.terminate_session(&SessionId::new(&session.id)).await;
    match &ended {
        Ok(()) => tracing::info!(session = %session.id, "ended a session of an earlier run"),
        Err(error) => {
            tracing::warn!(session = %session.id, %error, "cannot end a session of an earlier run");
        }
    }
    let age = OffsetDateTime::now_utc() - session.started_at;
    let is_over = ended.is_ok() || age > LONGEST_SESSION;
    if is_over {
        state.forget_session(&session.id);
    }
    is_over
}

/// Stop a task that nobody uses; `false` when somebody does.
async fn stop_task(aws: &Aws, record: &TaskRecord, who: &str) -> Result<bool, aws::Error> {
    if record.cluster.is_empty() {
        return stop_machine(aws, &record.arn).await;
    }
    if service::is_service(&record.arn) {
        return service::settle_left(aws, record).await;
    }
    let arns = [record.arn.clone()];
    let tasks = aws.describe_tasks(&record.cluster, &arns).await?;
    let Some(task) = tasks.first().filter(|task| task.last_status != "STOPPED") else {
        return Ok(true);
    };
    let targets = task.addresses().into_iter().chain(record.node.clone());
    for target in targets {
        if !aws.active_sessions(&target).await?.is_empty() {
            return Ok(false);
        }
    }
    let reason = format!("bastiond: no longer wanted by the configuration, by {who}");
    aws.stop_task(&record.cluster, &record.arn, &reason).await?;
    tracing::info!(task = %record.arn, "stopped a task that the configuration no longer wants");
    Ok(true)
}

/// What the task had registered itself as is of no use any more.
async fn forget_node(aws: &Aws, task: &TaskRecord) {
    let Some(node) = &task.node else { return };
    match aws.deregister_node(node).await {
        Ok(()) => tracing::info!(node, "deregistered the node of a task of an earlier run"),
        Err(error) => tracing::warn!(node, %error, "cannot deregister the node of an earlier run"),
    }
}

/// The same of an instance in the place of a task; a node is never stopped.
async fn stop_machine(aws: &Aws, id: &str) -> Result<bool, aws::Error> {
    if !id.starts_with("i-") {
        return Ok(true);
    }
    if !aws.active_sessions(id).await?.is_empty() {
        return Ok(false);
    }
    instance::stop(aws, id, "no longer wanted by the configuration").await?;
    Ok(true)
}

//! Tasks and sessions that a daemon of ours started and that none looks after: found, and ended when asked to.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, timeout};

use super::accounts::Accounts;
use crate::aws::{self, Aws, OpenSession, Task};
use crate::bastion::hybrid;
use crate::status::{Orphan, OrphanKind, OrphanState, Problem, Reason};
use crate::{bastion, config, tunnel};

/// What is younger may be somebody's who is just starting it.
const YOUNGEST: Duration = Duration::from_secs(120);
/// Lists of many pages, and a call for each task that is left.
const LIMIT: Duration = Duration::from_secs(120);

/// Where they are looked for, and what is no orphan.
pub struct Orphans {
    pub accounts: Arc<Accounts>,
    pub bastions: Vec<config::Bastion>,
    /// Whose tasks are ours in user mode.
    pub user: String,
    /// Whose sessions are ours.
    pub who: String,
    /// Those that look after tasks, and after sessions.
    pub holders: Vec<bastion::Handle>,
    pub tunnels: Vec<tunnel::Handle>,
}

impl Orphans {
    /// All there are; those that can be are ended if `end` is asked for.
    pub async fn find(&self, end: bool) -> Result<Vec<Orphan>, Problem> {
        let work = async {
            let mut found = self.tasks(end).await?;
            found.extend(self.sessions(end).await?);
            Ok::<_, aws::Error>(found)
        };
        let reason = match timeout(LIMIT, work).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(error)) => Reason::from(error),
            Err(_) => Reason::new(
                "aws_timeout",
                format!("AWS has not told all within {} s", LIMIT.as_secs()),
            ),
        };
        Err(Problem::new(
            "orphans",
            reason,
            SystemTime::now(),
            Duration::ZERO,
        ))
    }

    async fn tasks(&self, end: bool) -> Result<Vec<Orphan>, aws::Error> {
        let mut places: Vec<(&Aws, &str)> = Vec::new();
        let of_tasks = self.bastions.iter().filter(|it| it.machine.is_none());
        for bastion in of_tasks {
            let account = self.accounts.of_bastion(&bastion.name);
            let place = (&account.aws, bastion.cluster.as_str());
            let is_known = |(aws, cluster): &(&Aws, &str)| aws.is(place.0) && *cluster == place.1;
            if !places.iter().any(is_known) {
                places.push(place);
            }
        }
        let mut found = Vec::new();
        for (aws, cluster) in places {
            for task in aws.running_tasks(cluster).await? {
                let Some(why) = self.why(&task) else { continue };
                if self.is_used(aws, &task).await? {
                    continue;
                }
                let mut orphan = of_task(&task, aws, cluster, why);
                if end && !self.holds_task(&task.arn) {
                    let reason = format!("bastiond: ended by {} as an orphan", self.user);
                    settle(
                        &mut orphan,
                        aws.stop_task(cluster, &task.arn, &reason).await,
                    );
                }
                found.push(orphan);
            }
        }
        Ok(found)
    }

    /// Why a task is ours and nobody's, as far as it tells itself.
    fn why(&self, task: &Task) -> Option<&'static str> {
        let tag = |key: &str| task.tags.get(key).map(String::as_str);
        tag("bastiond:stack")?;
        // The task of a service is not left behind: ECS looks after it.
        let group = task.group.as_deref().unwrap_or_default();
        if group.starts_with("service:") {
            return None;
        }
        let is_old = age(task.created_at).is_none_or(|age| age >= YOUNGEST);
        if !is_old || task.desired_status != "RUNNING" || self.holds_task(&task.arn) {
            return None;
        }
        match tag("bastiond:mode") {
            Some("user") if tag("bastiond:owner") == Some(&self.user) => {
                Some("yours, without a daemon")
            }
            Some("shared") => Some("shared, without a session of anybody"),
            _ => None,
        }
    }

    async fn is_used(&self, aws: &Aws, task: &Task) -> Result<bool, aws::Error> {
        let mut targets = task.addresses();
        if !task.enable_execute_command {
            let nodes = hybrid::nodes_of(aws, task).await?;
            if nodes.is_empty() {
                // Nobody can tell.
                return Ok(true);
            }
            targets.extend(nodes);
        }
        for target in targets {
            if !aws.active_sessions(&target).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn sessions(&self, end: bool) -> Result<Vec<Orphan>, aws::Error> {
        let mut found = Vec::new();
        for account in self.accounts.all() {
            let aws = &account.aws;
            for session in aws.open_sessions().await? {
                if !self.is_ours(&session) || self.holds_session(session.id.as_str()) {
                    continue;
                }
                let mut orphan = of_session(&session, aws);
                if end && !self.holds_session(session.id.as_str()) {
                    settle(&mut orphan, aws.terminate_session(&session.id).await);
                }
                found.push(orphan);
            }
        }
        Ok(found)
    }

    /// Its reason says that a daemon of this user on this machine started it.
    fn is_ours(&self, session: &OpenSession) -> bool {
        let reason = session.reason.as_deref().unwrap_or_default();
        let by_us = reason
            .strip_prefix("bastiond: tunnel ")
            .and_then(|rest| rest.strip_suffix(&self.who))
            .is_some_and(|rest| rest.ends_with(" of "));
        by_us && age(session.started_at).is_none_or(|age| age >= YOUNGEST)
    }

    fn holds_task(&self, arn: &str) -> bool {
        let now = Instant::now();
        let mut tasks = self.holders.iter().filter_map(|it| it.status(now).task);
        tasks.any(|task| task.arn == arn)
    }

    fn holds_session(&self, id: &str) -> bool {
        let now = Instant::now();
        let mut sessions = self.tunnels.iter().flat_map(|it| it.status(now).sessions);
        sessions.any(|session| session.id.as_deref() == Some(id))
    }
}

fn of_task(task: &Task, aws: &Aws, cluster: &str, why: &str) -> Orphan {
    Orphan {
        kind: OrphanKind::Task,
        id: task.arn.clone(),
        region: aws.region().to_owned(),
        place: cluster.to_owned(),
        why: why.to_owned(),
        age_seconds: age(task.created_at).map(|age| age.as_secs()),
        state: OrphanState::Found,
        error: None,
    }
}

fn of_session(session: &OpenSession, aws: &Aws) -> Orphan {
    Orphan {
        kind: OrphanKind::Session,
        id: session.id.to_string(),
        region: aws.region().to_owned(),
        place: session.target.clone(),
        why: "yours, without a tunnel".to_owned(),
        age_seconds: age(session.started_at).map(|age| age.as_secs()),
        state: OrphanState::Found,
        error: None,
    }
}

fn settle(orphan: &mut Orphan, ended: Result<(), aws::Error>) {
    match ended {
        Ok(()) => {
            tracing::info!(id = %orphan.id, "ended an orphan");
            orphan.state = OrphanState::Ended;
        }
        Err(error) => {
            tracing::warn!(id = %orphan.id, %error, "cannot end an orphan");
            orphan.state = OrphanState::Failed;
            orphan.error = Some(error.to_string());
        }
    }
}

/// A clock that is behind AWS's makes nothing old.
fn age(since: Option<SystemTime>) -> Option<Duration> {
    let age = SystemTime::now().duration_since(since?);
    Some(age.unwrap_or_default())
}

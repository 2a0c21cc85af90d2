//! A new configuration for a daemon that runs: what has changed is started anew, all else goes on.
//!
//! A bad file changes nothing: the old configuration stays in force, and the status says why. What goes makes room
//! first: a tunnel's listeners are closed before its successor binds, while its open connections get `shutdown_timeout`
//! to finish. A bastion goes after its tunnels; it leaves its task to a successor that wants the same.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::accounts::Accounts;
use super::overview::Parts;
use super::plan::Plan;
use super::{Daemon, LISTEN_PATIENCE};
use crate::config::Config;
use crate::events::Change;
use crate::sources::{self, Sources};
use crate::status::{Problem, Reason, Reloaded, SCHEMA};
use crate::{bastion, tunnel};

/// What a disk is given to hand out a file.
const READ_PATIENCE: Duration = Duration::from_secs(10);

impl Daemon {
    /// Read the configuration again and apply what has changed.
    pub(super) async fn reload(&mut self) -> Result<Reloaded, Problem> {
        let done = self.try_reload().await;
        self.parts().refused = done.as_ref().err().cloned();
        match &done {
            Ok(plan) => {
                let summary = plan.summary();
                tracing::info!("the configuration is read again: {summary}");
                self.events
                    .tell(Change::of_daemon("reloaded").because(summary));
            }
            Err(problem) => tracing::warn!("{}", problem.message),
        }
        done.map(Reloaded::from)
    }

    async fn try_reload(&mut self) -> Result<Plan, Problem> {
        let Some(sources) = self.sources.clone() else {
            let why = "this daemon was given no file to read again";
            return Err(problem(Reason::new("not_reloadable", why)));
        };
        let config = read(sources.clone()).await.map_err(problem)?;
        let accounts = Accounts::connect(&config, &self.way, Some(&self.accounts)).await;
        let accounts = accounts.map_err(|error| problem(error.into()))?;
        let plan = Plan::between(&self.config, &config);
        self.apply(&plan, config, Arc::new(accounts)).await;
        self.in_force.set(&sources);
        Ok(plan)
    }

    async fn apply(&mut self, plan: &Plan, config: Config, accounts: Arc<Accounts>) {
        let tunnels = self.close_tunnels(plan).await;
        let bastions = self.take_bastions(plan, &config).await;
        self.retiring.spawn(async move {
            for tunnel in &tunnels {
                tunnel.ended().await;
            }
            bastions.iter().for_each(CancellationToken::cancel);
        });
        self.helpers.shutdown().await;
        self.on_event.send_if_modified(|command| {
            let is_new = *command != config.on_event;
            command.clone_from(&config.on_event);
            is_new
        });
        (self.config, self.accounts) = (config, accounts);
        self.start_bastions(|name| plan.new_bastions.iter().any(|new| new == name));
        self.start_tunnels(|name| plan.starts(name));
        self.start_helpers();
        self.listening().await;
        self.show();
        self.reap();
    }

    /// Those that go accept nothing any more when this returns.
    async fn close_tunnels(&mut self, plan: &Plan) -> Vec<tunnel::Handle> {
        let goes = |tunnel: &mut tunnel::Handle| plan.ends(tunnel.name());
        let mut going: Vec<tunnel::Handle> = self.tunnels.extract_if(.., goes).collect();
        for tunnel in &going {
            tunnel.command(tunnel::Command::Close).await;
        }
        let unbound = async {
            for tunnel in &mut going {
                tunnel.unbound().await;
            }
        };
        let _ = timeout(LISTEN_PATIENCE, unbound).await;
        going
    }

    /// The ends of those that go.
    async fn take_bastions(&mut self, plan: &Plan, config: &Config) -> Vec<CancellationToken> {
        let recorded = self.state.contents().tasks;
        let mut ends = Vec::new();
        for name in &plan.old_bastions {
            let successor = config.bastions.get(name);
            let is_kept = successor
                .is_some_and(|new| recorded.iter().any(|task| bastion::is_wanted(task, new)));
            if let Some(bastion) = self.bastions.remove(name)
                && is_kept
            {
                bastion.leave().await;
            }
            ends.extend(self.ends.remove(name));
        }
        ends
    }

    /// From now on the status is made of what runs now.
    pub(super) fn show(&self) {
        let mut parts = self.parts();
        parts.tunnels.clone_from(&self.tunnels);
        parts.bastions = self.bastions.values().cloned().collect();
        parts.accounts = Arc::clone(&self.accounts);
        parts.prices.clone_from(&self.config.prices);
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forget what has ended, so that nothing grows with the number of reloads.
    fn reap(&mut self) {
        for tasks in [
            &mut self.tunnel_tasks,
            &mut self.bastion_tasks,
            &mut self.observers,
            &mut self.retiring,
        ] {
            while tasks.try_join_next().is_some() {}
        }
    }
}

impl From<Plan> for Reloaded {
    fn from(plan: Plan) -> Self {
        Self {
            schema: SCHEMA,
            added: plan.added,
            removed: plan.removed,
            changed: plan.changed,
            unchanged: plan.unchanged,
            needs_restart: plan.needs_restart,
        }
    }
}

async fn read(sources: Sources) -> Result<Config, Reason> {
    let reading = timeout(READ_PATIENCE, spawn_blocking(move || sources.read()));
    match reading.await {
        Ok(Ok(read)) => read.map_err(|error| refused(&error)),
        Ok(Err(_)) | Err(_) => Err(Reason::new(
            "config_unreadable",
            "the configuration cannot be read in time",
        )),
    }
}

/// The mistakes in one line: the status has no others.
fn refused(error: &sources::Error) -> Reason {
    let code = match error {
        sources::Error::Wrong { .. } => "config_wrong",
        sources::Error::Missing(_) | sources::Error::Unreadable { .. } => "config_unreadable",
    };
    let said = error.to_string();
    let lines = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("hint: "));
    let said = lines.collect::<Vec<_>>().join("; ");
    let message = format!("what was in force before stays in force, since {said}");
    Reason::new(code, message).with_hint("bastiond config check, then bastiond ctl reload")
}

fn problem(reason: Reason) -> Problem {
    Problem::new("configuration", reason, SystemTime::now(), Duration::ZERO)
}

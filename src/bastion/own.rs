//! A bastion that this process runs for itself, where no daemon does: for a shell, or for a look at how it starts.
//!
//! Nothing is remembered for a next start: what a crash leaves behind, the watchdog in the container ends.

use std::path::PathBuf;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Handle, Lease, Shared};
use crate::aws::Aws;
use crate::config;
use crate::platform;
use crate::state::{Contents, State};
use crate::status::{self, Reason};

/// See the module. [`Own::end`] ends it; a task that is on its way is not to be dropped.
pub struct Own {
    handle: Handle,
    /// For as long as this lives.
    lease: Option<Lease>,
    end: CancellationToken,
    tasks: JoinSet<()>,
}

impl Own {
    /// It runs nothing yet. `pace` stretches the waits between looks; 1 in earnest.
    pub fn new(config: config::Bastion, aws: &Aws, pace: f64) -> Self {
        let (records, _) = State::new(PathBuf::new(), Contents::default());
        let begin = CancellationToken::new();
        let end = CancellationToken::new();
        let user = platform::local_user();
        let shared = Shared {
            aws: aws.clone(),
            records,
            who: format!("{user} on {}", platform::host_name()),
            owner: user,
            pace,
            begin: begin.clone(),
        };
        let mut tasks = JoinSet::new();
        let handle = super::spawn(&mut tasks, config, None, shared, end.clone());
        begin.cancel();
        Self {
            handle,
            lease: None,
            end,
            tasks,
        }
    }

    /// Have it run, and kept.
    pub async fn lease(&mut self) -> Result<(), Reason> {
        self.lease = Some(self.handle.lease().await?);
        Ok(())
    }

    /// As the status shows it.
    pub fn status(&self) -> status::Bastion {
        self.handle.status(Instant::now())
    }

    /// To follow what it waits for.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Nobody needs it any more: its task goes by its rule.
    pub async fn end(mut self) {
        self.lease = None;
        self.end.cancel();
        while self.tasks.join_next().await.is_some() {}
    }

    /// The same, but whatever runs goes on.
    pub async fn leave(self) {
        self.handle.leave().await;
        self.end().await;
    }
}

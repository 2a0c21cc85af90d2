//! What a tunnel holds while it uses a bastion's task.

use std::future::pending;

use tokio::sync::watch;

use crate::status::Reason;

/// A claim that the task be running.
#[derive(Debug, Clone)]
pub struct Lease {
    targets: Vec<String>,
    /// `None` for a fixed target, which is nobody's to watch.
    going: Option<watch::Receiver<Option<Going>>>,
}

/// The task behind a lease is going away.
#[derive(Debug, Clone)]
pub struct Going {
    /// Why.
    pub reason: Reason,
    /// It has stopped already; before that, open connections may go on for a while.
    pub stopped: bool,
}

impl Lease {
    /// A lease on something that runs anyway.
    pub fn fixed(target: &str) -> Self {
        Self {
            targets: vec![target.to_owned()],
            going: None,
        }
    }

    /// A lease on a task that is watched.
    pub(super) fn watched(targets: &[String], going: watch::Receiver<Option<Going>>) -> Self {
        Self {
            targets: targets.to_vec(),
            going: Some(going),
        }
    }

    /// What StartSession may be given: a target for each container with an agent.
    pub fn targets(&self) -> &[String] {
        &self.targets
    }

    /// Whether it is on `target`.
    pub fn is_on(&self, target: &str) -> bool {
        self.targets.iter().any(|known| known == target)
    }

    /// Wait until the task is going away.
    pub async fn going(&mut self) -> Going {
        let Some(going) = &mut self.going else {
            return pending().await;
        };
        match going.wait_for(Option::is_some).await {
            Ok(going) => going.clone().expect("waited for it"),
            Err(_) => Going {
                reason: Reason::new("shutting_down", "the daemon is shutting down"),
                stopped: false,
            },
        }
    }

    /// Wait until a task that was going away has gone.
    pub async fn gone(&mut self) -> Going {
        let Some(going) = &mut self.going else {
            return pending().await;
        };
        let has_gone = |going: &Option<Going>| going.as_ref().is_some_and(|going| going.stopped);
        let gone = going.wait_for(has_gone).await.ok();
        let Some(gone) = gone.and_then(|going| going.clone()) else {
            // Nobody watches it any more; its sessions end by themselves.
            return pending().await;
        };
        gone
    }
}

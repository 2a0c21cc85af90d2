//! A task beside the daemon's own, and what ends it.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// It is aborted if nobody ends it.
pub struct Beside {
    end: CancellationToken,
    task: AbortOnDropHandle<()>,
}

impl Beside {
    /// Spawn what `task` makes of the token that ends it.
    pub fn spawn<F>(task: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::under(CancellationToken::new(), task)
    }

    /// The same for a task that ends with `end` as well.
    pub fn under<F>(end: CancellationToken, task: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let task = AbortOnDropHandle::new(tokio::spawn(task(end.clone())));
        Self { end, task }
    }

    /// Tell it to end, and wait until it has.
    pub async fn end(self) {
        self.end.cancel();
        let _ = self.task.await;
    }

    /// The same, but for so long at the most.
    pub async fn end_within(self, patience: Duration) {
        let _ = timeout(patience, self.end()).await;
    }
}

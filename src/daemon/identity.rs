//! Who we are to AWS, for the status: asked when a session is started, never before anybody connects.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::aws::Aws;

/// Ask at each start; what is known for the present credentials is not asked again.
pub fn spawn(aws: Aws, starting: Arc<Notify>, cancel: CancellationToken) -> AbortOnDropHandle<()> {
    let asking = async move {
        loop {
            starting.notified().await;
            match aws.identity().await {
                Ok(identity) => tracing::debug!(arn = %identity.arn, "known to AWS"),
                // Whoever wanted the session hears of it by the same words.
                Err(error) => tracing::debug!(%error, "cannot tell who we are"),
            }
        }
    };
    AbortOnDropHandle::new(tokio::spawn(async move {
        tokio::select! {
            () = asking => {}
            () = cancel.cancelled() => {}
        }
    }))
}

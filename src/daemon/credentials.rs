//! Credentials while the daemon runs: renewed ahead while sessions are open, and found again after a sign-in.

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::aws::Aws;
use crate::tunnel;

/// Look after them until cancelled.
pub fn spawn(
    aws: Aws,
    tunnels: Vec<tunnel::Handle>,
    cancel: CancellationToken,
) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        tokio::select! {
            () = aws.watch_for_sign_in() => {}
            () = aws.renew_ahead(|| tunnels.iter().any(tunnel::Handle::has_sessions)) => {}
            () = cancel.cancelled() => {}
        }
    }))
}

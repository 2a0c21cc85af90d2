//! Credentials while the daemon runs: renewed ahead while sessions are open, and found again after a sign-in.

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::aws::Aws;
use crate::tunnel;

/// Look after them until cancelled.
pub fn spawn(aws: Aws, tunnels: Vec<tunnel::Handle>, cancel: CancellationToken) -> JoinHandle<()> {
    tokio::spawn(async move {
        tokio::select! {
            () = aws.watch_for_sign_in() => {}
            () = aws.renew_ahead(|| tunnels.iter().any(tunnel::Handle::has_sessions)) => {}
            () = cancel.cancelled() => {}
        }
    })
}

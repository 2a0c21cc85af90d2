//! What an earlier run that crashed left behind: its sessions are ended. Its tasks are adopted by
//! their bastions.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::aws::{Aws, SessionId};
use crate::state::{Contents, State};

/// Pause between calls: TerminateSession allows six a second in a whole account.
const PACE: Duration = Duration::from_millis(500);

/// End the sessions in `contents`. What cannot be ended stays in the state file.
pub fn spawn(
    aws: Aws,
    state: State,
    contents: Contents,
    cancel: CancellationToken,
) -> JoinHandle<()> {
    let ending = async move {
        for session in contents.sessions {
            let id = SessionId::new(&session.id);
            match aws.terminate_session(&id).await {
                Ok(()) => {
                    tracing::info!(session = %session.id, "ended a session of an earlier run");
                    state.forget_session(&session.id);
                }
                Err(error) => {
                    tracing::warn!(session = %session.id, %error, "cannot end a session of an earlier run");
                    if !error.is_retryable() && !error.needs_login() {
                        state.forget_session(&session.id);
                    }
                }
            }
            sleep(PACE).await;
        }
    };
    tokio::spawn(async move {
        tokio::select! {
            () = ending => {}
            () = cancel.cancelled() => {}
        }
    })
}

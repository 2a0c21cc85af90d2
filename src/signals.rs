//! SIGINT and SIGTERM: the first asks for an orderly end, the second ends the process at once.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit codes of a process that was ended by SIGINT and by SIGTERM (128 and the signal's number).
const INTERRUPTED: i32 = 130;
const TERMINATED: i32 = 143;

/// Cancel `cancel` at the first signal. Listens for as long as the runtime lives.
///
/// # Errors
/// When the system does not let signals be caught.
pub fn cancel_on_signal(cancel: CancellationToken) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        let mut signals = 0;
        loop {
            let code = tokio::select! {
                _ = interrupt.recv() => INTERRUPTED,
                _ = terminate.recv() => TERMINATED,
            };
            signals += 1;
            if signals > 1 {
                std::process::exit(code);
            }
            tracing::info!("stopping; a second signal ends at once");
            cancel.cancel();
        }
    });
    Ok(())
}

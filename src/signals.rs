//! SIGINT, SIGTERM and SIGHUP: the first asks for an orderly end, the second ends the process at once.
//!
//! SIGHUP means that the terminal is gone. That ends what runs in it; a daemon in the background takes no notice.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit codes of a process that was ended by SIGINT and by SIGTERM (128 and the signal's number).
const INTERRUPTED: i32 = 130;
const TERMINATED: i32 = 143;
/// The same of SIGHUP.
const HUNG_UP: i32 = 129;

/// What a terminal that is closed means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangup {
    /// The end.
    Ends,
    /// Nothing: the process is not in it.
    Ignored,
}

/// Cancel `cancel` at the first signal. Listens for as long as the runtime lives.
///
/// # Errors
/// When the system does not let signals be caught.
pub fn cancel_on_signal(cancel: CancellationToken, on_hangup: Hangup) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        let mut signals = 0;
        loop {
            let code = tokio::select! {
                _ = interrupt.recv() => INTERRUPTED,
                _ = terminate.recv() => TERMINATED,
                _ = hangup.recv() => HUNG_UP,
            };
            if (code, on_hangup) == (HUNG_UP, Hangup::Ignored) {
                tracing::info!("a hangup means nothing to a daemon in the background");
                continue;
            }
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

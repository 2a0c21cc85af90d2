//! SIGINT, SIGTERM and SIGHUP: the first asks for an orderly end, the second ends the process at once.
//!
//! SIGHUP means that the terminal is gone. That ends what runs in it. In the background and under a service manager there
//! is none: there it asks a daemon to read its configuration again.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use rustix::process::Pid;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
};
use tokio_util::sync::CancellationToken;

/// Exit codes of a process that was ended by SIGINT and by SIGTERM (128 and the signal's number).
const INTERRUPTED: i32 = 130;
const TERMINATED: i32 = 143;
/// The same of SIGHUP.
const HUNG_UP: i32 = 129;

/// What SIGHUP means.
#[derive(Clone, Debug)]
pub enum Hangup {
    /// The end.
    Ends,
    /// The configuration is to be read again: whoever waits is told.
    Reloads(Arc<Notify>),
}

impl Hangup {
    /// For a daemon that is `detached`, or that a service manager runs, no terminal can be closed: systemd waits to be
    /// told by it, and launchd is its parent.
    pub fn of_daemon(is_detached: bool, reload: &Arc<Notify>) -> Hangup {
        let is_waited_for = std::env::var_os("NOTIFY_SOCKET").is_some();
        let has_init_as_parent = rustix::process::getppid() == Some(Pid::INIT);
        match is_detached || is_waited_for || has_init_as_parent {
            true => Hangup::Reloads(Arc::clone(reload)),
            false => Hangup::Ends,
        }
    }
}

/// Which signal came first, if one has.
#[derive(Clone, Debug, Default)]
pub struct First(Arc<OnceLock<i32>>);

impl First {
    /// What a process that it has ended exits with.
    pub fn exit_code(&self) -> Option<u8> {
        self.0.get().and_then(|code| u8::try_from(*code).ok())
    }
}

/// Cancel `cancel` at the first signal. Listens for as long as the runtime lives.
///
/// # Errors
/// When the system does not let signals be caught.
pub fn cancel_on_signal(cancel: CancellationToken, on_hangup: Hangup) -> io::Result<First> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let first = First::default();
    let came = first.clone();
    tokio::spawn(async move {
        let mut signals = 0;
        loop {
            let code = tokio::select! {
                _ = interrupt.recv() => INTERRUPTED,
                _ = terminate.recv() => TERMINATED,
                _ = hangup.recv() => HUNG_UP,
            };
            if let (HUNG_UP, Hangup::Reloads(reload)) = (code, &on_hangup) {
                reload.notify_one();
                continue;
            }
            signals += 1;
            if signals > 1 {
                std::process::exit(code);
            }
            let _ = came.0.set(code);
            tracing::info!("stopping; a second signal ends at once");
            cancel.cancel();
        }
    });
    Ok(first)
}

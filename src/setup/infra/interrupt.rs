//! Ctrl-C and the like while a stack is being made: what was prepared is taken back, and what goes on in AWS is told.
//!
//! Questions block the thread that asks them, so signals are waited for by a task of their own, on another thread of the
//! runtime. It ends the process. A call that changes something holds the state meanwhile, so that it is never broken off
//! between what AWS does and what is known of it.

use std::{process, sync::Arc, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{Mutex, MutexGuard},
    task::JoinHandle,
    time::timeout,
};

use super::apply::Prepared;

/// Taking back is two calls.
const LIMIT: Duration = Duration::from_secs(60);

/// What an interruption would leave behind.
#[derive(Clone, Debug, Default)]
pub(super) enum Behind {
    /// Nothing.
    #[default]
    Nothing,
    /// A change set that nobody carries out.
    Prepared(Prepared),
    /// Something that stays, in words.
    Stays(String),
}

/// Waits for signals until it is dropped.
pub(super) struct Interrupts {
    behind: Arc<Mutex<Behind>>,
    watcher: JoinHandle<()>,
}

impl Interrupts {
    /// From now on.
    pub fn watch() -> anyhow::Result<Self> {
        let behind = Arc::<Mutex<Behind>>::default();
        let signals = Signals::new()?;
        let watcher = tokio::spawn(watch(signals, behind.clone()));
        Ok(Self { behind, watcher })
    }

    /// What is left behind, to be changed. Nobody is interrupted while this is held.
    pub async fn hold(&self) -> MutexGuard<'_, Behind> {
        self.behind.lock().await
    }

    /// From now on an interruption leaves this behind.
    pub async fn leaves(&self, behind: Behind) {
        *self.hold().await = behind;
    }
}

impl Behind {
    /// What CloudFormation works on, and the command that follows it.
    pub fn goes_on(again: &str) -> Self {
        Self::Stays(format!(
            "CloudFormation goes on without this; to follow it: {again}"
        ))
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

struct Signals([(Signal, i32); 3]);

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self([
            (signal(SignalKind::interrupt())?, 130),
            (signal(SignalKind::terminate())?, 143),
            (signal(SignalKind::hangup())?, 129),
        ]))
    }

    /// The exit code of the next one.
    async fn next(&mut self) -> i32 {
        let Self(
            [
                (interrupt, interrupted),
                (terminate, terminated),
                (hangup, hung_up),
            ],
        ) = self;
        tokio::select! {
            _ = interrupt.recv() => *interrupted,
            _ = terminate.recv() => *terminated,
            _ = hangup.recv() => *hung_up,
        }
    }
}

/// The first signal takes back, a second one ends at once.
async fn watch(mut signals: Signals, behind: Arc<Mutex<Behind>>) {
    let code = signals.next().await;
    // Held to the end: what is being asked must not go on meanwhile.
    let held = async {
        let behind = behind.lock().await;
        settle(&behind).await;
        process::exit(code);
    };
    tokio::select! {
        () = held => {}
        code = signals.next() => process::exit(code),
    }
}

async fn settle(behind: &Behind) {
    match behind {
        Behind::Nothing => crate::errln!("\nnothing was changed"),
        Behind::Stays(words) => crate::errln!("\n{words}"),
        Behind::Prepared(prepared) => {
            crate::errln!("\ntaking back what was prepared");
            match timeout(LIMIT, prepared.take_back()).await {
                Ok(Ok(())) => crate::errln!("nothing was changed"),
                Ok(Err(error)) => {
                    crate::errln!("it could not be taken back: {error}; {}", prepared.left())
                }
                Err(_) => crate::errln!("it could not be taken back in time; {}", prepared.left()),
            }
        }
    }
}

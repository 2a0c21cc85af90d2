//! A bastion that is kept for as long as a shell is in it: by the daemon if one runs, else by ourselves.

use std::convert::Infallible;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::aws::Aws;
use crate::bastion::Own;
use crate::config;
use crate::control::{
    self,
    client::{Client, Error},
};
use crate::paths::Paths;
use crate::status;

/// How often a hold is prolonged: twice before it is over.
const PROLONG: Duration = Duration::from_secs(control::HOLD.as_secs() / 3);
/// How often what a start waits for is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// The claim. [`Claim::release`] ends it.
pub enum Claim {
    /// The daemon keeps it, for as long as it is asked to.
    Daemon {
        /// Asks again and again.
        _prolonging: AbortOnDropHandle<()>,
    },
    /// It is run by this process.
    Own(Own),
}

impl Claim {
    /// Have the bastion run, unless `cancel` comes first. Gives its task as well, or the machine in its place.
    pub async fn take(
        bastion: &config::Bastion,
        aws: &Aws,
        paths: &Paths,
        cancel: &CancellationToken,
    ) -> anyhow::Result<(Self, status::Task)> {
        let client = Client::new(&paths.socket);
        let shown = Progress::start(&bastion.name);
        let held = tokio::select! {
            held = client.hold(&bastion.name) => held,
            never = shown.follow(|| daemons_phase(&client, &bastion.name)) => match never {},
            () = cancel.cancelled() => bail!("interrupted"),
        };
        match held {
            Ok(held) => {
                let task = held.task.context("the bastion has no task")?;
                let name = bastion.name.clone();
                let _prolonging = AbortOnDropHandle::new(tokio::spawn(prolong(client, name)));
                Ok((Self::Daemon { _prolonging }, task))
            }
            Err(Error::Unreachable { .. }) => Self::own(bastion, aws, &shown, cancel).await,
            Err(error) => match error.hint() {
                Some(hint) => Err(anyhow::anyhow!("{error}\nhint: {hint}")),
                None => Err(error.into()),
            },
        }
    }

    async fn own(
        bastion: &config::Bastion,
        aws: &Aws,
        shown: &Progress,
        cancel: &CancellationToken,
    ) -> anyhow::Result<(Self, status::Task)> {
        let mut own = Own::new(bastion.clone(), aws, 1.0);
        let handle = own.handle().clone();
        let leased = tokio::select! {
            leased = own.lease() => Some(leased),
            never = shown.follow(async || Some(handle.phase())) => match never {},
            () = cancel.cancelled() => None,
        };
        match (leased, own.status().task) {
            (Some(Ok(())), Some(task)) => Ok((Self::Own(own), task)),
            (failed, _) => {
                own.end().await;
                match failed {
                    Some(Err(reason)) => match reason.hint {
                        Some(hint) => bail!("{}\nhint: {hint}", reason.message),
                        None => bail!(reason.message),
                    },
                    Some(Ok(())) => bail!("the bastion has no task"),
                    None => bail!("interrupted"),
                }
            }
        }
    }

    /// Nobody needs it any more.
    pub async fn release(self) {
        if let Self::Own(own) = self {
            own.end().await;
        }
    }
}

/// A daemon that is restarted meanwhile adopts the task, and is asked again.
async fn prolong(client: Client, bastion: String) {
    loop {
        sleep(PROLONG).await;
        if let Err(error) = client.hold(&bastion).await {
            tracing::warn!(%error, "the daemon does not keep the bastion for us");
        }
    }
}

async fn daemons_phase(client: &Client, bastion: &str) -> Option<String> {
    let status = client.status().await.ok()?;
    let bastion = status.bastions.into_iter().find(|it| it.name == bastion)?;
    bastion.detail
}

/// What a start waits for, on one line of a terminal's standard error.
struct Progress {
    name: String,
    since: Instant,
    talks: bool,
}

impl Progress {
    fn start(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            since: Instant::now(),
            talks: std::io::stderr().is_terminal(),
        }
    }

    /// Shows the phase until it is dropped.
    async fn follow<F: Future<Output = Option<String>>>(
        &self,
        phase: impl Fn() -> F,
    ) -> Infallible {
        let mut line = Line { shown: false };
        loop {
            sleep(LOOK).await;
            let seconds = self.since.elapsed().as_secs();
            if let Some(phase) = phase().await.filter(|_| self.talks && seconds > 0) {
                line.show(&format!("bastion {}: {phase}, {seconds} s", self.name));
            }
        }
    }
}

/// A line that is wiped when it is dropped.
struct Line {
    shown: bool,
}

impl Line {
    fn show(&mut self, text: &str) {
        self.shown = true;
        let _ = write!(std::io::stderr(), "\r\x1b[K{text}");
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

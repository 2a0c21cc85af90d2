//! Bastions that are started to see how long each phase takes, and ended again: by the daemon if one runs, else by
//! ourselves. What ran before goes on running.

use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::facts::Start;
use super::progress::Progress;
use crate::aws::Aws;
use crate::bastion::Own;
use crate::config::{self, OnShutdown};
use crate::control::client::{Client, Error};
use crate::paths::Paths;
use crate::state;
use crate::status::{self, BastionState, Reason};

/// A bastion that was started. [`Run::end`] undoes it.
pub struct Run {
    /// Its name.
    pub bastion: String,
    /// How it went.
    pub start: Start,
    kind: Kind,
}

enum Kind {
    /// By ourselves.
    Own(Own),
    /// By the daemon, for this tunnel.
    Daemon(Client, String),
    /// Not at all.
    None,
}

/// What a start is made with.
pub struct Starter<'a> {
    /// Where the daemon and the records are.
    pub paths: &'a Paths,
    /// Stretches the waits; 1 in earnest.
    pub pace: f64,
    /// Cancelled when nobody waits any more.
    pub end: &'a CancellationToken,
    /// Where it shows what it waits for.
    pub progress: &'a Progress,
}

impl Starter<'_> {
    /// Starts a bastion for one of its tunnels.
    pub async fn start(&self, bastion: &config::Bastion, tunnel: &str, aws: &Aws) -> Run {
        let _shown = self
            .progress
            .on(&format!("starting bastion {}", bastion.name));
        let client = Client::new(&self.paths.socket);
        let (start, kind) = match client.status().await {
            Ok(status) => self.by_daemon(client, &status, bastion, tunnel).await,
            Err(Error::Unreachable { .. }) => self.by_ourselves(bastion, aws).await,
            Err(error) => (Start::failed(reason_of(&error)), Kind::None),
        };
        Run {
            bastion: bastion.name.clone(),
            start,
            kind,
        }
    }

    async fn by_daemon(
        &self,
        client: Client,
        status: &status::Status,
        bastion: &config::Bastion,
        tunnel: &str,
    ) -> (Start, Kind) {
        let named = |it: &&status::Bastion| it.name == bastion.name;
        let Some(before) = status.bastions.iter().find(named) else {
            let reason = Reason::new("unknown_bastion", "the daemon does not know the bastion");
            return (
                Start::failed(reason.with_hint("bastiond ctl reload")),
                Kind::None,
            );
        };
        if !matches!(before.state, BastionState::Stopped | BastionState::Failed) {
            return (Start::ran(), Kind::None);
        }
        let up = tokio::select! {
            up = client.up(tunnel) => up.map(drop).map_err(|error| reason_of(&error)),
            () = self.end.cancelled() => Err(interrupted()),
        };
        let after = client.status().await.ok();
        let after = after.and_then(|status| status.bastions.into_iter().find(|it| named(&it)));
        let start = match after {
            Some(after) => Start::of(&after, after.usual_start.clone(), up.err()),
            None => Start::failed(up.err().unwrap_or_else(interrupted)),
        };
        (start, Kind::Daemon(client, tunnel.to_owned()))
    }

    async fn by_ourselves(&self, bastion: &config::Bastion, aws: &Aws) -> (Start, Kind) {
        let terms = config::Bastion {
            on_shutdown: OnShutdown::Stop,
            ..bastion.clone()
        };
        let mut own = Own::new(terms, aws, self.pace);
        let leased = tokio::select! {
            leased = own.lease() => leased,
            () = self.end.cancelled() => Err(interrupted()),
        };
        let usual = usual(&self.paths.state, &bastion.name);
        let start = Start::of(&own.status(), usual, leased.err());
        (start, Kind::Own(own))
    }
}

impl Run {
    /// As it was before, unless somebody needs it by now.
    pub async fn end(self) {
        match self.kind {
            Kind::None => {}
            Kind::Own(own) if self.start.ran => own.leave().await,
            Kind::Own(own) => own.end().await,
            Kind::Daemon(client, tunnel) => {
                let status = client.status().await;
                let tunnels = status.iter().flat_map(|status| &status.tunnels);
                let mut ours = tunnels.filter(|it| it.name == tunnel);
                if ours.any(|it| it.connections == 0)
                    && let Err(error) = client.down(&tunnel).await
                {
                    crate::errln!(
                        "cannot stop what was started: {error}\nhint: bastiond ctl down {tunnel}"
                    );
                }
            }
        }
    }
}

/// How long its starts usually take, by what daemons have written down.
fn usual(folder: &Path, bastion: &str) -> Option<status::UsualStart> {
    let contents = state::load(folder).contents;
    let (records, _) = state::State::new(folder.to_owned(), contents);
    records.usual_start(bastion)
}

fn interrupted() -> Reason {
    Reason::new("interrupted", "it was interrupted")
}

fn reason_of(error: &Error) -> Reason {
    let reason = Reason::new("control", error.to_string());
    match error.hint() {
        Some(hint) => reason.with_hint(hint),
        None => reason,
    }
}

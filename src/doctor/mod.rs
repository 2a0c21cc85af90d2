//! `bastiond doctor`: looks at everything that a tunnel needs, from this machine to the running task, and says what to
//! do about what is wrong.
//!
//! `checks` is the table: each row has a pure judge. `gather` asks for the facts that the chosen rows need, and never
//! for more. Nothing is changed by looking: the session that shows whether a database answers is ended again, and so is
//! what `--start` has started.
//!
//! ```text
//! chosen checks ─▶ gather (calls, a few at a time) ─▶ facts ─▶ judges ─▶ Report ─▶ text or JSON
//! ```

mod check;
mod checks;
mod choose;
mod facts;
#[cfg(test)]
mod fixture;
mod gather;
#[cfg(test)]
mod page;
mod place;
mod progress;
mod report;
mod start;
mod text;
mod way;
mod ways;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::aws::{Aws, Source};
use crate::cli;
use crate::config::{self, Config};
use crate::net::{self, Net};
use crate::paths::Paths;

pub use check::Level;
pub use progress::Progress;
pub use report::{Count, Finding, Report, SCHEMA};

use check::{Check, Judge, Verdict};
use gather::{Gatherer, Trials};
use place::Place;
use start::Starter;

/// What to look at, and with what.
pub struct Request {
    /// The configuration, or what is wrong with it.
    pub config: Result<Config, String>,
    /// Where things are.
    pub paths: Paths,
    /// Where credentials come from.
    pub source: Source,
    /// Accounts that are signed in to already, by their terms.
    pub known: Vec<(config::Aws, Aws)>,
    /// The environment.
    pub lookup: fn(&str) -> Option<String>,
    /// Ids of checks; none: all.
    pub only: Vec<String>,
    /// A tunnel's name; none: all.
    pub tunnel: Option<String>,
    /// A database that says nothing for so long does not get the packets.
    pub silence: Duration,
    /// Start the bastions, to see how long each phase takes; what ran before goes on running, all else is ended again.
    pub start: bool,
    /// Stretches the waits of a start; 1 in earnest.
    pub pace: f64,
    /// Cancelled when nobody waits for the report any more.
    pub end: CancellationToken,
}

/// For [`Request::silence`]: three of TCP's attempts.
pub const SILENCE: Duration = Duration::from_secs(5);

/// The id of every check that is made without a start, with the IAM actions that it takes.
pub fn needs() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    let checks = checks::all().filter(|check| !checks::is_of_start(check));
    checks.map(|check| (check.id, check.needs))
}

/// Run it, and print what was found, unless `end` is cancelled before.
///
/// # Errors
/// When a check or a tunnel is named that does not exist, or it was interrupted.
pub async fn run(
    args: &cli::Doctor,
    paths: Paths,
    config: Result<Config, String>,
    end: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let progress = Progress::on_stderr();
    let request = Request {
        config,
        paths,
        source: Source::Machine,
        known: Vec::new(),
        lookup: |name| std::env::var(name).ok(),
        only: args.only.clone(),
        tunnel: args.tunnel.clone(),
        silence: SILENCE,
        start: args.start,
        pace: 1.0,
        end,
    };
    let report = examine(&request, progress.clone()).await;
    progress.clear();
    let report = report?;
    match args.json {
        true => crate::outln!("{}", serde_json::to_string_pretty(&report)?),
        false => crate::output::styled(&text::render(&report)),
    }
    Ok(ExitCode::from(report.exit_code()))
}

/// Look at everything that was asked for. What was started is ended before this ends.
///
/// # Errors
/// When a check or a tunnel is named that does not exist, or it was interrupted.
pub async fn examine(request: &Request, progress: Progress) -> anyhow::Result<Report> {
    let checks = choose::checks(&request.only, request.start)?;
    if let (Ok(config), Some(name)) = (&request.config, &request.tunnel)
        && !config.tunnels.iter().any(|tunnel| tunnel.name == *name)
    {
        bail!("no tunnel is called `{name}`");
    }
    let trials = Trials::new(request.silence);
    let gatherer = Gatherer::new(&checks, progress.clone(), Arc::clone(&trials));
    let net = Net::new(request.lookup);
    let places = match (&request.config, &net) {
        (Ok(config), Ok(net)) => place::all(request, config, net).await,
        _ => Vec::new(),
    };
    let runs = match request.start {
        true => started(request, &places, &progress).await,
        false => Vec::new(),
    };
    let looked = look(request, &gatherer, &net, &places, &runs);
    let looked = request.end.run_until_cancelled(Box::pin(looked)).await;
    trials.end().await;
    join_all(runs.into_iter().map(start::Run::end)).await;
    let Some((machine, seen)) = looked else {
        bail!("interrupted");
    };
    let findings = checks
        .iter()
        .flat_map(|check| judged(check, &machine, &seen));
    Ok(Report::new(findings.collect()))
}

/// Not broken off: each start ends by itself when the request does, and gives what has to be undone.
async fn started(request: &Request, places: &[Place], progress: &Progress) -> Vec<start::Run> {
    let starter = Starter {
        paths: &request.paths,
        pace: request.pace,
        end: &request.end,
        progress,
    };
    let starts = places.iter().map(|place| place.start(&starter));
    join_all(starts).await.into_iter().flatten().collect()
}

async fn look(
    request: &Request,
    gatherer: &Gatherer,
    net: &Result<Net, net::Error>,
    places: &[Place],
    runs: &[start::Run],
) -> (facts::Machine, Vec<place::Seen>) {
    let config = request.config.as_ref();
    let (machine, status) = gather::machine(
        &request.paths,
        &request.lookup,
        config.map(|it| it.tunnels.len()).map_err(Clone::clone),
        net.as_ref().map(|_| ()).map_err(ToString::to_string),
    )
    .await;
    let Ok(net) = net else {
        return (machine, Vec::new());
    };
    let seen = places.iter().map(|place| {
        let (gatherer, status) = (gatherer.fork(), status.as_ref());
        async move { place.look(&gatherer, net, status, runs).await }
    });
    (machine, join_all(seen).await)
}

/// What a check says of each of its subjects.
fn judged(check: &Check, machine: &facts::Machine, seen: &[place::Seen]) -> Vec<Finding> {
    let finding = |subject: &str, verdict: Result<Verdict, check::Gap>| {
        let verdict = verdict.unwrap_or_else(Verdict::from);
        Finding::new(check, subject, &verdict)
    };
    match check.judge {
        Judge::Machine(judge) => vec![finding("this machine", judge(machine))],
        Judge::Account(judge) => seen
            .iter()
            .map(|place| finding(&place.subject, judge(&place.account)))
            .collect(),
        Judge::Bastion(judge) => seen
            .iter()
            .flat_map(|place| &place.bastions)
            .map(|it| finding(&format!("bastion {}", it.config.name), judge(it)))
            .collect(),
        Judge::Tunnel(judge) => seen
            .iter()
            .flat_map(|place| &place.tunnels)
            .map(|it| finding(&format!("tunnel {}", it.config.name), judge(it)))
            .collect(),
        Judge::Node(judge) => seen
            .iter()
            .flat_map(|place| &place.nodes)
            .map(|it| finding(&it.subject, judge(it)))
            .collect(),
    }
}

//! `bastiond doctor`: looks at everything that a tunnel needs, from this machine to the running task, and says what to
//! do about what is wrong.
//!
//! `checks` is the table: each row has a pure judge. `gather` asks for the facts that the chosen rows need, and never
//! for more. Nothing is changed by looking.
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
mod text;
mod ways;

use std::process::ExitCode;

use anyhow::bail;

use crate::aws::{Aws, Source};
use crate::cli;
use crate::config::{self, Config};
use crate::net::Net;
use crate::paths::Paths;

pub use check::Level;
pub use progress::Progress;
pub use report::{Count, Finding, Report, SCHEMA};

use check::{Check, Judge, Verdict};
use gather::Gatherer;

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
}

/// The id of every check, with the IAM actions that it takes.
pub fn needs() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    checks::all().map(|check| (check.id, check.needs))
}

/// Run it, and print what was found.
///
/// # Errors
/// When a check or a tunnel is named that does not exist.
pub async fn run(
    args: &cli::Doctor,
    paths: Paths,
    config: Result<Config, String>,
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
    };
    let report = examine(&request, progress.clone()).await;
    progress.clear();
    let report = report?;
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => anstream::print!("{}", text::render(&report)),
    }
    Ok(ExitCode::from(report.exit_code()))
}

/// Look at everything that was asked for.
///
/// # Errors
/// When a check or a tunnel is named that does not exist.
pub async fn examine(request: &Request, progress: Progress) -> anyhow::Result<Report> {
    let checks = choose::checks(&request.only)?;
    let gatherer = Gatherer::new(&checks, progress);
    let net = Net::new(request.lookup);
    let config = &request.config;
    if let (Ok(config), Some(name)) = (config, &request.tunnel)
        && !config.tunnels.iter().any(|tunnel| tunnel.name == *name)
    {
        bail!("no tunnel is called `{name}`");
    }
    let (machine, status) = gather::machine(
        &request.paths,
        &request.lookup,
        config
            .as_ref()
            .map(|it| it.tunnels.len())
            .map_err(Clone::clone),
        net.as_ref().map(|_| ()).map_err(ToString::to_string),
    )
    .await;
    let places = match (config, &net) {
        (Ok(config), Ok(net)) => {
            let places = place::all(request, config, net).await;
            let seen = places
                .iter()
                .map(|place| place.look(&gatherer, net, status.as_ref()));
            futures_util::future::join_all(seen).await
        }
        _ => Vec::new(),
    };
    let findings = checks
        .iter()
        .flat_map(|check| judged(check, &machine, &places));
    Ok(Report::new(findings.collect()))
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
    }
}

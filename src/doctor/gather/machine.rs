//! This machine: its daemon and its proxies.

use std::os::unix::fs::MetadataExt as _;

use crate::control::client::{Client, Error};
use crate::doctor::facts::{Daemon, Machine, Proxies};
use crate::paths::Paths;
use crate::status::Status;

/// Variables that name a proxy.
const PROXIES: [&str; 3] = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"];
const EXCEPTIONS: &str = "NO_PROXY";

/// What is known of it, and the daemon's status if there is one.
pub async fn machine(
    paths: &Paths,
    lookup: &(dyn Fn(&str) -> Option<String> + Send + Sync),
    config: Result<usize, String>,
    network: Result<(), String>,
) -> (Machine, Option<Status>) {
    let (daemon, status) = daemon(paths).await;
    let machine = Machine {
        config_path: paths.config.display().to_string(),
        config,
        daemon,
        proxies: proxies(lookup),
        network,
    };
    (machine, status)
}

async fn daemon(paths: &Paths) -> (Daemon, Option<Status>) {
    let status = match Client::new(&paths.socket).status().await {
        Ok(status) => status,
        Err(Error::Unreachable { .. }) => return (Daemon::Absent, None),
        Err(error) => return (Daemon::Odd(error.to_string()), None),
    };
    let mode = std::fs::metadata(&paths.socket).map_or(0o600, |it| it.mode());
    let daemon = Daemon::Runs {
        version: status.daemon.version.clone(),
        pid: status.daemon.pid,
        mode,
    };
    (daemon, Some(status))
}

fn proxies(lookup: &(dyn Fn(&str) -> Option<String> + Send + Sync)) -> Proxies {
    let get = |name: &str| lookup(name).filter(|value| !value.is_empty());
    let both = |name: &str| (get(name), get(&name.to_lowercase()));
    let is_set = |name: &&'static str| {
        let (upper, lower) = both(name);
        upper.is_some() || lower.is_some()
    };
    let differs = |name: &&'static str| {
        let (upper, lower) = both(name);
        upper.is_some() && lower.is_some() && upper != lower
    };
    let (upper, lower) = both(EXCEPTIONS);
    let all = PROXIES.into_iter().chain([EXCEPTIONS]);
    Proxies {
        set: PROXIES.into_iter().filter(is_set).collect(),
        differing: all.filter(differs).collect(),
        exceptions: upper.or(lower),
    }
}

//! `ctl restart`: of a tunnel, or of the daemon itself, which is asked for it and waited for until the new one answers.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Failure, POLL, print, progress, told};
use crate::control::client::{Client, Error};
use crate::exit::Exit;
use crate::status;

/// Connections get their `shutdown_timeout`, sessions their end; then the new one starts.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) async fn tunnel(client: &Client, tunnel: &str) -> Result<Exit, Failure> {
    let call = client.restart(tunnel);
    Ok(told(progress::shown(client, Some(tunnel), call).await?))
}

pub(super) async fn daemon(client: &Client) -> Result<Exit, Failure> {
    let before = client.status().await?.daemon;
    client.restart_daemon().await?;
    let patient = client.clone().patient();
    let deadline = Instant::now() + LIMIT;
    loop {
        match patient.status().await {
            Ok(status) if status.daemon.instance != before.instance => {
                print(&news(&before, &status.daemon));
                return Ok(Exit::Ok);
            }
            // The old one breaks off what it has not answered yet.
            Ok(_) | Err(Error::Gone { .. }) if Instant::now() < deadline => sleep(POLL).await,
            Ok(_) => break,
            Err(error) => return Err(error.into()),
        }
    }
    crate::errln!(
        "error: bastiond (pid {}) is still finishing after {} s\nhint: bastiond ctl status",
        before.pid,
        LIMIT.as_secs()
    );
    Ok(Exit::Timeout)
}

fn news(before: &status::Daemon, after: &status::Daemon) -> String {
    let (pid, old, new) = (after.pid, &before.version, &after.version);
    match old == new {
        true => format!("bastiond (pid {pid}) has restarted, version {new}\n"),
        false => {
            format!("bastiond (pid {pid}) has restarted, version {old} before and {new} now\n")
        }
    }
}

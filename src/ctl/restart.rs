//! `ctl restart --daemon`: asks for it, and waits until the new one answers.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{FAILED, POLL, print};
use crate::control::client::{Client, Error};
use crate::status;

/// Connections get their `shutdown_timeout`, sessions their end; then the new one starts.
const LIMIT: Duration = Duration::from_secs(60);

/// See the module.
pub async fn run(client: &Client) -> Result<u8, Error> {
    let before = client.status().await?.daemon;
    client.restart_daemon().await?;
    let patient = client.clone().patient();
    let deadline = Instant::now() + LIMIT;
    loop {
        match patient.status().await {
            Ok(status) if status.daemon.instance != before.instance => {
                print(&told(&before, &status.daemon));
                return Ok(0);
            }
            // The old one breaks off what it has not answered yet.
            Ok(_) | Err(Error::Gone { .. }) if Instant::now() < deadline => sleep(POLL).await,
            Ok(_) => break,
            Err(error) => return Err(error),
        }
    }
    eprintln!(
        "error: bastiond (pid {}) is still finishing after {} s\nhint: bastiond ctl status",
        before.pid,
        LIMIT.as_secs()
    );
    Ok(FAILED)
}

fn told(before: &status::Daemon, after: &status::Daemon) -> String {
    let (pid, old, new) = (after.pid, &before.version, &after.version);
    match old == new {
        true => format!("bastiond (pid {pid}) has restarted, version {new}\n"),
        false => {
            format!("bastiond (pid {pid}) has restarted, version {old} before and {new} now\n")
        }
    }
}

//! `ctl wait`.

use std::time::Duration;

use tokio::time::Instant;

use super::{Failure, failure::Failure::Usage, print, progress, told};
use crate::{
    cli,
    control::{
        Goal,
        client::{Client, Error},
    },
    exit::Exit,
};

/// The daemon takes no wait that is longer: then it is asked again.
const AT_ONCE: Duration = Duration::from_secs(9 * 60);

pub(super) async fn wait(
    client: &Client,
    tunnel: Option<&str>,
    goal: cli::Goal,
    limit: &str,
) -> Result<Exit, Failure> {
    let limit = humantime::parse_duration(limit)
        .map_err(|_| Usage(format!("`{limit}` is not a time such as 30s or 2m")))?;
    let goal = match goal {
        cli::Goal::Ready => Goal::Ready,
        cli::Goal::Idle => Goal::Idle,
        cli::Goal::Stopped => Goal::Stopped,
    };
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let piece = left.min(AT_ONCE).max(Duration::from_millis(1));
        let waited = progress::shown(client, tunnel, once(client, tunnel, goal, piece)).await;
        match waited {
            Err(Failure::Call(Error::Refused(refusal)))
                if refusal.code == "wait_timeout" && left > AT_ONCE => {}
            other => return other,
        }
    }
}

async fn once(
    client: &Client,
    tunnel: Option<&str>,
    goal: Goal,
    limit: Duration,
) -> Result<Exit, Failure> {
    match tunnel {
        Some(tunnel) => Ok(told(client.wait(tunnel, goal, limit).await?)),
        None => {
            let status = client.wait_for_all(goal, limit).await?;
            let count = status.tunnels.len();
            let noun = if count == 1 {
                "tunnel is"
            } else {
                "tunnels are"
            };
            print(&format!("{count} {noun} {goal}\n"));
            Ok(Exit::Ok)
        }
    }
}

//! `reload_on_change`: notices that the configuration file is another than it was.
//!
//! The file is looked at by its name, since editors put a new file in its place; and it has to stay the same for a while,
//! since some write it in pieces.

use std::future::pending;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::time::{sleep, timeout};

use super::Daemon;

const LOOK: Duration = Duration::from_secs(1);
/// What a disk is given to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What tells one version of a file from another.
type Stamp = Option<(SystemTime, u64)>;

/// A file, as it was when this began.
pub struct Watched {
    path: Option<PathBuf>,
    known: Option<Stamp>,
    latest: Option<Stamp>,
}

impl Watched {
    /// The configuration of `daemon`, if it is to be watched.
    pub fn of(daemon: &Daemon) -> Watched {
        let sources = daemon.sources.as_ref();
        let sources = sources.filter(|_| daemon.config.reload_on_change);
        Watched {
            path: sources.map(|sources| sources.path.clone()),
            known: None,
            latest: None,
        }
    }

    /// After a reload: what was noticed stays noticed, unless there is another wish.
    pub fn follow(&mut self, daemon: &Daemon) {
        let wished = Watched::of(daemon);
        if wished.path != self.path {
            *self = wished;
        }
    }

    /// Wait until it has changed and settled. May be dropped and called again.
    pub async fn changed(&mut self) {
        let Some(path) = &self.path else {
            return pending().await;
        };
        loop {
            if let Ok(look) = timeout(PATIENCE, tokio::fs::metadata(path)).await {
                let now = look
                    .ok()
                    .and_then(|file| Some((file.modified().ok()?, file.len())));
                let has_settled = self.latest == Some(now);
                self.latest = Some(now);
                let known = *self.known.get_or_insert(now);
                if has_settled && now.is_some() && now != known {
                    self.known = Some(now);
                    return;
                }
            }
            sleep(LOOK).await;
        }
    }
}

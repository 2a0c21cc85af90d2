//! `exit_when_idle`: a daemon whose ports are the service manager's may end when nobody needs it, for the next
//! connection starts it again.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Daemon;
use crate::sockets::Sockets;
use crate::{bastion, tunnel};

/// How often it is looked, and for short limits as much more often.
const LOOK: Duration = Duration::from_secs(10);
const LOOKS: u32 = 4;
/// Makes the service manager's units anew.
const RENEW: &str = "bastiond service install";

/// How long nothing has happened.
pub struct Idle {
    limit: Option<Duration>,
    look_at: Instant,
    since: Instant,
    carried: u64,
}

impl Idle {
    /// From now on; without a limit, never.
    pub fn new(limit: Option<Duration>) -> Self {
        let now = Instant::now();
        Self {
            limit,
            look_at: now,
            since: now,
            carried: 0,
        }
    }

    /// Wait until it is time to look.
    pub async fn due(&mut self) {
        match self.limit {
            Some(limit) => {
                sleep_until(self.look_at).await;
                self.look_at = Instant::now() + LOOK.min(limit / LOOKS);
            }
            None => std::future::pending().await,
        }
    }

    /// Whether the daemon has been idle for long enough.
    pub fn is_over(&mut self, daemon: &Daemon) -> bool {
        let now = Instant::now();
        let carried = daemon.tunnels.iter().map(tunnel::Handle::carried).sum();
        let is_idle = daemon.may_rest() && daemon.is_at_rest() && carried == self.carried;
        if !is_idle {
            (self.since, self.carried) = (now, carried);
        }
        self.limit.is_some_and(|limit| now - self.since >= limit)
    }
}

impl Daemon {
    /// Whether a connection would start it again, and nothing but connections needs it.
    pub(super) fn may_rest(&self) -> bool {
        self.why_stay().is_none()
    }

    /// Why the daemon does not end when it is idle.
    pub(super) fn why_stay(&self) -> Option<String> {
        let warm = self.config.bastions.values().find(|it| it.warm.is_some());
        let own = self.tunnels.iter().find(|it| !it.is_activated());
        match (warm, own) {
            (Some(bastion), _) => Some(format!("the bastion `{}` is kept warm", bastion.name)),
            (None, Some(tunnel)) => Some(format!(
                "the ports of tunnel `{}` are not the service manager's",
                tunnel.name()
            )),
            (None, None) => None,
        }
    }

    /// Ports that the service manager opened for nobody, and an `exit_when_idle` that means nothing.
    pub(super) fn say_what_is_odd(&self, sockets: &Sockets) {
        for socket in sockets.unused() {
            tracing::warn!(%socket, hint = RENEW, "the service manager listens there for us, and no tunnel does");
        }
        if let (Some(_), Some(why)) = (self.exit_when_idle, self.why_stay()) {
            tracing::warn!(%why, hint = RENEW, "`exit_when_idle` has no effect");
        }
    }

    fn is_at_rest(&self) -> bool {
        let mut bastions = self.bastions.values();
        self.holds.is_empty()
            && self.tunnels.iter().all(tunnel::Handle::is_at_rest)
            && bastions.all(bastion::Handle::is_at_rest)
    }
}

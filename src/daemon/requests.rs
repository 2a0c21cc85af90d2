//! What is asked of the daemon at its door, and has to do with single tunnels and bastions.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;
use tokio::time::sleep;

use super::Daemon;
use super::orphans::Orphans;
use crate::control::{self, Command};
use crate::status::{Orphan, Problem};
use crate::tunnel;

/// Holds that are kept at a time: those of eighty shells. What comes beyond is answered, and not kept.
const MAX_HOLDS: usize = 256;

impl Daemon {
    /// Do it, or have it done; whoever waits is answered when it is.
    pub(super) async fn obey(&mut self, request: Command) {
        match request {
            Command::RestartDaemon { reply } => self.restart(reply),
            Command::Up { tunnel, reply } => {
                self.pass_on(&tunnel, tunnel::Command::Up(reply)).await;
            }
            Command::Down { tunnel, reply } => {
                self.keep(&tunnel, None);
                self.pass_on(&tunnel, tunnel::Command::Down(reply)).await;
            }
            Command::Restart { tunnel, reply } => {
                self.pass_on(&tunnel, tunnel::Command::Restart(reply)).await;
            }
            Command::Reset { tunnel, reply } => {
                self.pass_on(&tunnel, tunnel::Command::Reset(reply)).await;
            }
            Command::Orphans { end, reply } => self.orphans(end, reply),
            Command::Mfa {
                bastion,
                code,
                reply,
            } => self.give_mfa_code(bastion.as_deref(), code, reply),
            Command::Hold { bastion, reply } => self.hold(&bastion, reply),
            Command::Keep { tunnel, time } => self.keep(&tunnel, Some(time)),
            // The loop that takes requests has seen to these.
            Command::Shutdown | Command::Reload { .. } => {}
        }
    }

    fn hold(&mut self, name: &str, reply: oneshot::Sender<Result<(), Problem>>) {
        let Some(bastion) = self.bastions.get(name).cloned() else {
            return;
        };
        let subject = name.to_owned();
        let is_kept = self.holds.len() < MAX_HOLDS;
        self.holds.spawn(async move {
            let leased = bastion.lease().await;
            let told = leased.as_ref().map(drop).map_err(|reason| {
                let now = SystemTime::now();
                Problem::new(subject, reason.clone(), now, Duration::ZERO)
            });
            if reply.send(told).is_ok() && leased.is_ok() && is_kept {
                sleep(control::HOLD).await;
            }
        });
    }

    /// Callers that may wait at the door bound how many there are.
    fn orphans(&mut self, end: bool, reply: oneshot::Sender<Result<Vec<Orphan>, Problem>>) {
        let orphans = Orphans {
            accounts: Arc::clone(&self.accounts),
            bastions: self.config.bastions.values().cloned().collect(),
            user: self.for_bastions.owner.clone(),
            who: self.for_bastions.who.clone(),
            holders: self.bastions.values().cloned().collect(),
            tunnels: self.tunnels.clone(),
        };
        self.holds.spawn(async move {
            let _ = reply.send(orphans.find(end).await);
        });
    }

    /// `None` takes an earlier request back.
    fn keep(&self, tunnel: &str, time: Option<Duration>) {
        let tunnel = self.tunnels.iter().find(|it| it.name() == tunnel);
        if let Some(bastion) = tunnel.and_then(tunnel::Handle::bastion) {
            bastion.keep(time);
            let until = time.map(|time| SystemTime::now() + time);
            self.state.record_keep(&bastion.name(), until);
        }
    }

    async fn pass_on(&self, name: &str, command: tunnel::Command) {
        if let Some(tunnel) = self.tunnels.iter().find(|tunnel| tunnel.name() == name) {
            tunnel.command(command).await;
        }
    }
}

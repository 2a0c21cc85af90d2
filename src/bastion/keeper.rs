//! Keeps a bastion though nobody is connected: by its schedule, and for as long as somebody asked.

use std::time::{Duration, SystemTime};

use jiff::Zoned;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Handle, Lease, warm};
use crate::config::Warm;
use crate::state::State as Records;

/// How often the clock is looked at: a sleep or another time zone may have changed it.
const LOOK: Duration = Duration::from_secs(30);
/// After a start that failed.
const AGAIN: Duration = Duration::from_secs(60);

/// Until when somebody wants it kept. Both clocks count: one stops while the machine sleeps, the other may be set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Until {
    at: Instant,
    wall: SystemTime,
}

impl Until {
    /// From now on.
    pub fn after(time: Duration) -> Self {
        Self {
            at: Instant::now() + time,
            wall: SystemTime::now() + time,
        }
    }

    fn is_ahead(self) -> bool {
        Instant::now() < self.at && SystemTime::now() < self.wall
    }
}

/// What a keeper works with.
pub struct Keeper {
    pub(super) name: String,
    pub(super) warm: Option<Warm>,
    pub(super) records: Records,
    pub(super) handle: Handle,
    /// Until when somebody asked for it.
    pub(super) asked: watch::Receiver<Option<Until>>,
    /// Until when it is kept.
    pub(super) shown: watch::Sender<Option<Instant>>,
}

impl Keeper {
    /// Until `cancel`; nothing is asked of AWS before `begin`.
    pub async fn run(mut self, begin: CancellationToken, cancel: CancellationToken) {
        let keeping = async {
            begin.cancelled().await;
            let mut lease = None;
            loop {
                let until = self.until();
                self.shown.send_replace(until);
                match until {
                    Some(until) => lease = self.keep(lease.take(), until).await,
                    None => {
                        lease = None;
                        self.wait().await;
                    }
                }
            }
        };
        tokio::select! {
            () = keeping => {}
            () = cancel.cancelled() => {}
        }
    }

    /// Until when it is to be kept.
    fn until(&self) -> Option<Instant> {
        let asked = self.asked.borrow().filter(|until| until.is_ahead());
        let scheduled = self.warm.as_ref().and_then(|warm| self.scheduled(warm));
        asked
            .map(|until| until.at)
            .into_iter()
            .chain(scheduled)
            .max()
    }

    fn scheduled(&self, warm: &Warm) -> Option<Instant> {
        let now = Zoned::now();
        let today = now.date().to_string();
        let usage = self.records.usage().into_iter();
        let used = usage.filter(|it| it.bastion == self.name && it.day == today);
        let used = Duration::from_secs(used.map(|it| it.seconds).sum());
        let until = warm::kept_until(warm, now.datetime(), used)?;
        let left = now.datetime().duration_until(until);
        Some(Instant::now() + Duration::try_from(left).ok()?)
    }

    /// Have a lease, and look at the clock again in a while.
    async fn keep(&mut self, lease: Option<Lease>, until: Instant) -> Option<Lease> {
        let mut lease = match lease {
            Some(lease) => lease,
            None => match self.handle.lease().await {
                Ok(lease) => lease,
                Err(reason) => {
                    tracing::warn!(bastion = %self.name, error = %reason.message, "cannot keep the bastion warm");
                    self.pause(Instant::now() + AGAIN).await;
                    return None;
                }
            },
        };
        tokio::select! {
            // Another takes its place.
            _ = lease.going() => return None,
            () = sleep_until(until.min(Instant::now() + LOOK)) => {}
            Ok(()) = self.asked.changed() => {}
        }
        Some(lease)
    }

    /// With nothing to keep; a schedule is looked at again in a while.
    async fn wait(&mut self) {
        match self.warm {
            Some(_) => self.pause(Instant::now() + LOOK).await,
            None => {
                let _ = self.asked.changed().await;
            }
        }
    }

    async fn pause(&mut self, until: Instant) {
        tokio::select! {
            () = sleep_until(until) => {}
            changed = self.asked.changed() => if changed.is_err() {
                // Nobody can ask any more: the daemon is ending.
                sleep(LOOK).await;
            },
        }
    }
}

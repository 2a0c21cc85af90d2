//! What the service manager is told: that the daemon is ready, lives, and ends.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// See the module. Does nothing unless a manager listens (systemd's `Type=notify`).
pub struct Manager {
    /// Signs of life, where it wants some (`WatchdogSec=`).
    beats: Option<Interval>,
}

impl Manager {
    /// The manager that started this process, if one did.
    pub fn new() -> Self {
        let beats = sd_notify::watchdog_enabled().map(|limit| {
            let mut beats = interval((limit / 2).max(Duration::from_millis(1)));
            beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
            beats
        });
        Self { beats }
    }

    /// Tell it something.
    pub fn tell(&self, news: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(news) {
            tracing::warn!(%error, "cannot tell the service manager");
        }
    }

    /// Wait until a sign of life is due, and give it. It stands in the loop that has to go on, so that a loop that
    /// hangs is noticed.
    pub async fn beat(&mut self) {
        match &mut self.beats {
            Some(beats) => {
                beats.tick().await;
                self.tell(&[NotifyState::Watchdog]);
            }
            None => std::future::pending().await,
        }
    }

    /// Give signs of life while this lasts.
    pub async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = work.as_mut() => return done,
                () = self.beat() => {}
            }
        }
    }
}

//! Bastions that somebody wants kept, for a daemon that is restarted meanwhile.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::State;

/// Until when a bastion is to be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepRecord {
    /// Its name.
    pub bastion: String,
    /// Until when.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
}

impl State {
    /// Somebody wants a bastion kept until then, or no more.
    pub fn record_keep(&self, bastion: &str, until: Option<SystemTime>) {
        self.change(|contents| {
            contents.keeps.retain(|known| known.bastion != bastion);
            contents.keeps.extend(until.map(|until| KeepRecord {
                bastion: bastion.to_owned(),
                until: until.into(),
            }));
        });
    }

    /// For how long a bastion is still to be kept.
    pub fn kept(&self, bastion: &str) -> Option<Duration> {
        let keeps = self.contents().keeps;
        let known = keeps.iter().find(|known| known.bastion == bastion)?;
        let until = SystemTime::from(known.until);
        until.duration_since(SystemTime::now()).ok()
    }

    /// The daemon ends, and with it what it was asked to keep.
    pub fn forget_keeps(&self) {
        if !self.contents().keeps.is_empty() {
            self.change(|contents| contents.keeps.clear());
        }
    }
}

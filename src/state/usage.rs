//! How long tasks ran, by day.

use std::time::SystemTime;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::State;
use crate::cost::{Usage, UsageRecord, by_day};

/// Days that are kept: the month, and the one before for whoever looks closer.
const DAYS: usize = 62;
/// Tasks of which is known until when they were counted.
const TASKS: usize = 20;

/// Until when a task was counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountedRecord {
    /// Its ARN.
    pub arn: String,
    /// Until when.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
}

impl State {
    /// A piece of a task's life.
    pub fn record_usage(&self, bastion: &str, usage: &Usage) {
        let pieces = by_day(usage.from, usage.until, &TimeZone::system());
        self.change(|contents| {
            for (day, seconds) in pieces {
                let is_it = |known: &&mut UsageRecord| {
                    known.day == day && known.bastion == bastion && known.size == usage.size
                };
                match contents.usage.iter_mut().find(is_it) {
                    Some(known) => known.seconds += seconds,
                    None => contents.usage.push(UsageRecord {
                        day,
                        bastion: bastion.to_owned(),
                        size: usage.size,
                        seconds,
                    }),
                }
            }
            let mut days: Vec<&String> = contents.usage.iter().map(|known| &known.day).collect();
            days.sort();
            days.dedup();
            let first = days.len().saturating_sub(DAYS);
            if let Some(first) = days.get(first).map(|day| (*day).clone()) {
                contents.usage.retain(|known| known.day >= first);
            }
            contents.counted.retain(|known| known.arn != usage.arn);
            contents.counted.push(CountedRecord {
                arn: usage.arn.clone(),
                until: usage.until.into(),
            });
            let surplus = contents.counted.len().saturating_sub(TASKS);
            contents.counted.drain(..surplus);
        });
    }

    /// Until when a task was counted.
    pub fn counted(&self, arn: &str) -> Option<SystemTime> {
        self.read(|contents| {
            let known = contents.counted.iter().find(|known| known.arn == arn);
            known.map(|known| known.until.into())
        })
    }

    /// How long tasks ran.
    pub fn usage(&self) -> Vec<UsageRecord> {
        self.read(|contents| contents.usage.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::{
        state::Contents,
        status::{Architecture, Size},
    };

    fn time(text: &str) -> SystemTime {
        text.parse::<Timestamp>().unwrap().into()
    }

    #[test]
    fn usage_adds_up_and_old_days_go() {
        let (state, _) = State::new("/nowhere".into(), Contents::default());
        let begin = time("2026-01-01T12:00:00Z");
        for day in 0..100 {
            for _ in 0..2 {
                let from = begin + Duration::from_secs(day * 86_400);
                state.record_usage("dev", &usage(from, from + Duration::from_secs(90)));
            }
        }
        let records = state.usage();
        assert_eq!(records.len(), DAYS);
        assert!(records.iter().all(|record| record.seconds == 180));
        assert_eq!(state.contents().counted.len(), 1);
        let last = begin + Duration::from_secs(99 * 86_400 + 90);
        assert_eq!(state.counted("arn:1"), Some(last));
        assert_eq!(state.counted("arn:2"), None);
    }

    fn usage(from: SystemTime, until: SystemTime) -> Usage {
        Usage {
            arn: "arn:1".into(),
            size: Size {
                cpu: 256,
                memory: 512,
                architecture: Architecture::Arm64,
                spot: true,
            },
            from,
            until,
        }
    }
}

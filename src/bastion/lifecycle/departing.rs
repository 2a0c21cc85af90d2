//! Tasks that are going away while connections through them go on.
//!
//! Between the notice and the end of a task lie up to two minutes (Spot). Nobody tells its sessions when it has gone: the
//! service keeps their WebSockets for as long as an idle session lasts. So it is watched to its end.

use std::time::{Duration, Instant};

use super::Lifecycle;
use super::reasons::unknown_task;
use super::terms::{Action, Event, Phase, Sighting, Trouble};
use crate::status::Reason;

/// By then it has stopped, whatever can be seen of it: two minutes of notice, two of SIGTERM, and some.
const LIMIT: Duration = Duration::from_secs(600);

/// One of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Departing {
    arn: String,
    pub(super) look_at: Instant,
    until: Instant,
}

impl Lifecycle {
    pub(super) fn departs(&mut self, arn: String, now: Instant) {
        self.departing.push(Departing {
            arn,
            look_at: now + self.paced(self.settings.kind.watch_interval()),
            until: now + LIMIT,
        });
    }

    /// A task that lost its agent, and its leases with it, has ended or is going to.
    pub(super) fn left_by_its_users(
        &mut self,
        arn: String,
        reason: Reason,
        stopped: bool,
        now: Instant,
    ) {
        match stopped {
            true => self.events.push_back(Event::Gone { arn, reason }),
            false => self.departs(arn, now),
        }
    }

    pub(super) fn is_departing(&self, arn: &str) -> bool {
        self.departing.iter().any(|departing| departing.arn == arn)
    }

    /// The next look that is due.
    pub(super) fn next_departing(&mut self, now: Instant) -> Option<Action> {
        self.departing.retain(|departing| now < departing.until);
        let look_at = now + self.paced(self.settings.kind.watch_interval());
        let mut departing = self.departing.iter_mut();
        let due = departing.find(|departing| departing.look_at <= now)?;
        due.look_at = look_at;
        Some(Action::Describe(due.arn.clone()))
    }

    pub(super) fn departing_described(
        &mut self,
        arn: &str,
        described: Result<Option<Sighting>, Trouble>,
        now: Instant,
    ) {
        let reason = match described {
            Ok(None) => unknown_task(self.settings.kind),
            Ok(Some(Sighting {
                phase:
                    Phase::Going {
                        reason,
                        stopped: true,
                        ..
                    },
                ..
            })) => reason,
            Ok(Some(_)) | Err(_) => {
                let look_at = now + self.paced(self.settings.kind.watch_interval());
                let mut departing = self.departing.iter_mut();
                if let Some(departing) = departing.find(|departing| departing.arn == arn) {
                    departing.look_at = look_at;
                }
                return;
            }
        };
        self.departing.retain(|departing| departing.arn != arn);
        self.events.push_back(Event::Gone {
            arn: arn.to_owned(),
            reason,
        });
    }
}

//! How far the machine's clock is from AWS's, read off the `Date` of every answer.
//!
//! The SDK corrects its own signatures; ours of the WebSocket need the same correction, and a wrong clock
//! deserves to be called that.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeDeserializationInterceptorContextRef},
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{DateTime, config_bag::ConfigBag, date_time::Format};

/// A difference below this may be the network's and the header's whole seconds; AWS tolerates five minutes.
const NOTEWORTHY: i64 = 60;

const UNKNOWN: i64 = i64::MIN;

/// The last known difference, shared by all clients.
#[derive(Clone)]
pub(super) struct Clock(Arc<AtomicI64>);

impl Clock {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(UNKNOWN)))
    }

    /// Seconds to add to the machine's time to get AWS's; `None` before the first answer.
    pub(super) fn skew(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|skew| *skew != UNKNOWN)
    }

    /// The machine's time as AWS would tell it.
    pub(super) fn corrected(&self, machine: SystemTime) -> SystemTime {
        let skew = self
            .skew()
            .filter(|skew| skew.abs() >= NOTEWORTHY)
            .unwrap_or(0);
        let by = Duration::from_secs(skew.unsigned_abs());
        let corrected = if skew < 0 {
            machine.checked_sub(by)
        } else {
            machine.checked_add(by)
        };
        // A header of any year may come; one beyond what the system can tell is no help.
        corrected.unwrap_or(machine)
    }

    fn observe(&self, date: &str, machine: SystemTime) {
        let Ok(theirs) = DateTime::from_str(date, Format::HttpDate) else {
            return;
        };
        let ours = DateTime::from(machine);
        self.0
            .store(theirs.secs().saturating_sub(ours.secs()), Ordering::Relaxed);
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({:?})", self.skew())
    }
}

impl Intercept for Clock {
    fn name(&self) -> &'static str {
        "Clock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date") {
            self.observe(date, SystemTime::now());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: &str = "Sun, 22 Nov 2026 12:00:00 GMT";
    const NOON_UNIX: u64 = 1_795_348_800;

    #[test]
    fn a_wrong_clock_is_corrected_either_way() {
        let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(NOON_UNIX);
        for offset in [300, -300] {
            let clock = Clock::new();
            let machine = if offset > 0 {
                noon - Duration::from_secs(300)
            } else {
                noon + Duration::from_secs(300)
            };
            clock.observe(NOON, machine);
            assert_eq!(
                (clock.skew(), clock.corrected(machine)),
                (Some(offset), noon)
            );
        }
    }

    #[test]
    fn a_right_clock_is_left_alone() {
        let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(NOON_UNIX);
        let clock = Clock::new();
        assert_eq!((clock.skew(), clock.corrected(noon)), (None, noon));
        clock.observe("nonsense", noon);
        clock.observe(NOON, noon + Duration::from_secs(3));
        assert_eq!(clock.corrected(noon), noon);
    }
}

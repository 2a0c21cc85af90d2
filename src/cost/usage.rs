//! How long tasks ran, by day.

use std::time::SystemTime;

use jiff::{Timestamp, Zoned, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::status::Size;

/// How long tasks of one size ran on one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRecord {
    /// The day of the local calendar: `2026-11-23`.
    pub day: String,
    /// The bastion.
    pub bastion: String,
    /// The tasks' size.
    #[serde(flatten)]
    pub size: Size,
    /// Seconds.
    pub seconds: u64,
}

/// The seconds on each day; what is less than one goes to the next piece.
pub fn by_day(from: SystemTime, until: SystemTime, zone: &TimeZone) -> Vec<(String, u64)> {
    let at = |time: SystemTime| Some(Timestamp::try_from(time).ok()?.to_zoned(zone.clone()));
    let (Some(mut from), Some(until)) = (at(from), at(until)) else {
        return Vec::new();
    };
    let mut pieces = Vec::new();
    while from < until {
        let midnight = from.tomorrow().and_then(|tomorrow| tomorrow.start_of_day());
        let end: Zoned = midnight.unwrap_or(until.clone()).min(until.clone());
        let seconds = end.timestamp().as_second() - from.timestamp().as_second();
        pieces.push((
            from.date().to_string(),
            u64::try_from(seconds).unwrap_or_default(),
        ));
        from = end;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> SystemTime {
        text.parse::<Timestamp>().unwrap().into()
    }

    #[test]
    fn a_night_is_put_down_to_two_days_of_the_local_calendar() {
        let tokyo = TimeZone::fixed(jiff::tz::offset(9));
        let (from, until) = (time("2026-11-22T14:00:00Z"), time("2026-11-22T16:30:00Z"));
        assert_eq!(
            by_day(from, until, &tokyo),
            [
                ("2026-11-22".to_owned(), 3600),
                ("2026-11-23".to_owned(), 5400)
            ]
        );
        assert_eq!(by_day(until, from, &tokyo), []);
    }
}

//! Whether the schedule keeps a bastion. Pure.

use std::time::Duration;

use jiff::{Span, civil::DateTime};

use crate::config::Warm;

/// Until when the schedule keeps the bastion, by the local clock; `None` when it does not keep it at `now`. The task has
/// run for `used` today.
pub fn kept_until(warm: &Warm, now: DateTime, used: Duration) -> Option<DateTime> {
    let (day, time) = (now.date(), now.time());
    let is_within = warm.days.contains(&day.weekday()) && (warm.from..warm.until).contains(&time);
    let left = warm
        .most_per_day
        .checked_sub(used)
        .filter(|left| !left.is_zero())?;
    let left = Span::new()
        .try_seconds(i64::try_from(left.as_secs()).ok()?)
        .ok()?;
    let exhausted = now.checked_add(left).unwrap_or(DateTime::MAX);
    is_within.then(|| day.to_datetime(warm.until).min(exhausted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn warm(lines: &str) -> Warm {
        let text = format!(
            "[bastion.dev]\ncluster = \"c\"\ntask_definition = \"t\"\nsubnets = [\"subnet-1\"]\n{lines}\n\
             [[tunnel]]\nname = \"db\"\nport = 1\n"
        );
        let config = Config::parse(&text).unwrap();
        config.bastions["dev"].warm.clone().unwrap()
    }

    fn until(warm: &Warm, now: &str, used_hours: u64) -> Option<String> {
        let used = Duration::from_secs(used_hours * 3600);
        kept_until(warm, now.parse().unwrap(), used).map(|until| until.to_string())
    }

    #[test]
    fn it_is_kept_within_the_hours_of_its_days_only() {
        let warm = warm("warm = \"Mon-Fri 09:00-18:30\"");
        let evening = Some("2026-11-23T18:30:00".to_owned());
        // The 23rd of November 2026 is a Monday.
        for (now, kept) in [
            ("2026-11-23T08:59:59", None),
            ("2026-11-23T09:00:00", evening.clone()),
            ("2026-11-23T18:29:59", evening),
            ("2026-11-23T18:30:00", None),
            ("2026-11-22T12:00:00", None),
        ] {
            assert_eq!(until(&warm, now, 0), kept, "{now}");
        }
    }

    #[test]
    fn a_task_that_has_run_its_hours_of_the_day_is_not_kept() {
        let warm = warm("warm = \"Mon-Fri 09:00-18:30\"\nmax_hours_per_day = 4");
        let kept = until(&warm, "2026-11-23T10:00:00", 1);
        assert_eq!(kept.as_deref(), Some("2026-11-23T13:00:00"));
        assert_eq!(until(&warm, "2026-11-23T13:00:00", 4), None);
        assert_eq!(
            until(&warm, "2026-11-23T17:00:00", 2).as_deref(),
            Some("2026-11-23T18:30:00")
        );
    }

    #[test]
    fn midnight_is_the_end_of_a_day() {
        let warm = warm("warm = \"Sat,Sun 20:00-24:00\"");
        assert!(until(&warm, "2026-11-22T23:59:59", 0).is_some());
        assert_eq!(until(&warm, "2026-11-23T00:00:00", 0), None);
    }
}

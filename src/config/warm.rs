//! `warm` and `max_hours_per_day` of a bastion: when its task is kept though nobody is connected.

use std::time::Duration;

use jiff::civil::{Time, Weekday};
use toml::Spanned;

use super::{error::Complaint, scope::Scope};

/// When a bastion's task is kept though nobody is connected, by the local clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warm {
    /// On these days; never empty.
    pub days: Vec<Weekday>,
    /// From this time on.
    pub from: Time,
    /// Until this time of the same day; midnight is its end.
    pub until: Time,
    /// A task that has run so long on a day is kept no longer that day.
    pub most_per_day: Duration,
}

const HINT: &str = r#"write days and hours, such as "Mon-Fri 09:00-18:30""#;
const DAY: Duration = Duration::from_secs(24 * 3600);
const WEEK: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];

pub(super) fn check(
    scope: &mut Scope,
    warm: Option<Spanned<String>>,
    hours: Option<Spanned<f64>>,
) -> Option<Warm> {
    let most_per_day = match &hours {
        None => DAY,
        Some(hours) if *hours.get_ref() > 0.0 && *hours.get_ref() <= 24.0 => {
            Duration::from_secs_f64(hours.get_ref() * 3600.0)
        }
        Some(wrong) => {
            let complaint = format!("{} is out of range: more than 0, to 24", wrong.get_ref());
            scope.wrong("max_hours_per_day", wrong.span(), Complaint::new(complaint));
            DAY
        }
    };
    let Some(warm) = warm else {
        if let Some(alone) = hours.filter(|_| !scope.was_cut("warm")) {
            let complaint = Complaint::new("means nothing without `warm`");
            scope.wrong(
                "max_hours_per_day",
                alone.span(),
                complaint.hint("set `warm` too"),
            );
        }
        return None;
    };
    match parse(warm.get_ref()) {
        Ok((days, from, until)) => Some(Warm {
            days,
            from,
            until,
            most_per_day,
        }),
        Err(why) => {
            scope.wrong("warm", warm.span(), Complaint::new(why).hint(HINT));
            None
        }
    }
}

fn parse(text: &str) -> Result<(Vec<Weekday>, Time, Time), String> {
    let (days, hours) = text
        .trim()
        .split_once(' ')
        .ok_or_else(|| format!("`{text}` is not days and hours"))?;
    let mut all = Vec::new();
    for part in days.split(',') {
        all.extend(range(part)?);
    }
    all.sort_by_key(|day| day.to_monday_zero_offset());
    all.dedup();
    let (from, until) = hours
        .trim()
        .split_once('-')
        .ok_or_else(|| format!("`{hours}` has no end"))?;
    let from = time(from)?;
    let until = match until.trim() {
        "24:00" => Time::MAX,
        other => time(other)?,
    };
    match from < until {
        true => Ok((all, from, until)),
        false => Err(format!("`{hours}` ends before it begins")),
    }
}

/// `Mon`, or `Mon-Fri`; `Sat-Mon` goes over the end of the week.
fn range(part: &str) -> Result<Vec<Weekday>, String> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let (first, last) = (day(first)?, day(last)?);
    let length = (last + 7 - first) % 7;
    Ok((first..=first + length).map(|at| WEEK[at % 7].1).collect())
}

fn day(name: &str) -> Result<usize, String> {
    let found = WEEK
        .iter()
        .position(|(known, _)| known.eq_ignore_ascii_case(name.trim()));
    found.ok_or_else(|| format!("`{name}` is no day: Mon Tue Wed Thu Fri Sat Sun"))
}

fn time(text: &str) -> Result<Time, String> {
    let wrong = || format!("`{text}` is no time of day");
    let (hour, minute) = text.trim().split_once(':').ok_or_else(wrong)?;
    let number = |digits: &str| match digits.len() {
        1 | 2 if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse::<i8>().ok(),
        _ => None,
    };
    let (hour, minute) = (
        number(hour).ok_or_else(wrong)?,
        number(minute).ok_or_else(wrong)?,
    );
    Time::new(hour, minute, 0, 0).map_err(|_| wrong())
}

/// How long `ctl up --for` keeps a bastion.
pub fn keep_for(text: &str) -> Result<Duration, String> {
    super::duration::parse(text).map_err(|_| format!("`{text}` is not a duration from 1s to 7d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_hours_are_read_as_people_write_them() {
        let all = |text: &str| {
            let (days, from, until) = parse(text).unwrap();
            let days: Vec<i8> = days.iter().map(|day| day.to_monday_zero_offset()).collect();
            (days, from.to_string(), until.to_string())
        };
        let hours = |from: &str, until: &str| (from.to_owned(), until.to_owned());
        let (days, from, until) = all("Mon-Fri 09:00-18:30");
        assert_eq!(
            (days, (from, until)),
            (vec![0, 1, 2, 3, 4], hours("09:00:00", "18:30:00"))
        );
        assert_eq!(all("sat-mon 8:05-9:00").0, [0, 5, 6]);
        assert_eq!(all("Mon,Wed,Wed 0:00-24:00").0, [0, 2]);
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in [
            "",
            "Mon-Fri",
            "09:00-18:00",
            "Mon-Fri 9-18",
            "Mon-Fri 18:00-09:00",
            "Mon-Fri 09:00-09:00",
            "Mon-Fri 25:00-26:00",
            "Mon-Fri 09:00",
            "Foo 09:00-10:00",
            "Mon- 09:00-10:00",
            "Mon 09:60-10:00",
            "Mon 24:00-24:00",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}

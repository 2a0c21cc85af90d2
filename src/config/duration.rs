//! Spans of time as people write them: `"90s"`, `"15m"`, `"1h30m"`.

use std::{borrow::Cow, fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Visitor};

use super::error::Complaint;

/// Below this, timers would race what they wait for.
const SHORTEST: Duration = Duration::from_secs(1);
/// A week: longer than any session or task is meant to live, and far from overflow.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// A duration's text, not yet read.
#[derive(Debug)]
pub(super) struct RawDuration(pub String);

impl JsonSchema for RawDuration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["90s", "15m", "1h30m"] })
    }
}

impl<'de> Deserialize<'de> for RawDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = RawDuration;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"a duration in quotes, such as "90s", "15m" or "1h30m""#)
            }
            fn visit_str<E>(self, text: &str) -> Result<RawDuration, E> {
                Ok(RawDuration(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

pub(super) fn parse(text: &str) -> Result<Duration, Complaint> {
    let duration = humantime::parse_duration(text).map_err(|_| {
        Complaint::new(format!("`{text}` is not a duration"))
            .hint(r#"write for example "90s", "15m" or "1h30m""#)
    })?;
    if (SHORTEST..=LONGEST).contains(&duration) {
        Ok(duration)
    } else {
        Err(Complaint::new(format!(
            "`{text}` is out of range: 1s to 7d"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        for (text, seconds) in [
            ("90s", 90),
            ("15m", 900),
            ("1h30m", 5400),
            ("7d", 604_800),
            ("2 min", 120),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_or_out_of_range_is_refused() {
        for text in [
            "",
            "15",
            "m",
            "-5s",
            "0s",
            "500ms",
            "8d",
            "1h30",
            "99999999999999999999d",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}

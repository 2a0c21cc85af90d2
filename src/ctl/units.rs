//! Times and sizes short enough for a table.

/// Two units at most: `12s`, `1m 15s`, `14m`, `2h 3m`, `3d 4h`. Seconds are dropped from ten minutes on.
pub(super) fn span(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    if seconds < MINUTE {
        format!("{seconds}s")
    } else if seconds < 10 * MINUTE {
        two(seconds / MINUTE, 'm', seconds % MINUTE, 's')
    } else if seconds < HOUR {
        format!("{}m", seconds / MINUTE)
    } else if seconds < DAY {
        two(seconds / HOUR, 'h', seconds % HOUR / MINUTE, 'm')
    } else {
        two(seconds / DAY, 'd', seconds % DAY / HOUR, 'h')
    }
}

fn two(large: u64, large_unit: char, small: u64, small_unit: char) -> String {
    match small {
        0 => format!("{large}{large_unit}"),
        _ => format!("{large}{large_unit} {small}{small_unit}"),
    }
}

/// The larger of its units: `2h`.
pub(super) fn age(seconds: u64) -> String {
    let span = span(seconds);
    span.split(' ').next().unwrap_or_default().to_owned()
}

/// Binary multiples, five characters at most: `0`, `999B`, `1.2K`, `34M`, `1023G`.
pub(super) fn size(bytes: u64) -> String {
    if bytes == 0 {
        return "0".to_owned();
    }
    let (mut tenths, mut unit) = (u128::from(bytes) * 10, "B");
    for next in ["K", "M", "G", "T", "P", "E"] {
        if tenths < 10_240 {
            break;
        }
        (tenths, unit) = (tenths / 1024, next);
    }
    match unit {
        "B" => format!("{}B", tenths / 10),
        _ if tenths < 100 => format!("{}.{}{unit}", tenths / 10, tenths % 10),
        _ => format!("{}{unit}", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        let spans = [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (75, "1m 15s"),
            (600, "10m"),
            (659, "10m"),
            (3600, "1h"),
            (7380, "2h 3m"),
            (86_400, "1d"),
            (273_600, "3d 4h"),
        ];
        for (seconds, text) in spans {
            assert_eq!(span(seconds), text);
        }
        assert_eq!(age(7380), "2h");
    }

    #[test]
    fn sizes_have_five_characters_at_most() {
        let sizes = [
            (0, "0"),
            (1, "1B"),
            (1023, "1023B"),
            (1024, "1.0K"),
            (10_239, "9.9K"),
            (10_240, "10K"),
            (1_258_291, "1.1M"),
            (35_651_584, "34M"),
            (u64::MAX, "15E"),
        ];
        for (bytes, text) in sizes {
            assert_eq!(size(bytes), text);
        }
    }
}

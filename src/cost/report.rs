//! The report: today, this month, and what a task that is always on would have cost.

use std::collections::BTreeMap;

use jiff::{Zoned, civil::Date};

use super::UsageRecord;
use crate::config::Prices;
use crate::status::{Amount, Architecture, Cost, CostRow, Size};

/// What was used, at these prices, as of `now`, whose day and month are those of the local calendar.
pub fn report(records: &[UsageRecord], prices: &Prices, now: &Zoned) -> Cost {
    let today = now.date();
    let mut rows: BTreeMap<(&str, Size), CostRow> = BTreeMap::new();
    for record in records {
        let Ok(day) = record.day.parse::<Date>() else {
            continue;
        };
        if (day.year(), day.month()) != (today.year(), today.month()) || day > today {
            continue;
        }
        let row = rows
            .entry((&record.bastion, record.size))
            .or_insert_with(|| empty(record));
        let price = hour(prices, &record.size);
        add(&mut row.month, record.seconds, price);
        if day == today {
            add(&mut row.today, record.seconds, price);
        }
    }
    let month_so_far = month_seconds(now);
    // One task a bastion, of the dearest size that it had.
    let mut always_on: BTreeMap<&str, f64> = BTreeMap::new();
    for (bastion, size) in rows.keys() {
        let dearest = always_on.entry(bastion).or_default();
        *dearest = dearest.max(hour(prices, size));
    }
    let always_on_hour: f64 = always_on.values().sum();
    let rows: Vec<CostRow> = rows.into_values().collect();
    Cost {
        currency: "USD".to_owned(),
        is_estimate: true,
        prices_date: prices.date.clone(),
        today: sum(rows.iter().map(|row| row.today)),
        month: sum(rows.iter().map(|row| row.month)),
        always_on_month: amount(month_so_far, always_on_hour),
        rows,
    }
}

/// What an hour of a task of this size costs.
pub fn hour(prices: &Prices, size: &Size) -> f64 {
    let (vcpu, gb) = match size.architecture {
        Architecture::X86_64 => (prices.vcpu_hour, prices.gb_hour),
        Architecture::Arm64 => (prices.arm_vcpu_hour, prices.arm_gb_hour),
    };
    let whole = f64::from(size.cpu) / 1024.0 * vcpu + f64::from(size.memory) / 1024.0 * gb;
    match size.spot {
        true => whole * (1.0 - prices.spot_discount),
        false => whole,
    }
}

fn empty(record: &UsageRecord) -> CostRow {
    CostRow {
        bastion: record.bastion.clone(),
        size: record.size,
        today: Amount::default(),
        month: Amount::default(),
    }
}

/// Seconds since the month began.
fn month_seconds(now: &Zoned) -> u64 {
    let began = now.first_of_month().and_then(|first| first.start_of_day());
    let passed = began.map(|began| now.timestamp().as_second() - began.timestamp().as_second());
    passed
        .ok()
        .and_then(|seconds| u64::try_from(seconds).ok())
        .unwrap_or_default()
}

fn amount(seconds: u64, hour: f64) -> Amount {
    Amount {
        seconds,
        usd: seconds as f64 / 3600.0 * hour,
    }
}

fn add(to: &mut Amount, seconds: u64, hour: f64) {
    let more = amount(seconds, hour);
    *to = Amount {
        seconds: to.seconds + more.seconds,
        usd: to.usd + more.usd,
    };
}

fn sum(amounts: impl Iterator<Item = Amount>) -> Amount {
    amounts.fold(Amount::default(), |sum, next| Amount {
        seconds: sum.seconds + next.seconds,
        usd: sum.usd + next.usd,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(day: &str, bastion: &str, spot: bool, seconds: u64) -> UsageRecord {
        UsageRecord {
            day: day.into(),
            bastion: bastion.into(),
            size: Size {
                cpu: 1024,
                memory: 1024,
                architecture: Architecture::X86_64,
                spot,
            },
            seconds,
        }
    }

    fn prices() -> Prices {
        Prices {
            vcpu_hour: 0.9,
            gb_hour: 0.1,
            ..Prices::of_region("us-east-1")
        }
    }

    #[test]
    fn today_this_month_and_always_on_are_told_by_size() {
        let records = [
            record("2026-10-31", "dev", false, 999_999),
            record("2026-11-01", "dev", false, 3600),
            record("2026-11-03", "dev", false, 1800),
            record("2026-11-03", "dev", true, 3600),
            record("2026-11-03", "prod", false, 7200),
        ];
        let now: Zoned = "2026-11-03T12:00:00+01:00[+01:00]".parse().unwrap();
        let cost = report(&records, &prices(), &now);
        let near = |amount: Amount, usd: f64| (amount.usd - usd).abs() < 1e-9;
        assert_eq!((cost.today.seconds, cost.month.seconds), (12_600, 16_200));
        assert!(near(cost.today, 0.5 + 0.3 + 2.0), "{cost:?}");
        assert!(near(cost.month, 1.0 + 0.5 + 0.3 + 2.0), "{cost:?}");
        assert_eq!(cost.rows.len(), 3);
        assert_eq!(cost.always_on_month.seconds, 60 * 3600);
        assert!(
            near(cost.always_on_month, 2.0 * 60.0),
            "one of each bastion: {cost:?}"
        );
    }

    #[test]
    fn nothing_used_costs_nothing() {
        let now: Zoned = "2026-11-03T12:00:00+00:00[+00:00]".parse().unwrap();
        let cost = report(&[record("2026-10-03", "dev", false, 60)], &prices(), &now);
        assert_eq!((cost.month, cost.rows.len()), (Amount::default(), 0));
        assert!(cost.always_on_month.usd < 1e-9);
    }

    #[test]
    fn an_hour_costs_what_the_price_page_says() {
        let size = |architecture, spot| Size {
            cpu: 256,
            memory: 512,
            architecture,
            spot,
        };
        for (region, architecture, usd) in [
            ("us-east-1", Architecture::X86_64, 0.01234),
            ("us-east-1", Architecture::Arm64, 0.00988),
            ("ap-northeast-1", Architecture::X86_64, 0.01541),
            ("ap-northeast-1", Architecture::Arm64, 0.01232),
        ] {
            let prices = Prices::of_region(region);
            let whole = hour(&prices, &size(architecture, false));
            assert!((whole - usd).abs() < 0.000_01, "{region}: {whole}");
            let spot = hour(&prices, &size(architecture, true));
            assert!((spot - 0.3 * whole).abs() < 1e-9);
        }
    }
}

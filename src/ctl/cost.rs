//! What the tasks cost, as text.

use super::{text::printable, units::span, width::columns};
use crate::status::{Amount, Architecture, Cost, CostRow};

/// A line for the status.
pub(super) fn line(cost: &Cost) -> String {
    format!(
        "cost (estimate): today {}, this month {}; always on {}",
        dollars(cost.today.usd),
        dollars(cost.month.usd),
        dollars(cost.always_on_month.usd)
    )
}

/// The whole, with a closing newline.
pub(super) fn render(cost: Option<&Cost>) -> String {
    let Some(cost) = cost else {
        return "nothing is counted yet: a task is when it has run for a minute\n".to_owned();
    };
    let headings = ["BASTION", "SIZE", "TODAY", "", "THIS MONTH", ""].map(str::to_owned);
    let mut rows = vec![headings];
    rows.extend(cost.rows.iter().map(row));
    rows.push(cells("all", String::new(), cost.today, cost.month));
    let [nothing, always] = [String::new(), "always on".to_owned()];
    let amount = cost.always_on_month;
    rows.push([
        always,
        nothing.clone(),
        nothing.clone(),
        nothing,
        span(amount.seconds),
        dollars(amount.usd),
    ]);
    let mut text = columns(&rows, [false; 6]);
    let date = printable(&cost.prices_date);
    text.push_str(&format!(
        "\nAn estimate: seconds of Fargate at the prices of {date}, without network, logs and discounts.\n"
    ));
    text
}

fn row(row: &CostRow) -> [String; 6] {
    let architecture = match row.size.architecture {
        Architecture::X86_64 => "x86-64",
        Architecture::Arm64 => "arm64",
    };
    let spot = if row.size.spot { " spot" } else { "" };
    let size = format!("{}/{} {architecture}{spot}", row.size.cpu, row.size.memory);
    cells(&printable(&row.bastion), size, row.today, row.month)
}

fn cells(name: &str, size: String, today: Amount, month: Amount) -> [String; 6] {
    [
        name.to_owned(),
        size,
        span(today.seconds),
        dollars(today.usd),
        span(month.seconds),
        dollars(month.usd),
    ]
}

/// Cents, or a tenth of them where there are few.
fn dollars(usd: f64) -> String {
    match usd < 0.1 {
        true => format!("${usd:.3}"),
        false => format!("${usd:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Size;

    #[test]
    fn the_table_has_a_row_a_size_and_says_that_it_is_an_estimate() {
        let amount = |seconds, usd| Amount { seconds, usd };
        let cost = Cost {
            currency: "USD".into(),
            is_estimate: true,
            prices_date: "2026-04".into(),
            today: amount(2460, 0.0084),
            month: amount(90_000, 0.31),
            always_on_month: amount(1_900_800, 6.5),
            rows: vec![CostRow {
                bastion: "dev".into(),
                size: Size {
                    cpu: 256,
                    memory: 512,
                    architecture: Architecture::Arm64,
                    spot: true,
                },
                today: amount(2460, 0.0084),
                month: amount(90_000, 0.31),
            }],
        };
        assert_eq!(
            render(Some(&cost)),
            "\
BASTION    SIZE                TODAY          THIS MONTH
dev        256/512 arm64 spot  41m    $0.008  1d 1h       $0.31
all                            41m    $0.008  1d 1h       $0.31
always on                                     22d         $6.50

An estimate: seconds of Fargate at the prices of 2026-04, without network, logs and discounts.
"
        );
        assert_eq!(
            line(&cost),
            "cost (estimate): today $0.008, this month $0.31; always on $6.50"
        );
        assert_eq!(
            render(None),
            "nothing is counted yet: a task is when it has run for a minute\n"
        );
    }
}

//! What was measured, beside what was aimed at.

use std::fmt;
use std::time::Duration;

/// Rows in the order of measuring.
pub struct Table {
    words: Vec<String>,
    rows: Vec<Row>,
}

/// One figure.
pub struct Row {
    measure: &'static str,
    figure: f64,
    unit: &'static str,
    target: Option<Target>,
    /// The same without a tunnel.
    plain: Option<f64>,
}

/// What is aimed at, in the row's unit.
#[derive(Clone, Copy)]
pub enum Target {
    /// More is better.
    AtLeast(f64),
    /// Less is better.
    AtMost(f64),
}

impl Table {
    /// An empty table of the measures whose names have one of `words`; of all, without words.
    pub fn new(words: Vec<String>) -> Self {
        Self {
            words,
            rows: Vec::new(),
        }
    }

    /// Whether any of these measures is asked for. Says that it begins.
    pub fn wants(&self, measures: &[&str]) -> bool {
        let wanted = |measure: &&str| self.words.iter().any(|word| measure.contains(word));
        let wants = self.words.is_empty() || measures.iter().any(wanted);
        if wants {
            eprintln!("measuring: {} …", measures.join("; "));
        }
        wants
    }

    /// Adds a row.
    pub fn add(&mut self, row: Row) {
        self.rows.push(row);
    }
}

impl Row {
    /// A figure to know.
    pub fn new(measure: &'static str, figure: f64, unit: &'static str) -> Self {
        Self {
            measure,
            figure,
            unit,
            target: None,
            plain: None,
        }
    }

    /// With something to reach.
    pub fn aiming(self, target: Target) -> Self {
        Self {
            target: Some(target),
            ..self
        }
    }

    /// With what plain TCP gives.
    pub fn beside(self, plain: f64) -> Self {
        Self {
            plain: Some(plain),
            ..self
        }
    }

    fn cells(&self) -> [String; 6] {
        let target = self.target.map(|target| format!("{target} {}", self.unit));
        let met = self.target.map(|target| match target.is_met(self.figure) {
            true => "yes".to_owned(),
            false => "NO".to_owned(),
        });
        let plain = self
            .plain
            .map(|plain| format!("{} {}", shown(plain), self.unit));
        let ratio = self
            .plain
            .map(|plain| format!("{:.3}", self.figure / plain));
        [
            self.measure.to_owned(),
            format!("{} {}", shown(self.figure), self.unit),
            target.unwrap_or_default(),
            met.unwrap_or_default(),
            plain.unwrap_or_default(),
            ratio.unwrap_or_default(),
        ]
    }
}

impl Target {
    fn is_met(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(least) => figure >= least,
            Self::AtMost(most) => figure <= most,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, ">= {least}"),
            Self::AtMost(most) => write!(f, "<= {most}"),
        }
    }
}

/// Markdown, with columns that align in a terminal as well.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["measure", "figure", "target", "met", "plain TCP", "ratio"].map(str::to_owned);
        let mut lines = vec![head];
        lines.extend(self.rows.iter().map(Row::cells));
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
        let widths = [0, 1, 2, 3, 4, 5].map(|column| width(column).unwrap_or_default());
        for (number, line) in lines.iter().enumerate() {
            for (cell, width) in line.iter().zip(widths) {
                write!(f, "| {cell:<width$} ")?;
            }
            writeln!(f, "|")?;
            if number == 0 {
                for width in widths {
                    write!(f, "|{:-<1$}", "", width + 2)?;
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

/// Three significant digits or so.
fn shown(figure: f64) -> String {
    match figure.abs() {
        100.0.. => format!("{figure:.0}"),
        10.0.. => format!("{figure:.1}"),
        1.0.. => format!("{figure:.2}"),
        _ => format!("{figure:.3}"),
    }
}

/// The figure that so many percent of the samples do not exceed.
pub fn percentile(samples: &mut [f64], percent: usize) -> f64 {
    samples.sort_unstable_by(f64::total_cmp);
    let last = samples.len().saturating_sub(1);
    samples
        .get(last * percent / 100)
        .copied()
        .unwrap_or(f64::NAN)
}

/// The middle of the samples.
pub fn median(mut samples: Vec<f64>) -> f64 {
    percentile(&mut samples, 50)
}

/// Milliseconds.
pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

//! How long starts take: the one under way, and those of the past.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The latest start of a bastion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Start {
    /// How far it is.
    pub state: StartState,
    /// Milliseconds in all.
    pub ms: u64,
    /// Its phases, in the order of their beginning.
    pub phases: Vec<Phase>,
}

/// How far a start is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StartState {
    /// It is going on.
    UnderWay,
    /// It has come to its end.
    Ready,
    /// It has failed.
    Failed,
    /// Nobody wanted it any more.
    Abandoned,
}

/// A phase of a start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Phase {
    /// Its name, such as `pulling image`.
    pub name: String,
    /// Milliseconds that it took, or has taken so far.
    pub ms: u64,
}

/// How long starts usually take, by those that this daemon and its predecessors have seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsualStart {
    /// So many are known.
    pub starts: usize,
    /// The whole start.
    #[serde(flatten)]
    pub whole: Quantiles,
    /// Its phases, in the order of their beginning; `connecting` is the session, after the task.
    pub phases: Vec<UsualPhase>,
}

/// A phase of the usual start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsualPhase {
    /// Its name.
    pub name: String,
    /// How long it takes.
    #[serde(flatten)]
    pub quantiles: Quantiles,
}

/// What half of them keep within, and 19 of 20.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Quantiles {
    /// The median, in milliseconds.
    pub p50_ms: u64,
    /// The 95th percentile, in milliseconds.
    pub p95_ms: u64,
}

impl Quantiles {
    /// By the nearest rank; `None` of nothing.
    pub fn of(mut times: Vec<u64>) -> Option<Self> {
        times.sort_unstable();
        let rank =
            |percent: usize| times.get((times.len() * percent).div_ceil(100).checked_sub(1)?);
        Some(Self {
            p50_ms: *rank(50)?,
            p95_ms: *rank(95)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_times_that_were_seen() {
        let of = |times: &[u64]| Quantiles::of(times.to_vec()).map(|it| (it.p50_ms, it.p95_ms));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[7]), Some((7, 7)));
        assert_eq!(of(&[30, 10, 20]), Some((20, 30)));
        let hundred: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(of(&hundred), Some((50, 95)));
    }
}

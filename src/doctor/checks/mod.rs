//! The table of checks, in the order in which they are shown: from cheap to expensive, from near to far.

mod credentials;
mod database;
mod local;
mod network;
mod node;
mod policy;
mod quota;
mod running;
mod session;
mod start;
mod task;

use super::check::Check;

/// Every check.
pub fn all() -> impl Iterator<Item = &'static Check> {
    areas().into_iter().flat_map(|area| area.checks)
}

/// Whether a check takes a start to be made.
pub fn is_of_start(check: &Check) -> bool {
    start::CHECKS.iter().any(|it| it.id == check.id)
}

/// Checks of one letter.
pub struct Area {
    /// What they have in common.
    pub title: &'static str,
    /// In the order of their numbers.
    pub checks: &'static [Check],
}

/// The areas, in order.
pub fn areas() -> [Area; 11] {
    let area = |title, checks| Area { title, checks };
    [
        area("L: this machine and its way to AWS", local::CHECKS),
        area("C: credentials", credentials::CHECKS),
        area("T: cluster and task definition", task::CHECKS),
        area("N: the network of the task", network::CHECKS),
        area("D: the database", database::CHECKS),
        area("I: what policies allow", policy::CHECKS),
        area("S: sessions", session::CHECKS),
        area("Q: quotas", quota::CHECKS),
        area("R: the running task", running::CHECKS),
        area("M: machines in the place of a task", node::CHECKS),
        area("P: a start, phase by phase, with `--start`", start::CHECKS),
    ]
}

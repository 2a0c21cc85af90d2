//! What tasks cost, by the seconds of their lives: an estimate. Pure.
//!
//! AWS bills a Fargate task by the second, from the begin of the image's download to its end, for a minute at least.

mod meter;
mod report;
mod usage;

pub use meter::{Meter, Metered, Usage};
pub use report::{hour, report};
pub use usage::{UsageRecord, by_day};

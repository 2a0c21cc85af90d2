//! What a stack costs: a month idle, and an hour in use. Pure.

use super::plan::Plan;
use crate::config::Prices;

/// AWS reckons a month so.
const HOURS_OF_A_MONTH: f64 = 730.0;
/// A public IPv4 address, in all regions.
const ADDRESS_HOUR: f64 = 0.005;
/// The template's task: 256 CPU units and 512 MB, on ARM.
const VCPU: f64 = 0.25;
const GB: f64 = 0.5;

/// In US dollars.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cost {
    pub idle_month: f64,
    pub hour_in_use: f64,
}

/// An estimate, as of the prices' date.
pub(super) fn of(plan: &Plan, region: &str) -> Cost {
    let prices = Prices::of_region(region);
    let endpoints = u32::try_from(plan.interfaces().count()).unwrap_or(u32::MAX);
    let task = VCPU * prices.arm_vcpu_hour + GB * prices.arm_gb_hour;
    let address = if plan.public_ip { ADDRESS_HOUR } else { 0.0 };
    Cost {
        idle_month: f64::from(endpoints) * endpoint_hour(region) * HOURS_OF_A_MONTH,
        hour_in_use: task + address,
    }
}

/// One interface endpoint in one zone.
fn endpoint_hour(region: &str) -> f64 {
    match region {
        "ap-northeast-1" => 0.014,
        _ => 0.010,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_endpoints_cost_something_while_nobody_works() {
        let mut plan = Plan::default();
        let cost = of(&plan, "us-east-1");
        assert_eq!(cost.idle_month, 0.0);
        assert!((cost.hour_in_use - 0.00988).abs() < 0.0001, "{cost:?}");
        plan.public_ip = true;
        assert!((of(&plan, "us-east-1").hour_in_use - 0.01488).abs() < 0.0001);
        plan.public_ip = false;
        plan.endpoints = vec!["ssmmessages", "ecr.api", "ecr.dkr", "logs", "s3"];
        assert!((of(&plan, "us-east-1").idle_month - 29.20).abs() < 0.01);
        assert!((of(&plan, "ap-northeast-1").idle_month - 40.88).abs() < 0.01);
    }
}

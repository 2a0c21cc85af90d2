//! What a stack costs: a month idle, and an hour in use. An estimate. Pure.

use super::template::Told;
use crate::{
    config::Prices,
    cost,
    status::{Architecture, Size},
};

/// AWS reckons a month so.
const HOURS_OF_A_MONTH: f64 = 730.0;
/// A public IPv4 address, in all regions.
const ADDRESS_HOUR: f64 = 0.005;
/// The endpoints that are paid for; the gateway of S3 is free.
pub(super) const INTERFACES: [&str; 5] = [
    "CreateSsmMessagesEndpoint",
    "CreateEcrApiEndpoint",
    "CreateEcrDkrEndpoint",
    "CreateLogsEndpoint",
    "CreateKmsEndpoint",
];

/// In US dollars.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cost {
    pub idle_month: f64,
    pub hour_in_use: f64,
}

/// Of a stack that is told so.
pub(super) fn of(told: &Told, region: &str) -> Cost {
    let on = INTERFACES.iter().filter(|name| told.is_on(name)).count();
    let zones = match told.list("EndpointSubnetIds").len() {
        0 => told.list("SubnetIds").len(),
        several => several,
    };
    let endpoints = u32::try_from(on * zones).unwrap_or(u32::MAX);
    let address = match told.value("AssignPublicIp") {
        "ENABLED" => ADDRESS_HOUR,
        _ => 0.0,
    };
    Cost {
        idle_month: f64::from(endpoints) * endpoint_hour(region) * HOURS_OF_A_MONTH,
        hour_in_use: cost::hour(&Prices::of_region(region), &size(told)) + address,
    }
}

/// In words, with where the prices are from.
pub(super) fn words(told: &Told, region: &str) -> [String; 2] {
    let cost = of(told, region);
    [
        format!(
            "{:.2} USD a month while nobody works, {:.3} USD an hour in use",
            cost.idle_month, cost.hour_in_use
        ),
        format!(
            "an estimate, by prices of {} of {}",
            Prices::source(region),
            Prices::of_region(region).date
        ),
    ]
}

/// The template's task.
fn size(told: &Told) -> Size {
    Size {
        cpu: 256,
        memory: 512,
        architecture: match told.value("CpuArchitecture") {
            "ARM64" => Architecture::Arm64,
            _ => Architecture::X86_64,
        },
        spot: told.value("CapacityProvider") == "FARGATE_SPOT",
    }
}

/// One interface endpoint in one zone.
fn endpoint_hour(region: &str) -> f64 {
    match Prices::source(region) {
        "ap-northeast-1" => 0.014,
        _ => 0.010,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pairs: &[(&str, &str)]) -> Told {
        let pairs = pairs.iter();
        Told(
            pairs
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    fn near(cost: f64, usd: f64) -> bool {
        (cost - usd).abs() < 0.000_1
    }

    #[test]
    fn without_endpoints_nothing_costs_anything_while_nobody_works() {
        let cost = of(&told(&[("SubnetIds", "subnet-1,subnet-2")]), "us-east-1");
        assert!(
            cost.idle_month == 0.0 && near(cost.hour_in_use, 0.00988),
            "{cost:?}"
        );
        let spot = of(&told(&[("CapacityProvider", "FARGATE_SPOT")]), "us-east-1");
        assert!(near(spot.hour_in_use, 0.3 * 0.00988), "{spot:?}");
        let public = of(&told(&[("AssignPublicIp", "ENABLED")]), "us-east-1");
        assert!(near(public.hour_in_use, 0.01488), "{public:?}");
    }

    #[test]
    fn endpoints_are_paid_for_by_zone_and_the_gateway_is_free() {
        let mut pairs = vec![
            ("SubnetIds", "subnet-1,subnet-2"),
            ("CreateSsmMessagesEndpoint", "true"),
            ("CreateEcrApiEndpoint", "true"),
            ("CreateEcrDkrEndpoint", "true"),
            ("CreateLogsEndpoint", "true"),
            ("CreateS3Endpoint", "true"),
        ];
        assert!(near(of(&told(&pairs), "us-east-1").idle_month, 58.40));
        pairs.push(("EndpointSubnetIds", "subnet-1"));
        assert!(near(of(&told(&pairs), "us-east-1").idle_month, 29.20));
        assert!(near(of(&told(&pairs), "ap-northeast-1").idle_month, 40.88));
    }

    #[test]
    fn the_words_say_whose_prices_they_are_and_that_it_is_an_estimate() {
        let [cost, source] = words(&told(&[]), "eu-west-1");
        assert_eq!(
            cost,
            "0.00 USD a month while nobody works, 0.010 USD an hour in use"
        );
        assert!(
            source.starts_with("an estimate, by prices of us-east-1 of 20"),
            "{source}"
        );
    }
}

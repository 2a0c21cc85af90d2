//! The network around a bastion.

use super::Gatherer;
use crate::aws::{self, Aws, Filter};
use crate::config;
use crate::doctor::check::Gap;
use crate::doctor::facts::Network;

/// Asks for it: the subnets tell the VPC, and the endpoints the groups.
pub async fn network(gatherer: &Gatherer, config: &config::Bastion, aws: &Aws) -> Network {
    let place = match aws::Network::by_ids(&config.network) {
        Some(place) => Ok(place),
        None => {
            let asked = aws.network(&config.network, config.family());
            gatherer.ask("ec2:DescribeSubnets", asked).await
        }
    };
    let subnets = match &place {
        Ok(place) => {
            let of_ids = [Filter::new("subnet-id", &place.subnets)];
            gatherer
                .ask("ec2:DescribeSubnets", aws.subnets(&of_ids))
                .await
        }
        Err(gap) => Err(gap.clone()),
    };
    let first = subnets.as_ref().ok().and_then(|it| it.first());
    let vpc = first.map(|subnet| subnet.vpc.clone());
    let of_vpc = vpc.map(|vpc| [Filter::new("vpc-id", [vpc])]);
    let (route_tables, endpoints) = match &of_vpc {
        None => {
            let gap = Gap::Needs("subnets (N01)");
            let gap = subnets.as_ref().err().cloned().unwrap_or(gap);
            (Err(gap.clone()), Err(gap))
        }
        Some(of_vpc) => tokio::join!(
            gatherer.ask("ec2:DescribeRouteTables", aws.route_tables(of_vpc)),
            gatherer.ask("ec2:DescribeVpcEndpoints", aws.vpc_endpoints(of_vpc))
        ),
    };
    let groups = place.as_ref().map(|place| place.security_groups.clone());
    let mut groups = groups.unwrap_or_default();
    let of_endpoints = endpoints.iter().flatten().flat_map(|it| &it.groups);
    groups.extend(of_endpoints.cloned());
    groups.sort();
    groups.dedup();
    let of_groups = [Filter::new("group-id", &groups)];
    let rules = match groups.is_empty() {
        true => Ok(Vec::new()),
        false => {
            let asked = aws.security_group_rules(&of_groups);
            gatherer.ask("ec2:DescribeSecurityGroupRules", asked).await
        }
    };
    Network {
        place,
        subnets,
        route_tables,
        endpoints,
        rules,
    }
}

//! The network around a bastion.

use super::Gatherer;
use crate::aws::{self, Aws, Filter, SecurityGroupRule, Subnet, VpcEndpoint};
use crate::config;
use crate::doctor::check::{Gap, Known};
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
    let Some(vpc) = vpc else {
        let gap = Gap::Needs("subnets (N01)");
        let gap = subnets.as_ref().err().cloned().unwrap_or(gap);
        return Network {
            rules: rules(gatherer, aws, &place, &[]).await,
            place,
            subnets,
            ..Network::unknown(&gap)
        };
    };
    let of_vpc = [Filter::new("vpc-id", [&vpc])];
    let (route_tables, endpoints, acls, dns) = tokio::join!(
        gatherer.ask("ec2:DescribeRouteTables", aws.route_tables(&of_vpc)),
        gatherer.ask("ec2:DescribeVpcEndpoints", aws.vpc_endpoints(&of_vpc)),
        gatherer.ask("ec2:DescribeNetworkAcls", aws.network_acls(&of_vpc)),
        gatherer.ask("ec2:DescribeVpcAttribute", aws.vpc_dns(&vpc))
    );
    let around = endpoints.as_deref().unwrap_or_default();
    let (rules, beside) = tokio::join!(
        rules(gatherer, aws, &place, around),
        beside(gatherer, aws, around)
    );
    Network {
        place,
        subnets,
        route_tables,
        endpoints,
        rules,
        beside,
        acls,
        dns,
        far_rules: Err(Gap::Unasked),
    }
}

/// The rules of the bastion's groups, and of the endpoints'.
async fn rules(
    gatherer: &Gatherer,
    aws: &Aws,
    place: &Known<aws::Network>,
    endpoints: &[VpcEndpoint],
) -> Known<Vec<SecurityGroupRule>> {
    let groups = place.as_ref().map(|place| place.security_groups.clone());
    let mut groups = groups.unwrap_or_default();
    groups.extend(endpoints.iter().flat_map(|it| it.groups.clone()));
    rules_of(gatherer, aws, groups).await
}

/// Asks for the rules of these groups.
pub(super) async fn rules_of(
    gatherer: &Gatherer,
    aws: &Aws,
    mut groups: Vec<String>,
) -> Known<Vec<SecurityGroupRule>> {
    groups.sort();
    groups.dedup();
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let of_groups = [Filter::new("group-id", &groups)];
    let asked = aws.security_group_rules(&of_groups);
    gatherer.ask("ec2:DescribeSecurityGroupRules", asked).await
}

/// The subnets that endpoints are in.
async fn beside(gatherer: &Gatherer, aws: &Aws, endpoints: &[VpcEndpoint]) -> Known<Vec<Subnet>> {
    let mut ids: Vec<_> = endpoints.iter().flat_map(|it| it.subnets.clone()).collect();
    ids.sort();
    ids.dedup();
    if ids.is_empty() || !gatherer.wants(&["N03"]) {
        return Ok(Vec::new());
    }
    let of_ids = [Filter::new("subnet-id", &ids)];
    let asked = aws.subnets(&of_ids);
    gatherer.ask("ec2:DescribeSubnets", asked).await
}

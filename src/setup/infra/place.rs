//! Where in a VPC a bastion goes: its subnets, and the endpoints that they lack. Pure.

use crate::aws::{RouteTable, Subnet, VpcEndpoint, Way, way_out};

/// What a task without another way out needs: its agent, its log, its image. S3 as a gateway, which is free; an interface
/// does not serve the layers of images.
const NEEDED: [&str; 5] = ["ssmmessages", "logs", "ecr.api", "ecr.dkr", "s3"];
/// AWS takes another zone when one has no capacity.
const MOST_ZONES: usize = 3;

/// The place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub subnets: Vec<String>,
    /// How the task gets out, in words.
    pub way: String,
    pub public_ip: bool,
    /// Endpoints that have to be made.
    pub endpoints: Vec<&'static str>,
    /// The route tables of the subnets, for the gateway.
    pub route_tables: Vec<String>,
}

/// What is known of the VPC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vpc<'a> {
    pub subnets: &'a [Subnet],
    pub tables: &'a [RouteTable],
    pub endpoints: &'a [VpcEndpoint],
    pub region: &'a str,
    /// Where the database is.
    pub zone: Option<&'a str>,
}

/// Those `named`, or the best there are: with NAT, else with all endpoints, else public, else with endpoints to make.
pub(super) fn choose(vpc: Vpc<'_>, named: &[String]) -> Result<Place, String> {
    if let Some(unknown) = named
        .iter()
        .find(|id| !vpc.subnets.iter().any(|it| it.id == **id))
    {
        return Err(format!(
            "there is no subnet `{unknown}` in the database's VPC"
        ));
    }
    let mut usable: Vec<&Subnet> = vpc.subnets.iter().collect();
    match named.is_empty() {
        true => usable.retain(|it| it.outpost.is_none() && it.free_addresses > 0),
        false => usable.retain(|it| named.contains(&it.id)),
    }
    let with_rank = |subnet: &&Subnet| rank(vpc, subnet);
    let Some(best) = usable.iter().map(with_rank).min() else {
        return Err("the database's VPC has no subnet with free addresses".to_owned());
    };
    if named.is_empty() {
        usable.retain(|it| rank(vpc, it) == best);
        usable.sort_by_key(|it| {
            (
                vpc.zone != Some(it.zone.as_str()),
                std::cmp::Reverse(it.free_addresses),
            )
        });
        let mut zones: Vec<&str> = Vec::new();
        usable.retain(|it| {
            let is_new = !zones.contains(&it.zone.as_str());
            zones.push(&it.zone);
            is_new
        });
        usable.truncate(MOST_ZONES);
    } else if usable.iter().any(|it| rank(vpc, it) != best) {
        return Err("the subnets differ in how they reach AWS: name such as are alike".to_owned());
    }
    Ok(place(vpc, &usable, best))
}

/// How a subnet gets out; the least is best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Egress,
    Endpoints,
    Public,
    Isolated,
    Unknown,
}

fn rank(vpc: Vpc<'_>, subnet: &Subnet) -> Rank {
    match way_out(subnet, vpc.tables) {
        Way::Egress { .. } => Rank::Egress,
        Way::Public { .. } => Rank::Public,
        Way::Unknown => Rank::Unknown,
        Way::Isolated { table } if missing(vpc, &[table.clone()]).is_empty() => Rank::Endpoints,
        Way::Isolated { .. } => Rank::Isolated,
    }
}

fn place(vpc: Vpc<'_>, subnets: &[&Subnet], rank: Rank) -> Place {
    let mut route_tables = Vec::new();
    for subnet in subnets {
        if let Way::Isolated { table } = way_out(subnet, vpc.tables)
            && !route_tables.contains(&table)
        {
            route_tables.push(table);
        }
    }
    let way = match rank {
        Rank::Egress => "by NAT or the like",
        Rank::Endpoints => "by the VPC's endpoints",
        Rank::Public => "by an internet gateway, with a public address and without an open port",
        Rank::Isolated => "by VPC endpoints that are made",
        Rank::Unknown => "in a way that is not to be seen from this account",
    };
    Place {
        subnets: subnets.iter().map(|it| it.id.clone()).collect(),
        way: way.to_owned(),
        public_ip: rank == Rank::Public,
        endpoints: match rank {
            Rank::Isolated => missing(vpc, &route_tables),
            _ => Vec::new(),
        },
        route_tables,
    }
}

/// Services that whatever uses these route tables does not reach.
fn missing(vpc: Vpc<'_>, tables: &[String]) -> Vec<&'static str> {
    let serves = |endpoint: &VpcEndpoint, name: &str| {
        let service = endpoint.service.split_once(&format!(".{}.", vpc.region));
        let is_it = service.is_some_and(|(_, service)| service == name);
        let is_reached = match endpoint.kind.as_str() {
            "Gateway" => tables
                .iter()
                .all(|table| endpoint.route_tables.contains(table)),
            _ => endpoint.private_dns && name != "s3",
        };
        is_it && is_reached && endpoint.state == "available"
    };
    let lacks = |name: &&str| !vpc.endpoints.iter().any(|it| serves(it, name));
    NEEDED.into_iter().filter(lacks).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{Association, Route};

    fn subnet(id: &str, zone: &str, free_addresses: u32) -> Subnet {
        Subnet {
            id: id.into(),
            vpc: "vpc-1".into(),
            zone: zone.into(),
            free_addresses,
            ..Subnet::default()
        }
    }

    fn table(id: &str, subnet: &str, gateway: Option<&str>, nat: Option<&str>) -> RouteTable {
        RouteTable {
            id: id.into(),
            vpc: "vpc-1".into(),
            routes: vec![Route {
                destination: gateway.or(nat).map(|_| "0.0.0.0/0".into()),
                state: "active".into(),
                gateway: gateway.map(Into::into),
                nat_gateway: nat.map(Into::into),
                ..Route::default()
            }],
            associations: vec![Association {
                main: false,
                subnet: Some(subnet.into()),
            }],
        }
    }

    fn endpoint(name: &str) -> VpcEndpoint {
        VpcEndpoint {
            kind: if name == "s3" { "Gateway" } else { "Interface" }.into(),
            vpc: "vpc-1".into(),
            service: format!("com.amazonaws.eu-west-1.{name}"),
            state: "available".into(),
            private_dns: true,
            route_tables: vec!["rtb-3".into()],
            ..VpcEndpoint::default()
        }
    }

    #[test]
    fn the_cheapest_way_out_is_taken_and_the_database_s_zone_is_first() {
        let subnets = [
            subnet("subnet-1", "a", 9),
            subnet("subnet-2", "b", 99),
            subnet("subnet-3", "a", 9),
            subnet("subnet-4", "a", 5),
        ];
        let tables = [
            table("rtb-1", "subnet-1", None, Some("nat-1")),
            table("rtb-2", "subnet-2", None, Some("nat-1")),
            table("rtb-3", "subnet-3", None, None),
            table("rtb-4", "subnet-4", Some("igw-1"), None),
        ];
        let endpoints: Vec<_> = NEEDED.iter().map(|name| endpoint(name)).collect();
        let vpc = |subnets, endpoints| Vpc {
            subnets,
            tables: &tables,
            endpoints,
            region: "eu-west-1",
            zone: Some("a"),
        };
        let with_nat = choose(vpc(&subnets, &[]), &[]).unwrap();
        assert_eq!(with_nat.subnets, ["subnet-1", "subnet-2"]);
        assert!(with_nat.endpoints.is_empty() && !with_nat.public_ip);
        let with_endpoints = choose(vpc(&subnets[2..], &endpoints), &[]).unwrap();
        assert_eq!(with_endpoints.subnets, ["subnet-3"]);
        assert!(with_endpoints.endpoints.is_empty());
        let public = choose(vpc(&subnets[2..], &endpoints[1..]), &[]).unwrap();
        assert!(public.public_ip && public.subnets == ["subnet-4"]);
        let isolated = choose(vpc(&subnets[2..3], &endpoints[1..3]), &[]).unwrap();
        assert_eq!(isolated.endpoints, ["ssmmessages", "ecr.dkr", "s3"]);
        assert_eq!(isolated.route_tables, ["rtb-3"]);
    }

    #[test]
    fn subnets_that_are_named_are_taken_and_have_to_be_alike() {
        let subnets = [subnet("subnet-1", "a", 0), subnet("subnet-2", "a", 9)];
        let tables = [
            table("rtb-1", "subnet-1", None, None),
            table("rtb-2", "subnet-2", Some("igw-1"), None),
        ];
        let vpc = Vpc {
            subnets: &subnets,
            tables: &tables,
            endpoints: &[],
            region: "eu-west-1",
            zone: None,
        };
        let named = |ids: &[&str]| {
            let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
            choose(vpc, &ids)
        };
        assert_eq!(named(&["subnet-1"]).unwrap().endpoints, NEEDED);
        assert!(
            named(&["subnet-1", "subnet-2"])
                .unwrap_err()
                .contains("differ")
        );
        assert!(named(&["subnet-9"]).unwrap_err().contains("subnet-9"));
        let none = Vpc {
            subnets: &[],
            ..vpc
        };
        assert!(choose(none, &[]).unwrap_err().contains("no subnet"));
    }
}

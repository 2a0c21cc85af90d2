//! Where in a VPC a bastion goes: its subnets, and the endpoints that they lack. Pure.

use std::cmp::Reverse;

use crate::aws::{RouteTable, Subnet, VpcEndpoint, Way, lacking_endpoints, way_out};

/// What a task without another way out needs: its agent, its log, its image. S3 as a gateway, which is free; an interface
/// does not serve the layers of images.
const NEEDED: [&str; 5] = ["ssmmessages", "logs", "ecr.api", "ecr.dkr", "s3"];
/// AWS takes another zone when one has no capacity; more are no help.
const MOST_ZONES: usize = 3;
/// Bound of `awsvpcConfiguration` (ECS API model).
const MOST_SUBNETS: usize = 16;

/// The place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub subnets: Vec<String>,
    /// The zone of each.
    pub zones: Vec<String>,
    pub way: Rank,
    /// Endpoints that have to be made.
    pub endpoints: Vec<&'static str>,
    /// The route tables of the subnets, for the gateway.
    pub route_tables: Vec<String>,
}

impl Place {
    /// Whether the task needs a public address.
    pub fn is_public(&self) -> bool {
        self.way == Rank::Public
    }

    /// Whether nothing leads out but endpoints.
    pub fn is_isolated(&self) -> bool {
        matches!(self.way, Rank::Endpoints | Rank::Isolated)
    }
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

/// How a subnet gets out; the least is best: what is there already and costs nothing goes before what has to be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// By NAT, a transit gateway and the like.
    Egress,
    /// By endpoints that are there.
    Endpoints,
    /// By an internet gateway.
    Public,
    /// By endpoints that are going to be made.
    Isolated,
    /// The route table is not to be seen.
    #[default]
    Unknown,
}

impl Rank {
    pub fn words(self) -> &'static str {
        match self {
            Self::Egress => "by NAT or the like",
            Self::Endpoints => {
                "by the VPC's endpoints, whose security groups have to admit port 443"
            }
            Self::Public => {
                "by an internet gateway, with a public address and without an open port"
            }
            Self::Isolated => "by VPC endpoints, of which some have to be made",
            Self::Unknown => "in a way that is not to be seen from this account",
        }
    }
}

/// Those `named`, or the best there are.
pub(super) fn choose(vpc: Vpc<'_>, named: &[String]) -> Result<Place, String> {
    let mut usable: Vec<&Subnet> = vpc.subnets.iter().collect();
    match named.is_empty() {
        true => usable.retain(|it| it.outpost.is_none() && it.free_addresses > 0),
        false => usable = all_of(vpc, named)?,
    }
    let Some(best) = usable.iter().map(|it| rank(vpc, it)).min() else {
        return Err("the VPC has no subnet with free addresses".to_owned());
    };
    if named.is_empty() {
        usable.retain(|it| rank(vpc, it) == best);
        usable = one_a_zone(vpc, usable);
    } else if usable.iter().any(|it| rank(vpc, it) != best) {
        return Err("the subnets differ in how they reach AWS: name such as are alike".to_owned());
    }
    Ok(place(vpc, &usable, best))
}

fn all_of<'a>(vpc: Vpc<'a>, named: &[String]) -> Result<Vec<&'a Subnet>, String> {
    if named.len() > MOST_SUBNETS {
        return Err(format!(
            "{} subnets are too many: ECS takes {MOST_SUBNETS}",
            named.len()
        ));
    }
    let find = |id: &String| {
        let found = vpc.subnets.iter().find(|it| it.id == *id);
        found.ok_or_else(|| format!("there is no subnet `{id}` in the VPC"))
    };
    named.iter().map(find).collect()
}

/// The database's zone first, and in each the subnet with most room.
fn one_a_zone<'a>(vpc: Vpc<'_>, mut usable: Vec<&'a Subnet>) -> Vec<&'a Subnet> {
    usable.sort_by_key(|it| {
        let is_near = vpc.zone == Some(it.zone.as_str());
        (
            !is_near,
            it.zone.clone(),
            Reverse(it.free_addresses),
            it.id.clone(),
        )
    });
    usable.dedup_by_key(|it| it.zone.clone());
    usable.truncate(MOST_ZONES);
    usable
}

fn rank(vpc: Vpc<'_>, subnet: &Subnet) -> Rank {
    match way_out(subnet, vpc.tables) {
        Way::Egress { .. } => Rank::Egress,
        Way::Public { .. } => Rank::Public,
        Way::Unknown => Rank::Unknown,
        Way::Isolated { table } => match lacks(vpc, subnet, &table).is_empty() {
            true => Rank::Endpoints,
            false => Rank::Isolated,
        },
    }
}

fn lacks(vpc: Vpc<'_>, subnet: &Subnet, table: &str) -> Vec<&'static str> {
    lacking_endpoints(&NEEDED, subnet, table, vpc.endpoints, vpc.region)
}

fn place(vpc: Vpc<'_>, subnets: &[&Subnet], way: Rank) -> Place {
    let (mut endpoints, mut route_tables) = (Vec::new(), Vec::new());
    for subnet in subnets {
        if let Way::Isolated { table } = way_out(subnet, vpc.tables) {
            endpoints.extend(lacks(vpc, subnet, &table));
            if !route_tables.contains(&table) {
                route_tables.push(table);
            }
        }
    }
    endpoints.sort_by_key(|name| NEEDED.iter().position(|it| it == name));
    endpoints.dedup();
    Place {
        subnets: subnets.iter().map(|it| it.id.clone()).collect(),
        zones: subnets.iter().map(|it| it.zone.clone()).collect(),
        way,
        endpoints,
        route_tables,
    }
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
            subnet("subnet-1", "b", 99),
            subnet("subnet-2", "a", 9),
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
        assert_eq!(with_nat.subnets, ["subnet-2", "subnet-1"]);
        assert!(with_nat.endpoints.is_empty() && with_nat.way == Rank::Egress);
        let with_endpoints = choose(vpc(&subnets[2..], &endpoints), &[]).unwrap();
        assert_eq!(with_endpoints.subnets, ["subnet-3"]);
        assert!(with_endpoints.endpoints.is_empty() && with_endpoints.is_isolated());
        let public = choose(vpc(&subnets[2..], &endpoints[1..]), &[]).unwrap();
        assert!(public.is_public() && public.subnets == ["subnet-4"]);
        let isolated = choose(vpc(&subnets[2..3], &endpoints[1..3]), &[]).unwrap();
        assert_eq!(isolated.endpoints, ["ssmmessages", "ecr.dkr", "s3"]);
        assert_eq!(isolated.route_tables, ["rtb-3"]);
    }

    #[test]
    fn subnets_that_are_named_are_taken_in_their_order_and_have_to_be_alike() {
        let subnets = [
            subnet("subnet-1", "a", 0),
            subnet("subnet-2", "a", 9),
            subnet("subnet-3", "a", 9),
        ];
        let tables = [
            table("rtb-1", "subnet-1", None, None),
            table("rtb-2", "subnet-2", Some("igw-1"), None),
            table("rtb-3", "subnet-3", None, None),
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
        let both = named(&["subnet-3", "subnet-1"]).unwrap();
        assert_eq!(both.subnets, ["subnet-3", "subnet-1"]);
        assert_eq!(both.endpoints, NEEDED);
        assert_eq!(both.route_tables, ["rtb-3", "rtb-1"]);
        let differ = named(&["subnet-1", "subnet-2"]).unwrap_err();
        assert!(differ.contains("differ"), "{differ}");
        assert!(named(&["subnet-9"]).unwrap_err().contains("subnet-9"));
        assert!(named(&["subnet-1"; 17]).unwrap_err().contains("too many"));
        let none = Vpc {
            subnets: &[],
            ..vpc
        };
        assert!(choose(none, &[]).unwrap_err().contains("no subnet"));
    }
}

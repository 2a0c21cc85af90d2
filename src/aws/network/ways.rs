//! How what is in a subnet gets out, by its route table. Pure.

use crate::aws::vpc::{Route, RouteTable, Subnet, VpcEndpoint};

const EVERYWHERE: &str = "0.0.0.0/0";

/// What a task in an isolated subnet needs to be an agent, and to have its image. S3 as a gateway: an interface does not
/// serve the layers of images.
const NEEDED: [&str; 4] = ["ssmmessages", "ecr.api", "ecr.dkr", "s3"];

/// How what is in a subnet reaches AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By a NAT gateway or instance, a transit gateway or the like.
    Egress {
        /// Its id.
        by: String,
    },
    /// By an internet gateway, which takes a public address.
    Public {
        /// Its id.
        by: String,
    },
    /// It does not, but by endpoints of the VPC.
    Isolated {
        /// Its route table.
        table: String,
    },
    /// The route table is not to be seen, as in the VPC of another account.
    Unknown,
}

/// How what is in `subnet` gets out, by the `tables` of its VPC. A subnet without a table of its own has the main one.
pub fn way_out(subnet: &Subnet, tables: &[RouteTable]) -> Way {
    let has = |table: &&RouteTable| {
        let mut uses = table.associations.iter();
        uses.any(|it| it.subnet.as_deref() == Some(&subnet.id))
    };
    let is_main = |table: &&RouteTable| {
        table.vpc == subnet.vpc && table.associations.iter().any(|it| it.main)
    };
    let own = tables.iter().find(has);
    let Some(table) = own.or_else(|| tables.iter().find(is_main)) else {
        return Way::Unknown;
    };
    let default = table.routes.iter().find(|it| is_default(it));
    default.and_then(way).unwrap_or_else(|| Way::Isolated {
        table: table.id.clone(),
    })
}

/// Services whose endpoints a task in the isolated `subnet` with this route table lacks.
pub fn missing_endpoints(
    subnet: &Subnet,
    table: &str,
    endpoints: &[VpcEndpoint],
    region: &str,
) -> Vec<&'static str> {
    lacking_endpoints(&NEEDED, subnet, table, endpoints, region)
}

/// Those of `services` that nothing in the isolated `subnet` with this route table reaches.
pub fn lacking_endpoints(
    services: &[&'static str],
    subnet: &Subnet,
    table: &str,
    endpoints: &[VpcEndpoint],
    region: &str,
) -> Vec<&'static str> {
    let serves = |endpoint: &VpcEndpoint, name: &str| {
        let service = endpoint.service.split_once(&format!(".{region}."));
        let is_it = service.is_some_and(|(_, service)| service == name);
        let is_reached = match endpoint.kind.as_str() {
            "Gateway" => endpoint.route_tables.iter().any(|it| it == table),
            _ => endpoint.private_dns && name != "s3",
        };
        is_it && is_reached && endpoint.vpc == subnet.vpc && endpoint.state == "available"
    };
    let lacks = |name: &&str| !endpoints.iter().any(|endpoint| serves(endpoint, name));
    services.iter().copied().filter(lacks).collect()
}

fn is_default(route: &Route) -> bool {
    route.destination.as_deref() == Some(EVERYWHERE) && route.state != "blackhole"
}

fn way(route: &Route) -> Option<Way> {
    let gateway = route.gateway.as_deref().filter(|id| *id != "local");
    if let Some(by) = gateway.filter(|id| id.starts_with("igw-")) {
        let by = by.to_owned();
        return Some(Way::Public { by });
    }
    let ways = [
        route.nat_gateway.as_deref(),
        route.instance.as_deref(),
        route.interface.as_deref(),
        route.transit_gateway.as_deref(),
        route.peering.as_deref(),
        route.core_network.as_deref(),
        // A VPN, or the endpoint of a firewall.
        gateway,
    ];
    let by = ways.into_iter().flatten().next()?.to_owned();
    Some(Way::Egress { by })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::vpc::Association;

    fn subnet(id: &str) -> Subnet {
        Subnet {
            id: id.into(),
            vpc: "vpc-1".into(),
            ..Subnet::default()
        }
    }

    fn table(id: &str, subnet: Option<&str>, route: Route) -> RouteTable {
        let local = Route {
            destination: Some("10.0.0.0/16".into()),
            gateway: Some("local".into()),
            ..Route::default()
        };
        RouteTable {
            id: id.into(),
            vpc: "vpc-1".into(),
            routes: vec![local, route],
            associations: vec![Association {
                main: subnet.is_none(),
                subnet: subnet.map(Into::into),
            }],
        }
    }

    fn everywhere() -> Route {
        Route {
            destination: Some(EVERYWHERE.into()),
            state: "active".into(),
            ..Route::default()
        }
    }

    #[test]
    fn the_default_route_decides() {
        let id = |id: &str| Some(id.to_owned());
        let egress = |by: &str| Way::Egress { by: by.into() };
        let isolated = Way::Isolated {
            table: "rtb-1".into(),
        };
        for (route, way) in [
            (
                Route {
                    nat_gateway: id("nat-1"),
                    ..everywhere()
                },
                egress("nat-1"),
            ),
            (
                Route {
                    interface: id("eni-1"),
                    instance: id("i-1"),
                    ..everywhere()
                },
                egress("i-1"),
            ),
            (
                Route {
                    interface: id("eni-1"),
                    ..everywhere()
                },
                egress("eni-1"),
            ),
            (
                Route {
                    transit_gateway: id("tgw-1"),
                    ..everywhere()
                },
                egress("tgw-1"),
            ),
            (
                Route {
                    peering: id("pcx-1"),
                    ..everywhere()
                },
                egress("pcx-1"),
            ),
            (
                Route {
                    gateway: id("vgw-1"),
                    ..everywhere()
                },
                egress("vgw-1"),
            ),
            (
                Route {
                    gateway: id("vpce-1"),
                    ..everywhere()
                },
                egress("vpce-1"),
            ),
            (
                Route {
                    gateway: id("igw-1"),
                    ..everywhere()
                },
                Way::Public { by: "igw-1".into() },
            ),
            (
                Route {
                    nat_gateway: id("nat-1"),
                    state: "blackhole".into(),
                    ..everywhere()
                },
                isolated.clone(),
            ),
            (
                Route {
                    destination: id("10.1.0.0/16"),
                    peering: id("pcx-1"),
                    ..everywhere()
                },
                isolated.clone(),
            ),
        ] {
            let tables = [table("rtb-1", Some("subnet-1"), route.clone())];
            assert_eq!(way_out(&subnet("subnet-1"), &tables), way, "{route:?}");
        }
    }

    #[test]
    fn a_subnet_without_a_table_of_its_own_has_the_main_one_of_its_vpc() {
        let nat = |id: &str| Route {
            nat_gateway: Some(id.into()),
            ..everywhere()
        };
        let mut tables = vec![
            table("rtb-1", Some("subnet-1"), nat("nat-own")),
            table("rtb-2", None, nat("nat-main")),
        ];
        let by = |id: &str, tables: &[RouteTable]| match way_out(&subnet(id), tables) {
            Way::Egress { by } => by,
            other => format!("{other:?}"),
        };
        assert_eq!(by("subnet-1", &tables), "nat-own");
        assert_eq!(by("subnet-2", &tables), "nat-main");
        tables[1].vpc = "vpc-2".into();
        assert_eq!(by("subnet-2", &tables), "Unknown");
    }

    #[test]
    fn endpoints_count_when_they_are_reached_by_the_usual_names() {
        let endpoint = |service: &str, kind: &str| VpcEndpoint {
            service: format!("com.amazonaws.eu-west-1.{service}"),
            kind: kind.into(),
            vpc: "vpc-1".into(),
            state: "available".into(),
            private_dns: kind == "Interface",
            route_tables: vec!["rtb-1".into()],
            ..VpcEndpoint::default()
        };
        let interface = |service: &str| endpoint(service, "Interface");
        let all = [
            interface("ssmmessages"),
            interface("ecr.api"),
            interface("ecr.dkr"),
            endpoint("s3", "Gateway"),
        ];
        let missing = |endpoints: &[VpcEndpoint], table: &str| {
            missing_endpoints(&subnet("subnet-1"), table, endpoints, "eu-west-1")
        };
        assert!(missing(&all, "rtb-1").is_empty());
        assert_eq!(missing(&all, "rtb-2"), ["s3"]);
        assert_eq!(missing(&[], "rtb-1"), NEEDED);
        let mut odd = all.clone();
        odd[0].private_dns = false;
        odd[1].state = "pending".into();
        odd[2].vpc = "vpc-2".into();
        odd[3] = interface("s3");
        assert_eq!(missing(&odd, "rtb-1"), NEEDED);
    }
}

//! The way out of a subnet, by its default route; and what an image needs of it.

use crate::aws::{Route, RouteTable, Subnet};

/// The way out of a subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By NAT, a transit gateway, a peering connection or an appliance.
    Out,
    /// By an internet gateway, for those with a public address.
    Public,
    /// Only to what endpoints stand in for.
    None,
    /// To something that is gone.
    Blackhole,
    /// It is another account's, which does not tell its routes.
    Unknown,
}

impl Way {
    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Out => "by NAT or a transit gateway",
            Self::Public => "by an internet gateway",
            Self::None => "only by VPC endpoints",
            Self::Blackhole => "nowhere",
            Self::Unknown => "not told: the subnet is shared by another account",
        }
    }
}

/// That of `subnet`, by the route tables of its VPC.
pub fn of(subnet: &Subnet, tables: &[RouteTable]) -> Way {
    let Some(table) = table(subnet, tables) else {
        return Way::Unknown;
    };
    let is_default = |route: &&Route| route.destination.as_deref() == Some("0.0.0.0/0");
    match table.routes.iter().find(is_default) {
        None => Way::None,
        Some(route) if route.state == "blackhole" => Way::Blackhole,
        Some(route) => match route.gateway.as_deref() {
            Some(gateway) if gateway.starts_with("igw-") => Way::Public,
            _ => Way::Out,
        },
    }
}

/// The route table of `subnet`: its own, or the VPC's main one.
pub fn table<'a>(subnet: &Subnet, tables: &'a [RouteTable]) -> Option<&'a RouteTable> {
    let of_vpc = || tables.iter().filter(|table| table.vpc == subnet.vpc);
    let has = |table: &&RouteTable| {
        let mut associations = table.associations.iter();
        associations.any(|it| it.subnet.as_deref() == Some(&subnet.id))
    };
    let is_main = |table: &&RouteTable| table.associations.iter().any(|it| it.main);
    of_vpc().find(has).or_else(|| of_vpc().find(is_main))
}

/// Whether an image is in ECR, and not in its public gallery.
pub fn is_private_ecr(image: &str) -> bool {
    let host = image.split('/').next().unwrap_or_default();
    host.contains(".dkr.ecr.") || host.contains(".dkr-ecr.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Association;

    fn subnet() -> Subnet {
        Subnet {
            id: "subnet-1".into(),
            vpc: "vpc-1".into(),
            ..Subnet::default()
        }
    }

    fn table_of(association: Association, gateway: Option<&str>, state: &str) -> RouteTable {
        RouteTable {
            vpc: "vpc-1".into(),
            associations: vec![association],
            routes: vec![Route {
                destination: Some("0.0.0.0/0".into()),
                gateway: gateway.map(str::to_owned),
                state: state.into(),
                ..Route::default()
            }],
            ..RouteTable::default()
        }
    }

    #[test]
    fn a_subnets_own_table_goes_before_the_main_one() {
        let main = Association {
            main: true,
            subnet: None,
        };
        let own = Association {
            main: false,
            subnet: Some("subnet-1".into()),
        };
        let public = table_of(main, Some("igw-1"), "active");
        let nat = table_of(own.clone(), None, "active");
        let gone = table_of(own, None, "blackhole");
        assert_eq!(of(&subnet(), &[public.clone(), nat]), Way::Out);
        assert_eq!(of(&subnet(), &[public.clone(), gone]), Way::Blackhole);
        assert_eq!(of(&subnet(), &[public]), Way::Public);
        assert_eq!(of(&subnet(), &[]), Way::Unknown);
    }

    #[test]
    fn the_public_gallery_is_no_private_registry() {
        assert!(is_private_ecr(
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/x:1"
        ));
        assert!(!is_private_ecr("public.ecr.aws/docker/library/busybox:1"));
        assert!(!is_private_ecr("busybox"));
    }
}

//! What is wanted of a stack, and what the template is told for it. Pure.

use std::collections::BTreeMap;

use regex_lite::Regex;

use super::{place::Place, template::Told};

/// The switch of each endpoint.
pub(super) const SWITCHES: [(&str, &str); 5] = [
    ("ssmmessages", "CreateSsmMessagesEndpoint"),
    ("logs", "CreateLogsEndpoint"),
    ("ecr.api", "CreateEcrApiEndpoint"),
    ("ecr.dkr", "CreateEcrDkrEndpoint"),
    ("s3", "CreateS3Endpoint"),
];

/// What is wanted, of a new stack or of one that is there: what is `None` or empty stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    /// The VPC of a new stack.
    pub vpc: Option<String>,
    pub target: Option<Target>,
    pub place: Option<Place>,
    /// A cluster that is there already.
    pub cluster: Option<String>,
    /// Parameters that somebody has given himself; they go before all.
    pub given: BTreeMap<String, String>,
}

/// What the bastion leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    /// As a configuration names it.
    pub database: Option<String>,
    /// The database's security group, which gets a rule.
    pub group: Option<String>,
    /// Else the addresses to be reached.
    pub cidr: Option<String>,
    pub port: Option<u16>,
    /// A host by its name, which the template's pattern may not accept.
    pub host: Option<String>,
}

impl Wish {
    /// What the stack is told: `before`, with what is wanted.
    pub fn told(&self, stack: &str, before: &Told) -> Told {
        let mut told = before.clone();
        let mut tell = |name: &str, value: &str| {
            told.0.insert(name.to_owned(), value.to_owned());
        };
        tell(
            "Name",
            if before.0.is_empty() {
                stack
            } else {
                before.value("Name")
            },
        );
        if let Some(vpc) = &self.vpc {
            tell("VpcId", vpc);
        }
        if let Some(cluster) = &self.cluster {
            tell("ExistingClusterName", cluster);
        }
        if let Some(target) = &self.target {
            target.tell(before, &mut tell);
        }
        if let Some(place) = &self.place {
            tell_place(place, stack, &mut tell);
        }
        for (name, value) in &self.given {
            tell(name, value);
        }
        if let Some(place) = &self.place
            && told.is_on("CreateS3Endpoint")
            && told.list("RouteTableIds").is_empty()
        {
            let tables = place.route_tables.join(",");
            told.0.insert("RouteTableIds".to_owned(), tables);
        }
        told
    }
}

impl Target {
    fn tell(&self, before: &Told, tell: &mut impl FnMut(&str, &str)) {
        if let Some(group) = &self.group {
            tell("TargetSecurityGroupId", group);
            tell("TargetCidr", "");
        } else if let Some(cidr) = &self.cidr {
            tell("TargetCidr", cidr);
            tell("TargetSecurityGroupId", "");
        }
        if let Some(port) = self.port {
            tell("TargetPort", &port.to_string());
        }
        if let Some(host) = &self.host {
            let accepts = Regex::new(before.value("AllowedHostPattern"));
            if !accepts.is_ok_and(|pattern| pattern.is_match(host)) {
                tell(
                    "AllowedHostPattern",
                    &format!("^{}$", host.replace('.', "\\.")),
                );
            }
        }
    }
}

fn tell_place(place: &Place, stack: &str, tell: &mut impl FnMut(&str, &str)) {
    tell("SubnetIds", &place.subnets.join(","));
    let address = if place.is_public() {
        "ENABLED"
    } else {
        "DISABLED"
    };
    tell("AssignPublicIp", address);
    if !place.is_isolated() {
        return;
    }
    tell("ImageSource", "pull-through-cache");
    // A rule of the stack's own: another stack of the account may have the usual one. ECR takes 30 characters.
    let short: String = stack.chars().take(26).collect();
    tell(
        "PullThroughPrefix",
        &format!("{}-ecr", short.trim_end_matches('-')),
    );
    for (name, switch) in SWITCHES {
        if place.endpoints.contains(&name) {
            tell(switch, "true");
        }
    }
    if place.endpoints.iter().any(|name| *name != "s3") {
        // Each zone costs as much again, and one serves all.
        tell(
            "EndpointSubnetIds",
            place.subnets.first().map_or("", String::as_str),
        );
    }
}

#[cfg(test)]
pub(super) mod fixture {
    use super::*;
    use crate::setup::infra::place::Rank;

    pub fn wish() -> Wish {
        Wish {
            vpc: Some("vpc-1".into()),
            target: Some(Target {
                database: Some("rds-cluster:app".into()),
                group: Some("sg-1".into()),
                port: Some(6543),
                ..Target::default()
            }),
            place: Some(Place {
                subnets: vec!["subnet-1".into(), "subnet-2".into()],
                zones: vec!["a".into(), "b".into()],
                way: Rank::Egress,
                ..Place::default()
            }),
            ..Wish::default()
        }
    }

    pub fn isolated() -> Wish {
        Wish {
            place: Some(Place {
                way: Rank::Isolated,
                endpoints: vec!["ssmmessages", "logs", "ecr.api", "ecr.dkr", "s3"],
                route_tables: vec!["rtb-1".into(), "rtb-2".into()],
                ..wish().place.unwrap()
            }),
            ..wish()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        fixture::{isolated, wish},
        *,
    };
    use crate::setup::infra::{place::Rank, template};

    #[test]
    fn every_parameter_is_one_of_the_template_and_holds_its_assertions() {
        let mut wish = isolated();
        wish.target.as_mut().unwrap().host = Some("db.internal".into());
        wish.cluster = Some("ours".into());
        wish.given.insert("IdleSeconds".into(), "600".into());
        let told = wish.told("bastiond", &Told::default());
        for (name, value) in &told.0 {
            assert_eq!(template::check(name, value), Ok(()), "{name}");
        }
        assert_eq!(template::impossible(&told), None);
        for (name, value) in [
            ("AllowedHostPattern", r"^db\.internal$"),
            ("EndpointSubnetIds", "subnet-1"),
            ("CreateS3Endpoint", "true"),
            ("RouteTableIds", "rtb-1,rtb-2"),
            ("ImageSource", "pull-through-cache"),
            ("PullThroughPrefix", "bastiond-ecr"),
            ("IdleSeconds", "600"),
        ] {
            assert_eq!(told.value(name), value, "{name}");
        }
    }

    #[test]
    fn with_a_way_out_no_endpoint_is_made_and_the_image_is_public() {
        let told = wish().told("bastiond", &Told::default());
        assert_eq!(told.value("AssignPublicIp"), "DISABLED");
        let mut names = told.0.keys();
        assert!(!names.any(|name| name.starts_with("Create") || name == "ImageSource"));
        let mut public = wish();
        public.place.as_mut().unwrap().way = Rank::Public;
        let told = public.told("bastiond", &Told::default());
        assert_eq!(told.value("AssignPublicIp"), "ENABLED");
    }

    #[test]
    fn a_host_that_the_template_s_pattern_accepts_leaves_the_pattern_alone() {
        let mut wish = wish();
        wish.target.as_mut().unwrap().host = Some("app.x.eu-west-1.rds.amazonaws.com".into());
        let told = wish.told("bastiond", &Told::default());
        assert!(!told.0.contains_key("AllowedHostPattern"));
    }
}

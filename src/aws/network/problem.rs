//! Why there is no place for a task, in words. Pure.

use crate::{
    aws::{
        error::Kind,
        told::{Told, listed, there_are},
        vpc::{SecurityGroup, Subnet},
    },
    config::{Pick, suggest},
};

/// Why there is no place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// No subnet, or no group, is the one that was named; these there are.
    Unknown {
        what: &'static str,
        pick: Pick,
        known: Vec<String>,
    },
    /// These all are what was named, or have what was looked for.
    Several {
        what: &'static str,
        fits: String,
        candidates: Vec<String>,
    },
    /// The subnets are of these VPCs.
    SeveralVpcs(Vec<String>),
    /// More than a task takes.
    TooManySubnets(usize),
    /// None is of use; each with the reason.
    NoSubnet(Vec<String>),
    /// The databases are in these VPCs.
    DatabasesApart(Vec<String>),
    /// There is nothing to go by.
    NoDatabase,
}

impl Problem {
    pub(super) fn unknown_subnet(pick: &Pick, all: &[Subnet]) -> Self {
        let name = |it: &Subnet| match pick {
            Pick::Name(_) => it.tags.get("Name").cloned(),
            Pick::Id(_) | Pick::Tag { .. } => Some(shown(it)),
        };
        Self::unknown("subnet", pick, all.iter().filter_map(name).collect())
    }

    pub(super) fn unknown_group(pick: &Pick, all: &[SecurityGroup]) -> Self {
        let name = |it: &SecurityGroup| match pick {
            Pick::Name(_) => it.name.clone(),
            Pick::Id(_) | Pick::Tag { .. } => format!("{} ({})", it.id, it.name),
        };
        Self::unknown("security group", pick, all.iter().map(name).collect())
    }

    /// What is like it first.
    fn unknown(what: &'static str, pick: &Pick, mut known: Vec<String>) -> Self {
        let text = pick.to_string();
        let near = suggest::nearest(&text, known.iter().map(String::as_str)).map(str::to_owned);
        known.sort_by_key(|name| (near.as_ref() != Some(name), !name.contains(&text)));
        Self::Unknown {
            what,
            pick: pick.clone(),
            known,
        }
    }

    pub(super) fn several_subnets(pick: &Pick, fitting: &[&Subnet]) -> Self {
        Self::Several {
            what: "subnets",
            fits: format!("fit `{pick}`"),
            candidates: fitting.iter().map(|it| shown(it)).collect(),
        }
    }

    /// `mark` is what they have in common.
    pub(super) fn several_groups(mark: &str, fitting: &[&SecurityGroup]) -> Self {
        let candidates = fitting.iter();
        Self::Several {
            what: "security groups",
            fits: format!("have {mark}"),
            candidates: candidates
                .map(|it| format!("{} ({})", it.id, it.name))
                .collect(),
        }
    }

    pub(super) fn several_vpcs(subnets: &[Subnet]) -> Self {
        let of = |it: &Subnet| format!("{} in {}", it.id, it.vpc);
        Self::SeveralVpcs(subnets.iter().map(of).collect())
    }

    /// In words for the person who wrote the configuration.
    pub(super) fn told(self, region: &str) -> Told {
        let (kind, message, hint) = match self {
            Self::Unknown { what, pick, known } => (
                Kind::NotFound,
                format!(
                    "there is no {what} `{pick}` in {region}; {}",
                    there_are(&known)
                ),
                format!("correct it, or check `region` ({region}) and `profile`"),
            ),
            Self::Several {
                what,
                fits,
                candidates,
            } => (
                Kind::SeveralFit,
                format!("{} {what} {fits}: {}", candidates.len(), listed(&candidates)),
                "name one by its id".to_owned(),
            ),
            Self::SeveralVpcs(subnets) => (
                Kind::SeveralFit,
                format!("the subnets are not of one VPC: {}", listed(&subnets)),
                "name those of one VPC in `subnets`".to_owned(),
            ),
            Self::TooManySubnets(count) => (
                Kind::SeveralFit,
                format!("{count} subnets fit `subnets`, and a task takes 16"),
                "name fewer in `subnets`".to_owned(),
            ),
            Self::NoSubnet(why) => (
                Kind::NotFound,
                match &why[..] {
                    [] => format!("the database's VPC has no subnet that is to be seen in {region}"),
                    why => format!("no subnet of the VPC serves: {}", listed(why)),
                },
                "name subnets with a way out in `subnets`".to_owned(),
            ),
            Self::DatabasesApart(databases) => (
                Kind::SeveralFit,
                format!("the databases are not in one VPC: {}", listed(&databases)),
                "set `subnets` of the bastion, or take a bastion for each VPC".to_owned(),
            ),
            Self::NoDatabase => (
                Kind::Configuration,
                "no subnet is tagged bastiond:subnet=true, and no tunnel names its database by an id, \
                 whose VPC would tell"
                    .to_owned(),
                "set `subnets` of the bastion".to_owned(),
            ),
        };
        Told {
            kind,
            message,
            hint,
        }
    }
}

fn shown(subnet: &Subnet) -> String {
    match subnet.tags.get("Name") {
        Some(name) => format!("{} ({name})", subnet.id),
        None => subnet.id.clone(),
    }
}

//! `subnets`, `security_groups` and `assign_public_ip` of a bastion: where its task runs.

use toml::Spanned;

use super::{
    Selector,
    error::Complaint,
    pick::{self, Pick},
    scope::Scope,
};

/// Bounds of `awsvpcConfiguration` (ECS API model).
const MOST_SUBNETS: usize = 16;
const MOST_SECURITY_GROUPS: usize = 5;

const SUBNET: &str = "subnet-";
const SECURITY_GROUP: &str = "sg-";
/// What an id of another kind begins with.
const PREFIXES: [&str; 4] = [SUBNET, SECURITY_GROUP, "vpc-", "rtb-"];

type List = Option<Spanned<Vec<Spanned<String>>>>;

/// Where a task runs, as far as it is configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Its subnets; empty: to be found.
    pub subnets: Vec<Pick>,
    /// Its security groups; empty: to be found, or with subnets by id the VPC's default group.
    pub security_groups: Vec<Pick>,
    /// Whether it gets a public address; `None`: as the way out of the subnets takes it.
    pub assign_public_ip: Option<bool>,
    /// The databases that tunnels reach through it, whose VPC it has to be in.
    pub databases: Vec<Selector>,
}

impl Network {
    /// The subnets, if all are named by id.
    pub fn subnet_ids(&self) -> Option<Vec<String>> {
        ids(&self.subnets).filter(|ids| !ids.is_empty())
    }

    /// The security groups, if all are named by id.
    pub fn security_group_ids(&self) -> Option<Vec<String>> {
        ids(&self.security_groups)
    }
}

fn ids(picks: &[Pick]) -> Option<Vec<String>> {
    let id = |pick: &Pick| match pick {
        Pick::Id(id) => Some(id.clone()),
        Pick::Tag { .. } | Pick::Name(_) => None,
    };
    picks.iter().map(id).collect()
}

pub(super) fn check(
    scope: &mut Scope,
    subnets: List,
    security_groups: List,
    assign_public_ip: Option<bool>,
) -> Network {
    if let Some(list) = subnets.as_ref().filter(|list| list.get_ref().is_empty()) {
        let complaint = Complaint::new("must name at least one subnet");
        let hint = "leave it out, and subnets of the database's VPC are found";
        scope.wrong("subnets", list.span(), complaint.hint(hint));
    }
    Network {
        subnets: picks(scope, "subnets", SUBNET, MOST_SUBNETS, subnets),
        security_groups: picks(
            scope,
            "security_groups",
            SECURITY_GROUP,
            MOST_SECURITY_GROUPS,
            security_groups,
        ),
        assign_public_ip,
        databases: Vec::new(),
    }
}

fn picks(scope: &mut Scope, key: &str, prefix: &str, most: usize, raw: List) -> Vec<Pick> {
    let Some(raw) = raw else { return Vec::new() };
    let count = raw.get_ref().len();
    if count > most {
        let complaint = Complaint::new(format!("{count} are too many: ECS takes {most}"));
        scope.wrong(key, raw.span(), complaint);
    }
    let read = |text: &str| pick::read(text, prefix, &PREFIXES);
    let texts = raw.into_inner().into_iter();
    let texts =
        texts.filter_map(|text| scope.checked(key, Some(text), |text| read(text).map(drop)));
    texts.filter_map(|text| read(&text).ok()).collect()
}

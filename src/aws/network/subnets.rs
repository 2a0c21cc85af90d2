//! Which subnets a task may run in. Pure: descriptions in, a choice with its reasons out.

use super::{
    problem::Problem,
    ways::{Way, missing_endpoints, way_out},
};
use crate::{
    aws::vpc::{RouteTable, Subnet, VpcEndpoint},
    config::Pick,
    status::{Chosen, ChosenKind},
};

/// Of which AWS takes another when one has no capacity; more are no help.
const MOST_ZONES: usize = 3;
/// Bound of `awsvpcConfiguration` (ECS API model).
const MOST_SUBNETS: usize = 16;

/// A subnet, and how what is in it gets out.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) subnet: Subnet,
    pub(super) way: Way,
}

impl Candidate {
    pub(super) fn is_isolated(&self) -> bool {
        matches!(self.way, Way::Isolated { .. })
    }
}

/// What is known of the place.
pub(super) struct Surroundings {
    pub(super) endpoints: Vec<VpcEndpoint>,
    /// Where the databases are.
    pub(super) zones: Vec<String>,
    pub(super) region: String,
    /// As configured.
    pub(super) public_ip: Option<bool>,
}

/// The choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picked {
    pub(super) subnets: Vec<Subnet>,
    pub(super) public_ip: bool,
    pub(super) chosen: Vec<Chosen>,
    /// How it is got out, the same whichever subnets of the kind were taken.
    pub(super) class: &'static str,
}

/// How good a subnet is; the least is best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Egress,
    Endpoints,
    Public,
    Unknown,
}

impl Class {
    fn word(self) -> &'static str {
        match self {
            Self::Egress => "egress",
            Self::Endpoints => "endpoints",
            Self::Public => "public",
            Self::Unknown => "unknown",
        }
    }
}

pub(super) fn candidates(subnets: Vec<Subnet>, tables: &[RouteTable]) -> Vec<Candidate> {
    let with_way = |subnet: Subnet| Candidate {
        way: way_out(&subnet, tables),
        subnet,
    };
    subnets.into_iter().map(with_way).collect()
}

/// The subnets that `picks` name among `all`; each by an id or a name is one, by a tag as many as have it. Where a tag
/// is that of several VPCs, `vpc` decides.
pub(super) fn named(
    picks: &[Pick],
    all: &[Subnet],
    vpc: Option<&str>,
) -> Result<Vec<Subnet>, Problem> {
    let mut found: Vec<Subnet> = Vec::new();
    for pick in picks {
        let mut fitting: Vec<&Subnet> = all.iter().filter(|it| fits(pick, it)).collect();
        if fitting.iter().any(|it| Some(it.vpc.as_str()) == vpc) {
            fitting.retain(|it| Some(it.vpc.as_str()) == vpc);
        }
        match (pick, &fitting[..]) {
            (_, []) => return Err(Problem::unknown_subnet(pick, all)),
            (Pick::Id(_) | Pick::Name(_), [_, _, ..]) => {
                return Err(Problem::several_subnets(pick, &fitting));
            }
            (_, fitting) => {
                let is_new = |it: &&&Subnet| !found.iter().any(|known| known.id == it.id);
                let new: Vec<Subnet> = fitting.iter().filter(is_new).copied().cloned().collect();
                found.extend(new);
            }
        }
    }
    one_vpc(&found)?;
    match found.len() > MOST_SUBNETS {
        true => Err(Problem::TooManySubnets(found.len())),
        false => Ok(found),
    }
}

fn fits(pick: &Pick, subnet: &Subnet) -> bool {
    match pick {
        Pick::Id(id) => subnet.id == *id,
        Pick::Tag { key, value } => subnet.tags.get(key) == Some(value),
        Pick::Name(name) => subnet.tags.get("Name") == Some(name),
    }
}

fn one_vpc(subnets: &[Subnet]) -> Result<(), Problem> {
    let first = subnets.first().map(|it| it.vpc.as_str());
    match subnets.iter().all(|it| Some(it.vpc.as_str()) == first) {
        true => Ok(()),
        false => Err(Problem::several_vpcs(subnets)),
    }
}

/// All of those that were named. Whether they get public addresses is told by their way out, unless it is configured.
pub(super) fn take(named: Vec<Candidate>, why: &str, around: &Surroundings) -> Picked {
    let all_public = named.iter().all(|it| matches!(it.way, Way::Public { .. }));
    let public_ip = around.public_ip.unwrap_or(all_public);
    let mut chosen: Vec<Chosen> = named
        .iter()
        .map(|it| {
            let why = format!("{why}; {}", way(&it.way));
            Chosen::new(ChosenKind::Subnet, &it.subnet.id, why)
        })
        .collect();
    chosen.extend(address(public_ip, around.public_ip));
    chosen.extend(named.iter().filter_map(|it| doubt(it, public_ip, around)));
    Picked {
        subnets: named.into_iter().map(|it| it.subnet).collect(),
        public_ip,
        chosen,
        class: "named",
    }
}

/// The best of all: with a way out, in the zone of the databases first, and in another or two besides.
pub(super) fn choose(all: &[Candidate], around: &Surroundings) -> Result<Picked, Problem> {
    let mut usable: Vec<(Class, &Candidate)> = all
        .iter()
        .filter_map(|it| Some((class(it, around).ok()?, it)))
        .collect();
    let Some(best) = usable.iter().map(|(class, _)| *class).min() else {
        let why_not = |it: &Candidate| {
            let why = class(it, around).err().unwrap_or_default();
            format!("{} ({why})", it.subnet.id)
        };
        return Err(Problem::NoSubnet(all.iter().map(why_not).collect()));
    };
    usable.retain(|(class, _)| *class == best);
    let is_near = |subnet: &Subnet| around.zones.contains(&subnet.zone);
    usable.sort_by(|(_, a), (_, b)| {
        let key = |it: &Subnet| (!is_near(it), it.zone.clone(), u32::MAX - it.free_addresses);
        (key(&a.subnet), &a.subnet.id).cmp(&(key(&b.subnet), &b.subnet.id))
    });
    usable.dedup_by_key(|(_, it)| it.subnet.zone.clone());
    usable.truncate(MOST_ZONES);
    let public_ip = best == Class::Public || around.public_ip == Some(true);
    let reason = |it: &Candidate| {
        let zone = match is_near(&it.subnet) {
            true => format!("in the database's zone {}", it.subnet.zone),
            false => format!("in zone {}", it.subnet.zone),
        };
        let free = it.subnet.free_addresses;
        format!("found: {zone}; {}; {free} addresses free", way(&it.way))
    };
    let mut chosen: Vec<Chosen> = usable
        .iter()
        .map(|(_, it)| Chosen::new(ChosenKind::Subnet, &it.subnet.id, reason(it)))
        .collect();
    chosen.extend(address(public_ip, around.public_ip));
    if best == Class::Unknown {
        chosen.push(Chosen::caution(
            "the route tables of the subnets are not to be seen: whether they have a way out is unknown",
        ));
    }
    Ok(Picked {
        subnets: usable
            .into_iter()
            .map(|(_, it)| it.subnet.clone())
            .collect(),
        public_ip,
        chosen,
        class: best.word(),
    })
}

/// Whether it has to be known what endpoints there are: where nothing leads out.
pub(super) fn needs_endpoints(all: &[Candidate], around: &Surroundings) -> bool {
    let leads_out = |it: &Candidate| class(it, around) == Ok(Class::Egress);
    all.iter().any(Candidate::is_isolated) && !all.iter().any(leads_out)
}

/// How good it is, or why it is of no use.
fn class(candidate: &Candidate, around: &Surroundings) -> Result<Class, String> {
    let Candidate { subnet, way } = candidate;
    if !matches!(subnet.state.as_str(), "available" | "") {
        return Err(format!("it is {}", subnet.state));
    }
    if subnet.outpost.is_some() || !is_of_region(&subnet.zone, &around.region) {
        return Err(format!("it is outside the region, in {}", subnet.zone));
    }
    if subnet.free_addresses == 0 {
        return Err("no address is free".to_owned());
    }
    let class = match way {
        Way::Egress { .. } => Class::Egress,
        Way::Public { .. } => Class::Public,
        Way::Unknown => Class::Unknown,
        Way::Isolated { table } => {
            match missing_endpoints(subnet, table, &around.endpoints, &around.region)[..] {
                [] => Class::Endpoints,
                ref missing => {
                    let missing = missing.join(", ");
                    return Err(format!("no way out, and no endpoint for {missing}"));
                }
            }
        }
    };
    match (class, around.public_ip) {
        (Class::Public, Some(false)) => Err("public, and `assign_public_ip` is false".to_owned()),
        (Class::Egress | Class::Endpoints, Some(true)) => {
            Err("private, and `assign_public_ip` is true".to_owned())
        }
        _ => Ok(class),
    }
}

/// Local and Wavelength zones have more in their names than a letter, and no Fargate.
fn is_of_region(zone: &str, region: &str) -> bool {
    match zone.strip_prefix(region) {
        Some(letter) => letter.len() <= 1,
        None => zone.is_empty(),
    }
}

fn way(way: &Way) -> String {
    match way {
        Way::Egress { by } => format!("way out by {by}"),
        Way::Public { by } => format!("public by {by}"),
        Way::Isolated { .. } => "isolated, with endpoints".to_owned(),
        Way::Unknown => "way out unknown".to_owned(),
    }
}

fn address(public_ip: bool, configured: Option<bool>) -> Option<Chosen> {
    let why = match configured {
        Some(_) => "configured",
        None => "the way out is an internet gateway",
    };
    public_ip.then(|| Chosen::new(ChosenKind::PublicIp, "enabled", why))
}

/// What may be wrong with a subnet that was named.
fn doubt(named: &Candidate, public_ip: bool, around: &Surroundings) -> Option<Chosen> {
    let Candidate { subnet, way } = named;
    let id = &subnet.id;
    let why = match way {
        _ if subnet.free_addresses == 0 => format!("{id} has no address free"),
        Way::Public { by } if !public_ip => {
            format!("{id} leads out by {by} only, which takes `assign_public_ip = true`")
        }
        Way::Isolated { table } => {
            let missing = missing_endpoints(subnet, table, &around.endpoints, &around.region);
            if missing.is_empty() {
                return None;
            }
            let missing = missing.join(", ");
            format!("{id} has no way out, and its VPC no endpoint for {missing}")
        }
        _ => return None,
    };
    Some(Chosen::caution(why))
}

#[cfg(test)]
#[path = "subnets/tests.rs"]
mod tests;

//! Where a task runs: its subnets and security groups, as they are named or found.
//!
//! What is named by ids is taken as it is, without a call. Tags and names are looked up; what is left out is found: the
//! VPC is that of the databases that are reached through the bastion, and of its subnets those are taken that have a way
//! out. Never the first of several: that is an error, which names them. Which to take is decided by the pure modules;
//! here are the calls.

mod groups;
mod problem;
mod rules;
mod subnets;
mod ways;

use tokio::time::timeout;

use super::{
    Aws, Filter, Subnet,
    database::Home,
    error::{Error, Kind},
};
use crate::{
    config,
    status::{Chosen, ChosenKind},
};
use problem::Problem;
pub use rules::contains;
use subnets::{Candidate, Picked, Surroundings};
pub use ways::{Way, lacking_endpoints, missing_endpoints, way_out};

/// The tag of subnets that are for bastions.
const SUBNET_TAG: (&str, &str) = ("bastiond:subnet", "true");
/// So many calls' time is enough for lists of many pages.
const CALLS: u32 = 4;

/// Where a task runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Its subnets, of one VPC.
    pub subnets: Vec<String>,
    /// Its security groups; none: the VPC's default group.
    pub security_groups: Vec<String>,
    /// Whether it gets a public address.
    pub assign_public_ip: bool,
    /// What is the same on all laptops that have one configuration, whatever they found at which time: of subnets that
    /// were found the zone and the number of free addresses decide, and those change.
    pub place: Vec<String>,
    /// What was chosen, and why.
    pub chosen: Vec<Chosen>,
}

impl Network {
    /// As the configuration names it by ids; `None` if it does not.
    pub fn by_ids(wanted: &config::Network) -> Option<Self> {
        let subnets = wanted.subnet_ids()?;
        let security_groups = wanted.security_group_ids()?;
        let chosen = |kind, id: &String| Chosen::new(kind, id, "configured");
        let both = subnets
            .iter()
            .map(|id| chosen(ChosenKind::Subnet, id))
            .chain(
                security_groups
                    .iter()
                    .map(|id| chosen(ChosenKind::SecurityGroup, id)),
            );
        Some(Self {
            chosen: both.collect(),
            assign_public_ip: wanted.assign_public_ip.unwrap_or(false),
            place: sorted(&subnets),
            subnets,
            security_groups,
        })
    }
}

impl Aws {
    /// Where a task of the bastion runs that wants this network; `stack` is how what belongs to it may be called.
    pub async fn network(&self, wanted: &config::Network, stack: &str) -> Result<Network, Error> {
        if let Some(network) = Network::by_ids(wanted) {
            return Ok(network);
        }
        let limit = self.timeouts().operation * CALLS;
        match timeout(limit, self.look_up(wanted, stack)).await {
            Ok(network) => network,
            Err(_) => {
                let message = format!("the network was not found within {} s", limit.as_secs());
                Err(self.failure("DescribeSubnets", None, message, Kind::Timeout))
            }
        }
    }

    async fn look_up(&self, wanted: &config::Network, stack: &str) -> Result<Network, Error> {
        let homes = self.homes(wanted).await?;
        let picked = self.pick_subnets(wanted, &homes).await?;
        let vpc = picked.subnets.first().map_or("", |it| it.vpc.as_str());
        let filter = Filter::new("vpc-id", [vpc]);
        let all = self.security_groups(&[filter]).await?;
        let groups = match wanted.security_groups.is_empty() {
            true => groups::found(stack, &all),
            false => groups::named(&wanted.security_groups, &all),
        };
        let (security_groups, groups) = groups.map_err(|problem| self.no_place(problem))?;
        let in_force: Vec<String> = groups.iter().map(|it| it.value.clone()).collect();
        let doubts = self.doubts(&in_force, &picked.subnets, &homes).await;
        let ids: Vec<String> = picked.subnets.iter().map(|it| it.id.clone()).collect();
        let place = match picked.class {
            "named" => sorted(&ids),
            class => vec![vpc.to_owned(), class.to_owned()],
        };
        Ok(Network {
            subnets: ids,
            security_groups,
            assign_public_ip: picked.public_ip,
            place,
            chosen: [picked.chosen, groups, doubts].concat(),
        })
    }

    /// Where the databases are. Who has named the subnets needs not know.
    async fn homes(&self, wanted: &config::Network) -> Result<Vec<Home>, Error> {
        let mut homes = Vec::new();
        for database in &wanted.databases {
            match self.home(database).await {
                Ok(home) => homes.push(home),
                Err(error) if wanted.subnets.is_empty() => return Err(error),
                Err(error) => tracing::debug!(%database, %error, "its VPC is not known"),
            }
        }
        Ok(homes)
    }

    async fn pick_subnets(
        &self,
        wanted: &config::Network,
        homes: &[Home],
    ) -> Result<Picked, Error> {
        let vpc = only(homes);
        if !wanted.subnets.is_empty() {
            let all = self.subnets(&[]).await?;
            let named = subnets::named(&wanted.subnets, &all, vpc);
            let named = named.map_err(|problem| self.no_place(problem))?;
            return self.take(named, "configured", wanted, homes).await;
        }
        let (key, value) = SUBNET_TAG;
        let tagged = self.subnets(&[Filter::tag(key, value)]).await?;
        if !tagged.is_empty() {
            let tag = config::Pick::Tag {
                key: key.to_owned(),
                value: value.to_owned(),
            };
            let named = subnets::named(&[tag], &tagged, vpc);
            let named = named.map_err(|problem| self.no_place(problem))?;
            let why = format!("found: it has the tag {key}={value}");
            return self.take(named, &why, wanted, homes).await;
        }
        let problem = match vpc {
            Some(vpc) => return self.find_subnets(vpc, wanted, homes).await,
            None if homes.is_empty() => Problem::NoDatabase,
            None => {
                let each = wanted.databases.iter().zip(homes);
                let each = each.map(|(database, home)| format!("{database} in {}", home.vpc));
                Problem::DatabasesApart(each.collect())
            }
        };
        Err(self.no_place(problem))
    }

    async fn take(
        &self,
        named: Vec<Subnet>,
        why: &str,
        wanted: &config::Network,
        homes: &[Home],
    ) -> Result<Picked, Error> {
        let vpc = named.first().map_or("", |it| it.vpc.as_str()).to_owned();
        let candidates = self.candidates(named, &vpc).await?;
        let mut around = self.around(wanted, homes);
        if candidates.iter().any(Candidate::is_isolated) {
            around.endpoints = self.vpc_endpoints(&[Filter::new("vpc-id", [&vpc])]).await?;
        }
        Ok(subnets::take(candidates, why, &around))
    }

    async fn find_subnets(
        &self,
        vpc: &str,
        wanted: &config::Network,
        homes: &[Home],
    ) -> Result<Picked, Error> {
        let all = self.subnets(&[Filter::new("vpc-id", [vpc])]).await?;
        let candidates = self.candidates(all, vpc).await?;
        let mut around = self.around(wanted, homes);
        if subnets::needs_endpoints(&candidates, &around) {
            around.endpoints = self.vpc_endpoints(&[Filter::new("vpc-id", [vpc])]).await?;
        }
        subnets::choose(&candidates, &around).map_err(|problem| self.no_place(problem))
    }

    async fn candidates(&self, subnets: Vec<Subnet>, vpc: &str) -> Result<Vec<Candidate>, Error> {
        let tables = self.route_tables(&[Filter::new("vpc-id", [vpc])]).await?;
        Ok(subnets::candidates(subnets, &tables))
    }

    fn around(&self, wanted: &config::Network, homes: &[Home]) -> Surroundings {
        Surroundings {
            endpoints: Vec::new(),
            zones: homes.iter().filter_map(|home| home.zone.clone()).collect(),
            region: self.region().to_owned(),
            public_ip: wanted.assign_public_ip,
        }
    }

    /// What the rules of the groups leave in doubt. Who may not see them goes without.
    async fn doubts(&self, groups: &[String], subnets: &[Subnet], homes: &[Home]) -> Vec<Chosen> {
        let theirs = homes.iter().flat_map(|home| &home.security_groups);
        let ids: Vec<&String> = groups
            .iter()
            .chain(theirs)
            .filter(|id| !id.is_empty())
            .collect();
        if ids.is_empty() {
            return Vec::new();
        }
        match self
            .security_group_rules(&[Filter::new("group-id", ids)])
            .await
        {
            Ok(rules) => {
                let task = rules::Task {
                    groups,
                    cidrs: subnets.iter().map(|it| it.cidr.as_str()).collect(),
                };
                rules::doubts(&task, homes, &rules)
            }
            Err(error) => {
                let hint = error.hint().unwrap_or_default();
                tracing::warn!(%error, hint, "the rules of the security groups are not checked");
                Vec::new()
            }
        }
    }

    fn no_place(&self, problem: Problem) -> Error {
        self.told("DescribeSubnets", problem.told(self.region()))
    }
}

/// The VPC of all databases, if it is one.
fn only(homes: &[Home]) -> Option<&str> {
    let first = homes.first()?.vpc.as_str();
    homes.iter().all(|home| home.vpc == first).then_some(first)
}

fn sorted(ids: &[String]) -> Vec<String> {
    let mut ids = ids.to_vec();
    ids.sort();
    ids.dedup();
    ids
}

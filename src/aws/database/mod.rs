//! Where a database is that is named by its id: AWS's description of it, the endpoint in there, and the VPC around it.
//!
//! Nothing is remembered: a session starts seldom, and after a fail-over the answer of a minute ago is the wrong one.
//! Only what was asked for is described, as RDS answers few calls a second; the whole list is for tags, and for whoever
//! mistyped.

mod choose;
mod home;
mod list;
mod problem;
mod record;

use std::fmt;

use tokio::time::timeout;

use super::{
    Aws,
    error::{Error, Kind},
};
use crate::config::{Database, Role, Selector, Which};
use choose::{Place, choose, read_only};
pub use home::Home;
pub use list::{Listed, Listing};
use problem::Problem;
use record::{
    CacheCluster, Cluster, Instance, Proxy, ProxyEndpoint, Record, ReplicationGroup, Warehouse,
};

/// Where a database is at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The host's name.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Aws {
    /// Where the database is now; `port` if it is not the one that AWS tells. A tag that several have, and a database
    /// that one tunnel cannot serve, are errors.
    pub async fn locate(&self, selector: &Selector, port: Option<u16>) -> Result<Address, Error> {
        // Two calls at most, each with its own limit, but for lists of many pages.
        let limit = self.timeouts().operation * 2;
        let Ok(place) = timeout(limit, self.place(selector)).await else {
            let message = format!("no answer within {} s", limit.as_secs());
            return Err(self.failure(action(selector.kind), None, message, Kind::Timeout));
        };
        let Place { host, port: told } = place?;
        match port.or(told) {
            Some(port) => Ok(Address { host, port }),
            None => Err(self.problem(selector, Problem::NoPort)),
        }
    }

    async fn place(&self, selector: &Selector) -> Result<Place, Error> {
        match selector.kind {
            Database::RdsCluster | Database::DocDb | Database::Neptune => {
                self.endpoint::<Cluster>(selector).await
            }
            Database::RdsInstance => self.endpoint::<Instance>(selector).await,
            Database::RdsProxy if selector.role == Role::Reader => {
                let proxy: Proxy = self.find(selector).await?;
                let all = self.describe::<ProxyEndpoint>(ProxyEndpoint::LIST, Some(proxy.id()));
                let endpoint = read_only(&proxy, &all.await?);
                endpoint.map_err(|problem| self.problem(selector, problem))
            }
            Database::RdsProxy => self.endpoint::<Proxy>(selector).await,
            Database::ElastiCache => self.endpoint::<ReplicationGroup>(selector).await,
            Database::Memcached => self.endpoint::<CacheCluster>(selector).await,
            Database::Redshift => self.endpoint::<Warehouse>(selector).await,
        }
    }

    async fn endpoint<T: Record>(&self, selector: &Selector) -> Result<Place, Error> {
        let found = self.find::<T>(selector).await?.place(&selector.role);
        found.map_err(|problem| self.problem(selector, problem))
    }

    async fn find<T: Record>(&self, selector: &Selector) -> Result<T, Error> {
        let id = match &selector.which {
            Which::Id(id) => Some(id.as_str()),
            Which::Tag { .. } => None,
        };
        let described = match self.describe::<T>(T::LIST, id).await {
            Err(error) if error.kind == Kind::NotFound => Vec::new(),
            described => described?,
        };
        let problem = match choose(selector, described) {
            Ok(found) => return Ok(found),
            // Who may not see the list is told without it.
            Err(Problem::Unknown(_)) if id.is_some() => {
                let all = self.describe::<T>(T::LIST, None).await;
                Problem::Unknown(choose::ids(selector.kind, &all.unwrap_or_default()))
            }
            Err(problem) => problem,
        };
        Err(self.problem(selector, problem))
    }

    fn problem(&self, selector: &Selector, problem: Problem) -> Error {
        let told = problem.told(selector, self.region());
        self.told(action(selector.kind), told)
    }
}

/// The call that describes databases of this kind.
fn action(kind: Database) -> &'static str {
    let list = match kind {
        Database::RdsCluster | Database::DocDb | Database::Neptune => Cluster::LIST,
        Database::RdsInstance => Instance::LIST,
        Database::RdsProxy => Proxy::LIST,
        Database::ElastiCache => ReplicationGroup::LIST,
        Database::Memcached => CacheCluster::LIST,
        Database::Redshift => Warehouse::LIST,
    };
    list.action
}

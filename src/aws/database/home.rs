//! The network around a database: its VPC, the zone of what serves, and its security groups.

use super::{
    choose::Place,
    problem::Problem,
    record::{
        CacheCluster, Cluster, Instance, Proxy, Record, ReplicationGroup, SubnetGroup, Warehouse,
    },
};
use crate::{
    aws::{Aws, error::Error, query::List},
    config::{Database, Role, Selector},
};

/// Where a database lives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Home {
    /// `vpc-…`.
    pub vpc: String,
    /// That of the writer; none where it is not told, or where readers of several zones serve.
    pub zone: Option<String>,
    /// What admits clients to it.
    pub security_groups: Vec<String>,
    /// The port that clients connect to.
    pub port: Option<u16>,
}

impl Home {
    fn new(vpc: Option<&str>, zone: Option<&str>, security_groups: Vec<String>) -> Self {
        Self {
            vpc: vpc.unwrap_or_default().to_owned(),
            zone: zone.map(str::to_owned),
            security_groups,
            port: None,
        }
    }

    /// With the port that clients connect to.
    fn at(self, place: Result<Place, Problem>) -> Self {
        let port = place.ok().and_then(|place| place.port);
        Self { port, ..self }
    }
}

impl Aws {
    /// The network around the database; one that AWS does not tell is an error.
    pub async fn home(&self, selector: &Selector) -> Result<Home, Error> {
        let mut home = match selector.kind {
            Database::RdsCluster | Database::DocDb | Database::Neptune => {
                self.home_of_cluster(selector).await?
            }
            Database::RdsInstance => of_instance(&self.find(selector).await?),
            Database::RdsProxy => {
                let proxy: Proxy = self.find(selector).await?;
                Home::new(proxy.vpc(), None, proxy.groups()).at(proxy.place(&selector.role))
            }
            Database::ElastiCache => self.home_of_group(selector).await?,
            Database::Memcached => {
                let cache: CacheCluster = self.find(selector).await?;
                self.home_of_cache(&cache, cache.zone(), cache.place(&selector.role))
                    .await?
            }
            Database::Redshift => {
                let warehouse: Warehouse = self.find(selector).await?;
                let home = Home::new(warehouse.vpc(), warehouse.zone(), warehouse.groups());
                home.at(warehouse.place(&selector.role))
            }
        };
        if home.vpc.is_empty() {
            return Err(self.problem(selector, Problem::NoVpc));
        }
        if selector.role != Role::Writer {
            home.zone = None;
        }
        Ok(home)
    }

    /// A cluster tells the name of its subnet group only; its writer tells more.
    async fn home_of_cluster(&self, selector: &Selector) -> Result<Home, Error> {
        let cluster: Cluster = self.find(selector).await?;
        if let Some(writer) = cluster.writer() {
            let instances = self.describe::<Instance>(Instance::LIST, Some(writer));
            if let Some(writer) = instances.await?.first().filter(|it| it.vpc().is_some()) {
                return Ok(of_instance(writer));
            }
        }
        let mut vpc = None;
        if let Some(name) = cluster.subnet_group.as_deref() {
            vpc = self.vpc_of(SubnetGroup::LIST, name).await?;
        }
        let home = Home::new(vpc.as_deref(), None, cluster.groups());
        Ok(home.at(cluster.place(&selector.role)))
    }

    async fn home_of_group(&self, selector: &Selector) -> Result<Home, Error> {
        let group: ReplicationGroup = self.find(selector).await?;
        let Some((node, zone)) = group.node() else {
            return Ok(Home::default());
        };
        let clusters = self.describe::<CacheCluster>(CacheCluster::LIST, Some(node));
        let Some(cluster) = clusters.await?.into_iter().next() else {
            return Ok(Home::default());
        };
        self.home_of_cache(&cluster, zone, group.place(&selector.role))
            .await
    }

    async fn home_of_cache(
        &self,
        cache: &CacheCluster,
        zone: Option<&str>,
        place: Result<Place, Problem>,
    ) -> Result<Home, Error> {
        let mut vpc = None;
        if let Some(name) = cache.subnet_group() {
            vpc = self.vpc_of(SubnetGroup::OF_CACHES, name).await?;
        }
        Ok(Home::new(vpc.as_deref(), zone, cache.groups()).at(place))
    }

    async fn vpc_of(&self, list: List, name: &str) -> Result<Option<String>, Error> {
        let groups: Vec<SubnetGroup> = self.describe(list, Some(name)).await?;
        let vpc = groups.first().and_then(SubnetGroup::vpc);
        Ok(vpc.map(str::to_owned))
    }
}

fn of_instance(instance: &Instance) -> Home {
    let home = Home::new(instance.vpc(), instance.zone(), instance.groups());
    home.at(instance.place(&Role::Writer))
}

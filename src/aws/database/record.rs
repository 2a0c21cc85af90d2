//! What AWS tells of a database, as far as it matters here, and which host and port that makes. Every field may be
//! missing: a database that is being made has no endpoint yet.

mod cache;
mod rds;
mod warehouse;

use std::fmt::Debug;

use serde::{Deserialize, de::DeserializeOwned};

use super::{choose::Place, problem::Problem};
use crate::{
    aws::query::{Items, List, Service},
    config::{Database, Role},
};
pub(super) use cache::{CacheCluster, ReplicationGroup};
pub(super) use rds::{Cluster, Instance, Proxy, ProxyEndpoint};
pub(super) use warehouse::Warehouse;

/// The description of a database.
pub(super) trait Record: DeserializeOwned + Debug + Send + Sync + 'static {
    /// The call that gives it.
    const LIST: List;
    fn id(&self) -> &str;
    /// Some calls describe several kinds.
    fn kind(&self) -> Database;
    fn tags(&self) -> &[Tag];
    /// The endpoint that has this role.
    fn place(&self, role: &Role) -> Result<Place, Problem>;
}

/// A tag.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    #[serde(default)]
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: String,
}

/// Host and port, where they come as one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoint {
    address: Option<String>,
    port: Option<String>,
}

/// A security group that it has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Group {
    #[serde(alias = "VpcSecurityGroupId", alias = "SecurityGroupId")]
    id: Option<String>,
}

/// The subnets that databases of RDS, or caches, are in.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SubnetGroup {
    vpc_id: Option<String>,
}

impl SubnetGroup {
    pub(super) const LIST: List = List {
        service: Service::Rds,
        action: "DescribeDBSubnetGroups",
        by_id: "DBSubnetGroupName",
    };
    pub(super) const OF_CACHES: List = List {
        service: Service::ElastiCache,
        action: "DescribeCacheSubnetGroups",
        by_id: "CacheSubnetGroupName",
    };

    pub(super) fn vpc(&self) -> Option<&str> {
        text(&self.vpc_id)
    }
}

fn place_of(endpoint: &Option<Endpoint>) -> Option<Place> {
    let endpoint = endpoint.as_ref()?;
    let host = text(&endpoint.address)?;
    Some(Place::new(host, &endpoint.port))
}

fn items<T>(items: &Option<Items<T>>) -> &[T] {
    items.as_ref().map_or(&[], |items| &items.member)
}

fn ids(groups: &Option<Items<Group>>) -> Vec<String> {
    let groups = items(groups).iter();
    let ids = groups.filter_map(|group| text(&group.id));
    ids.map(str::to_owned).collect()
}

/// An element's text, unless it is empty.
pub(super) fn text(element: &Option<String>) -> Option<&str> {
    element
        .as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

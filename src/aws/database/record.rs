//! What AWS tells of a database, as far as it matters here, and which host and port that makes. Every field may be
//! missing: a database that is being made has no endpoint yet.

use std::fmt::Debug;

use serde::{Deserialize, de::DeserializeOwned};

use super::{choose::Place, problem::Problem};
use crate::{
    aws::query::{Items, List, Service},
    config::{Database, Role},
};

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

/// A cluster of RDS, DocumentDB or Neptune.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Cluster {
    #[serde(rename = "DBClusterIdentifier", default)]
    id: String,
    #[serde(default)]
    engine: String,
    status: Option<String>,
    endpoint: Option<String>,
    reader_endpoint: Option<String>,
    custom_endpoints: Option<Items<String>>,
    port: Option<String>,
    tag_list: Option<Items<Tag>>,
}

impl Record for Cluster {
    const LIST: List = List {
        service: Service::Rds,
        action: "DescribeDBClusters",
        by_id: "DBClusterIdentifier",
    };

    fn id(&self) -> &str {
        &self.id
    }

    fn kind(&self) -> Database {
        match self.engine.as_str() {
            "docdb" => Database::DocDb,
            "neptune" => Database::Neptune,
            _ => Database::RdsCluster,
        }
    }

    fn tags(&self) -> &[Tag] {
        items(&self.tag_list)
    }

    /// The cluster's endpoint follows the writer; the instance that is the writer now does not.
    fn place(&self, role: &Role) -> Result<Place, Problem> {
        let writer = text(&self.endpoint).ok_or_else(|| Problem::not_ready(&self.status))?;
        let host = match role {
            Role::Writer => writer,
            Role::Reader => text(&self.reader_endpoint).ok_or(Problem::NoEndpoint)?,
            Role::Endpoint(name) => self.custom(name)?,
        };
        Ok(Place::new(host, &self.port))
    }
}

impl Cluster {
    pub(super) fn engine(&self) -> &str {
        &self.engine
    }

    /// A custom endpoint's name is the first label of its host.
    fn custom(&self, name: &str) -> Result<&str, Problem> {
        let hosts = items(&self.custom_endpoints).iter();
        let label = |host: &str| host.split('.').next().unwrap_or_default().to_owned();
        let mut named = hosts.clone();
        let found = named.find(|host| label(host).eq_ignore_ascii_case(name));
        let known = || Problem::NoCustomEndpoint(hosts.map(|host| label(host)).collect());
        found.map(String::as_str).ok_or_else(known)
    }
}

/// A DB instance.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Instance {
    #[serde(rename = "DBInstanceIdentifier", default)]
    id: String,
    #[serde(rename = "DBInstanceStatus")]
    status: Option<String>,
    #[serde(rename = "DBClusterIdentifier")]
    cluster: Option<String>,
    #[serde(default)]
    engine: String,
    endpoint: Option<Endpoint>,
    tag_list: Option<Items<Tag>>,
}

impl Instance {
    pub(super) fn engine(&self) -> &str {
        &self.engine
    }

    pub(super) fn is_of_a_cluster(&self) -> bool {
        text(&self.cluster).is_some()
    }
}

impl Record for Instance {
    const LIST: List = List {
        service: Service::Rds,
        action: "DescribeDBInstances",
        by_id: "DBInstanceIdentifier",
    };

    fn id(&self) -> &str {
        &self.id
    }

    fn kind(&self) -> Database {
        Database::RdsInstance
    }

    fn tags(&self) -> &[Tag] {
        items(&self.tag_list)
    }

    fn place(&self, _: &Role) -> Result<Place, Problem> {
        place_of(&self.endpoint).ok_or_else(|| Problem::not_ready(&self.status))
    }
}

/// An RDS Proxy.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Proxy {
    #[serde(rename = "DBProxyName", default)]
    id: String,
    status: Option<String>,
    endpoint: Option<String>,
    engine_family: Option<String>,
}

impl Record for Proxy {
    const LIST: List = List {
        service: Service::Rds,
        action: "DescribeDBProxies",
        by_id: "DBProxyName",
    };

    fn id(&self) -> &str {
        &self.id
    }

    fn kind(&self) -> Database {
        Database::RdsProxy
    }

    fn tags(&self) -> &[Tag] {
        &[]
    }

    fn place(&self, _: &Role) -> Result<Place, Problem> {
        let host = text(&self.endpoint).ok_or_else(|| Problem::not_ready(&self.status))?;
        Ok(self.at(host))
    }
}

impl Proxy {
    /// The API does not tell a proxy's port: it is that of the engines it speaks for.
    pub(super) fn at(&self, host: &str) -> Place {
        let port = match text(&self.engine_family) {
            Some("POSTGRESQL") => Some(5432),
            Some("MYSQL") => Some(3306),
            Some("SQLSERVER") => Some(1433),
            _ => None,
        };
        let host = host.to_owned();
        Place { host, port }
    }
}

/// A further endpoint of an RDS Proxy.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ProxyEndpoint {
    #[serde(rename = "DBProxyEndpointName", default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) target_role: String,
    pub(super) status: Option<String>,
    endpoint: Option<String>,
}

impl ProxyEndpoint {
    pub(super) const LIST: List = List {
        service: Service::Rds,
        action: "DescribeDBProxyEndpoints",
        by_id: "DBProxyName",
    };

    pub(super) fn host(&self) -> Option<&str> {
        text(&self.endpoint)
    }
}

/// A replication group of ElastiCache.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReplicationGroup {
    #[serde(rename = "ReplicationGroupId", default)]
    id: String,
    status: Option<String>,
    cluster_enabled: Option<String>,
    node_groups: Option<Items<NodeGroup>>,
}

/// A shard; with cluster mode disabled there is one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NodeGroup {
    primary_endpoint: Option<Endpoint>,
    reader_endpoint: Option<Endpoint>,
}

impl Record for ReplicationGroup {
    const LIST: List = List {
        service: Service::ElastiCache,
        action: "DescribeReplicationGroups",
        by_id: "ReplicationGroupId",
    };

    fn id(&self) -> &str {
        &self.id
    }

    fn kind(&self) -> Database {
        Database::ElastiCache
    }

    fn tags(&self) -> &[Tag] {
        &[]
    }

    fn place(&self, role: &Role) -> Result<Place, Problem> {
        let is_cluster = text(&self.cluster_enabled).is_some_and(|on| on == "true");
        let shard = match items(&self.node_groups) {
            _ if is_cluster => return Err(Problem::ClusterMode),
            [shard] => shard,
            [] => return Err(Problem::not_ready(&self.status)),
            [..] => return Err(Problem::ClusterMode),
        };
        let primary = place_of(&shard.primary_endpoint);
        let primary = primary.ok_or_else(|| Problem::not_ready(&self.status))?;
        match role {
            Role::Reader => place_of(&shard.reader_endpoint).ok_or(Problem::NoEndpoint),
            Role::Writer | Role::Endpoint(_) => Ok(primary),
        }
    }
}

/// A provisioned cluster of Redshift.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Warehouse {
    #[serde(rename = "ClusterIdentifier", default)]
    id: String,
    #[serde(rename = "ClusterStatus")]
    status: Option<String>,
    endpoint: Option<Endpoint>,
    tags: Option<Items<Tag>>,
}

impl Record for Warehouse {
    const LIST: List = List {
        service: Service::Redshift,
        action: "DescribeClusters",
        by_id: "ClusterIdentifier",
    };

    fn id(&self) -> &str {
        &self.id
    }

    fn kind(&self) -> Database {
        Database::Redshift
    }

    fn tags(&self) -> &[Tag] {
        items(&self.tags)
    }

    fn place(&self, _: &Role) -> Result<Place, Problem> {
        place_of(&self.endpoint).ok_or_else(|| Problem::not_ready(&self.status))
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

/// An element's text, unless it is empty.
pub(super) fn text(element: &Option<String>) -> Option<&str> {
    element
        .as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

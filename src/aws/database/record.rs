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
    #[serde(rename = "DBClusterMembers")]
    members: Option<Items<Member>>,
    #[serde(rename = "DBSubnetGroup")]
    pub(super) subnet_group: Option<String>,
    vpc_security_groups: Option<Items<Group>>,
}

/// An instance of a cluster.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Member {
    #[serde(rename = "DBInstanceIdentifier")]
    id: Option<String>,
    is_cluster_writer: Option<String>,
}

/// A security group that it has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Group {
    #[serde(alias = "VpcSecurityGroupId", alias = "SecurityGroupId")]
    id: Option<String>,
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

    /// The instance that is the writer now.
    pub(super) fn writer(&self) -> Option<&str> {
        let mut members = items(&self.members).iter();
        let is_writer = |member: &&Member| text(&member.is_cluster_writer) == Some("true");
        members.find(is_writer).and_then(|it| text(&it.id))
    }

    pub(super) fn groups(&self) -> Vec<String> {
        ids(&self.vpc_security_groups)
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
    availability_zone: Option<String>,
    #[serde(rename = "DBSubnetGroup")]
    subnet_group: Option<SubnetGroup>,
    vpc_security_groups: Option<Items<Group>>,
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

impl Instance {
    pub(super) fn vpc(&self) -> Option<&str> {
        self.subnet_group.as_ref().and_then(SubnetGroup::vpc)
    }

    pub(super) fn zone(&self) -> Option<&str> {
        text(&self.availability_zone)
    }

    pub(super) fn groups(&self) -> Vec<String> {
        ids(&self.vpc_security_groups)
    }
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
    vpc_id: Option<String>,
    vpc_security_group_ids: Option<Items<String>>,
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
    pub(super) fn vpc(&self) -> Option<&str> {
        text(&self.vpc_id)
    }

    pub(super) fn groups(&self) -> Vec<String> {
        items(&self.vpc_security_group_ids).to_vec()
    }

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
    node_group_members: Option<Items<Node>>,
}

/// A node of a shard.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    cache_cluster_id: Option<String>,
    preferred_availability_zone: Option<String>,
    current_role: Option<String>,
}

/// A cluster of Memcached, or a node of a replication group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CacheCluster {
    #[serde(rename = "CacheClusterId", default)]
    id: String,
    #[serde(rename = "CacheClusterStatus")]
    status: Option<String>,
    #[serde(default)]
    engine: String,
    num_cache_nodes: Option<String>,
    configuration_endpoint: Option<Endpoint>,
    preferred_availability_zone: Option<String>,
    cache_subnet_group_name: Option<String>,
    security_groups: Option<Items<Group>>,
}

impl Record for CacheCluster {
    const LIST: List = List {
        service: Service::ElastiCache,
        action: "DescribeCacheClusters",
        by_id: "CacheClusterId",
    };

    fn id(&self) -> &str {
        &self.id
    }

    fn kind(&self) -> Database {
        match self.engine.as_str() {
            "memcached" => Database::Memcached,
            _ => Database::ElastiCache,
        }
    }

    fn tags(&self) -> &[Tag] {
        &[]
    }

    /// Clients of several nodes spread the keys over them, by names that they get from here.
    fn place(&self, _: &Role) -> Result<Place, Problem> {
        let nodes = text(&self.num_cache_nodes).and_then(|count| count.parse().ok());
        match nodes {
            Some(count @ 2..) => Err(Problem::SeveralNodes(count)),
            _ => place_of(&self.configuration_endpoint)
                .ok_or_else(|| Problem::not_ready(&self.status)),
        }
    }
}

impl CacheCluster {
    pub(super) fn zone(&self) -> Option<&str> {
        text(&self.preferred_availability_zone)
    }

    pub(super) fn subnet_group(&self) -> Option<&str> {
        text(&self.cache_subnet_group_name)
    }

    pub(super) fn groups(&self) -> Vec<String> {
        ids(&self.security_groups)
    }
}

impl ReplicationGroup {
    /// The node that takes writes, or any, and its zone.
    pub(super) fn node(&self) -> Option<(&str, Option<&str>)> {
        let shards = items(&self.node_groups).iter();
        let mut nodes: Vec<&Node> = shards
            .flat_map(|shard| items(&shard.node_group_members))
            .collect();
        nodes.sort_by_key(|node| text(&node.current_role) != Some("primary"));
        let node = nodes.first()?;
        let zone = text(&node.preferred_availability_zone);
        Some((text(&node.cache_cluster_id)?, zone))
    }
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
    vpc_id: Option<String>,
    availability_zone: Option<String>,
    vpc_security_groups: Option<Items<Group>>,
}

impl Warehouse {
    pub(super) fn vpc(&self) -> Option<&str> {
        text(&self.vpc_id)
    }

    pub(super) fn zone(&self) -> Option<&str> {
        text(&self.availability_zone)
    }

    pub(super) fn groups(&self) -> Vec<String> {
        ids(&self.vpc_security_groups)
    }
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

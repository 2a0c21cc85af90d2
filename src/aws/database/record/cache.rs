//! What ElastiCache tells: of replication groups, and of clusters, which are Memcached's and their nodes.

use serde::Deserialize;

use super::{Endpoint, Group, Record, Tag, ids, items, place_of, text};
use crate::{
    aws::{
        database::{choose::Place, problem::Problem},
        query::{Items, List, Service},
    },
    config::{Database, Role},
};

/// A replication group of ElastiCache.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::aws::database) struct ReplicationGroup {
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

impl ReplicationGroup {
    /// The node that takes writes, or any, and its zone.
    pub(in crate::aws::database) fn node(&self) -> Option<(&str, Option<&str>)> {
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

/// A cluster of Memcached, or a node of a replication group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::aws::database) struct CacheCluster {
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
    pub(in crate::aws::database) fn zone(&self) -> Option<&str> {
        text(&self.preferred_availability_zone)
    }

    pub(in crate::aws::database) fn subnet_group(&self) -> Option<&str> {
        text(&self.cache_subnet_group_name)
    }

    pub(in crate::aws::database) fn groups(&self) -> Vec<String> {
        ids(&self.security_groups)
    }
}

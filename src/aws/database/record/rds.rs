//! What RDS tells: of clusters, which are those of DocumentDB and Neptune too, of instances, and of proxies.

use serde::Deserialize;

use super::{Endpoint, Group, Record, SubnetGroup, Tag, ids, items, place_of, text};
use crate::{
    aws::{
        database::{choose::Place, problem::Problem},
        query::{Items, List, Service},
    },
    config::{Database, Role},
};

/// A cluster of RDS, DocumentDB or Neptune.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::aws::database) struct Cluster {
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
    pub(in crate::aws::database) subnet_group: Option<String>,
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
    pub(in crate::aws::database) fn engine(&self) -> &str {
        &self.engine
    }

    /// The instance that is the writer now.
    pub(in crate::aws::database) fn writer(&self) -> Option<&str> {
        let mut members = items(&self.members).iter();
        let is_writer = |member: &&Member| text(&member.is_cluster_writer) == Some("true");
        members.find(is_writer).and_then(|it| text(&it.id))
    }

    pub(in crate::aws::database) fn groups(&self) -> Vec<String> {
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
pub(in crate::aws::database) struct Instance {
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

impl Instance {
    pub(in crate::aws::database) fn vpc(&self) -> Option<&str> {
        self.subnet_group.as_ref().and_then(SubnetGroup::vpc)
    }

    pub(in crate::aws::database) fn zone(&self) -> Option<&str> {
        text(&self.availability_zone)
    }

    pub(in crate::aws::database) fn groups(&self) -> Vec<String> {
        ids(&self.vpc_security_groups)
    }

    pub(in crate::aws::database) fn engine(&self) -> &str {
        &self.engine
    }

    pub(in crate::aws::database) fn is_of_a_cluster(&self) -> bool {
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
pub(in crate::aws::database) struct Proxy {
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
    pub(in crate::aws::database) fn vpc(&self) -> Option<&str> {
        text(&self.vpc_id)
    }

    pub(in crate::aws::database) fn groups(&self) -> Vec<String> {
        items(&self.vpc_security_group_ids).to_vec()
    }

    /// The API does not tell a proxy's port: it is that of the engines it speaks for.
    pub(in crate::aws::database) fn at(&self, host: &str) -> Place {
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
pub(in crate::aws::database) struct ProxyEndpoint {
    #[serde(rename = "DBProxyEndpointName", default)]
    pub(in crate::aws::database) name: String,
    #[serde(default)]
    pub(in crate::aws::database) target_role: String,
    pub(in crate::aws::database) status: Option<String>,
    endpoint: Option<String>,
}

impl ProxyEndpoint {
    pub(in crate::aws::database) const LIST: List = List {
        service: Service::Rds,
        action: "DescribeDBProxyEndpoints",
        by_id: "DBProxyName",
    };

    pub(in crate::aws::database) fn host(&self) -> Option<&str> {
        text(&self.endpoint)
    }
}

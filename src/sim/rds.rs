//! RDS: the clusters of the account with an instance each, and a fail-over.

use serde_json::{Value, json};

use super::{
    script::DbCluster,
    wire::ApiError,
    world::{Core, World},
};

/// Answers one call.
pub(super) fn perform(core: &Core, operation: &str, body: &Value) -> Result<Value, ApiError> {
    match operation {
        "DescribeDBClusters" => describe(core, body["DBClusterIdentifier"].as_str()),
        "DescribeDBInstances" => Ok(instances(core, body["DBInstanceIdentifier"].as_str())),
        "DescribeDBProxies" => Ok(json!({"DBProxies": ""})),
        _ => Err(ApiError::new(
            "InvalidAction",
            format!("Could not find operation {operation}"),
        )),
    }
}

fn describe(core: &Core, id: Option<&str>) -> Result<Value, ApiError> {
    let state = core.state();
    let asked = |cluster: &&DbCluster| id.is_none_or(|id| cluster.id == id);
    let found: Vec<Value> = state.db_clusters.iter().filter(asked).map(shown).collect();
    match id {
        Some(id) if found.is_empty() => {
            let message = format!("DBCluster {id} not found.");
            Err(ApiError::new("DBClusterNotFoundFault", message).with_status(404))
        }
        _ => Ok(json!({"DBClusters": {"DBCluster": found}})),
    }
}

fn shown(cluster: &DbCluster) -> Value {
    json!({
        "DBClusterIdentifier": cluster.id,
        "Engine": cluster.engine,
        "Status": "available",
        "Endpoint": cluster.endpoint,
        "Port": cluster.port,
        "DBClusterMembers": {"DBClusterMember": {
            "DBInstanceIdentifier": writer(cluster),
            "IsClusterWriter": true,
        }},
    })
}

/// The writers of the clusters.
fn instances(core: &Core, id: Option<&str>) -> Value {
    let state = core.state();
    let clusters = state.db_clusters.iter();
    let asked = clusters.filter(|cluster| id.is_none_or(|id| writer(cluster) == id));
    let instances: Vec<Value> = asked
        .map(|cluster| {
            json!({
                "DBInstanceIdentifier": writer(cluster),
                "DBInstanceStatus": "available",
                "Endpoint": {"Address": cluster.endpoint, "Port": cluster.port},
                "AvailabilityZone": cluster.zone,
                "DBSubnetGroup": {"VpcId": cluster.vpc},
                "VpcSecurityGroups": {"VpcSecurityGroupMembership": {
                    "VpcSecurityGroupId": cluster.security_group,
                    "Status": "active",
                }},
            })
        })
        .collect();
    json!({"DBInstances": {"DBInstance": instances}})
}

fn writer(cluster: &DbCluster) -> String {
    format!("{}-1", cluster.id)
}

impl World {
    /// The writer of a cluster is to be found under another name from now on.
    pub fn move_writer(&self, id: &str, endpoint: &str) {
        self.core.change(|state| {
            let mut clusters = state.db_clusters.iter_mut();
            if let Some(cluster) = clusters.find(|cluster| cluster.id == id) {
                cluster.endpoint = endpoint.to_owned();
            }
        });
    }
}

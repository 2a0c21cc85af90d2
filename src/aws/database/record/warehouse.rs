//! What Redshift tells of its provisioned clusters.

use serde::Deserialize;

use super::{Endpoint, Group, Record, Tag, ids, items, place_of, text};
use crate::{
    aws::{
        database::{choose::Place, problem::Problem},
        query::{Items, List, Service},
    },
    config::{Database, Role},
};

/// A provisioned cluster of Redshift.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::aws::database) struct Warehouse {
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
    pub(in crate::aws::database) fn vpc(&self) -> Option<&str> {
        text(&self.vpc_id)
    }

    pub(in crate::aws::database) fn zone(&self) -> Option<&str> {
        text(&self.availability_zone)
    }

    pub(in crate::aws::database) fn groups(&self) -> Vec<String> {
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

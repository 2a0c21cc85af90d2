//! The databases of the account that a tunnel can lead to, for somebody who has to choose.

use super::record::{Cluster, Instance, Proxy, Record, ReplicationGroup, Warehouse};
use crate::{
    aws::{Aws, error::Error},
    config::{Database, Role, Selector, Which},
};

/// A database to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// How it is named in a configuration.
    pub selector: Selector,
    /// What it speaks, in AWS's words; empty where they are the kind's.
    pub engine: String,
    /// Whether it has an endpoint that only reads.
    pub has_reader: bool,
    /// The port that clients connect to.
    pub port: Option<u16>,
}

/// What could be listed, and what could not.
#[derive(Debug, Default)]
pub struct Listing {
    /// All that there are, kind by kind.
    pub databases: Vec<Listed>,
    /// The calls that failed.
    pub failed: Vec<Error>,
}

impl Aws {
    /// All databases that are to be seen. A kind that may not be listed keeps back no other. Instances of clusters are
    /// reached by their cluster, and what is not ready, or served in cluster mode, is left out.
    pub async fn databases(&self) -> Listing {
        let mut all = Listing::default();
        let clusters = self.describe::<Cluster>(Cluster::LIST, None).await;
        all.add(clusters, |_| true, Cluster::engine);
        let instances = self.describe::<Instance>(Instance::LIST, None).await;
        all.add(instances, |it| !it.is_of_a_cluster(), Instance::engine);
        let proxies = self.describe::<Proxy>(Proxy::LIST, None).await;
        all.add(proxies, |_| true, |_| "");
        let caches = self.describe::<ReplicationGroup>(ReplicationGroup::LIST, None);
        all.add(caches.await, |_| true, |_| "");
        let warehouses = self.describe::<Warehouse>(Warehouse::LIST, None).await;
        all.add(warehouses, |_| true, |_| "");
        all
    }
}

impl Listing {
    fn add<T: Record>(
        &mut self,
        described: Result<Vec<T>, Error>,
        is_wanted: impl Fn(&T) -> bool,
        engine: impl Fn(&T) -> &str,
    ) {
        let described = match described {
            Ok(described) => described,
            Err(error) => return self.failed.push(error),
        };
        let wanted = described.iter().filter(|record| is_wanted(record));
        self.databases.extend(wanted.filter_map(|record| {
            let place = record.place(&Role::Writer).ok()?;
            Some(Listed {
                selector: Selector {
                    kind: record.kind(),
                    which: Which::Id(record.id().to_owned()),
                    role: Role::Writer,
                },
                engine: engine(record).to_owned(),
                has_reader: has_roles(record.kind()) && record.place(&Role::Reader).is_ok(),
                port: place.port,
            })
        }));
    }
}

/// A proxy's read-only endpoint is not in its description.
fn has_roles(kind: Database) -> bool {
    use Database::{DocDb, ElastiCache, Neptune, RdsCluster};
    matches!(kind, RdsCluster | DocDb | Neptune | ElastiCache)
}

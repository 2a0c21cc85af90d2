//! The network at the far end of a tunnel.

use super::{Gatherer, gap, network::rules_of};
use crate::aws::{Aws, Home, Kind, SecurityGroupRule};
use crate::config::{self, Database, Remote, Role, Selector, Which};
use crate::doctor::check::{Gap, Known};

/// Checks that want it.
const WANTING: &[&str] = &["N05", "N06", "D02"];

/// Asks for the network around the database of a tunnel.
pub async fn far_of(gatherer: &Gatherer, config: &config::Tunnel, aws: &Aws) -> Known<Home> {
    if !gatherer.wants(WANTING) {
        return Err(Gap::Unasked);
    }
    let selector = match &config.remote {
        Remote::Database { selector, .. } => Some(selector.clone()),
        Remote::Host { name, .. } => selector_of(name, aws.region()),
        Remote::Target { .. } => None,
    };
    let Some(selector) = selector else {
        return Err(Gap::Needs(
            "a database that is named by its id, as `rds-cluster:app`",
        ));
    };
    let late = Gap::Failed("AWS does not tell of the database in time".to_owned());
    let told = gatherer.look("the database", aws.home(&selector)).await;
    let told = told.ok_or(late)?;
    told.map_err(|error| match D01_TELLS.contains(&error.kind) {
        true => Gap::Needs("the database (D01)"),
        false => gap(error.operation, &error),
    })
}

/// What another check makes a failure of.
const D01_TELLS: &[Kind] = &[Kind::NotFound, Kind::SeveralFit];

/// Asks for the rules of the databases' groups.
pub async fn far_rules(
    gatherer: &Gatherer,
    aws: &Aws,
    homes: impl Iterator<Item = &Home>,
) -> Known<Vec<SecurityGroupRule>> {
    let groups = homes.flat_map(|home| home.security_groups.clone());
    rules_of(gatherer, aws, groups.collect()).await
}

/// The database that AWS gave this name, as `app.cluster-abc.eu-west-1.rds.amazonaws.com`.
fn selector_of(host: &str, region: &str) -> Option<Selector> {
    let mut parts = host.split('.');
    let (id, serial) = (parts.next()?, parts.next()?);
    let (of_region, service) = (parts.next()?, parts.next()?);
    if parts.next() != Some("amazonaws") || of_region != region {
        return None;
    }
    let word = serial.split_once('-').map(|(word, _)| word);
    let kind = match (service, word) {
        ("rds", Some("cluster")) => Database::RdsCluster,
        ("rds", Some("proxy")) => Database::RdsProxy,
        ("rds", None) => Database::RdsInstance,
        ("docdb", Some("cluster")) => Database::DocDb,
        ("neptune", Some("cluster")) => Database::Neptune,
        _ => return None,
    };
    Some(Selector {
        kind,
        which: Which::Id(id.to_owned()),
        role: Role::Writer,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_aws_gave_tells_which_database_it_is() {
        let of = |host: &str| selector_of(host, "eu-west-1").map(|it| it.to_string());
        for (host, selector) in [
            (
                "app.cluster-c1.eu-west-1.rds.amazonaws.com",
                "rds-cluster:app",
            ),
            (
                "app.cluster-ro-c1.eu-west-1.rds.amazonaws.com",
                "rds-cluster:app",
            ),
            ("one.c1.eu-west-1.rds.amazonaws.com", "rds-instance:one"),
            (
                "front.proxy-c1.eu-west-1.rds.amazonaws.com",
                "rds-proxy:front",
            ),
            (
                "docs.cluster-c1.eu-west-1.docdb.amazonaws.com",
                "docdb:docs",
            ),
        ] {
            assert_eq!(of(host).as_deref(), Some(selector), "{host}");
        }
        for other in [
            "db.internal",
            "app.cluster-c1.us-east-1.rds.amazonaws.com",
            "a.b.eu-west-1.rds.example.com",
            "x.y.eu-west-1.s3.amazonaws.com",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}

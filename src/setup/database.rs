//! Databases to choose from, in words. Pure.

use crate::{
    aws::Listed,
    config::{Database, Role, Selector},
};

/// What a list shows of it.
pub(super) fn shown(database: &Listed) -> String {
    let port = database
        .port
        .map(|port| format!(", port {port}"))
        .unwrap_or_default();
    let engine = match database.engine.as_str() {
        "" => String::new(),
        engine => format!("  {engine}"),
    };
    let selector = database.selector.to_string();
    format!("{selector:<36}{engine}{port}")
}

/// The same database by another of its endpoints.
pub(super) fn with_role(selector: &Selector, role: Role) -> Selector {
    Selector {
        role,
        ..selector.clone()
    }
}

/// A name for the tunnel: that of the database.
pub(super) fn name(selector: &Selector) -> String {
    let text = selector.to_string();
    let mut words = text.split(':').skip(1);
    let name = words.next().unwrap_or_default();
    match selector.role {
        Role::Reader => format!("{name}-reader"),
        Role::Writer | Role::Endpoint(_) => name.to_owned(),
    }
}

/// The port that such databases have, where AWS does not tell it.
pub(super) fn usual_port(kind: Database) -> u16 {
    match kind {
        Database::RdsCluster | Database::RdsInstance | Database::RdsProxy => 5432,
        Database::ElastiCache => 6379,
        Database::Memcached => 11211,
        Database::DocDb => 27017,
        Database::Neptune => 8182,
        Database::Redshift | Database::RedshiftServerless => 5439,
        Database::OpenSearch => 443,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Which;

    fn listed(kind: Database, role: Role) -> Listed {
        Listed {
            selector: Selector {
                kind,
                which: Which::Id("app".into()),
                role,
            },
            engine: "aurora-postgresql".into(),
            has_reader: true,
            port: Some(5432),
        }
    }

    #[test]
    fn a_database_is_shown_as_it_would_be_written() {
        let shown = shown(&listed(Database::RdsCluster, Role::Writer));
        assert!(
            shown.starts_with("rds-cluster:app ")
                && shown.ends_with("aurora-postgresql, port 5432"),
            "{shown}"
        );
    }

    #[test]
    fn the_tunnel_of_a_reader_tells_that_it_is_one() {
        let writer = listed(Database::RdsCluster, Role::Writer).selector;
        assert_eq!(name(&writer), "app");
        let reader = with_role(&writer, Role::Reader);
        assert_eq!(
            (name(&reader).as_str(), reader.to_string().as_str()),
            ("app-reader", "rds-cluster:app:reader")
        );
    }
}

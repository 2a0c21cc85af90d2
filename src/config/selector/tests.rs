use super::*;

fn id(id: &str) -> Which {
    Which::Id(id.to_owned())
}

fn tag(key: &str, value: &str) -> Which {
    let (key, value) = (key.to_owned(), value.to_owned());
    Which::Tag { key, value }
}

#[test]
fn each_kind_is_read_with_its_roles_and_written_again() {
    use Database::*;
    let custom = Role::Endpoint("analytics".into());
    for (text, kind, which, role) in [
        ("rds-cluster:app", RdsCluster, id("app"), Role::Writer),
        (
            "rds-cluster:app:reader",
            RdsCluster,
            id("app"),
            Role::Reader,
        ),
        (
            "rds-cluster:app:endpoint=analytics",
            RdsCluster,
            id("app"),
            custom,
        ),
        (
            "rds-cluster:tag:Env=dev",
            RdsCluster,
            tag("Env", "dev"),
            Role::Writer,
        ),
        (
            "rds-cluster:tag:Env=dev:reader",
            RdsCluster,
            tag("Env", "dev"),
            Role::Reader,
        ),
        (
            "docdb:tag:aws:cloudformation:stack-name=my app=1",
            DocDb,
            tag("aws:cloudformation:stack-name", "my app=1"),
            Role::Writer,
        ),
        (
            "rds-instance:my_db-1",
            RdsInstance,
            id("my_db-1"),
            Role::Writer,
        ),
        ("rds-proxy:front", RdsProxy, id("front"), Role::Writer),
        (
            "rds-proxy:front:readonly",
            RdsProxy,
            id("front"),
            Role::Reader,
        ),
        (
            "elasticache:cache:reader",
            ElastiCache,
            id("cache"),
            Role::Reader,
        ),
        (
            "memcached:my_cache-1",
            Memcached,
            id("my_cache-1"),
            Role::Writer,
        ),
        ("docdb:docs:reader", DocDb, id("docs"), Role::Reader),
        ("neptune:graph", Neptune, id("graph"), Role::Writer),
        ("redshift:dwh", Redshift, id("dwh"), Role::Writer),
        (
            "redshift-serverless:dev-1",
            RedshiftServerless,
            id("dev-1"),
            Role::Writer,
        ),
        ("opensearch:logs-1", OpenSearch, id("logs-1"), Role::Writer),
    ] {
        let read = parse(text).expect("a selector").expect(text);
        assert_eq!(read.to_string(), text);
        assert_eq!(
            (read.kind, read.which, read.role),
            (kind, which, role),
            "{text}"
        );
    }
    for (text, short) in [
        ("rds-cluster:app:writer", "rds-cluster:app"),
        ("elasticache:cache:primary", "elasticache:cache"),
    ] {
        assert_eq!(parse(text).unwrap().unwrap().to_string(), short);
    }
}

#[test]
fn hosts_and_attempts_at_hosts_are_no_selectors() {
    for text in [
        "db.internal",
        "db:5432",
        "db.internal:pg",
        "postgres://db",
        "::1",
        "fe80::1%eth0",
        "abcd:1:2:3:4:5:6:7",
        "[2001:db8::1]",
        ":app",
        "rds-cluster",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
}

#[test]
fn each_mistake_has_its_remedy() {
    for (text, message, hint) in [
        (
            "rds-clutser:app",
            "no kind of database is called `rds-clutser`",
            "did you mean `rds-cluster`?",
        ),
        (
            "spanner:app",
            "no kind of database is called `spanner`",
            "known: `rds-cluster`, `rds-instance`, `rds-proxy`, `elasticache`, `memcached`, `docdb`, `neptune`, `redshift`, `redshift-serverless`, `opensearch`",
        ),
        ("rds-cluster:", "`` is not an id", "write `rds-cluster:ID`"),
        ("redshift:a b", "`a b` is not an id", "write `redshift:ID`"),
        (
            "rds-cluster:arn:aws:rds:eu-west-1:1:cluster:app",
            "is an ARN",
            "write its id: `rds-cluster:ID`",
        ),
        (
            "rds-cluster:app:raeder",
            "`raeder` is no endpoint of an `rds-cluster`",
            "did you mean `reader`?",
        ),
        (
            "rds-instance:db:reader",
            "`reader` is no endpoint of an `rds-instance`",
            "write `rds-instance:ID` alone",
        ),
        (
            "rds-cluster:tag:Env",
            "`Env` is not a tag",
            "write `rds-cluster:tag:KEY=VALUE`",
        ),
        (
            "rds-cluster:tag:Env=dev:prod",
            "`prod` is no endpoint of an `rds-cluster`",
            "known: `writer`, `reader`",
        ),
        (
            "elasticache:tag:Env=dev",
            "`elasticache` cannot be found by a tag",
            "write `elasticache:ID`",
        ),
        (
            "elasticache:cache:config",
            "`config` is the endpoint of a cache in cluster mode, whose nodes send clients on to each other: one tunnel does not follow",
            "run the client inside the VPC",
        ),
        (
            "msk:orders",
            "`msk`: its brokers send clients on to names of their own, which one tunnel does not reach",
            "run the client inside the VPC",
        ),
    ] {
        let complaint = parse(text).expect("a selector").expect_err(text);
        assert_eq!(complaint.message, message, "{text}");
        assert_eq!(complaint.hint.as_deref(), Some(hint), "{text}");
    }
}

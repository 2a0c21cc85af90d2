//! Looking up databases in moto, an imitation of AWS that others wrote: what it answers, this crate must understand.
//!
//! It needs `moto_server` (`pip install 'moto[server]'`) on PATH, or its path in `BASTIOND_MOTO`; see `programs`. What
//! moto is known not to do as AWS does is not asked: custom endpoints, endpoints of proxies, DocumentDB's clusters,
//! readers of caches.

mod infra;
mod instances;
mod models;
mod network;
#[path = "../support/operations.rs"]
mod operations;
#[path = "../support/programs.rs"]
mod programs;
mod roles;
mod server;
mod services;
mod setup;
mod stacks;

use bastiond::{
    aws::{Address, Aws, Error, Kind, Source, Timeouts},
    config::{Config, Remote, Selector},
    net::Net,
};

use server::{Server, is_installed};

const RDS: &str = "Version=2014-10-31";
const ELASTICACHE: &str = "Version=2015-02-02";
const REDSHIFT: &str = "Version=2012-12-01";

#[tokio::test]
async fn a_cluster_is_found_by_id_or_tag_and_stays_the_same_over_a_fail_over() {
    let Some((moto, aws)) = account().await else {
        return;
    };
    let make = |id: &str, tag: &str| {
        moto.call(
            "rds",
            &format!(
                "Action=CreateDBCluster&{RDS}&DBClusterIdentifier={id}&Engine=aurora-postgresql&MasterUsername=me\
                 &MasterUserPassword=secret-secret&Port=6543&Tags.Tag.1.Key=Env&Tags.Tag.1.Value={tag}"
            ),
        )
    };
    make("my_app-1", "dev");
    make("other", "prod");
    make("third", "prod");
    moto.call(
        "rds",
        &format!("Action=CreateDBCluster&{RDS}&DBClusterIdentifier=graph&Engine=neptune"),
    );
    for id in ["one", "two"] {
        let form = format!(
            "Action=CreateDBInstance&{RDS}&DBInstanceIdentifier=my-app-{id}&DBClusterIdentifier=my_app-1\
             &Engine=aurora-postgresql&DBInstanceClass=db.t3.medium"
        );
        moto.call("rds", &form);
    }

    let writer = found(&aws, "rds-cluster:my_app-1").await;
    assert!(writer.host.starts_with("my_app-1.cluster-"), "{writer}");
    assert_eq!(writer.port, 6543);
    assert_eq!(found(&aws, "rds-cluster:tag:Env=dev").await, writer);
    let reader = found(&aws, "rds-cluster:my_app-1:reader").await;
    assert!(reader.host.starts_with("my_app-1.cluster-ro-"), "{reader}");
    let graph = found(&aws, "neptune:graph").await;
    assert!(
        graph.host.starts_with("graph.cluster-") && graph.port == 8182,
        "{graph}"
    );

    let fail_over = format!(
        "Action=FailoverDBCluster&{RDS}&DBClusterIdentifier=my_app-1&TargetDBInstanceIdentifier=my-app-two"
    );
    moto.call("rds", &fail_over);
    assert_eq!(
        found(&aws, "rds-cluster:my_app-1").await,
        writer,
        "the endpoint follows the writer"
    );

    let several = failed(&aws, "rds-cluster:tag:Env=prod").await;
    assert_eq!(several.kind, Kind::SeveralFit);
    assert!(several.message.ends_with("`other`, `third`"), "{several}");
    let kind = failed(&aws, "rds-cluster:graph").await;
    assert_eq!(kind.hint().as_deref(), Some("write `neptune:graph`"));
    let unknown = failed(&aws, "rds-cluster:my_app-2").await;
    assert_eq!(unknown.kind, Kind::NotFound);
    assert_eq!(
        unknown.hint().as_deref(),
        Some("did you mean `rds-cluster:my_app-1`?")
    );
    assert!(
        unknown
            .message
            .ends_with("there are `my_app-1`, `other`, `third`"),
        "{unknown}"
    );
}

/// moto gives a hundred instances a page.
#[tokio::test]
async fn an_instance_is_found_on_a_second_page() {
    let Some((moto, aws)) = account().await else {
        return;
    };
    for number in 1..=102 {
        let env = if number == 99 { "dev" } else { "test" };
        let form = format!(
            "Action=CreateDBInstance&{RDS}&DBInstanceIdentifier=db-{number}&Engine=postgres&AllocatedStorage=20\
             &DBInstanceClass=db.t3.medium&MasterUsername=me&MasterUserPassword=secret-secret&Port=5433\
             &Tags.Tag.1.Key=Env&Tags.Tag.1.Value={env}"
        );
        moto.call("rds", &form);
    }
    let one = found(&aws, "rds-instance:db-7").await;
    assert!(one.host.starts_with("db-7.") && one.port == 5433, "{one}");
    let tagged = found(&aws, "rds-instance:tag:Env=dev").await;
    assert!(tagged.host.starts_with("db-99."), "{tagged}");
    let unknown = failed(&aws, "rds-instance:none-such").await;
    assert!(unknown.message.ends_with(", 82 more"), "{unknown}");
    assert_eq!(unknown.kind, Kind::NotFound);
}

#[tokio::test]
async fn proxies_caches_and_warehouses_are_found() {
    let Some((moto, aws)) = account().await else {
        return;
    };
    let subnets = moto.call("ec2", "Action=DescribeSubnets&Version=2016-11-15");
    let (_, subnet) = subnets.split_once("<subnetId>").expect("a default network");
    let (subnet, _) = subnet.split_once('<').expect("an element");
    let proxy = format!(
        "Action=CreateDBProxy&{RDS}&DBProxyName=front-door&EngineFamily=POSTGRESQL&VpcSubnetIds.member.1={subnet}\
         &RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fproxy&Auth.member.1.AuthScheme=SECRETS"
    );
    moto.call("rds", &proxy);
    let cache = |id: &str, rest: &str| {
        let form = format!(
            "Action=CreateReplicationGroup&{ELASTICACHE}&ReplicationGroupId={id}&ReplicationGroupDescription=x\
             &Engine=redis&CacheNodeType=cache.t3.micro&AutomaticFailoverEnabled=true{rest}"
        );
        moto.call("elasticache", &form)
    };
    cache("my-cache", "&NumCacheClusters=2");
    cache(
        "my-shards",
        "&NumNodeGroups=2&ReplicasPerNodeGroup=1&ClusterMode=enabled",
    );
    let warehouse = format!(
        "Action=CreateCluster&{REDSHIFT}&ClusterIdentifier=dwh-1&NodeType=dc2.large&MasterUsername=me\
         &MasterUserPassword=Secret-12345&Tags.Tag.1.Key=Env&Tags.Tag.1.Value=dev"
    );
    moto.call("redshift", &warehouse);

    let proxy = found(&aws, "rds-proxy:front-door").await;
    assert!(
        proxy.host.starts_with("front-door.") && proxy.port == 5432,
        "{proxy}"
    );
    let cache = found(&aws, "elasticache:my-cache").await;
    assert!(
        cache.host.contains("my-cache") && cache.port == 6379,
        "{cache}"
    );
    let shards = failed(&aws, "elasticache:my-shards").await;
    assert!(
        shards.kind == Kind::Unsuitable && shards.message.contains("cluster mode"),
        "{shards}"
    );
    let warehouse = found(&aws, "redshift:dwh-1").await;
    assert!(
        warehouse.host.starts_with("dwh-1.") && warehouse.port == 5439,
        "{warehouse}"
    );
    assert_eq!(found(&aws, "redshift:tag:Env=dev").await, warehouse);
    for (text, near) in [
        ("rds-proxy:front-dor", "rds-proxy:front-door"),
        ("elasticache:my-cahce", "elasticache:my-cache"),
        ("redshift:dhw-1", "redshift:dwh-1"),
    ] {
        let unknown = failed(&aws, text).await;
        assert_eq!(
            unknown.hint(),
            Some(format!("did you mean `{near}`?")),
            "{unknown}"
        );
    }
}

/// An empty account of a moto of its own, unless there is none.
async fn account() -> Option<(Server, Aws)> {
    if !is_installed() {
        return None;
    }
    let moto = Server::start();
    let aws = caller(&moto, "").await;
    Some((moto, aws))
}

/// A caller that takes on what `lines` of `[aws]` say.
async fn caller(moto: &Server, lines: &str) -> Aws {
    let text = format!(
        "[aws]\nregion = \"eu-west-1\"\nendpoint_url = \"http://{}\"\n{lines}\n{}",
        moto.address,
        tunnel("rds-cluster:any")
    );
    let config = Config::parse(&text).expect("a configuration").aws;
    let net = Net::new(|_| None).expect("a network");
    let source = Source::fixed("AKIATESTTESTTESTTEST", "secret");
    let aws = Aws::with(&config, "me", &net, source, Timeouts::default()).await;
    aws.expect("calls can be made")
}

fn tunnel(host: &str) -> String {
    format!("[[tunnel]]\nname = \"db\"\ntarget = \"i-0123456789abcdef0\"\nhost = \"{host}\"\n")
}

fn selector(text: &str) -> Selector {
    let config = Config::parse(&tunnel(text)).expect("a selector");
    match config.tunnels.into_iter().next().expect("a tunnel").remote {
        Remote::Database { selector, .. } => selector,
        other => panic!("{other:?}"),
    }
}

async fn found(aws: &Aws, text: &str) -> Address {
    let located = aws.locate(&selector(text), None).await;
    located.unwrap_or_else(|error| panic!("{text}: {error}"))
}

async fn failed(aws: &Aws, text: &str) -> Error {
    let located = aws.locate(&selector(text), None).await;
    located.expect_err(text)
}

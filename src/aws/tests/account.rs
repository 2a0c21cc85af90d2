//! An account with databases of every kind, as AWS tells of them.

use bytes::Bytes;
use http::Response;
use http_body_util::Full;

use super::super::fake::{Call, answer};

type Answer = Option<Response<Full<Bytes>>>;

/// What an account holds, as AWS would tell it.
pub(super) fn account(call: &Call) -> Answer {
    let id = [
        "DBClusterIdentifier",
        "DBProxyName",
        "ReplicationGroupId",
        "CacheClusterId",
    ];
    let id = id.into_iter().find_map(|name| field(call, name));
    match (call.operation.as_str(), id) {
        ("DescribeDBClusters", None) => clusters(&(APP.to_owned() + DOCS + GRAPH + YOUNG)),
        ("DescribeDBClusters", Some("app" | "APP")) => clusters(APP),
        ("DescribeDBClusters", Some("docs")) => clusters(DOCS),
        ("DescribeDBClusters", Some("graph")) => clusters(GRAPH),
        ("DescribeDBClusters", Some("young")) => clusters(YOUNG),
        ("DescribeDBClusters", Some(_)) => refused(404, "DBClusterNotFoundFault", "not found"),
        ("DescribeDBInstances", _) => result(
            "DescribeDBInstances",
            "<DBInstances><DBInstance><DBInstanceIdentifier>one</DBInstanceIdentifier><Endpoint><Port>1433</Port>\
             <HostedZoneId>Z1</HostedZoneId><Address>one.x</Address></Endpoint></DBInstance></DBInstances>",
        ),
        ("DescribeDBProxies", Some(name)) => {
            let family = if name == "odd" { "NEW" } else { "MYSQL" };
            result(
                "DescribeDBProxies",
                &format!(
                    "<DBProxies><member><DBProxyName>{name}</DBProxyName><EngineFamily>{family}</EngineFamily>\
                     <Endpoint>{name}.proxy-x</Endpoint></member></DBProxies>"
                ),
            )
        }
        ("DescribeDBProxyEndpoints", Some("front")) => proxy_endpoints(&[
            ("front", "READ_WRITE", "front.proxy-x"),
            ("ro", "READ_ONLY", "ro.endpoint.proxy-x"),
        ]),
        ("DescribeDBProxyEndpoints", _) => {
            proxy_endpoints(&[("a", "READ_ONLY", "a.x"), ("b", "READ_ONLY", "b.x")])
        }
        ("DescribeReplicationGroups", Some(id)) => caches(id),
        ("DescribeCacheClusters", Some(id)) => {
            let (engine, nodes) = match id {
                "cache-001" => ("redis", 1),
                "spread" => ("memcached", 3),
                _ => ("memcached", 1),
            };
            result(
                "DescribeCacheClusters",
                &format!(
                    "<CacheClusters><CacheCluster><CacheClusterId>{id}</CacheClusterId><Engine>{engine}</Engine>\
                     <NumCacheNodes>{nodes}</NumCacheNodes><ConfigurationEndpoint><Port>11211</Port>\
                     <Address>{id}.cfg.x</Address></ConfigurationEndpoint></CacheCluster></CacheClusters>"
                ),
            )
        }
        ("DescribeClusters", _) => result(
            "DescribeClusters",
            "<Clusters><Cluster><ClusterIdentifier>dwh</ClusterIdentifier><Endpoint><Port>5439</Port>\
             <Address>dwh.x</Address></Endpoint><Tags><Tag><Key>Env</Key><Value>dev</Value></Tag></Tags></Cluster></Clusters>",
        ),
        (other, id) => panic!("{other} {id:?}"),
    }
}

const APP: &str = "<DBCluster><DBClusterIdentifier>app</DBClusterIdentifier><Engine>aurora-postgresql</Engine>\
    <Status>available</Status><Port>5432</Port><Endpoint>app.cluster-x</Endpoint>\
    <ReaderEndpoint>app.cluster-ro-x</ReaderEndpoint><CustomEndpoints>\
    <member>analytics.cluster-custom-x</member></CustomEndpoints><TagList><Tag><Key>Env</Key><Value>dev</Value></Tag>\
    <Tag><Key>Team</Key><Value>core</Value></Tag></TagList><DBClusterMembers><DBClusterMember>\
    <IsClusterWriter>true</IsClusterWriter></DBClusterMember></DBClusterMembers></DBCluster>";
const DOCS: &str = "<DBCluster><DBClusterIdentifier>docs</DBClusterIdentifier><Engine>docdb</Engine><Port>27017</Port>\
    <Endpoint>docs.cluster-x</Endpoint><ReaderEndpoint>docs.cluster-ro-x</ReaderEndpoint>\
    <TagList><Tag><Key>Env</Key><Value>dev</Value></Tag><Tag><Key>Team</Key><Value>core</Value></Tag></TagList></DBCluster>";
const GRAPH: &str = "<DBCluster><DBClusterIdentifier>graph</DBClusterIdentifier><Engine>neptune</Engine>\
    <Port>8182</Port><Endpoint>graph.cluster-x</Endpoint><ReaderEndpoint/>\
    <TagList><Tag><Key>Env</Key><Value>dev</Value></Tag></TagList></DBCluster>";
const YOUNG: &str = "<DBCluster><DBClusterIdentifier>young</DBClusterIdentifier><Engine>mysql</Engine>\
    <Status>creating</Status><TagList><Tag><Key>Team</Key><Value>core</Value></Tag></TagList></DBCluster>";

pub(super) fn cluster(id: &str, engine: &str) -> String {
    format!(
        "<DBCluster><DBClusterIdentifier>{id}</DBClusterIdentifier><Engine>{engine}</Engine></DBCluster>"
    )
}

pub(super) fn clusters(all: &str) -> Answer {
    result(
        "DescribeDBClusters",
        &format!("<DBClusters>{all}</DBClusters>"),
    )
}

/// A page that is not the last.
pub(super) fn page(all: &str, marker: &str) -> Answer {
    let text = format!("<Marker>{marker}</Marker><DBClusters>{all}</DBClusters>");
    result("DescribeDBClusters", &text)
}

fn proxy_endpoints(all: &[(&str, &str, &str)]) -> Answer {
    let one = |(name, role, host): &(&str, &str, &str)| {
        format!(
            "<member><DBProxyEndpointName>{name}</DBProxyEndpointName><TargetRole>{role}</TargetRole>\
             <Endpoint>{host}</Endpoint></member>"
        )
    };
    let all: String = all.iter().map(one).collect();
    result(
        "DescribeDBProxyEndpoints",
        &format!("<DBProxyEndpoints>{all}</DBProxyEndpoints>"),
    )
}

fn caches(id: &str) -> Answer {
    let groups = match id {
        "nothing" => "<NodeGroups/>",
        "shards" => "<ClusterEnabled>true</ClusterEnabled><NodeGroups><NodeGroup/></NodeGroups>",
        _ => {
            "<ClusterEnabled>false</ClusterEnabled><NodeGroups><NodeGroup><PrimaryEndpoint><Address>master.cache.x\
             </Address><Port>6379</Port></PrimaryEndpoint><ReaderEndpoint><Address>replica.cache.x</Address>\
             <Port>6380</Port></ReaderEndpoint></NodeGroup></NodeGroups>"
        }
    };
    result(
        "DescribeReplicationGroups",
        &format!(
            "<ReplicationGroups><ReplicationGroup><ReplicationGroupId>{id}</ReplicationGroupId>{groups}\
             </ReplicationGroup></ReplicationGroups>"
        ),
    )
}

fn result(action: &str, text: &str) -> Answer {
    answer(
        200,
        format!(
            "<?xml version=\"1.0\"?><{action}Response xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\">\
             <{action}Result>{text}</{action}Result><ResponseMetadata/></{action}Response>"
        ),
    )
}

pub(super) fn refused(status: u16, code: &str, message: &str) -> Answer {
    answer(
        status,
        format!(
            "<ErrorResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><Error><Type>Sender</Type>\
             <Code>{code}</Code><Message>{message}</Message></Error><RequestId>req-2</RequestId></ErrorResponse>"
        ),
    )
}

pub(super) fn field<'a>(call: &'a Call, name: &str) -> Option<&'a str> {
    let mut pairs = call.form.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

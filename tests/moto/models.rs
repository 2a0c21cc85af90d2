//! Every request that the daemon can send, held against the API models of AWS that botocore has: names, types, required
//! members, lengths, values and patterns. botocore comes with moto.

mod calls;

use std::{
    collections::BTreeSet,
    convert::Infallible,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::TcpListener;

use crate::{operations, server::python};

/// A request, as the models see it.
#[derive(Clone, Debug, Serialize)]
struct Record {
    service: String,
    operation: String,
    body: String,
}

type Records = Arc<Mutex<Vec<Record>>>;

#[tokio::test]
async fn every_request_is_one_that_the_models_of_aws_allow() {
    let Some(python) = python() else {
        return;
    };
    let (endpoint, records) = recorder().await;
    calls::every_call(&endpoint).await;
    let records = records.lock().unwrap().clone();
    let sent: BTreeSet<String> = records.iter().map(|it| it.operation.clone()).collect();
    let known = operations::of_the_source();
    assert!(known.len() > 15, "{known:?}");
    let unsent: Vec<_> = known.difference(&sent).collect();
    assert!(
        unsent.is_empty(),
        "make these calls in `models/calls.rs`: {unsent:?}"
    );
    assert_eq!(validate(&python, &records), "");
}

#[test]
fn requests_that_are_wrong_are_found() {
    let Some(python) = python() else {
        return;
    };
    let wrong = |service: &str, operation: &str, body: &str| {
        let record = Record {
            service: service.into(),
            operation: operation.into(),
            body: body.into(),
        };
        validate(&python, &[record])
    };
    for (service, operation, body, says) in [
        ("ecs", "StopTask", r#"{"cluster":"c"}"#, "task is missing"),
        (
            "ecs",
            "StopTask",
            r#"{"task":"t","why":"x"}"#,
            "no member why",
        ),
        ("ecs", "StopTask", r#"{"task":7}"#, "no string"),
        ("ecs", "ListTasks", r#"{"desiredStatus":"UP"}"#, "none of"),
        ("ecs", "EndTask", "{}", "no operation"),
        ("ssm", "StartSession", r#"{"Target":""}"#, "not within"),
        (
            "ssm",
            "StartSession",
            "{\"Target\":\"t\",\"Reason\":\"a\\nb\"}",
            "match",
        ),
        (
            "rds",
            "DescribeDBClusters",
            "Action=DescribeDBClusters&Version=2014-10-31&Id=x",
            "no member Id",
        ),
        (
            "rds",
            "DescribeDBClusters",
            "Action=DescribeDBClusters&Version=2014-10-31&Filters.Filter.1.Name=x",
            "Values is missing",
        ),
        (
            "ec2",
            "DescribeSubnets",
            "Action=DescribeSubnets&Version=2016-11-15&Filter.1.Name=vpc-id&Filter.1.Values.1=x",
            "no member Values",
        ),
        (
            "ec2",
            "DescribeRouteTables",
            "Action=DescribeRouteTables&Version=2016-11-15&MaxResults=1000",
            "not within",
        ),
        (
            "sts",
            "AssumeRole",
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/r&RoleSessionName=a%20b",
            "match",
        ),
    ] {
        let found = wrong(service, operation, body);
        assert!(found.contains(says), "{operation} {body}: {found}");
    }
}

/// A server that writes down what it is asked, and says that there is nothing.
async fn recorder() -> (String, Records) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
    let records = Records::default();
    let kept = records.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let records = kept.clone();
            let service = service_fn(move |request| answer(request, records.clone()));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (endpoint, records)
}

async fn answer(
    request: Request<Incoming>,
    records: Records,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let text = |name: &str| {
        let value = head.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let scope = text(header::AUTHORIZATION.as_str());
    let service = scope.split('/').nth(3).unwrap_or_default().to_owned();
    let body = body.collect().await.expect("a whole request").to_bytes();
    let body = String::from_utf8(body.to_vec()).expect("text");
    let target = text("x-amz-target");
    let (operation, nothing) = match target.rsplit_once('.') {
        Some((_, operation)) => (operation.to_owned(), "{}".to_owned()),
        // The one operation that is told by its path.
        None if head.uri.path() == "/2021-01-01/opensearch/domain-info" => {
            ("DescribeDomains".to_owned(), "{}".to_owned())
        }
        None => {
            let mut pairs = form_urlencoded::parse(body.as_bytes());
            let action = pairs.find(|(key, _)| key == "Action");
            let action = action
                .map(|(_, value)| value.into_owned())
                .unwrap_or_default();
            let empty = list(&action);
            (action, empty)
        }
    };
    records.lock().unwrap().push(Record {
        service,
        operation,
        body,
    });
    Ok(Response::new(Full::new(nothing.into())))
}

/// One thing of each kind, where another call follows from it.
fn list(action: &str) -> String {
    let inner = match action {
        "DescribeDBProxies" => {
            "<DBProxies><member><DBProxyName>front</DBProxyName><Status>available</Status>\
             <EngineFamily>MYSQL</EngineFamily><Endpoint>front.x</Endpoint></member></DBProxies>"
        }
        "DescribeDBClusters" => {
            "<DBClusters><DBCluster><DBClusterIdentifier>app</DBClusterIdentifier><Engine>mysql</Engine>\
             <DBSubnetGroup>db</DBSubnetGroup></DBCluster></DBClusters>"
        }
        "DescribeReplicationGroups" => {
            "<ReplicationGroups><ReplicationGroup><ReplicationGroupId>cache</ReplicationGroupId><NodeGroups><NodeGroup>\
             <NodeGroupMembers><NodeGroupMember><CacheClusterId>cache-001</CacheClusterId></NodeGroupMember>\
             </NodeGroupMembers></NodeGroup></NodeGroups></ReplicationGroup></ReplicationGroups>"
        }
        "DescribeCacheClusters" => {
            "<CacheClusters><CacheCluster><CacheClusterId>words</CacheClusterId><Engine>memcached</Engine><CacheSubnetGroupName>private</CacheSubnetGroupName></CacheCluster>\
             </CacheClusters>"
        }
        _ => "",
    };
    // EC2 has an id in each answer, and no element around what it tells.
    format!(
        "<{action}Response><requestId>1</requestId><{action}Result>{inner}</{action}Result></{action}Response>"
    )
}

/// What the models do not allow, a line each.
fn validate(python: &Path, records: &[Record]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/moto/models.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs");
    let text = serde_json::to_vec(records).expect("records are JSON");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(&text).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", output.status);
    String::from_utf8(output.stdout).expect("text")
}

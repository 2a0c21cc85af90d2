//! Databases that are named by their ids: what AWS is asked, and which endpoint is taken from its answer.

use super::{
    super::fake::{Answer, Call, Fake, answer, ok},
    account::{account, cluster, clusters, field, page, refused},
    identity::{assumed, with_role},
    *,
};
use crate::config::{Config, Remote, Selector};
use serde_json::json;

/// The endpoint of each kind and role, from answers as AWS documents them.
#[tokio::test]
async fn each_kind_and_role_has_its_endpoint() {
    let fake = Fake::start(|call, _| account(call)).await;
    let aws = aws(&fake).await;
    for (text, address, operations) in [
        ("rds-cluster:app", "app.cluster-x:5432", 1),
        ("rds-cluster:APP:reader", "app.cluster-ro-x:5432", 1),
        (
            "rds-cluster:app:endpoint=analytics",
            "analytics.cluster-custom-x:5432",
            1,
        ),
        ("rds-cluster:tag:Env=dev", "app.cluster-x:5432", 1),
        ("docdb:docs", "docs.cluster-x:27017", 1),
        ("docdb:docs:reader", "docs.cluster-ro-x:27017", 1),
        ("neptune:tag:Env=dev", "graph.cluster-x:8182", 1),
        ("rds-instance:one", "one.x:1433", 1),
        ("rds-proxy:front", "front.proxy-x:3306", 1),
        ("rds-proxy:front:readonly", "ro.endpoint.proxy-x:3306", 2),
        ("elasticache:cache", "master.cache.x:6379", 1),
        ("elasticache:cache:reader", "replica.cache.x:6380", 1),
        ("memcached:words", "words.cfg.x:11211", 1),
        ("redshift:dwh", "dwh.x:5439", 1),
        ("redshift:tag:Env=dev", "dwh.x:5439", 1),
    ] {
        let before = fake.calls().len();
        let found = aws.locate(&selector(text), None).await.expect(text);
        assert_eq!(found.to_string(), address, "{text}");
        assert_eq!(fake.calls().len() - before, operations, "{text}");
    }
}

#[tokio::test]
async fn only_what_was_asked_for_is_described_and_the_call_is_signed_for_its_service() {
    let fake = Fake::start(|call, _| account(call)).await;
    let aws = aws(&fake).await;
    for (text, form, service) in [
        (
            "rds-cluster:app",
            "Action=DescribeDBClusters&Version=2014-10-31&DBClusterIdentifier=app",
            "rds",
        ),
        (
            "elasticache:cache",
            "Action=DescribeReplicationGroups&Version=2015-02-02&ReplicationGroupId=cache",
            "elasticache",
        ),
        (
            "redshift:dwh",
            "Action=DescribeClusters&Version=2012-12-01&ClusterIdentifier=dwh",
            "redshift",
        ),
    ] {
        aws.locate(&selector(text), None).await.expect(text);
        let call = fake.calls().pop().unwrap();
        assert_eq!(call.form, form);
        let scope = format!("/eu-west-1/{service}/aws4_request, SignedHeaders=content-type;host;");
        assert!(
            call.authorization.contains(&scope),
            "{}",
            call.authorization
        );
    }
}

/// OpenSearch and Redshift Serverless speak JSON.
fn by_json(call: &Call, pages: usize) -> Answer {
    match call.operation.as_str() {
        "ListWorkgroups" => match pages {
            0 | 1 => ok(
                json!({"workgroups": [{"workgroupName": format!("w-{pages}")}], "nextToken": "more"}),
            ),
            _ => ok(json!({"workgroups": [
                {"workgroupName": "dev-1", "status": "AVAILABLE", "securityGroupIds": ["sg-1"],
                 "endpoint": {"address": "dev-1.x", "port": 5440, "vpcEndpoints": [{"vpcId": "vpc-1"}]}},
                {"workgroupName": "young", "status": "CREATING"},
            ]})),
        },
        DOMAINS => match call.body["DomainNames"][0].as_str() {
            Some("logs-1") => ok(
                json!({"DomainStatusList": [{"DomainName": "logs-1", "Endpoint": null,
                "Endpoints": {"vpc": "vpc-logs-1.x"}, "VPCOptions": {"VPCId": "vpc-1"}}]}),
            ),
            Some("open") => {
                ok(json!({"DomainStatusList": [{"DomainName": "open", "Endpoint": "open.x"}]}))
            }
            Some("young") => ok(json!({"DomainStatusList": [{"DomainName": "young"}]})),
            _ => ok(json!({"DomainStatusList": []})),
        },
        other => panic!("{other}"),
    }
}

const DOMAINS: &str = "/2021-01-01/opensearch/domain-info";

#[tokio::test]
async fn workgroups_and_domains_are_found_by_their_names_over_all_pages() {
    for (text, address, calls, service) in [
        (
            "redshift-serverless:Dev-1",
            "dev-1.x:5440",
            3,
            "redshift-serverless",
        ),
        ("opensearch:LOGS-1", "vpc-logs-1.x:443", 1, "es"),
        ("opensearch:open", "open.x:443", 1, "es"),
    ] {
        let fake = Fake::start(by_json).await;
        let found = aws(&fake).await.locate(&selector(text), None).await;
        assert_eq!(found.expect(text).to_string(), address);
        let made = fake.calls();
        assert_eq!(made.len(), calls, "{text}");
        let scope = format!("/eu-west-1/{service}/aws4_request, SignedHeaders=content-type;host;");
        assert!(
            made[0].authorization.contains(&scope),
            "{}",
            made[0].authorization
        );
    }
}

#[tokio::test]
async fn workgroups_and_domains_that_are_not_there_or_not_ready_are_told() {
    for (text, kind, told, hint) in [
        (
            "redshift-serverless:dev-2",
            Kind::NotFound,
            "there are `w-0`, `w-1`, `dev-1`, `young`",
            "did you mean `redshift-serverless:dev-1`?",
        ),
        (
            "redshift-serverless:young",
            Kind::NotReady,
            "it is CREATING",
            "connect again when it is available",
        ),
        (
            "opensearch:none-such",
            Kind::NotFound,
            "there is no `opensearch` called `none-such` in eu-west-1",
            "check `host`, `region` (eu-west-1) and `profile`",
        ),
        (
            "opensearch:young",
            Kind::NotReady,
            "it is being made",
            "connect again when it is available",
        ),
    ] {
        let fake = Fake::start(by_json).await;
        let failed = failed(&aws(&fake).await, text).await;
        assert_eq!(failed.kind, kind, "{failed}");
        assert!(failed.message.ends_with(told), "{failed}");
        assert_eq!(failed.hint().as_deref(), Some(hint));
    }
}

/// The code of a service whose operations have paths is in a header.
#[tokio::test]
async fn a_denied_look_at_domains_is_told_with_the_statement_that_grants_it() {
    let denied = "User: arn:aws:iam::1:user/me is not authorized to perform: es:DescribeDomains on resource: \
                  arn:aws:es:eu-west-1:1:domain/logs-1 because no identity-based policy allows the action";
    let fake = Fake::start(move |_, _| {
        let mut refused = answer(403, json!({"Message": denied}).to_string())?;
        let code = "AccessDeniedException:http://internal.amazon.com/coral/"
            .parse()
            .ok()?;
        refused.headers_mut().insert("x-amzn-errortype", code);
        Some(refused)
    })
    .await;
    let failed = failed(&aws(&fake).await, "opensearch:logs-1").await;
    assert_eq!(
        (failed.code_word(), failed.message.as_str()),
        ("access_denied", denied)
    );
    let hint = failed.hint().unwrap();
    assert!(hint.contains("\"Action\":\"es:DescribeDomains\""), "{hint}");
}

#[tokio::test]
async fn a_port_of_the_configuration_goes_before_that_of_the_api() {
    let fake = Fake::start(|call, _| account(call)).await;
    let aws = aws(&fake).await;
    let found = aws.locate(&selector("rds-cluster:app"), Some(6432)).await;
    assert_eq!(found.unwrap().port, 6432);
    let failed = failed(&aws, "rds-proxy:odd").await;
    assert_eq!(failed.kind, Kind::Unsuitable);
    assert_eq!(failed.hint().unwrap(), "set `port` of the tunnel");
    let found = aws.locate(&selector("rds-proxy:odd"), Some(1234)).await;
    assert_eq!(found.unwrap().to_string(), "odd.proxy-x:1234");
}

/// One row for each thing that can be wrong with a database that was named.
#[tokio::test]
async fn what_cannot_be_served_is_refused_with_the_reason_and_the_remedy() {
    let fake = Fake::start(|call, _| account(call)).await;
    let aws = aws(&fake).await;
    for (text, kind, message, hint) in [
        (
            "rds-cluster:docs",
            Kind::Unsuitable,
            "`docs` is no `rds-cluster`",
            "write `docdb:docs`",
        ),
        (
            "rds-cluster:tag:Team=core",
            Kind::SeveralFit,
            "2 databases fit `rds-cluster:tag:Team=core`: `app`, `young`",
            "name one, as in `rds-cluster:app`",
        ),
        (
            "rds-cluster:tag:Env=prod",
            Kind::NotFound,
            "no `rds-cluster` in eu-west-1 has the tag Env=prod; there are `app`, `young`",
            "check `host`, `region` (eu-west-1) and `profile`",
        ),
        (
            "rds-cluster:ap",
            Kind::NotFound,
            "there is no `rds-cluster` called `ap` in eu-west-1; there are `app`, `young`",
            "did you mean `rds-cluster:app`?",
        ),
        (
            "rds-cluster:young",
            Kind::NotReady,
            "`rds-cluster:young` has no endpoint yet: it is creating",
            "connect again when it is available",
        ),
        (
            "rds-cluster:app:endpoint=reports",
            Kind::NotFound,
            "there is no endpoint `rds-cluster:app:endpoint=reports`; there are `analytics`",
            "correct the endpoint's name in `host`",
        ),
        (
            "neptune:graph:reader",
            Kind::Unsuitable,
            "there is no endpoint `neptune:graph:reader`",
            "write `neptune:graph`, or make one",
        ),
        (
            "rds-proxy:twice:readonly",
            Kind::SeveralFit,
            "2 endpoints fit `rds-proxy:twice:readonly`: `a (a.x)`, `b (b.x)`",
            "write the host name of one of them as `host`",
        ),
        (
            "elasticache:shards",
            Kind::Unsuitable,
            "`elasticache:shards` is in cluster mode: its nodes send clients on to each other, which one tunnel does not follow",
            "run the client inside the VPC, or use a cache with cluster mode disabled",
        ),
        (
            "memcached:spread",
            Kind::Unsuitable,
            "`memcached:spread` has 3 nodes: clients spread their keys over all of them, and one tunnel reaches one",
            "run the client inside the VPC, or write the host name of one node",
        ),
        (
            "memcached:cache-001",
            Kind::Unsuitable,
            "`cache-001` is no `memcached`",
            "write `elasticache:cache-001`",
        ),
        (
            "elasticache:nothing",
            Kind::NotReady,
            "`elasticache:nothing` has no endpoint yet: it is in an unknown state",
            "connect again when it is available",
        ),
    ] {
        let failed = failed(&aws, text).await;
        assert_eq!(failed.message, message);
        assert_eq!(
            (&failed.kind, failed.hint().as_deref()),
            (&kind, Some(hint)),
            "{text}"
        );
        assert!(!failed.is_retryable(), "{text}");
    }
}

#[tokio::test]
async fn a_list_is_read_to_its_last_page() {
    let fake = Fake::start(|call, n| match (n, field(call, "Marker")) {
        (0, None) => page(&cluster("a", "mysql"), "one"),
        (1, Some("one")) => page(&cluster("b", "mysql"), "two/x"),
        (2, Some("two%2Fx")) => clusters(&cluster("app", "mysql")),
        _ => answer(400, "asked for another page".into()),
    })
    .await;
    let aws = aws(&fake).await;
    let failed = failed(&aws, "rds-cluster:tag:No=body").await;
    assert!(
        failed.message.ends_with("there are `a`, `b`, `app`"),
        "{failed}"
    );
    assert_eq!(fake.calls().len(), 3);
}

#[tokio::test]
async fn a_list_without_an_end_is_given_up() {
    let fake = Fake::start(|_, _| page("", "again")).await;
    let failed = failed(&aws(&fake).await, "rds-cluster:tag:No=body").await;
    assert!(failed.message.contains("more than 50 pages"), "{failed}");
    assert_eq!(fake.calls().len(), 50);
}

#[tokio::test]
async fn a_throttled_look_up_is_repeated() {
    let fake = Fake::start(|call, n| match n {
        0 => refused(400, "Throttling", "Rate exceeded"),
        1 => answer(503, "<html>busy</html>".into()),
        _ => account(call),
    })
    .await;
    let aws = aws(&fake).await;
    let found = aws.locate(&selector("rds-cluster:app"), None).await;
    assert_eq!(found.unwrap().host, "app.cluster-x");
    assert_eq!(fake.calls().len(), 3);
}

#[tokio::test]
async fn failures_are_told_apart() {
    let denied = "User: arn:aws:iam::1:user/me is not authorized to perform: rds:DescribeDBClusters on resource: \
        arn:aws:rds:eu-west-1:1:cluster:app because no identity-based policy allows the rds:DescribeDBClusters action";
    for (status, code, message, word, calls) in [
        (400, "Throttling", "Rate exceeded", "aws_throttled", 3),
        (403, "AccessDenied", denied, "access_denied", 1),
        (
            403,
            "InvalidClientTokenId",
            "invalid",
            "credentials_refused",
            1,
        ),
        (403, "ExpiredToken", "expired", "credentials_expired", 1),
        (
            400,
            "InvalidParameterValue",
            "not an identifier",
            "invalid_request",
            1,
        ),
    ] {
        let fake = Fake::start(move |_, _| refused(status, code, message)).await;
        let failed = failed(&aws(&fake).await, "rds-cluster:app").await;
        assert_eq!(failed.code_word(), word, "{failed}");
        assert_eq!(fake.calls().len(), calls, "{failed}");
        assert_eq!(
            (failed.message.as_str(), failed.request_id.as_deref()),
            (message, Some("req-1"))
        );
    }
    let fake = Fake::start(move |_, _| refused(403, "AccessDenied", denied)).await;
    let hint = failed(&aws(&fake).await, "rds-cluster:app").await.hint();
    assert!(
        hint.unwrap()
            .contains("allow rds:DescribeDBClusters on arn:aws:rds:")
    );
}

#[tokio::test]
async fn credentials_that_ran_out_are_renewed_once_and_the_look_up_goes_on() {
    let fake = Fake::start(|call, n| match (call.operation.as_str(), n) {
        ("AssumeRole", n) => answer(200, assumed(&format!("ASIA{n}"))),
        (_, 0) => refused(403, "ExpiredToken", "expired"),
        _ => account(call),
    })
    .await;
    let aws = with(&with_role(&fake), &net(&[]), Timeouts::default()).await;
    let found = aws.locate(&selector("rds-cluster:app"), None).await;
    assert_eq!(found.unwrap().host, "app.cluster-x");
    let calls = fake.calls();
    let operations: Vec<&str> = calls.iter().map(|call| call.operation.as_str()).collect();
    let look_up = "DescribeDBClusters";
    assert_eq!(operations, ["AssumeRole", look_up, "AssumeRole", look_up]);
}

#[tokio::test]
async fn what_is_no_answer_of_aws_may_pass() {
    let fake = Fake::start(|_, _| answer(200, "<html>please sign in</html>".into())).await;
    let failed = failed(&aws(&fake).await, "rds-cluster:app").await;
    assert_eq!(failed.kind, Kind::Transient, "{failed}");
    assert!(failed.message.contains("not to be read"), "{failed}");
}

#[tokio::test]
async fn silence_ends_in_time() {
    let fake = Fake::start(|_, _| None).await;
    let timeouts = Timeouts {
        connect: Duration::from_millis(200),
        attempt: Duration::from_millis(200),
        operation: Duration::from_millis(500),
    };
    let aws = with(&config(fake.url()), &net(&[]), timeouts).await;
    let failed = failed(&aws, "rds-cluster:app").await;
    assert_eq!(failed.kind, Kind::Timeout, "{failed}");
}

#[tokio::test]
async fn who_may_not_list_databases_is_still_told_that_this_one_is_not_there() {
    let fake = Fake::start(|call, _| match field(call, "DBClusterIdentifier") {
        Some(_) => refused(404, "DBClusterNotFoundFault", "DBCluster ap not found."),
        None => refused(403, "AccessDenied", "no"),
    })
    .await;
    let failed = failed(&aws(&fake).await, "rds-cluster:ap").await;
    assert_eq!(failed.kind, Kind::NotFound);
    assert!(failed.message.ends_with("none is to be seen"), "{failed}");
}

async fn failed(aws: &Aws, text: &str) -> Error {
    let located = aws.locate(&selector(text), None).await;
    located.expect_err(text)
}

/// As the configuration reads it.
fn selector(text: &str) -> Selector {
    let text =
        format!("[[tunnel]]\nname = \"x\"\ntarget = \"i-0123456789abcdef0\"\nhost = \"{text}\"\n");
    match Config::parse(&text)
        .expect("a selector")
        .tunnels
        .remove(0)
        .remote
    {
        Remote::Database { selector, .. } => selector,
        other => panic!("{other:?}"),
    }
}

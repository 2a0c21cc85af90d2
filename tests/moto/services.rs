//! ECS services in moto: looked at, scaled and tagged.

use bastiond::aws::Kind;
use serde_json::{Value, json};

use crate::account;
use crate::server::Server;

const CLUSTER: &str = "my_cluster-1";
const SERVICE: &str = "my_service-1";

fn ecs(moto: &Server, operation: &str, body: &Value) {
    let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
    moto.call_json("ecs", &target, &body.to_string());
}

fn make(moto: &Server) {
    ecs(moto, "CreateCluster", &json!({"clusterName": CLUSTER}));
    let container = json!({"name": "bastion", "image": "busybox", "memory": 512});
    let definition = json!({"family": "bastion", "containerDefinitions": [container]});
    ecs(moto, "RegisterTaskDefinition", &definition);
    let service = json!({
        "cluster": CLUSTER,
        "serviceName": SERVICE,
        "taskDefinition": "bastion",
        "desiredCount": 0,
        "enableExecuteCommand": true,
        "tags": [{"key": "team", "value": "d\u{f6}ner"}],
    });
    ecs(moto, "CreateService", &service);
}

#[tokio::test]
async fn a_service_is_found_by_its_name_or_arn_scaled_and_tagged() {
    let Some((moto, aws)) = account().await else {
        return;
    };
    make(&moto);
    let service = aws.service(CLUSTER, SERVICE).await.expect("the service");
    assert_eq!((service.name.as_str(), service.desired), (SERVICE, 0));
    assert_eq!(service.status, "ACTIVE");
    assert_eq!(service.tag("team"), Some("d\u{f6}ner"));
    assert_eq!(service.tag("bastiond:lease"), None);
    let scaled = aws.scale_service(CLUSTER, SERVICE, 1).await;
    scaled.expect("it is scaled");
    let tagged = aws.tag_service(&service.arn, "bastiond:lease", "1764363266/1a2b3c4d");
    tagged.await.expect("it is tagged");
    let service = aws
        .service(CLUSTER, &service.arn)
        .await
        .expect("by its ARN");
    assert_eq!(service.desired, 1);
    assert_eq!(service.tag("bastiond:lease"), Some("1764363266/1a2b3c4d"));
    assert!(service.primary.is_some_and(|id| id.starts_with("ecs-svc/")));
    let tasks = aws.service_tasks(CLUSTER, SERVICE).await.expect("a list");
    let is_its = |group: Option<&str>| group == Some("service:my_service-1");
    assert!(
        tasks.iter().all(|it| is_its(it.group.as_deref())),
        "{tasks:?}"
    );
}

#[tokio::test]
async fn a_service_or_a_cluster_that_is_not_there_is_told_with_what_to_correct() {
    let Some((moto, aws)) = account().await else {
        return;
    };
    make(&moto);
    let missing = aws.service(CLUSTER, "other").await.expect_err("none");
    assert_eq!(missing.kind, Kind::NotFound, "{missing}");
    assert!(missing.hint().expect("a hint").contains("`service`"));
    let missing = aws.service("other", SERVICE).await.expect_err("none");
    assert_eq!(missing.kind, Kind::NotFound, "{missing}");
    let missing = aws.scale_service(CLUSTER, "other", 1).await;
    assert_eq!(missing.expect_err("none").kind, Kind::NotFound);
}

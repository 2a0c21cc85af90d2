//! Faults of the task definition and its image.

use serde_json::{Value, json};

use super::{Fault, Plant, container, private_image};

pub fn of_definition() -> Vec<Fault> {
    let definition = |alter| Plant::Answer("DescribeTaskDefinition", alter);
    let cluster = |alter| Plant::Answer("DescribeClusters", alter);
    vec![
        (
            "T01",
            "aws ecs list-clusters",
            cluster(|it| it["clusters"][0]["status"] = json!("INACTIVE")),
        ),
        (
            "T02",
            "the family",
            definition(|it| it["taskDefinition"]["status"] = json!("INACTIVE")),
        ),
        (
            "T02",
            "awsvpc",
            definition(|it| it["taskDefinition"]["networkMode"] = json!("bridge")),
        ),
        (
            "T02",
            "FARGATE",
            definition(|it| it["taskDefinition"]["compatibilities"] = json!(["EC2"])),
        ),
        (
            "T02",
            "list-task-definition-families",
            Plant::Text(
                "task_definition = \"bastion\"",
                "task_definition = \"none\"",
            ),
        ),
        (
            "T03",
            "a taskRoleArn",
            definition(|it| it["taskDefinition"]["taskRoleArn"] = Value::Null),
        ),
        (
            "T03",
            "an executionRoleArn",
            definition(|it| it["taskDefinition"]["executionRoleArn"] = Value::Null),
        ),
        (
            "T04",
            "initProcessEnabled to true",
            definition(|it| container(it)["linuxParameters"] = json!({})),
        ),
        (
            "T05",
            "readonlyRootFilesystem to false for container `bastion`",
            definition(|it| container(it)["readonlyRootFilesystem"] = json!(true)),
        ),
        (
            "T06",
            "remove pidMode",
            definition(|it| it["taskDefinition"]["pidMode"] = json!("task")),
        ),
        (
            "T07",
            "remove AWS_PROFILE",
            definition(|it| {
                container(it)["environment"] = json!([{"name": "AWS_PROFILE", "value": "x"}, {"name": "IDLE_SECONDS", "value": "1"}]);
            }),
        ),
        (
            "T08",
            "set NO_PROXY",
            definition(|it| {
                container(it)["environment"] = json!([{"name": "HTTPS_PROXY", "value": "http://p"}, {"name": "IDLE_SECONDS", "value": "1"}]);
            }),
        ),
        (
            "T11",
            "create-log-group --region ap-northeast-1 --log-group-name /gone",
            definition(|it| {
                container(it)["logConfiguration"]["options"]["awslogs-group"] = json!("/gone")
            }),
        ),
        (
            "T11",
            "awslogs-region to ap-northeast-1",
            definition(|it| {
                container(it)["logConfiguration"]["options"]["awslogs-region"] = json!("eu-west-1")
            }),
        ),
        (
            "T12",
            "infra/watchdog.sh",
            definition(|it| container(it)["environment"] = json!([])),
        ),
        (
            "T13",
            "essential to true",
            definition(|it| container(it)["essential"] = json!(false)),
        ),
        (
            "T13",
            "stopTimeout",
            definition(|it| container(it)["stopTimeout"] = json!(60)),
        ),
        (
            "T14",
            "put-cluster-capacity-providers",
            Plant::Text(
                "cluster = \"backend\"",
                "capacity_provider = \"OURS\"\ncluster = \"backend\"",
            ),
        ),
        (
            "T10",
            "push 123456789012.dkr.ecr.ap-northeast-1.amazonaws.com/busybox:1 for ARM64",
            Plant::All(vec![
                Plant::Answer("DescribeTaskDefinition", private_image),
                Plant::Answer("BatchGetImage", |it| {
                    let manifest = json!({"manifests": [{"platform": {"architecture": "amd64"}}]});
                    it["images"][0]["imageManifest"] = json!(manifest.to_string());
                }),
            ]),
        ),
    ]
}

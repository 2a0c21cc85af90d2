//! T: the cluster and the task definition.

mod cluster;
mod container;

use crate::doctor::check::{Check, Judge, Level};

const CLUSTERS: &[&str] = &["ecs:DescribeClusters"];
const DEFINITION: &[&str] = &["ecs:DescribeTaskDefinition"];

pub const CHECKS: &[Check] = &[
    Check {
        id: "T01",
        title: "the cluster is active",
        looks_at: "the cluster's status",
        levels: &[Level::Fail],
        why: "A task is run in a cluster. A cluster that was deleted is remembered as INACTIVE for a while.",
        fix: "set `cluster` of the bastion to one that exists: aws ecs list-clusters --region {region}",
        needs: CLUSTERS,
        judge: Judge::Bastion(cluster::cluster),
    },
    Check {
        id: "T02",
        title: "the task definition is active and made for Fargate",
        looks_at: "status, `networkMode` and `compatibilities`",
        levels: &[Level::Fail],
        why: "RunTask takes active revisions only. Fargate needs the network mode awsvpc.",
        fix: "register a revision with networkMode awsvpc and requiresCompatibilities FARGATE",
        needs: DEFINITION,
        judge: Judge::Bastion(cluster::definition),
    },
    Check {
        id: "T03",
        title: "it has a task role and an execution role",
        looks_at: "`taskRoleArn` and `executionRoleArn`",
        levels: &[Level::Fail],
        why: "The task role lets the agent reach SSM; without one ECS refuses ECS Exec. The execution role lets \
              Fargate pull the image and write the log.",
        fix: "give the task definition {missing}",
        needs: DEFINITION,
        judge: Judge::Bastion(cluster::roles),
    },
    Check {
        id: "T04",
        title: "an init process reaps what sessions leave",
        looks_at: "`initProcessEnabled` of the container",
        levels: &[Level::Warn],
        why: "Without an init process dead session workers stay, and the container's program does not get SIGTERM: \
              a stop takes 30 seconds that are paid for.",
        fix: "set linuxParameters.initProcessEnabled to true for container `{container}`",
        needs: DEFINITION,
        judge: Judge::Bastion(container::init),
    },
    Check {
        id: "T05",
        title: "the agent can write",
        looks_at: "`readonlyRootFilesystem` of the container",
        levels: &[Level::Fail],
        why: "The agent of ECS Exec writes below /var/lib/amazon and /var/log/amazon, and does not start where it \
              cannot.",
        fix: "set readonlyRootFilesystem to false for container `{container}`",
        needs: DEFINITION,
        judge: Judge::Bastion(container::writable),
    },
    Check {
        id: "T06",
        title: "containers do not share their processes",
        looks_at: "`pidMode`",
        levels: &[Level::Warn],
        why: "Only one agent works in a namespace of processes, and the watchdog would count the sessions of other \
              containers.",
        fix: "remove pidMode from the task definition",
        needs: DEFINITION,
        judge: Judge::Bastion(cluster::pid_mode),
    },
    Check {
        id: "T07",
        title: "the container has no credentials of its own",
        looks_at: "names in `environment` and `secrets` of the container",
        levels: &[Level::Fail],
        why: "The agent takes AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_PROFILE before the task role, and \
              then may not open its channel.",
        fix: "remove {name} from container `{container}`",
        needs: DEFINITION,
        judge: Judge::Bastion(container::credentials),
    },
    Check {
        id: "T08",
        title: "a proxy in the container leaves the metadata alone",
        looks_at: "HTTP_PROXY, HTTPS_PROXY and NO_PROXY in `environment` of the container",
        levels: &[Level::Fail],
        why: "The agent gets its credentials from 169.254.170.2 and its identity from 169.254.169.254. Through a \
              proxy it finds neither.",
        fix: "set NO_PROXY of container `{container}` to 169.254.170.2,169.254.169.254",
        needs: DEFINITION,
        judge: Judge::Bastion(container::proxy),
    },
    Check {
        id: "T09",
        title: "the image can be reached from the subnets",
        looks_at: "the registry of each image, and the way out of each subnet",
        levels: &[Level::Fail],
        why: "public.ecr.aws and other public registries have no VPC endpoint. Subnets without a way out need an image \
              in ECR: a copy, or a pull-through cache.",
        fix: "copy {image} to ECR of this region, or take subnets with a NAT gateway",
        needs: &[
            "ecs:DescribeTaskDefinition",
            "ec2:DescribeSubnets",
            "ec2:DescribeRouteTables",
        ],
        judge: Judge::Bastion(cluster::registry),
    },
    Check {
        id: "T10",
        title: "the image is made for the task's architecture",
        looks_at: "`runtimePlatform` of the task definition, and the list of variants of an image in ECR",
        levels: &[Level::Warn],
        why: "An image of another architecture is pulled and then does not start: exec format error. What other registries \
              and images with one variant have is not told.",
        fix: "set runtimePlatform.cpuArchitecture to {architectures}, or push {image} for {wanted} as well",
        needs: &["ecs:DescribeTaskDefinition", "ecr:BatchGetImage"],
        judge: Judge::Bastion(cluster::architecture),
    },
    Check {
        id: "T11",
        title: "the log group exists, in this region",
        looks_at: "`awslogs-group` and `awslogs-region` of the containers",
        levels: &[Level::Warn],
        why: "A task whose log group is missing stops before it starts, unless its execution role may create the group.",
        fix: "aws logs create-log-group --region {region} --log-group-name {group}",
        needs: &["ecs:DescribeTaskDefinition", "logs:DescribeLogGroups"],
        judge: Judge::Bastion(cluster::log_group),
    },
    Check {
        id: "T12",
        title: "a watchdog ends the container",
        looks_at: "IDLE_SECONDS and MAX_SECONDS in `environment` of the container, or in its command",
        levels: &[Level::Warn],
        why: "If this machine sleeps or its daemon is killed, nobody stops the task. The watchdog of \
              infra/watchdog.sh ends a container that has no session.",
        fix: "run infra/watchdog.sh as the command of container `{container}`, as infra/bastion.yaml does",
        needs: DEFINITION,
        judge: Judge::Bastion(container::watchdog),
    },
    Check {
        id: "T13",
        title: "the configured container is there and essential",
        looks_at: "names, `essential` and `stopTimeout` of the containers",
        levels: &[Level::Warn, Level::Fail],
        why: "The task ends when an essential container does: the watchdog's must be one. A long `stopTimeout` is \
              paid for at each stop.",
        fix: "{what}",
        needs: DEFINITION,
        judge: Judge::Bastion(container::container),
    },
    Check {
        id: "T14",
        title: "the cluster has the capacity provider",
        looks_at: "`capacityProviders` of the cluster",
        levels: &[Level::Fail],
        why: "Fargate Spot and other providers serve only clusters that they are associated with.",
        fix: "aws ecs put-cluster-capacity-providers --region {region} --cluster {cluster} --capacity-providers \
              FARGATE {provider} --default-capacity-provider-strategy capacityProvider=FARGATE,weight=1",
        needs: CLUSTERS,
        judge: Judge::Bastion(cluster::provider),
    },
    Check {
        id: "T15",
        title: "shells of the cluster are not encrypted",
        looks_at: "`executeCommandConfiguration` of the cluster",
        levels: &[Level::Info],
        why: "A KMS key encrypts shells of `bastiond shell`, never tunnels: TLS of the database does that. The task \
              role needs kms:Decrypt on it, its subnet a way to KMS, and you kms:GenerateDataKey.",
        fix: "for shells: allow yourself kms:GenerateDataKey and the task role kms:Decrypt on {key}",
        needs: CLUSTERS,
        judge: Judge::Bastion(cluster::encryption),
    },
];

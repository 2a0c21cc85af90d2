//! What an account tells of itself to those who look for mistakes: clusters, task definitions, documents, log groups,
//! roles, quotas. All is well; tests spoil it by [`ApiFault::Rewrite`](super::ApiFault::Rewrite).

use serde_json::{Value, json};

use super::{script::TaskDefinition, wire::ApiError, world::Core};

/// The log group of the task definitions.
const LOG_GROUP: &str = "/bastiond/bastion";
/// The virtual CPUs that Fargate gives on demand.
const VCPUS: f64 = 6.0;

/// Answers a call of ECS; `None` if it is not one of these.
pub(super) fn ecs(core: &Core, operation: &str, body: &Value) -> Option<Result<Value, ApiError>> {
    match operation {
        "DescribeClusters" => Some(Ok(clusters(core, body))),
        "DescribeTaskDefinition" => Some(definition(core, body)),
        _ => None,
    }
}

fn clusters(core: &Core, body: &Value) -> Value {
    let name = body["clusters"][0].as_str().unwrap_or("default");
    let name = name.rsplit('/').next().unwrap_or_default();
    let arn = core.arn("ecs", &format!("cluster/{name}"));
    if !core.script.clusters.iter().any(|known| known == name) {
        return json!({"clusters": [], "failures": [{"arn": arn, "reason": "MISSING"}]});
    }
    let cluster = json!({
        "clusterArn": arn,
        "clusterName": name,
        "status": "ACTIVE",
        "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
        "configuration": {"executeCommandConfiguration": {"logging": "DEFAULT"}},
    });
    json!({"clusters": [cluster], "failures": []})
}

fn definition(core: &Core, body: &Value) -> Result<Value, ApiError> {
    let name = body["taskDefinition"].as_str().unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or_default();
    let family = name.split(':').next().unwrap_or_default();
    let mut known = core.script.task_definitions.iter();
    let known = known.find(|known| known.family == family);
    let missing = || ApiError::new("ClientException", "Unable to describe task definition.");
    Ok(json!({"taskDefinition": described(core, known.ok_or_else(missing)?)}))
}

fn described(core: &Core, definition: &TaskDefinition) -> Value {
    let TaskDefinition {
        family, revision, ..
    } = definition;
    let container = |container: &super::Container| {
        json!({
            "name": container.name,
            "image": "public.ecr.aws/docker/library/busybox:1.37.0-musl",
            "essential": true,
            "command": ["sh", "-c", "exec watchdog"],
            "environment": [{"name": "IDLE_SECONDS", "value": "900"}],
            "secrets": [],
            "linuxParameters": {"initProcessEnabled": true},
            "readonlyRootFilesystem": false,
            "stopTimeout": 10,
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": LOG_GROUP,
                    "awslogs-region": core.script.region,
                    "awslogs-stream-prefix": "bastion",
                },
            },
        })
    };
    let containers: Vec<_> = definition.containers.iter().map(container).collect();
    json!({
        "taskDefinitionArn": core.arn("ecs", &format!("task-definition/{family}:{revision}")),
        "family": family,
        "revision": revision,
        "status": "ACTIVE",
        "networkMode": "awsvpc",
        "compatibilities": ["EC2", "FARGATE"],
        "requiresCompatibilities": ["FARGATE"],
        "taskRoleArn": role_arn(core, "bastion-task"),
        "executionRoleArn": role_arn(core, "bastion-execution"),
        "cpu": "256",
        "memory": "512",
        "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
        "containerDefinitions": containers,
    })
}

/// AWS's own documents for tunnels; no preferences of the account.
pub(super) fn document(body: &Value) -> Result<Value, ApiError> {
    let name = body["Name"].as_str().unwrap_or_default();
    let text = "^[^,$^&\\\\(\\\\)!;'\"<>`{}\\\\[\\\\]\\\\|#=]{3,}$";
    let parameters = match name {
        "AWS-StartPortForwardingSessionToRemoteHost" => json!({
            "host": {"type": "String", "allowedPattern": text},
            "portNumber": {"type": "String", "allowedPattern": "^[0-9]{1,5}$"},
            "localPortNumber": {"type": "String", "allowedPattern": "^[0-9]{1,5}$"},
        }),
        "AWS-StartPortForwardingSession" => json!({
            "portNumber": {"type": "String", "allowedPattern": "^[0-9]{1,5}$"},
            "localPortNumber": {"type": "String", "allowedPattern": "^[0-9]{1,5}$"},
        }),
        _ => {
            let message = format!("Document with name {name} does not exist.");
            return Err(ApiError::new("InvalidDocument", message));
        }
    };
    let content = json!({"schemaVersion": "1.0", "sessionType": "Port", "parameters": parameters});
    Ok(json!({"Name": name, "DocumentType": "Session", "Content": content.to_string()}))
}

/// CloudWatch Logs.
pub(super) fn logs(operation: &str, body: &Value) -> Result<Value, ApiError> {
    let prefix = body["logGroupNamePrefix"].as_str().unwrap_or_default();
    let groups: Vec<_> = [LOG_GROUP, "/bastiond/bastion-of-others"]
        .into_iter()
        .filter(|name| name.starts_with(prefix))
        .map(|name| json!({"logGroupName": name}))
        .collect();
    match operation {
        "DescribeLogGroups" => Ok(json!({"logGroups": groups})),
        _ => Err(unknown(operation)),
    }
}

/// Service Quotas.
pub(super) fn quotas(operation: &str, body: &Value) -> Result<Value, ApiError> {
    match operation {
        "GetServiceQuota" => Ok(json!({"Quota": {
            "ServiceCode": body["ServiceCode"], "QuotaCode": body["QuotaCode"], "Value": VCPUS,
            "UsageMetric": {
                "MetricNamespace": "AWS/Usage",
                "MetricName": "ResourceCount",
                "MetricDimensions": {"Service": "Fargate", "Type": "Resource", "Resource": "vCPU"},
            },
        }})),
        _ => Err(unknown(operation)),
    }
}

/// CloudWatch: a task of others runs.
pub(super) fn metrics(operation: &str) -> Result<Value, ApiError> {
    match operation {
        "GetMetricStatistics" => Ok(json!({
            "Label": "ResourceCount",
            "Datapoints": {"member": {"Maximum": 0.25, "Unit": "None"}},
        })),
        _ => Err(unknown(operation)),
    }
}

/// CloudFormation, ElastiCache and Redshift: the account has nothing of theirs.
pub(super) fn none(operation: &str) -> Result<Value, ApiError> {
    match operation {
        "DescribeStacks" => Ok(json!({"Stacks": ""})),
        "DescribeReplicationGroups" => Ok(json!({"ReplicationGroups": ""})),
        "DescribeCacheClusters" => Ok(json!({"CacheClusters": ""})),
        "DescribeClusters" => Ok(json!({"Clusters": ""})),
        _ => Err(unknown(operation)),
    }
}

/// ECR: images for both architectures.
pub(super) fn images(operation: &str) -> Result<Value, ApiError> {
    let variant =
        |architecture: &str| json!({"platform": {"architecture": architecture, "os": "linux"}});
    let variants = ["amd64", "arm64"].map(variant);
    let manifest = json!({"schemaVersion": 2, "manifests": variants});
    match operation {
        "BatchGetImage" => {
            Ok(json!({"images": [{"imageManifest": manifest.to_string()}], "failures": []}))
        }
        _ => Err(unknown(operation)),
    }
}

/// IAM: everything is allowed to everybody, and every role may be assumed by ECS.
pub(super) fn iam(core: &Core, operation: &str, body: &Value) -> Result<Value, ApiError> {
    match operation {
        "SimulatePrincipalPolicy" => Ok(simulated(body)),
        "GetRole" => Ok(role(core, body["RoleName"].as_str().unwrap_or_default())),
        _ => Err(unknown(operation)),
    }
}

fn simulated(body: &Value) -> Value {
    let member = |name: &str| {
        let numbered = (1..).map(|number| body[format!("{name}.member.{number}")].clone());
        let given: Vec<_> = numbered.take_while(Value::is_string).collect();
        given
    };
    let resources = match member("ResourceArns") {
        none if none.is_empty() => vec![json!("*")],
        some => some,
    };
    let mut results = Vec::new();
    for action in member("ActionNames") {
        for resource in &resources {
            results.push(json!({
                "EvalActionName": action,
                "EvalResourceName": resource,
                "EvalDecision": "allowed",
            }));
        }
    }
    json!({"IsTruncated": false, "EvaluationResults": {"member": results}})
}

fn role(core: &Core, name: &str) -> Value {
    let trust = "%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A\
                 %22ecs-tasks.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D";
    json!({"Role": {
        "RoleName": name,
        "Arn": role_arn(core, name),
        "AssumeRolePolicyDocument": trust,
    }})
}

fn role_arn(core: &Core, name: &str) -> String {
    format!("arn:aws:iam::{}:role/{name}", core.script.account)
}

fn unknown(operation: &str) -> ApiError {
    let message = format!("the simulator has no {operation}");
    ApiError::new("UnknownOperationException", message)
}

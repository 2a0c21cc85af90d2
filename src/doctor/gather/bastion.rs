//! What AWS tells of a bastion.

use super::{Gatherer, network, policy};
use crate::aws::{Aws, Definition, Desired, Error, Identity, Image, Quota, Task};
use crate::bastion::of_bastion;
use crate::config;
use crate::doctor::check::{Gap, Known};
use crate::doctor::facts::{Bastion, Network, Policies, quota_code};
use crate::platform;

/// What the tunnels through a bastion want of it.
pub struct Through {
    /// Their session documents.
    pub documents: Vec<String>,
    /// The ports that they lead to.
    pub ports: Vec<u16>,
}

/// What is known of it. Nothing is asked while the account is not ours to ask.
pub async fn bastion(
    gatherer: &Gatherer,
    config: &config::Bastion,
    aws: &Aws,
    through: Through,
    account: Result<&Identity, Gap>,
) -> Bastion {
    let identity = match account {
        Ok(identity) => identity,
        Err(gap) => return unknown(config, aws, through.ports, &gap),
    };
    let cluster = gatherer.ask("ecs:DescribeClusters", aws.cluster(&config.cluster));
    let definition = gatherer.ask(
        "ecs:DescribeTaskDefinition",
        aws.task_definition(&config.task_definition),
    );
    let running = tasks(gatherer, config, aws, Desired::Running);
    let stopped = tasks(gatherer, config, aws, Desired::Stopped);
    let (cluster, definition, running, stopped, network) = tokio::join!(
        cluster,
        definition,
        running,
        stopped,
        Box::pin(network::network(gatherer, config, aws))
    );
    let running = ours(running, config, &network);
    let (log_groups, (connected, sessions), policies, (quota, usage), architectures) = tokio::join!(
        log_groups(gatherer, aws, &definition),
        target(gatherer, config, aws, &running),
        Box::pin(policy::policies(
            gatherer,
            config,
            aws,
            identity,
            &through.documents,
            &definition
        )),
        quota(gatherer, config, aws),
        architectures(gatherer, aws, &definition)
    );
    Bastion {
        config: config.clone(),
        region: aws.region().to_owned(),
        ports: through.ports,
        cluster,
        definition,
        log_groups,
        tasks: running,
        stopped: stopped.map(newest_first),
        connected,
        sessions,
        network,
        policies,
        quota,
        usage,
        architectures,
        ..unknown(config, aws, Vec::new(), &Gap::Unasked)
    }
}

/// Those of the family that are this bastion's.
fn ours(
    running: Known<Vec<Task>>,
    config: &config::Bastion,
    network: &Network,
) -> Known<Vec<Task>> {
    let tasks = running?;
    let place = network.place.as_ref().map_err(Clone::clone)?;
    Ok(of_bastion(tasks, config, place, &platform::local_user()))
}

/// What Fargate gives, and how much of it is in use.
async fn quota(
    gatherer: &Gatherer,
    config: &config::Bastion,
    aws: &Aws,
) -> (Known<Option<Quota>>, Known<f64>) {
    let quota = aws.fargate_quota(quota_code(config));
    let quota = gatherer.ask("servicequotas:GetServiceQuota", quota).await;
    let metric = match &quota {
        Ok(Some(quota)) => quota.metric.clone(),
        Ok(None) => None,
        Err(gap) => return (Err(gap.clone()), Err(gap.clone())),
    };
    let Some(metric) = metric else {
        return (quota, Err(Gap::Needs("a quota whose use is counted")));
    };
    let used = aws.usage(&metric);
    let used = gatherer.ask("cloudwatch:GetMetricStatistics", used).await;
    // Nothing is counted where nothing is used.
    (quota, used.map(Option::unwrap_or_default))
}

/// The architectures of those images that are in ECR.
async fn architectures(
    gatherer: &Gatherer,
    aws: &Aws,
    definition: &Known<Option<Definition>>,
) -> Known<Vec<(String, Vec<String>)>> {
    let definition = definition.as_ref().map_err(Clone::clone)?;
    let containers = definition.iter().flat_map(|it| &it.containers);
    let mut told = Vec::new();
    for container in containers {
        let Some(image) = Image::parse(&container.image) else {
            continue;
        };
        // Calls go to the bastion's region; an image of another is not looked at.
        if image.region == aws.region() {
            let asked = aws.image_architectures(&image);
            let all = gatherer.ask("ecr:BatchGetImage", asked).await?;
            told.push((container.image.clone(), all));
        }
    }
    Ok(told)
}

fn unknown(config: &config::Bastion, aws: &Aws, ports: Vec<u16>, gap: &Gap) -> Bastion {
    Bastion {
        config: config.clone(),
        region: aws.region().to_owned(),
        ports,
        cluster: Err(gap.clone()),
        definition: Err(gap.clone()),
        log_groups: Err(gap.clone()),
        tasks: Err(gap.clone()),
        stopped: Err(gap.clone()),
        connected: Err(gap.clone()),
        sessions: Err(gap.clone()),
        network: Network::unknown(gap),
        policies: Policies::unknown(gap),
        quota: Err(gap.clone()),
        usage: Err(gap.clone()),
        architectures: Err(gap.clone()),
        far: Vec::new(),
        fences: Vec::new(),
        start: None,
    }
}

/// A cluster that does not exist has no tasks; T01 tells of it.
async fn tasks(
    gatherer: &Gatherer,
    config: &config::Bastion,
    aws: &Aws,
    desired: Desired,
) -> Known<Vec<Task>> {
    let listed = aws.list_tasks(&config.cluster, Some(config.family()), desired);
    let listed = async {
        match listed.await {
            Err(error) if is_no_cluster(&error) => Ok(None),
            listed => listed.map(Some),
        }
    };
    let arns = gatherer.ask("ecs:ListTasks", listed).await?;
    let arns = arns.ok_or(Gap::Needs("the cluster (T01)"))?;
    if arns.is_empty() {
        return Ok(Vec::new());
    }
    let described = aws.describe_tasks(&config.cluster, &arns);
    gatherer.ask("ecs:DescribeTasks", described).await
}

fn is_no_cluster(error: &Error) -> bool {
    error.code.as_deref() == Some("ClusterNotFoundException")
}

fn newest_first(mut tasks: Vec<Task>) -> Vec<Task> {
    tasks.sort_by_key(|task| std::cmp::Reverse(task.created_at));
    tasks
}

async fn log_groups(
    gatherer: &Gatherer,
    aws: &Aws,
    definition: &Known<Option<Definition>>,
) -> Known<Vec<String>> {
    let definition = definition.as_ref().map_err(Clone::clone)?;
    let mut existing = Vec::new();
    for (group, _) in definition.iter().flat_map(Definition::log_groups) {
        let has = gatherer.ask("logs:DescribeLogGroups", aws.has_log_group(group));
        if has.await? {
            existing.push(group.to_owned());
        }
    }
    Ok(existing)
}

/// Whether the agent of the task that would be used is connected, and how many sessions it has.
async fn target(
    gatherer: &Gatherer,
    config: &config::Bastion,
    aws: &Aws,
    tasks: &Known<Vec<Task>>,
) -> (Known<bool>, Known<usize>) {
    let none = || Gap::Needs("a running task");
    let target = tasks.as_ref().map_err(Clone::clone).and_then(|tasks| {
        let task = tasks.first().filter(|task| task.last_status == "RUNNING");
        let target = task.and_then(|task| task.target(config.container.as_deref()).ok());
        target.ok_or_else(none)
    });
    match target {
        Err(gap) => (Err(gap.clone()), Err(gap)),
        Ok(target) => {
            let sessions = async { aws.active_sessions(&target).await.map(|ids| ids.len()) };
            tokio::join!(
                gatherer.ask("ssm:GetConnectionStatus", aws.connection_status(&target)),
                gatherer.ask("ssm:DescribeSessions", sessions)
            )
        }
    }
}

//! What AWS tells of machines that are in the place of a task.

use super::Gatherer;
use crate::aws::{self, Aws, Instance, Nodes};
use crate::bastion;
use crate::config::{self, Machine, Pick, Via};
use crate::doctor::check::{Gap, Known};
use crate::doctor::facts::Node;

const INSTANCES: &str = "ec2:DescribeInstances";
const NODES: &str = "ssm:DescribeInstanceInformation";

/// The machine of a bastion; `None` if it is a task.
pub async fn of_bastion(
    gatherer: &Gatherer,
    config: &config::Bastion,
    aws: &Aws,
    account: Result<(), Gap>,
) -> Option<Node> {
    let machine = config.machine.as_ref()?;
    let subject = format!("bastion {}", config.name);
    let is_started = matches!(machine, Machine::Instance(_));
    let wanted = machine.pick().to_string();
    let (instances, managed) = match (account, machine) {
        (Err(gap), Machine::Instance(_)) => (Some(Err(gap.clone())), Err(gap)),
        (Err(gap), Machine::Node(_)) => (None, Err(gap)),
        (Ok(()), Machine::Instance(pick)) => instance(gatherer, aws, pick).await,
        (Ok(()), Machine::Node(pick)) => {
            let asked = bastion::node::all_fitting(aws, pick);
            (None, gatherer.ask(NODES, asked).await)
        }
    };
    Some(Node {
        subject,
        wanted,
        is_started,
        region: aws.region().to_owned(),
        instances,
        managed,
    })
}

/// The fixed target of a tunnel; `None` if it has none, or one that is a task.
pub async fn of_tunnel(
    gatherer: &Gatherer,
    config: &config::Tunnel,
    aws: &Aws,
    account: Result<(), Gap>,
) -> Option<Node> {
    let Via::Target(target) = &config.via else {
        return None;
    };
    let is_instance = target.starts_with("i-");
    if !is_instance && !target.starts_with("mi-") {
        return None;
    }
    let (instances, managed) = match account {
        Err(gap) => (is_instance.then(|| Err(gap.clone())), Err(gap)),
        Ok(()) if is_instance => instance(gatherer, aws, &Pick::Id(target.clone())).await,
        Ok(()) => (
            None,
            gatherer.ask(NODES, aws.nodes(Nodes::Id(target))).await,
        ),
    };
    Some(Node {
        subject: format!("tunnel {}", config.name),
        wanted: target.clone(),
        is_started: false,
        region: aws.region().to_owned(),
        instances,
        managed,
    })
}

/// The instances that fit; and what Systems Manager knows of it, if it is one.
async fn instance(
    gatherer: &Gatherer,
    aws: &Aws,
    pick: &Pick,
) -> (Option<Known<Vec<Instance>>>, Known<Vec<aws::Node>>) {
    let asked = bastion::instance::fitting(aws, pick);
    let instances = gatherer.ask(INSTANCES, asked).await;
    let managed = match instances.as_deref() {
        Ok([one]) => gatherer.ask(NODES, aws.nodes(Nodes::Id(&one.id))).await,
        Ok(_) => Err(Gap::Needs("the machine (M01)")),
        Err(gap) => Err(gap.clone()),
    };
    (Some(instances), managed)
}

//! Why a start failed or a task was lost, in words.

use super::Kind;
use super::terms::Agent;
use crate::status::Reason;

/// What a task does while its agent registers it as a node of Systems Manager.
pub const REGISTERING: &str = "waiting for the task to register";

pub fn unknown_task(kind: Kind) -> Reason {
    let (code, word) = match kind {
        Kind::Task | Kind::Service => ("task_gone", "task"),
        Kind::Instance => ("instance_gone", "instance"),
        Kind::Node => ("node_gone", "node"),
    };
    Reason::new(code, format!("the bastion {word} no longer exists"))
}

pub fn unreachable_agent(kind: Kind) -> Reason {
    let word = kind.word();
    let message = format!("the agent in the bastion {word} lost its connection to AWS");
    Reason::new("target_not_connected", message)
}

pub fn unconnected_agent(kind: Kind, agent: &Agent) -> Reason {
    let word = kind.word();
    let message = match agent {
        Agent::Stopped(why) => format!("the agent in the bastion {word} stopped: {why}"),
        Agent::Pending | Agent::Running => {
            let limit = kind.agent_deadline().as_secs();
            format!(
                "the agent in the bastion {word} did not connect to AWS within {limit} s of RUNNING"
            )
        }
    };
    let hint = match kind {
        Kind::Task | Kind::Service => {
            "check that the task role allows ssmmessages:* and that the subnet reaches the ssmmessages endpoint (NAT or VPC endpoint)"
        }
        Kind::Instance => {
            "check that the agent is installed, that the instance's role has the policy AmazonSSMManagedInstanceCore, and that its subnet reaches ssm, ssmmessages and ec2messages (NAT or VPC endpoints)"
        }
        Kind::Node => "restart the agent on the machine: sudo systemctl restart amazon-ssm-agent",
    };
    Reason::new("target_not_connected", message).with_hint(hint)
}

/// `step` is where it hangs, in words.
pub fn too_slow(kind: Kind, step: &str) -> Reason {
    let (word, limit) = (kind.word(), kind.start_deadline().as_secs());
    if step == REGISTERING {
        let message = format!("the bastion task did not become a node within {limit} s");
        return Reason::new("task_start_failed", message).with_hint(
            "look into the log of its container: it creates an activation, tagged bastiond:task with its own id, and registers the agent by it; its role needs ssm:CreateActivation, ssm:AddTagsToResource and iam:PassRole",
        );
    }
    let message = format!("the bastion {word} was not RUNNING within {limit} s: {step}");
    match kind {
        Kind::Task => Reason::new("task_start_failed", message).with_hint(
            "check that the subnet has free addresses and a route to the image's registry (NAT, or endpoints for ecr.api, ecr.dkr and s3)",
        ),
        Kind::Service => Reason::new("task_start_failed", message).with_hint(
            "look at the service's events: aws ecs describe-services --cluster CLUSTER --services SERVICE; and check that its subnet has free addresses and a route to the image's registry",
        ),
        Kind::Instance | Kind::Node => Reason::new("instance_start_failed", message)
            .with_hint("look at the instance in the EC2 console: its state, and its status checks"),
    }
}

pub fn shutting_down() -> Reason {
    Reason::new("shutting_down", "the daemon is shutting down")
}

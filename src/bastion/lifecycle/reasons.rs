//! Why a start failed or a task was lost, in words.

use super::terms::Agent;
use crate::status::Reason;

pub fn unknown_task() -> Reason {
    Reason::new("task_gone", "the bastion task no longer exists")
}

pub fn unreachable_agent() -> Reason {
    Reason::new(
        "target_not_connected",
        "the agent in the bastion task lost its connection to AWS",
    )
}

pub fn unconnected_agent(agent: &Agent) -> Reason {
    let message = match agent {
        Agent::Stopped(why) => format!("the agent in the bastion task stopped: {why}"),
        Agent::Pending | Agent::Running => {
            "the agent in the bastion task did not connect to AWS within 60 s of RUNNING".to_owned()
        }
    };
    Reason::new("target_not_connected", message).with_hint(
        "check that the task role allows ssmmessages:* and that the subnet reaches the ssmmessages endpoint (NAT or VPC endpoint)",
    )
}

/// `step` is where it hangs, in words.
pub fn too_slow(step: &str) -> Reason {
    let message = format!("the bastion task was not RUNNING within 300 s: {step}");
    Reason::new("task_start_failed", message).with_hint(
        "check that the subnet has free addresses and a route to the image's registry (NAT, or endpoints for ecr.api, ecr.dkr and s3)",
    )
}

pub fn shutting_down() -> Reason {
    Reason::new("shutting_down", "the daemon is shutting down")
}

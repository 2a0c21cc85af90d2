//! The part of a status that was asked for.

use crate::{
    config::suggest,
    status::{Problem, Status},
};

use super::Failure;

/// Which tunnel, and how much of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    pub tunnel: Option<String>,
    pub verbose: bool,
}

impl Selection {
    /// The status of one tunnel has what is wrong with it and with what it goes through.
    pub fn of(&self, status: Status) -> Result<Status, Failure> {
        let Some(name) = &self.tunnel else {
            return Ok(status);
        };
        let names = status.tunnels.iter().map(|tunnel| tunnel.name.as_str());
        let Some(tunnel) = status.tunnels.iter().find(|tunnel| tunnel.name == *name) else {
            return Err(Failure::NoTunnel {
                name: name.clone(),
                hint: suggest::hint(name, names),
            });
        };
        let tunnel = tunnel.clone();
        let bastion = tunnel.bastion.clone();
        let concerns = |problem: &Problem| {
            let of_bastion = |name: &String| {
                problem.subject == format!("bastion {name}")
                    || problem.subject == format!("aws of bastion {name}")
            };
            let own = problem.subject == format!("tunnel {name}");
            own || matches!(problem.subject.as_str(), "aws" | "daemon")
                || bastion.as_ref().is_some_and(of_bastion)
        };
        let problems: Vec<Problem> = status
            .problems
            .iter()
            .filter(|it| concerns(it))
            .cloned()
            .collect();
        let mut status = status;
        status
            .bastions
            .retain(|it| Some(&it.name) == bastion.as_ref());
        Ok(Status {
            healthy: problems.is_empty(),
            problems,
            tunnels: vec![tunnel],
            ..status
        })
    }
}

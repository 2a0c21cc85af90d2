//! Where the task of somebody's own cluster runs: what is found is offered, with why, and anything else may be written.

use super::{
    account::say,
    answer,
    draft::{Bastion, Tunnel},
    init::{Setup, remote},
};
use crate::{
    aws::Network,
    config::{self, Remote},
    status::{Chosen, ChosenKind},
};

/// Has subnets and groups found whenever a task is started.
const FIND: &str = "find";

impl Setup<'_> {
    /// Subnets and security groups, unless a stack or flags have told them.
    pub async fn place(&self, bastion: &mut Bastion, tunnels: &[Tunnel]) -> anyhow::Result<()> {
        if !bastion.subnets.is_empty() {
            return match self.options.subnet.is_empty() {
                // A stack tells both.
                true => Ok(()),
                false => self.groups(bastion, None),
            };
        }
        let found = self.found(bastion, tunnels).await;
        let suggested = found.as_ref().map(|found| found.subnets.join(","));
        let question = match &found {
            Some(_) => {
                "Subnets, with commas between them, or `find` to have them found at every start"
            }
            None => "Subnets, with commas between them",
        };
        bastion.subnets =
            self.person.ask(
                question,
                suggested.as_deref(),
                "--subnet",
                |text| match answer::words(text) {
                    words if words.is_empty() => Err("write one at least".to_owned()),
                    words if words == [FIND] && found.is_some() => Ok(Vec::new()),
                    words => Ok(words),
                },
            )?;
        let taken = found.filter(|found| found.subnets == bastion.subnets);
        match bastion.subnets.is_empty() {
            true => Ok(()),
            false => self.groups(bastion, taken.as_ref()),
        }
    }

    /// The groups that go with subnets; `found` if those were taken as they were found.
    fn groups(&self, bastion: &mut Bastion, found: Option<&Network>) -> anyhow::Result<()> {
        if let Some(found) = found {
            bastion.assign_public_ip |= found.assign_public_ip;
        }
        if bastion.security_groups.is_empty() {
            let suggested = found.map(|found| found.security_groups.join(","));
            let suggested = suggested.unwrap_or_default();
            let question = "Security groups, or empty for the VPC's default group";
            bastion.security_groups =
                self.person
                    .ask(question, Some(&suggested), "--security-group", |text| {
                        Ok(answer::words(text))
                    })?;
        }
        Ok(())
    }

    /// Looked for as the daemon would. What cannot be found or asked is said.
    async fn found(&self, bastion: &Bastion, tunnels: &[Tunnel]) -> Option<Network> {
        let aws = self.aws.as_ref()?;
        let selectors =
            tunnels
                .iter()
                .filter_map(|tunnel| match remote(&tunnel.host, tunnel.port) {
                    Ok(Remote::Database { selector, .. }) => Some(selector),
                    _ => None,
                });
        let wanted = config::Network {
            assign_public_ip: bastion.assign_public_ip.then_some(true),
            databases: selectors.collect(),
            ..config::Network::default()
        };
        match aws.network(&wanted, &bastion.name).await {
            Ok(found) => {
                crate::errln!("Where the task would run:");
                found.chosen.iter().for_each(show);
                Some(found)
            }
            Err(error) => {
                say("cannot find subnets", &error);
                None
            }
        }
    }
}

fn show(chosen: &Chosen) {
    let what = match chosen.kind {
        ChosenKind::Subnet => "subnet",
        ChosenKind::SecurityGroup => "security group",
        ChosenKind::PublicIp => "public address",
        ChosenKind::Caution => "caution",
    };
    let Chosen { value, reason, .. } = chosen;
    match value.as_str() {
        "" => crate::errln!("  {what}: {reason}"),
        value => crate::errln!("  {what} {value}: {reason}"),
    }
}

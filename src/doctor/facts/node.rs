//! Machines in the place of tasks.

use crate::aws::{self, Instance};
use crate::doctor::check::{Gap, Known};

/// A machine with an agent, in the place of a task.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is to the configuration: `bastion jump`, `tunnel app-db`.
    pub subject: String,
    /// As it is written there.
    pub wanted: String,
    /// Whether the daemon starts it when somebody connects.
    pub is_started: bool,
    /// The region of its calls.
    pub region: String,
    /// The EC2 instances that fit; `None` of what is none.
    pub instances: Option<Known<Vec<Instance>>>,
    /// What Systems Manager knows of those that fit, or of the one instance that does.
    pub managed: Known<Vec<aws::Node>>,
}

impl Node {
    /// The only one there is, by its id.
    pub fn id(&self) -> Result<&str, Gap> {
        let none = Gap::Needs("the machine (M01)");
        match &self.instances {
            Some(instances) => match instances.as_ref().map_err(Clone::clone)?.as_slice() {
                [one] => Ok(&one.id),
                _ => Err(none),
            },
            None => self.managed_one().map(|node| node.id.as_str()),
        }
    }

    /// What Systems Manager knows of it. A machine that was registered anew leaves its old node behind.
    pub fn managed_one(&self) -> Result<&aws::Node, Gap> {
        let all = self.managed.as_ref().map_err(Clone::clone)?;
        let online: Vec<_> = all.iter().filter(|node| node.is_online).collect();
        match (online.as_slice(), all.as_slice()) {
            ([one], _) => Ok(one),
            ([], [one]) => Ok(one),
            _ => Err(Gap::Needs("the machine (M01)")),
        }
    }
}

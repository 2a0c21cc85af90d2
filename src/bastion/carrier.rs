//! What carries a bastion's agent, and the calls that this takes: a task, an instance, or a node.

use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::calls::{Answer, Calls};
use super::instance::InstanceCalls;
use super::launch;
use super::lifecycle::{Action, Kind};
use super::node::NodeCalls;
use crate::aws::Aws;
use crate::config::{Bastion, Machine};
use crate::state::TaskRecord;
use crate::status::Chosen;

/// The calls of one bastion.
pub struct Carrier {
    name: String,
    cluster: String,
    params: String,
    calls: Of,
}

enum Of {
    Task(Box<Calls>),
    Instance(InstanceCalls),
    Node(NodeCalls),
}

impl Carrier {
    /// Calls for the bastion in `config`; `earlier` is the task that an earlier run has left.
    pub fn new(
        config: Bastion,
        aws: Aws,
        owner: String,
        who: String,
        earlier: Option<&TaskRecord>,
    ) -> Self {
        Self {
            name: config.name.clone(),
            cluster: config.cluster.clone(),
            params: params(&config),
            calls: match config.machine.clone() {
                None => Of::Task(Box::new(Calls::new(config, aws, owner, who, earlier))),
                Some(Machine::Instance(pick)) => Of::Instance(InstanceCalls::new(pick, aws, who)),
                Some(Machine::Node(pick)) => Of::Node(NodeCalls::new(pick, aws)),
            },
        }
    }

    /// The bastion's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the state file is to hold about a task, or a machine in its place.
    pub fn record(&self, arn: String) -> TaskRecord {
        TaskRecord {
            bastion: self.name.clone(),
            cluster: self.cluster.clone(),
            arn,
            params: self.params.clone(),
            node: None,
            started_at: SystemTime::now().into(),
        }
    }

    /// Where its task runs, for the status; of machines there is nothing to choose.
    pub fn chosen(&self) -> Vec<Chosen> {
        match &self.calls {
            Of::Task(calls) => calls.chosen(),
            Of::Instance(_) | Of::Node(_) => Vec::new(),
        }
    }

    /// Make a call. Each has a deadline of its own.
    pub async fn perform(&self, action: Action) -> Answer {
        match &self.calls {
            Of::Task(calls) => calls.perform(action).await,
            Of::Instance(calls) => calls.perform(action).await,
            Of::Node(calls) => calls.perform(action).await,
        }
    }
}

/// What carries the agent of the bastion in `config`.
pub fn kind(config: &Bastion) -> Kind {
    match config.machine {
        None => Kind::Task,
        Some(Machine::Instance(_)) => Kind::Instance,
        Some(Machine::Node(_)) => Kind::Node,
    }
}

/// Sixteen hexadecimal digits that change with whatever makes one task or machine another.
pub fn params(config: &Bastion) -> String {
    let Some(machine) = &config.machine else {
        return launch::written(config);
    };
    let canonical = format!("{}|{}", machine.word(), machine.pick());
    let digest = Sha256::digest(canonical);
    digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

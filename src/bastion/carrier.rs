//! What carries a bastion's agent, and the calls that this takes: a task, a service's task, an instance, or a node.

use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::Shared;
use super::calls::{Answer, Calls};
use super::instance::InstanceCalls;
use super::launch;
use super::lifecycle::{Action, Kind};
use super::node::NodeCalls;
use super::service::ServiceCalls;
use crate::config::{Bastion, Machine};
use crate::state::TaskRecord;
use crate::status::{self, Chosen};

/// The calls of one bastion.
pub struct Carrier {
    name: String,
    cluster: String,
    params: String,
    calls: Of,
}

enum Of {
    Task(Box<Calls>),
    Service(Box<ServiceCalls>),
    Instance(InstanceCalls),
    Node(NodeCalls),
}

impl Carrier {
    /// Calls for the bastion in `config`; `adopt` is the task that an earlier run has left.
    pub fn new(config: Bastion, shared: &Shared, adopt: Option<&str>) -> Self {
        let (name, cluster) = (config.name.clone(), config.cluster.clone());
        let params = params(&config);
        let left = shared.records.contents().tasks;
        let earlier = left.iter().find(|task| Some(task.arn.as_str()) == adopt);
        let Shared {
            aws,
            records,
            owner,
            who,
            ..
        } = shared.clone();
        let calls = match (config.machine.clone(), config.service.clone()) {
            (Some(Machine::Instance(pick)), _) => Of::Instance(InstanceCalls::new(pick, aws, who)),
            (Some(Machine::Node(pick)), _) => Of::Node(NodeCalls::new(pick, aws)),
            (None, Some(service)) => {
                let record = record(&name, &cluster, String::new(), &params);
                let calls = ServiceCalls::new(&config, service, aws, records, record, earlier);
                Of::Service(Box::new(calls))
            }
            (None, None) => Of::Task(Box::new(Calls::new(config, aws, owner, who, earlier))),
        };
        Self {
            name,
            cluster,
            params,
            calls,
        }
    }

    /// The bastion's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the state file holds the tasks, or machines in their place. Of a service it holds that its count was raised,
    /// which is put there where it is raised, and nothing about tasks.
    pub fn is_recorded(&self) -> bool {
        !matches!(self.calls, Of::Service(_))
    }

    /// What the state file is to hold about a task, or a machine in its place.
    pub fn record(&self, arn: String) -> TaskRecord {
        record(&self.name, &self.cluster, arn, &self.params)
    }

    /// Where its task runs, for the status; of machines there is nothing to choose.
    pub fn chosen(&self) -> Vec<Chosen> {
        match &self.calls {
            Of::Task(calls) => calls.chosen(),
            Of::Service(_) | Of::Instance(_) | Of::Node(_) => Vec::new(),
        }
    }

    /// The service, for the status.
    pub fn service(&self) -> Option<status::Service> {
        match &self.calls {
            Of::Service(calls) => Some(calls.shown()),
            _ => None,
        }
    }

    /// Make a call. Each has a deadline of its own.
    pub async fn perform(&self, action: Action) -> Answer {
        match &self.calls {
            Of::Task(calls) => calls.perform(action).await,
            Of::Service(calls) => calls.perform(action).await,
            Of::Instance(calls) => calls.perform(action).await,
            Of::Node(calls) => calls.perform(action).await,
        }
    }
}

/// What carries the agent of the bastion in `config`.
pub fn kind(config: &Bastion) -> Kind {
    match (&config.machine, &config.service) {
        (Some(Machine::Instance(_)), _) => Kind::Instance,
        (Some(Machine::Node(_)), _) => Kind::Node,
        (None, Some(_)) => Kind::Service,
        (None, None) => Kind::Task,
    }
}

fn record(bastion: &str, cluster: &str, arn: String, params: &str) -> TaskRecord {
    TaskRecord {
        bastion: bastion.to_owned(),
        cluster: cluster.to_owned(),
        arn,
        params: params.to_owned(),
        node: None,
        started_at: SystemTime::now().into(),
    }
}

/// Sixteen hexadecimal digits that change with whatever makes one task or machine another.
pub fn params(config: &Bastion) -> String {
    let canonical = match (&config.machine, &config.service) {
        (Some(machine), _) => format!("{}|{}", machine.word(), machine.pick()),
        (None, Some(service)) => format!("service|{}|{}", config.cluster, service.short()),
        (None, None) => return launch::written(config),
    };
    let digest = Sha256::digest(canonical);
    digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

//! What the simulated account holds and how it behaves. Plain fields: take [`Script::default`] or
//! [`Script::fast`] and change what matters.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::time::Instant;

use crate::proto::AgentProfile;

use super::{
    faults::{Death, Faults},
    instances::Instance,
    network::Network,
    nodes::{ManagedNode, Registration},
    services::Service,
    timeline::{AgentCourse, Ending, Timing},
};

/// The simulated account, its tasks and its agent.
#[derive(Clone, Debug)]
pub struct Script {
    /// Region, used in ARNs.
    pub region: String,
    /// Account id, twelve digits.
    pub account: String,
    /// The codes with which roles may be assumed, each once; without any, no MFA is asked for.
    pub mfa_codes: Vec<String>,
    /// RoleSessionName of the caller: the first part of every session id.
    pub caller: String,
    /// Clusters that exist, by name.
    pub clusters: Vec<String>,
    /// Task definitions that exist.
    pub task_definitions: Vec<TaskDefinition>,
    /// The database clusters that RDS tells of.
    pub db_clusters: Vec<DbCluster>,
    /// The networks that EC2 tells of.
    pub network: Network,
    /// EC2 instances and hybrid machines with an agent, that are there anyway.
    pub managed_nodes: Vec<ManagedNode>,
    /// EC2 instances that can be started and stopped.
    pub instances: Vec<Instance>,
    /// ECS services, in the first cluster.
    pub services: Vec<Service>,
    /// How long a task takes.
    pub timing: Timing,
    /// The agent behind every session. Its properties are those of the session's document.
    pub agent: AgentProfile,
    /// Most tunnels' sessions that the agent of one container serves; those beyond get no handshake before another ends.
    pub session_limit: Option<usize>,
    /// How shells behave.
    pub shells: Shells,
    /// What the agent's dials reach.
    pub destination: Destination,
    /// Conditions in force from the start.
    pub faults: Faults,
    /// What the sessions of a dying task say.
    pub death: Death,
    /// How long a token opens a link.
    pub token_lifetime: Duration,
    /// A session without input ends after this. The service's default is 20 minutes.
    pub idle_timeout: Duration,
    /// The service closes each link with 1000 "Bye" after this; about an hour in reality.
    pub link_lifetime: Option<Duration>,
    /// Messages longer than 4096 bytes go out as several WebSocket fragments, as from the official agent.
    pub fragment: bool,
    /// Most ARNs in one answer of ListTasks, at most 100 as in AWS; smaller to test pagination.
    pub page_size: usize,
}

impl Script {
    /// The faithful account in a hurry, for tests: tasks take milliseconds, and the agent neither paces itself nor
    /// needs time after the handshake, and repeats all that is lost at once.
    #[must_use]
    pub fn fast() -> Self {
        Self {
            timing: Timing::fast(),
            agent: AgentProfile::quick(),
            shells: Shells {
                pace: None,
                ..Shells::default()
            },
            ..Self::default()
        }
    }
}

impl Default for Script {
    /// A faithful account: cluster `backend`, task definition `bastion` with one container, one page of anything.
    fn default() -> Self {
        Self {
            region: "ap-northeast-1".into(),
            account: "123456789012".into(),
            mfa_codes: Vec::new(),
            caller: "developer".into(),
            clusters: vec!["backend".into()],
            task_definitions: vec![TaskDefinition::default()],
            db_clusters: Vec::new(),
            network: Network::default(),
            managed_nodes: Vec::new(),
            instances: Vec::new(),
            services: Vec::new(),
            timing: Timing::fargate(),
            agent: AgentProfile::default(),
            session_limit: None,
            shells: Shells::default(),
            destination: Destination::Dial(HashMap::new()),
            faults: Faults::default(),
            death: Death::Silent,
            token_lifetime: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(20 * 60),
            link_lifetime: Some(Duration::from_secs(60 * 60)),
            fragment: true,
            page_size: 100,
        }
    }
}

/// How the account wants its shells, and what an agent makes of them.
#[derive(Clone, Debug)]
pub struct Shells {
    /// What the agent says it is.
    pub agent_version: String,
    /// The KMS key of an account that encrypts its shells.
    pub kms_key: Option<String>,
    /// Whether the agent has a challenge bound to the data key, as from 3.3.808.0 on.
    pub challenges: bool,
    /// How long the agent rests after each message.
    pub pace: Option<Duration>,
    /// What a session without a command runs.
    pub shell: String,
}

impl Default for Shells {
    fn default() -> Self {
        Self {
            agent_version: "3.3.987.0".into(),
            kms_key: None,
            challenges: true,
            pace: Some(Duration::from_millis(1)),
            shell: "sh".into(),
        }
    }
}

/// A task definition that RunTask knows.
#[derive(Clone, Debug)]
pub struct TaskDefinition {
    /// Its family.
    pub family: String,
    /// Its latest revision.
    pub revision: u32,
    /// Its containers.
    pub containers: Vec<Container>,
    /// Whether it has a task role; without one RunTask refuses `enableExecuteCommand`.
    pub task_role: bool,
    /// How its tasks register themselves as nodes.
    pub registers: Registration,
}

impl Default for TaskDefinition {
    fn default() -> Self {
        Self {
            family: "bastion".into(),
            revision: 3,
            containers: vec![Container::new("bastion")],
            task_role: true,
            registers: Registration::None,
        }
    }
}

/// A container of a task definition.
#[derive(Clone, Debug)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Whether ECS Exec puts an agent in it (sidecars that AWS injects have none).
    pub agent: bool,
}

impl Container {
    /// A container with an agent.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            agent: true,
        }
    }
}

/// A database cluster, as DescribeDBClusters tells of it.
#[derive(Clone, Debug, Default)]
pub struct DbCluster {
    /// Its id.
    pub id: String,
    /// Its engine, such as `aurora-postgresql`.
    pub engine: String,
    /// The name of the endpoint that follows the writer.
    pub endpoint: String,
    /// Its port.
    pub port: u16,
    /// The VPC that its instances are in.
    pub vpc: String,
    /// The zone of its writer.
    pub zone: String,
    /// Its security group.
    pub security_group: String,
}

/// What is different about the next task that RunTask makes.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Other stage lengths than the script's.
    pub timing: Option<Timing>,
    /// How its agent fares.
    pub agent: AgentCourse,
    /// How it ends by itself, if it does.
    pub failure: Option<Failure>,
}

/// A task that ends by itself.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Creation to the end.
    pub after: Duration,
    /// How long it still runs once `desiredStatus` says STOPPED (a Spot interruption's two minutes).
    pub notice: Duration,
    /// `stopCode`.
    pub code: String,
    /// `stoppedReason`.
    pub reason: String,
    /// The containers' `exitCode`.
    pub exit_code: Option<i32>,
    /// The containers' `reason`.
    pub container_reason: Option<String>,
}

impl Failure {
    /// The end of a task, counted from `start`.
    pub(super) fn ending(self, start: Instant) -> Ending {
        Ending {
            at: start + self.after,
            notice: self.notice,
            code: self.code,
            reason: self.reason,
            exit_code: self.exit_code,
            container_reason: self.container_reason,
        }
    }

    /// The image cannot be pulled; `reason` as in `CannotPullContainerError: …`.
    #[must_use]
    pub fn to_start(after: Duration, reason: &str) -> Self {
        Self {
            after,
            notice: Duration::ZERO,
            code: "TaskFailedToStart".into(),
            reason: reason.into(),
            exit_code: None,
            container_reason: Some(reason.into()),
        }
    }

    /// The container's own program ends with this code.
    #[must_use]
    pub fn exit(after: Duration, exit_code: i32) -> Self {
        Self {
            after,
            notice: Duration::ZERO,
            code: "EssentialContainerExited".into(),
            reason: "Essential container in task exited".into(),
            exit_code: Some(exit_code),
            container_reason: None,
        }
    }

    /// A Spot interruption, announced `notice` before the end.
    #[must_use]
    pub fn spot(after: Duration, notice: Duration) -> Self {
        Self {
            after,
            notice,
            code: "SpotInterruption".into(),
            reason: "Your Spot Task was interrupted.".into(),
            exit_code: Some(143),
            container_reason: None,
        }
    }
}

/// What the agent's dials reach.
#[derive(Clone, Debug)]
pub enum Destination {
    /// Names that resolve, as `host:port` or, for every port, `host`. Any other name is an NXDOMAIN, any other
    /// address refuses. The plain document without a host asks for `localhost`.
    Dial(HashMap<String, SocketAddr>),
    /// Every host and port leads here.
    Everything(SocketAddr),
}

impl Destination {
    /// One name, whatever the port, leading to `address`.
    #[must_use]
    pub fn host(name: &str, address: SocketAddr) -> Self {
        Self::Dial(HashMap::from([(name.to_owned(), address)]))
    }

    /// Where `host:port` leads; `Ok(None)` is an address where nobody answers.
    ///
    /// # Errors
    ///
    /// The agent's own words when it refuses the address or cannot resolve the name. Both end the session.
    pub(super) fn resolve(&self, host: &str, port: u16) -> Result<Option<SocketAddr>, String> {
        let ip: Option<IpAddr> = host.parse().ok();
        if ip.is_some_and(|ip| DENIED.contains(&ip.to_string().as_str())) {
            return Err(format!("Forwarding to IP address {host} is forbidden."));
        }
        match self {
            Self::Everything(address) => Ok(Some(*address)),
            Self::Dial(names) => match names
                .get(&format!("{host}:{port}"))
                .or_else(|| names.get(host))
            {
                Some(address) => Ok(Some(*address)),
                None if ip.is_some() => Ok(None),
                None => Err(format!("lookup {host} on 10.0.0.2:53: no such host")),
            },
        }
    }
}

/// The addresses that the agent refuses to forward to: metadata, DNS, time and licence services. (The network's own
/// reserved addresses, which it also refuses, the simulator does not have.)
const DENIED: [&str; 9] = [
    "169.254.169.254",
    "169.254.169.253",
    "169.254.169.251",
    "169.254.169.250",
    "169.254.169.123",
    "fd00:ec2::254",
    "fd00:ec2::253",
    "fd00:ec2::123",
    "fd00:ec2::240",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_its_own_goes_before_the_name() {
        let (any, one) = (address(1), address(2));
        let names = HashMap::from([("db".to_owned(), any), ("db:5432".to_owned(), one)]);
        let destination = Destination::Dial(names);
        assert_eq!(destination.resolve("db", 5432), Ok(Some(one)));
        assert_eq!(destination.resolve("db", 3306), Ok(Some(any)));
    }

    #[test]
    fn unknown_names_and_denied_addresses_are_told_apart() {
        let destination = Destination::host("db", address(1));
        let lookup = destination.resolve("nowhere", 1).unwrap_err();
        assert!(lookup.starts_with("lookup nowhere") && lookup.ends_with("no such host"));
        let denied = destination.resolve("169.254.169.254", 80).unwrap_err();
        assert_eq!(
            denied,
            "Forwarding to IP address 169.254.169.254 is forbidden."
        );
        assert_eq!(destination.resolve("10.1.2.3", 80), Ok(None));
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }
}

//! What is known before anything is judged: plain values, gathered by `gather`.

mod node;
mod start;
mod trial;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::check::{Gap, Known};
use crate::aws::{
    self, Cluster, Definition, Dns, Home, Identity, NetworkAcl, Quota, Role, RouteTable,
    SecurityGroupRule, Simulated, Subnet, Task, VpcEndpoint, Why,
};
use crate::config;

pub use node::Node;
pub use start::Start;
pub use trial::{Step, Stuck, Trial};

/// This machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The configuration's file.
    pub config_path: String,
    /// How many tunnels it has, or its mistakes.
    pub config: Result<usize, String>,
    /// The daemon.
    pub daemon: Daemon,
    /// The proxies of the environment.
    pub proxies: Proxies,
    /// Why there is no way out at all: a proxy or a certificate file that cannot be used.
    pub network: Result<(), String>,
}

/// The daemon, as its socket shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Daemon {
    /// None answers, and none has to.
    Absent,
    /// One answers.
    Runs {
        /// Its version.
        version: String,
        /// Its process.
        pid: u32,
        /// The permissions of its socket.
        mode: u32,
    },
    /// Something is there that does not answer as a daemon would.
    Odd(String),
}

/// What the environment says of proxies; never their addresses, which may hold passwords.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// The variables that are set.
    pub set: Vec<&'static str>,
    /// Pairs that are set in upper and lower case, to different values.
    pub differing: Vec<&'static str>,
    /// `NO_PROXY`.
    pub exceptions: Option<String>,
}

/// The way to an account, and who we are there.
#[derive(Clone, Debug)]
pub struct Account {
    /// The region of its calls.
    pub region: String,
    /// The role that is assumed.
    pub role: Option<String>,
    /// The services, and how they are reached.
    pub endpoints: Vec<Endpoint>,
    /// How the data channel's service answers a WebSocket that nobody signed.
    pub upgrade: Known<Upgrade>,
    /// Where the credentials are from.
    pub credentials: Result<Credentials, aws::Error>,
    /// Who AWS says we are.
    pub identity: Result<Identity, aws::Error>,
    /// How many seconds the clock is behind AWS's.
    pub skew: Option<i64>,
    /// The ARNs of the configuration.
    pub arns: Vec<String>,
    /// Who sits at this machine.
    pub user: String,
    /// The account's preferences for sessions; none: AWS's own.
    pub preferences: Known<Option<serde_json::Value>>,
}

/// Credentials, without any of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Who provided them.
    pub source: String,
    /// How long they last.
    pub left: Option<Duration>,
}

/// A service's host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `ecs`.
    pub service: String,
    /// Its name.
    pub host: String,
    /// Its addresses. Behind a proxy nobody needs them.
    pub addresses: Option<Result<Vec<IpAddr>, String>>,
    /// Whether TCP and TLS come to stand; with the organisation that has issued the certificate, if that names one.
    pub reached: Result<Option<String>, String>,
}

/// What came of a WebSocket that is not meant to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// AWS answered it with this status.
    Answered(u16),
    /// Something else was in the way.
    Blocked(String),
}

/// A bastion.
#[derive(Clone, Debug)]
pub struct Bastion {
    /// Its configuration.
    pub config: config::Bastion,
    /// The region of its calls.
    pub region: String,
    /// The ports that tunnels through it lead to, as far as they are configured.
    pub ports: Vec<u16>,
    /// Its cluster; none of that name.
    pub cluster: Known<Option<Cluster>>,
    /// Its task definition; none of that name.
    pub definition: Known<Option<Definition>>,
    /// Those log groups of the definition that exist.
    pub log_groups: Known<Vec<String>>,
    /// Its tasks that run or are on their way.
    pub tasks: Known<Vec<Task>>,
    /// Those of the family that have stopped lately, newest first.
    pub stopped: Known<Vec<Task>>,
    /// Whether the agent of the chosen task is connected.
    pub connected: Known<bool>,
    /// How many sessions everybody has on it.
    pub sessions: Known<usize>,
    /// The network around it.
    pub network: Network,
    /// What policies allow.
    pub policies: Policies,
    /// The virtual CPUs that Fargate gives.
    pub quota: Known<Option<Quota>>,
    /// How many of them everybody uses.
    pub usage: Known<f64>,
    /// Images of ECR, each with the architectures that it tells of.
    pub architectures: Known<Vec<(String, Vec<String>)>>,
    /// Where its tunnels lead.
    pub far: Vec<Far>,
    /// What was denied by what no policy of ours can mend: the action, and what denies it.
    pub fences: Vec<(String, Why)>,
    /// How its start went, if it was started to see that.
    pub start: Option<Start>,
}

/// Where a tunnel leads.
#[derive(Clone, Debug)]
pub struct Far {
    /// The tunnel.
    pub tunnel: String,
    /// The port there, as far as it is known.
    pub port: Option<u16>,
    /// The network around the database.
    pub home: Known<Home>,
}

impl Bastion {
    /// The quota that its tasks count for: that of Fargate Spot, or that of tasks on demand (Service Quotas).
    pub fn quota_code(&self) -> &'static str {
        quota_code(&self.config)
    }
}

/// See [`Bastion::quota_code`].
pub fn quota_code(config: &config::Bastion) -> &'static str {
    let mut providers = config.launch.capacity_providers.iter();
    match providers.any(|provider| provider.name == "FARGATE_SPOT") {
        true => "L-36FBB829",
        false => "L-3032A538",
    }
}

/// The network around a bastion.
#[derive(Clone, Debug)]
pub struct Network {
    /// Where the task runs, by ids.
    pub place: Known<aws::Network>,
    /// The configured subnets that exist.
    pub subnets: Known<Vec<Subnet>>,
    /// The route tables of their VPC.
    pub route_tables: Known<Vec<RouteTable>>,
    /// The endpoints of it.
    pub endpoints: Known<Vec<VpcEndpoint>>,
    /// The rules of the bastion's groups, and of the endpoints'.
    pub rules: Known<Vec<SecurityGroupRule>>,
    /// The subnets that endpoints are in.
    pub beside: Known<Vec<Subnet>>,
    /// The access lists of the VPC.
    pub acls: Known<Vec<NetworkAcl>>,
    /// Whether the VPC resolves names.
    pub dns: Known<Dns>,
    /// The rules of the databases' groups.
    pub far_rules: Known<Vec<SecurityGroupRule>>,
}

/// What policies allow, as IAM simulates it.
#[derive(Clone, Debug)]
pub struct Policies {
    /// To us.
    pub operator: Known<Vec<Simulated>>,
    /// The task role; none of that name.
    pub task_role: Known<Option<Role>>,
    /// To the task.
    pub task_role_may: Known<Vec<Simulated>>,
    /// To what starts it.
    pub execution_role_may: Known<Vec<Simulated>>,
}

impl Network {
    /// Nothing is known, for this reason.
    pub fn unknown(gap: &Gap) -> Self {
        Self {
            place: Err(gap.clone()),
            subnets: Err(gap.clone()),
            route_tables: Err(gap.clone()),
            endpoints: Err(gap.clone()),
            rules: Err(gap.clone()),
            beside: Err(gap.clone()),
            acls: Err(gap.clone()),
            dns: Err(gap.clone()),
            far_rules: Err(gap.clone()),
        }
    }
}

impl Policies {
    /// Nothing is known, for this reason.
    pub fn unknown(gap: &Gap) -> Self {
        Self {
            operator: Err(gap.clone()),
            task_role: Err(gap.clone()),
            task_role_may: Err(gap.clone()),
            execution_role_may: Err(gap.clone()),
        }
    }
}

/// A tunnel.
#[derive(Clone, Debug)]
pub struct Tunnel {
    /// Its configuration.
    pub config: config::Tunnel,
    /// Its local addresses.
    pub ports: Vec<Port>,
    /// Its session document.
    pub document: Known<Option<Document>>,
    /// Where its database is, if it is named by its id.
    pub address: Option<Result<aws::Address, aws::Error>>,
    /// The network around its database.
    pub home: Known<Home>,
    /// The region of its calls.
    pub region: String,
    /// How far a session of its own came; none was opened where nothing runs that could serve one.
    pub trial: Known<Option<Trial>>,
}

/// A document of SSM.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Its name.
    pub name: String,
    /// Its text.
    pub content: serde_json::Value,
}

/// A local address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Where.
    pub address: SocketAddr,
    /// Whether it can be listened on.
    pub state: PortState,
}

/// Whether an address can be listened on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortState {
    /// It can.
    Free,
    /// Our daemon does.
    Ours,
    /// Another program does; who, where the system tells.
    Taken(Option<String>),
    /// The system does not let us.
    Refused(String),
}

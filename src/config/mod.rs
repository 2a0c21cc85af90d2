//! The configuration file: TOML text in, a [`Config`] whose fields are already right out.
//!
//! It leaves finding and reading the file to its caller, and is handed the environment. A flag goes before a variable,
//! a variable before the file, the file before the default. Every mistake is reported at once, each with its place, its
//! key and, where there is one thing to do, a hint. Keys that do not exist are mistakes too: a setting that is silently
//! ignored is worse than none.
//!
//! ```text
//! file ─ syntax ─▶ table ─ overrides ─▶ table ─▶ raw::Root (typed, spans kept) ─ check ─▶ Config
//!          │                   │           └─▶ settings, each with its origin
//!          └───────────────────┴──────────────────┴─────────────────┴──────────────────▶ Error, a list of Mistake
//! ```

mod aws;
mod bastion;
mod capacity;
mod duration;
mod error;
mod host;
mod launch;
mod layers;
mod listen;
mod machine;
mod network;
mod on_event;
mod overrides;
mod pick;
mod prices;
mod raw;
mod read;
mod schema;
mod scope;
mod selector;
mod service;
pub mod settings;
pub mod suggest;
mod task_overrides;
mod tunnel;
mod warm;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

pub use capacity::CapacityProvider;
pub use error::{Error, Mistake, Place};
pub use layers::Layers;
pub use machine::Machine;
pub use network::Network;
pub use pick::Pick;
pub use prices::Prices;
pub use schema::schema;
use scope::{Report, Section};
pub use selector::{Database, Role, Selector, Which};
pub use task_overrides::{ContainerOverride, Overrides};
pub use warm::{Warm, keep_for};

/// How long the daemon lets open connections finish when it is told to stop (cloud-sql-proxy uses the same bound).
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// Everything a daemon needs to know, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// How to reach AWS.
    pub aws: Aws,
    /// The ECS tasks that may be run, by name.
    pub bastions: BTreeMap<String, Bastion>,
    /// The local ports and where they lead; never empty, names and addresses unique.
    pub tunnels: Vec<Tunnel>,
    /// How long open connections may go on after a request to stop; 5 s by default.
    pub shutdown_timeout: Duration,
    /// After how long without use the daemon ends, if the service manager owns its ports and starts it again.
    pub exit_when_idle: Option<Duration>,
    /// Whether the daemon reads the file again whenever it changes; false by default.
    pub reload_on_change: bool,
    /// What tasks cost.
    pub prices: Prices,
    /// A program and its arguments, run when something changes that a person may want to know; empty: none.
    pub on_event: Vec<String>,
}

/// How to reach AWS; what is `None` is left to the SDK's own chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Aws {
    /// A profile of the shared AWS files.
    pub profile: Option<String>,
    /// A region such as `eu-central-1`.
    pub region: Option<String>,
    /// The role to assume before any other call.
    pub role_arn: Option<String>,
    /// How it is assumed.
    pub role: AssumeRole,
    /// An `https` URL, or an `http` one on a loopback address, that stands in for the AWS endpoints.
    pub endpoint_url: Option<String>,
    /// Whether the WebSocket's opening request is signed as well; true by default.
    pub sign_websocket: bool,
}

/// How a role is assumed. The session bears the caller's own name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssumeRole {
    /// Roles to assume on the way, each with the credentials of the one before.
    pub chain: Vec<String>,
    /// What the role's owner wants to be told.
    pub external_id: Option<String>,
    /// How long its credentials last; AWS's hour by default.
    pub duration: Option<Duration>,
    /// Who is behind it, for CloudTrail; it stays for the whole chain.
    pub source_identity: Option<String>,
    /// The MFA device of which the first role wants a code.
    pub mfa_serial: Option<String>,
}

impl Default for Aws {
    /// What an empty file says.
    fn default() -> Self {
        Self {
            profile: None,
            region: None,
            role_arn: None,
            role: AssumeRole::default(),
            endpoint_url: None,
            sign_websocket: true,
        }
    }
}

/// An ECS task that the daemon runs when a tunnel needs it, or a machine that takes its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Bastion {
    /// Its name in this file.
    pub name: String,
    /// A machine with an agent instead of a task: then all that is about a task is empty.
    pub machine: Option<Machine>,
    /// A service whose task it is, instead of a task that is run: then all that is about running one is empty.
    pub service: Option<Service>,
    /// Name or ARN of the ECS cluster.
    pub cluster: String,
    /// Family, `family:revision` or ARN.
    pub task_definition: String,
    /// Where it is run.
    pub network: Network,
    /// How it is run.
    pub launch: Launch,
    /// Where the agent in the task comes from.
    pub agent: TaskAgent,
    /// The container to go through; `None`: all that have an exec agent.
    pub container: Option<String>,
    /// So many sessions each of them is given; 4 by default.
    pub max_sessions_per_container: usize,
    /// How long the task rests unused before it is stopped; 15 min by default.
    pub idle_stop: Duration,
    /// How old a task may become before it is replaced in a calm moment; `None`: as old as it likes.
    pub max_lifetime: Option<Duration>,
    /// Whose tasks may be used.
    pub mode: Mode,
    /// What becomes of the task when the daemon stops.
    pub on_shutdown: OnShutdown,
    /// When the task is kept though nobody is connected.
    pub warm: Option<Warm>,
    /// How to reach AWS, if not as the others do.
    pub aws: Option<Aws>,
}

/// An ECS service whose task is a bastion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name or ARN.
    pub name: String,
    /// Whether its count of tasks is ever lowered.
    pub scale_down: ScaleDown,
}

impl Service {
    /// Its name, whether or not it was given by its ARN.
    pub fn short(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }
}

/// When the count of a service is lowered to none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScaleDown {
    /// When nobody uses it any more, if a bastiond has raised it.
    #[default]
    IfLast,
    /// Never: somebody else does, or it costs what it costs.
    Never,
}

/// How a task is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The capacity providers of its strategy; none: Fargate on demand.
    pub capacity_providers: Vec<CapacityProvider>,
    /// Fargate's platform; `None`: its latest.
    pub platform_version: Option<String>,
    /// Tags besides those that tell bastions apart.
    pub tags: BTreeMap<String, String>,
    /// Whether the task has the tags of its definition as well; true by default.
    pub propagate_tags: bool,
    /// The group that ECS shows it in; `None`: that of its family.
    pub group: Option<String>,
    /// What is different from the task definition.
    pub overrides: Overrides,
}

impl Default for Launch {
    /// What a bastion that says nothing gets.
    fn default() -> Self {
        Self {
            capacity_providers: Vec::new(),
            platform_version: None,
            tags: BTreeMap::new(),
            propagate_tags: true,
            group: None,
            overrides: Overrides::default(),
        }
    }
}

/// Where the agent in a task comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TaskAgent {
    /// ECS puts it there (ECS Exec).
    #[default]
    Exec,
    /// The task has one of its own, and registers it as a hybrid node when it starts.
    Hybrid,
}

/// Whose task a bastion may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Any task of the bastion, whoever started it.
    #[default]
    Shared,
    /// Only a task this user started.
    User,
}

/// What becomes of a task the daemon started when the daemon stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnShutdown {
    /// It is stopped.
    #[default]
    Stop,
    /// It is left running, to be adopted at the next start.
    Leave,
}

/// A local address and where connections to it lead.
#[derive(Clone, Debug, PartialEq)]
pub struct Tunnel {
    /// Its name, unique; letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// The local addresses; never empty. A port 0 is chosen by the system.
    pub listen: Vec<SocketAddr>,
    /// Whether `listen` may hold addresses that other machines can reach.
    pub allow_non_loopback: bool,
    /// What stands between.
    pub via: Via,
    /// Where it leads.
    pub remote: Remote,
    /// The session document that leads to a host; `None`: AWS's own, which leads to any.
    pub document: Option<String>,
    /// How long a connection is held while its bastion starts; 90 s by default.
    pub hold_timeout: Duration,
    /// How long a session is kept after its last connection; 2 min by default.
    pub session_linger: Duration,
    /// How old a session may be when new connections are placed on it; 12 h by default.
    pub max_session_age: Duration,
    /// How long a connection of which one half is closed may go on; 60 s by default.
    pub half_close_linger: Duration,
    /// When the session is kept from being taken for idle.
    pub keepalive: Keepalive,
}

/// What a tunnel goes through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// A bastion of this file, by name.
    Bastion(String),
    /// A fixed SSM target: `ecs:…`, `i-…` or `mi-…`.
    Target(String),
}

/// Where a tunnel leads. A port is never 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remote {
    /// A port of the target itself.
    Target {
        /// The port.
        port: u16,
    },
    /// A host as the far side knows it.
    Host {
        /// Its name or address.
        name: String,
        /// Its port.
        port: u16,
    },
    /// A database that AWS is asked for when a session starts.
    Database {
        /// Which one.
        selector: Selector,
        /// Its port, if not the one that AWS tells.
        port: Option<u16>,
    },
}

/// When a session is kept from being taken for idle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keepalive {
    /// While a connection is open.
    #[default]
    WhileConnected,
    /// Never: the idle limits of AWS apply.
    Never,
}

impl Bastion {
    /// The family, without which tasks cannot be listed: the last part of a name or ARN, less the revision.
    pub fn family(&self) -> &str {
        let name = self.task_definition.rsplit('/').next().unwrap_or_default();
        name.split(':').next().unwrap_or(name)
    }
}

impl Config {
    /// How to reach AWS for the bastion of this name, or for what is no bastion.
    pub fn aws_of(&self, bastion: Option<&str>) -> &Aws {
        let bastion = bastion.and_then(|name| self.bastions.get(name));
        bastion.and_then(|it| it.aws.as_ref()).unwrap_or(&self.aws)
    }

    /// Reads a configuration file's text.
    ///
    /// # Errors
    /// Every mistake of the file, in the order of its lines.
    pub fn parse(text: &str) -> Result<Config, Error> {
        Config::of(&Layers::file_alone(text))
    }

    /// Reads a file and what overrides it.
    ///
    /// # Errors
    /// Every mistake there is, those of the file first and in the order of its lines.
    pub fn of(layers: &Layers) -> Result<Config, Error> {
        let mut report = Report::new(layers);
        let root =
            read::merge(layers, &mut report).and_then(|table| read::read(table, &mut report));
        let Some(root) = root else {
            return Err(report.into_error());
        };
        let config = check(root, &mut report);
        if report.is_empty() {
            Ok(config)
        } else {
            Err(report.into_error())
        }
    }
}

fn check(root: raw::Root, report: &mut Report) -> Config {
    let mut top = report.scope(Section::top());
    let shutdown_timeout =
        top.duration("shutdown_timeout", root.shutdown_timeout, SHUTDOWN_TIMEOUT);
    let on_event = on_event::check(&mut top, root.on_event);
    let exit_when_idle = top.duration_if_any("exit_when_idle", root.exit_when_idle);
    let reload_on_change = root.reload_on_change.unwrap_or(false);
    let aws = aws::check(root.aws, report);
    let prices = prices::check(root.prices, aws.region.as_deref(), report);
    let mut bastions = bastion::check(root.bastion, &root.bastion_keys, &aws, report);
    let tunnels = tunnel::check(root.tunnel, &bastions, report);
    for tunnel in &tunnels {
        if let (Via::Bastion(name), Remote::Database { selector, .. }) =
            (&tunnel.via, &tunnel.remote)
            && let Some(bastion) = bastions.get_mut(name)
        {
            bastion.network.databases.push(selector.clone());
        }
    }
    Config {
        aws,
        bastions,
        tunnels,
        shutdown_timeout,
        exit_when_idle,
        reload_on_change,
        prices,
        on_event,
    }
}

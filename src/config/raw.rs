//! The settings as written: typed by serde, every value with its span, nothing required yet.
//!
//! The same types are the JSON Schema (`config schema`): a field's comment is what editors show, and `schemars(with)`
//! names its type without the spans. A value that is always there if nothing is said is its `default`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::{duration::RawDuration, listen::RawListen};

/// The configuration of bastiond.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
#[schemars(title = "bastiond")]
pub(super) struct Root {
    /// How to reach AWS; what is missing is found as the AWS CLI finds it.
    pub aws: Option<Aws>,
    /// ECS tasks that are run when a tunnel needs them, by name.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, Bastion>>")]
    pub bastion: BTreeMap<Spanned<String>, Spanned<Bastion>>,
    /// The keys that each bastion has.
    #[serde(skip)]
    pub bastion_keys: BTreeMap<String, Vec<Spanned<String>>>,
    /// Local addresses, and where connections to them lead.
    #[schemars(with = "Option<Vec<Tunnel>>")]
    pub tunnel: Option<Vec<Spanned<Tunnel>>>,
    /// How long open connections may go on after a request to stop.
    #[schemars(with = "Option<RawDuration>", extend("default" = "5s"))]
    pub shutdown_timeout: Option<Spanned<RawDuration>>,
    /// After how long without use the daemon ends, if the service manager owns its ports and starts it again.
    #[schemars(with = "Option<RawDuration>")]
    pub exit_when_idle: Option<Spanned<RawDuration>>,
    /// Whether the daemon reads the file again whenever it changes.
    #[schemars(extend("default" = false))]
    pub reload_on_change: Option<bool>,
    /// What Fargate costs, in US dollars.
    pub prices: Option<Prices>,
    /// A program and its arguments, run when a tunnel is ready, has failed or needs a sign-in, and when a bastion stops.
    #[schemars(with = "Option<Vec<String>>")]
    pub on_event: Option<Spanned<Vec<Spanned<String>>>>,
}

/// How to reach AWS.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct Aws {
    /// A profile of the shared AWS files.
    #[schemars(with = "Option<String>")]
    pub profile: Option<Spanned<String>>,
    /// A region, such as `eu-central-1`.
    #[schemars(with = "Option<String>")]
    pub region: Option<Spanned<String>>,
    /// The role to assume before any other call.
    #[schemars(with = "Option<String>")]
    pub role_arn: Option<Spanned<String>>,
    /// Roles to assume on the way to it, in this order.
    #[schemars(with = "Option<Vec<String>>")]
    pub role_chain: Option<Spanned<Vec<Spanned<String>>>>,
    /// What the owner of the role wants to be told.
    #[schemars(with = "Option<String>")]
    pub external_id: Option<Spanned<String>>,
    /// How long the credentials of the role last: 15m to 12h, with a `role_chain` to 1h.
    #[schemars(with = "Option<RawDuration>")]
    pub role_duration: Option<Spanned<RawDuration>>,
    /// Who is behind it, for CloudTrail.
    #[schemars(with = "Option<String>")]
    pub source_identity: Option<Spanned<String>>,
    /// The MFA device of which the role wants a code.
    #[schemars(with = "Option<String>")]
    pub mfa_serial: Option<Spanned<String>>,
    /// One URL that stands in for all endpoints of AWS.
    #[schemars(with = "Option<String>")]
    pub endpoint_url: Option<Spanned<String>>,
    /// Whether the WebSocket's opening request is signed; true if nothing is said.
    pub sign_websocket: Option<bool>,
}

/// An ECS task that is run when a tunnel needs it, or a machine in its place.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct Bastion {
    /// An EC2 instance instead of a task, by `i-…`, `tag:KEY=VALUE` or its name; started when it is needed.
    #[schemars(with = "Option<String>")]
    pub instance: Option<Spanned<String>>,
    /// A hybrid node instead of a task, by `mi-…`, `tag:KEY=VALUE` or its name; neither started nor stopped.
    #[schemars(with = "Option<String>")]
    pub node: Option<Spanned<String>>,
    /// An ECS service whose task is used, by its name or ARN: its count is raised to one when it is needed.
    #[schemars(with = "Option<String>")]
    pub service: Option<Spanned<String>>,
    /// Whether a service's count that was raised is lowered again when nobody uses its task any more.
    #[schemars(with = "Option<String>", extend("enum" = ["if-last", "never"], "default" = "if-last"))]
    pub scale_down: Option<Spanned<String>>,
    /// Name or ARN of the ECS cluster.
    #[schemars(with = "Option<String>")]
    pub cluster: Option<Spanned<String>>,
    /// Family, `family:revision` or ARN.
    #[schemars(with = "Option<String>")]
    pub task_definition: Option<Spanned<String>>,
    /// Subnets from which the database can be reached: 1 to 16 ids, names, or `tag:KEY=VALUE`; found if nothing is said.
    #[schemars(with = "Option<Vec<String>>")]
    pub subnets: Option<Spanned<Vec<Spanned<String>>>>,
    /// Security groups, at most 5: ids, names, or `tag:KEY=VALUE`; if nothing is said, found, or beside subnets by id the
    /// VPC's default group.
    #[schemars(with = "Option<Vec<String>>")]
    pub security_groups: Option<Spanned<Vec<Spanned<String>>>>,
    /// Whether the task gets a public address; false beside subnets by id if nothing is said, else as their way out takes it.
    pub assign_public_ip: Option<bool>,
    /// `FARGATE_SPOT`, or another capacity provider of the cluster; Fargate on demand if nothing is said.
    #[schemars(with = "Option<String>")]
    pub capacity_provider: Option<Spanned<String>>,
    /// Several capacity providers with weight and base, as the AWS CLI writes them: `capacityProvider=FARGATE_SPOT,weight=4`.
    #[schemars(with = "Option<Vec<String>>")]
    pub capacity_provider_strategy: Option<Spanned<Vec<Spanned<String>>>>,
    /// Fargate's platform version; its latest if nothing is said.
    #[schemars(with = "Option<String>")]
    pub platform_version: Option<Spanned<String>>,
    /// Tags of the task, besides those that tell bastions apart.
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub tags: Option<Spanned<BTreeMap<Spanned<String>, Spanned<String>>>>,
    /// Where the agent comes from: from ECS Exec, or the task registers itself as a hybrid node.
    #[schemars(with = "Option<String>", extend("enum" = ["exec", "hybrid"], "default" = "exec"))]
    pub agent: Option<Spanned<String>>,
    /// Whether the task has the tags of its definition as well.
    #[schemars(extend("default" = true))]
    pub propagate_tags: Option<bool>,
    /// The group that ECS shows the task in; that of its family if nothing is said.
    #[schemars(with = "Option<String>")]
    pub group: Option<Spanned<String>>,
    /// What the task has otherwise than its definition says.
    #[schemars(with = "Option<Overrides>")]
    pub overrides: Option<Spanned<Overrides>>,
    /// A task so old is replaced when nobody is connected; from 30m.
    #[schemars(with = "Option<RawDuration>")]
    pub max_lifetime: Option<Spanned<RawDuration>>,
    /// The container to go through; all that have an exec agent if nothing is said.
    #[schemars(with = "Option<String>")]
    pub container: Option<Spanned<String>>,
    /// How many sessions a container is given at most.
    #[schemars(with = "Option<u16>", extend("default" = 4))]
    pub max_sessions_per_container: Option<Spanned<i64>>,
    /// How long the task rests unused before it is stopped.
    #[schemars(with = "Option<RawDuration>", extend("default" = "15m"))]
    pub idle_stop: Option<Spanned<RawDuration>>,
    /// Whose tasks may be used: anybody's, or only one that this user started.
    #[schemars(with = "Option<String>", extend("enum" = ["shared", "user"], "default" = "shared"))]
    pub mode: Option<Spanned<String>>,
    /// What becomes of the task when the daemon stops.
    #[schemars(with = "Option<String>", extend("enum" = ["stop", "leave"], "default" = "stop"))]
    pub on_shutdown: Option<Spanned<String>>,
    /// Days and hours in which the task is kept though nobody is connected, such as `Mon-Fri 09:00-18:30`.
    #[schemars(with = "Option<String>")]
    pub warm: Option<Spanned<String>>,
    /// A task that has run so long on a day is not kept warm; 24 if nothing is said.
    #[schemars(with = "Option<f64>")]
    pub max_hours_per_day: Option<Spanned<f64>>,
    /// How to reach AWS, if not as `[aws]` says.
    pub aws: Option<Aws>,
}

/// What a bastion's task has otherwise than its definition says.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct Overrides {
    /// CPU units of the task.
    #[schemars(with = "Option<u32>")]
    pub cpu: Option<Spanned<i64>>,
    /// MiB of the task.
    #[schemars(with = "Option<u32>")]
    pub memory: Option<Spanned<i64>>,
    /// GiB of its disk, 21 to 200.
    #[schemars(with = "Option<u32>")]
    pub ephemeral_storage: Option<Spanned<i64>>,
    /// The role of its containers.
    #[schemars(with = "Option<String>")]
    pub task_role_arn: Option<Spanned<String>>,
    /// The role that ECS starts it with.
    #[schemars(with = "Option<String>")]
    pub execution_role_arn: Option<Spanned<String>>,
    /// By the container's name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, ContainerOverride>")]
    pub container: BTreeMap<Spanned<String>, ContainerOverride>,
}

/// What one container has otherwise.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct ContainerOverride {
    /// Its command and arguments.
    pub command: Option<Vec<String>>,
    /// Further variables.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// CPU units, of the task's.
    #[schemars(with = "Option<u32>")]
    pub cpu: Option<Spanned<i64>>,
    /// MiB at most.
    #[schemars(with = "Option<u32>")]
    pub memory: Option<Spanned<i64>>,
}

/// What Fargate costs on Linux, in US dollars.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct Prices {
    /// When the prices were looked up.
    #[schemars(with = "Option<String>")]
    pub date: Option<Spanned<String>>,
    /// An hour of one vCPU, x86-64.
    #[schemars(with = "Option<f64>")]
    pub vcpu_hour: Option<Spanned<f64>>,
    /// An hour of one GB of memory, x86-64.
    #[schemars(with = "Option<f64>")]
    pub gb_hour: Option<Spanned<f64>>,
    /// An hour of one vCPU, ARM.
    #[schemars(with = "Option<f64>")]
    pub arm_vcpu_hour: Option<Spanned<f64>>,
    /// An hour of one GB of memory, ARM.
    #[schemars(with = "Option<f64>")]
    pub arm_gb_hour: Option<Spanned<f64>>,
    /// What Spot takes off, from 0 to 1.
    #[schemars(with = "Option<f64>")]
    pub spot_discount: Option<Spanned<f64>>,
}

/// A local address, and where connections to it lead.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct Tunnel {
    /// Its name, unique.
    #[schemars(with = "String")]
    pub name: Option<Spanned<String>>,
    /// A port for both loopbacks, an `address:port`, or a list of these.
    #[schemars(with = "Option<RawListen>", extend("default" = "55432"))]
    pub listen: Option<Spanned<RawListen>>,
    /// Whether `listen` may hold addresses that other machines can reach.
    #[schemars(extend("default" = false))]
    pub allow_non_loopback: Option<bool>,
    /// The bastion to go through; the only one if nothing is said.
    #[schemars(with = "Option<String>")]
    pub bastion: Option<Spanned<String>>,
    /// A fixed SSM target to go through: `i-…`, `mi-…` or `ecs:CLUSTER_TASK_RUNTIME`.
    #[schemars(with = "Option<String>")]
    pub target: Option<Spanned<String>>,
    /// The database's host, or its id, such as `rds-cluster:app`; without it, a port of the target itself.
    #[schemars(with = "Option<String>")]
    pub host: Option<Spanned<String>>,
    /// The database's port.
    #[schemars(with = "Option<u16>")]
    pub port: Option<Spanned<i64>>,
    /// The session document; AWS's own, which leads to any host, if nothing is said.
    #[schemars(with = "Option<String>")]
    pub document: Option<Spanned<String>>,
    /// How long a connection is held while its bastion starts.
    #[schemars(with = "Option<RawDuration>", extend("default" = "90s"))]
    pub hold_timeout: Option<Spanned<RawDuration>>,
    /// How long a session is kept after its last connection.
    #[schemars(with = "Option<RawDuration>", extend("default" = "2m"))]
    pub session_linger: Option<Spanned<RawDuration>>,
    /// How old a session may be when new connections are placed on it.
    #[schemars(with = "Option<RawDuration>", extend("default" = "12h"))]
    pub max_session_age: Option<Spanned<RawDuration>>,
    /// How long a connection of which one half is closed may go on.
    #[schemars(with = "Option<RawDuration>", extend("default" = "60s"))]
    pub half_close_linger: Option<Spanned<RawDuration>>,
    /// When sessions are kept from being taken for idle.
    #[schemars(with = "Option<String>", extend("enum" = ["while-connected", "never"], "default" = "while-connected"))]
    pub keepalive: Option<Spanned<String>>,
}

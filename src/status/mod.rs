//! What can be known about the daemon, as plain values: what the control API answers with.
//!
//! The JSON is a contract (`"schema": 1`): fields and words are added, never changed. Times are RFC 3339 and stand
//! beside numeric seconds, so that a reader needs no clock. `problems` and `healthy` are worked out here and only
//! here: the text of `ctl status`, its exit code and the JSON cannot disagree.
//!
//! Owners keep one promise: `last_error` holds what is wrong now, and is cleared when the same thing succeeds.

mod config;
mod connection;
mod cost;
mod event;
mod health;
mod network;
mod orphan;
mod reason;
mod start;
#[cfg(test)]
mod tests;

use std::time::SystemTime;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};

pub use config::{InForce, Origin, Reloaded, Setting};
pub use connection::{Connection, Connections};
pub use cost::{Amount, Architecture, Cost, CostRow, Size};
pub use event::{Event, EventKind};
pub use network::{Chosen, ChosenKind};
pub use orphan::{Orphan, OrphanKind, OrphanState};
pub use reason::{Reason, is_sign_in};
pub use start::{Phase, Quantiles, Start, StartState, UsualPhase, UsualStart};

/// The version of the JSON; it grows only when something is removed or changes its meaning.
pub const SCHEMA: u32 = 1;

/// The whole daemon at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The process.
    pub daemon: Daemon,
    /// Who it is to AWS.
    pub aws: Aws,
    /// Every tunnel, in the order of the configuration.
    pub tunnels: Vec<Tunnel>,
    /// Every bastion, by name.
    pub bastions: Vec<Bastion>,
    /// What the tasks cost; `None` before any was used.
    pub cost: Option<Cost>,
    /// What is wrong now, most general first.
    pub problems: Vec<Problem>,
    /// Whether `problems` is empty.
    pub healthy: bool,
}

/// The process that answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Daemon {
    /// The program's version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Another at each start; the pid stays the same when it is restarted.
    #[serde(default)]
    pub instance: String,
    /// When it started.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started_at: OffsetDateTime,
    /// Seconds since then.
    pub uptime_seconds: u64,
    /// The configuration file it reads; `None` when it was given none (the demo).
    pub config_path: Option<String>,
    /// The folder of its logs; `None` when they are not written.
    pub log_path: Option<String>,
    /// The control socket.
    pub socket: String,
}

/// Who the daemon is to AWS; all unknown until its first call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Aws {
    /// The region of its calls.
    pub region: Option<String>,
    /// The account number.
    pub account: Option<String>,
    /// The identity of its credentials.
    pub arn: Option<String>,
    /// When the credentials in hand expire; they are renewed as needed, so this is no problem by itself.
    #[serde(with = "rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub credentials_expire_at: Option<OffsetDateTime>,
    /// Seconds until then, 0 when it has passed.
    pub credentials_seconds_left: Option<u64>,
    /// Why AWS cannot be reached or refuses this identity.
    pub last_error: Option<Problem>,
}

/// A local address and where it leads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tunnel {
    /// Its name in the configuration.
    pub name: String,
    /// Its local sockets.
    pub listeners: Vec<Listener>,
    /// Where it leads: `host:port`, or `port 5432 of the target`.
    pub remote: String,
    /// The bastion it goes through.
    pub bastion: Option<String>,
    /// The fixed target it goes through.
    pub target: Option<String>,
    /// What it is doing.
    pub state: TunnelState,
    /// Seconds in that state.
    pub state_seconds: u64,
    /// The step within the state, such as `waiting for agent`.
    pub detail: Option<String>,
    /// Its SSM sessions.
    pub sessions: Vec<Session>,
    /// Local connections that have a stream.
    pub connections: usize,
    /// Local connections that wait for one.
    pub waiting: usize,
    /// Bytes from local clients to the far side since the daemon started.
    pub bytes_sent: u64,
    /// Bytes from the far side to local clients since the daemon started.
    pub bytes_received: u64,
    /// Seconds until its session ends for want of connections.
    pub ends_in_seconds: Option<u64>,
    /// What is wrong with it.
    pub last_error: Option<Problem>,
}

/// What a tunnel is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TunnelState {
    /// Listening; no session, and nobody wants one.
    Idle,
    /// On the way to a session.
    Starting,
    /// A session carries its connections.
    Ready,
    /// A session lost its link and is being resumed; connections wait.
    Reconnecting,
    /// AWS wants the user to sign in.
    NeedsLogin,
    /// The role wants a code of the user's MFA device.
    NeedsMfaCode,
    /// None of its addresses could be bound; tried again meanwhile.
    PortBusy,
    /// The last attempt failed; the next connection tries again.
    Failed,
    /// Closing, with the daemon.
    Stopping,
}

/// One local socket of a tunnel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Listener {
    /// `address:port`.
    pub address: String,
    /// Whether it listens.
    pub state: ListenerState,
    /// Who holds the port, such as `postgres (pid 812)`, where the system tells.
    pub holder: Option<String>,
    /// What the system says when it is not that another program has the port.
    pub error: Option<String>,
}

/// Whether a local socket listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListenerState {
    /// It does.
    Listening,
    /// Another program has the port, or the system does not give it; tried again meanwhile.
    Busy,
}

/// One SSM session of a tunnel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// Its number within the tunnel, as in the logs.
    pub key: u64,
    /// Its id; `None` until AWS gave one.
    pub id: Option<String>,
    /// What it is doing.
    pub state: SessionState,
    /// Seconds in that state.
    pub state_seconds: u64,
    /// Seconds since it was asked for.
    pub age_seconds: u64,
    /// Connections it carries.
    pub connections: usize,
    /// The version of the agent at its far end.
    pub agent_version: Option<String>,
    /// The smoothed round trip to the agent, in milliseconds.
    pub rtt_ms: Option<u64>,
}

/// What an SSM session is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// StartSession is under way.
    Starting,
    /// Its WebSocket is being opened and the handshake done.
    Linking,
    /// It carries connections.
    Connected,
    /// Its link was lost; a new one is on the way.
    Resuming,
    /// What is open finishes; nothing new is put on it.
    Draining,
}

/// An ECS task, or a machine in its place, that tunnels go through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bastion {
    /// Its name in the configuration.
    pub name: String,
    /// What carries its agent.
    #[serde(default)]
    pub kind: BastionKind,
    /// What it is doing.
    pub state: BastionState,
    /// Seconds in that state.
    pub state_seconds: u64,
    /// The step within the state.
    pub detail: Option<String>,
    /// Its task, or the machine in the place of one.
    pub task: Option<Task>,
    /// Where its task runs, and why there: what was chosen for the last one.
    pub network: Vec<Chosen>,
    /// The service whose task it is, if it is one's.
    #[serde(default)]
    pub service: Option<Service>,
    /// Tunnels and shells that need it now.
    pub leases: usize,
    /// Seconds until it is stopped for want of leases.
    pub stops_in_seconds: Option<u64>,
    /// Its latest start.
    pub start: Option<Start>,
    /// How long its starts usually take.
    pub usual_start: Option<UsualStart>,
    /// Seconds for which it is kept though nobody may be connected.
    pub kept_seconds: Option<u64>,
    /// Who it is to AWS, if it has an account of its own.
    pub aws: Option<Aws>,
    /// What is wrong with it.
    pub last_error: Option<Problem>,
}

/// An ECS service whose task is a bastion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// So many tasks it was told to run when it was last looked at.
    pub desired: Option<i32>,
    /// So many ran then.
    pub running: Option<i32>,
    /// What was decided about its count, and why.
    pub decision: Option<String>,
}

/// What carries a bastion's agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BastionKind {
    /// An ECS task.
    #[default]
    Task,
    /// A task of an ECS service.
    Service,
    /// An EC2 instance.
    Instance,
    /// A hybrid node.
    Node,
}

/// What a bastion is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BastionState {
    /// No task.
    Stopped,
    /// A task is being found or run, or its agent is awaited.
    Starting,
    /// Its agent answers.
    Ready,
    /// Ready, but nobody needs it.
    Resting,
    /// Its task is being stopped.
    Stopping,
    /// The last start failed.
    Failed,
}

/// A task in ECS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// Its ARN.
    pub arn: String,
    /// The first characters of its id.
    pub id: String,
    /// ECS's word for its state, such as `RUNNING`.
    pub last_status: String,
    /// When it began to run.
    #[serde(with = "rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub started_at: Option<OffsetDateTime>,
    /// Seconds since it was asked for.
    pub age_seconds: u64,
    /// Its address in SSM, once known.
    pub target: Option<String>,
}

/// Something that is wrong, and what mends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// A stable word, such as `port_busy` or `credentials_expired`.
    pub code: String,
    /// What it is about, such as `tunnel app-db`.
    pub subject: String,
    /// What happened, in one sentence.
    pub message: String,
    /// The one thing to do about it, a command where there is one.
    pub hint: Option<String>,
    /// When it was seen.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: OffsetDateTime,
    /// Seconds since then.
    pub seconds_ago: u64,
}

impl Status {
    /// Puts the parts together and works out what is wrong. `own` are the problems of the daemon itself, such as a
    /// state folder it cannot write.
    pub fn assemble(
        daemon: Daemon,
        aws: Aws,
        tunnels: Vec<Tunnel>,
        bastions: Vec<Bastion>,
        own: Vec<Problem>,
    ) -> Self {
        let problems = health::problems(&daemon, &aws, &tunnels, &bastions, own);
        let healthy = problems.is_empty();
        Status {
            schema: SCHEMA,
            daemon,
            aws,
            tunnels,
            bastions,
            cost: None,
            problems,
            healthy,
        }
    }

    /// Where programs can connect, in a line: `listening on localhost:55432 (app-db)`; busy ports are named as such.
    pub fn listening(&self) -> String {
        let places = |state| -> Vec<String> {
            let of = |tunnel: &Tunnel| {
                let places = tunnel.places(state);
                (!places.is_empty()).then(|| format!("{} ({})", places.join(", "), tunnel.name))
            };
            self.tunnels.iter().filter_map(of).collect()
        };
        let (listening, busy) = (
            places(ListenerState::Listening),
            places(ListenerState::Busy),
        );
        let said = |words: &str, places: Vec<String>| {
            (!places.is_empty()).then(|| format!("{words} {}", places.join(", ")))
        };
        let parts = [said("listening on", listening), said("waiting for", busy)];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    /// The bastion a tunnel goes through.
    pub fn bastion_of(&self, tunnel: &Tunnel) -> Option<&Bastion> {
        let name = tunnel.bastion.as_ref()?;
        self.bastions.iter().find(|bastion| bastion.name == *name)
    }
}

impl Tunnel {
    /// Its local addresses in some state; both loopbacks of a port are `localhost:PORT`.
    pub fn places(&self, state: ListenerState) -> Vec<String> {
        let in_state = self
            .listeners
            .iter()
            .filter(|listener| listener.state == state);
        let mut places: Vec<String> = in_state.map(|listener| listener.address.clone()).collect();
        let v4_ports: Vec<String> = places
            .iter()
            .filter_map(|place| place.strip_prefix(V4))
            .map(str::to_owned)
            .collect();
        for port in v4_ports {
            let (v4, v6) = (format!("{V4}{port}"), format!("{V6}{port}"));
            if places.contains(&v6) {
                places.retain(|place| *place != v6);
                places
                    .iter_mut()
                    .filter(|place| **place == v4)
                    .for_each(|place| *place = format!("localhost:{port}"));
            }
        }
        places
    }
}

const V4: &str = "127.0.0.1:";
const V6: &str = "[::1]:";

/// A moment as the status shows it: UTC, whole seconds.
pub fn timestamp(time: SystemTime) -> OffsetDateTime {
    let time = OffsetDateTime::from(time);
    time.replace_nanosecond(0).unwrap_or(time)
}

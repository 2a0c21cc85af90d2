//! Managed nodes: the list that Systems Manager keeps of machines with an agent, and how a task gets into it.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::{sync::watch, time::Instant};

use super::{
    task::Task,
    wire::ApiError,
    world::{Core, State, World},
};

/// A target that exists without ECS.
#[derive(Clone, Debug, Default)]
pub struct ManagedNode {
    /// `i-…` or `mi-…`.
    pub id: String,
    /// Whether its agent is connected.
    pub connected: bool,
    /// What it was registered as.
    pub name: String,
    /// Its own address.
    pub address: String,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// How long ago it was registered, and last heard of if it is not connected.
    pub age: Duration,
}

/// How a task registers itself as a node, when it has started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    /// Not at all: ECS puts the agent in it.
    #[default]
    None,
    /// By an activation with the tag `bastiond:task`.
    Tagged,
    /// By an activation without tags.
    Untagged,
}

/// A node, as it is remembered.
#[derive(Clone, Debug)]
pub(super) struct Node {
    public: ManagedNode,
    registered: SystemTime,
    /// The task that it is, if it is one.
    task: Option<String>,
}

/// What is to be seen of a node.
struct Seen<'a> {
    node: &'a ManagedNode,
    registered: SystemTime,
    online: bool,
}

impl Node {
    /// One of the script.
    pub fn of_script(public: &ManagedNode, now: SystemTime) -> Self {
        Self {
            public: public.clone(),
            registered: now - public.age,
            task: None,
        }
    }

    /// The node that `task` becomes when its agent connects; nothing if its definition says so.
    pub fn of_task(task: &Task, core: &Core) -> Option<Self> {
        let tags = match task.definition.registers {
            Registration::None => return None,
            Registration::Tagged => vec![("bastiond:task".to_owned(), task.id.clone())],
            Registration::Untagged => Vec::new(),
        };
        let public = ManagedNode {
            id: format!("mi-{}", &task.id[..17]),
            connected: true,
            name: "bastion".to_owned(),
            address: task.address().to_owned(),
            tags,
            age: Duration::ZERO,
        };
        Some(Self {
            public,
            registered: core.wall(task.course.connected_at()),
            task: Some(task.id.clone()),
        })
    }

    fn task<'a>(&self, state: &'a State) -> Option<&'a Task> {
        let id = self.task.as_ref()?;
        state.tasks.iter().find(|task| task.id == *id)
    }

    /// Nothing while its task has not registered it.
    fn seen(&self, state: &State, now: Instant) -> Option<Seen<'_>> {
        let online = match self.task(state) {
            Some(task) if now < task.course.connected_at() => return None,
            Some(task) => task.course.at(now).connected,
            None => true,
        };
        Some(Seen {
            node: &self.public,
            registered: self.registered,
            online: online && self.public.connected,
        })
    }
}

/// Answers one call.
pub(super) fn perform(core: &Core, operation: &str, body: &Value) -> Result<Value, ApiError> {
    match operation {
        "DescribeInstanceInformation" => describe(core, body),
        _ => deregister(core, body),
    }
}

/// When the node of this id, if its agent is connected, dies.
pub(super) fn connected(
    state: &State,
    id: &str,
    now: Instant,
) -> Option<watch::Receiver<Option<Instant>>> {
    let node = state.nodes.iter().find(|node| node.public.id == id)?;
    if !node.seen(state, now)?.online {
        return None;
    }
    let death = node.task(state).map(|task| task.death.subscribe());
    Some(death.unwrap_or_else(|| watch::Sender::new(None).subscribe()))
}

fn describe(core: &Core, body: &Value) -> Result<Value, ApiError> {
    let invalid = |message: &str| {
        let code = "InvalidInstanceInformationFilterValue";
        Err(ApiError::new(code, message))
    };
    let size = body["MaxResults"].as_u64().unwrap_or(10);
    if !(5..=50).contains(&size) {
        let message = "MaxResults must have value between 5 and 50";
        return Err(ApiError::new("ValidationException", message));
    }
    let filters: Vec<&Value> = body["Filters"].as_array().into_iter().flatten().collect();
    let key = |filter: &Value| filter["Key"].as_str().unwrap_or_default().to_owned();
    let is_by_tag = filters.iter().any(|filter| key(filter).starts_with("tag"));
    if is_by_tag && filters.len() > 1 {
        return invalid("Tag filters cannot be combined with other filters.");
    }
    let (state, now) = (core.state(), Instant::now());
    let instances = super::instances::nodes(&state, now);
    let own = state.nodes.iter().filter_map(|node| node.seen(&state, now));
    let of_instances = instances.iter().map(|node| Seen {
        node,
        registered: core.wall(now) - node.age,
        online: node.connected,
    });
    let mut found: Vec<Seen<'_>> = own.chain(of_instances).collect();
    for filter in filters {
        let (key, values) = (key(filter), filter["Values"].as_array());
        let values: Vec<&str> = values
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if key == "InstanceIds" && !found.iter().any(|it| values.contains(&it.node.id.as_str())) {
            return Err(ApiError::new("InvalidInstanceId", ""));
        }
        if !["InstanceIds", "ResourceType", "PingStatus", "tag-key"].contains(&key.as_str())
            && !key.starts_with("tag:")
        {
            return Err(ApiError::new("InvalidFilterKey", key));
        }
        found.retain(|seen| fits(seen, &key, &values));
    }
    let begin = body["NextToken"]
        .as_str()
        .map_or(Some(0), |token| token.parse().ok());
    let begin = begin.ok_or_else(|| ApiError::new("InvalidNextToken", "not valid"))?;
    let size = core.script.page_size.min(size as usize);
    let page = found.iter().skip(begin).take(size);
    let page: Vec<Value> = page.map(|seen| told(seen, core, now)).collect();
    let mut answer = json!({"InstanceInformationList": page});
    if begin + size < found.len() {
        answer["NextToken"] = json!((begin + size).to_string());
    }
    Ok(answer)
}

fn fits(seen: &Seen<'_>, key: &str, values: &[&str]) -> bool {
    let has = |value: &str| values.contains(&value);
    let mut tags = seen.node.tags.iter();
    match key {
        "InstanceIds" => has(&seen.node.id),
        "ResourceType" => has(resource_type(seen.node)),
        "PingStatus" => has(ping(seen)),
        "tag-key" => tags.any(|(known, _)| has(known)),
        _ => {
            let wanted = key.strip_prefix("tag:").unwrap_or_default();
            tags.any(|(known, value)| known == wanted && has(value))
        }
    }
}

fn ping(seen: &Seen<'_>) -> &'static str {
    match seen.online {
        true => "Online",
        false => "ConnectionLost",
    }
}

fn resource_type(node: &ManagedNode) -> &'static str {
    match node.id.starts_with("mi-") {
        true => "ManagedInstance",
        false => "EC2Instance",
    }
}

fn told(seen: &Seen<'_>, core: &Core, now: Instant) -> Value {
    let Seen {
        node, registered, ..
    } = seen;
    let epoch = |at: SystemTime| {
        let since = at.duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap_or_default().as_secs_f64()
    };
    let pinged = if seen.online {
        core.wall(now)
    } else {
        *registered
    };
    json!({
        "InstanceId": node.id,
        "PingStatus": ping(seen),
        "LastPingDateTime": epoch(pinged),
        "AgentVersion": "3.3.987.0",
        "PlatformType": "Linux",
        "ResourceType": resource_type(node),
        "Name": node.name,
        "ComputerName": format!("{}.internal", node.id),
        "IPAddress": node.address,
        "RegistrationDate": epoch(*registered),
    })
}

fn deregister(core: &Core, body: &Value) -> Result<Value, ApiError> {
    let id = body["InstanceId"].as_str().unwrap_or_default();
    core.change(|state| {
        let before = state.nodes.len();
        state.nodes.retain(|node| node.public.id != id);
        match state.nodes.len() < before {
            true => Ok(json!({})),
            false => Err(ApiError::new("InvalidInstanceId", "")),
        }
    })
}

impl World {
    /// Connects or disconnects a managed node's agent, for StartSession and GetConnectionStatus.
    pub fn set_node_connected(&self, id: &str, connected: bool) {
        self.core.change(|state| {
            let mut nodes = state.nodes.iter_mut();
            if let Some(node) = nodes.find(|node| node.public.id == id) {
                node.public.connected = connected;
            }
        });
    }

    /// The ids of the nodes that are registered.
    #[must_use]
    pub fn nodes(&self) -> Vec<String> {
        let state = self.core.state();
        let nodes = state.nodes.iter();
        let seen = nodes.filter_map(|node| node.seen(&state, Instant::now()));
        seen.map(|seen| seen.node.id.clone()).collect()
    }
}

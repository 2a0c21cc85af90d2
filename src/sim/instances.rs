//! EC2 instances: their states by the clock, and how they are started and stopped.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{sync::watch, time::Instant};

use super::{
    network::{Told, tag_set},
    nodes::ManagedNode,
    wire::ApiError,
    world::{Core, State, World},
};

/// An EC2 instance of the account.
#[derive(Clone, Debug)]
pub struct Instance {
    /// `i-…`.
    pub id: String,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// Whether it runs from the beginning, its agent connected.
    pub runs: bool,
    /// Whether its agent ever connects.
    pub has_agent: bool,
    /// `pending`.
    pub pending: Duration,
    /// `running` to the agent's connection.
    pub agent_start: Duration,
    /// `stopping`.
    pub stopping: Duration,
}

impl Instance {
    /// One that has stopped, takes milliseconds for everything, and is called so.
    #[must_use]
    pub fn fast(id: &str, name: &str) -> Self {
        let stage = Duration::from_millis(20);
        Self {
            id: id.into(),
            tags: vec![("Name".into(), name.into())],
            runs: false,
            has_agent: true,
            pending: stage,
            agent_start: stage,
            stopping: stage,
        }
    }

    /// The same with a tag.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }

    /// The same, running.
    #[must_use]
    pub fn running(mut self) -> Self {
        self.runs = true;
        self
    }
}

/// A code and words.
type Why = (String, String);

/// An instance, as it is remembered.
pub(super) struct Entry {
    public: Instance,
    power: Power,
    /// How its next start fails.
    failure: Option<Why>,
    /// When it dies, for the sessions on it.
    death: watch::Sender<Option<Instant>>,
}

#[derive(Clone)]
enum Power {
    /// Started then, or before all; with why it does not come up.
    On(Option<Instant>, Option<Why>),
    /// Stopped then, or before all.
    Off(Option<Instant>),
}

impl Entry {
    /// One of the script.
    pub fn new(public: &Instance) -> Self {
        Self {
            power: match public.runs {
                true => Power::On(None, None),
                false => Power::Off(None),
            },
            public: public.clone(),
            failure: None,
            death: watch::Sender::new(None),
        }
    }

    fn state(&self, now: Instant) -> &'static str {
        let over = |since: Option<Instant>, stage| since.is_none_or(|at| now >= at + stage);
        match &self.power {
            Power::On(since, _) if !over(*since, self.public.pending) => "pending",
            Power::On(_, None) => "running",
            Power::On(_, Some(_)) => "stopped",
            Power::Off(since) if over(*since, self.public.stopping) => "stopped",
            Power::Off(_) => "stopping",
        }
    }

    fn is_connected(&self, now: Instant) -> bool {
        let Power::On(since, None) = &self.power else {
            return false;
        };
        let up = self.public.pending + self.public.agent_start;
        self.public.has_agent && since.is_none_or(|since| now >= since + up)
    }

    fn why(&self, now: Instant) -> Option<Why> {
        let by_user = || {
            let code = "Client.UserInitiatedShutdown";
            (code.to_owned(), format!("{code}: User initiated shutdown"))
        };
        match &self.power {
            Power::On(_, why) => why.clone().filter(|_| self.state(now) == "stopped"),
            Power::Off(_) => Some(by_user()),
        }
    }

    fn start(&mut self, now: Instant) -> Result<(), ApiError> {
        match self.state(now) {
            "stopping" => Err(self.incorrect("started")),
            "stopped" => {
                self.power = Power::On(Some(now), self.failure.take());
                self.death = watch::Sender::new(None);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn stop(&mut self, now: Instant) -> Result<(), ApiError> {
        match self.state(now) {
            "pending" => Err(self.incorrect("stopped")),
            "running" => {
                self.power = Power::Off(Some(now));
                self.death.send_replace(Some(now));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn incorrect(&self, done: &str) -> ApiError {
        let id = &self.public.id;
        let message = format!("The instance '{id}' is not in a state from which it can be {done}.");
        ApiError::new("IncorrectInstanceState", message)
    }
}

/// An instance at one moment.
pub(super) struct At<'a> {
    entry: &'a Entry,
    state: &'static str,
    now: Instant,
    core: &'a Core,
}

impl Told for At<'_> {
    fn told(&self, account: &str, region: &str) -> Value {
        let Instance { id, tags, .. } = &self.entry.public;
        let mut instance = json!({
            "instanceId": id,
            "instanceState": {"code": "0", "name": self.state},
            "placement": {"availabilityZone": format!("{region}a")},
            "privateIpAddress": "10.0.1.24",
            "tagSet": tag_set(tags),
            "iamInstanceProfile": {"arn": "arn:aws:iam::123456789012:instance-profile/jump"},
        });
        if let Power::On(since, _) = self.entry.power {
            let at = time::OffsetDateTime::from(self.core.wall(since.unwrap_or(self.now)));
            let at = at.format(&time::format_description::well_known::Rfc3339);
            instance["launchTime"] = json!(at.unwrap_or_default());
        }
        if let Some((code, message)) = self.entry.why(self.now) {
            instance["stateReason"] = json!({"code": code, "message": message});
        }
        json!({
            "reservationId": format!("r-{}", &id[2..]),
            "ownerId": account,
            "instancesSet": {"item": [instance]},
        })
    }

    fn property(&self, name: &str) -> Option<Vec<&str>> {
        match name {
            "instance-id" => Some(vec![&self.entry.public.id]),
            "instance-state-name" => Some(vec![self.state]),
            _ => None,
        }
    }

    fn tags(&self) -> &[(String, String)] {
        &self.entry.public.tags
    }
}

/// All instances as they are now.
pub(super) fn at<'a>(core: &'a Core, state: &'a State) -> Vec<At<'a>> {
    let now = Instant::now();
    let entries = state.instances.iter();
    let at = |entry: &'a Entry| At {
        entry,
        state: entry.state(now),
        now,
        core,
    };
    entries.map(at).collect()
}

/// Answers StartInstances or StopInstances.
pub(super) fn change(core: &Core, operation: &str, body: &Value) -> Result<Value, ApiError> {
    let id = body["InstanceId.1"].as_str().unwrap_or_default();
    let now = Instant::now();
    core.change(|state| {
        let mut entries = state.instances.iter_mut();
        let entry = entries.find(|entry| entry.public.id == id).ok_or_else(|| {
            let message = format!("The instance ID '{id}' does not exist");
            ApiError::new("InvalidInstanceID.NotFound", message)
        })?;
        let before = entry.state(now);
        match operation {
            "StartInstances" => entry.start(now)?,
            _ => entry.stop(now)?,
        }
        Ok(json!({"instancesSet": {"item": {
            "instanceId": id,
            "previousState": {"name": before},
            "currentState": {"name": entry.state(now)},
        }}}))
    })
}

/// When the instance of this id, if its agent is connected, dies.
pub(super) fn connected(
    state: &State,
    id: &str,
    now: Instant,
) -> Option<watch::Receiver<Option<Instant>>> {
    let mut entries = state.instances.iter();
    let entry = entries.find(|entry| entry.public.id == id)?;
    entry.is_connected(now).then(|| entry.death.subscribe())
}

/// The instances whose agents have connected at least once, as Systems Manager lists them.
pub(super) fn nodes(state: &State, now: Instant) -> Vec<ManagedNode> {
    let entries = state
        .instances
        .iter()
        .filter(|entry| entry.public.has_agent);
    let node = |entry: &Entry| ManagedNode {
        id: entry.public.id.clone(),
        connected: entry.is_connected(now),
        address: "10.0.1.24".to_owned(),
        tags: entry.public.tags.clone(),
        ..ManagedNode::default()
    };
    entries.map(node).collect()
}

impl World {
    /// The state of an instance; empty if there is none.
    #[must_use]
    pub fn instance_state(&self, id: &str) -> &'static str {
        let state = self.core.state();
        let mut entries = state.instances.iter();
        let entry = entries.find(|entry| entry.public.id == id);
        entry.map_or("", |entry| entry.state(Instant::now()))
    }

    /// Somebody else stops an instance that runs.
    pub fn stop_instance(&self, id: &str) {
        self.core.change(|state| {
            let mut entries = state.instances.iter_mut();
            if let Some(entry) = entries.find(|entry| entry.public.id == id) {
                let _ = entry.stop(Instant::now());
            }
        });
    }

    /// The next start of an instance comes to nothing, for this reason.
    pub fn fail_instance_start(&self, id: &str, code: &str, message: &str) {
        self.core.change(|state| {
            let mut entries = state.instances.iter_mut();
            if let Some(entry) = entries.find(|entry| entry.public.id == id) {
                entry.failure = Some((code.to_owned(), message.to_owned()));
            }
        });
    }
}

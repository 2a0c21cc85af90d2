//! ECS services: their counts, deployments and events, and the scheduler that starts, replaces and stops their tasks.
//!
//! The scheduler acts some time after there was something to do, as ECS's does. A deployment rolls: its task comes up
//! beside that of the one before, which is then stopped.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    ecs::{invalid, last_part},
    run_task,
    task::Task,
    timeline::Ending,
    wire::ApiError,
    world::{Core, State, World},
};

/// How often the scheduler looks.
const TICK: Duration = Duration::from_millis(3);

/// An ECS service of the account.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The family of its task definition.
    pub family: String,
    /// Its count from the beginning.
    pub desired: u32,
    /// Whether its tasks get an agent.
    pub exec: bool,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// How long the scheduler takes to act.
    pub delay: Duration,
}

impl Service {
    /// One of the definition `bastion` in a hurry, which is to run so many tasks.
    #[must_use]
    pub fn fast(name: &str, desired: u32) -> Self {
        Self {
            name: name.into(),
            family: "bastion".into(),
            desired,
            exec: true,
            tags: Vec::new(),
            delay: Duration::from_millis(10),
        }
    }
}

/// A service as it has become.
pub(super) struct Entry {
    service: Service,
    status: &'static str,
    /// The latest first.
    deployments: Vec<Deployment>,
    /// The latest first: id, time, words.
    events: Vec<(String, Instant, String)>,
    /// When the scheduler acts.
    due: Option<Instant>,
    /// What keeps it from placing a task.
    unable: Option<String>,
}

struct Deployment {
    id: String,
    /// Why the circuit breaker has given it up.
    failed: Option<String>,
}

impl Deployment {
    fn new() -> Self {
        let id = uuid::Uuid::new_v4().simple().to_string();
        Self {
            id: format!("ecs-svc/{}", &id[..19]),
            failed: None,
        }
    }
}

impl Entry {
    pub fn new(service: &Service) -> Self {
        Self {
            service: service.clone(),
            status: "ACTIVE",
            deployments: vec![Deployment::new()],
            events: Vec::new(),
            due: None,
            unable: None,
        }
    }

    fn group(&self) -> String {
        format!("service:{}", self.service.name)
    }

    fn tell(&mut self, message: &str) {
        let message = format!("(service {}) {message}", self.service.name);
        if self
            .events
            .first()
            .is_none_or(|(.., latest)| *latest != message)
        {
            let id = uuid::Uuid::new_v4().to_string();
            self.events.insert(0, (id, Instant::now(), message));
        }
    }
}

/// Runs for as long as the simulator lives.
pub(super) async fn schedule(world: World) {
    loop {
        sleep(TICK).await;
        let core = &*world.core;
        let mut state = core.state();
        let mut services = std::mem::take(&mut state.services);
        let mut changed = false;
        for entry in &mut services {
            changed |= turn(core, &mut state, entry, Instant::now());
        }
        state.services = services;
        drop(state);
        if changed {
            core.change(|_| ());
        }
    }
}

/// What there is to do about one service.
enum Work {
    Start,
    Stop(String),
    Nothing,
}

fn turn(core: &Core, state: &mut State, entry: &mut Entry, now: Instant) -> bool {
    let work = work(state, entry, now);
    if matches!(work, Work::Nothing) {
        entry.due = None;
        return false;
    }
    let due = *entry.due.get_or_insert(now + entry.service.delay);
    if now < due {
        return false;
    }
    entry.due = None;
    match work {
        Work::Start => start(core, state, entry),
        Work::Stop(arn) => stop(state, entry, &arn, now),
        Work::Nothing => {}
    }
    true
}

fn work(state: &State, entry: &Entry, now: Instant) -> Work {
    let latest = &entry.deployments[0];
    let (mine, old): (Vec<&Task>, Vec<&Task>) = living(state, entry, now)
        .into_iter()
        .partition(|task| task.started_by() == latest.id);
    let desired = match entry.status {
        "ACTIVE" => entry.service.desired as usize,
        _ => 0,
    };
    let up = mine.iter().filter(|task| is_up(task, now)).count();
    if mine.len() < desired && latest.failed.is_none() {
        return Work::Start;
    }
    let superfluous = (mine.len() > desired).then(|| mine[mine.len() - 1]);
    let replaced = old.first().filter(|_| up >= desired).copied();
    match superfluous.or(replaced) {
        Some(task) => Work::Stop(task.arn.clone()),
        None => Work::Nothing,
    }
}

fn living<'a>(state: &'a State, entry: &Entry, now: Instant) -> Vec<&'a Task> {
    let group = entry.group();
    let is_of = |task: &&Task| {
        task.request["group"] == group.as_str() && task.course.at(now).desired_status == "RUNNING"
    };
    state.tasks.iter().filter(is_of).collect()
}

fn is_up(task: &Task, now: Instant) -> bool {
    task.course.at(now).last_status == "RUNNING"
}

fn start(core: &Core, state: &mut State, entry: &mut Entry) {
    if let Some(why) = &entry.unable {
        let message = format!("was unable to place a task. Reason: {why}");
        return entry.tell(&message);
    }
    let Service { family, exec, .. } = &entry.service;
    let request = json!({
        "taskDefinition": family,
        "enableExecuteCommand": exec,
        "group": entry.group(),
        "startedBy": entry.deployments[0].id,
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0a1b2c3d"]}},
    });
    let definitions = &core.script.task_definitions;
    let definition = definitions.iter().find(|known| known.family == *family);
    let definition = definition.expect("the service has a task definition");
    let cluster = core.script.clusters.first().expect("a cluster");
    let task = run_task::make(core, state, cluster, definition, &request);
    entry.tell(&format!("has started 1 tasks: (task {}).", task.id));
    state.tasks.push(task);
}

fn stop(state: &mut State, entry: &mut Entry, arn: &str, now: Instant) {
    let Some(task) = state.tasks.iter_mut().find(|task| task.arn == arn) else {
        return;
    };
    let deployment = task.started_by().to_owned();
    task.end(Ending {
        at: now,
        notice: Duration::ZERO,
        code: "ServiceSchedulerInitiated".into(),
        reason: format!("Scaling activity initiated by (deployment {deployment})"),
        exit_code: Some(143),
        container_reason: None,
    });
    let id = task.id.clone();
    entry.tell(&format!("has stopped 1 running tasks: (task {id})."));
}

/// DescribeServices.
pub(super) fn describe(core: &Core, cluster: &str, body: &Value) -> Result<Value, ApiError> {
    let names = body["services"].as_array().cloned().unwrap_or_default();
    if names.is_empty() || names.len() > 10 {
        return Err(invalid("Services must have between 1 and 10 items."));
    }
    let include = body["include"].as_array();
    let with_tags = include.is_some_and(|include| include.contains(&json!("TAGS")));
    let state = core.state();
    let (mut services, mut failures) = (Vec::new(), Vec::new());
    for name in names.iter().filter_map(Value::as_str) {
        let mut entries = state.services.iter();
        match entries.find(|entry| entry.service.name == last_part(name)) {
            Some(entry) => services.push(described(core, &state, cluster, entry, with_tags)),
            None => {
                let arn = core.arn("ecs", &format!("service/{cluster}/{}", last_part(name)));
                failures.push(json!({"arn": arn, "reason": "MISSING"}));
            }
        }
    }
    Ok(json!({"services": services, "failures": failures}))
}

fn described(core: &Core, state: &State, cluster: &str, entry: &Entry, with_tags: bool) -> Value {
    let now = Instant::now();
    let living = living(state, entry, now);
    let running = living.iter().filter(|task| is_up(task, now)).count();
    let deployments = entry.deployments.iter().enumerate();
    let deployments = deployments.map(|(at, deployment)| {
        json!({
            "id": deployment.id,
            "status": if at == 0 { "PRIMARY" } else { "ACTIVE" },
            "desiredCount": if at == 0 { entry.service.desired } else { 0 },
            "rolloutState": if deployment.failed.is_some() { "FAILED" } else { "IN_PROGRESS" },
            "rolloutStateReason": deployment.failed.clone().unwrap_or_default(),
        })
    });
    let events = entry.events.iter().map(
        |(id, at, message)| json!({"id": id, "createdAt": core.epoch(*at), "message": message}),
    );
    let tags = entry.service.tags.iter().filter(|_| with_tags);
    let tags = tags.map(|(key, value)| json!({"key": key, "value": value}));
    json!({
        "serviceArn": core.arn("ecs", &format!("service/{cluster}/{}", entry.service.name)),
        "serviceName": entry.service.name,
        "clusterArn": core.arn("ecs", &format!("cluster/{cluster}")),
        "status": entry.status,
        "desiredCount": entry.service.desired,
        "runningCount": running,
        "pendingCount": living.len() - running,
        "launchType": "FARGATE",
        "enableExecuteCommand": entry.service.exec,
        "deployments": deployments.collect::<Vec<_>>(),
        "events": events.take(100).collect::<Vec<_>>(),
        "tags": tags.collect::<Vec<_>>(),
    })
}

/// UpdateService, as far as it is about the count.
pub(super) fn update(core: &Core, cluster: &str, body: &Value) -> Result<Value, ApiError> {
    let name = last_part(body["service"].as_str().unwrap_or_default()).to_owned();
    core.change(|state| {
        let entry = find(state, &name)?;
        if entry.status != "ACTIVE" {
            let message = "Service was not ACTIVE.";
            return Err(ApiError::new("ServiceNotActiveException", message));
        }
        if let Some(count) = body["desiredCount"].as_u64() {
            entry.service.desired = count as u32;
        }
        let mut entries = state.services.iter();
        let entry = entries.find(|entry| entry.service.name == name);
        let entry = entry.expect("it was just found");
        Ok(json!({"service": described(core, state, cluster, entry, false)}))
    })
}

/// TagResource of a service; nothing else is tagged after it was made.
pub(super) fn tag(core: &Core, body: &Value) -> Result<Value, ApiError> {
    let arn = body["resourceArn"].as_str().unwrap_or_default();
    if !arn.contains(":service/") {
        return Err(invalid("The specified resource is not a service."));
    }
    let tags = body["tags"].as_array().cloned().unwrap_or_default();
    core.change(|state| {
        let entry = find(state, last_part(arn))?;
        for tag in &tags {
            let text = |name: &str| tag[name].as_str().unwrap_or_default().to_owned();
            entry.service.tags.retain(|(key, _)| *key != text("key"));
            entry.service.tags.push((text("key"), text("value")));
        }
        Ok(json!({}))
    })
}

fn find<'a>(state: &'a mut State, name: &str) -> Result<&'a mut Entry, ApiError> {
    let mut entries = state.services.iter_mut();
    let found = entries.find(|entry| entry.service.name == name);
    found.ok_or_else(|| ApiError::new("ServiceNotFoundException", "Service not found."))
}

impl World {
    /// The count of a service.
    ///
    /// # Panics
    /// When there is none of this name, as the other methods for services do.
    #[must_use]
    pub fn service_count(&self, name: &str) -> u32 {
        self.with_service(name, |entry| entry.service.desired)
    }

    /// A tag of a service.
    #[must_use]
    pub fn service_tag(&self, name: &str, key: &str) -> Option<String> {
        self.with_service(name, |entry| {
            let mut tags = entry.service.tags.iter();
            tags.find(|(known, _)| known == key)
                .map(|(_, value)| value.clone())
        })
    }

    /// Somebody sets its count.
    pub fn scale_service(&self, name: &str, count: u32) {
        self.with_service(name, |entry| entry.service.desired = count);
    }

    /// Somebody tags it.
    pub fn tag_service(&self, name: &str, key: &str, value: &str) {
        self.with_service(name, |entry| {
            entry.service.tags.retain(|(known, _)| known != key);
            entry.service.tags.push((key.into(), value.into()));
        });
    }

    /// Somebody deploys it anew.
    pub fn deploy_service(&self, name: &str) {
        self.with_service(name, |entry| entry.deployments.insert(0, Deployment::new()));
    }

    /// The circuit breaker gives its latest deployment up.
    pub fn fail_deployment(&self, name: &str, why: &str) {
        self.with_service(name, |entry| entry.deployments[0].failed = Some(why.into()));
    }

    /// There is no place for its tasks, for this reason; `None`: there is again.
    pub fn cannot_place(&self, name: &str, why: Option<&str>) {
        self.with_service(name, |entry| entry.unable = why.map(str::to_owned));
    }

    /// Somebody deletes it: from now on it is `DRAINING` or `INACTIVE`.
    pub fn delete_service(&self, name: &str, status: &'static str) {
        self.with_service(name, |entry| entry.status = status);
    }

    fn with_service<T>(&self, name: &str, change: impl FnOnce(&mut Entry) -> T) -> T {
        self.core.change(|state| {
            let entry = find(state, name);
            change(entry.unwrap_or_else(|_| panic!("there is no service {name}")))
        })
    }
}

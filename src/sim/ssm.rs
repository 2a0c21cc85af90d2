//! SSM: sessions started, resumed, listed and ended. What happens inside them is the agent's affair.

use crate::proto::shell::Profile;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use super::{
    agent::{self, Agent},
    document::Document,
    inspect, instances, nodes,
    session::{End, Entry, Session, ToAgent},
    shell::{self, Plan, Shell},
    wire::ApiError,
    world::{Core, State, World},
};

/// Commands that may wait for an agent; it takes them at once.
const AGENT_QUEUE: usize = 64;

/// Answers one call.
pub(super) fn perform(world: &World, operation: &str, body: &Value) -> Result<Value, ApiError> {
    match operation {
        "StartSession" => start_session(world, body),
        "ResumeSession" => resume_session(&world.core, body),
        "TerminateSession" => terminate_session(&world.core, body),
        "GetConnectionStatus" => connection_status(&world.core, body),
        "DescribeSessions" => describe_sessions(&world.core, body),
        "DescribeInstanceInformation" | "DeregisterManagedInstance" => {
            nodes::perform(&world.core, operation, body)
        }
        "GetDocument" => inspect::document(body),
        _ => {
            let message = format!("the simulator has no {operation}");
            Err(ApiError::new("UnknownOperationException", message))
        }
    }
}

fn start_session(world: &World, body: &Value) -> Result<Value, ApiError> {
    let target = target(body)?;
    let reason = body["Reason"].as_str();
    if reason
        .is_some_and(|reason| !(1..=256).contains(&reason.chars().count()) || reason.contains('\n'))
    {
        return Err(ApiError::new(
            "ValidationException",
            "Reason must match ^.{1,256}$",
        ));
    }
    let core = &world.core;
    let id = format!("{}-{}", core.script.caller, session_suffix());
    if let Some((document, session_type, plan)) = shell_document(core, body)? {
        let profile = shell::profile(&core.script.shells, session_type);
        let beginning = Beginning {
            id,
            target,
            document,
            reason,
            profile,
            plan,
        };
        return begin_shell(world, beginning);
    }
    let document = Document::parse(body)?;
    let (answer, agent) = core.change(|state| {
        let death = connected(state, &target).ok_or_else(|| not_connected(&target))?;
        let (to_agent, orders) = mpsc::channel(AGENT_QUEUE);
        let faults = watch::Sender::new(state.faults.clone());
        let agent = Agent {
            world: world.clone(),
            session: id.clone(),
            document: document.clone(),
            profile: document.profile(&state.agent),
            orders,
            faults: faults.subscribe(),
            death,
        };
        state.sessions.push(Entry {
            public: Session {
                host: document.host,
                port: document.port,
                ..new_session(id.clone(), target, document.name, reason)
            },
            tokens: Vec::new(),
            faults,
            agent: to_agent,
        });
        Ok((issue(core, state, &id), agent))
    })?;
    core.spawn(agent::run(agent));
    Ok(answer)
}

/// A shell or a command that is to begin.
pub(super) struct Beginning<'a> {
    pub id: String,
    pub target: String,
    pub document: &'static str,
    pub reason: Option<&'a str>,
    pub profile: Profile,
    pub plan: Plan,
}

/// Starts it, and answers as StartSession does.
pub(super) fn begin_shell(world: &World, beginning: Beginning<'_>) -> Result<Value, ApiError> {
    let core = &world.core;
    let Beginning {
        id,
        target,
        document,
        reason,
        profile,
        plan,
    } = beginning;
    let (answer, shell) = core.change(|state| {
        let death = connected(state, &target).ok_or_else(|| not_connected(&target))?;
        let (to_agent, orders) = mpsc::channel(AGENT_QUEUE);
        let faults = watch::Sender::new(state.faults.clone());
        let shell = Shell {
            world: world.clone(),
            session: id.clone(),
            target: target.clone(),
            plan,
            profile,
            orders,
            faults: faults.subscribe(),
            death,
        };
        state.sessions.push(Entry {
            public: new_session(id.clone(), target, document, reason),
            tokens: Vec::new(),
            faults,
            agent: to_agent,
        });
        Ok((issue(core, state, &id), shell))
    })?;
    core.spawn(shell::run(shell));
    Ok(answer)
}

/// The document of a shell or a command, its session type, and what it runs; nothing for that of a tunnel.
fn shell_document(
    core: &Core,
    body: &Value,
) -> Result<Option<(&'static str, &'static str, Plan)>, ApiError> {
    let parameter = |name: &str| body["Parameters"][name][0].as_str();
    let command = || {
        let missing = || ApiError::new("InvalidParameters", "Parameter command is required");
        parameter("command").map(str::to_owned).ok_or_else(missing)
    };
    let shell = core.script.shells.shell.clone();
    let (document, session_type, command) = match body["DocumentName"].as_str() {
        None => ("SSM-SessionManagerRunShell", "Standard_Stream", shell),
        Some(name) => match name.rsplit('/').next().unwrap_or_default() {
            "SSM-SessionManagerRunShell" => {
                ("SSM-SessionManagerRunShell", "Standard_Stream", shell)
            }
            INTERACTIVE => (INTERACTIVE, "InteractiveCommands", command()?),
            NON_INTERACTIVE => (NON_INTERACTIVE, "NonInteractiveCommands", command()?),
            _ => return Ok(None),
        },
    };
    let separate = parameter("separateOutputStream");
    let plan = Plan {
        command,
        terminal: session_type != "NonInteractiveCommands",
        separate: separate.is_some_and(|value| value.eq_ignore_ascii_case("true")),
    };
    Ok(Some((document, session_type, plan)))
}

const INTERACTIVE: &str = "AWS-StartInteractiveCommand";
const NON_INTERACTIVE: &str = "AWS-StartNonInteractiveCommand";

fn not_connected(target: &str) -> ApiError {
    ApiError::new("TargetNotConnected", format!("{target} is not connected."))
}

fn new_session(id: String, target: String, document: &str, reason: Option<&str>) -> Session {
    Session {
        id,
        target,
        document: document.to_owned(),
        host: String::new(),
        port: 0,
        reason: reason.map(str::to_owned),
        started: Instant::now(),
        ended: None,
        links: 0,
        linked: false,
        ready: false,
        opened: 0,
        streams: 0,
        refused: 0,
        terminate_flags: 0,
        rejected: 0,
    }
}

/// An ended session is answered with an empty token; that is how a client learns of the end.
fn resume_session(core: &Core, body: &Value) -> Result<Value, ApiError> {
    let id = session_id(body)?;
    core.change(|state| {
        let entry = find(state, &id).ok_or_else(|| does_not_exist(&id))?;
        if !entry.public.is_active() {
            return Ok(json!({"SessionId": id, "TokenValue": "", "StreamUrl": ""}));
        }
        let _ = entry.agent.try_send(ToAgent::Resumed);
        Ok(issue(core, state, &id))
    })
}

/// Ending an ended session succeeds.
fn terminate_session(core: &Core, body: &Value) -> Result<Value, ApiError> {
    let id = session_id(body)?;
    core.change(|state| {
        let entry = find(state, &id).ok_or_else(|| does_not_exist(&id))?;
        if entry.public.is_active() {
            entry.public.ended = Some((Instant::now(), End::Api));
            let _ = entry.agent.try_send(ToAgent::Terminate);
        }
        Ok(json!({"SessionId": id}))
    })
}

fn connection_status(core: &Core, body: &Value) -> Result<Value, ApiError> {
    let target = target(body)?;
    let up = connected(&core.state(), &target).is_some();
    let status = if up { "connected" } else { "notconnected" };
    Ok(json!({"Target": target, "Status": status}))
}

fn describe_sessions(core: &Core, body: &Value) -> Result<Value, ApiError> {
    let active = match body["State"].as_str() {
        Some("Active") => true,
        Some("History") => false,
        _ => {
            return Err(ApiError::new(
                "ValidationException",
                "State must be Active or History",
            ));
        }
    };
    let filter = |key: &str| {
        let filters = body["Filters"].as_array().into_iter().flatten();
        let mut wanted = filters.filter(|filter| filter["key"] == key);
        wanted.find_map(|filter| filter["value"].as_str())
    };
    let (target, owner) = (filter("Target"), filter("Owner"));
    let state = core.state();
    let sessions = state
        .sessions
        .iter()
        .map(|entry| &entry.public)
        .filter(|session| {
            session.is_active() == active
                && target.is_none_or(|target| target == session.target)
                && owner.is_none_or(|owner| owner == core.caller_arn())
        });
    let described: Vec<Value> = sessions.map(|session| describe(core, session)).collect();
    let begin = match body["NextToken"].as_str() {
        None => 0,
        Some(token) => token
            .parse()
            .map_err(|_| ApiError::new("InvalidNextToken", "The specified token is not valid."))?,
    };
    let rest = described.get(begin..).unwrap_or_default();
    let page = &rest[..rest.len().min(core.script.page_size)];
    let mut answer = json!({"Sessions": page});
    if page.len() < rest.len() {
        answer["NextToken"] = json!((begin + page.len()).to_string());
    }
    Ok(answer)
}

fn describe(core: &Core, session: &Session) -> Value {
    let mut value = json!({
        "SessionId": session.id,
        "Target": session.target,
        "Status": if session.is_active() { "Connected" } else { "Terminated" },
        "StartDate": core.epoch(session.started),
        "DocumentName": session.document,
        "Owner": core.caller_arn(),
    });
    if let Some(reason) = &session.reason {
        value["Reason"] = json!(reason);
    }
    if let Some((at, _)) = session.ended {
        value["EndDate"] = json!(core.epoch(at));
    }
    value
}

/// A new token and the URL it is good for.
fn issue(core: &Core, state: &mut State, id: &str) -> Value {
    let token = format!(
        "AAEAA{}{}",
        uuid::Uuid::new_v4().simple(),
        uuid::Uuid::new_v4().simple()
    );
    let expires = Instant::now() + core.script.token_lifetime;
    if let Some(entry) = find(state, id) {
        entry.tokens.push((token.clone(), expires));
    }
    let url = format!(
        "ws://{}/v1/data-channel/{id}?role=publish_subscribe&cell-number={}",
        core.gateway,
        cell_number()
    );
    json!({"SessionId": id, "TokenValue": token, "StreamUrl": url})
}

/// Base64 that always holds the three characters which a careless client escapes: `+`, `/` and `=`.
fn cell_number() -> String {
    let mut bytes = vec![0xfb, 0xef, 0xff, 0xff];
    bytes.extend_from_slice(uuid::Uuid::new_v4().as_bytes());
    bytes.resize(22, 0);
    STANDARD.encode(bytes)
}

/// 26 characters of base32, as in newer session ids.
pub(super) fn session_suffix() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut random = uuid::Uuid::new_v4().as_u128();
    let mut suffix = String::new();
    for _ in 0..26 {
        suffix.push(char::from(ALPHABET[(random % 32) as usize]));
        random /= 32;
    }
    suffix
}

fn find<'a>(state: &'a mut State, id: &str) -> Option<&'a mut Entry> {
    state
        .sessions
        .iter_mut()
        .find(|entry| entry.public.id == id)
}

fn does_not_exist(id: &str) -> ApiError {
    ApiError::new(
        "DoesNotExistException",
        format!("Session {id} does not exist."),
    )
}

fn target(body: &Value) -> Result<String, ApiError> {
    required(body, "Target", 400)
}

fn session_id(body: &Value) -> Result<String, ApiError> {
    required(body, "SessionId", 96)
}

fn required(body: &Value, member: &str, longest: usize) -> Result<String, ApiError> {
    let text = body[member].as_str().unwrap_or_default();
    let error = || {
        let message = format!("{member} must have length between 1 and {longest}");
        ApiError::new("ValidationException", message)
    };
    let fits = (1..=longest).contains(&text.len());
    fits.then(|| text.to_owned()).ok_or_else(error)
}

/// When the target, if its agent is connected, dies.
fn connected(state: &State, target: &str) -> Option<watch::Receiver<Option<Instant>>> {
    if let Some(task) = state.tasks.iter().find(|task| task.has_target(target)) {
        let up = task.course.at(Instant::now()).connected;
        return up.then(|| task.death.subscribe());
    }
    let now = Instant::now();
    nodes::connected(state, target, now).or_else(|| instances::connected(state, target, now))
}

//! What each call is answered with.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{
    Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};
use serde::Serialize;
use tokio::{sync::oneshot, task::spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::{
    Command, Door, Goal, Refusal,
    call::Call,
    code::Code,
    follow, mfa, openapi,
    query::Query,
    routes::Miss,
    wait::{self, LONGEST_WAIT, WAIT},
};
use crate::{
    config::suggest,
    status::{Bastion, Connections, Problem, Tunnel},
};

/// A whole answer, or one that has no end.
pub(super) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// Does what is called for. `closing` ends answers that have no end by themselves.
pub(super) async fn to(
    call: Call,
    name: &str,
    query: &Query,
    door: &Door,
    closing: &CancellationToken,
) -> Result<Answer, Box<Refusal>> {
    match call {
        Call::Status => Ok(ok(&(door.shown.status)())),
        Call::Tunnel => Ok(ok(&find_tunnel(door, name)?)),
        Call::Up => up(door, name, query).await,
        Call::Down => command(door, name, |tunnel, reply| Command::Down { tunnel, reply }).await,
        Call::Restart => {
            command(door, name, |tunnel, reply| Command::Restart {
                tunnel,
                reply,
            })
            .await
        }
        Call::Reset => command(door, name, |tunnel, reply| Command::Reset { tunnel, reply }).await,
        Call::Wait => wait_for_one(door, name, query).await,
        Call::WaitForAll => wait_for_all(door, query).await,
        Call::Connections => connections(door, query).await,
        Call::Hold => hold(door, name).await,
        Call::Orphans => orphans(door, false).await,
        Call::EndOrphans => orphans(door, true).await,
        Call::Mfa => mfa(door, query).await,
        Call::Events => follow::events(door, query, closing),
        Call::Logs => follow::logs(door, query, closing).await,
        Call::Config => config(door),
        Call::Reload => Ok(ok(&obeyed(door, |reply| Command::Reload { reply }).await?)),
        Call::RestartDaemon => {
            obeyed(door, |reply| Command::RestartDaemon { reply }).await?;
            Ok(ending("restarting"))
        }
        Call::Shutdown => shutdown(door).await,
        Call::OpenApi => Ok(ok(&openapi::document())),
    }
}

async fn up(door: &Door, name: &str, query: &Query) -> Result<Answer, Box<Refusal>> {
    let tunnel = find_tunnel(door, name)?;
    if let Some(time) = query.duration("for")? {
        if tunnel.bastion.is_none() {
            let detail = format!("the tunnel `{name}` goes through a target that runs anyway");
            return Err(Refusal::new(Code::NoBastion, detail));
        }
        let tunnel = name.to_owned();
        let sent = door.commands.send(Command::Keep { tunnel, time }).await;
        sent.map_err(|_| stopping())?;
    }
    command(door, name, |tunnel, reply| Command::Up { tunnel, reply }).await
}

/// Sends a command about a tunnel, waits for its outcome, and answers with the tunnel as it then is.
async fn command(
    door: &Door,
    name: &str,
    make: impl FnOnce(String, oneshot::Sender<Result<(), Problem>>) -> Command,
) -> Result<Answer, Box<Refusal>> {
    find_tunnel(door, name)?;
    obeyed(door, |reply| make(name.to_owned(), reply)).await?;
    Ok(ok(&find_tunnel(door, name)?))
}

async fn wait_for_one(door: &Door, name: &str, query: &Query) -> Result<Answer, Box<Refusal>> {
    find_tunnel(door, name)?;
    waited(door, Some(name), query).await?;
    Ok(ok(&find_tunnel(door, name)?))
}

async fn wait_for_all(door: &Door, query: &Query) -> Result<Answer, Box<Refusal>> {
    Ok(ok(&waited(door, None, query).await?))
}

async fn waited(
    door: &Door,
    name: Option<&str>,
    query: &Query,
) -> Result<crate::status::Status, Box<Refusal>> {
    let goal = query.value("for", "`ready`, `idle` or `stopped`")?;
    let limit = query.duration("timeout")?.unwrap_or(WAIT);
    if limit > LONGEST_WAIT {
        let longest = humantime::format_duration(LONGEST_WAIT);
        let detail = format!("`timeout` is {longest} at most");
        return Err(Refusal::new(Code::WrongDuration, detail));
    }
    let _place = door.waiting.try_acquire().map_err(|_| busy())?;
    wait::until(door, name, goal.unwrap_or(Goal::Ready), limit).await
}

async fn connections(door: &Door, query: &Query) -> Result<Answer, Box<Refusal>> {
    if let Some(name) = query.text("tunnel") {
        find_tunnel(door, name)?;
    }
    let shown = door.shown.clone();
    // What broke there is a fault of ours, and is told as one by the log.
    let mut connections = spawn_blocking(move || (shown.connections)())
        .await
        .unwrap_or_default();
    if let Some(name) = query.text("tunnel") {
        connections.retain(|connection| connection.tunnel == name);
    }
    Ok(ok(&Connections::from(connections)))
}

fn config(door: &Door) -> Result<Answer, Box<Refusal>> {
    let none = || {
        Refusal::new(
            Code::NoConfig,
            "this daemon was started without a configuration file",
        )
    };
    let in_force = (door.shown.config)().ok_or_else(none)?;
    Ok(ok(&in_force))
}

/// Has a bastion run and kept for a while, and answers with the bastion as it then is.
async fn hold(door: &Door, name: &str) -> Result<Answer, Box<Refusal>> {
    find_bastion(door, name)?;
    let bastion = name.to_owned();
    obeyed(door, |reply| Command::Hold { bastion, reply }).await?;
    Ok(ok(&find_bastion(door, name)?))
}

/// Tasks and sessions that nobody looks after.
async fn orphans(door: &Door, end: bool) -> Result<Answer, Box<Refusal>> {
    let found = obeyed(door, |reply| Command::Orphans { end, reply }).await?;
    Ok(ok(&found))
}

/// Gives the code to the account that waits for it.
async fn mfa(door: &Door, query: &Query) -> Result<Answer, Box<Refusal>> {
    let code = mfa::read(query)?;
    let bastion = query.text("bastion").map(str::to_owned);
    if let Some(name) = &bastion {
        find_bastion(door, name)?;
    }
    obeyed(door, |reply| Command::Mfa {
        bastion,
        code,
        reply,
    })
    .await?;
    Ok(ok(&openapi::Ending { state: "taken" }))
}

async fn shutdown(door: &Door) -> Result<Answer, Box<Refusal>> {
    let sent = door.commands.send(Command::Shutdown).await;
    sent.map_err(|_| stopping())?;
    Ok(ending("stopping"))
}

fn ending(state: &'static str) -> Answer {
    json(202, "application/json", &openapi::Ending { state })
}

/// Sends a command and waits for its outcome.
async fn obeyed<T>(
    door: &Door,
    make: impl FnOnce(oneshot::Sender<Result<T, Problem>>) -> Command,
) -> Result<T, Box<Refusal>> {
    let _place = door.waiting.try_acquire().map_err(|_| busy())?;
    let (reply, outcome) = oneshot::channel();
    let sent = door.commands.send(make(reply)).await;
    sent.map_err(|_| stopping())?;
    let outcome = outcome.await.map_err(|_| stopping())?;
    outcome.map_err(Refusal::from_problem)
}

fn find_tunnel(door: &Door, name: &str) -> Result<Tunnel, Box<Refusal>> {
    let mut tunnels = (door.shown.status)().tunnels;
    match tunnels.iter().position(|tunnel| tunnel.name == name) {
        Some(index) => Ok(tunnels.swap_remove(index)),
        None => {
            let names = tunnels.iter().map(|tunnel| tunnel.name.as_str());
            Err(unknown(Code::UnknownTunnel, "tunnel", name, names))
        }
    }
}

fn find_bastion(door: &Door, name: &str) -> Result<Bastion, Box<Refusal>> {
    let mut bastions = (door.shown.status)().bastions;
    match bastions.iter().position(|bastion| bastion.name == name) {
        Some(index) => Ok(bastions.swap_remove(index)),
        None => {
            let names = bastions.iter().map(|bastion| bastion.name.as_str());
            Err(unknown(Code::UnknownBastion, "bastion", name, names))
        }
    }
}

fn unknown<'a>(
    code: Code,
    kind: &str,
    name: &str,
    names: impl Iterator<Item = &'a str> + Clone,
) -> Box<Refusal> {
    let list = names.clone().collect::<Vec<_>>().join("`, `");
    let detail = match list.is_empty() {
        true => format!("there is no {kind} `{name}`, nor any other"),
        false => format!("there is no {kind} `{name}`; there are `{list}`"),
    };
    let hint = suggest::nearest(name, names).map(|near| format!("did you mean `{near}`?"));
    Refusal::new(code, detail).hint(hint)
}

pub(super) fn busy() -> Box<Refusal> {
    Refusal::new(Code::Busy, "too many callers wait already")
        .hint(Some("wait for those to end, then try again".to_owned()))
}

pub(super) fn stopping() -> Box<Refusal> {
    Refusal::new(Code::Stopping, "the daemon is stopping")
}

pub(super) fn missed(miss: Miss, path: &str) -> Answer {
    match miss {
        Miss::Path => {
            let detail = format!("there is nothing at `{path}`");
            refused(Refusal::new(Code::UnknownPath, detail))
        }
        Miss::Method { allow } => {
            let detail = format!("`{path}` is for {allow}");
            let mut response = refused(Refusal::new(Code::WrongMethod, detail));
            let value = HeaderValue::from_str(&allow).expect("method names are header values");
            response.headers_mut().insert(ALLOW, value);
            response
        }
    }
}

pub(super) fn refused(refusal: Box<Refusal>) -> Answer {
    json(refusal.status, "application/problem+json", &refusal)
}

fn ok(value: &impl Serialize) -> Answer {
    json(200, "application/json", value)
}

fn json(status: u16, kind: &'static str, value: &impl Serialize) -> Answer {
    let text = serde_json::to_vec(value).expect("these values have only string keys");
    let mut response = of(kind, Full::new(Bytes::from(text)).boxed_unsync());
    *response.status_mut() = StatusCode::from_u16(status).expect("a status of ours");
    response
}

/// An answer with content of a kind.
pub(super) fn of(kind: &'static str, body: UnsyncBoxBody<Bytes, Infallible>) -> Answer {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{sync::mpsc, task::JoinSet, time::timeout};

    use super::*;
    use crate::{
        control::{MOST_WAITING, Shown},
        events::Events,
        status::{Aws, Daemon, Status},
    };

    #[tokio::test]
    async fn callers_that_wait_for_tunnels_leave_room_for_others() {
        let (sender, mut commands) = mpsc::channel(32);
        let shown = Shown {
            status: Box::new(status),
            connections: Box::new(Vec::new),
            config: Box::new(|| unreachable!("nobody asks")),
            events: Events::default(),
            logs: None,
        };
        let door = Door::new(shown, sender);
        let mut waiting = JoinSet::new();
        for _ in 0..MOST_WAITING {
            let door = door.clone();
            waiting.spawn(async move { up(&door).await });
        }
        let first = commands.recv().await.unwrap();
        for _ in 1..MOST_WAITING {
            std::mem::forget(commands.recv().await.unwrap());
        }
        let refused = timeout(Duration::from_secs(5), up(&door)).await;
        let refusal = refused.expect("refused at once").unwrap_err();
        assert_eq!((refusal.status, refusal.code.as_str()), (503, "busy"));
        drop(first);
        assert_eq!(waiting.join_next().await.unwrap().unwrap(), Err(stopping()));
        let more = tokio::spawn(async move { up(&door).await });
        assert!(matches!(commands.recv().await, Some(Command::Up { .. })));
        more.await.unwrap().unwrap_err();
    }

    async fn up(door: &Door) -> Result<(), Box<Refusal>> {
        let command = command(door, "db", |tunnel, reply| Command::Up { tunnel, reply });
        command.await.map(drop)
    }

    fn status() -> Status {
        let daemon = Daemon {
            version: String::new(),
            pid: 1,
            instance: "1f".to_owned(),
            started_at: time::OffsetDateTime::UNIX_EPOCH,
            uptime_seconds: 0,
            config_path: None,
            log_path: None,
            socket: "b.sock".into(),
        };
        let tunnel = serde_json::from_value(serde_json::json!({
            "name": "db", "listeners": [], "remote": "db:1", "bastion": null, "target": null,
            "state": "idle", "state_seconds": 0, "detail": null, "sessions": [],
            "connections": 0, "waiting": 0, "bytes_sent": 0, "bytes_received": 0,
            "ends_in_seconds": null, "last_error": null,
        }));
        Status::assemble(
            daemon,
            Aws::default(),
            vec![tunnel.unwrap()],
            vec![],
            vec![],
        )
    }
}

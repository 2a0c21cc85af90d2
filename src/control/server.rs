//! The control API's server: one short task a request, none left behind.
//!
//! It trusts nobody but the owner's own programs. Callers of another uid are dropped unread; requests that a web page
//! could have caused are refused (by `guard`); size, number and time of requests are bounded. One connection carries one request, so an idle caller holds nothing for long.

use std::{convert::Infallible, pin::pin, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::Incoming,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use interprocess::local_socket::{
    tokio::{Listener, Stream},
    traits::{StreamCommon as _, tokio::Listener as _},
};
use serde::Serialize;
use tokio::{
    sync::oneshot,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{
    Command, Door, Refusal, guard,
    routes::{self, Call, Miss},
};
use crate::{
    config::{self, suggest},
    status::{Bastion, Problem, Tunnel},
};

/// A program on this machine sends its header at once.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// Twice the smallest buffer hyper allows; requests of ours need a hundred bytes.
const LARGEST_HEADER: usize = 16 * 1024;
/// The 33rd caller waits in the socket's backlog.
const MOST_CALLS: usize = 32;
/// No call takes longer: bringing a tunnel up is bounded by the slowest start of a task.
pub(super) const LONGEST_CALL: Duration = Duration::from_secs(600);
/// How long calls may go on once the daemon stops.
const GRACE: Duration = Duration::from_secs(2);

/// Answers at `listener` until cancelled, then finishes open calls and returns. The socket's name is its claim's to
/// remove.
pub async fn serve(listener: Listener, door: Door, cancel: CancellationToken) {
    let mut calls = JoinSet::new();
    loop {
        tokio::select! {
            () = cancel.cancelled() => break,
            Some(_) = calls.join_next(), if !calls.is_empty() => {}
            accepted = listener.accept(), if calls.len() < MOST_CALLS => match accepted {
                Ok(stream) => {
                    calls.spawn(timeout(LONGEST_CALL, attend(stream, door.clone(), cancel.clone())));
                }
                Err(error) => rest_after(&error).await,
            },
        }
    }
    drop(listener);
    let all = async { while calls.join_next().await.is_some() {} };
    if timeout(GRACE, all).await.is_err() {
        calls.shutdown().await;
    }
}

/// Out of file descriptors, as a rule: trying again at once would spin.
async fn rest_after(error: &std::io::Error) {
    warn!(%error, "cannot accept on the control socket");
    sleep(Duration::from_millis(200)).await;
}

async fn attend(stream: Stream, door: Door, cancel: CancellationToken) {
    if !is_from(&stream, door.owner) {
        return;
    }
    let service = service_fn(|request| {
        let door = &door;
        async move { Ok::<_, Infallible>(answer(request, door).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(LARGEST_HEADER)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = cancel.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a control call broke off");
    }
}

fn is_from(stream: &Stream, owner: u32) -> bool {
    let caller = stream.peer_creds().ok().and_then(|peer| peer.euid());
    if caller != Some(owner) {
        warn!(
            ?caller,
            "refused a caller of another user on the control socket"
        );
    }
    caller == Some(owner)
}

async fn answer(request: Request<Incoming>, door: &Door) -> Response<Full<Bytes>> {
    let call = format!("{} {}", request.method(), request.uri().path());
    let response = handle(request, door).await.unwrap_or_else(refused);
    debug!(call, status = response.status().as_u16(), "control call");
    response
}

async fn handle(
    request: Request<Incoming>,
    door: &Door,
) -> Result<Response<Full<Bytes>>, Box<Refusal>> {
    let (head, body) = request.into_parts();
    guard::refuse_browsers(&head.headers)?;
    guard::refuse_other_hosts(
        &head.headers,
        head.uri.authority().map(|authority| authority.as_str()),
    )?;
    let (call, name) = match routes::find(&head.method, head.uri.path()) {
        Ok(found) => found,
        Err(miss) => return missed(miss, head.uri.path()),
    };
    guard::refuse_content(body).await?;
    match call {
        Call::Status => Ok(json(200, "application/json", &(door.status)())),
        Call::Up => {
            if let Some(query) = head.uri.query() {
                keep(door, name, query).await?;
            }
            command(door, name, |tunnel, reply| Command::Up { tunnel, reply }).await
        }
        Call::Down => command(door, name, |tunnel, reply| Command::Down { tunnel, reply }).await,
        Call::Hold => hold(door, name).await,
        Call::Orphans => orphans(door, false).await,
        Call::EndOrphans => orphans(door, true).await,
        Call::Restart => {
            obeyed(door, |reply| Command::Restart { reply }).await?;
            Ok(json(
                202,
                "application/json",
                &serde_json::json!({ "state": "restarting" }),
            ))
        }
        Call::Shutdown => {
            door.commands
                .send(Command::Shutdown)
                .await
                .map_err(|_| stopping())?;
            Ok(json(
                202,
                "application/json",
                &serde_json::json!({ "state": "stopping" }),
            ))
        }
    }
}

/// Sends a command about a tunnel, waits for its outcome, and answers with the tunnel as it then is.
async fn command(
    door: &Door,
    name: &str,
    make: impl FnOnce(String, oneshot::Sender<Result<(), Problem>>) -> Command,
) -> Result<Response<Full<Bytes>>, Box<Refusal>> {
    find_tunnel(door, name)?;
    obeyed(door, |reply| make(name.to_owned(), reply)).await?;
    Ok(json(200, "application/json", &find_tunnel(door, name)?))
}

/// `for=2h` keeps the tunnel's bastion for so long.
async fn keep(door: &Door, name: &str, query: &str) -> Result<(), Box<Refusal>> {
    let tunnel = find_tunnel(door, name)?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let Some((_, text)) = pairs.find(|(key, _)| key == "for") else {
        let refusal = Refusal::new(
            400,
            "unknown_query",
            format!("`{query}` means nothing here"),
        );
        return Err(refusal.hint(Some("write for example ?for=2h".to_owned())));
    };
    let time = config::keep_for(&text).map_err(|why| {
        let hint = r#"write for example "90s", "15m" or "1h30m""#.to_owned();
        Refusal::new(400, "wrong_duration", why).hint(Some(hint))
    })?;
    if tunnel.bastion.is_none() {
        let detail = format!("the tunnel `{name}` goes through a target that runs anyway");
        return Err(Refusal::new(409, "no_bastion", detail));
    }
    let tunnel = name.to_owned();
    let sent = door.commands.send(Command::Keep { tunnel, time }).await;
    sent.map_err(|_| stopping())
}

/// Has a bastion run and kept for a while, and answers with the bastion as it then is.
async fn hold(door: &Door, name: &str) -> Result<Response<Full<Bytes>>, Box<Refusal>> {
    find_bastion(door, name)?;
    let bastion = name.to_owned();
    obeyed(door, |reply| Command::Hold { bastion, reply }).await?;
    Ok(json(200, "application/json", &find_bastion(door, name)?))
}

/// Tasks and sessions that nobody looks after.
async fn orphans(door: &Door, end: bool) -> Result<Response<Full<Bytes>>, Box<Refusal>> {
    let found = obeyed(door, |reply| Command::Orphans { end, reply }).await?;
    Ok(json(200, "application/json", &found))
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
    let tunnels = (door.status)().tunnels;
    let found = tunnels.iter().find(|tunnel| tunnel.name == name).cloned();
    let names = tunnels.iter().map(|tunnel| tunnel.name.as_str());
    found.ok_or_else(|| unknown("tunnel", name, names))
}

fn find_bastion(door: &Door, name: &str) -> Result<Bastion, Box<Refusal>> {
    let bastions = (door.status)().bastions;
    let found = bastions.iter().find(|it| it.name == name).cloned();
    let names = bastions.iter().map(|bastion| bastion.name.as_str());
    found.ok_or_else(|| unknown("bastion", name, names))
}

fn unknown<'a>(
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
    Refusal::new(404, format!("unknown_{kind}"), detail).hint(hint)
}

fn busy() -> Box<Refusal> {
    Refusal::new(503, "busy", "too many callers wait for tunnels already")
        .hint(Some("wait for those to end, then try again".to_owned()))
}

fn stopping() -> Box<Refusal> {
    Refusal::new(503, "stopping", "the daemon is stopping")
}

fn missed(miss: Miss, path: &str) -> Result<Response<Full<Bytes>>, Box<Refusal>> {
    match miss {
        Miss::Path => Err(Refusal::new(
            404,
            "unknown_path",
            format!("there is nothing at `{path}`"),
        )),
        Miss::Method { allow } => {
            let mut response = refused(Refusal::new(
                405,
                "wrong_method",
                format!("`{path}` is for {allow}"),
            ));
            let value = HeaderValue::from_str(&allow).expect("method names are header values");
            response.headers_mut().insert(ALLOW, value);
            Ok(response)
        }
    }
}

fn refused(refusal: Box<Refusal>) -> Response<Full<Bytes>> {
    json(refusal.status, "application/problem+json", &refusal)
}

fn json(status: u16, kind: &'static str, value: &impl Serialize) -> Response<Full<Bytes>> {
    let text = serde_json::to_vec(value).expect("these values have only string keys");
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = hyper::StatusCode::from_u16(status).expect("a status of this file");
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::{
        control::MOST_WAITING,
        status::{Aws, Daemon, Status},
    };

    #[tokio::test]
    async fn callers_that_wait_for_tunnels_leave_room_for_others() {
        let (sender, mut commands) = mpsc::channel(MOST_CALLS);
        let door = Door::new(status, sender);
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

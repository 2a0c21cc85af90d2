//! The control API's server: one short task a request, none left behind.
//!
//! It trusts nobody but the owner's own programs. Callers of another uid are dropped unread; requests that a web page
//! could have caused are refused (by `guard`); size, number and time of requests are bounded. One connection carries one request, so an idle caller holds nothing for long.

use std::{
    convert::Infallible,
    future::pending,
    pin::{Pin, pin},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use hyper::{
    Request,
    body::{Body as _, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use interprocess::local_socket::{
    tokio::{Listener, Stream},
    traits::{StreamCommon as _, tokio::Listener as _},
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{
    Door, Refusal,
    answer::{self, Answer},
    guard,
    query::Query,
    routes,
};

/// A program on this machine sends its header at once.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// Twice the smallest buffer hyper allows; requests of ours need a hundred bytes.
const LARGEST_HEADER: usize = 16 * 1024;
/// The 33rd caller waits in the socket's backlog.
const MOST_CALLS: usize = 32;
/// No call takes longer: bringing a tunnel up is bounded by the slowest start of a task.
pub(super) const LONGEST_CALL: Duration = Duration::from_secs(600);
/// How long a caller may take none of its answer, with what the system keeps for it full.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
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
                    calls.spawn(attend(stream, door.clone(), cancel.clone()));
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
    let is_long = AtomicBool::new(false);
    let service = service_fn(|request| {
        let door = &door;
        let (closing, is_long) = (&cancel, &is_long);
        async move {
            let response = answer(request, door, closing).await;
            // What goes on has no length.
            is_long.store(
                response.body().size_hint().exact().is_none(),
                Ordering::Relaxed,
            );
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(LARGEST_HEADER)
        .keep_alive(false)
        .serve_connection(TokioIo::new(patient(stream)), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = overdue(&is_long) => return debug!("a control call took too long"),
        () = cancel.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a control call broke off");
    }
}

/// A caller that takes nothing of its answer for so long is cut off.
fn patient(stream: Stream) -> Pin<Box<TimeoutStream<Stream>>> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    Box::pin(stream)
}

/// Until a call has taken longer than any may. What follows events or logs has no end.
async fn overdue(is_long: &AtomicBool) {
    sleep(LONGEST_CALL).await;
    if is_long.load(Ordering::Relaxed) {
        pending().await
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

async fn answer(request: Request<Incoming>, door: &Door, closing: &CancellationToken) -> Answer {
    let call = format!("{} {}", request.method(), request.uri().path());
    let handled = handle(request, door, closing).await;
    let response = handled.unwrap_or_else(answer::refused);
    debug!(call, status = response.status().as_u16(), "control call");
    response
}

async fn handle(
    request: Request<Incoming>,
    door: &Door,
    closing: &CancellationToken,
) -> Result<Answer, Box<Refusal>> {
    let (head, body) = request.into_parts();
    guard::refuse_browsers(&head.headers)?;
    let target = head.uri.authority().map(|authority| authority.as_str());
    guard::refuse_other_hosts(&head.headers, target)?;
    let (call, name) = match routes::find(&head.method, head.uri.path()) {
        Ok(found) => found,
        Err(miss) => return Ok(answer::missed(miss, head.uri.path())),
    };
    let query = Query::read(head.uri.query(), call)?;
    guard::refuse_content(body).await?;
    answer::to(call, name, &query, door, closing).await
}

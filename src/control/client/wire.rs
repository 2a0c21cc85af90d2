//! How a client gets to the daemon: a connection a call, checked for whose it is.

use std::{
    future::pending,
    io,
    pin::{Pin, pin},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1::{self, Connection},
    header::HOST,
};
use hyper_util::rt::TokioIo;
use interprocess::local_socket::{
    tokio::Stream,
    traits::{StreamCommon as _, tokio::Stream as _},
};
use tokio::time::{Instant, sleep, timeout};

use super::{Client, Error, SHORT};
use crate::control::socket::{check_length, name};

/// How often a daemon that may be about to come is tried.
const RETRY: Duration = Duration::from_millis(250);
/// A status of a thousand connections is a tenth of this.
const LARGEST_ANSWER: usize = 8 * 1024 * 1024;

/// The connection of a call. It only moves while it is polled; it is dropped with the call, so nothing needs joining.
pub(super) type Wire = Option<Pin<Box<Connection<TokioIo<Stream>, Empty<Bytes>>>>>;

impl Client {
    /// Asks, and gives the whole answer.
    pub(super) async fn exchange(
        &self,
        method: Method,
        path: &str,
    ) -> Result<(StatusCode, Bytes), Error> {
        let (response, mut wire) = self.ask(method, path).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LARGEST_ANSWER).collect();
        let body = drive(&mut wire, body).await;
        let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(error) => self.broken(*error),
            Err(error) => Error::Garbled(error.to_string()),
        })?;
        Ok((status, body.to_bytes()))
    }

    /// Asks, and gives the head of the answer with the connection that brings the rest.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
    ) -> Result<(Response<Incoming>, Wire), Error> {
        let broken = |error| self.broken(error);
        let stream = self.connect().await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "bastiond");
        let request = request
            .body(Empty::<Bytes>::new())
            .expect("a checked path and constant headers");
        let mut wire = Some(Box::pin(connection));
        let response = drive(&mut wire, sender.send_request(request)).await;
        Ok((response.map_err(broken)?, wire))
    }

    /// A connection that ends too early is a daemon that ends; one that speaks something else is no daemon of ours.
    pub(super) fn broken(&self, error: hyper::Error) -> Error {
        if error.is_parse() {
            return Error::Garbled(error.to_string());
        }
        Error::Gone {
            socket: self.socket.clone(),
            error,
        }
    }

    async fn connect(&self) -> Result<Stream, Error> {
        check_length(&self.socket)?;
        let deadline = Instant::now() + self.patience;
        loop {
            let source = match self.dial().await {
                Ok(stream) => return self.check_owner(stream),
                Err(source) => source,
            };
            let may_come = matches!(
                source.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            );
            if !may_come || Instant::now() + RETRY > deadline {
                return Err(Error::Unreachable {
                    socket: self.socket.clone(),
                    source,
                });
            }
            sleep(RETRY).await;
        }
    }

    /// A socket with a full backlog keeps its callers waiting: no daemon of ours does that for long.
    async fn dial(&self) -> io::Result<Stream> {
        timeout(SHORT, Stream::connect(name(&self.socket)?)).await?
    }

    /// In a shared folder such as `/tmp`, whoever comes first could play the daemon.
    fn check_owner(&self, stream: Stream) -> Result<Stream, Error> {
        let owner = stream.peer_creds().ok().and_then(|peer| peer.euid());
        if owner == Some(rustix::process::geteuid().as_raw()) {
            return Ok(stream);
        }
        Err(Error::Impostor {
            socket: self.socket.clone(),
            owner,
        })
    }
}

/// Does something while the connection moves. How the connection ends, the answer tells as well; it is not touched
/// again then.
pub(super) async fn drive<T>(wire: &mut Wire, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let ended = async {
        match wire {
            Some(wire) => drop(wire.await),
            None => pending().await,
        }
    };
    tokio::select! {
        done = work.as_mut() => return done,
        () = ended => {}
    }
    *wire = None;
    work.await
}

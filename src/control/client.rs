//! The control API's client: typed calls, each with a deadline.

use std::{
    io,
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Method, Request, StatusCode, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use interprocess::local_socket::{
    tokio::Stream,
    traits::{StreamCommon as _, tokio::Stream as _},
};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

use super::{
    Refusal,
    server::LONGEST_CALL,
    socket::{check_length, name},
};
use crate::status::{Bastion, Orphan, Status, Tunnel};

/// For calls that the daemon answers from memory.
const SHORT: Duration = Duration::from_secs(5);
/// Ending sessions takes calls to AWS.
const DOWN: Duration = Duration::from_secs(60);
/// A daemon that just started may need this long to answer (measured: well under a second).
const PATIENCE: Duration = Duration::from_secs(2);
const RETRY: Duration = Duration::from_millis(250);
/// A status of a thousand connections is a tenth of this.
const LARGEST_ANSWER: usize = 8 * 1024 * 1024;

/// Why a call had no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens.
    #[error("cannot reach the daemon at `{}`: is it running?", .socket.display())]
    Unreachable {
        /// Where it was looked for.
        socket: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else listens.
    #[error("`{}` is held by another user (uid {}): nothing was sent", .socket.display(), uid(.owner))]
    Impostor {
        /// Where it was looked for.
        socket: PathBuf,
        /// Who that is, where the system tells.
        owner: Option<u32>,
    },
    /// The place cannot be dialled at all.
    #[error(transparent)]
    Socket(#[from] super::socket::Error),
    /// It was there, and went away instead of answering.
    #[error("the daemon at `{}` went away before it answered ({source})", .socket.display())]
    Gone {
        /// Where it was.
        socket: PathBuf,
        /// What the connection said.
        source: hyper::Error,
    },
    /// The deadline passed.
    #[error("the daemon did not answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The daemon said no.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The answer made no sense.
    #[error("the daemon's answer cannot be understood ({0})")]
    Garbled(String),
}

fn uid(owner: &Option<u32>) -> String {
    owner.map_or("unknown".to_owned(), |uid| uid.to_string())
}

impl Error {
    /// The one thing to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Unreachable { .. } | Error::Gone { .. } => Some("bastiond start".to_owned()),
            Error::Timeout(_) => Some("look at its logs".to_owned()),
            Error::Garbled(_) => Some("restart the daemon if it is of another version".to_owned()),
            Error::Refused(refusal) => refusal.hint.clone(),
            Error::Impostor { .. } | Error::Socket(_) => None,
        }
    }
}

/// A caller of one daemon.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
    patience: Duration,
}

impl Client {
    /// A client of the daemon at `socket`, which fails at once when there is none.
    pub fn new(socket: &Path) -> Client {
        Client {
            socket: socket.to_owned(),
            patience: Duration::ZERO,
        }
    }

    /// The same, giving a daemon that just starts 2 s to listen.
    pub fn patient(self) -> Client {
        Client {
            patience: PATIENCE,
            ..self
        }
    }

    /// How the daemon is.
    ///
    /// # Errors
    /// When there is no answer in 5 s.
    pub async fn status(&self) -> Result<Status, Error> {
        self.call(Method::GET, "/v1/status", SHORT).await
    }

    /// Brings a tunnel up and gives it as it then is.
    ///
    /// # Errors
    /// When it cannot be brought up, does not exist, or there is no answer in 10 min.
    pub async fn up(&self, tunnel: &str) -> Result<Tunnel, Error> {
        self.call(
            Method::POST,
            &path_of("tunnels", tunnel, "up")?,
            LONGEST_CALL,
        )
        .await
    }

    /// Brings a tunnel up, and keeps its bastion for `time`, such as `2h`, though nobody may be connected.
    ///
    /// # Errors
    /// As of [`Client::up`]; and when `time` is no duration, or the tunnel has no bastion.
    pub async fn up_for(&self, tunnel: &str, time: &str) -> Result<Tunnel, Error> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("for", time);
        let path = format!("{}?{}", path_of("tunnels", tunnel, "up")?, query.finish());
        self.call(Method::POST, &path, LONGEST_CALL).await
    }

    /// Ends a tunnel's sessions and gives it as it then is.
    ///
    /// # Errors
    /// When it does not exist, or there is no answer in 1 min.
    pub async fn down(&self, tunnel: &str) -> Result<Tunnel, Error> {
        self.call(Method::POST, &path_of("tunnels", tunnel, "down")?, DOWN)
            .await
    }

    /// Has a bastion run and keeps it for [`HOLD`](super::HOLD); gives it as it then is.
    ///
    /// # Errors
    /// When it cannot be run, does not exist, or there is no answer in 10 min.
    pub async fn hold(&self, bastion: &str) -> Result<Bastion, Error> {
        let path = path_of("bastions", bastion, "hold")?;
        self.call(Method::POST, &path, LONGEST_CALL).await
    }

    /// Tasks and sessions that a daemon of ours started and that none looks after; ended, if `end` says so.
    ///
    /// # Errors
    /// When AWS does not tell, or there is no answer in 10 min.
    pub async fn orphans(&self, end: bool) -> Result<Vec<Orphan>, Error> {
        let (method, path) = match end {
            true => (Method::POST, "/v1/orphans/end"),
            false => (Method::GET, "/v1/orphans"),
        };
        self.call(method, path, LONGEST_CALL).await
    }

    /// Has the daemon restart as the program that its file holds now; it goes on ending after the answer.
    ///
    /// # Errors
    /// When the program cannot take over, or there is no answer in 1 min.
    pub async fn restart(&self) -> Result<(), Error> {
        let _: serde_json::Value = self.call(Method::POST, "/v1/restart", DOWN).await?;
        Ok(())
    }

    /// Tells the daemon to stop; it goes on stopping after the answer.
    ///
    /// # Errors
    /// When there is no answer in 5 s.
    pub async fn shutdown(&self) -> Result<(), Error> {
        let _: serde_json::Value = self.call(Method::POST, "/v1/shutdown", SHORT).await?;
        Ok(())
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        limit: Duration,
    ) -> Result<T, Error> {
        let stream = self.connect().await?;
        let answer = timeout(limit, self.exchange(stream, method, path)).await;
        let (status, text) = answer.map_err(|_| Error::Timeout(limit))??;
        if status.is_success() {
            return read(&text);
        }
        Err(Error::Refused(Box::new(read(&text)?)))
    }

    async fn exchange(
        &self,
        stream: Stream,
        method: Method,
        path: &str,
    ) -> Result<(StatusCode, Bytes), Error> {
        let broken = |error| self.broken(error);
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
        let talk = async {
            let response = sender.send_request(request).await.map_err(broken)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LARGEST_ANSWER)
                .collect()
                .await;
            let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
                Ok(error) => self.broken(*error),
                Err(error) => Error::Garbled(error.to_string()),
            })?;
            Ok((status, body.to_bytes()))
        };
        // The connection only moves while it is polled; it is dropped with the call, so nothing needs joining.
        let (mut connection, mut talk) = (pin!(connection), pin!(talk));
        tokio::select! {
            answer = talk.as_mut() => answer,
            ended = connection.as_mut() => {
                ended.map_err(broken)?;
                talk.await
            }
        }
    }

    /// A connection that ends too early is a daemon that ends; one that speaks something else is no daemon of ours.
    fn broken(&self, source: hyper::Error) -> Error {
        if source.is_parse() {
            return Error::Garbled(source.to_string());
        }
        Error::Gone {
            socket: self.socket.clone(),
            source,
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

/// Names of tunnels and bastions need no escapes; what does cannot be one. `kind` is the plural.
fn path_of(kind: &str, name: &str, verb: &str) -> Result<String, Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && name.chars().all(plain) {
        return Ok(format!("/v1/{kind}/{name}/{verb}"));
    }
    let one = kind.trim_end_matches('s');
    let detail = format!("there is no {one} `{}`", name.escape_debug());
    let refusal = Refusal::new(404, format!("unknown_{one}"), detail);
    Err(Error::Refused(refusal))
}

fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(text).map_err(|error| Error::Garbled(error.to_string()))
}

//! The control API's client: typed calls, each with a deadline; events and logs as lines that go on.

mod error;
mod lines;
mod wire;

use std::{
    fmt::Display,
    path::{Path, PathBuf},
    time::Duration,
};

use http_body_util::{BodyExt as _, Limited};
use hyper::{Method, StatusCode};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::{Goal, Refusal, code::Code, server::LONGEST_CALL};
use crate::status::{Bastion, Connections, Event, InForce, Orphan, Reloaded, Status, Tunnel};
pub use error::Error;
pub use lines::{Lines, Values};

/// For calls that the daemon answers from memory.
const SHORT: Duration = Duration::from_secs(5);
/// Ending sessions takes calls to AWS.
const DOWN: Duration = Duration::from_secs(60);
/// A daemon that just started may need this long to answer (measured: well under a second).
const PATIENCE: Duration = Duration::from_secs(2);
/// No refusal is longer.
const LARGEST_REFUSAL: usize = 64 * 1024;

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
        let path = with(&path_of("tunnels", tunnel, "up")?, &[("for", &time)]);
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

    /// Ends a tunnel's sessions, has a new one ready, and gives the tunnel as it then is.
    ///
    /// # Errors
    /// When no session can be had, the tunnel does not exist, or there is no answer in 10 min.
    pub async fn restart(&self, tunnel: &str) -> Result<Tunnel, Error> {
        let path = path_of("tunnels", tunnel, "restart")?;
        self.call(Method::POST, &path, LONGEST_CALL).await
    }

    /// Cuts a tunnel's sessions off, whatever they are doing, and gives the tunnel as it then is.
    ///
    /// # Errors
    /// When it does not exist, or there is no answer in 1 min.
    pub async fn reset(&self, tunnel: &str) -> Result<Tunnel, Error> {
        let path = path_of("tunnels", tunnel, "reset")?;
        self.call(Method::POST, &path, DOWN).await
    }

    /// How one tunnel is.
    ///
    /// # Errors
    /// When it does not exist, or there is no answer in 5 s.
    pub async fn tunnel(&self, tunnel: &str) -> Result<Tunnel, Error> {
        let path = path_of("tunnels", tunnel, "")?;
        self.call(Method::GET, path.trim_end_matches('/'), SHORT)
            .await
    }

    /// Waits until a tunnel is in a state, and gives it as it then is.
    ///
    /// # Errors
    /// When it is not so within `limit` (the refusal's code is `wait_timeout`), or does not exist.
    pub async fn wait(&self, tunnel: &str, goal: Goal, limit: Duration) -> Result<Tunnel, Error> {
        let path = path_of("tunnels", tunnel, "wait")?;
        self.call(Method::GET, &waiting(&path, goal, limit), limit + SHORT)
            .await
    }

    /// Waits until every tunnel is in a state, and gives the status.
    ///
    /// # Errors
    /// As of [`Client::wait`].
    pub async fn wait_for_all(&self, goal: Goal, limit: Duration) -> Result<Status, Error> {
        self.call(
            Method::GET,
            &waiting("/v1/wait", goal, limit),
            limit + SHORT,
        )
        .await
    }

    /// The local connections that are open, of one tunnel or of all.
    ///
    /// # Errors
    /// When the tunnel does not exist, or there is no answer in 5 s.
    pub async fn connections(&self, tunnel: Option<&str>) -> Result<Connections, Error> {
        let path = match &tunnel {
            Some(tunnel) => with("/v1/connections", &[("tunnel", tunnel)]),
            None => "/v1/connections".to_owned(),
        };
        self.call(Method::GET, &path, SHORT).await
    }

    /// The `last` events, and if `follow` says so those that come.
    ///
    /// # Errors
    /// When eight others follow already, or there is no answer in 5 s.
    pub async fn events(&self, last: usize, follow: bool) -> Result<Values<Event>, Error> {
        let path = with("/v1/events", &[("last", &last), ("follow", &follow)]);
        Ok(Values::new(self.lines(&path).await?))
    }

    /// The last lines of the log, 100 if nothing is said; not older than `since`, which is a span of time such as `10m`
    /// or a moment in RFC 3339; and if `follow` says so those that come.
    ///
    /// # Errors
    /// When none is written, eight others follow already, or there is no answer in 5 s.
    pub async fn logs(
        &self,
        last: Option<usize>,
        since: Option<&str>,
        follow: bool,
    ) -> Result<Lines, Error> {
        let mut query: Vec<(&str, &dyn Display)> = vec![("follow", &follow)];
        query.extend(last.iter().map(|last| ("last", last as &dyn Display)));
        query.extend(since.iter().map(|since| ("since", since as &dyn Display)));
        self.lines(&with("/v1/logs", &query)).await
    }

    /// The configuration in force.
    ///
    /// # Errors
    /// When there is no answer in 5 s.
    pub async fn config(&self) -> Result<InForce, Error> {
        self.call(Method::GET, "/v1/config", SHORT).await
    }

    /// Has the configuration read again, and gives what has changed.
    ///
    /// # Errors
    /// When it has mistakes, and then nothing has changed; or there is no answer in 1 min.
    pub async fn reload(&self) -> Result<Reloaded, Error> {
        self.call(Method::POST, "/v1/reload", DOWN).await
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

    /// Gives a code of an MFA device, for the account of a bastion if one is named.
    ///
    /// # Errors
    /// When no account waits for one, several do, AWS does not take it, or there is no answer in 1 min.
    pub async fn mfa(&self, code: &str, bastion: Option<&str>) -> Result<(), Error> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("code", code);
        bastion.map(|name| query.append_pair("bastion", name));
        let path = format!("/v1/mfa?{}", query.finish());
        let _: serde_json::Value = self.call(Method::POST, &path, DOWN).await?;
        Ok(())
    }

    /// Has the daemon restart as the program that its file holds now; it goes on ending after the answer.
    ///
    /// # Errors
    /// When the program cannot take over, or there is no answer in 1 min.
    pub async fn restart_daemon(&self) -> Result<(), Error> {
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
        let answer = timeout(limit, self.exchange(method, path)).await;
        let (status, text) = answer.map_err(|_| Error::Timeout(limit))??;
        match status.is_success() {
            true => read(&text),
            false => Err(Error::Refused(Box::new(read(&text)?))),
        }
    }

    async fn lines(&self, path: &str) -> Result<Lines, Error> {
        let asked = timeout(SHORT, self.ask(Method::GET, path)).await;
        let (response, mut wire) = asked.map_err(|_| Error::Timeout(SHORT))??;
        if response.status() == StatusCode::OK {
            return Ok(Lines::new(self.clone(), response.into_body(), wire));
        }
        let body = Limited::new(response.into_body(), LARGEST_REFUSAL).collect();
        let text = timeout(SHORT, wire::drive(&mut wire, body)).await;
        let text = text.map_err(|_| Error::Timeout(SHORT))?;
        let text = text.map_err(|error| Error::Garbled(error.to_string()))?;
        Err(Error::Refused(Box::new(read(&text.to_bytes())?)))
    }
}

fn waiting(path: &str, goal: Goal, limit: Duration) -> String {
    // The daemon knows whole seconds.
    let seconds = limit.as_millis().div_ceil(1000).max(1);
    let limit = format!("{seconds}s");
    with(path, &[("for", &goal), ("timeout", &limit)])
}

/// A path with a query.
fn with(path: &str, query: &[(&str, &dyn Display)]) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    for (word, value) in query {
        text.append_pair(word, &value.to_string());
    }
    format!("{path}?{}", text.finish())
}

/// Names of tunnels and bastions need no escapes; what does cannot be one. `kind` is the plural.
fn path_of(kind: &str, name: &str, verb: &str) -> Result<String, Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && name.chars().all(plain) {
        return Ok(format!("/v1/{kind}/{name}/{verb}"));
    }
    let one = kind.trim_end_matches('s');
    let detail = format!("there is no {one} `{}`", name.escape_debug());
    let code = match kind {
        "bastions" => Code::UnknownBastion,
        _ => Code::UnknownTunnel,
    };
    Err(Error::Refused(Refusal::new(code, detail)))
}

fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(text).map_err(|error| Error::Garbled(error.to_string()))
}

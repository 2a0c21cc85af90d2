//! Where the connections of a tunnel come out: what StartSession is given, and what people read of it.

use crate::aws::{Address, Aws, Error};
use crate::config::Remote;

/// What StartSession is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The host; `None`: the target itself.
    pub host: Option<String>,
    /// The port there.
    pub port: u16,
}

impl Place {
    /// As configured. A database that is named by its id is looked up: its writer may have moved since the last time.
    pub async fn find(remote: &Remote, aws: &Aws) -> Result<Self, Error> {
        let (host, port) = match remote {
            Remote::Target { port } => (None, *port),
            Remote::Host { name, port } => (Some(name.clone()), *port),
            Remote::Database { selector, port } => {
                let Address { host, port } = aws.locate(selector, *port).await?;
                tracing::info!(%selector, host, port, "found the database");
                (Some(host), port)
            }
        };
        Ok(Self { host, port })
    }

    /// In words, with the name that the configuration has for it.
    pub fn shown(&self, remote: &Remote) -> String {
        match (&self.host, remote) {
            (Some(host), Remote::Database { selector, .. }) => {
                format!("{host}:{} ({selector})", self.port)
            }
            _ => unresolved(remote),
        }
    }
}

/// A remote as far as it is known without a session.
pub fn unresolved(remote: &Remote) -> String {
    match remote {
        Remote::Database { selector, .. } => selector.to_string(),
        Remote::Host { name, port } => format!("{name}:{port}"),
        Remote::Target { port } => format!("port {port} of the target"),
    }
}

//! Why a call had no answer, and the one thing to do about it.

use std::{io, path::PathBuf, time::Duration};

use crate::control::{Refusal, socket};

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
    Socket(#[from] socket::Error),
    /// It was there, and went away instead of answering.
    #[error("the daemon at `{}` went away before it answered ({error})", .socket.display())]
    Gone {
        /// Where it was.
        socket: PathBuf,
        /// What the connection said.
        error: hyper::Error,
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

//! The daemon's door: HTTP/1.1 and JSON on a Unix socket that only its owner can open.
//!
//! [`socket`] claims the place, [`server`] answers there, [`client`] asks. What the daemon can do is handed to the
//! server as a [`Door`]; nothing here knows tunnels or AWS.
//!
//! ```text
//! server: accept, check uid, bound ─▶ guard: no browsers ─▶ routes ─▶ answer ─┬▶ Shown, at once
//!                                                                           ├▶ Command, and its reply
//!                                                                           └▶ wait, events, logs: until …
//! ```

mod answer;
mod call;
pub mod client;
pub(crate) mod code;
mod follow;
mod guard;
mod mfa;
mod openapi;
mod query;
mod refusal;
mod routes;
pub mod server;
pub mod socket;
mod wait;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::{
    events::Events,
    status::{Connection, InForce, Orphan, Problem, Reloaded, Status},
};
pub use mfa::MfaCode;
pub use refusal::Refusal;
pub use wait::Goal;

/// What the daemon lets through its door.
#[derive(Clone)]
pub struct Door {
    shown: Arc<Shown>,
    commands: mpsc::Sender<Command>,
    waiting: Arc<Semaphore>,
    following: Arc<Semaphore>,
    owner: u32,
}

/// What can be read at any time, without asking anybody.
pub struct Shown {
    /// How the daemon is. Called several times a request; must not wait.
    pub status: Box<dyn Fn() -> Status + Send + Sync>,
    /// The open connections. May read files: it is called where that holds up nobody.
    pub connections: Box<dyn Fn() -> Vec<Connection> + Send + Sync>,
    /// The configuration in force, if the daemon was given one that it can show.
    pub config: Box<dyn Fn() -> Option<InForce> + Send + Sync>,
    /// What changes.
    pub events: Events,
    /// The folder of the logs, if they are written.
    pub logs: Option<PathBuf>,
}

impl Door {
    /// A door for the user this process runs as.
    pub fn new(shown: Shown, commands: mpsc::Sender<Command>) -> Door {
        Door {
            shown: Arc::new(shown),
            commands,
            waiting: Arc::new(Semaphore::new(MOST_WAITING)),
            following: Arc::new(Semaphore::new(MOST_FOLLOWING)),
            owner: rustix::process::geteuid().as_raw(),
        }
    }

    /// The same door for another user, by uid.
    pub fn owned_by(self, uid: u32) -> Door {
        Door { owner: uid, ..self }
    }
}

/// For how long a bastion is kept for who asked for it. Asking again prolongs it; a caller that is gone holds nothing.
pub const HOLD: Duration = Duration::from_secs(60);

/// So many callers may wait for a tunnel. Fewer than calls there may be at once: asking for the status and stopping the
/// daemon must always be possible.
const MOST_WAITING: usize = 16;
/// So many may follow events and logs, which has no end.
const MOST_FOLLOWING: usize = 8;

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door")
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

/// What a caller wants done. The caller waits for the reply; dropping it unanswered says that the daemon stops.
#[derive(Debug)]
pub enum Command {
    /// Bring a tunnel's session up; replied to when it is ready or has failed.
    Up {
        /// The tunnel, which exists.
        tunnel: String,
        /// The outcome.
        reply: oneshot::Sender<Result<(), Problem>>,
    },
    /// End a tunnel's sessions; the listener stays. Replied to when they are ended.
    Down {
        /// The tunnel, which exists.
        tunnel: String,
        /// The outcome.
        reply: oneshot::Sender<Result<(), Problem>>,
    },
    /// End a tunnel's sessions and start a new one; replied to when that is ready or has failed.
    Restart {
        /// The tunnel, which exists.
        tunnel: String,
        /// The outcome.
        reply: oneshot::Sender<Result<(), Problem>>,
    },
    /// Cut a tunnel's sessions off at once; the listener stays. Replied to when no connection is left on them.
    Reset {
        /// The tunnel, which exists.
        tunnel: String,
        /// The outcome.
        reply: oneshot::Sender<Result<(), Problem>>,
    },
    /// Read the configuration again and apply what has changed. A bad file is refused whole.
    Reload {
        /// What has changed.
        reply: oneshot::Sender<Result<Reloaded, Problem>>,
    },
    /// Keep a tunnel's bastion for so long, though nobody may be connected.
    Keep {
        /// The tunnel, which exists and goes through a bastion.
        tunnel: String,
        /// For how long.
        time: Duration,
    },
    /// Have a bastion run and keep it for [`HOLD`]; replied to when it is ready or has failed.
    Hold {
        /// The bastion, which exists.
        bastion: String,
        /// The outcome.
        reply: oneshot::Sender<Result<(), Problem>>,
    },
    /// Look for tasks and sessions that nobody looks after.
    Orphans {
        /// End them, too.
        end: bool,
        /// What was found.
        reply: oneshot::Sender<Result<Vec<Orphan>, Problem>>,
    },
    /// Assume the role of an account with a code of an MFA device.
    Mfa {
        /// The bastion whose account it is, if one was named.
        bastion: Option<String>,
        /// The code.
        code: MfaCode,
        /// The outcome.
        reply: oneshot::Sender<Result<(), Problem>>,
    },
    /// Restart the daemon as a new program; replied to when it is on its way, or why it cannot be.
    RestartDaemon {
        /// The outcome.
        reply: oneshot::Sender<Result<(), Problem>>,
    },
    /// Stop the daemon, as SIGTERM does.
    Shutdown,
}

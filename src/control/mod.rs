//! The daemon's door: HTTP/1.1 and JSON on a Unix socket that only its owner can open.
//!
//! [`socket`] claims the place, [`server`] answers there, [`client`] asks. What the daemon can do is handed to the
//! server as a [`Door`]; nothing here knows tunnels or AWS.

pub mod client;
mod guard;
mod refusal;
mod routes;
pub mod server;
pub mod socket;

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::status::{Orphan, Problem, Status};
pub use refusal::Refusal;

/// What the daemon lets through its door.
#[derive(Clone)]
pub struct Door {
    status: Arc<dyn Fn() -> Status + Send + Sync>,
    commands: mpsc::Sender<Command>,
    waiting: Arc<Semaphore>,
    owner: u32,
}

impl Door {
    /// A door for the user this process runs as. `status` is called once or twice a request and must not wait.
    pub fn new(
        status: impl Fn() -> Status + Send + Sync + 'static,
        commands: mpsc::Sender<Command>,
    ) -> Door {
        Door {
            status: Arc::new(status),
            commands,
            waiting: Arc::new(Semaphore::new(MOST_WAITING)),
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
    /// Restart the daemon as a new program; replied to when it is on its way, or why it cannot be.
    Restart {
        /// The outcome.
        reply: oneshot::Sender<Result<(), Problem>>,
    },
    /// Stop the daemon, as SIGTERM does.
    Shutdown,
}

//! A tunnel: one local address, and the sessions behind it.
//!
//! One task with one loop. It holds accepted connections until a session can take them, asks the
//! bastion for a lease when it needs one, and lets sessions and lease go when nobody is connected.
//! Which session a connection goes to is `placement`'s decision. The listener outlives everything that happens here.

mod board;
mod bridge;
mod claim;
mod conn;
mod containers;
mod desk;
pub mod link;
mod listener;
mod pipe;
mod placement;
pub(crate) mod reason;
pub(crate) mod remote;
mod renewal;
mod roster;
mod session;
mod view;

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::select_ok;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::aws::Aws;
use crate::bastion;
use crate::config;
use crate::net::Net;
use crate::session::changes::Changes;
use crate::sockets::{Origin, Sockets};
use crate::state::State;
use crate::status::{self, Problem};

pub use containers::Containers;

use board::{Board, Surroundings};
use conn::Counters;
use desk::{Inbox, Tunnel};
use listener::{Binding, Place};

pub use roster::Roster;

/// Connections accepted and not yet looked at.
const ACCEPTED: usize = 64;

/// What all tunnels share.
#[derive(Clone)]
pub struct Shared {
    /// The calls.
    pub aws: Aws,
    /// The way out.
    pub net: Net,
    /// Where sessions are remembered for the next start.
    pub state: State,
    /// Who asks, for the account's session list.
    pub user: String,
    /// What open connections are given to end by themselves at shutdown.
    pub drain: Duration,
    /// Notified when a session is about to be started, and so credentials are about to be used.
    pub starting: Arc<Notify>,
    /// What changes around all tunnels.
    pub changes: Changes,
    /// Where open connections are listed.
    pub roster: Roster,
    /// Sockets that are older than this process, or outlive it.
    pub sockets: Sockets,
    /// One for each local connection that there may be at once, over all tunnels.
    pub seats: Arc<Semaphore>,
    /// The sessions of all tunnels, by the containers that they are in.
    pub containers: Containers,
}

/// A request to a tunnel. The answer comes when it is done.
#[derive(Debug)]
pub enum Command {
    /// Have a session ready, as if somebody had connected.
    Up(oneshot::Sender<Result<(), Problem>>),
    /// End its sessions and let the bastion go; the next connection starts again.
    Down(oneshot::Sender<Result<(), Problem>>),
    /// End its sessions and have a new one ready.
    Restart(oneshot::Sender<Result<(), Problem>>),
    /// Cut its sessions off, whatever they are doing. Done when no connection is left on them.
    Reset(oneshot::Sender<Result<(), Problem>>),
    /// Accept nothing more, and end when what was accepted is done, or the time for that is over.
    Close,
}

/// A running tunnel, as others see it.
#[derive(Clone)]
pub struct Handle {
    config: Arc<config::Tunnel>,
    commands: mpsc::Sender<Command>,
    board: watch::Receiver<Board>,
    bindings: Vec<(SocketAddr, watch::Receiver<Binding>)>,
    counters: Arc<Counters>,
    bastion: Option<bastion::Handle>,
}

impl Handle {
    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// The bastion that it goes through.
    pub fn bastion(&self) -> Option<&bastion::Handle> {
        self.bastion.as_ref()
    }

    /// Whether it has a session, or is starting one.
    pub fn has_sessions(&self) -> bool {
        !self.board.borrow().sessions.is_empty()
    }

    /// Whether the service manager owns all its ports.
    pub fn is_activated(&self) -> bool {
        self.bindings.iter().all(|(_, binding)| {
            let binding = binding.borrow();
            let is_systems = matches!(
                *binding,
                Binding::Bound {
                    origin: Origin::System,
                    ..
                }
            );
            is_systems || *binding == Binding::Absent
        })
    }

    /// Nobody is connected or waits, and no session is open.
    pub fn is_at_rest(&self) -> bool {
        let board = self.board.borrow();
        board.sessions.is_empty() && board.waiting == 0 && board.starting_since.is_none()
    }

    /// How many bytes it has carried so far.
    pub fn carried(&self) -> u64 {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        load(&self.counters.sent) + load(&self.counters.received)
    }

    /// Wait until none of its addresses is listened at any more.
    pub async fn unbound(&mut self) {
        for (_, binding) in &mut self.bindings {
            while binding.changed().await.is_ok() {}
        }
    }

    /// Wait for its end.
    pub async fn ended(&self) {
        self.commands.closed().await;
    }

    /// What it is doing. Reads what was published; wakes nobody.
    pub fn status(&self, now: Instant) -> status::Tunnel {
        let around = Surroundings {
            config: &self.config,
            bindings: &self.bindings,
            counters: &self.counters,
            bastion: self.bastion.as_ref(),
        };
        board::status(&self.board.borrow(), &around, now)
    }

    /// Wait until the status may be another. `false` when the tunnel has ended.
    pub async fn changed(&mut self) -> bool {
        let bindings = self.bindings.iter_mut();
        let bindings = bindings.map(|(_, binding)| Box::pin(binding.changed()));
        // A listener that has ended says nothing more.
        let bound = async {
            match select_ok(bindings).await {
                Ok(_) => {}
                Err(_) => pending().await,
            }
        };
        tokio::select! {
            changed = self.board.changed() => changed.is_ok(),
            () = bound => true,
        }
    }

    /// Wait until it or its bastion shows something else; false when one has ended.
    pub async fn changed_with_its_bastion(&mut self) -> bool {
        match &mut self.bastion {
            None => self.board.changed().await.is_ok(),
            Some(bastion) => tokio::select! {
                changed = self.board.changed() => changed.is_ok(),
                changed = bastion.changed() => changed,
            },
        }
    }

    /// Wait until each of its addresses was bound, or was found taken.
    pub async fn listening(&mut self) {
        for (_, binding) in &mut self.bindings {
            let _ = binding
                .wait_for(|binding| *binding != Binding::Unbound)
                .await;
        }
    }

    /// Ask it to do something. The channel in the command is dropped if the tunnel has ended.
    pub async fn command(&self, command: Command) {
        let _ = self.commands.send(command).await;
    }
}

/// Start a tunnel on `tasks`. It listens at once and ends when `cancel` is cancelled.
pub fn spawn(
    tasks: &mut JoinSet<()>,
    config: config::Tunnel,
    bastion: Option<bastion::Handle>,
    shared: Shared,
    cancel: CancellationToken,
) -> Handle {
    let now = Instant::now();
    let (commands, command_receiver) = mpsc::channel(8);
    let (board, board_receiver) = watch::channel(Board::new(now));
    let (accepted, incoming) = mpsc::channel(ACCEPTED);
    let mut listeners = JoinSet::new();
    let mut bindings = Vec::new();
    let closing = cancel.child_token();
    for &address in &config.listen {
        let (binding, receiver) = watch::channel(Binding::Unbound);
        let door = listener::Door {
            accepted: accepted.clone(),
            seats: Arc::clone(&shared.seats),
            roster: shared.roster.clone(),
        };
        let place = Place {
            tunnel: config.name.clone(),
            address,
            sockets: shared.sockets.clone(),
        };
        listeners.spawn(listener::run(place, binding, door, closing.clone()));
        bindings.push((address, receiver));
    }
    let config = Arc::new(config);
    let counters = Arc::new(Counters::default());
    let handle = Handle {
        config: Arc::clone(&config),
        commands,
        board: board_receiver,
        bindings,
        counters: Arc::clone(&counters),
        bastion: bastion.clone(),
    };
    let inbox = Inbox {
        incoming,
        commands: command_receiver,
        listeners,
        closing,
        cancel,
    };
    let tunnel = Tunnel::new(config, bastion, shared, counters, board, inbox);
    let span = tracing::info_span!("tunnel", name = handle.name());
    if let config::Remote::Database { selector, .. } = &handle.config.remote
        && let Some(caution) = selector.kind.caution()
    {
        tracing::warn!(parent: &span, %selector, "{caution}");
    }
    tasks.spawn(tunnel.run().instrument(span));
    handle
}

//! One local address of a tunnel: bound before anything else, and for as long as the daemon lives.
//!
//! A port that somebody else holds is tried again until it is free; meanwhile the status says who
//! has it.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::conn::Accepted;
use crate::platform;

/// How often a taken port is tried again.
const RETRY: Duration = Duration::from_secs(2);
/// How long to leave a system alone that has run out of file descriptors.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// Connections the system completes before we have accepted them: a pool may open a hundred.
const BACKLOG: u32 = 1024;

/// How an address is doing.
#[derive(Debug, Clone, PartialEq)]
pub enum Binding {
    /// Nothing was tried yet.
    Unbound,
    /// Bound to this address, whose port the system may have chosen.
    Bound(SocketAddr),
    /// IPv6 is switched off on this system, so it has no such address.
    Absent,
    /// Not bound.
    Busy {
        /// What the system said.
        error: String,
        /// Who has the port, where the system tells.
        holder: Option<String>,
    },
}

/// Serve one address until cancelled: bind it, again and again if it must be, and pass on what it
/// accepts.
pub async fn run(
    address: SocketAddr,
    binding: watch::Sender<Binding>,
    accepted: mpsc::Sender<Accepted>,
    seats: Arc<Semaphore>,
    cancel: CancellationToken,
) {
    let serving = async {
        let listener = bind_until_done(address, &binding).await;
        accept(listener, accepted, seats).await;
    };
    tokio::select! {
        () = serving => {}
        () = cancel.cancelled() => {}
    }
}

async fn bind_until_done(address: SocketAddr, binding: &watch::Sender<Binding>) -> TcpListener {
    loop {
        match bind(address) {
            Ok((listener, bound)) => {
                tracing::info!(address = %bound, "listening");
                binding.send_replace(Binding::Bound(bound));
                return listener;
            }
            Err(error) => busy(address, &error, binding).await,
        }
        sleep(RETRY).await;
    }
}

fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Otherwise a restart would have to wait for connections of the previous run to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

async fn busy(address: SocketAddr, error: &io::Error, binding: &watch::Sender<Binding>) {
    if error.kind() == io::ErrorKind::AddrNotAvailable && address.ip() == Ipv6Addr::LOCALHOST {
        binding.send_replace(Binding::Absent);
        return;
    }
    let holder = tokio::task::spawn_blocking(move || platform::port_holder::of(address)).await;
    let holder = holder.ok().flatten().map(|holder| holder.to_string());
    let now = Binding::Busy {
        error: error.to_string(),
        holder,
    };
    if *binding.borrow() != now {
        tracing::warn!(%address, %error, binding = ?now, "cannot listen; will try again");
        binding.send_replace(now);
    }
}

async fn accept(listener: TcpListener, accepted: mpsc::Sender<Accepted>, seats: Arc<Semaphore>) {
    let mut crowded = false;
    loop {
        let seat = seat(&seats, &mut crowded).await;
        let (socket, peer) = match listener.accept().await {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(EXHAUSTED).await;
                continue;
            }
        };
        if accepted
            .send(Accepted::new(socket, peer, seat))
            .await
            .is_err()
        {
            return;
        }
    }
}

/// Who comes when all are taken waits in the system's backlog.
async fn seat(seats: &Arc<Semaphore>, crowded: &mut bool) -> OwnedSemaphorePermit {
    let free = Arc::clone(seats).try_acquire_owned().ok();
    if free.is_none() && !*crowded {
        tracing::warn!(
            "no more connections are accepted until one ends: the system allows no more open files"
        );
    }
    *crowded = free.is_none();
    match free {
        Some(seat) => seat,
        None => {
            let next = Arc::clone(seats).acquire_owned().await;
            next.expect("the semaphore is never closed")
        }
    }
}

//! One local address of a tunnel: bound before anything else, and for as long as the daemon lives.
//!
//! A socket that was open before this process began, because the service manager owns the port or because the daemon
//! was restarted, is taken instead, and put back in the end. Nothing is accepted that the tunnel has no room for: it
//! waits in the socket, whoever serves it then.
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
use super::roster::Roster;
use crate::platform;
use crate::sockets::{Origin, Sockets};

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
    /// Bound.
    Bound {
        /// To this address, whose port the system may have chosen.
        at: SocketAddr,
        /// By whom.
        origin: Origin,
    },
    /// IPv6 is switched off on this system, so it has no such address. No harm where the tunnel has others.
    Absent,
    /// Not bound.
    Busy {
        /// What the system said, unless it is that somebody has the port.
        error: Option<String>,
        /// Who has the port, where the system tells.
        holder: Option<String>,
    },
}

/// Where accepted connections go.
pub struct Door {
    /// To the tunnel.
    pub accepted: mpsc::Sender<Accepted>,
    /// One for each that there may be.
    pub seats: Arc<Semaphore>,
    /// Where they are listed.
    pub roster: Roster,
}

/// What a listener listens for.
pub struct Place {
    /// The tunnel's name.
    pub tunnel: String,
    /// One of its addresses.
    pub address: SocketAddr,
    /// Where its socket may come from, and goes to.
    pub sockets: Sockets,
}

/// Serve one address until cancelled: bind it, again and again if it must be, and pass on what it
/// accepts.
pub async fn run(
    place: Place,
    binding: watch::Sender<Binding>,
    door: Door,
    cancel: CancellationToken,
) {
    let bound = cancel.run_until_cancelled(place.bind_until_done(&binding));
    let Some((listener, origin)) = bound.await else {
        return;
    };
    cancel
        .run_until_cancelled(accept(&listener, place.tunnel.as_str().into(), door))
        .await;
    if let Ok(listener) = listener.into_std() {
        let Place {
            tunnel, sockets, ..
        } = place;
        sockets.put_back_tcp(&tunnel, listener, origin);
    }
}

impl Place {
    async fn bind_until_done(&self, binding: &watch::Sender<Binding>) -> (TcpListener, Origin) {
        loop {
            match self.bind() {
                Ok((listener, at, origin)) => {
                    tracing::info!(address = %at, ?origin, "listening");
                    binding.send_replace(Binding::Bound { at, origin });
                    return (listener, origin);
                }
                Err(error) => busy(self.address, &error, binding).await,
            }
            sleep(RETRY).await;
        }
    }

    fn bind(&self) -> io::Result<(TcpListener, SocketAddr, Origin)> {
        let (listener, origin) = match self.sockets.take_tcp(&self.tunnel, self.address) {
            Some((inherited, origin)) => {
                inherited.set_nonblocking(true)?;
                (TcpListener::from_std(inherited)?, origin)
            }
            None => (bind(self.address)?, Origin::Own),
        };
        let at = listener.local_addr()?;
        Ok((listener, at, origin))
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Otherwise a restart would have to wait for connections of the previous run to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn busy(address: SocketAddr, error: &io::Error, binding: &watch::Sender<Binding>) {
    if error.kind() == io::ErrorKind::AddrNotAvailable && address.ip() == Ipv6Addr::LOCALHOST {
        binding.send_replace(Binding::Absent);
        return;
    }
    let now = match error.kind() {
        io::ErrorKind::AddrInUse => Binding::Busy {
            error: None,
            holder: holder_of(address).await,
        },
        _ => Binding::Busy {
            error: Some(error.to_string()),
            holder: None,
        },
    };
    if *binding.borrow() != now {
        tracing::warn!(%address, %error, binding = ?now, "cannot listen; will try again");
        binding.send_replace(now);
    }
}

async fn holder_of(address: SocketAddr) -> Option<String> {
    let holder = tokio::task::spawn_blocking(move || platform::port_holder::of(address)).await;
    holder.ok().flatten().map(|holder| holder.to_string())
}

async fn accept(listener: &TcpListener, tunnel: Arc<str>, door: Door) {
    let mut crowded = false;
    while let Ok(room) = door.accepted.reserve().await {
        let seat = seat(&door.seats, &mut crowded).await;
        let (socket, peer) = match listener.accept().await {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(EXHAUSTED).await;
                continue;
            }
        };
        let Ok(local) = socket.local_addr() else {
            continue;
        };
        let ticket = door.roster.enter(&tunnel, local, peer, seat);
        room.send(Accepted::new(socket, peer, ticket));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_has_a_port_is_told_and_what_else_the_system_says_is_no_holder() {
        let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = held.local_addr().unwrap();
        let taken = after(address, io::ErrorKind::AddrInUse).await;
        let Binding::Busy { error, holder } = taken else {
            panic!("{taken:?}");
        };
        assert_eq!(error, None);
        if cfg!(target_os = "linux") {
            let pid = std::process::id().to_string();
            assert!(holder.is_some_and(|holder| holder.contains(&pid)));
        }
        let denied = after(address, io::ErrorKind::PermissionDenied).await;
        let Binding::Busy { error, holder } = denied else {
            panic!("{denied:?}");
        };
        assert!(error.is_some_and(|error| error.contains("permission denied")));
        assert_eq!(holder, None);
        let absent = after("[::1]:5".parse().unwrap(), io::ErrorKind::AddrNotAvailable);
        assert_eq!(absent.await, Binding::Absent);
    }

    async fn after(address: SocketAddr, kind: io::ErrorKind) -> Binding {
        let (binding, now) = watch::channel(Binding::Unbound);
        busy(address, &io::Error::from(kind), &binding).await;
        now.borrow().clone()
    }
}

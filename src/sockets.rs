//! Listening sockets that are older than this process, or outlive it.
//!
//! The service manager may own the ports (socket activation): then they are taken from it instead of bound, and go
//! back to it untouched. A restart hands all of them to the next program, so that nobody who connects meanwhile is
//! refused: the process executes the new program in its own place, and keeps its pid and what is open.
//!
//! ```text
//! systemd, launchd ─┐                 ┌─▶ tunnel::listener, control::socket
//! the program before ─ inherited() ─▶ take ─ … ─ put_back ─ execute() ─▶ the program after
//! ```
//!
//! What is put back is closed, unless it is the system's or there is a program after.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};

use crate::platform::activation::{self, Listener};

/// Opens the names of sockets that this program opened itself; the tunnel's name follows.
const OWN: &str = "own.";
/// The name of the control socket after that.
const CONTROL: &str = "";
/// Descriptors from here on are free, as a rule, when little else is open.
const FIRST_FD: i32 = 64;
/// How often a row of free descriptors is looked for.
const ATTEMPTS: usize = 16;

/// Who opened a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This program, now or before it was restarted.
    Own,
    /// The service manager.
    System,
}

/// The sockets that nobody uses at the moment; cheap to clone, all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Sockets(Arc<Mutex<Shelf>>);

#[derive(Debug, Default)]
struct Shelf {
    sockets: Vec<Socket>,
    /// There is a program after this one.
    goes_on: bool,
}

#[derive(Debug)]
struct Socket {
    /// The tunnel's name; empty when it is the system's, or the control socket.
    owner: String,
    origin: Origin,
    listener: Listener,
}

impl Sockets {
    /// What was open before this process began. Call it once, before any thread exists.
    pub fn inherited() -> Self {
        let named = activation::inherited().into_iter();
        let sockets = named.map(|it| {
            let own = it.name.strip_prefix(OWN).map(str::to_owned);
            Socket {
                origin: match own {
                    Some(_) => Origin::Own,
                    None => Origin::System,
                },
                owner: own.unwrap_or_default(),
                listener: it.listener,
            }
        });
        let shelf = Shelf {
            sockets: sockets.collect(),
            goes_on: false,
        };
        Self(Arc::new(Mutex::new(shelf)))
    }

    /// The socket of this address, for good. For port 0, the one that this tunnel had before.
    pub fn take_tcp(&self, tunnel: &str, address: SocketAddr) -> Option<(TcpListener, Origin)> {
        let fits = |bound: SocketAddr, owner: &str| {
            let is_port = match address.port() {
                0 => owner == tunnel,
                port => port == bound.port(),
            };
            is_port && bound.ip() == address.ip()
        };
        self.take(|socket| match &socket.listener {
            Listener::Tcp(tcp) => tcp
                .local_addr()
                .is_ok_and(|bound| fits(bound, &socket.owner)),
            Listener::Unix(_) => false,
        })
        .and_then(|socket| match socket.listener {
            Listener::Tcp(tcp) => Some((tcp, socket.origin)),
            Listener::Unix(_) => None,
        })
    }

    /// The socket of this path, for good.
    pub fn take_unix(&self, path: &Path) -> Option<(UnixListener, Origin)> {
        self.take(|socket| socket.listener.is_at(path))
            .and_then(|socket| match socket.listener {
                Listener::Unix(unix) => Some((unix, socket.origin)),
                Listener::Tcp(_) => None,
            })
    }

    /// Whether the socket of this path is there.
    pub fn has_unix(&self, path: &Path) -> bool {
        let shelf = self.shelf();
        shelf.sockets.iter().any(|it| it.listener.is_at(path))
    }

    fn take(&self, is_it: impl Fn(&Socket) -> bool) -> Option<Socket> {
        let mut shelf = self.shelf();
        let at = shelf.sockets.iter().position(is_it)?;
        Some(shelf.sockets.swap_remove(at))
    }

    /// A tunnel is done with a socket.
    pub fn put_back_tcp(&self, tunnel: &str, listener: TcpListener, origin: Origin) {
        self.put_back(tunnel, Listener::Tcp(listener), origin);
    }

    /// The control API is done with its socket; whether it stays open.
    pub fn put_back_unix(&self, listener: UnixListener, origin: Origin) -> bool {
        self.put_back(CONTROL, Listener::Unix(listener), origin)
    }

    fn put_back(&self, owner: &str, listener: Listener, origin: Origin) -> bool {
        let mut shelf = self.shelf();
        let stays = shelf.goes_on || origin == Origin::System;
        if stays {
            let owner = match origin {
                Origin::Own => owner.to_owned(),
                Origin::System => String::new(),
            };
            shelf.sockets.push(Socket {
                owner,
                origin,
                listener,
            });
        }
        stays
    }

    /// What the system opened for us and nobody has taken, in words.
    pub fn unused(&self) -> Vec<String> {
        let shelf = self.shelf();
        let systems = shelf
            .sockets
            .iter()
            .filter(|it| it.origin == Origin::System);
        systems.map(|it| it.listener.shown()).collect()
    }

    /// There will be a program after this one, or there will not after all.
    pub fn go_on(&self, goes_on: bool) {
        let mut shelf = self.shelf();
        shelf.goes_on = goes_on;
        shelf
            .sockets
            .retain(|it| goes_on || it.origin == Origin::System);
    }

    /// Whether there is a program after this one.
    pub fn goes_on(&self) -> bool {
        self.shelf().goes_on
    }

    /// Become another program, with all sockets that were put back. Comes back only to say why not.
    pub fn execute(&self, mut command: Command) -> io::Error {
        let shelf = self.shelf();
        let fds = match in_a_row(&shelf.sockets) {
            Ok(fds) => fds,
            Err(error) => return error,
        };
        let names: Vec<String> = shelf.sockets.iter().map(Socket::name).collect();
        command
            .env("LISTEN_PID", std::process::id().to_string())
            .env("LISTEN_FDS", fds.len().to_string())
            .env("LISTEN_FDNAMES", names.join(":"));
        if let Some(first) = fds.first() {
            use std::os::fd::AsRawFd as _;
            command.env("LISTEN_FDS_FIRST_FD", first.as_raw_fd().to_string());
        }
        for fd in &fds {
            if let Err(error) = fcntl_setfd(fd, FdFlags::empty()) {
                return error.into();
            }
        }
        command.exec()
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Socket {
    fn name(&self) -> String {
        match self.origin {
            Origin::Own => format!("{OWN}{}", self.owner),
            Origin::System => "system".to_owned(),
        }
    }
}

impl Listener {
    fn is_at(&self, path: &Path) -> bool {
        let Self::Unix(unix) = self else {
            return false;
        };
        let bound = unix.local_addr().ok();
        bound.is_some_and(|bound| bound.as_pathname() == Some(path))
    }

    fn shown(&self) -> String {
        match self {
            Self::Tcp(tcp) => tcp
                .local_addr()
                .map_or_else(|error| error.to_string(), |address| address.to_string()),
            Self::Unix(unix) => unix
                .local_addr()
                .ok()
                .and_then(|address| Some(address.as_pathname()?.display().to_string()))
                .unwrap_or_else(|| "a socket without a path".to_owned()),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.listener {
            Listener::Tcp(tcp) => tcp.as_fd(),
            Listener::Unix(unix) => unix.as_fd(),
        }
    }
}

/// Copies whose numbers follow each other, as the convention wants it.
fn in_a_row(sockets: &[impl AsFd]) -> io::Result<Vec<OwnedFd>> {
    let mut first = FIRST_FD;
    for _ in 0..ATTEMPTS {
        match row_from(first, sockets)? {
            Ok(row) => return Ok(row),
            Err(taken) => first = taken,
        }
    }
    Err(io::Error::other("no row of descriptors is free"))
}

/// Or where to try next.
fn row_from(first: i32, sockets: &[impl AsFd]) -> io::Result<Result<Vec<OwnedFd>, i32>> {
    use std::os::fd::AsRawFd as _;
    let mut row: Vec<OwnedFd> = Vec::new();
    for socket in sockets {
        let wanted = row.last().map_or(first, |last| last.as_raw_fd() + 1);
        let copy = fcntl_dupfd_cloexec(socket, wanted)?;
        if !row.is_empty() && copy.as_raw_fd() != wanted {
            return Ok(Err(copy.as_raw_fd()));
        }
        row.push(copy);
    }
    Ok(Ok(row))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn a_socket_is_taken_by_its_address_once() {
        let sockets = Sockets::default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(sockets.put_back(CONTROL, Listener::Tcp(listener), Origin::System));
        assert_eq!(sockets.unused(), [address.to_string()]);
        let other = SocketAddr::new([127, 0, 0, 2].into(), address.port());
        assert!(sockets.take_tcp("db", other).is_none());
        let (_, origin) = sockets.take_tcp("db", address).unwrap();
        assert_eq!(origin, Origin::System);
        assert!(sockets.take_tcp("db", address).is_none());
        assert!(sockets.unused().is_empty());
    }

    #[test]
    fn a_port_of_the_systems_choice_stays_with_its_tunnel() {
        let sockets = Sockets::default();
        sockets.go_on(true);
        let any = "127.0.0.1:0".parse().unwrap();
        let bound = ["a", "b"].map(|tunnel| {
            let listener = TcpListener::bind(any).unwrap();
            let bound = listener.local_addr().unwrap();
            sockets.put_back_tcp(tunnel, listener, Origin::Own);
            bound
        });
        let again = ["a", "b"].map(|tunnel| {
            let (listener, _) = sockets.take_tcp(tunnel, any).unwrap();
            listener.local_addr().unwrap()
        });
        assert_eq!(again, bound);
    }

    #[test]
    fn what_is_our_own_is_closed_unless_there_is_a_program_after() {
        let sockets = Sockets::default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        sockets.put_back_tcp("db", listener.try_clone().unwrap(), Origin::Own);
        assert!(sockets.take_tcp("db", address).is_none());
        sockets.go_on(true);
        sockets.put_back_tcp("db", listener, Origin::Own);
        sockets.go_on(false);
        assert!(sockets.take_tcp("db", address).is_none());
    }

    #[test]
    fn copies_have_numbers_in_a_row() {
        let listeners: Vec<_> = (0..20)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let row = in_a_row(&listeners).unwrap();
        let numbers: Vec<i32> = row.iter().map(|fd| fd.as_raw_fd()).collect();
        let expected: Vec<i32> = (numbers[0]..).take(20).collect();
        assert_eq!(numbers, expected);
        assert!(numbers[0] >= FIRST_FD);
    }
}

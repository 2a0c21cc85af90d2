//! Listening sockets that were open before this process began: the service manager's, or those of the program that
//! executed this one.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;

/// One of them.
#[derive(Debug)]
pub struct Inherited {
    /// What whoever opened it calls it; may be empty.
    pub name: String,
    /// The socket.
    pub listener: Listener,
}

/// A listening socket.
#[derive(Debug)]
pub enum Listener {
    /// A port.
    Tcp(TcpListener),
    /// A path.
    Unix(UnixListener),
}

/// All of them, in systemd's convention (`sd_listen_fds(3)`) and, at launchd's first start of us, in its own. They are
/// not handed to programs that this one runs. Call it once, before any thread exists: it takes them out of the
/// environment.
pub fn inherited() -> Vec<Inherited> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut inherited = Vec::new();
    let mut fds = listenfd::ListenFd::from_env();
    for index in 0..fds.len() {
        let name = names.next().unwrap_or_default().to_owned();
        let tcp = fds.take_tcp_listener(index).ok().flatten();
        let listener = tcp.map(Listener::Tcp).or_else(|| {
            let unix = fds.take_unix_listener(index).ok().flatten();
            unix.map(Listener::Unix)
        });
        match listener {
            Some(listener) => inherited.push(Inherited { name, listener }),
            None => crate::errln!("warning: inherited socket {index} is none that can be used"),
        }
    }
    if inherited.is_empty() {
        inherited = manager::sockets();
    }
    inherited
}

#[cfg(not(target_os = "macos"))]
mod manager {
    use super::Inherited;

    /// They came by the environment.
    pub(super) fn sockets() -> Vec<Inherited> {
        Vec::new()
    }
}

#[cfg(target_os = "macos")]
mod manager {
    use super::{Inherited, Listener};
    use crate::platform::launchd;

    pub(super) fn sockets() -> Vec<Inherited> {
        let named = |fd| Inherited {
            name: launchd::SOCKETS.to_owned(),
            listener: Listener::Tcp(fd),
        };
        let sockets = launchd::sockets().into_iter();
        sockets.map(|fd| named(fd.into())).collect()
    }
}

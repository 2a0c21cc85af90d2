//! The system's own news of the network: links, addresses and routes that come and go.

use std::io;
use std::os::unix::net::UnixDatagram;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "macos")]
use macos as system;

/// A socket that becomes readable whenever something about the network has changed. What it then gives is the
/// system's own message, of no further interest.
///
/// It is no Unix socket. But it is one of datagrams, from which nothing is asked but `recv`, and this is the type
/// under which the runtime waits for such a socket.
///
/// # Errors
/// When the system does not tell, or not this process.
pub fn changes() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::from(system::socket()?);
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;

    use rustix::fd::OwnedFd;
    use rustix::net::netlink::SocketAddrNetlink;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

    /// Groups of `NETLINK_ROUTE` (`linux/rtnetlink.h`): links, and the addresses and routes of both families.
    const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

    pub fn socket() -> io::Result<OwnedFd> {
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        Ok(socket)
    }
}

#[cfg(target_os = "macos")]
mod macos {
    use std::io;

    use rustix::fd::OwnedFd;
    use rustix::io::{FdFlags, fcntl_setfd};
    use rustix::net::{AddressFamily, SocketType, socket as open};

    pub fn socket() -> io::Result<OwnedFd> {
        let socket = open(AddressFamily::ROUTE, SocketType::RAW, None)?;
        fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
        Ok(socket)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
mod system {
    use std::io;

    use rustix::fd::OwnedFd;

    pub fn socket() -> io::Result<OwnedFd> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_and_has_nothing_to_say_at_first() {
        let socket = changes().expect("any process may listen");
        // Somebody else's change may come at any moment; an error of another kind may not.
        if let Err(error) = socket.recv(&mut [0; 4096]) {
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        }
    }
}

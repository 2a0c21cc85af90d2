//! Who listens on a port that we wanted.
//!
//! Linux tells through `/proc`, for processes of the same user; other systems do not tell without
//! privileges or external programs, and there the answer is `None`.

use std::{fmt, net::SocketAddr};

/// The process that listens on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// Its program's name, at most 15 bytes (the kernel's `comm`).
    pub program: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.program, self.pid)
    }
}

/// Who listens on `address`, or on all addresses of its port, where the system tells. Reads files.
pub fn of(address: SocketAddr) -> Option<Holder> {
    system::of(address)
}

#[cfg(target_os = "linux")]
mod system {
    use std::{
        fs,
        net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
        path::Path,
    };

    use super::Holder;

    /// `TCP_LISTEN` of the kernel's socket states.
    const LISTEN: &str = "0A";

    pub(super) fn of(address: SocketAddr) -> Option<Holder> {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
        let inodes = tables
            .iter()
            .filter_map(|table| fs::read_to_string(table).ok());
        let inodes: Vec<String> = inodes
            .flat_map(|table| listening(&table, address))
            .collect();
        let links: Vec<String> = inodes
            .iter()
            .map(|inode| format!("socket:[{inode}]"))
            .collect();
        if links.is_empty() {
            return None;
        }
        let processes = fs::read_dir("/proc").ok()?.filter_map(Result::ok);
        processes
            .filter(|process| holds(&process.path(), &links))
            .find_map(|process| {
                let pid = process.file_name().to_str()?.parse().ok()?;
                let program = fs::read_to_string(process.path().join("comm")).ok()?;
                Some(Holder {
                    pid,
                    program: program.trim_end().to_owned(),
                })
            })
    }

    fn holds(process: &Path, links: &[String]) -> bool {
        let Ok(fds) = fs::read_dir(process.join("fd")) else {
            return false;
        };
        let targets = fds
            .filter_map(Result::ok)
            .filter_map(|fd| fs::read_link(fd.path()).ok());
        targets
            .into_iter()
            .any(|target| links.iter().any(|link| target.as_os_str() == link.as_str()))
    }

    /// The inodes of a table's sockets that keep `wanted` from being bound.
    fn listening(table: &str, wanted: SocketAddr) -> Vec<String> {
        let inode = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
            let is_it = *state == LISTEN && collides(parse(local)?, wanted);
            is_it.then(|| (*inode).to_owned())
        };
        table.lines().skip(1).filter_map(inode).collect()
    }

    fn collides(held: SocketAddr, wanted: SocketAddr) -> bool {
        let (a, b) = (held.ip().to_canonical(), wanted.ip().to_canonical());
        let shared = a == b || a.is_unspecified() || b.is_unspecified();
        held.port() == wanted.port() && shared
    }

    /// `0100007F:D888`: each 32-bit word in the machine's byte order, the port in hexadecimal.
    fn parse(text: &str) -> Option<SocketAddr> {
        let (address, port) = text.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let mut bytes = Vec::with_capacity(16);
        for word in address.as_bytes().chunks(8) {
            let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
            bytes.extend_from_slice(&word.to_ne_bytes());
        }
        let ip = match <[u8; 4]>::try_from(bytes.as_slice()) {
            Ok(v4) => IpAddr::V4(Ipv4Addr::from(v4)),
            Err(_) => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        };
        Some(SocketAddr::new(ip, port))
    }

    #[cfg(test)]
    mod tests {
        use std::net::TcpListener;

        use super::*;

        #[test]
        fn the_holder_of_a_port_is_found() {
            for address in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"] {
                let listener = TcpListener::bind(address).unwrap();
                let mut wanted = listener.local_addr().unwrap();
                if wanted.ip().is_unspecified() {
                    wanted.set_ip([127, 0, 0, 1].into());
                }
                let holder = of(wanted).unwrap_or_else(|| panic!("nobody holds {wanted}"));
                let comm = fs::read_to_string("/proc/self/comm").unwrap();
                assert_eq!(
                    (holder.pid, holder.program.as_str()),
                    (std::process::id(), comm.trim_end())
                );
            }
        }

        #[test]
        fn a_free_port_has_no_holder() {
            let free = TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap();
            assert_eq!(of(free), None);
        }

        #[test]
        #[cfg(target_endian = "little")]
        fn only_listening_sockets_of_the_port_count() {
            let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
                0: 0100007F:D888 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 111 1\n\
                1: 0100007F:D888 0100007F:1234 01 00000000:00000000 00:00000000 00000000  1000        0 222 1\n\
                2: 00000000:D888 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 333 1\n\
                3: 0200007F:D888 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 444 1\n\
                4: 0100007F:D889 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 555 1\n\
                garbage\n";
            assert_eq!(
                listening(table, "127.0.0.1:55432".parse().unwrap()),
                ["111", "333"]
            );
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::net::SocketAddr;

    use super::Holder;

    pub(super) fn of(_: SocketAddr) -> Option<Holder> {
        None
    }
}

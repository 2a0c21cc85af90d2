//! Who has a port that we wanted, and who is at the other end of a local connection. A port may also be that of a
//! connection which somebody made from there: the system gives them such numbers.
//!
//! Linux tells through `/proc`, for processes of the same user; other systems do not tell without
//! privileges or external programs, and there the answer is `None`.

use std::{collections::HashMap, fmt, net::SocketAddr};

/// A process that has a socket.
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

/// What keeps a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// A process, by a socket that listens or is connected.
    Process(Holder),
    /// Nobody any more: a connection has ended, whose number the system gives to nobody for a minute.
    Past,
}

impl fmt::Display for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Keeper::Process(holder) => holder.fmt(f),
            Keeper::Past => f.write_str("a connection that has ended, for a minute at most"),
        }
    }
}

/// The two ends of a connection, as seen from ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    /// Ours.
    pub local: SocketAddr,
    /// The other.
    pub peer: SocketAddr,
}

/// Who has the other end of each connection, as far as it is on this machine and the system tells. Reads files.
pub fn of_peers(pairs: &[Pair]) -> HashMap<Pair, Holder> {
    system::of_peers(pairs)
}

/// What keeps `address` from being bound, where the system tells. Reads files.
pub fn of(address: SocketAddr) -> Option<Keeper> {
    system::of(address)
}

#[cfg(target_os = "linux")]
mod system {
    use std::{
        collections::HashMap,
        fs,
        net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
        path::Path,
    };

    use super::{Holder, Keeper, Pair};

    /// `TCP_TIME_WAIT` of the kernel's socket states.
    const TIME_WAIT: &str = "06";
    const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];

    pub(super) fn of_peers(pairs: &[Pair]) -> HashMap<Pair, Holder> {
        // Their end is the same pair, the other way round.
        let wanted: HashMap<(SocketAddr, SocketAddr), Pair> = pairs
            .iter()
            .map(|pair| ((canonical(pair.peer), canonical(pair.local)), *pair))
            .collect();
        let tables = TABLES.iter();
        let tables = tables.filter_map(|table| fs::read_to_string(table).ok());
        let mut links: HashMap<String, Pair> = tables
            .flat_map(|table| connected(&table, &wanted))
            .map(|(inode, pair)| (format!("socket:[{inode}]"), pair))
            .collect();
        let mut holders = HashMap::new();
        let processes = fs::read_dir("/proc").into_iter().flatten();
        for process in processes.filter_map(Result::ok) {
            if links.is_empty() {
                break;
            }
            let Some(holder) = holder(&process.path()) else {
                continue;
            };
            for link in sockets(&process.path()) {
                if let Some(pair) = links.remove(&link) {
                    holders.insert(pair, holder.clone());
                }
            }
        }
        holders
    }

    /// Sockets of a table whose two ends are wanted: their inodes, and which they are.
    fn connected(
        table: &str,
        wanted: &HashMap<(SocketAddr, SocketAddr), Pair>,
    ) -> Vec<(String, Pair)> {
        let socket = |line: &str| {
            let mut fields = line.split_whitespace();
            let (local, remote) = (parse(fields.nth(1)?)?, parse(fields.next()?)?);
            let pair = wanted.get(&(canonical(local), canonical(remote)))?;
            // An orphaned socket has no inode, and no process.
            let inode = fields.nth(6).filter(|inode| *inode != "0")?;
            Some((inode.to_owned(), *pair))
        };
        table.lines().skip(1).filter_map(socket).collect()
    }

    fn canonical(address: SocketAddr) -> SocketAddr {
        SocketAddr::new(address.ip().to_canonical(), address.port())
    }

    fn holder(process: &Path) -> Option<Holder> {
        let pid = process.file_name()?.to_str()?.parse().ok()?;
        let program = fs::read_to_string(process.join("comm")).ok()?;
        Some(Holder {
            pid,
            program: program.trim_end().to_owned(),
        })
    }

    /// What the links of a process's sockets say.
    fn sockets(process: &Path) -> impl Iterator<Item = String> {
        let fds = fs::read_dir(process.join("fd")).into_iter().flatten();
        let fds = fds.filter_map(Result::ok);
        let links = fds.filter_map(|fd| fs::read_link(fd.path()).ok());
        links.filter_map(|link| Some(link.to_str()?.to_owned()))
    }

    pub(super) fn of(address: SocketAddr) -> Option<Keeper> {
        let tables = TABLES.iter();
        let tables = tables.filter_map(|table| fs::read_to_string(table).ok());
        let (past, present): (Vec<_>, Vec<_>) = tables
            .flat_map(|table| keeping(&table, address))
            .partition(|socket| socket.is_past);
        let inodes = present.into_iter().map(|socket| socket.inode);
        let process = process_with(&inodes.collect::<Vec<_>>()).map(Keeper::Process);
        process.or_else(|| (!past.is_empty()).then_some(Keeper::Past))
    }

    fn process_with(inodes: &[String]) -> Option<Holder> {
        if inodes.is_empty() {
            return None;
        }
        let links = inodes.iter().map(|inode| format!("socket:[{inode}]"));
        let links: Vec<String> = links.collect();
        let processes = fs::read_dir("/proc").ok()?.filter_map(Result::ok);
        let holds = |process: &Path| sockets(process).any(|link| links.contains(&link));
        processes
            .filter(|process| holds(&process.path()))
            .find_map(|process| holder(&process.path()))
    }

    /// A socket at the port that is wanted.
    #[derive(Debug, PartialEq)]
    struct Keeping {
        inode: String,
        is_past: bool,
    }

    /// The sockets of a table that keep `wanted` from being bound.
    fn keeping(table: &str, wanted: SocketAddr) -> Vec<Keeping> {
        let socket = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
            collides(parse(local)?, wanted).then(|| Keeping {
                inode: (*inode).to_owned(),
                is_past: *state == TIME_WAIT,
            })
        };
        table.lines().skip(1).filter_map(socket).collect()
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
                assert_eq!(of(wanted), Some(Keeper::Process(ourselves())), "{wanted}");
            }
        }

        fn ourselves() -> Holder {
            let comm = fs::read_to_string("/proc/self/comm").unwrap();
            Holder {
                pid: std::process::id(),
                program: comm.trim_end().to_owned(),
            }
        }

        #[test]
        fn a_connection_that_somebody_made_from_there_holds_a_port_too() {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let port = client.local_addr().unwrap();
            let (_server, _) = listener.accept().unwrap();
            assert_eq!(
                TcpListener::bind(port).unwrap_err().kind(),
                std::io::ErrorKind::AddrInUse
            );
            assert_eq!(of(port), Some(Keeper::Process(ourselves())));
        }

        #[test]
        fn the_other_end_of_a_connection_is_found_whichever_family_shows_it() {
            for address in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
                let listener = TcpListener::bind(address).unwrap();
                let port = listener.local_addr().unwrap().port();
                let host = if address.starts_with("[::1]") {
                    "[::1]"
                } else {
                    "127.0.0.1"
                };
                let client = std::net::TcpStream::connect(format!("{host}:{port}")).unwrap();
                let (socket, peer) = listener.accept().unwrap();
                let pair = Pair {
                    local: socket.local_addr().unwrap(),
                    peer,
                };
                let nobody = Pair {
                    local: pair.local,
                    peer: "127.0.0.1:1".parse().unwrap(),
                };
                let holders = of_peers(&[pair, nobody]);
                let pids: Vec<_> = holders.iter().map(|(pair, it)| (*pair, it.pid)).collect();
                assert_eq!(pids, [(pair, std::process::id())], "{address}");
                drop(client);
                assert_eq!(of_peers(&[pair]).len(), 0, "it has gone");
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
        fn sockets_of_the_port_count_whatever_their_state() {
            let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
                0: 0100007F:D888 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 111 1\n\
                1: 0100007F:D888 0100007F:1234 06 00000000:00000000 00:00000000 00000000  1000        0 222 1\n\
                2: 00000000:D888 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 333 1\n\
                3: 0200007F:D888 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 444 1\n\
                4: 0100007F:D889 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 555 1\n\
                garbage\n";
            let found = keeping(table, "127.0.0.1:55432".parse().unwrap());
            let found: Vec<_> = found
                .iter()
                .map(|socket| (socket.inode.as_str(), socket.is_past))
                .collect();
            assert_eq!(found, [("111", false), ("222", true), ("333", false)]);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::{collections::HashMap, net::SocketAddr};

    use super::{Holder, Keeper, Pair};

    pub(super) fn of(_: SocketAddr) -> Option<Keeper> {
        None
    }

    pub(super) fn of_peers(_: &[Pair]) -> HashMap<Pair, Holder> {
        HashMap::new()
    }
}

//! Which local port to suggest. Pure, but for asking whether one is free.

use std::net::{Ipv4Addr, TcpListener};

/// The port that the documentation and the demo use.
pub(super) const KNOWN: u16 = 55432;
/// Remote ports and this make ports that tell what is behind them, below those that systems hand out by themselves
/// (from 32768 on Linux, from 49152 on macOS).
const ABOVE: u16 = 10_000;
const BELOW: u16 = 32_768;

/// The known port for the first tunnel; for further ones the remote port plus 10,000, or the next that `is_free`.
pub(super) fn suggested(remote: u16, taken: &[u16], is_free: impl Fn(u16) -> bool) -> u16 {
    let may_be = |port: &u16| !taken.contains(port) && is_free(*port);
    if taken.is_empty() && is_free(KNOWN) {
        return KNOWN;
    }
    let first = remote
        .checked_add(ABOVE)
        .filter(|port| (ABOVE..BELOW).contains(port));
    let first = first.unwrap_or(ABOVE + 5432);
    let mut ports = (first..BELOW).chain(ABOVE..first);
    ports.find(may_be).unwrap_or(KNOWN)
}

/// Whether somebody could listen on it.
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_tunnel_has_the_known_port() {
        assert_eq!(suggested(5432, &[], |_| true), KNOWN);
        assert_eq!(suggested(3306, &[], |_| true), KNOWN);
    }

    #[test]
    fn further_ones_tell_what_is_behind_them_and_are_no_ephemeral_ports() {
        let taken = [KNOWN, 15432];
        assert_eq!(suggested(3306, &taken, |_| true), 13306);
        assert_eq!(suggested(5432, &taken, |_| true), 15433);
        assert_eq!(suggested(6379, &taken, |port| port != 16379), 16380);
        for remote in [1, 27017, 40000, 65535] {
            let port = suggested(remote, &taken, |_| true);
            assert!((ABOVE..BELOW).contains(&port), "{remote}: {port}");
        }
    }

    #[test]
    fn a_known_port_that_somebody_has_is_not_suggested() {
        assert_eq!(suggested(5432, &[], |port| port != KNOWN), 15432);
        assert_eq!(suggested(5432, &[], |_| false), KNOWN);
    }
}

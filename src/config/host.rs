//! The far host: which names and addresses a tunnel may lead to.
//!
//! The agent connects from inside the task. Its loopback and the link-local services around it (credentials of
//! the task at 169.254.170.2 above all) are not databases: a typing mistake must not expose them.

use std::net::{IpAddr, Ipv6Addr};

use super::error::Complaint;

/// The longest name DNS has (RFC 1035, 2.3.4).
const LONGEST: usize = 253;

/// The host as the agent's dialler wants it: it puts an IPv6 address into brackets by itself.
pub(super) fn plain(host: String) -> String {
    match without_brackets(&host).parse::<Ipv6Addr>() {
        Ok(address) => address.to_string(),
        Err(_) => host,
    }
}

pub(super) fn check(host: &str) -> Result<(), Complaint> {
    let bare = without_brackets(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return check_address(bare, address);
    }
    if is_local_name(bare) {
        return Err(loopback(bare));
    }
    check_name(host)
}

/// Whether the host of a URL is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = without_brackets(host);
    bare.parse::<IpAddr>()
        .map_or(is_local_name(bare), |address| address.is_loopback())
}

fn check_address(text: &str, address: IpAddr) -> Result<(), Complaint> {
    match address.to_canonical() {
        IpAddr::V4(v4) if v4.is_loopback() || v4.is_unspecified() => Err(loopback(text)),
        IpAddr::V6(v6) if v6.is_loopback() || v6.is_unspecified() => Err(loopback(text)),
        IpAddr::V4(v4) if v4.is_link_local() => Err(link_local(text)),
        IpAddr::V6(v6) if v6.is_unicast_link_local() || is_aws_local_v6(v6) => {
            Err(link_local(text))
        }
        IpAddr::V4(v4) if v4.is_multicast() || v4.is_broadcast() => Err(Complaint::new(many(text))),
        IpAddr::V6(v6) if v6.is_multicast() => Err(Complaint::new(many(text))),
        IpAddr::V4(_) | IpAddr::V6(_) => Ok(()),
    }
}

/// fd00:ec2::/32, where AWS keeps the IPv6 twins of its link-local services.
fn is_aws_local_v6(address: Ipv6Addr) -> bool {
    address.segments()[..2] == [0xfd00, 0x0ec2]
}

fn check_name(host: &str) -> Result<(), Complaint> {
    if host.contains("://") || host.contains('/') {
        return Err(Complaint::new(format!("`{host}` is a URL, not a host"))
            .hint("write the host name alone"));
    }
    if host.contains(':') {
        return Err(Complaint::new(format!("`{host}` has a port in it"))
            .hint("write the port as `port = …`"));
    }
    let label = |label: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        (1..=63).contains(&label.len()) && label.chars().all(plain)
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    if name.len() > LONGEST || !name.split('.').all(label) {
        return Err(Complaint::new(format!(
            "`{}` is not a host name",
            host.escape_debug()
        )));
    }
    if is_odd_number(name) {
        return Err(Complaint::new(format!("`{host}` is not an address"))
            .hint("write IPv4 addresses as four numbers"));
    }
    Ok(())
}

/// `127.1`, `0x7f000001`, `2130706433`: some resolvers take these for addresses, so they could be any of the above.
fn is_odd_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    last.chars().all(|c| c.is_ascii_digit()) || last.to_ascii_lowercase().starts_with("0x")
}

fn is_local_name(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

fn loopback(host: &str) -> Complaint {
    Complaint::new(format!("`{host}` would be the bastion itself"))
        .hint("for a port of the target, leave `host` out")
}

fn link_local(host: &str) -> Complaint {
    Complaint::new(format!(
        "`{host}` is a link-local address, where AWS keeps credentials and metadata"
    ))
}

fn many(host: &str) -> String {
    format!("`{host}` is not the address of one host")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Remote;

    #[test]
    fn databases_are_welcome() {
        for host in [
            "app.cluster-x.ap-northeast-1.rds.amazonaws.com",
            "db",
            "db.internal.",
            "my_db-1.local",
            "10.0.3.7",
            "2001:db8::1",
            "[2001:db8::1]",
            "fd12:3456::1",
            "1password.example",
        ] {
            assert_eq!(check(host), Ok(()), "{host}");
        }
    }

    #[test]
    fn brackets_are_taken_off_an_address() {
        for (given, sent) in [
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("db.internal", "db.internal"),
            ("10.0.3.7", "10.0.3.7"),
        ] {
            let text = format!(
                "[[tunnel]]\nname = \"x\"\nlisten = 5432\ntarget = \"i-0123456789abcdef0\"\n\
                 host = \"{given}\"\nport = 5432\n"
            );
            let config = crate::config::Config::parse(&text).unwrap();
            let remote = Remote::Host {
                name: sent.to_owned(),
                port: 5432,
            };
            assert_eq!(config.tunnels[0].remote, remote);
        }
    }

    #[test]
    fn the_task_itself_and_its_metadata_are_not() {
        for host in [
            "127.0.0.1",
            "127.8.9.10",
            "0.0.0.0",
            "::1",
            "[::1]",
            "::",
            "::ffff:127.0.0.1",
            "localhost",
            "LOCALHOST.",
            "db.localhost",
            "169.254.169.254",
            "169.254.170.2",
            "::ffff:169.254.170.2",
            "fe80::1",
            "fd00:ec2::254",
            "224.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.1",
            "db.0X7f",
            "",
            "a b",
            "a..b",
            "postgres://db",
            "db:5432",
            "fe80::1%eth0",
        ] {
            assert!(check(host).is_err(), "{host}");
        }
    }
}

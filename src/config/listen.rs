//! Where a tunnel listens: `55432`, `"55432"`, `"127.0.0.1:55432"`, or a list of these.

use std::{
    borrow::Cow,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};
use toml::Spanned;

use super::error::Complaint;

/// The port when nothing is said: PostgreSQL's with a 5 before it, free on most machines.
pub(super) const DEFAULT_PORT: u16 = 55432;

/// The entries as written, numbers as text.
#[derive(Debug)]
pub(super) struct RawListen(pub Vec<Entry>);

/// One entry; a lone one has no span of its own.
#[derive(Debug)]
pub(super) struct Entry {
    pub text: String,
    pub at: Option<usize>,
}

impl JsonSchema for RawListen {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Listen".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let port = serde_json::json!({ "type": "integer", "minimum": 1, "maximum": 65535 });
        let address = serde_json::json!({ "type": "string" });
        let entry = serde_json::json!({ "anyOf": [port, address] });
        json_schema!({ "anyOf": [port, address, { "type": "array", "items": entry }] })
    }
}

impl<'de> Deserialize<'de> for RawListen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = RawListen;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"a port, an "address:port", or a list of these"#)
            }
            fn visit_i64<E>(self, port: i64) -> Result<RawListen, E> {
                Ok(RawListen(vec![Entry {
                    text: port.to_string(),
                    at: None,
                }]))
            }
            fn visit_str<E>(self, text: &str) -> Result<RawListen, E> {
                Ok(RawListen(vec![Entry {
                    text: text.to_owned(),
                    at: None,
                }]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<RawListen, A::Error> {
                let mut entries = Vec::new();
                while let Some(item) = items.next_element::<Spanned<One>>()? {
                    let at = Some(item.span().start);
                    entries.push(Entry {
                        text: item.into_inner().0,
                        at,
                    });
                }
                Ok(RawListen(entries))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

struct One(String);

impl<'de> Deserialize<'de> for One {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PortOrAddress;
        impl Visitor<'_> for PortOrAddress {
            type Value = One;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"a port or an "address:port""#)
            }
            fn visit_i64<E>(self, port: i64) -> Result<One, E> {
                Ok(One(port.to_string()))
            }
            fn visit_str<E>(self, text: &str) -> Result<One, E> {
                Ok(One(text.to_owned()))
            }
        }
        deserializer.deserialize_any(PortOrAddress)
    }
}

/// A port is both loopbacks, since programs differ in which of them `localhost` is; an address is just that.
pub(super) fn parse(text: &str) -> Result<Vec<SocketAddr>, Complaint> {
    if let Some(port) = text.strip_prefix("localhost:") {
        return Ok(both_loopbacks(parse_port(port)?));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(vec![address]);
    }
    if text.contains([':', '.']) || text.is_empty() {
        return Err(
            Complaint::new(format!("`{text}` is not an address and port"))
                .hint(r#"write a port, or for example "127.0.0.1:55432" or "[::1]:55432""#),
        );
    }
    Ok(both_loopbacks(parse_port(text)?))
}

pub(super) fn both_loopbacks(port: u16) -> Vec<SocketAddr> {
    vec![
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
    ]
}

/// Whether binding one address keeps the other from being bound. Port 0 is a port of the system's choice, so it
/// never does.
pub(super) fn clash(a: SocketAddr, b: SocketAddr) -> bool {
    let any = |ip: IpAddr| ip.is_unspecified();
    let same_family = a.is_ipv4() == b.is_ipv4();
    let covers = a.ip() == b.ip() || (same_family && (any(a.ip()) || any(b.ip())));
    a.port() != 0 && a.port() == b.port() && covers
}

/// A bare port must be a real one: 0 would give the two loopbacks different ports.
fn parse_port(text: &str) -> Result<u16, Complaint> {
    match text.parse::<u16>() {
        Ok(0) | Err(_) => {
            Err(Complaint::new(format!("`{text}` is not a port")).hint("ports are 1 to 65535"))
        }
        Ok(port) => Ok(port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_both_loopbacks_and_an_address_just_that() {
        let both = [
            "127.0.0.1:5432".parse().unwrap(),
            "[::1]:5432".parse().unwrap(),
        ];
        assert_eq!(parse("5432").unwrap(), both);
        assert_eq!(parse("localhost:5432").unwrap(), both);
        assert_eq!(parse("127.0.0.1:5432").unwrap(), both[..1]);
        assert_eq!(parse("[::1]:5432").unwrap(), both[1..]);
        assert_eq!(parse("127.0.0.1:0").unwrap().len(), 1);
    }

    #[test]
    fn what_cannot_be_bound_is_refused() {
        for text in [
            "",
            "0",
            "65536",
            "-1",
            ":5432",
            "localhost",
            "localhost:",
            "db:5432",
            "127.0.0.1",
            "::1:5432",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_clash_when_one_covers_the_other() {
        let clashes = |a: &str, b: &str| clash(a.parse().unwrap(), b.parse().unwrap());
        assert!(clashes("127.0.0.1:1", "127.0.0.1:1"));
        assert!(clashes("0.0.0.0:1", "127.0.0.1:1"));
        assert!(clashes("[::1]:1", "[::]:1"));
        assert!(!clashes("127.0.0.1:1", "127.0.0.1:2"));
        assert!(!clashes("127.0.0.1:1", "[::1]:1"));
        assert!(!clashes("127.0.0.1:0", "127.0.0.1:0"));
    }
}

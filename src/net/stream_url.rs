//! The URL of a data channel and the token that opens it: which addresses may be given a token at all.
//!
//! A `StreamUrl` is right by construction: `wss` to an AWS `ssmmessages` host, or to loopback when the
//! configured endpoint is loopback as well. Its text goes on the wire byte for byte, because
//! `cell-number` may hold raw `+`, `/` and `=`. Neither type shows its secret in `Debug`.

use std::{fmt, net::IpAddr};

use http::Uri;

/// DNS suffixes of the AWS partitions, standard and dual-stack (AWS partition metadata).
const SUFFIXES: [&str; 14] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "api.aws",
    "api.amazonwebservices.com.cn",
    "api.amazonwebservices.eu",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
    "api.aws.ic.gov",
    "api.aws.scloud",
    "api.cloud-aws.adc-e.uk",
    "api.aws.hci.ic.gov",
];

/// Where a data channel is opened: an address that may be given a token.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamUrl {
    uri: Uri,
    host: String,
}

/// Why a stream URL was refused. Shows the host at most, never path or query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not a URL, or one that could not be sent unchanged.
    #[error("the stream url is not one that can be sent as it is")]
    Malformed,
    /// Another scheme than `wss`, or `ws` where both ends are not loopback.
    #[error("the stream url of {0} is not encrypted (wss)")]
    NotEncrypted(String),
    /// A host that is not AWS's.
    #[error("the stream url names {0}, which is not an aws ssmmessages host")]
    ForeignHost(String),
}

impl StreamUrl {
    /// Accepts `text` as StartSession or ResumeSession gave it. `loopback_endpoint` tells that the
    /// configured endpoint is on this machine; only then may the data channel be, too.
    pub fn parse(text: &str, loopback_endpoint: bool) -> Result<Self, Refused> {
        let uri: Uri = text.parse().map_err(|_| Refused::Malformed)?;
        let authority = uri.authority().ok_or(Refused::Malformed)?.as_str();
        if authority.contains('@') || !is_kept_as_it_is(text, &uri) {
            return Err(Refused::Malformed);
        }
        let host = bare(uri.host().ok_or(Refused::Malformed)?).to_ascii_lowercase();
        let scheme = uri.scheme_str().ok_or(Refused::Malformed)?;
        if scheme != "wss" && scheme != "ws" {
            return Err(Refused::NotEncrypted(host));
        }
        if loopback_endpoint && is_loopback(&host) {
            return Ok(Self { uri, host });
        }
        if scheme != "wss" {
            return Err(Refused::NotEncrypted(host));
        }
        if !is_ssmmessages(&host) || uri.port_u16().is_some_and(|port| port != 443) {
            return Err(Refused::ForeignHost(host));
        }
        Ok(Self { uri, host })
    }

    /// The host, without brackets: safe to show.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, 443 or 80 when the URL names none.
    pub fn port(&self) -> u16 {
        let default = if self.is_encrypted() { 443 } else { 80 };
        self.uri.port_u16().unwrap_or(default)
    }

    /// Whether TLS is spoken (`wss`).
    pub fn is_encrypted(&self) -> bool {
        self.uri.scheme_str() == Some("wss")
    }

    /// Whether the URL carries its own signature (any `X-Amz-…` query parameter).
    pub fn is_presigned(&self) -> bool {
        let query = self.uri.query().unwrap_or_default();
        let is_amz = |pair: &str| {
            pair.get(..6)
                .is_some_and(|k| k.eq_ignore_ascii_case("x-amz-"))
        };
        query.split('&').any(is_amz)
    }

    /// The whole URL. Secret: for the request and its signature, never for eyes.
    pub fn expose(&self) -> &Uri {
        &self.uri
    }

    /// The same address as the signer knows it, `https` for `wss`.
    pub(crate) fn as_http(&self) -> String {
        let target = self.uri.path_and_query().map_or("/", |p| p.as_str());
        let scheme = if self.is_encrypted() { "https" } else { "http" };
        format!("{scheme}://{}{target}", self.host_header())
    }

    /// The `Host` header: the port only where it is not the scheme's own, as signatures expect.
    pub(crate) fn host_header(&self) -> String {
        let host = self.uri.host().unwrap_or_default();
        match (self.is_encrypted(), self.port()) {
            (true, 443) | (false, 80) => host.to_owned(),
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl fmt::Debug for StreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamUrl({}, …)", self.host)
    }
}

/// What opens a data channel, once. It goes into the first frame and nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Takes a token out of a reply of AWS.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The token itself, for the first frame.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Whether `host`, with or without brackets, is this machine by name or address.
pub fn is_loopback(host: &str) -> bool {
    let address = bare(host).parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|ip| ip.is_loopback())
}

fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host)
}

/// A fragment, an empty path or a byte that the parser changes would alter the request target.
fn is_kept_as_it_is(text: &str, uri: &Uri) -> bool {
    let rest = text.split_once("://").map(|(_, rest)| rest);
    let target = uri.path_and_query().map(|p| p.as_str()).unwrap_or_default();
    let authority = uri.authority().map(|a| a.as_str()).unwrap_or_default();
    target.starts_with('/') && rest.and_then(|rest| rest.strip_prefix(authority)) == Some(target)
}

/// `ssmmessages[-fips].<region>.<suffix>` or `vpce-….ssmmessages.<region>.vpce.<suffix>`.
fn is_ssmmessages(host: &str) -> bool {
    SUFFIXES.iter().any(|suffix| {
        let name = host
            .strip_suffix(suffix)
            .and_then(|name| name.strip_suffix('.'));
        name.is_some_and(is_service_name)
    })
}

fn is_service_name(name: &str) -> bool {
    match *name.split('.').collect::<Vec<_>>() {
        [service, region] => is_service(service) && is_label(region),
        [endpoint, service, region, "vpce"] => {
            endpoint.starts_with("vpce-")
                && is_label(endpoint)
                && is_service(service)
                && is_label(region)
        }
        _ => false,
    }
}

fn is_service(label: &str) -> bool {
    label == "ssmmessages" || label == "ssmmessages-fips"
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAIL: &str = "/v1/data-channel/me-0ab?role=publish_subscribe&cell-number=AA+b/c==";

    #[test]
    fn aws_hosts_of_every_shape_are_accepted() {
        for host in [
            "ssmmessages.eu-west-1.amazonaws.com",
            "SSMMessages.eu-west-1.amazonaws.com",
            "ssmmessages.eu-west-1.amazonaws.com:443",
            "ssmmessages-fips.us-gov-west-1.amazonaws.com",
            "ssmmessages.cn-north-1.amazonaws.com.cn",
            "ssmmessages.eu-west-1.api.aws",
            "ssmmessages.cn-north-1.api.amazonwebservices.com.cn",
            "vpce-0a1b-2c3d.ssmmessages.eu-west-1.vpce.amazonaws.com",
            "vpce-0a1b-2c3d-eu-west-1a.ssmmessages.cn-north-1.vpce.amazonaws.com.cn",
            "ssmmessages.us-iso-east-1.c2s.ic.gov",
            "ssmmessages.eusc-de-east-1.amazonaws.eu",
        ] {
            StreamUrl::parse(&format!("wss://{host}{TAIL}"), false)
                .unwrap_or_else(|e| panic!("{host}: {e}"));
        }
    }

    #[test]
    fn other_hosts_never_get_a_token() {
        for host in [
            "evil.example",
            "ssmmessages.eu-west-1.amazonaws.com.evil.example",
            "ssmmessages.eu-west-1.evilamazonaws.com",
            "s3.eu-west-1.amazonaws.com",
            "ssmmessages.amazonaws.com",
            "ssmmessages..amazonaws.com",
            "x.ssmmessages.eu-west-1.amazonaws.com",
            "a.b.ssmmessages.eu-west-1.vpce.amazonaws.com",
            "ssmmessages.eu-west-1.amazonaws.com:8443",
            "ssmmessages.eu-west-1.amazonaws.com.",
            "127.0.0.1",
            "localhost",
        ] {
            let refused = StreamUrl::parse(&format!("wss://{host}{TAIL}"), false);
            assert!(
                matches!(refused, Err(Refused::ForeignHost(_))),
                "{host}: {refused:?}"
            );
        }
    }

    #[test]
    fn plain_text_is_refused_unless_both_ends_are_loopback() {
        let aws = format!("ws://ssmmessages.eu-west-1.amazonaws.com{TAIL}");
        for loopback_endpoint in [true, false] {
            assert!(StreamUrl::parse(&aws, loopback_endpoint).is_err());
        }
        for host in ["127.0.0.1:9", "localhost:9", "[::1]:9"] {
            let url = format!("ws://{host}{TAIL}");
            assert!(StreamUrl::parse(&url, true).is_ok(), "{host}");
            assert!(StreamUrl::parse(&url, false).is_err(), "{host}");
        }
        assert!(StreamUrl::parse(&format!("http://127.0.0.1{TAIL}"), true).is_err());
    }

    #[test]
    fn urls_that_would_change_on_the_wire_are_refused() {
        for url in [
            "wss://ssmmessages.eu-west-1.amazonaws.com?a=b",
            "wss://ssmmessages.eu-west-1.amazonaws.com/x#part",
            "wss://user:pw@ssmmessages.eu-west-1.amazonaws.com/x",
            "wss:///x",
            "/v1/data-channel",
            "",
        ] {
            assert!(
                matches!(StreamUrl::parse(url, false), Err(Refused::Malformed)),
                "{url}"
            );
        }
    }

    #[test]
    fn raw_signs_of_the_query_are_kept() {
        let text = format!("wss://ssmmessages.eu-west-1.amazonaws.com{TAIL}");
        let url = StreamUrl::parse(&text, false).unwrap();
        assert_eq!(url.expose().path_and_query().unwrap().as_str(), TAIL);
        assert_eq!(url.expose().to_string(), text);
    }

    #[test]
    fn a_presigned_url_is_recognised_in_any_case() {
        let base = "wss://ssmmessages.eu-west-1.amazonaws.com/v1/data-channel/x";
        let presigned = |query: &str| {
            StreamUrl::parse(&format!("{base}?{query}"), false)
                .unwrap()
                .is_presigned()
        };
        assert!(presigned("a=b&X-Amz-Signature=1"));
        assert!(presigned("x-amz-date=1"));
        assert!(!presigned("role=x-amz-date"));
    }

    #[test]
    fn debug_shows_no_secret() {
        let url = StreamUrl::parse(
            &format!("wss://ssmmessages.eu-west-1.amazonaws.com{TAIL}"),
            false,
        )
        .unwrap();
        let shown = format!("{url:?} {:?}", Token::new("s3cret"));
        assert!(
            !shown.contains("cell-number")
                && !shown.contains("me-0ab")
                && !shown.contains("s3cret"),
            "{shown}"
        );
    }
}

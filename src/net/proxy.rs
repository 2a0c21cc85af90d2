//! Which way out: straight, or through the proxy of the environment.
//!
//! `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` mean what curl takes them to mean, in upper or
//! lower case, and `wss`/`ws` count as `https`/`http`. This machine is never reached through a proxy. A
//! proxy's credentials are sent to it and shown to nobody.

use std::{io, time::Duration};

use aws_smithy_http_client::proxy::ProxyConfig;
use http::Uri;
use hyper_util::client::{
    legacy::connect::HttpConnector,
    proxy::matcher::{Intercept, Matcher},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower_service::Service;

use super::{Error, StreamUrl};

/// What `NO_PROXY` holds in any case.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// A proxy's answer to CONNECT is a status and a few headers; more is not an answer.
const MAX_HEAD: usize = 8192;

/// The proxies in force, read once.
pub(super) struct Proxies {
    https: Option<String>,
    http: Option<String>,
    no: String,
    matcher: Matcher,
}

impl Proxies {
    /// Reads the variables that `lookup` finds.
    pub(super) fn load(lookup: &impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let all = || proxy(lookup, ["ALL_PROXY", "all_proxy"]);
        let own = proxy(lookup, ["HTTPS_PROXY", "https_proxy"])?;
        let https = own.map_or_else(all, |own| Ok(Some(own)))?;
        // Only tests go to AWS in the clear: no reason not to run.
        let http = proxy(lookup, ["HTTP_PROXY", "http_proxy"])
            .and_then(|own| own.map_or_else(all, |own| Ok(Some(own))))
            .unwrap_or_else(|error| {
                tracing::warn!(%error, "going without it, as it is for plain http only");
                None
            });
        let no = match find(lookup, ["NO_PROXY", "no_proxy"]) {
            Some((_, rules)) if rules.trim() == "*" => rules,
            Some((_, rules)) => format!("{},{LOOPBACK}", without_wildcards(&rules)),
            None => LOOPBACK.to_owned(),
        };
        let matcher = Matcher::builder()
            .https(https.clone().unwrap_or_default())
            .http(http.clone().unwrap_or_default())
            .no(no.clone())
            .build();
        Ok(Self {
            https,
            http,
            no,
            matcher,
        })
    }

    /// The SDK's form of the proxy for `https` URLs.
    pub(super) fn sdk_https(&self) -> ProxyConfig {
        let config = self
            .https
            .as_ref()
            .and_then(|url| ProxyConfig::https(url.as_str()).ok());
        config.map_or_else(ProxyConfig::disabled, |config| config.no_proxy(&self.no))
    }

    /// The SDK's form of the proxy for `http` URLs.
    pub(super) fn sdk_http(&self) -> ProxyConfig {
        let config = self
            .http
            .as_ref()
            .and_then(|url| ProxyConfig::http(url.as_str()).ok());
        config.map_or_else(ProxyConfig::disabled, |config| config.no_proxy(&self.no))
    }

    /// A TCP connection towards `url`, through the proxy where one is set. Addresses of a name share
    /// `within`.
    pub(super) async fn dial(&self, url: &StreamUrl, within: Duration) -> Result<TcpStream, Error> {
        self.dial_uri(address(url)?, within).await
    }

    /// Whether a proxy is set for `uri`.
    pub(super) fn has_one_for(&self, uri: &Uri) -> bool {
        self.matcher.intercept(uri).is_some()
    }

    /// The same towards the host of an `http` or `https` URI.
    pub(super) async fn dial_uri(&self, target: Uri, within: Duration) -> Result<TcpStream, Error> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(within));
        match self.matcher.intercept(&target) {
            Some(proxy) => through(&proxy, tcp, target).await,
            None => straight(tcp, target).await,
        }
    }
}

async fn straight(mut tcp: HttpConnector, target: Uri) -> Result<TcpStream, Error> {
    let host = host_of(&target);
    let connected = tcp.call(target).await;
    connected
        .map(|io| io.into_inner())
        .map_err(|error| connect_error(host, &error))
}

async fn through(proxy: &Intercept, tcp: HttpConnector, target: Uri) -> Result<TcpStream, Error> {
    let mut stream = straight(tcp, proxy.uri().clone()).await?;
    let failed = |why| Error::Proxy {
        proxy: name_of(proxy.uri()),
        host: host_of(&target),
        why,
    };
    let answer = ask(&mut stream, proxy, &target).await;
    let status = answer.map_err(|error| failed(error.to_string()))?;
    match status.as_str() {
        // RFC 9110, 9.3.6: any successful status opens the tunnel.
        status if status.len() == 3 && status.starts_with('2') => Ok(stream),
        "407" => Err(failed(
            "it wants credentials, or other ones (http 407)".to_owned(),
        )),
        status => Err(failed(format!("it answered http {status}"))),
    }
}

/// Sends CONNECT and reads the answer's head; gives its status. Not a byte behind the head is taken: those
/// belong to the target.
async fn ask(stream: &mut TcpStream, proxy: &Intercept, target: &Uri) -> io::Result<String> {
    let authority = target.authority().map(|a| a.as_str()).unwrap_or_default();
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    if let Some(auth) = proxy.basic_auth() {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(auth.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_HEAD {
            return Err(io::Error::other("its answer is too long"));
        }
        head.push(stream.read_u8().await?);
    }
    let line = String::from_utf8_lossy(&head)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    let status = line
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1));
    status
        .map(str::to_owned)
        .ok_or_else(|| io::Error::other("its answer is not http"))
}

/// The connector's error type is private; its text tells a failed look-up from a failed connect.
fn connect_error(host: String, error: &dyn std::error::Error) -> Error {
    let is_dns = error.to_string().starts_with("dns error");
    let why = error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string);
    if is_dns {
        Error::Dns { host, why }
    } else {
        Error::Connect { host, why }
    }
}

/// The address as the matcher wants it: its rules know `http` and `https` only.
fn address(url: &StreamUrl) -> Result<Uri, Error> {
    let scheme = if url.is_encrypted() { "https" } else { "http" };
    let host = if url.host().contains(':') {
        format!("[{}]", url.host())
    } else {
        url.host().to_owned()
    };
    let text = format!("{scheme}://{host}:{}/", url.port());
    text.parse().map_err(|_| Error::Dns {
        host,
        why: "not a host name".to_owned(),
    })
}

/// Host and port of a proxy, without the credentials that its authority may hold.
fn name_of(proxy: &Uri) -> String {
    let port = proxy
        .port_u16()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!("{}{port}", host_of(proxy))
}

fn host_of(uri: &Uri) -> String {
    uri.host()
        .unwrap_or_default()
        .trim_matches(['[', ']'])
        .to_owned()
}

/// `*.corp.example` is how many write `.corp.example`; the rules as they are know no such thing.
fn without_wildcards(rules: &str) -> String {
    let plain = |rule: &'_ str| match rule.trim().strip_prefix("*.") {
        Some(domain) => format!(".{domain}"),
        None => rule.trim().to_owned(),
    };
    let rules: Vec<String> = rules.split(',').map(plain).collect();
    rules.join(",")
}

/// The first variable of the two that is set to something.
fn find<'a>(
    lookup: &impl Fn(&str) -> Option<String>,
    names: [&'a str; 2],
) -> Option<(&'a str, String)> {
    names
        .into_iter()
        .find_map(|name| Some((name, lookup(name).filter(|value| !value.trim().is_empty())?)))
}

fn proxy(
    lookup: &impl Fn(&str) -> Option<String>,
    names: [&'static str; 2],
) -> Result<Option<String>, Error> {
    let Some((variable, value)) = find(lookup, names) else {
        return Ok(None);
    };
    let unusable = |why| Error::ProxySetting { variable, why };
    let url = if value.contains("://") {
        value
    } else {
        format!("http://{value}")
    };
    let uri: Uri = url.parse().map_err(|_| unusable("it is not a URL"))?;
    match uri.scheme_str() {
        Some("http") if uri.host().is_some_and(|host| !host.is_empty()) => Ok(Some(url)),
        Some("http") => Err(unusable("it names no host")),
        _ => Err(unusable("only http:// proxies are supported")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn variables_apply_as_in_curl() {
        let env = [
            ("HTTPS_PROXY", "proxy:3128"),
            ("no_proxy", "api.aws, 10.0.0.0/8"),
        ];
        let proxies = load(&env).unwrap();
        assert!(goes_through(
            &proxies,
            "https://ssm.eu-west-1.amazonaws.com"
        ));
        assert!(!goes_through(
            &proxies,
            "http://ssm.eu-west-1.amazonaws.com"
        ));
        for straight in [
            "https://ssm.eu-west-1.api.aws",
            "https://10.1.2.3",
            "https://127.0.0.1:1",
            "https://localhost",
        ] {
            assert!(!goes_through(&proxies, straight), "{straight}");
        }
    }

    #[test]
    fn all_proxy_stands_in_for_the_missing_one() {
        let proxies = load(&[("all_proxy", "http://a"), ("HTTP_PROXY", "http://b")]).unwrap();
        let host = |uri: &str| {
            proxies
                .matcher
                .intercept(&uri.parse().unwrap())
                .unwrap()
                .uri()
                .host()
                .unwrap()
                .to_owned()
        };
        assert_eq!(
            (host("https://x.example"), host("http://x.example")),
            ("a".to_owned(), "b".to_owned())
        );
    }

    #[test]
    fn a_star_in_no_proxy_turns_proxies_off() {
        let proxies = load(&[("HTTPS_PROXY", "proxy:3128"), ("NO_PROXY", "*")]).unwrap();
        assert!(!goes_through(
            &proxies,
            "https://ssm.eu-west-1.amazonaws.com"
        ));
    }

    #[test]
    fn only_a_proxy_that_is_needed_has_to_be_usable() {
        let socks = ("ALL_PROXY", "socks5://proxy");
        let proxies = load(&[("HTTPS_PROXY", "proxy:3128"), socks]).unwrap();
        assert!(goes_through(&proxies, "https://x.example"));
        assert!(!goes_through(&proxies, "http://x.example"));
        let proxies = load(&[("HTTP_PROXY", "https://proxy")]).unwrap();
        assert!(!goes_through(&proxies, "http://x.example"));
        assert!(load(&[socks]).is_err(), "it is the one for https");
    }

    #[test]
    fn a_wildcard_in_no_proxy_means_the_names_below() {
        let rules = ("NO_PROXY", "*.corp.example, *.other.example");
        let proxies = load(&[("HTTPS_PROXY", "proxy:3128"), rules]).unwrap();
        assert!(!goes_through(&proxies, "https://aws.corp.example"));
        assert!(!goes_through(&proxies, "https://a.b.other.example"));
        assert!(goes_through(&proxies, "https://corp.example.com"));
    }

    #[test]
    fn an_unusable_proxy_is_named_without_its_password() {
        for value in [
            "socks5://user:s3cret@proxy",
            "https://user:s3cret@proxy",
            "http://user:s3cret@:1:2",
        ] {
            let error = load(&[("HTTPS_PROXY", value)]).err().unwrap();
            let shown = format!("{error} {error:?} {:?}", error.hint());
            assert!(
                shown.contains("HTTPS_PROXY") && !shown.contains("s3cret"),
                "{shown}"
            );
        }
    }

    #[tokio::test]
    async fn a_name_without_address_is_told_from_a_closed_port() {
        let unknown = straight(connector(), "http://nothing.invalid:1/".parse().unwrap())
            .await
            .unwrap_err();
        assert!(matches!(unknown, Error::Dns { .. }), "{unknown}");
        let free = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let closed = straight(connector(), format!("http://{free}/").parse().unwrap())
            .await
            .unwrap_err();
        assert!(matches!(closed, Error::Connect { .. }), "{closed}");
    }

    fn connector() -> HttpConnector {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp
    }

    fn load(env: &[(&str, &str)]) -> Result<Proxies, Error> {
        let env: HashMap<String, String> = env
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Proxies::load(&|name| env.get(name).cloned())
    }

    fn goes_through(proxies: &Proxies, uri: &str) -> bool {
        proxies.matcher.intercept(&uri.parse().unwrap()).is_some()
    }
}

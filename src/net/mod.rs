//! The way to AWS: names, proxies, TLS and the WebSocket's opening, the same for API calls and data channels.
//!
//! What is sent, and as whom, is left to `aws` and `tunnel`.

mod error;
mod http;
mod issuer;
mod proxy;
mod stream_url;
mod tls;

use std::{fmt, sync::Arc, time::Duration};

use ::http::{HeaderMap, HeaderValue, Request, Uri, header};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use rustls::pki_types::ServerName;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config,
    tungstenite::{handshake::client::generate_key, protocol::WebSocketConfig},
};

pub use error::Error;
pub use stream_url::{Refused, StreamUrl, Token, is_loopback};

/// The network as the environment describes it; built once, cheap to clone.
#[derive(Clone)]
pub struct Net {
    tls: Arc<rustls::ClientConfig>,
    proxies: Arc<proxy::Proxies>,
    http: SharedHttpClient,
}

impl Net {
    /// Reads certificates (`AWS_CA_BUNDLE` included) and proxies of the process's environment.
    pub fn from_env() -> Result<Self, Error> {
        Self::new(|name| std::env::var(name).ok())
    }

    /// As `from_env`, with `lookup` as the environment. Reads files.
    pub fn new(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let roots = tls::Roots::load(&lookup)?;
        let proxies = proxy::Proxies::load(&lookup)?;
        let http = http::client(&roots, &proxies)?;
        Ok(Self {
            tls: roots.client_config()?,
            proxies: Arc::new(proxies),
            http,
        })
    }

    /// The HTTP client of the SDK's services.
    pub fn http_client(&self) -> SharedHttpClient {
        self.http.clone()
    }

    /// Opens a WebSocket at `url`, with `headers` beside those of the upgrade, within `deadline` from
    /// dialling to the answered upgrade. The request target is the URL's, byte for byte.
    pub async fn websocket(
        &self,
        url: &StreamUrl,
        headers: HeaderMap,
        deadline: Duration,
    ) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, Error> {
        let opening = self.open(url, headers, deadline);
        let late = |_| Error::Timeout {
            host: url.host().to_owned(),
            after: deadline,
        };
        timeout(deadline, opening).await.map_err(late)?
    }

    /// Whether a proxy stands between us and `uri`.
    pub fn has_proxy_for(&self, uri: &Uri) -> bool {
        self.proxies.has_one_for(uri)
    }

    /// Opens a connection to `uri`, with TLS where it is `https`, and closes it again: whether the host is there. Gives the
    /// organisation that has issued its certificate, if that names one.
    pub async fn reach(&self, uri: &Uri, deadline: Duration) -> Result<Option<String>, Error> {
        let host = uri.host().unwrap_or_default();
        let reached = async {
            let tcp = self.proxies.dial_uri(uri.clone(), deadline).await?;
            match uri.scheme_str() {
                Some("https") => self.shake_hands(host, tcp).await,
                _ => Ok(None),
            }
        };
        let late = |_| Error::Timeout {
            host: host.to_owned(),
            after: deadline,
        };
        timeout(deadline, reached).await.map_err(late)?
    }

    async fn shake_hands(&self, host: &str, tcp: TcpStream) -> Result<Option<String>, Error> {
        let failed = |why: String| Error::Tls {
            host: host.to_owned(),
            why,
        };
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|error| failed(error.to_string()))?;
        let tls = TlsConnector::from(self.tls.clone()).connect(name, tcp);
        let tls = tls.await.map_err(|error| failed(error.to_string()))?;
        let shown = tls.get_ref().1.peer_certificates();
        let own = shown.and_then(|certificates| certificates.first());
        Ok(own.and_then(|certificate| issuer::organisation(certificate)))
    }

    async fn open(
        &self,
        url: &StreamUrl,
        headers: HeaderMap,
        deadline: Duration,
    ) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, Error> {
        let tcp = self.proxies.dial(url, deadline).await?;
        let tls = Connector::Rustls(self.tls.clone());
        let opened =
            client_async_tls_with_config(upgrade(url, headers), tcp, Some(limits()), Some(tls))
                .await;
        opened
            .map(|(socket, _)| socket)
            .map_err(|error| Error::from_handshake(url.host(), error))
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Net")
    }
}

fn upgrade(url: &StreamUrl, mut headers: HeaderMap) -> Request<()> {
    let host =
        HeaderValue::try_from(url.host_header()).expect("a URI's host is a valid header value");
    headers.insert(header::HOST, host);
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(
        header::SEC_WEBSOCKET_VERSION,
        HeaderValue::from_static("13"),
    );
    let key = HeaderValue::try_from(generate_key()).expect("base64 is a valid header value");
    headers.insert(header::SEC_WEBSOCKET_KEY, key);
    let mut request = Request::new(());
    *request.uri_mut() = url.expose().clone();
    *request.headers_mut() = headers;
    request
}

/// Official ends stay near 1 KiB a message and set no read limit; 16 MiB only stops a broken peer. The
/// read buffer is allocated at once, so it is kept small; writes pile up to 128 KiB between flushes, and
/// 4 MiB is more than a whole window of messages with room to spare.
fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(16 << 20))
        .max_frame_size(Some(16 << 20))
        .read_buffer_size(64 << 10)
        .write_buffer_size(128 << 10)
        .max_write_buffer_size(4 << 20)
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

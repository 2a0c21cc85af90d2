//! Why a connection could not be made. Messages name hosts only, never a path, a query or a credential.

use std::{io, time::Duration};

use http::StatusCode;
use tokio_tungstenite::tungstenite;

/// Why a connection could not be made, or the network could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file of `AWS_CA_BUNDLE` cannot be used.
    #[error("cannot use the certificates of AWS_CA_BUNDLE, `{path}`: {why}")]
    CaBundle {
        /// The file named by the variable.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// A proxy variable that cannot be used. Its value may hold a password and is not shown.
    #[error("cannot use the proxy of {variable}: {why}")]
    ProxySetting {
        /// The environment variable.
        variable: &'static str,
        /// What is wrong with its value.
        why: &'static str,
    },
    /// TLS itself could not be set up.
    #[error("cannot set up tls: {0}")]
    TlsSetup(String),
    /// The host's name has no address.
    #[error("cannot resolve {host}: {why}")]
    Dns {
        /// The host, or the proxy's.
        host: String,
        /// The resolver's words.
        why: String,
    },
    /// No TCP connection, or one that was lost before it was of use.
    #[error("cannot connect to {host}: {why}")]
    Connect {
        /// The host, or the proxy's.
        host: String,
        /// The system's words.
        why: String,
    },
    /// The peer's certificate or TLS is not acceptable.
    #[error("tls with {host} failed: {why}")]
    Tls {
        /// The host.
        host: String,
        /// The verifier's words.
        why: String,
    },
    /// The proxy did not open the way.
    #[error("the proxy {proxy} did not connect to {host}: {why}")]
    Proxy {
        /// Host and port of the proxy.
        proxy: String,
        /// The host behind it.
        host: String,
        /// What it did instead.
        why: String,
    },
    /// The upgrade to a WebSocket was answered with an HTTP status.
    #[error("{host} refused the websocket: http {status}")]
    Refused {
        /// The host.
        host: String,
        /// Its answer.
        status: StatusCode,
    },
    /// The answer to the upgrade was not a WebSocket's.
    #[error("{host} does not speak websocket: {why}")]
    Handshake {
        /// The host.
        host: String,
        /// What was wrong.
        why: String,
    },
    /// The deadline passed.
    #[error("{host} did not answer within {after:?}")]
    Timeout {
        /// The host.
        host: String,
        /// The time it was given.
        after: Duration,
    },
}

impl Error {
    /// Whether the peer did not accept who is asking: HTTP 401 or 403.
    pub fn is_unauthorized(&self) -> bool {
        let status = self.status();
        status == Some(StatusCode::UNAUTHORIZED) || status == Some(StatusCode::FORBIDDEN)
    }

    /// The HTTP status of a refused upgrade.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the same attempt may succeed a little later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Dns { .. } | Self::Connect { .. } | Self::Timeout { .. } | Self::Proxy { .. } => {
                true
            }
            Self::Refused { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::Handshake { .. } | Self::Tls { .. } => false,
            Self::CaBundle { .. } | Self::ProxySetting { .. } | Self::TlsSetup(_) => false,
        }
    }

    /// A stable word for the status.
    pub fn code_word(&self) -> &'static str {
        match self {
            Self::CaBundle { .. } | Self::TlsSetup(_) => "ca_bundle_unusable",
            Self::ProxySetting { .. } => "proxy_setting_unusable",
            Self::Dns { .. } => "name_not_resolved",
            Self::Connect { .. } => "cannot_connect",
            Self::Tls { .. } => "tls_failed",
            Self::Proxy { .. } => "proxy_failed",
            Self::Refused { .. } | Self::Handshake { .. } => "websocket_refused",
            Self::Timeout { .. } => "network_timeout",
        }
    }

    /// The one thing to do, when there is one.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::CaBundle { .. } | Self::TlsSetup(_) => {
                "set AWS_CA_BUNDLE to a readable file of PEM certificates, or unset it"
            }
            Self::ProxySetting { variable, .. } => {
                return Some(format!("set {variable} to http://HOST:PORT, or unset it"));
            }
            Self::Tls { .. } => {
                "if a proxy inspects tls here, set AWS_CA_BUNDLE to the file with its certificate"
            }
            Self::Proxy { .. } => {
                "check HTTPS_PROXY and the credentials in it, or add the host to NO_PROXY"
            }
            Self::Dns { .. } | Self::Connect { .. } | Self::Timeout { .. } => return None,
            Self::Refused { .. } | Self::Handshake { .. } => return None,
        };
        Some(hint.to_owned())
    }

    /// Why `host` did not become a WebSocket.
    pub(super) fn from_handshake(host: &str, error: tungstenite::Error) -> Self {
        let host = host.to_owned();
        match error {
            tungstenite::Error::Http(response) => Self::Refused {
                host,
                status: response.status(),
            },
            tungstenite::Error::Tls(error) => Self::Tls {
                host,
                why: error.to_string(),
            },
            tungstenite::Error::Io(error) => Self::from_io(host, &error),
            tungstenite::Error::Protocol(error) => Self::Handshake {
                host,
                why: error.to_string(),
            },
            // The remaining kinds may quote the URL or the headers.
            _ => Self::Handshake {
                host,
                why: "the answer was malformed".to_owned(),
            },
        }
    }

    fn from_io(host: String, error: &io::Error) -> Self {
        let tls = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match tls {
            Some(tls) => Self::Tls {
                host,
                why: tls.to_string(),
            },
            None => Self::Connect {
                host,
                why: error.to_string(),
            },
        }
    }
}

//! Opening a session's WebSocket.

use std::time::Duration;

use http::HeaderMap;
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::lifecycle::{Trouble, TroubleKind};
use crate::aws::{Aws, Opened};
use crate::net::Net;
use crate::status::Reason;

/// What opening a WebSocket may take.
const DIAL_LIMIT: Duration = Duration::from_secs(15);

/// A session's WebSocket.
pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Open it: signed when possible. A service that refuses the signature may still take the token alone.
pub async fn dial(aws: &Aws, net: &Net, opened: &Opened) -> Result<Socket, Trouble> {
    let headers = aws.sign(&opened.url).await;
    let is_signed = !headers.is_empty();
    let dialled = net.websocket(&opened.url, headers, DIAL_LIMIT).await;
    let dialled = match dialled {
        Err(error) if is_signed && error.is_unauthorized() => {
            tracing::warn!(%error, "signed WebSocket refused; trying without a signature");
            net.websocket(&opened.url, HeaderMap::new(), DIAL_LIMIT)
                .await
        }
        other => other,
    };
    dialled.map_err(|error| {
        let reason = Reason::new(error.code_word(), error.to_string());
        let may_pass = error.is_retryable() || error.is_unauthorized();
        Trouble {
            reason: match error.hint() {
                Some(hint) => reason.with_hint(hint),
                None => reason,
            },
            kind: match may_pass {
                true => TroubleKind::Transient,
                false => TroubleKind::Final,
            },
        }
    })
}

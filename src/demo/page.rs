//! The private side of the demo: a web page that tells which way the request came.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | the page |
//! | `GET /bytes/N` | N bytes, the same at each request |
//! | `POST /hash` | the SHA-256 of what was sent, in hexadecimal |

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use sha2::{Digest as _, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// The most that `/bytes/N` gives.
const MAX_BYTES: usize = 256 * 1024 * 1024;

/// The page's server.
pub struct Page {
    /// Where it is.
    pub address: SocketAddr,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Page {
    /// End it, and wait for that.
    pub async fn stop(self) {
        self.cancel.cancel();
        let _ = self.task.await;
    }
}

/// Start serving on a free port.
pub async fn serve() -> io::Result<Page> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let cancel = CancellationToken::new();
    let stopped = cancel.clone();
    let task = tokio::spawn(async move {
        let mut requests = JoinSet::new();
        loop {
            tokio::select! {
                () = stopped.cancelled() => break,
                Some(_) = requests.join_next() => {}
                Ok((socket, peer)) = listener.accept() => {
                    requests.spawn(attend(socket, peer));
                }
            }
        }
        requests.shutdown().await;
    });
    Ok(Page {
        address,
        cancel,
        task,
    })
}

async fn attend(socket: TcpStream, peer: SocketAddr) {
    let service = service_fn(move |request| answer(request, peer));
    // A request a connection, so that the status shows none when nobody asks.
    let connection = hyper::server::conn::http1::Builder::new()
        .keep_alive(false)
        .serve_connection(TokioIo::new(socket), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "demo page");
    }
}

async fn answer(
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let body = match (request.method(), path.as_str()) {
        (&Method::GET, "/") => text(StatusCode::OK, page(peer)),
        (&Method::GET, path) => match path.strip_prefix("/bytes/").map(str::parse::<usize>) {
            Some(Ok(count)) if count <= MAX_BYTES => Response::new(Full::new(pattern(count))),
            _ => text(StatusCode::NOT_FOUND, "nothing here; try /\n".to_owned()),
        },
        (&Method::POST, "/hash") => hash(request.into_body()).await,
        _ => text(
            StatusCode::METHOD_NOT_ALLOWED,
            "GET / or POST /hash\n".to_owned(),
        ),
    };
    Ok(body)
}

async fn hash(mut body: Incoming) -> Response<Full<Bytes>> {
    let mut digest = Sha256::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => frame
                .data_ref()
                .into_iter()
                .for_each(|data| digest.update(data)),
            Err(error) => return text(StatusCode::BAD_REQUEST, format!("{error}\n")),
        }
    }
    text(StatusCode::OK, hex(&digest.finalize()))
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let kind = if body.starts_with('<') {
        "text/html; charset=utf-8"
    } else {
        "text/plain; charset=utf-8"
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}

fn page(peer: SocketAddr) -> String {
    format!(
        "<!doctype html><title>bastiond demo</title>\n\
         <h1>You have reached the private side</h1>\n\
         <pre>\n\
         your program\n\
         \x20 -&gt; localhost             where bastiond listens\n\
         \x20 -&gt; WebSocket             one SSM session, many connections\n\
         \x20 -&gt; Session Manager       simulated here\n\
         \x20 -&gt; agent in the task     started for you; simulated here\n\
         \x20 -&gt; {host}:5432   this page, which saw you come from {peer}\n\
         </pre>\n",
        host = super::PRIVATE_HOST,
    )
}

/// `count` bytes that repeat after a number of bytes that no buffer has.
pub fn pattern(count: usize) -> Bytes {
    (0..count)
        .map(|at| (at % 65_521 % 251) as u8)
        .collect::<Vec<u8>>()
        .into()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

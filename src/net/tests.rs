use std::{path::Path, time::Instant};

use ::http::StatusCode;
use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_tungstenite::{accept_async, tungstenite::Message};

use super::{
    fixture::{Authority, Proxy, read_head},
    *,
};

const LONG: Duration = Duration::from_secs(10);
const TARGET: &str =
    "/v1/data-channel/me@example.com-0ab?role=publish_subscribe&cell-number=AAEA+x/9k==%2B";
const AWS_HOST: &str = "ssmmessages.eu-west-1.amazonaws.com";

#[tokio::test]
async fn the_request_target_goes_out_byte_for_byte() {
    let (port, head) = answering("403 Forbidden").await;
    let mut headers = HeaderMap::new();
    headers.insert(
        "authorization",
        HeaderValue::from_static("AWS4-HMAC-SHA256 x"),
    );
    let refused = net(&[])
        .websocket(&loopback("ws", port), headers, LONG)
        .await
        .unwrap_err();
    let head = head.await.unwrap();
    assert!(
        head.starts_with(&format!(
            "GET {TARGET} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        )),
        "{head}"
    );
    assert!(
        head.contains("authorization: AWS4-HMAC-SHA256 x\r\n"),
        "{head}"
    );
    assert!(
        !head.to_lowercase().contains("sec-websocket-protocol"),
        "{head}"
    );
    assert_eq!(refused.status(), Some(StatusCode::FORBIDDEN));
}

#[tokio::test]
async fn refusals_are_told_apart_and_show_no_secret() {
    for (answer, unauthorized, retryable) in [
        ("401 Unauthorized", true, false),
        ("403 Forbidden", true, false),
        ("404 Not Found", false, false),
        ("503 Busy", false, true),
    ] {
        let (port, _head) = answering(answer).await;
        let error = net(&[])
            .websocket(&loopback("ws", port), HeaderMap::new(), LONG)
            .await
            .unwrap_err();
        assert_eq!(
            (error.is_unauthorized(), error.is_retryable()),
            (unauthorized, retryable),
            "{error}"
        );
        let shown = format!("{error} {error:?}");
        assert!(
            shown.contains("127.0.0.1") && !shown.contains("cell-number") && !shown.contains("0ab"),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_ends_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = loopback("ws", listener.local_addr().unwrap().port());
    let began = Instant::now();
    let error = net(&[])
        .websocket(&url, HeaderMap::new(), Duration::from_millis(80))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    assert!(began.elapsed() < LONG);
}

#[tokio::test]
async fn a_closed_port_is_a_connect_error() {
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let error = net(&[])
        .websocket(&loopback("ws", free), HeaderMap::new(), LONG)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Connect { .. }) && error.is_retryable(),
        "{error}"
    );
}

#[tokio::test]
async fn nagle_is_off() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = loopback("ws", listener.local_addr().unwrap().port());
    let server = tokio::spawn(async move { echo(listener.accept().await.unwrap().0).await });
    let socket = net(&[])
        .websocket(&url, HeaderMap::new(), LONG)
        .await
        .unwrap();
    let MaybeTlsStream::Plain(tcp) = socket.get_ref() else {
        panic!("not plain")
    };
    assert!(tcp.nodelay().unwrap());
    drop(socket);
    server.await.unwrap();
}

#[tokio::test]
async fn a_certificate_of_the_ca_bundle_is_trusted() {
    let authority = Authority::new();
    let port = echo_server(&authority, "localhost").await;
    let url = StreamUrl::parse(&format!("wss://localhost:{port}{TARGET}"), true).unwrap();
    let error = net(&[])
        .websocket(&url, HeaderMap::new(), LONG)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Tls { .. }) && error.hint().unwrap().contains("AWS_CA_BUNDLE"),
        "{error}"
    );
    says_hello(&net(&[("AWS_CA_BUNDLE", text(&authority.bundle()))]), &url).await;
}

#[tokio::test]
async fn a_certificate_of_another_host_is_refused() {
    let authority = Authority::new();
    let port = echo_server(&authority, "elsewhere.example").await;
    let url = StreamUrl::parse(&format!("wss://localhost:{port}{TARGET}"), true).unwrap();
    let net = net(&[("AWS_CA_BUNDLE", text(&authority.bundle()))]);
    let error = net
        .websocket(&url, HeaderMap::new(), LONG)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{error}");
}

#[tokio::test]
async fn the_proxy_is_asked_with_its_credentials() {
    let authority = Authority::new();
    let proxy = Proxy::start(echo_server(&authority, AWS_HOST).await, "200").await;
    let via = format!("http://user:p%40ss@{}", proxy.address);
    let net = net(&[
        ("HTTPS_PROXY", &via),
        ("AWS_CA_BUNDLE", text(&authority.bundle())),
    ]);
    let url = StreamUrl::parse(&format!("wss://{AWS_HOST}{TARGET}"), false).unwrap();
    says_hello(&net, &url).await;
    let head = proxy.heads().remove(0);
    assert!(
        head.starts_with(&format!("CONNECT {AWS_HOST}:443 HTTP/1.1\r\n")),
        "{head}"
    );
    // base64 of "user:p@ss".
    assert!(
        head.contains("Proxy-Authorization: Basic dXNlcjpwQHNz\r\n"),
        "{head}"
    );
}

#[tokio::test]
async fn any_success_of_the_proxy_opens_the_way() {
    let authority = Authority::new();
    let proxy = Proxy::start(echo_server(&authority, AWS_HOST).await, "299").await;
    let net = net(&[
        ("HTTPS_PROXY", &format!("http://{}", proxy.address)),
        ("AWS_CA_BUNDLE", text(&authority.bundle())),
    ]);
    let url = StreamUrl::parse(&format!("wss://{AWS_HOST}{TARGET}"), false).unwrap();
    says_hello(&net, &url).await;
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_without_its_password() {
    for (status, says) in [("407", "credentials"), ("502", "http 502")] {
        let proxy = Proxy::start(0, status).await;
        let net = net(&[(
            "HTTPS_PROXY",
            &format!("http://user:s3cret@{}", proxy.address),
        )]);
        let url = StreamUrl::parse(&format!("wss://{AWS_HOST}{TARGET}"), false).unwrap();
        let error = net
            .websocket(&url, HeaderMap::new(), LONG)
            .await
            .unwrap_err();
        let shown = format!("{error} {error:?} {:?}", error.hint());
        assert!(
            matches!(error, Error::Proxy { .. }) && shown.contains(says),
            "{shown}"
        );
        assert!(
            shown.contains(&proxy.address) && shown.contains(AWS_HOST),
            "{shown}"
        );
        assert!(
            !shown.contains("s3cret") && !shown.contains("cell-number"),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn this_machine_is_reached_without_the_proxy() {
    let authority = Authority::new();
    let port = echo_server(&authority, "localhost").await;
    let proxy = Proxy::start(port, "200").await;
    let via = format!("http://{}", proxy.address);
    let net = net(&[
        ("ALL_PROXY", &via),
        ("AWS_CA_BUNDLE", text(&authority.bundle())),
    ]);
    says_hello(
        &net,
        &StreamUrl::parse(&format!("wss://localhost:{port}{TARGET}"), true).unwrap(),
    )
    .await;
    assert!(proxy.heads().is_empty());
}

#[tokio::test]
async fn a_message_above_the_limit_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = loopback("ws", listener.local_addr().unwrap().port());
    let server = tokio::spawn(async move {
        let mut socket = accept_async(listener.accept().await.unwrap().0)
            .await
            .unwrap();
        let _ = socket.send(Message::binary(vec![0; (16 << 20) + 1])).await;
    });
    let mut socket = net(&[])
        .websocket(&url, HeaderMap::new(), LONG)
        .await
        .unwrap();
    assert!(socket.next().await.unwrap().is_err());
    drop(socket);
    server.await.unwrap();
}

fn net(env: &[(&str, &str)]) -> Net {
    let find = |name: &str| {
        env.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    };
    Net::new(find).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn loopback(scheme: &str, port: u16) -> StreamUrl {
    StreamUrl::parse(&format!("{scheme}://127.0.0.1:{port}{TARGET}"), true).unwrap()
}

/// A port that answers one request with `status`, and the request's head.
async fn answering(status: &'static str) -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let head = tokio::spawn(async move {
        let mut stream = BufReader::new(listener.accept().await.unwrap().0);
        let head = read_head(&mut stream).await;
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        head
    });
    (port, head)
}

/// A TLS WebSocket server called `name` that sends back what it gets.
async fn echo_server(authority: &Authority, name: &str) -> u16 {
    let acceptor = authority.acceptor(name);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(tls) = acceptor.accept(stream).await {
                echo(tls).await;
            }
        }
    });
    port
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(stream: S) {
    let mut socket = accept_async(stream).await.unwrap();
    while let Some(Ok(message)) = socket.next().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

async fn says_hello(net: &Net, url: &StreamUrl) {
    let mut socket = net.websocket(url, HeaderMap::new(), LONG).await.unwrap();
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(
        socket.next().await.unwrap().unwrap(),
        Message::text("hello")
    );
}

//! How AWS is reached, and when it is not.

use serde_json::json;

use super::{
    super::fake::{Fake, error, ok},
    *,
};
use crate::net::fixture::{Authority, Proxy};

#[tokio::test]
async fn a_silent_service_ends_in_a_timeout() {
    let fake = Fake::start(|_, _| None).await;
    let short = Duration::from_millis(120);
    let limits = Timeouts {
        connect: short,
        attempt: short,
        operation: 2 * short,
    };
    let aws = with(&config(fake.url()), &net(&[]), limits).await;
    let failed = aws.connection_status("t").await.unwrap_err();
    assert_eq!(
        (failed.kind.clone(), failed.is_retryable()),
        (Kind::Timeout, true),
        "{failed}"
    );
}

#[tokio::test]
async fn a_closed_endpoint_is_unreachable() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let aws = with(
        &config(format!("http://{free}")),
        &net(&[]),
        Timeouts::default(),
    )
    .await;
    let failed = aws.start_session("t", None, 1, "r").await.unwrap_err();
    assert_eq!(failed.kind, Kind::Unreachable, "{failed}");
    assert!(
        failed.message.to_lowercase().contains("refused"),
        "{failed}"
    );
}

#[tokio::test]
async fn the_wait_that_aws_asks_for_is_told() {
    let fake = Fake::start(|_, _| {
        let mut throttled = error(400, "ThrottlingException", "Rate exceeded")?;
        throttled
            .headers_mut()
            .insert("x-amz-retry-after", 1500.into());
        Some(throttled)
    })
    .await;
    let failed = aws(&fake)
        .await
        .start_session("t", None, 1, "r")
        .await
        .unwrap_err();
    assert_eq!(failed.retry_after, Some(Duration::from_millis(1500)));
}

#[tokio::test]
async fn the_api_is_reached_by_proxy_and_ca_bundle() {
    let authority = Authority::new();
    let host = "bastiond-test.invalid";
    let fake = Fake::start_tls(Some(authority.acceptor(host)), |_, _| {
        ok(json!({"Status": "connected"}))
    })
    .await;
    let proxy = Proxy::start(fake.port, "200").await;
    let via = format!("http://user:pw@{}", proxy.address);
    let bundle = authority.bundle().display().to_string();
    let env = [
        ("HTTPS_PROXY", via.as_str()),
        ("AWS_CA_BUNDLE", bundle.as_str()),
    ];
    let config = config(format!("https://{host}"));
    let aws = with(&config, &net(&env), Timeouts::default()).await;
    assert!(aws.connection_status("t").await.unwrap());
    let head = proxy.heads().remove(0);
    assert!(head.starts_with(&format!("CONNECT {host}:443 ")), "{head}");
    // base64 of "user:pw".
    assert!(
        head.to_lowercase()
            .contains("proxy-authorization: basic dxnlcjpwdw==\r\n"),
        "{head}"
    );
    let untrusting = with(&config, &net(&env[..1]), Timeouts::default()).await;
    let failed = untrusting
        .start_session("t", None, 1, "r")
        .await
        .unwrap_err();
    assert_eq!(failed.kind, Kind::Unreachable, "{failed}");
    assert!(failed.hint().unwrap().contains("AWS_CA_BUNDLE"), "{failed}");
}

#[tokio::test]
async fn a_proxy_that_lets_no_call_through_is_told_with_what_mends_it() {
    let proxy = Proxy::start(1, "403").await;
    let via = format!("http://user:pw@{}", proxy.address);
    let config = config("https://bastiond-test.invalid".into());
    let net = net(&[("HTTPS_PROXY", via.as_str())]);
    let aws = with(&config, &net, Timeouts::default()).await;
    let failed = aws.connection_status("t").await.unwrap_err();
    assert_eq!(failed.kind, Kind::Unreachable, "{failed}");
    let hint = failed.hint().unwrap();
    assert!(hint.contains("check HTTPS_PROXY"), "{failed}: {hint}");
    assert!(!failed.to_string().contains("user:pw"), "{failed}");
}

#[tokio::test]
async fn a_local_endpoint_is_reached_without_the_proxy() {
    let fake = Fake::start(|_, _| ok(json!({"Status": "connected"}))).await;
    let proxy = Proxy::start(fake.port, "200").await;
    let via = format!("http://{}", proxy.address);
    let aws = with(
        &config(fake.url()),
        &net(&[("ALL_PROXY", &via)]),
        Timeouts::default(),
    )
    .await;
    assert!(aws.connection_status("t").await.unwrap());
    assert!(proxy.heads().is_empty());
}

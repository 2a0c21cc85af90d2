//! What SSM is asked, and what its answers become.

use std::{
    sync::{Mutex, mpsc},
    time::Instant,
};

use serde_json::{Value, json};
use tokio::{runtime, time};

use super::{
    super::fake::{Fake, error, ok},
    *,
};

#[tokio::test]
async fn a_session_to_a_host_and_one_to_the_target_differ_in_document() {
    let fake = Fake::start(|_, _| ok(opened("me-1"))).await;
    let aws = aws(&fake).await;
    let opened = aws
        .start_session("ecs:a_b_c", Some("db.example"), 5432, "one\ntwo")
        .await
        .unwrap();
    assert_eq!(
        (opened.id.as_str(), opened.token.expose()),
        ("me-1", "s3cret")
    );
    assert!(!format!("{opened:?}").contains("s3cret") && !format!("{opened:?}").contains("cell"));
    aws.start_session("i-0123456789abcdef0", None, 22, "")
        .await
        .unwrap();
    assert_eq!(
        fake.bodies("StartSession"),
        [
            json!({
                "Target": "ecs:a_b_c",
                "DocumentName": "AWS-StartPortForwardingSessionToRemoteHost",
                "Reason": "one two",
                "Parameters": {"host": ["db.example"], "portNumber": ["5432"], "localPortNumber": ["0"]},
            }),
            json!({
                "Target": "i-0123456789abcdef0",
                "DocumentName": "AWS-StartPortForwardingSession",
                "Parameters": {"portNumber": ["22"], "localPortNumber": ["0"]},
            }),
        ]
    );
}

#[tokio::test]
async fn sessions_start_one_at_a_time_and_a_second_apart() {
    let fake = Fake::start(|_, _| ok(opened("me-1"))).await;
    let aws = aws(&fake).await;
    let began = Instant::now();
    let (a, b) = tokio::join!(
        aws.start_session("t", None, 1, "r"),
        aws.start_session("t", None, 2, "r")
    );
    assert!(a.is_ok() && b.is_ok());
    assert!(began.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_failed_start_is_not_repeated_by_itself() {
    for (code, status, kind, retryable) in [
        ("InternalServerError", 500, Kind::Transient, true),
        ("ThrottlingException", 400, Kind::Throttled, true),
        ("TargetNotConnected", 400, Kind::TargetNotConnected, true),
        ("InvalidDocument", 400, Kind::Invalid, false),
    ] {
        let fake = Fake::start(move |_, _| error(status, code, "no")).await;
        let failed = aws(&fake)
            .await
            .start_session("t", None, 1, "r")
            .await
            .unwrap_err();
        assert_eq!(
            (failed.is_retryable(), &failed.kind),
            (retryable, &kind),
            "{code}"
        );
        assert_eq!(fake.calls().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn a_stream_url_elsewhere_is_refused_and_its_session_ended() {
    let fake = Fake::start(|call, _| match call.operation.as_str() {
        "StartSession" => {
            ok(json!({"SessionId": "me-1", "TokenValue": "s3cret", "StreamUrl": "wss://evil.example/x?cell-number=1"}))
        }
        _ => ok(json!({"SessionId": "me-1"})),
    })
    .await;
    let failed = aws(&fake)
        .await
        .start_session("t", None, 1, "r")
        .await
        .unwrap_err();
    assert_eq!(failed.kind, Kind::Untrusted);
    assert!(
        failed.message.contains("evil.example") && !failed.message.contains("cell-number"),
        "{failed}"
    );
    assert_eq!(
        fake.bodies("TerminateSession"),
        [json!({"SessionId": "me-1"})]
    );
}

#[tokio::test]
async fn a_session_without_a_token_is_ended_too() {
    let fake = Fake::start(|_, _| ok(json!({"SessionId": "me-1"}))).await;
    let failed = aws(&fake).await.start_session("t", None, 1, "r").await;
    assert_eq!(failed.unwrap_err().kind, Kind::Untrusted);
    assert_eq!(
        fake.bodies("TerminateSession"),
        [json!({"SessionId": "me-1"})]
    );
}

#[tokio::test]
async fn a_slow_start_is_waited_for_as_giving_up_would_leave_a_session_behind() {
    // The service has a thread of its own, where it may wait to be told to answer.
    let service = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (answer, told) = mpsc::channel();
    let told = Mutex::new(told);
    let start = Fake::start(move |_, _| {
        told.lock().unwrap().recv().ok();
        ok(opened("me-1"))
    });
    let fake = service.spawn(start).await.unwrap();
    let limits = Timeouts {
        attempt: Duration::from_secs(1),
        ..Timeouts::default()
    };
    let aws = with(&config(fake.url()), &net(&[]), limits).await;
    let started = tokio::spawn(async move { aws.start_session("t", None, 1, "r").await.is_ok() });
    while fake.calls().is_empty() {
        time::sleep(Duration::from_millis(1)).await;
    }
    time::pause();
    time::advance(Duration::from_secs(5)).await;
    time::resume();
    assert!(!started.is_finished(), "it was given up");
    answer.send(()).unwrap();
    assert!(started.await.unwrap());
    assert_eq!(fake.calls().len(), 1);
    service.shutdown_background();
}

#[tokio::test]
async fn a_start_refused_for_the_clock_is_sent_again_by_the_time_that_aws_told() {
    let fake = Fake::start(|_, n| {
        let mut answer = match n {
            0 => error(400, "InvalidSignatureException", "Signature expired: now"),
            _ => ok(opened("me-1")),
        }?;
        let date = "Mon, 22 Nov 2060 12:00:00 GMT".parse().unwrap();
        answer.headers_mut().insert("date", date);
        Some(answer)
    })
    .await;
    assert!(
        aws(&fake)
            .await
            .start_session("t", None, 1, "r")
            .await
            .is_ok()
    );
    let calls = fake.calls();
    assert_eq!(calls.len(), 2);
    assert!(
        calls[1].authorization.contains("/20601122/"),
        "{}",
        calls[1].authorization
    );
}

#[tokio::test]
async fn a_session_that_is_over_is_not_resumed() {
    let fake = Fake::start(|_, n| match n {
        0 => ok(opened("me-1")),
        1 => ok(json!({"SessionId": "me-1", "TokenValue": ""})),
        2 => ok(json!({"SessionId": "me-1"})),
        3 => error(400, "DoesNotExistException", "Session me-1 does not exist"),
        _ => error(400, "AccessDeniedException", "no"),
    })
    .await;
    let (aws, id) = (aws(&fake).await, SessionId::new("me-1"));
    assert_eq!(aws.resume_session(&id).await.unwrap().unwrap().id, id);
    for _ in 0..3 {
        assert!(aws.resume_session(&id).await.unwrap().is_none());
    }
    assert!(matches!(
        aws.resume_session(&id).await.unwrap_err().kind,
        Kind::Denied(_)
    ));
}

#[tokio::test]
async fn the_small_calls_of_ssm() {
    let fake = Fake::start(|call, n| match (call.operation.as_str(), n) {
        ("GetConnectionStatus", 0) => ok(json!({"Target": "t", "Status": "connected"})),
        ("GetConnectionStatus", _) => ok(json!({"Target": "t", "Status": "notconnected"})),
        ("DescribeSessions", 0) => ok(json!({"Sessions": [{"SessionId": "a"}], "NextToken": "2"})),
        ("DescribeSessions", _) => ok(json!({"Sessions": [{"SessionId": "b"}]})),
        _ => error(400, "DoesNotExistException", "gone"),
    })
    .await;
    let aws = aws(&fake).await;
    assert!(aws.connection_status("t").await.unwrap());
    assert!(!aws.connection_status("t").await.unwrap());
    assert_eq!(
        aws.active_sessions("t").await.unwrap(),
        [SessionId::new("a"), SessionId::new("b")]
    );
    aws.terminate_session(&SessionId::new("gone"))
        .await
        .unwrap();
    let asked = json!({"State": "Active", "Filters": [{"key": "Target", "value": "t"}]});
    assert_eq!(fake.bodies("DescribeSessions")[0], asked);
}

fn opened(id: &str) -> Value {
    let url =
        format!("wss://ssmmessages.eu-west-1.amazonaws.com/v1/data-channel/{id}?cell-number=A+/=");
    json!({"SessionId": id, "TokenValue": "s3cret", "StreamUrl": url})
}

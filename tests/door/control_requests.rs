//! What may be asked at the door, what is refused, and what the client makes of the answers.

use std::time::Duration;

use crate::support::{
    door::{Daemon, refused},
    paths_in, status, tunnel,
};
use bastiond::sockets::Sockets;
use bastiond::{
    control::{
        Goal, Refusal,
        client::{self, Client},
        socket::Claim,
    },
    status::Connections,
};
use tokio::{io::AsyncWriteExt, net::UnixStream, time::Instant};

// ---- requests ----

#[tokio::test]
async fn the_owner_gets_the_status() {
    let daemon = Daemon::start().await;
    assert_eq!(daemon.client().status().await.unwrap(), status());
    daemon.stop().await;
}

#[tokio::test]
async fn up_and_down_reach_the_daemon_and_answer_with_the_tunnel() {
    let daemon = Daemon::start().await;
    assert_eq!(daemon.client().up("app-db").await.unwrap().name, "app-db");
    assert_eq!(daemon.client().down("cache").await.unwrap().name, "cache");
    assert_eq!(daemon.stop().await, ["up app-db", "down cache"]);
}

#[tokio::test]
async fn up_for_a_while_keeps_the_bastion_first_and_a_wrong_while_is_refused() {
    let daemon = Daemon::start().await;
    daemon.client().up_for("app-db", "1h30m").await.unwrap();
    for wrong in ["", "8d", "2 h&x=1"] {
        let refusal = refused(daemon.client().up_for("app-db", wrong).await.unwrap_err());
        let code = (refusal.status, refusal.code.as_str());
        assert_eq!(code, (400, "wrong_duration"), "{wrong}");
    }
    assert_eq!(daemon.stop().await, ["keep app-db 5400s", "up app-db"]);
}

#[tokio::test]
async fn restart_reset_and_reload_reach_the_daemon() {
    let daemon = Daemon::start().await;
    let client = daemon.client();
    assert_eq!(client.restart("app-db").await.unwrap().name, "app-db");
    assert_eq!(client.reset("cache").await.unwrap().name, "cache");
    assert_eq!(client.reload().await.unwrap().added, ["cache"]);
    let told = ["restart app-db", "reset cache", "reload"];
    assert_eq!(daemon.stop().await, told);
}

#[tokio::test]
async fn one_tunnel_and_its_connections_can_be_asked_for() {
    let daemon = Daemon::start().await;
    let client = daemon.client();
    assert_eq!(client.tunnel("cache").await.unwrap(), tunnel("cache"));
    let refusal = refused(client.tunnel("cash").await.unwrap_err());
    assert_eq!(refusal.code, "unknown_tunnel");
    let ids = |list: Connections| -> Vec<u64> { list.connections.iter().map(|it| it.id).collect() };
    assert_eq!(ids(client.connections(None).await.unwrap()), [1, 2]);
    assert_eq!(ids(client.connections(Some("cache")).await.unwrap()), [2]);
    assert_eq!(
        ids(client.connections(Some("broken")).await.unwrap()),
        [0; 0]
    );
    daemon.stop().await;
}

#[tokio::test]
async fn a_word_that_a_call_does_not_know_is_refused_with_the_nearest() {
    let daemon = Daemon::start().await;
    for (target, code, hint) in [
        (
            "/v1/logs?sinse=1h",
            "unknown_query",
            Some("did you mean `since`?"),
        ),
        ("/v1/status?since=1h", "unknown_query", None),
        ("/v1/events?last=-1", "wrong_query", None),
        ("/v1/events?follow=maybe", "wrong_query", None),
        ("/v1/tunnels/app-db/wait?for=up", "wrong_query", None),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: bastiond\r\n\r\n");
        let (head, body) = daemon.raw(&request).await;
        assert!(head.starts_with("HTTP/1.1 400 "), "{target}: {head}");
        let refusal: Refusal = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (refusal.code.as_str(), refusal.hint.as_deref()),
            (code, hint),
            "{target}"
        );
    }
    assert_eq!(daemon.stop().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_over_at_its_deadline_and_when_the_daemon_stops() {
    let daemon = Daemon::start().await;
    let began = Instant::now();
    let limit = Duration::from_secs(90);
    let late = daemon.client().wait("app-db", Goal::Ready, limit).await;
    assert_eq!(refused(late.unwrap_err()).code, "wait_timeout");
    assert_eq!(began.elapsed().as_secs(), 90);
    daemon
        .client()
        .wait("app-db", Goal::Idle, limit)
        .await
        .unwrap();
    let client = daemon.client();
    let waiting = tokio::spawn(async move { client.wait_for_all(Goal::Ready, limit).await });
    daemon.client().shutdown().await.unwrap();
    let stopped = waiting.await.unwrap().unwrap_err();
    assert_eq!(refused(stopped).code, "stopping");
    daemon.stop().await;
}

#[tokio::test]
async fn a_hold_of_an_unknown_bastion_reaches_nobody() {
    let daemon = Daemon::start().await;
    let refusal = refused(daemon.client().hold("dev").await.unwrap_err());
    assert_eq!(
        (refusal.status, refusal.code.as_str()),
        (404, "unknown_bastion")
    );
    assert_eq!(refusal.detail, "there is no bastion `dev`, nor any other");
    assert_eq!(daemon.stop().await, [""; 0]);
}

#[tokio::test]
async fn orphans_are_ended_only_when_that_is_asked_for() {
    let daemon = Daemon::start().await;
    assert_eq!(daemon.client().orphans(false).await.unwrap(), []);
    assert_eq!(daemon.client().orphans(true).await.unwrap(), []);
    assert_eq!(daemon.stop().await, ["orphans false", "orphans true"]);
}

#[tokio::test]
async fn a_failed_command_says_why_and_what_to_do() {
    let daemon = Daemon::start().await;
    let refusal = refused(daemon.client().up("broken").await.unwrap_err());
    assert_eq!(
        (refusal.status, refusal.code.as_str()),
        (409, "task_start_failed")
    );
    assert_eq!(refusal.detail, "bastion dev: no capacity");
    assert_eq!(refusal.hint.as_deref(), Some("try again later"));
    daemon.stop().await;
}

#[tokio::test]
async fn an_unknown_tunnel_is_answered_with_the_nearest_and_the_list() {
    let daemon = Daemon::start().await;
    let refusal = refused(daemon.client().up("app_db").await.unwrap_err());
    assert_eq!(
        (refusal.status, refusal.code.as_str()),
        (404, "unknown_tunnel")
    );
    assert_eq!(
        refusal.detail,
        "there is no tunnel `app_db`; there are `app-db`, `cache`, `broken`"
    );
    assert_eq!(refusal.hint.as_deref(), Some("did you mean `app-db`?"));
    let refusal = refused(daemon.client().down("../v1").await.unwrap_err());
    assert_eq!(refusal.code, "unknown_tunnel");
    assert_eq!(daemon.stop().await, [""; 0]);
}

#[tokio::test]
async fn a_shutdown_reaches_the_daemon() {
    let daemon = Daemon::start().await;
    daemon.client().shutdown().await.unwrap();
    assert_eq!(daemon.stop().await, ["shutdown"]);
}

#[tokio::test]
async fn a_daemon_that_no_longer_takes_commands_says_that_it_stops() {
    let daemon = Daemon::start().await;
    daemon.client().shutdown().await.unwrap();
    daemon.stopped_taking_commands().await;
    let refusal = refused(daemon.client().up("app-db").await.unwrap_err());
    assert_eq!((refusal.status, refusal.code.as_str()), (503, "stopping"));
    daemon.stop().await;
}

#[tokio::test]
async fn errors_are_problem_json() {
    let daemon = Daemon::start().await;
    let (head, body) = daemon
        .raw("GET /nowhere HTTP/1.1\r\nHost: bastiond\r\n\r\n")
        .await;
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    assert!(
        head.contains("content-type: application/problem+json"),
        "{head}"
    );
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        body,
        serde_json::json!({
            "type": "urn:bastiond:problem:unknown_path",
            "code": "unknown_path",
            "title": "unknown path",
            "status": 404,
            "detail": "there is nothing at `/nowhere`",
        })
    );
    daemon.stop().await;
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_one() {
    let daemon = Daemon::start().await;
    let (head, _) = daemon
        .raw("GET /v1/shutdown HTTP/1.1\r\nHost: bastiond\r\n\r\n")
        .await;
    assert!(head.starts_with("HTTP/1.1 405 "), "{head}");
    assert!(head.contains("allow: POST"), "{head}");
    assert_eq!(daemon.stop().await, [""; 0]);
}

#[tokio::test]
async fn requests_that_a_web_page_could_cause_are_refused() {
    let daemon = Daemon::start().await;
    for header in [
        "Origin: http://evil.example",
        "Origin: null",
        "Referer: http://evil.example/",
    ] {
        daemon
            .assert_refused(
                &format!("POST /v1/shutdown HTTP/1.1\r\nHost: bastiond\r\n{header}\r\n\r\n"),
                403,
            )
            .await;
    }
    for host in ["evil.example", "localhost:8080", "127.0.0.1", ""] {
        daemon
            .assert_refused(
                &format!("POST /v1/shutdown HTTP/1.1\r\nHost: {host}\r\n\r\n"),
                403,
            )
            .await;
    }
    daemon
        .assert_refused("POST /v1/shutdown HTTP/1.1\r\n\r\n", 403)
        .await;
    daemon
        .assert_refused(
            "POST /v1/shutdown HTTP/1.1\r\nHost: bastiond\r\nHost: evil\r\n\r\n",
            403,
        )
        .await;
    daemon
        .assert_refused(
            "POST http://evil/v1/shutdown HTTP/1.1\r\nHost: bastiond\r\n\r\n",
            403,
        )
        .await;
    assert_eq!(daemon.stop().await, [""; 0]);
}

#[tokio::test]
async fn localhost_is_a_host_of_ours_as_curl_has_it() {
    let daemon = Daemon::start().await;
    let (head, _) = daemon
        .raw("GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    daemon.stop().await;
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let daemon = Daemon::start().await;
    daemon.assert_refused("hello\r\n\r\n", 400).await;
    daemon
        .assert_refused(
            "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}\r\n\r\n",
            400,
        )
        .await;
    daemon.stop().await;
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let daemon = Daemon::start().await;
    let post = "POST /v1/shutdown HTTP/1.1\r\nHost: bastiond\r\n";
    daemon
        .assert_refused(&format!("{post}X: {}\r\n\r\n", "x".repeat(20_000)), 431)
        .await;
    daemon
        .assert_refused(&format!("{post}{}\r\n", "X: x\r\n".repeat(200)), 431)
        .await;
    daemon
        .assert_refused(
            &format!("{post}Content-Length: 65537\r\n\r\n{}", "x".repeat(65_537)),
            413,
        )
        .await;
    let chunk = format!("8000\r\n{}\r\n", "x".repeat(0x8000));
    daemon
        .assert_refused(
            &format!("{post}Transfer-Encoding: chunked\r\n\r\n{chunk}{chunk}{chunk}0\r\n\r\n"),
            413,
        )
        .await;
    daemon
        .assert_refused(&format!("{post}Content-Length: 2\r\n\r\n{{}}"), 400)
        .await;
    assert_eq!(daemon.stop().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_header_is_cut_off_after_five_seconds() {
    let daemon = Daemon::start().await;
    let began = Instant::now();
    daemon.raw("GET /v1/status HTTP/1.1\r\nHost: bas").await;
    assert_eq!(began.elapsed().as_secs(), 5);
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_cut_off_after_five_seconds() {
    let daemon = Daemon::start().await;
    let began = Instant::now();
    let (head, _) = daemon
        .raw("POST /v1/shutdown HTTP/1.1\r\nHost: bastiond\r\nContent-Length: 9\r\n\r\nabc")
        .await;
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    assert_eq!(began.elapsed().as_secs(), 5);
    assert_eq!(daemon.stop().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_crowd_of_silent_callers_delays_others_but_does_not_lock_them_out() {
    let daemon = Daemon::start().await;
    let mut crowd = Vec::new();
    for _ in 0..32 {
        crowd.push(UnixStream::connect(&daemon.paths.socket).await.unwrap());
    }
    let began = Instant::now();
    let (head, _) = daemon
        .raw("GET /v1/status HTTP/1.1\r\nHost: bastiond\r\n\r\n")
        .await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(
        began.elapsed().as_secs(),
        5,
        "the 33rd waits until the silent ones are cut off"
    );
    daemon.stop().await;
}

#[tokio::test]
async fn stopping_removes_the_socket_and_does_not_wait_for_the_idle() {
    let daemon = Daemon::start().await;
    let _silent = UnixStream::connect(&daemon.paths.socket).await.unwrap();
    daemon.client().status().await.unwrap();
    let socket = daemon.paths.socket.clone();
    let began = Instant::now();
    daemon.stop().await;
    assert!(!socket.exists());
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
}

// ---- the client ----

#[tokio::test(start_paused = true)]
async fn without_a_daemon_the_client_says_so_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let paths = paths_in(folder.path());
    let began = Instant::now();
    let error = Client::new(&paths.socket).status().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot reach the daemon at `{}`: is it running?",
            paths.socket.display()
        )
    );
    assert_eq!(error.hint().as_deref(), Some("bastiond start"));
    assert_eq!(began.elapsed(), Duration::ZERO, "it waited for nothing");
}

#[tokio::test]
async fn a_patient_client_waits_for_a_daemon_that_starts() {
    let folder = tempfile::tempdir().unwrap();
    let paths = paths_in(folder.path());
    let client = Client::new(&paths.socket).patient();
    let asked = tokio::spawn(async move { client.status().await });
    // It has tried, and found nobody: a connection to nothing fails at once.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!asked.is_finished(), "it has no patience");
    let daemon = Daemon::start_at(folder, rustix::process::geteuid().as_raw());
    assert_eq!(asked.await.unwrap().unwrap(), status());
    daemon.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_patient_client_gives_up_after_two_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let error = Client::new(&paths_in(folder.path()).socket)
        .patient()
        .status()
        .await
        .unwrap_err();
    assert!(
        matches!(error, client::Error::Unreachable { .. }),
        "{error}"
    );
    assert_eq!(began.elapsed().as_secs_f64().round(), 2.0);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_never_answers_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let paths = paths_in(folder.path());
    let claim = Claim::take(&paths).unwrap();
    let _listens_but_never_accepts = claim.listen(&Sockets::default()).unwrap();
    let error = Client::new(&paths.socket).status().await.unwrap_err();
    assert_eq!(error.to_string(), "the daemon did not answer within 5 s");
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_called_so() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("other.sock");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let other = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"SSH-2.0-OpenSSH\r\n\r\n").await.unwrap();
    });
    let error = Client::new(&socket).status().await.unwrap_err();
    assert!(matches!(error, client::Error::Garbled(_)), "{error}");
    other.await.unwrap();
}

/// A killed daemon's backlog still takes a caller for a moment: that is a daemon not reached, not a wrong answer.
#[tokio::test]
async fn a_daemon_that_goes_away_while_asked_is_called_so() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("dying.sock");
    for said in [
        "",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"schema\":",
    ] {
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let dying = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
        });
        let error = Client::new(&socket).status().await.unwrap_err();
        assert!(
            matches!(error, client::Error::Gone { .. }),
            "{said:?}: {error}"
        );
        assert_eq!(error.hint().as_deref(), Some("bastiond start"));
        dying.await.unwrap();
        std::fs::remove_file(&socket).unwrap();
    }
}

//! The opening of a session: the WebSocket and its signature, the first frame, the handshake, and agents that will
//! not do.

use std::time::Duration;

use bastiond::proto::AgentProfile;
use bastiond::sim::{ApiFault, Faults, Handshake, Script, Signature};
use bastiond::status::TunnelState;
use bytes::Bytes;
use serde_json::json;

use crate::support::{House, Terms, assert_reset, ping, skip, until};

#[tokio::test]
async fn the_url_goes_on_the_wire_byte_for_byte_and_signed() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    daemon.served().await;
    let link = house.world().links().remove(0);
    let (_, query) = link.target.split_once('?').expect("a query");
    // Base64 as the service writes it: escaped, it would be another cell.
    assert!(
        query.starts_with("role=publish_subscribe&cell-number=++") && query.ends_with("=="),
        "{query}"
    );
    let authorization = link.header("authorization").expect("it is signed");
    assert!(
        authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIATESTTESTTESTTEST/"),
        "{authorization}"
    );
    assert!(authorization.contains("/ap-northeast-1/ssmmessages/aws4_request"));
    assert!(link.header("x-amz-date").is_some());
    house.close(daemon).await;
}

#[tokio::test]
async fn the_first_frame_introduces_the_client() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    daemon.served().await;
    let link = house.world().links().remove(0);
    let opening = link.open.expect("a first text frame");
    assert!(opening.accepted);
    assert_eq!(opening.schema_version, "1.0");
    assert!(!opening.request_id.is_empty() && !opening.client_id.is_empty());
    let parts: Vec<u64> = opening
        .client_version
        .split('.')
        .map(|part| part.parse().expect("a number"))
        .collect();
    assert!(parts.len() == 4 && parts >= vec![1, 2, 332, 0], "{parts:?}");
    // A second text frame would have ended the link.
    assert!(link.ended.is_none());
    house.close(daemon).await;
}

#[tokio::test]
async fn a_refused_signature_is_left_out() {
    for status in [401, 403] {
        let house = House::new().await;
        house.world().set_faults(Faults {
            signature: Signature::Refused(status),
            ..Faults::default()
        });
        let daemon = house.daemon(&Terms::default()).await;
        daemon.served().await;
        let links = house.world().links();
        let signed: Vec<_> = links.iter().map(|l| (l.is_signed(), l.status)).collect();
        assert_eq!(signed, [(true, status), (false, 101)]);
        assert_eq!(house.world().count("StartSession"), 1);
        house.close(daemon).await;
    }
}

#[tokio::test]
async fn a_service_that_wants_signatures_gets_them() {
    let house = House::new().await;
    house.world().set_faults(Faults {
        signature: Signature::Required(403),
        ..Faults::default()
    });
    let daemon = house.daemon(&Terms::default()).await;
    daemon.served().await;
    assert_eq!(house.world().links().len(), 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn signing_can_be_switched_off() {
    let house = House::new().await;
    let terms = Terms {
        top: "sign_websocket = false",
        ..Terms::default()
    };
    let daemon = house.daemon(&terms).await;
    daemon.served().await;
    assert!(!house.world().links()[0].is_signed());
    house.close(daemon).await;
}

#[tokio::test]
async fn a_foreign_host_gets_no_token() {
    let house = House::new().await;
    let astray = |answer: &mut serde_json::Value| {
        answer["StreamUrl"] =
            json!("wss://ssmmessages.ap-northeast-1.amazonaws.com.evil.example/v1");
    };
    house
        .world()
        .fail_next("StartSession", 1, ApiFault::Rewrite(astray));
    let daemon = house.daemon(&Terms::default()).await;
    assert_reset(&mut daemon.connect().await).await;
    let error = daemon.tunnel().await.last_error.expect("a reason");
    assert!(error.message.contains("evil.example"), "{error:?}");
    assert_eq!(house.world().links().len(), 0);
    assert_eq!(house.world().count("TerminateSession"), 1);
    assert!(house.world().active_sessions().is_empty());
    house.close(daemon).await;
}

#[tokio::test]
async fn an_agent_that_says_nothing_for_fifteen_seconds_fails_the_session() {
    let house = House::new().await;
    house.world().set_faults(Faults {
        handshake: Handshake::Never,
        ..Faults::default()
    });
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.connect().await;
    until(house.world(), "a link", |world| {
        world.sessions().iter().any(|session| session.linked)
    })
    .await;
    skip(Duration::from_secs(14)).await;
    // Two turns of the runtime at least, so every timer that is due has fired.
    daemon.status().await;
    assert_eq!(daemon.tunnel().await.state, TunnelState::Starting);
    skip(Duration::from_secs(2)).await;
    assert_reset(&mut client).await;
    daemon.problem("handshake_timeout").await;
    until(house.world(), "the session is ended", |world| {
        world.active_sessions().is_empty()
    })
    .await;
    assert_eq!(house.world().count("TerminateSession"), 1);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_handshake_that_is_lost_repeated_or_late_is_done_all_the_same() {
    for handshake in [
        Handshake::Lost,
        Handshake::Twice,
        Handshake::Delay(Duration::from_millis(300)),
    ] {
        let house = House::new().await;
        house.world().set_faults(Faults {
            handshake,
            ..Faults::default()
        });
        let daemon = house.daemon(&Terms::default()).await;
        daemon.served().await;
        assert_eq!(house.world().sessions()[0].rejected, 0);
        house.close(daemon).await;
    }
}

#[tokio::test]
async fn the_words_of_an_agent_that_fails_at_once_are_told() {
    let text = "Plugin with name Port is not supported by this version of ssm agent";
    let house = House::new().await;
    house.world().set_faults(Faults {
        handshake: Handshake::Closed(text.to_owned()),
        ..Faults::default()
    });
    let daemon = house.daemon(&Terms::default()).await;
    assert_reset(&mut daemon.connect().await).await;
    let problem = daemon.problem("session_closed").await;
    assert!(problem.message.contains(text), "{problem:?}");
    assert_eq!(house.world().count("TerminateSession"), 0);
    house.close(daemon).await;
}

#[tokio::test]
async fn agents_that_cannot_serve_are_refused_with_a_reason() {
    for (version, host) in [
        ("3.0.196.0", Some("db.internal")),
        ("3.0.196.0", None),
        ("3.1.1187.0", Some("db.internal")),
    ] {
        let script = Script {
            agent: AgentProfile {
                agent_version: version.to_owned(),
                ..AgentProfile::quick()
            },
            ..Script::fast()
        };
        let house = House::with(script).await;
        let terms = Terms {
            host,
            ..Terms::default()
        };
        let daemon = house.daemon(&terms).await;
        assert_reset(&mut daemon.connect().await).await;
        let problem = daemon.problem("agent_too_old").await;
        assert!(problem.message.contains(version), "{problem:?}");
        assert!(problem.hint.is_some(), "{problem:?}");
        until(house.world(), "the session is ended", |world| {
            world.active_sessions().is_empty()
        })
        .await;
        house.close(daemon).await;
    }
}

#[tokio::test]
async fn old_agents_with_their_faults_serve() {
    for version in ["3.1.1188.0", "3.1.1446.0", "3.2.1040.0"] {
        let script = Script {
            agent: AgentProfile {
                pace: None,
                ..AgentProfile::release(version)
            },
            ..Script::fast()
        };
        let house = House::with(script).await;
        let daemon = house.daemon(&Terms::default()).await;
        let mut client = daemon.served().await;
        let shown = daemon.tunnel().await.sessions.remove(0).agent_version;
        assert_eq!(shown.as_deref(), Some(version));
        house.world().cut_links(&bastiond::sim::Cut::Bye);
        ping(&mut client).await;
        house.close(daemon).await;
    }
}

#[tokio::test]
async fn a_session_that_is_no_port_session_is_refused() {
    let script = Script {
        agent: AgentProfile {
            session_type: "Standard_Stream".to_owned(),
            ..AgentProfile::quick()
        },
        ..Script::fast()
    };
    let house = House::with(script).await;
    let daemon = house.daemon(&Terms::default()).await;
    assert_reset(&mut daemon.connect().await).await;
    let problem = daemon.problem("protocol_error").await;
    assert!(problem.message.contains("Standard_Stream"), "{problem:?}");
    house.close(daemon).await;
}

#[tokio::test]
async fn output_without_a_handshake_is_refused() {
    let house = House::new().await;
    house.world().set_faults(Faults {
        handshake: Handshake::Output(Bytes::from_static(b"sh-4.2$ ")),
        ..Faults::default()
    });
    let daemon = house.daemon(&Terms::default()).await;
    assert_reset(&mut daemon.connect().await).await;
    daemon.problem("protocol_error").await;
    until(house.world(), "the session is ended", |world| {
        world.active_sessions().is_empty()
    })
    .await;
    house.close(daemon).await;
}

#[tokio::test]
async fn a_gateway_that_is_not_up_yet_is_asked_again() {
    let house = House::new().await;
    house.world().refuse_upgrades(2, 503);
    let daemon = house.daemon(&Terms::default()).await;
    daemon.served().await;
    let count = |operation| house.world().count(operation);
    assert_eq!((count("StartSession"), count("ResumeSession")), (1, 2));
    assert!(daemon.status().await.healthy);
    house.close(daemon).await;
}

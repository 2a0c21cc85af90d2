//! As whom AWS is called.

use serde_json::json;

use super::{
    super::fake::{Fake, answer, error, ok},
    *,
};

#[tokio::test]
async fn expired_credentials_are_looked_for_once_more() {
    let fake = Fake::start(|call, n| match (call.operation.as_str(), n) {
        ("AssumeRole", n) => answer(200, assumed(&format!("ASIA{n}"))),
        (_, 0) => error(400, "ExpiredTokenException", "expired"),
        _ => ok(json!({"Status": "connected"})),
    })
    .await;
    let aws = with(&with_role(&fake), &net(&[]), Timeouts::default()).await;
    assert!(aws.connection_status("t").await.unwrap());
    let calls = fake.calls();
    let operations: Vec<&str> = calls.iter().map(|call| call.operation.as_str()).collect();
    let status = "GetConnectionStatus";
    assert_eq!(operations, ["AssumeRole", status, "AssumeRole", status]);
    assert!(
        calls[1].authorization.contains("=ASIA0/") && calls[3].authorization.contains("=ASIA1/")
    );
}

#[tokio::test]
async fn credentials_that_aws_does_not_know_are_looked_for_once_more() {
    let fake = Fake::start(|call, n| match (call.operation.as_str(), n) {
        ("AssumeRole", n) => answer(200, assumed(&format!("ASIA{n}"))),
        (_, 0) => error(400, "UnrecognizedClientException", "invalid"),
        _ => ok(json!({"Status": "connected"})),
    })
    .await;
    let aws = with(&with_role(&fake), &net(&[]), Timeouts::default()).await;
    assert!(aws.connection_status("t").await.unwrap());
    assert!(fake.calls()[3].authorization.contains("=ASIA1/"));
}

#[tokio::test]
async fn credentials_that_aws_does_not_know_and_that_are_all_there_is_are_sent_once() {
    let fake = Fake::start(|_, _| error(400, "UnrecognizedClientException", "invalid")).await;
    let failed = aws(&fake).await.connection_status("t").await.unwrap_err();
    assert_eq!(failed.kind, Kind::Login(Login::Rejected));
    assert_eq!(fake.calls().len(), 1);
}

#[tokio::test]
async fn a_role_that_sts_could_not_tell_about_is_not_called_denied() {
    for (status, kind) in [(503, Kind::Transient), (429, Kind::Throttled)] {
        let fake = Fake::start(move |_, _| answer(status, "<html>busy</html>".into())).await;
        let aws = with(&with_role(&fake), &net(&[]), Timeouts::default()).await;
        let failed = aws.connection_status("t").await.unwrap_err();
        assert_eq!(failed.kind, kind, "{failed}");
        assert_eq!(failed.operation, "AssumeRole");
    }
}

#[tokio::test]
async fn credentials_that_stay_expired_need_a_login() {
    let fake = Fake::start(|_, _| error(400, "ExpiredTokenException", "expired")).await;
    let failed = aws(&fake).await.connection_status("t").await.unwrap_err();
    assert!(
        failed.needs_login() && failed.code_word() == "credentials_expired",
        "{failed:?}"
    );
    assert_eq!(fake.calls().len(), 1, "there are no others");
}

#[tokio::test]
async fn a_role_is_assumed_by_the_user_s_name_and_signs_everything() {
    let fake = Fake::start(|call, _| match call.operation.as_str() {
        "AssumeRole" => answer(200, assumed("ASIAROLE")),
        "GetCallerIdentity" => answer(200, identity()),
        _ => ok(json!({"Status": "connected"})),
    })
    .await;
    let config = with_role(&fake);
    let aws = with(&config, &net(&[]), Timeouts::default()).await;
    assert_eq!(aws.credentials_expiry(), None);
    aws.connection_status("t").await.unwrap();
    assert!(aws.credentials_expiry().is_some());
    for _ in 0..2 {
        assert_eq!(aws.identity().await.unwrap().account, "123456789012");
    }
    assert_eq!(aws.last_identity().unwrap().user_id, "AROA:bastiond-me");
    let calls = fake.calls();
    assert!(
        calls[0].form.contains("RoleSessionName=bastiond-o-brien"),
        "{}",
        calls[0].form
    );
    assert!(calls[0].authorization.contains("Credential=AKIDBASE/"));
    assert!(
        calls[1..]
            .iter()
            .all(|call| call.authorization.contains("Credential=ASIAROLE/"))
    );
    assert_eq!(calls.len(), 3, "one AssumeRole, one status, one identity");
}

#[tokio::test]
async fn a_role_that_may_not_be_assumed_is_denied_with_both_names() {
    let fake = Fake::start(|_, _| {
        answer(403, sts_error("AccessDenied", "User: arn:aws:iam::1:user/me is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/start"))
    })
    .await;
    let config = with_role(&fake);
    let failed = with(&config, &net(&[]), Timeouts::default())
        .await
        .connection_status("t")
        .await
        .unwrap_err();
    assert_eq!(
        (failed.operation, failed.code.as_deref()),
        ("AssumeRole", Some("AccessDenied"))
    );
    assert!(
        failed
            .hint()
            .unwrap()
            .contains("sts:AssumeRole on arn:aws:iam::123456789012:role/start"),
        "{failed:?}"
    );
}

#[tokio::test]
async fn an_sso_profile_without_a_login_gets_the_command() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config");
    let text = "[profile dev]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\nregion = eu-west-1\n\
        [sso-session s]\nsso_region = eu-west-1\nsso_start_url = https://bastiond-test.invalid/start\n";
    std::fs::write(&file, text).unwrap();
    #[allow(deprecated)]
    let files = aws_config::profile::profile_file::ProfileFiles::builder()
        .with_file(
            aws_config::profile::profile_file::ProfileFileKind::Config,
            &file,
        )
        .build();
    let provider = |name: &str| {
        let provider = aws_config::profile::ProfileFileCredentialsProvider::builder();
        provider
            .profile_files(files.clone())
            .profile_name(name)
            .build()
    };
    let caller = Caller {
        profile: Some("dev".into()),
        region: "eu-west-1".into(),
    };
    let of = async |name: &str| {
        use aws_credential_types::provider::ProvideCredentials;
        let error = provider(name).provide_credentials().await.unwrap_err();
        login::from_credentials("RunTask", &error, &caller)
    };
    let failed = of("dev").await;
    assert_eq!(failed.kind, Kind::Login(Login::Sso), "{failed}");
    assert_eq!(failed.hint().unwrap(), "aws sso login --profile dev");
    let failed = of("nobody").await;
    assert_eq!(failed.kind, Kind::Configuration, "{failed}");
    assert!(failed.message.contains("`nobody`"), "{failed}");
}

#[tokio::test]
async fn signatures_are_made_only_where_they_belong() {
    let fake = Fake::start(|_, _| None).await;
    let signed = aws(&fake).await;
    let url = |query: &str| {
        StreamUrl::parse(
            &format!("wss://ssmmessages.eu-west-1.amazonaws.com/v1/x?{query}"),
            false,
        )
        .unwrap()
    };
    let headers = signed.sign(&url("role=a")).await;
    let text = headers["authorization"].to_str().unwrap();
    assert!(
        text.contains("/eu-west-1/ssmmessages/aws4_request") && text.contains("AKIDBASE"),
        "{text}"
    );
    assert!(signed.sign(&url("X-Amz-Date=1")).await.is_empty());
    let off = config::Aws {
        sign_websocket: false,
        ..config(fake.url())
    };
    assert!(
        with(&off, &net(&[]), Timeouts::default())
            .await
            .sign(&url("role=a"))
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_chain_of_roles_is_assumed_one_with_the_other_as_configured() {
    let fake = Fake::start(|call, before| match call.operation.as_str() {
        "AssumeRole" => answer(200, assumed(&format!("ASIA{before}"))),
        _ => answer(200, identity()),
    })
    .await;
    let chained = config::Aws {
        role: config::AssumeRole {
            chain: vec!["arn:aws:iam::123456789012:role/hub".into()],
            external_id: Some("their/id".into()),
            duration: Some(Duration::from_secs(1800)),
            source_identity: Some("me@example.com".into()),
            mfa_serial: None,
        },
        ..with_role(&fake)
    };
    let aws = with(&chained, &net(&[]), Timeouts::default()).await;
    aws.identity().await.unwrap();
    let calls = fake.calls();
    let [hub, last, own] = &calls[..] else {
        panic!("three calls: {calls:?}");
    };
    let has = |form: &str, key: &str, value: &str| {
        let mut pairs = form_urlencoded::parse(form.as_bytes());
        pairs.any(|pair| pair == (key.into(), value.into()))
    };
    assert!(has(
        &hub.form,
        "RoleArn",
        "arn:aws:iam::123456789012:role/hub"
    ));
    assert!(has(&hub.form, "SourceIdentity", "me@example.com"));
    assert!(!hub.form.contains("ExternalId") && !hub.form.contains("DurationSeconds"));
    assert!(hub.authorization.contains("AKIDBASE") && last.authorization.contains("ASIA0"));
    assert!(has(
        &last.form,
        "RoleArn",
        "arn:aws:iam::123456789012:role/start"
    ));
    assert!(has(&last.form, "ExternalId", "their/id"));
    assert!(has(&last.form, "DurationSeconds", "1800"));
    assert!(!last.form.contains("SourceIdentity"), "it stays");
    for call in [hub, last] {
        assert!(
            has(&call.form, "RoleSessionName", "bastiond-o-brien"),
            "{}",
            call.form
        );
    }
    assert!(own.authorization.contains("ASIA1"));
}

pub(super) fn with_role(fake: &Fake) -> config::Aws {
    let role_arn = Some("arn:aws:iam::123456789012:role/start".to_owned());
    config::Aws {
        role_arn,
        ..config(fake.url())
    }
}

pub(super) fn assumed(key: &str) -> String {
    format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
         <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
         <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )
}

fn identity() -> String {
    "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
     <Account>123456789012</Account><UserId>AROA:bastiond-me</UserId><Arn>arn:aws:sts::123456789012:assumed-role/start/bastiond-me</Arn>\
     </GetCallerIdentityResult></GetCallerIdentityResponse>"
        .to_owned()
}

fn sts_error(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>req-2</RequestId></ErrorResponse>"
    )
}

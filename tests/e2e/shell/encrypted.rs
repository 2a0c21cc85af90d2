//! Accounts that encrypt their shells by KMS.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bastiond::sim::{ApiFault, End, Script, Shells};

use super::terminal::Terminal;
use super::{between_pipes, house_with_task};

const KEY: &str =
    "arn:aws:kms:ap-northeast-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000001";

pub fn encrypting(agent_version: &str, challenges: bool) -> Script {
    let fast = Script::fast();
    Script {
        shells: Shells {
            kms_key: Some(KEY.to_owned()),
            agent_version: agent_version.to_owned(),
            challenges,
            ..fast.shells
        },
        ..fast
    }
}

#[tokio::test]
async fn both_generations_of_agents_are_understood() {
    for (version, challenges) in [("3.3.987.0", true), ("3.2.582.0", false)] {
        let (house, task) = house_with_task(encrypting(version, challenges)).await;
        let sent = crate::support::pattern(50_000, 7);
        let ended = between_pipes(&house, &[&task, "--", "cat"], Some(&sent)).await;
        assert_eq!(ended.status, Some(0), "{version}: {}", ended.stderr);
        assert!(ended.stdout == sent, "{version}");
        let call = house.world().calls("GenerateDataKey").remove(0);
        let session = &house.world().sessions()[0];
        let context = &call.body["EncryptionContext"];
        assert_eq!(call.body["KeyId"], KEY);
        assert_eq!(context["aws:ssm:SessionId"], session.id.as_str());
        assert_eq!(context["aws:ssm:TargetId"], session.target.as_str());
        assert_eq!(
            context["aws:ssm:RandomChallenge"].is_string(),
            challenges,
            "{version}"
        );
        house.sweep_beside().await;
    }
}

#[tokio::test]
async fn the_accounts_word_on_encryption_is_shown_on_a_terminal_alone() {
    let (house, task) = house_with_task(encrypting("3.3.987.0", true)).await;
    let mut terminal = Terminal::open(&house, &[&task]).await;
    terminal.expect("encrypted using AWS KMS").await;
    terminal.expect("$ ").await;
    terminal.send("exit 3\r").await;
    terminal.ends(3).await;
    let ended = between_pipes(&house, &[&task, "--", "echo", "hello"], None).await;
    assert_eq!(
        (ended.stdout.as_slice(), ended.stderr.as_str()),
        (&b"hello\n"[..], "")
    );
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_key_that_may_not_be_used_names_the_missing_permission() {
    let (house, task) = house_with_task(encrypting("3.3.987.0", true)).await;
    let denied = ApiFault::AccessDenied;
    house.world().fail_always("GenerateDataKey", denied);
    let ended = between_pipes(&house, &[&task, "--", "id"], None).await;
    assert_eq!(ended.status, Some(255));
    assert!(ended.stdout.is_empty());
    for part in ["encrypts", "kms:GenerateDataKey"] {
        assert!(ended.stderr.contains(part), "{}", ended.stderr);
    }
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_key_bound_to_another_session_ends_it_with_a_reason() {
    let (house, task) = house_with_task(encrypting("3.3.987.0", true)).await;
    let another = ApiFault::Rewrite(|answer| {
        answer["session"]["sessionId"] = "ecs-execute-command-another".into();
    });
    house.world().fail_next("ExecuteCommand", 1, another);
    let ended = between_pipes(&house, &[&task, "--", "id"], None).await;
    assert_eq!(ended.status, Some(255));
    assert!(ended.stdout.is_empty());
    assert!(
        ended.stderr.contains("InvalidCiphertext"),
        "{}",
        ended.stderr
    );
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_key_with_a_flipped_bit_ends_it_with_a_reason() {
    let (house, task) = house_with_task(encrypting("3.3.987.0", true)).await;
    let flipped = ApiFault::Rewrite(|answer| {
        let plain = answer["Plaintext"].as_str().expect("a key");
        let mut plain = STANDARD.decode(plain).expect("base64");
        for byte in &mut plain {
            *byte ^= 1;
        }
        answer["Plaintext"] = STANDARD.encode(plain).into();
    });
    house.world().fail_next("GenerateDataKey", 1, flipped);
    let ended = between_pipes(&house, &[&task, "--", "id"], None).await;
    assert_eq!(ended.status, Some(255));
    assert!(ended.stdout.is_empty());
    assert!(ended.stderr.contains("error: "), "{}", ended.stderr);
    let end = house.world().sessions()[0].ended.clone();
    assert!(!matches!(end, Some((_, End::Exited))), "{end:?}");
    house.sweep_beside().await;
}

//! The built program: text, JSON and exit codes.

use bastiond::doctor::Report;
use bastiond::sim::ApiFault;
use serde_json::{Value, json};
use tokio::process::Command;

use super::account;
use crate::process::PROGRAM;
use crate::support::{House, Terms, within};

async fn doctor(house: &House, credentials: bool, args: &[&str]) -> (i32, String, String) {
    let paths = house.paths();
    std::fs::write(&paths.config, house.config(&Terms::default())).expect("written");
    let mut command = Command::new(PROGRAM);
    command
        .arg("doctor")
        .args(args)
        .env_clear()
        .env("HOME", house.folder.path())
        .env("BASTIOND_CONFIG", &paths.config)
        .env("BASTIOND_SOCKET", &paths.socket)
        .env("BASTIOND_STATE_DIR", &paths.state);
    if credentials {
        command
            .env("AWS_ACCESS_KEY_ID", "AKIATESTTESTTESTTEST")
            .env("AWS_SECRET_ACCESS_KEY", "a-secret-access-key");
    }
    let output = within("it ends", command.output()).await.expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (
        output.status.code().expect("a code"),
        text(output.stdout),
        text(output.stderr),
    )
}

#[tokio::test]
async fn the_program_ends_with_nought_one_or_two() {
    let house = House::with(account()).await;
    let (code, text, errors) = doctor(&house, true, &[]).await;
    assert_eq!((code, errors.as_str()), (0, ""), "{text}");
    assert!(text.contains("ok    T05  the agent can write"), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    assert!(!text.contains('\x1b'));

    let warned = |value: &mut Value| value["taskDefinition"]["pidMode"] = json!("task");
    house
        .world()
        .fail_always("DescribeTaskDefinition", ApiFault::Rewrite(warned));
    let (code, text, _) = doctor(&house, true, &["--only", "t06,T05"]).await;
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("fix: remove pidMode from the task definition"),
        "{text}"
    );
    assert!(
        text.contains("see: docs/doctor.md#t06") && text.contains("1 ok, 1 warning"),
        "{text}"
    );

    let failed = |value: &mut Value| value["clusters"][0]["status"] = json!("INACTIVE");
    house
        .world()
        .fail_always("DescribeClusters", ApiFault::Rewrite(failed));
    let (code, text, _) = doctor(&house, true, &["--json"]).await;
    assert_eq!(code, 2, "{text}");
    let json: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (&json["schema"], &json["level"]),
        (&json!(1), &json!("fail"))
    );
    let report: Report = serde_json::from_str(&text).expect("a report");
    assert_eq!((report.count.fail, report.count.warn), (1, 1));
    house.sweep_beside().await;
}

#[tokio::test]
async fn without_credentials_the_program_says_so_once() {
    let house = House::with(account()).await;
    let (code, text, _) = doctor(&house, false, &["--json"]).await;
    assert_eq!(code, 2, "{text}");
    let report: Report = serde_json::from_str(&text).expect("a report");
    assert_eq!(super::fired(&report), ["C01"], "{text}");
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_check_or_a_tunnel_that_does_not_exist_is_an_error() {
    let house = House::with(account()).await;
    for args in [["--only", "T99"], ["--tunnel", "nowhere"]] {
        let (code, text, errors) = doctor(&house, true, &args).await;
        assert_eq!((code, text.as_str()), (1, ""));
        assert!(errors.contains(args[1]), "{errors}");
    }
    house.sweep_beside().await;
}

//! Faults of the running task, and of what a session meets.

use bastiond::sim::{ApiFault, Dial};
use serde_json::json;

use super::{Fault, Plant};

pub fn of_running_tasks() -> Vec<Fault> {
    let tasks = |alter| Plant::Answer("DescribeTasks", alter);
    vec![
        (
            "R01",
            "stop-task",
            tasks(|it| it["tasks"][0]["enableExecuteCommand"] = json!(false)),
        ),
        (
            "R01",
            "stop-task",
            tasks(|it| it["tasks"][0]["platformVersion"] = json!("1.3.0")),
        ),
        (
            "R02",
            "ssmmessages.ap-northeast-1",
            Plant::Answer("GetConnectionStatus", |it| {
                it["Status"] = json!("notconnected")
            }),
        ),
        (
            "R04",
            "--task other",
            tasks(|it| {
                let mut other = it["tasks"][0].clone();
                other["taskArn"] =
                    json!("arn:aws:ecs:ap-northeast-1:123456789012:task/backend/other");
                other["createdAt"] = json!(4_000_000_000.0);
                it["tasks"].as_array_mut().expect("tasks").push(other);
            }),
        ),
        (
            "S03",
            "end sessions",
            Plant::Answer("DescribeSessions", |it| {
                let session = json!({"SessionId": "x", "Target": "y"});
                it["Sessions"] = json!(vec![session; 20]);
            }),
        ),
        (
            "R03",
            "check `host` and `port`",
            Plant::Faults(|it| it.dial = Dial::Refuse),
        ),
        (
            "R03",
            "(N05 to N08)",
            Plant::Faults(|it| it.dial = Dial::Hang),
        ),
        (
            "R03",
            "",
            Plant::Refused(
                "StartSession",
                ApiFault::Error(
                    400,
                    "TargetNotConnected".into(),
                    "dev is not connected.".into(),
                ),
            ),
        ),
    ]
}

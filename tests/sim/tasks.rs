//! The simulator's ECS: tasks run, found, described and stopped, by raw AWS calls.

use std::time::Duration;

use crate::support::{
    api::{Api, text},
    soon,
};
use bastiond::sim::{self, AgentCourse, Container, Failure, Plan, Script, Sim, Timing};
use serde_json::{Value, json};

#[tokio::test(start_paused = true)]
async fn a_task_is_seen_walking_through_its_states() {
    let (sim, api) = start(Script::fast()).await;
    let arn = api.task("walk").await;
    let mut seen = Vec::new();
    for _ in 0..5 {
        let task = &api.describe(&arn).await["tasks"][0];
        let agent = &task["containers"][0]["managedAgents"][0]["lastStatus"];
        seen.push(format!("{} {}", text(&task["lastStatus"]), text(agent)));
        tokio::time::advance(Duration::from_millis(4)).await;
    }
    let expected = [
        "PROVISIONING PENDING",
        "PENDING PENDING",
        "ACTIVATING PENDING",
        "RUNNING PENDING",
        "RUNNING RUNNING",
    ];
    assert_eq!(seen, expected);
    let task = api.describe(&arn).await["tasks"][0].clone();
    let at = |name: &str| task[name].as_f64().expect("a time");
    assert!(at("createdAt") <= at("pullStartedAt") && at("pullStoppedAt") <= at("startedAt"));
    assert_eq!(
        task["containers"][0]["managedAgents"][0]["name"],
        "ExecuteCommandAgent"
    );
    assert_eq!(task["attachments"][0]["status"], "ATTACHED");
    assert_eq!(task["group"], "family:bastion");
    assert_eq!(task["connectivity"], "CONNECTED");
    assert_eq!(sim.world().task_statuses(), ["RUNNING"]);
}

#[tokio::test]
async fn a_client_token_gives_the_same_task_again() {
    let (sim, api) = start(Script::fast()).await;
    let (first, again) = (api.task("same").await, api.task("same").await);
    assert_eq!(first, again);
    assert_ne!(first, api.task("other").await);
    assert_eq!(
        (sim.world().tasks().len(), sim.world().count("RunTask")),
        (2, 3)
    );
}

#[tokio::test]
async fn a_client_token_with_other_parameters_is_a_conflict_that_names_the_task() {
    let (_sim, api) = start(Script::fast()).await;
    let arn = api.task("same").await;
    let answer = api
        .run_task("same", json!({"startedBy": "someone-else"}))
        .await;
    assert_eq!(answer.code(), "ConflictException");
    assert_eq!(answer.json()["resourceIds"], json!([arn]));
}

#[tokio::test(start_paused = true)]
async fn a_client_token_answers_with_the_stopped_task_for_an_hour() {
    let (_sim, api) = start(Script {
        timing: Timing::fargate(),
        ..Script::default()
    })
    .await;
    let arn = api.task("same").await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    api.ecs(
        "StopTask",
        json!({"cluster": "backend", "task": arn, "reason": "enough"}),
    )
    .await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let answer = api.run_task("same", json!({})).await.json();
    let expected = json!({"taskArn": arn, "lastStatus": "STOPPED", "desiredStatus": "STOPPED"});
    assert_eq!(answer["tasks"], json!([expected]));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_ne!(api.task("same").await, arn);
    assert_eq!(api.describe(&arn).await["failures"][0]["reason"], "MISSING");
}

#[tokio::test]
async fn list_tasks_filters_by_family_starter_and_desired_status() {
    let (_sim, api) = start(Script::fast()).await;
    let mine = text(
        &api.run_task("a", json!({"startedBy": "bastiond/me"}))
            .await
            .json()["tasks"][0]["taskArn"],
    );
    let other = api.task("b").await;
    assert_eq!(
        api.list(json!({"family": "bastion"})).await,
        [mine.clone(), other.clone()]
    );
    assert_eq!(
        api.list(json!({"startedBy": "bastiond/me"})).await,
        std::slice::from_ref(&mine)
    );
    assert_eq!(api.list(json!({"family": "unknown"})).await, [""; 0]);
    // Tasks that are being made count as RUNNING; PENDING is a filter that matches nothing.
    assert_eq!(api.list(json!({"desiredStatus": "PENDING"})).await, [""; 0]);
    api.ecs("StopTask", json!({"cluster": "backend", "task": mine}))
        .await;
    assert_eq!(api.list(json!({"family": "bastion"})).await, [other]);
    assert_eq!(
        api.list(json!({"family": "bastion", "desiredStatus": "STOPPED"}))
            .await,
        [mine]
    );
    let both = json!({"cluster": "backend", "family": "bastion", "startedBy": "me"});
    assert_eq!(
        api.try_ecs("ListTasks", both).await.code(),
        "InvalidParameterException"
    );
}

#[tokio::test]
async fn list_tasks_comes_in_pages() {
    let (_sim, api) = start(Script {
        page_size: 2,
        ..Script::fast()
    })
    .await;
    let mut all = Vec::new();
    for token in ["a", "b", "c", "d", "e"] {
        all.push(api.task(token).await);
    }
    let (mut found, mut body) = (Vec::new(), json!({"cluster": "backend"}));
    loop {
        let answer = api.ecs("ListTasks", body.clone()).await;
        found.extend(answer["taskArns"].as_array().unwrap().iter().map(text));
        match answer.get("nextToken") {
            Some(token) => body["nextToken"] = token.clone(),
            None => break,
        }
    }
    assert_eq!(found, all);
    let bad = json!({"cluster": "backend", "nextToken": "junk"});
    assert_eq!(
        api.try_ecs("ListTasks", bad).await.code(),
        "InvalidParameterException"
    );
}

#[tokio::test]
async fn tags_are_told_on_request_and_gone_after_a_stop() {
    let (_sim, api) = start(Script::fast()).await;
    let tags = json!([{"key": "bastiond:mode", "value": "shared"}]);
    let arn = text(&api.run_task("t", json!({"tags": tags})).await.json()["tasks"][0]["taskArn"]);
    assert_eq!(api.describe(&arn).await["tasks"][0]["tags"], tags);
    let untold = api
        .ecs(
            "DescribeTasks",
            json!({"cluster": "backend", "tasks": [arn]}),
        )
        .await;
    assert_eq!(untold["tasks"][0]["tags"], json!([]));
    api.ecs("StopTask", json!({"cluster": "backend", "task": arn}))
        .await;
    assert_eq!(api.describe(&arn).await["tasks"][0]["tags"], json!([]));
}

#[tokio::test]
async fn a_stopped_task_says_why() {
    let (_sim, api) = start(Script::fast()).await;
    let arn = api.task("t").await;
    soon(api.target(&arn)).await;
    let answer = api
        .ecs(
            "StopTask",
            json!({"cluster": "backend", "task": arn, "reason": "idle"}),
        )
        .await;
    assert_eq!(answer["task"]["desiredStatus"], "STOPPED");
    let task = soon(until_stopped(&api, &arn)).await;
    assert_eq!(
        (&task["stopCode"], &task["stoppedReason"]),
        (&json!("UserInitiated"), &json!("idle"))
    );
    assert_eq!(task["containers"][0]["exitCode"], 143);
    assert!(task["stoppedAt"].as_f64() >= task["stoppingAt"].as_f64());
    // Once more is no error, and changes nothing.
    api.ecs(
        "StopTask",
        json!({"cluster": "backend", "task": arn, "reason": "again"}),
    )
    .await;
    assert_eq!(
        api.describe(&arn).await["tasks"][0]["stoppedReason"],
        "idle"
    );
    let unknown = json!({"cluster": "backend", "task": "0123"});
    assert_eq!(
        api.try_ecs("StopTask", unknown).await.code(),
        "InvalidParameterException"
    );
}

#[tokio::test]
async fn a_task_can_fail_by_itself() {
    let (sim, api) = start(Script::fast()).await;
    let reason =
        "CannotPullContainerError: pull image manifest has been retried 5 time(s): i/o timeout";
    let failure = Some(Failure::to_start(Duration::from_millis(6), reason));
    sim.world().plan_next_task(Plan {
        failure,
        ..Plan::default()
    });
    let arn = api.task("t").await;
    let task = soon(until_stopped(&api, &arn)).await;
    assert_eq!(
        (&task["stopCode"], &task["stoppedReason"]),
        (&json!("TaskFailedToStart"), &json!(reason))
    );
    assert!(task.get("startedAt").is_none());
    // The plan was for one task.
    let next = api.task("u").await;
    soon(api.target(&next)).await;
}

#[tokio::test]
async fn a_spot_interruption_is_announced() {
    let (sim, api) = start(Script::fast()).await;
    let failure = Some(Failure::spot(
        Duration::from_millis(30),
        Duration::from_secs(120),
    ));
    sim.world().plan_next_task(Plan {
        failure,
        ..Plan::default()
    });
    let arn = api.task("t").await;
    let announced = async {
        loop {
            let task = api.describe(&arn).await["tasks"][0].clone();
            if task["desiredStatus"] == "STOPPED" {
                return task;
            }
        }
    };
    let task = soon(announced).await;
    assert_eq!(
        (&task["lastStatus"], &task["stopCode"]),
        (&json!("RUNNING"), &json!("SpotInterruption"))
    );
}

#[tokio::test]
async fn an_agent_can_fail_to_connect_or_to_start() {
    let (sim, api) = start(Script::fast()).await;
    let stopped = AgentCourse::Stopped("no memory".into());
    let courses = [
        (AgentCourse::NeverConnects, "RUNNING"),
        (AgentCourse::NeverStarts, "PENDING"),
        (stopped, "STOPPED"),
    ];
    for (token, (agent, status)) in ["a", "b", "c"].into_iter().zip(courses) {
        sim.world().plan_next_task(Plan {
            agent,
            ..Plan::default()
        });
        let arn = api.task(token).await;
        tokio::time::sleep(Timing::fast().until_connected()).await;
        let task = api.describe(&arn).await["tasks"][0].clone();
        assert_eq!(
            task["containers"][0]["managedAgents"][0]["lastStatus"],
            status
        );
        let target = sim.world().tasks().last().unwrap().target(0);
        assert_eq!(
            api.ssm("GetConnectionStatus", json!({"Target": target}))
                .await["Status"],
            "notconnected"
        );
    }
}

#[tokio::test]
async fn a_new_task_may_take_time_to_be_seen() {
    let timing = Timing {
        visible_after: Duration::from_secs(3600),
        ..Timing::fast()
    };
    let (_sim, api) = start(Script {
        timing,
        ..Script::fast()
    })
    .await;
    let arn = api.task("t").await;
    assert_eq!(api.list(json!({})).await, [""; 0]);
    let described = api.describe(&arn).await;
    assert_eq!(
        described["failures"],
        json!([{"arn": arn, "reason": "MISSING"}])
    );
}

#[tokio::test]
async fn run_task_refuses_what_ecs_refuses() {
    let (_sim, api) = start(Script::fast()).await;
    let refusals = [
        (json!({"cluster": "nowhere"}), "ClusterNotFoundException"),
        (json!({"taskDefinition": "unknown"}), "ClientException"),
        (json!({"taskDefinition": "bastion:99"}), "ClientException"),
        (
            json!({"networkConfiguration": null}),
            "InvalidParameterException",
        ),
        (
            json!({"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]}),
            "InvalidParameterException",
        ),
        (
            json!({"startedBy": "me@example.org"}),
            "InvalidParameterException",
        ),
        (
            json!({"clientToken": "x".repeat(65)}),
            "InvalidParameterException",
        ),
        (json!({"launchType": "EC2"}), "InvalidParameterException"),
    ];
    for (parameters, code) in refusals {
        let refused = api.run_task("t", parameters.clone()).await;
        assert_eq!(refused.code(), code, "{parameters}");
    }
    let revision = api
        .run_task("t", json!({"taskDefinition": "bastion:3"}))
        .await;
    assert_eq!(revision.status, 200);
}

#[tokio::test]
async fn a_sidecar_without_an_agent_is_no_target() {
    let mut script = Script::fast();
    let sidecar = Container {
        name: "aws-guardduty-agent".into(),
        agent: false,
    };
    script.task_definitions[0].containers.insert(0, sidecar);
    let (sim, api) = start(script).await;
    let arn = api.task("t").await;
    soon(
        sim.world()
            .until(|world| world.task_statuses() == ["RUNNING"]),
    )
    .await;
    tokio::time::sleep(Timing::fast().until_connected()).await;
    let task = &sim.world().tasks()[0];
    let status = async |at| {
        text(
            &api.ssm("GetConnectionStatus", json!({"Target": task.target(at)}))
                .await["Status"],
        )
    };
    assert_eq!(
        (status(0).await.as_str(), status(1).await.as_str()),
        ("notconnected", "connected")
    );
    let described = api.describe(&arn).await;
    assert!(
        described["tasks"][0]["containers"][0]
            .get("managedAgents")
            .is_none()
    );
}

async fn start(script: Script) -> (Sim, Api) {
    let sim = sim::start(script).await.unwrap();
    let api = Api::of(&sim);
    (sim, api)
}

async fn until_stopped(api: &Api, arn: &str) -> Value {
    loop {
        let task = api.describe(arn).await["tasks"][0].clone();
        if task["lastStatus"] == "STOPPED" {
            return task;
        }
    }
}

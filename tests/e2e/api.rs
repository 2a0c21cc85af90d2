//! `docs/openapi.json` and `docs/control-api.md`: what they say is what the built program does.

use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::process::Command;

use crate::process::Process;
use crate::programs;
use crate::support::{House, Terms, hang_up, within};

const PAGE: &str = include_str!("../../docs/control-api.md");

/// Each call that the document has, while a connection is open; the one that ends the daemon comes last. A restart has
/// tests of its own.
#[tokio::test]
async fn each_answer_of_a_running_daemon_fits_its_schema() {
    let house = House::new().await;
    let mut process = Process::start(&house, &Terms::default(), "bastiond=info").await;
    let client = process.served().await;
    let document = document();
    let mut calls = calls(&document);
    calls.retain(|(_, path, _)| path != "/v1/restart");
    calls.sort_by_key(|(_, path, _)| path.ends_with("shutdown"));
    let mut seen = Vec::new();
    for (method, path, operation) in calls {
        let target = path.replace(
            "{name}",
            if path.contains("bastions") {
                "dev"
            } else {
                "app-db"
            },
        );
        let target = match target.as_str() {
            "/v1/events" => "/v1/events?last=100&follow=false",
            "/v1/wait" => "/v1/wait?timeout=1s",
            other => other,
        };
        let answer = ask(&house, &method, target).await;
        let said = format!("{method} {target}: {} {}", answer.status, answer.body);
        seen.push((answer.status, path));
        for value in answer.values() {
            check(
                &document,
                response(&document, &operation, answer.status),
                &answer.kind,
                &value,
                &said,
            );
        }
    }
    // This daemon has everything that there is to answer with, but nobody waits for a code.
    let is_failed = |(status, path): &&(u16, String)| *status >= 300 && path != "/v1/mfa";
    let failed: Vec<_> = seen.iter().filter(is_failed).collect();
    assert!(failed.is_empty(), "{failed:?}");
    hang_up(client);
    assert!(process.ended().await.success());
    house.sweep_beside().await;
}

#[tokio::test]
async fn each_refusal_fits_its_schema() {
    let house = House::new().await;
    let mut process = Process::start(&house, &Terms::default(), "bastiond=info").await;
    let document = document();
    let refused = document["components"]["responses"]["Refused"].clone();
    for (method, target, status) in [
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/tunnels/nothing", 404),
        ("POST", "/v1/bastions/nothing/hold", 404),
        ("DELETE", "/v1/status", 405),
        ("GET", "/v1/status?verbose=1", 400),
        ("GET", "/v1/events?last=many", 400),
        ("GET", "/v1/logs?since=yesterday", 400),
        ("GET", "/v1/wait?for=godot", 400),
        ("GET", "/v1/wait?timeout=10m", 400),
        ("GET", "/v1/wait?timeout=1s", 504),
        ("POST", "/v1/tunnels/app-db/up?for=8d", 400),
    ] {
        let answer = ask(&house, method, target).await;
        let said = format!("{method} {target}: {}", answer.body);
        assert_eq!(answer.status, status, "{said}");
        let body: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(body["status"], status, "{said}");
        check(&document, refused.clone(), &answer.kind, &body, &said);
    }
    process.signal(Signal::TERM);
    assert!(process.ended().await.success());
    house.sweep_beside().await;
}

#[tokio::test]
async fn each_example_of_the_page_works_as_it_stands() {
    if !programs::are_there(&["curl"], Path::new("/nonexistent")) {
        return;
    }
    let house = House::new().await;
    let mut process = Process::start(&house, &Terms::default(), "bastiond=info").await;
    let examples: Vec<&str> = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("$ "))
        .collect();
    assert!(examples.len() >= 8, "{examples:?}");
    for example in examples {
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(example)
            .env("SOCKET", house.paths().socket);
        let output = within(example, command.output()).await.expect("sh");
        assert!(output.status.success(), "{example}: {output:?}");
        assert!(!output.stdout.is_empty(), "{example} says nothing");
    }
    assert!(process.ended().await.success(), "the last example ends it");
    house.sweep_beside().await;
}

/// What is written as JSON in the page is an event and a refusal of today.
#[test]
fn the_values_that_the_page_shows_fit_their_schemas() {
    let document = document();
    let shown: Vec<Value> = PAGE
        .split("```json\n")
        .skip(1)
        .map(|rest| serde_json::from_str(rest.split("```").next().expect("an end")).expect("JSON"))
        .collect();
    for (value, schema) in shown.iter().zip(["Event", "Refusal"]) {
        let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
        validate(&document, schema, value, "the page");
    }
    assert_eq!(shown.len(), 2);
}

fn document() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let text = std::fs::read_to_string(path).expect("the document");
    serde_json::from_str(&text).expect("JSON")
}

/// Method, path and operation of each.
fn calls(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let of = |(path, methods): (&String, &Value)| -> Vec<(String, String, Value)> {
        let methods = methods.as_object().expect("methods").iter();
        methods
            .map(|(method, operation)| (method.to_uppercase(), path.clone(), operation.clone()))
            .collect()
    };
    paths.iter().flat_map(of).collect()
}

/// What the document says of an operation's answer with this status.
fn response(document: &Value, operation: &Value, status: u16) -> Value {
    let responses = &operation["responses"];
    match responses.get(status.to_string()) {
        Some(response) => response.clone(),
        None => {
            let reference = responses["default"]["$ref"].as_str().expect("a reference");
            document
                .pointer(&reference[1..])
                .expect("it is there")
                .clone()
        }
    }
}

fn check(document: &Value, response: Value, kind: &str, value: &Value, said: &str) {
    let kind = kind.split(';').next().unwrap_or_default();
    let schema = &response["content"][kind]["schema"];
    assert!(schema.is_object(), "{said}: no {kind} in {response}");
    validate(document, schema.clone(), value, said);
}

fn validate(document: &Value, mut schema: Value, value: &Value, said: &str) {
    schema["components"] = document["components"].clone();
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");
    let mistakes: Vec<String> = validator
        .iter_errors(value)
        .map(|it| it.to_string())
        .collect();
    assert!(mistakes.is_empty(), "{said}: {mistakes:?}");
}

struct Answer {
    status: u16,
    kind: String,
    body: String,
}

impl Answer {
    /// One, or one a line.
    fn values(&self) -> Vec<Value> {
        match self.kind.split(';').next() {
            Some("text/plain") => vec![Value::String(self.body.clone())],
            Some("application/x-ndjson") => {
                let values = self.body.lines().map(serde_json::from_str);
                values.map(|value| value.expect("JSON")).collect()
            }
            _ => vec![serde_json::from_str(&self.body).expect("JSON")],
        }
    }
}

/// HTTP/1.0, so that what comes until the end is the body.
async fn ask(house: &House, method: &str, target: &str) -> Answer {
    let exchange = async {
        let mut stream = UnixStream::connect(house.paths().socket)
            .await
            .expect("a daemon");
        let request = format!("{method} {target} HTTP/1.0\r\nHost: bastiond\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("taken");
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("an answer");
        text
    };
    let text = within(target, exchange).await;
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    let kind = head
        .lines()
        .find_map(|line| line.strip_prefix("content-type: "));
    Answer {
        status: status.expect("a status"),
        kind: kind.unwrap_or_default().to_owned(),
        body: body.to_owned(),
    }
}

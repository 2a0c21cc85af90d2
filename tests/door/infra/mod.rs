//! `bastiond infra` when CloudFormation fails, waits, or is interrupted.

mod deploying;
mod ending;

use std::{
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::cloud::{Answer, Cloud, answered, refused};

/// For a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
const ARN: &str = "arn:aws:cloudformation:eu-west-1:123456789012:stack/bb/1";
/// Enough to make a stack without looking at a database.
const DEPLOY: &[&str] = &[
    "deploy",
    "--yes",
    "--stack",
    "bb",
    "--vpc",
    "vpc-1",
    "--security-group",
    "sg-1",
    "--database",
    "db.internal",
    "--port",
    "5432",
    "--listen",
    "15432",
    "--name",
    "db",
];
const DELETE: &[&str] = &["delete", "--yes", "--stack", "bb"];
const TAG: &str = "<Tags><member><Key>bastiond:infra</Key><Value>bb</Value></member></Tags>";
const OUTPUTS: &str = "<Outputs><member><OutputKey>BastiondSchema</OutputKey><OutputValue>1</OutputValue></member>\
    <member><OutputKey>ClusterName</OutputKey><OutputValue>c</OutputValue></member>\
    <member><OutputKey>TaskFamily</OutputKey><OutputValue>bb</OutputValue></member>\
    <member><OutputKey>SubnetIds</OutputKey><OutputValue>subnet-1</OutputValue></member></Outputs>";

/// The program with a home of its own.
struct User(tempfile::TempDir);

impl User {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn command(&self, cloud: &Cloud, words: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("bastiond"));
        command
            .arg("infra")
            .args(words)
            .args(["--region", "eu-west-1", "--endpoint-url"])
            .arg(format!("http://{}", cloud.address))
            .env_clear()
            .env("HOME", self.0.path())
            .env("AWS_ACCESS_KEY_ID", "AKIATESTTESTTESTTEST")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, cloud: &Cloud, words: &[&str]) -> (Option<i32>, String) {
        told(self.command(cloud, words).output().unwrap())
    }

    fn has_config(&self) -> bool {
        self.0.path().join(".config/bastiond/config.toml").exists()
    }
}

fn told(output: Output) -> (Option<i32>, String) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

/// What DescribeStacks says of a stack with this status.
fn stack(status: &str, more: &str) -> Answer {
    let inner = format!(
        "<Stacks><member><StackId>{ARN}</StackId><StackName>bb</StackName><StackStatus>{status}</StackStatus>{more}\
         </member></Stacks>"
    );
    Some(answered("DescribeStacks", &inner))
}

fn absent() -> Answer {
    Some(refused(
        "ValidationError",
        "Stack with id bb does not exist",
    ))
}

fn prepared(status: &str) -> Answer {
    Some(answered(
        "DescribeChangeSet",
        &format!("<Status>{status}</Status>"),
    ))
}

fn created() -> Answer {
    Some(answered(
        "CreateChangeSet",
        &format!("<Id>x</Id><StackId>{ARN}</StackId>"),
    ))
}

/// Resource, status and reason of each, as AWS gives them: the newest first.
fn events(all: &[(&str, &str, &str)]) -> Answer {
    let numbered = all.iter().enumerate().rev();
    let members = numbered.map(|(id, (resource, status, reason))| {
        let kind = if *resource == "bb" { "AWS::CloudFormation::Stack" } else { "AWS::X::Y" };
        format!(
            "<member><EventId>{id}</EventId><LogicalResourceId>{resource}</LogicalResourceId><ResourceType>{kind}\
             </ResourceType><ResourceStatus>{status}</ResourceStatus><ResourceStatusReason>{reason}\
             </ResourceStatusReason></member>"
        )
    });
    let members: String = members.collect();
    Some(answered(
        "DescribeStackEvents",
        &format!("<StackEvents>{members}</StackEvents>"),
    ))
}

/// The one at `index`, or the last.
fn nth<'a>(all: &[&'a str], index: usize) -> &'a str {
    all[index.min(all.len() - 1)]
}

/// A stack that is as `found` says until it is deleted, and comes up once its change set is carried out.
fn comes_up(found: impl Fn() -> Answer + Send + Sync + 'static) -> Cloud {
    Cloud::start(move |call, before| match call.operation.as_str() {
        "DescribeStacks" if before.of("ExecuteChangeSet") > 0 => stack("CREATE_COMPLETE", OUTPUTS),
        "DescribeStacks" if before.of("DeleteStack") > 0 => absent(),
        "DescribeStacks" => found(),
        "CreateChangeSet" => created(),
        "DescribeChangeSet" => prepared(nth(
            &["CREATE_PENDING", "CREATE_COMPLETE"],
            before.of("DescribeChangeSet"),
        )),
        _ => None,
    })
}

/// Whether the first comes before the second.
fn in_order(cloud: &Cloud, first: &str, second: &str) -> bool {
    let asked = cloud.asked();
    let place = |operation: &str| asked.iter().position(|it| it == operation);
    let places = place(first).zip(place(second));
    places.is_some_and(|(first, second)| first < second)
}

/// Runs it until `is_time`, and sends the signal.
fn interrupted(
    mut command: Command,
    signal: Signal,
    is_time: impl Fn() -> bool,
) -> (Option<i32>, String) {
    let child = command
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut child = Running(Some(child));
    let deadline = Instant::now() + LIMIT;
    while !is_time() {
        let is_over = child.0.as_mut().unwrap().try_wait().unwrap().is_some();
        assert!(
            !is_over && Instant::now() < deadline,
            "it does not come so far"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    let child = child.0.take().unwrap();
    kill_process(Pid::from_child(&child), signal).unwrap();
    told(child.wait_with_output().unwrap())
}

/// Does not outlive a test that fails.
struct Running(Option<Child>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

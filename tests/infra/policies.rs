//! The policies in `infra/iam`: they are those of the templates, AWS knows every word of them, they allow what the code
//! does, and nothing could be left out.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::{
    calls::{CALLS, Call, DOCTOR_CALLS, FREE, NODE_CALLS},
    deploy_calls::DEPLOY_CALLS,
    infra,
    matcher::{Request, allows, listed},
    operations, programs,
};

/// Placeholders, and what the calls have in their place.
const VALUES: [(&str, &str); 10] = [
    ("${Stack}", "s"),
    ("${Partition}", "aws"),
    ("${Region}", "eu-west-1"),
    ("${Account}", "123456789012"),
    ("${Name}", "b"),
    ("${Cluster}", "c"),
    ("${TaskRole}", "arn:aws:iam::123456789012:role/b-task"),
    (
        "${ExecutionRole}",
        "arn:aws:iam::123456789012:role/b-execution",
    ),
    ("${KmsKey}", "arn:aws:kms:eu-west-1:123456789012:key/k"),
    ("${NodeRole}", "arn:aws:iam::123456789012:role/b-node"),
];

#[test]
fn every_call_is_in_the_table_of_calls() {
    let mut known: BTreeSet<&str> = CALLS
        .iter()
        .chain(NODE_CALLS)
        .chain(DOCTOR_CALLS)
        .chain(DEPLOY_CALLS)
        .map(|it| it.operation)
        .collect();
    known.extend(FREE);
    let made = operations::of_the_source();
    let unknown: Vec<_> = made
        .iter()
        .filter(|it| !known.contains(it.as_str()))
        .collect();
    assert!(
        unknown.is_empty(),
        "tests/infra/calls.rs does not say what these need; infra/iam and docs/iam.md may lack it too: {unknown:?}"
    );
}

#[test]
fn the_operator_policy_allows_every_call_and_nothing_can_be_left_out() {
    holds_tightly("operator.json", CALLS);
}

#[test]
fn the_policy_for_nodes_allows_what_they_need_and_nothing_can_be_left_out() {
    holds_tightly("nodes.json", NODE_CALLS);
}

#[test]
fn the_policy_for_the_doctor_allows_what_it_asks_and_nothing_can_be_left_out() {
    holds_tightly("doctor.json", DOCTOR_CALLS);
}

#[test]
fn the_policy_for_deploying_allows_what_it_does_and_nothing_can_be_left_out() {
    holds_tightly("deploy.json", DEPLOY_CALLS);
}

/// What deploys is not what people who only use a bastion are given.
#[test]
fn the_operator_policy_does_not_allow_to_change_the_stack() {
    let statements = statements("operator.json");
    let changes = DEPLOY_CALLS.iter().filter(|it| {
        let verbs = ["Create", "Execute", "Delete", "Make", "Put"];
        let (_, verb) = it.action.split_once(':').expect("a service");
        verbs.iter().any(|begin| verb.starts_with(begin))
    });
    let allowed = changes.filter(|it| {
        let request = Request {
            action: it.action,
            resource: it.resource,
            context: it.context,
        };
        allows(&statements, request)
    });
    assert_eq!(
        allowed.map(|it| it.action).collect::<Vec<_>>(),
        Vec::<&str>::new()
    );
}

/// Bound of a managed policy (IAM quotas), which blanks are not counted in.
#[test]
fn the_policy_for_deploying_fits_into_one_policy() {
    let size = policy_of("deploy.json").to_string().len();
    assert!(size <= 6144, "{size}");
}

/// A task of somebody else's, a role for something else, a document that opens a shell.
#[test]
fn what_is_not_the_operators_is_denied() {
    let statements = statements("operator.json");
    let task = "arn:aws:ecs:eu-west-1:123456789012:task/c/1";
    for (action, resource, context) in [
        (
            "ecs:StopTask",
            task,
            &[("aws:ResourceTag/bastiond:stack", "other")][..],
        ),
        (
            "ecs:StopTask",
            "arn:aws:ecs:eu-west-1:123456789012:task/other/1",
            &[("aws:ResourceTag/bastiond:stack", "b")],
        ),
        (
            "ecs:RunTask",
            "arn:aws:ecs:eu-west-1:123456789012:task-definition/other:1",
            &[],
        ),
        ("ecs:TagResource", task, &[]),
        (
            "iam:PassRole",
            "arn:aws:iam::123456789012:role/b-task",
            &[("iam:PassedToService", "ec2.amazonaws.com")],
        ),
        (
            "iam:PassRole",
            "arn:aws:iam::123456789012:role/admin",
            &[("iam:PassedToService", "ecs-tasks.amazonaws.com")],
        ),
        (
            "ssm:StartSession",
            "arn:aws:ssm:eu-west-1:123456789012:document/SSM-SessionManagerRunShell",
            &[],
        ),
        (
            "ssm:StartSession",
            "arn:aws:ssm:eu-west-1::document/AWS-StartPortForwardingSessionToRemoteHost",
            &[],
        ),
        (
            "ssm:StartSession",
            task,
            &[("ssm:SessionDocumentAccessCheck", "false")],
        ),
        (
            "ssm:TerminateSession",
            "arn:aws:ssm:eu-west-1:123456789012:session/other",
            &[("ssm:resourceTag/aws:ssmmessages:session-id", "AROA:other")],
        ),
    ] {
        let request = Request {
            action,
            resource,
            context,
        };
        assert!(!allows(&statements, request), "{request:?}");
    }
}

#[test]
fn each_action_stands_in_the_table_with_what_needs_it() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/iam.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let told: BTreeSet<_> = rows
        .map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            assert!(
                cells.len() == 6 && !cells[4].is_empty(),
                "what needs it? {row}"
            );
            let word = |at: usize| cells[at].trim_matches('`').to_owned();
            (word(1), word(2), word(3))
        })
        .collect();
    let mut held = BTreeSet::new();
    for file in files() {
        for statement in statements(&file) {
            let sid = statement["Sid"].as_str().expect("a name").to_owned();
            for action in listed(&statement["Action"]) {
                held.insert((file.clone(), sid.clone(), action.to_owned()));
            }
        }
    }
    let missing: Vec<_> = held.difference(&told).collect();
    let gone: Vec<_> = told.difference(&held).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "not in docs/iam.md: {missing:?}; not in infra/iam: {gone:?}"
    );
}

#[test]
fn the_templates_have_these_policies() {
    let Some(python) = python() else { return };
    let made = output(&python, "policies.py", &["infra"], "");
    let made: BTreeMap<String, Value> = serde_json::from_str(&made).expect("policies");
    for (file, policy) in &made {
        assert_eq!(
            policy,
            &policy_of(file),
            "infra/iam/{file} is not what the template makes"
        );
    }
    let others: Vec<_> = files()
        .into_iter()
        .filter(|it| !made.contains_key(it))
        .collect();
    assert_eq!(
        others,
        ["deploy.json", "doctor.json", "nodes.json"],
        "no template has these"
    );
}

#[test]
fn aws_knows_every_word_of_them_and_nothing_is_wider_than_it_must_be() {
    let Some(python) = python() else { return };
    let all: BTreeMap<_, _> = files()
        .into_iter()
        .map(|it| (it.clone(), policy_of(&it)))
        .collect();
    let judged = |policies: &Value| output(&python, "permissions.py", &[], &policies.to_string());
    assert_eq!(judged(&json!(all)), "");
    let wrong = |statement: Value| {
        judged(&json!({"wrong.json": {"Version": "2012-10-17", "Statement": [statement]}}))
    };
    let unknown =
        wrong(json!({"Effect": "Allow", "Action": "ecs:ExecutionCommand", "Resource": "*"}));
    assert!(unknown.contains("UNKNOWN_ACTION"), "{unknown}");
    let wide = wrong(json!({"Effect": "Allow", "Action": "ecs:StopTask", "Resource": "*"}));
    assert!(wide.contains("RESOURCE_STAR"), "{wide}");
}

/// The whole policy allows all calls; less a statement, an action or a resource, it denies one.
fn holds_tightly(file: &str, calls: &[Call]) {
    let whole = statements(file);
    let denied = |statements: &[Value]| -> Vec<&str> {
        let calls = calls.iter().filter(|call| {
            let Call {
                action,
                resource,
                context,
                ..
            } = **call;
            !allows(
                statements,
                Request {
                    action,
                    resource,
                    context,
                },
            )
        });
        calls.map(|call| call.action).collect()
    };
    assert_eq!(
        denied(&whole),
        Vec::<&str>::new(),
        "{file} does not allow them"
    );
    for index in 0..whole.len() {
        let mut less = whole.clone();
        let gone = less.remove(index);
        assert!(!denied(&less).is_empty(), "{file}: nothing needs {gone}");
        for part in ["Action", "Resource"] {
            for word in listed(&whole[index][part]) {
                let mut less = whole.clone();
                let kept: Vec<_> = listed(&whole[index][part])
                    .into_iter()
                    .filter(|it| *it != word)
                    .collect();
                less[index][part] = json!(kept);
                assert!(
                    !denied(&less).is_empty(),
                    "{file}: nothing needs {word} of {}",
                    whole[index]["Sid"]
                );
            }
        }
    }
}

fn files() -> Vec<String> {
    let folder = std::fs::read_dir(infra("iam")).expect("the folder");
    let names = folder.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = names
        .map(|name| name.into_string().expect("text"))
        .collect();
    names.sort();
    names
}

fn policy_of(file: &str) -> Value {
    let text = std::fs::read_to_string(infra("iam").join(file)).expect(file);
    serde_json::from_str(&text).expect(file)
}

/// Those of a policy, with its placeholders filled in.
fn statements(file: &str) -> Vec<Value> {
    let mut text = policy_of(file)["Statement"].to_string();
    for (name, value) in VALUES {
        text = text.replace(name, value);
    }
    serde_json::from_str(&text).expect(file)
}

/// The Python that cfn-lint and parliament are installed for.
fn python() -> Option<PathBuf> {
    let moto = std::env::var_os("BASTIOND_MOTO").map(PathBuf::from);
    let beside = moto
        .as_deref()
        .and_then(Path::parent)
        .unwrap_or(Path::new("/nonexistent"));
    if !programs::are_there(&["cfn-lint", "parliament"], beside) {
        return None;
    }
    let folder = programs::find("parliament", beside)?.canonicalize().ok()?;
    programs::find("python3", folder.parent()?)
}

fn output(python: &Path, script: &str, arguments: &[&str], input: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut child = Command::new(python)
        .current_dir(folder)
        .arg(folder.join("tests/infra").join(script))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{script}: {}", output.status);
    String::from_utf8(output.stdout).expect("text")
}

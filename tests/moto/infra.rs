//! `bastiond infra` with moto for AWS: a stack is made, changed and deleted by the program, as a person would or by flags.

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use bastiond::config::{Config, Remote};
use serde_json::Value;

use crate::{
    network::{Vpc, build, ec2},
    server::{Server, is_installed},
    setup::{Person, command, without_config},
    stacks::between,
};

/// What is asked, and what somebody answers who takes the only database.
const DIALOGUE: [(&str, &str); 4] = [
    ("Database [1]: ", "1"),
    ("Make it? (y/n) [n]: ", "y"),
    ("Local port [", "15432"),
    ("Its name [app]: ", ""),
];
/// At this question nothing has been made yet.
const AGREEMENT: usize = 1;

/// A moto with a network and a database in it, and a folder for the configuration.
struct Account {
    moto: Server,
    vpc: Vpc,
    folder: tempfile::TempDir,
}

impl Account {
    fn open() -> Option<Self> {
        if !is_installed() {
            return None;
        }
        let moto = Server::start();
        let vpc = build(&moto);
        let folder = tempfile::tempdir().expect("a folder");
        Some(Self { moto, vpc, folder })
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("new/config.toml")
    }

    fn deploy(&self, words: &[&str]) -> std::process::Command {
        let words = [&["infra", "deploy"], words].concat();
        command(&self.moto, &self.path(), &words)
    }

    fn deployed(&self, words: &[&str]) -> Output {
        self.deploy(words).output().expect("it runs")
    }

    fn infra(&self, words: &[&str]) -> Output {
        let words = [&["infra"], words].concat();
        let ran = without_config(&self.moto, &self.path(), &words).output();
        ran.expect("it runs")
    }

    fn call(&self, action: &str) -> String {
        let form = format!("Action={action}&Version=2010-05-15");
        self.moto.call("cloudformation", &form)
    }

    /// The names of all stacks, and of the change sets that nobody has carried out.
    fn there(&self) -> (Vec<String>, Vec<String>) {
        let stacks = between(&self.call("DescribeStacks"), "<StackName>");
        let sets = self.call("ListChangeSets&StackName=bastiond");
        let open = sets
            .split("<member>")
            .filter(|it| it.contains(">AVAILABLE<"));
        let names = open.flat_map(|it| between(it, "<ChangeSetName>"));
        (stacks, names.collect())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn nothing_in(folder: &Path) -> bool {
    std::fs::read_dir(folder)
        .expect("a folder")
        .next()
        .is_none()
}

#[test]
fn a_person_agrees_to_the_plan_and_has_a_stack_and_a_configuration() {
    let Some(account) = Account::open() else {
        return;
    };
    let mut person = Person::at(account.deploy(&[]));
    for (question, answer) in DIALOGUE {
        let said = person.expects(question);
        if question.starts_with("Make") {
            for words in [
                "stack            bastiond in eu-west-1, which is made",
                "for              rds-instance:app, port 5433",
                "reaches AWS      by NAT",
                "cost             0.00 USD a month while nobody works",
                &format!("TargetSecurityGroupId={}", account.vpc.group),
            ] {
                assert!(said.contains(words), "{words}: {said}");
            }
        }
        person.types(answer);
    }
    person.expects("psql -h localhost -p 15432 -U USER");
    person.leaves();
    let written = std::fs::read_to_string(account.path()).expect("written");
    let config = Config::parse(&written).expect("a configuration");
    assert!(
        written.contains(&account.vpc.a) && written.contains(&account.vpc.b),
        "{written}"
    );
    let tunnel = &config.tunnels[0];
    assert_eq!(tunnel.document.as_deref(), Some("bastiond-port-forward"));
    let Remote::Database { selector, .. } = &tunnel.remote else {
        panic!("{:?}", tunnel.remote)
    };
    assert_eq!(selector.to_string(), "rds-instance:app");

    // Again: nothing is to be done, and what was written stays.
    let mut person = Person::at(account.deploy(&[]));
    person.expects("changes          no parameter");
    person.expects("the stack `bastiond` is as it should be");
    person.answers("Write another in its place? (y/n) [n]: ", "");
    person.expects("is left as it is");
    person.leaves();
    assert_eq!(
        std::fs::read_to_string(account.path()).expect("there"),
        written
    );
}

#[test]
fn ctrl_c_at_any_question_leaves_nothing_behind_that_nobody_agreed_to() {
    let Some(account) = Account::open() else {
        return;
    };
    for answered in 0..DIALOGUE.len() {
        let mut person = Person::at(account.deploy(&[]));
        for (question, answer) in &DIALOGUE[..answered] {
            person.answers(question, answer);
        }
        person.expects(DIALOGUE[answered].0);
        person.interrupts();
        person.leaves();
        let (stacks, sets) = account.there();
        let is_agreed = answered > AGREEMENT;
        assert_eq!(
            stacks.is_empty(),
            !is_agreed,
            "after {answered} answers: {stacks:?}"
        );
        assert!(sets.is_empty(), "after {answered} answers: {sets:?}");
        assert!(
            nothing_in(account.folder.path()),
            "after {answered} answers"
        );
        if is_agreed {
            let gone = account.infra(&["delete", "--yes"]);
            assert!(gone.status.success(), "{}", text(&gone.stderr));
        }
    }
}

#[test]
fn a_change_is_shown_and_asked_for_and_ctrl_c_takes_it_back() {
    let Some(account) = Account::open() else {
        return;
    };
    let made = account.deployed(&["--yes", "--database", "rds-instance:app"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let change = [
        "--parameter",
        "IdleSeconds=600",
        "--parameter",
        "CreateRestrictedDocument=false",
    ];
    for answer in [None, Some("n")] {
        let mut person = Person::at(account.deploy(&change));
        let said = person.expects("Change it?");
        assert!(said.contains("IdleSeconds=600 (was `900`)"), "{said}");
        assert_eq!(account.there().1.len(), 1, "it is prepared");
        person.expects("[n]: ");
        match answer {
            Some(answer) => person.types(answer),
            None => person.interrupts(),
        }
        person.expects("nothing was changed");
        person.leaves();
        let (stacks, sets) = account.there();
        assert!(
            stacks == ["bastiond"] && sets.is_empty(),
            "{stacks:?} {sets:?}"
        );
        assert!(
            !account
                .call("DescribeStacks")
                .contains("<ParameterValue>600<")
        );
    }
    let written = std::fs::read_to_string(account.path()).expect("written");
    let mut person = Person::at(account.deploy(&change));
    person.answers("Change it?", "y");
    person.answers("Write another in its place? (y/n) [n]: ", "n");
    person.leaves();
    assert!(
        account
            .call("DescribeStacks")
            .contains("<ParameterValue>600<")
    );
    assert_eq!(
        std::fs::read_to_string(account.path()).expect("there"),
        written
    );
}

#[test]
fn by_flags_a_stack_is_made_shown_and_deleted() {
    let Some(account) = Account::open() else {
        return;
    };
    let absent = account.infra(&["status"]);
    assert_eq!(absent.status.code(), Some(4), "{}", text(&absent.stderr));
    let words = [
        "--yes",
        "--database",
        "rds-instance:app",
        "--listen",
        "15432",
        "--name",
        "mine",
    ];
    let made = account.deployed(&words);
    let said = text(&made.stderr);
    assert!(made.status.success() && said.contains("wrote "), "{said}");
    assert!(text(&made.stdout).ends_with("psql -h localhost -p 15432 -U USER\n"));

    let status = account.infra(&["status", "--json"]);
    assert!(status.status.success(), "{}", text(&status.stderr));
    let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_eq!(status["status"], "CREATE_COMPLETE");
    assert_eq!(
        (&status["healthy"], &status["template_current"]),
        (&Value::Bool(true), &Value::Bool(true))
    );
    assert_eq!(status["outputs"]["TaskFamily"], "bastiond");
    assert_eq!(
        (&status["idle_month_usd"], &status["tasks"]),
        (&0.0.into(), &Value::Array(vec![]))
    );
    let shown = text(&account.infra(&["status"]).stdout);
    assert!(
        shown.contains("template           that of this program\n"),
        "{shown}"
    );

    let asks = account.infra(&["delete"]);
    assert_eq!(asks.status.code(), Some(1));
    assert!(
        text(&asks.stderr).contains("--yes"),
        "{}",
        text(&asks.stderr)
    );
    let gone = account.infra(&["delete", "--yes"]);
    let said = text(&gone.stderr);
    assert!(
        gone.status.success() && said.contains("the stack `bastiond` is gone"),
        "{said}"
    );
    for words in [
        "  Cluster  AWS::ECS::Cluster",
        "no task of it runs",
        "stays: your configuration",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(account.there().0.is_empty());
    let again = account.infra(&["delete", "--yes"]);
    assert!(again.status.success() && text(&again.stderr).contains("there is no stack"));
}

#[test]
fn a_dry_run_shows_what_would_be_made_and_makes_nothing() {
    let Some(account) = Account::open() else {
        return;
    };
    let words = [
        "--dry-run",
        "--database",
        "rds-instance:app",
        "--subnet",
        &account.vpc.isolated,
    ];
    let planned = account.deployed(&words);
    assert!(planned.status.success(), "{}", text(&planned.stderr));
    let plan = text(&planned.stdout);
    for words in [
        "reaches AWS      by VPC endpoints, of which some have to be made",
        "endpoints        ssmmessages, logs, ecr.api, ecr.dkr, s3, in subnet-",
        "cost             29.20 USD a month while nobody works",
        "CreateS3Endpoint=true\n",
        "RouteTableIds=rtb-",
    ] {
        assert!(plan.contains(words), "{words}: {plan}");
    }
    let public = account.deployed(&[
        "--dry-run",
        "--database",
        "rds-instance:app",
        "--subnet",
        &account.vpc.public,
    ]);
    assert!(
        text(&public.stdout).contains("AssignPublicIp=ENABLED"),
        "{}",
        text(&public.stdout)
    );
    assert!(account.there().0.is_empty() && nothing_in(account.folder.path()));
}

/// An endpoint that is there already must not be made again: AWS would refuse its private name.
#[test]
fn only_endpoints_that_are_missing_are_made() {
    let Some(account) = Account::open() else {
        return;
    };
    let subnets = ec2(
        &account.moto,
        &format!("Action=DescribeSubnets&SubnetId.1={}", account.vpc.isolated),
    );
    let vpc = between(&subnets, "<vpcId>").remove(0);
    ec2(
        &account.moto,
        &format!(
            "Action=CreateVpcEndpoint&VpcId={vpc}&VpcEndpointType=Interface&PrivateDnsEnabled=true\
             &ServiceName=com.amazonaws.eu-west-1.logs&SubnetId.1={}",
            account.vpc.isolated
        ),
    );
    let words = [
        "--dry-run",
        "--database",
        "rds-instance:app",
        "--subnet",
        &account.vpc.isolated,
    ];
    let plan = text(&account.deployed(&words).stdout);
    assert!(
        plan.contains("endpoints        ssmmessages, ecr.api, ecr.dkr, s3, in"),
        "{plan}"
    );
    assert!(
        plan.contains("21.90 USD a month") && !plan.contains("CreateLogsEndpoint"),
        "{plan}"
    );
}

#[test]
fn without_a_terminal_what_is_missing_or_wrong_is_named_and_nothing_is_made() {
    let Some(account) = Account::open() else {
        return;
    };
    for (words, code, says) in [
        (&[][..], 1, "give --yes"),
        (&["--yes", "--database", "rds-instance:none"], 1, "none"),
        (
            &[
                "--yes",
                "--database",
                "rds-instance:app",
                "--subnet",
                "subnet-0",
            ],
            1,
            "there is no subnet `subnet-0`",
        ),
        (
            &[
                "--yes",
                "--database",
                "rds-instance:app",
                "--cluster",
                "none",
            ],
            1,
            "there is no cluster `none`",
        ),
        (
            &["--yes", "--database", "db.internal", "--port", "5432"],
            1,
            "give --vpc",
        ),
        (
            &["--yes", "--parameter", "ImageSource=custom"],
            1,
            "needs CustomImage",
        ),
        (&["--yes", "--parameter", "VpcId=vpc-1"], 1, "give --vpc"),
        (&["--yes", "--stack", "Not_Good"], 2, "a-z"),
    ] {
        let ran = account.deployed(words);
        let said = text(&ran.stderr);
        assert!(
            ran.status.code() == Some(code) && said.contains(says),
            "{words:?}: {said}"
        );
    }
    assert!(account.there().0.is_empty() && nothing_in(account.folder.path()));
}

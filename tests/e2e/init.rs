//! `bastiond init` on a terminal, for a cluster of one's own.

use std::path::{Path, PathBuf};
use std::process::Command;

use bastiond::config::{Config, Remote};
use bastiond::sim::ApiFault;
use rexpect::session::{PtySession, spawn_command};

use crate::doctor::{GROUP, SUBNET, account};
use crate::process::PROGRAM;
use crate::support::{House, LIMIT};

/// What is asked, and what somebody answers who goes by what is offered.
const DIALOGUE: [(&str, &str); 9] = [
    ("Name of bastiond's stack", ""),
    ("ECS cluster: ", "backend"),
    ("Task definition: ", "bastion"),
    ("Database [1]: ", ""),
    ("Local port [", "15432"),
    ("Its name [app]: ", ""),
    ("Another database? (y/n) [n]: ", ""),
    ("Subnets, with commas between them", ""),
    ("Security groups, or empty", ""),
];
/// Every question there may be, and what somebody answers by hand.
const BY_HAND: [(&str, &str); 11] = [
    ("Name of bastiond's stack", ""),
    ("ECS cluster", "backend"),
    ("Task definition", "bastion"),
    ("Database", "1"),
    ("Host of the database", "db.internal"),
    ("Its port", "5432"),
    ("Local port", "15432"),
    ("Its name", "app"),
    ("Another database", ""),
    ("Subnets", "subnet-0a1b2c3d"),
    ("Security groups", "sg-0a1b2c3d"),
];

fn init(house: &House, path: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(["init", "--region", "ap-northeast-1", "--endpoint-url"])
        .arg(house.sim.endpoint())
        .arg("--config")
        .arg(path)
        .env_clear()
        .env("HOME", house.folder.path())
        .env("TERM", "dumb")
        .env("AWS_ACCESS_KEY_ID", "AKIATESTTESTTESTTEST")
        .env("AWS_SECRET_ACCESS_KEY", "secret");
    command
}

/// Runs the program on a terminal, in a thread of its own: the simulator goes on meanwhile.
async fn at_a_terminal<T: Send + 'static>(
    command: Command,
    act: impl FnOnce(&mut PtySession) -> T + Send + 'static,
) -> T {
    let acting = tokio::task::spawn_blocking(move || {
        let limit = u64::try_from(LIMIT.as_millis()).ok();
        let mut session = spawn_command(command, limit).expect("a terminal");
        act(&mut session)
    });
    acting.await.expect("no panic")
}

fn target(house: &House) -> PathBuf {
    house.folder.path().join("new/config.toml")
}

#[tokio::test]
async fn what_is_found_of_the_network_is_offered_with_why() {
    let house = House::with(account()).await;
    let path = target(&house);
    let said = at_a_terminal(init(&house, &path), |person| {
        let mut said = String::new();
        for (question, answer) in DIALOGUE {
            said += &person.exp_string(question).expect(question);
            person.send_line(answer).expect("typed");
        }
        said += &person
            .exp_string("psql -h localhost -p 15432 -U USER")
            .expect("the command");
        person.exp_eof().expect("the end");
        said
    })
    .await;
    assert!(said.contains("Where the task would run:"), "{said}");
    assert!(said.contains(&format!("subnet {SUBNET}: found")), "{said}");
    assert!(said.contains(&format!("security group {GROUP}:")), "{said}");
    assert!(said.contains("bastiond start"), "{said}");
    let text = std::fs::read_to_string(&path).expect("written");
    assert!(
        text.starts_with('#') && text.contains("# warm ="),
        "commented: {text}"
    );
    assert!(
        text.contains(&format!("subnets = [\"{SUBNET}\"]")),
        "{text}"
    );
    assert!(
        text.contains(&format!("security_groups = [\"{GROUP}\"]")),
        "{text}"
    );
    let config = Config::parse(&text).expect("a configuration");
    let Remote::Database { selector, .. } = &config.tunnels[0].remote else {
        panic!("{:?}", config.tunnels[0].remote)
    };
    assert_eq!(selector.to_string(), "rds-cluster:app");
    house.sweep().await;
}

#[tokio::test]
async fn what_is_to_be_found_at_every_start_is_left_out_of_the_file() {
    let house = House::with(account()).await;
    let path = target(&house);
    at_a_terminal(init(&house, &path), |person| {
        for (question, answer) in &DIALOGUE[..7] {
            person.exp_string(question).expect(question);
            person.send_line(answer).expect("typed");
        }
        person.exp_string("or `find`").expect("it is offered");
        person.send_line("find").expect("typed");
        person.exp_string("bastiond start").expect("it is written");
        person.exp_eof().expect("the end");
    })
    .await;
    let text = std::fs::read_to_string(&path).expect("written");
    assert!(
        !text.contains("subnet") && !text.contains("security_groups"),
        "{text}"
    );
    Config::parse(&text).expect("a configuration");
    house.sweep().await;
}

#[tokio::test]
async fn ctrl_c_at_any_question_leaves_nothing_behind() {
    let house = House::with(account()).await;
    let path = target(&house);
    for answered in 0..DIALOGUE.len() {
        at_a_terminal(init(&house, &path), move |person| {
            for (question, answer) in &DIALOGUE[..answered] {
                person.exp_string(question).expect(question);
                person.send_line(answer).expect("typed");
            }
            person
                .exp_string(DIALOGUE[answered].0)
                .expect("the question");
            person.send_control('c').expect("typed");
            person.exp_eof().expect("the end");
        })
        .await;
        let folder = path.parent().expect("a folder");
        assert!(!folder.exists(), "after {answered} answers");
    }
    house.sweep().await;
}

/// Answers whatever is asked, and gives all that was said.
fn by_hand(person: &mut PtySession) -> String {
    let questions: Vec<_> = BY_HAND.iter().map(|(question, _)| *question).collect();
    let asked = format!(r"(?:^|\n)({})[^\n]*: |bastiond start", questions.join("|"));
    let mut said = String::new();
    loop {
        let (before, question) = person.exp_regex(&asked).expect("a question, or the end");
        said += &before;
        if question == "bastiond start" {
            person.exp_eof().expect("the end");
            return said;
        }
        let of_it = |(known, _): &&(&str, &str)| question.trim_start().starts_with(known);
        let (_, answer) = BY_HAND.iter().find(of_it).expect("a known question");
        person.send_line(answer).expect("typed");
    }
}

#[tokio::test]
async fn a_call_that_is_denied_is_said_with_its_action_and_answered_by_hand() {
    let house = House::with(account()).await;
    for action in [
        "cloudformation:DescribeStacks",
        "rds:DescribeDBClusters",
        "rds:DescribeDBInstances",
        "rds:DescribeDBProxies",
        "elasticache:DescribeReplicationGroups",
        "redshift:DescribeClusters",
        "ec2:DescribeSubnets",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroups",
    ] {
        let (_, operation) = action.split_once(':').expect("an action");
        house.world().fail_always(operation, ApiFault::AccessDenied);
        let path = target(&house);
        let said = at_a_terminal(init(&house, &path), by_hand).await;
        assert!(
            said.contains(&format!("action: {action}")),
            "{action}: {said}"
        );
        assert!(said.contains("statement: {"), "{action}: {said}");
        let text = std::fs::read_to_string(&path).expect("written");
        let config = Config::parse(&text).expect("a configuration");
        assert_eq!(config.tunnels[0].name, "app", "{action}");
        std::fs::remove_file(&path).expect("it is there");
        house.world().heal(operation);
    }
    house.sweep().await;
}

/// Nobody knows us: everything is answered by hand.
#[tokio::test]
async fn without_credentials_that_serve_it_is_said_and_all_is_asked() {
    let house = House::with(account()).await;
    let refused = ApiFault::Error(
        403,
        "InvalidClientTokenId".into(),
        "The security token is invalid".into(),
    );
    house.world().fail_always("GetCallerIdentity", refused);
    let path = target(&house);
    let said = at_a_terminal(init(&house, &path), by_hand).await;
    assert!(said.contains("cannot ask AWS: "), "{said}");
    let text = std::fs::read_to_string(&path).expect("written");
    Config::parse(&text).expect("a configuration");
    assert_eq!(house.world().count("DescribeSubnets"), 0);
    house.sweep().await;
}

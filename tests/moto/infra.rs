//! `bastiond infra` on a terminal, with moto for AWS: the stack from nothing to nothing.

use std::path::Path;

use bastiond::config::Config;

use crate::{
    server::{Server, is_installed},
    setup::{Person, command, without_config},
    stacks::{Network, between},
};

#[test]
fn from_an_empty_account_to_a_configuration_and_back() {
    let Some((moto, network)) = account() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new/config.toml");

    // What it would do, and nothing done.
    let planned = infra(
        &moto,
        &path,
        &["deploy", "--database", "rds-instance:app", "--dry-run"],
    );
    let planned = planned.expect("it runs");
    let said = String::from_utf8_lossy(&planned.stderr);
    assert!(planned.status.success(), "{said}");
    for words in [
        &network.vpc,
        &network.group,
        "USD a month while nobody works",
        "a dry run",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(stacks(&moto).is_empty() && !path.exists());

    // A person is asked, and it is done.
    let mut person = Person::at(command(&moto, &path, &["infra", "deploy"]));
    person.answers("Database [1]: ", "");
    person.expects("USD an hour in use");
    person.answers("Do it? (y/n) [n]: ", "y");
    person.answers("Local port [", "15433");
    person.answers("Its name [app]: ", "");
    person.expects("bastiond start");
    person.leaves();
    assert_eq!(stacks(&moto), ["bastiond"]);
    let text = std::fs::read_to_string(&path).expect("written");
    let config = Config::parse(&text).expect("a configuration");
    assert_eq!(config.bastions["bastiond"].cluster, "bastiond");
    let tunnel = &config.tunnels[0];
    assert_eq!(tunnel.document.as_deref(), Some("bastiond-port-forward"));
    assert_eq!(tunnel.listen[0].port(), 15433);

    // Once more changes nothing, and says what there is.
    let again = infra(
        &moto,
        &path,
        &["deploy", "--yes", "--database", "rds-instance:app"],
    );
    let again = again.expect("it runs");
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(
        again.status.success() && said.contains("is there already"),
        "{said}"
    );
    assert!(said.contains("is left as it is"), "{said}");
    assert_eq!(std::fs::read_to_string(&path).expect("there"), text);
    let status = infra(&moto, &path, &["status"]).expect("it runs");
    let told = String::from_utf8_lossy(&status.stdout);
    assert!(
        told.contains("_COMPLETE") && told.contains("TaskFamily"),
        "{told}"
    );

    // Nobody deletes it by mistake.
    let refused = infra(&moto, &path, &["delete"]).expect("it runs");
    assert_eq!(refused.status.code(), Some(1));
    let mut person = Person::at(without_config(&moto, &path, &["infra", "delete"]));
    person.answers("delete it with all that it made? (y/n) [n]: ", "y");
    person.expects("is gone");
    person.leaves();
    assert!(stacks(&moto).is_empty());
    let absent = infra(&moto, &path, &["status"]).expect("it runs");
    assert_eq!(absent.status.code(), Some(4));
}

#[test]
fn ctrl_c_at_any_question_of_a_deployment_changes_nothing() {
    let Some((moto, _)) = account() else { return };
    let dialogue = [("Database [1]: ", "1"), ("Do it? (y/n) [n]: ", "n")];
    for answered in 0..=dialogue.len() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new/config.toml");
        let mut person = Person::at(command(&moto, &path, &["infra", "deploy"]));
        for (question, answer) in &dialogue[..answered] {
            person.answers(question, answer);
        }
        match dialogue.get(answered) {
            Some((question, _)) => {
                person.expects(question);
                person.interrupts();
            }
            None => drop(person.expects("nothing was changed")),
        }
        person.leaves();
        assert!(
            stacks(&moto).is_empty() && !path.exists(),
            "after {answered} answers"
        );
    }
}

#[test]
fn a_stack_that_somebody_left_at_a_change_set_is_taken_up() {
    let Some((moto, network)) = account() else {
        return;
    };
    let form = format!(
        "Action=CreateChangeSet&Version=2010-05-15&StackName=bastiond&ChangeSetName=left&ChangeSetType=CREATE\
         &TemplateBody=Resources%3A%20%7BG%3A%20%7BType%3A%20AWS%3A%3ALogs%3A%3ALogGroup%7D%7D&Tags.member.1.Key=of\
         &Tags.member.1.Value={}",
        network.vpc
    );
    moto.call("cloudformation", &form);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.toml");
    let words = [
        "deploy",
        "--yes",
        "--database",
        "rds-instance:app",
        "--subnet",
        &network.subnets[0],
    ];
    let made = infra(&moto, &path, &words).expect("it runs");
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success() && path.exists(), "{said}");
}

fn infra(moto: &Server, path: &Path, words: &[&str]) -> std::io::Result<std::process::Output> {
    let words = [&["infra"], words].concat();
    match words.contains(&"deploy") {
        true => command(moto, path, &words).output(),
        false => without_config(moto, path, &words).output(),
    }
}

fn stacks(moto: &Server) -> Vec<String> {
    let told = moto.call("cloudformation", "Action=DescribeStacks&Version=2010-05-15");
    between(&told, "<StackName>")
}

/// An instance in the default network.
fn account() -> Option<(Server, Network)> {
    if !is_installed() {
        return None;
    }
    let moto = Server::start();
    let network = Network::of(&moto);
    let rds = |form: &str| moto.call("rds", &format!("{form}&Version=2014-10-31"));
    rds(&format!(
        "Action=CreateDBSubnetGroup&DBSubnetGroupName=dbs&DBSubnetGroupDescription=dbs&SubnetIds.SubnetIdentifier.1={}\
         &SubnetIds.SubnetIdentifier.2={}",
        network.subnets[0], network.subnets[1]
    ));
    rds(&format!(
        "Action=CreateDBInstance&DBInstanceIdentifier=app&Engine=postgres&DBInstanceClass=db.t3.medium\
         &AllocatedStorage=20&MasterUsername=me&MasterUserPassword=secret-secret&Port=5432&DBSubnetGroupName=dbs\
         &VpcSecurityGroupIds.VpcSecurityGroupId.1={}",
        network.group
    ));
    Some((moto, network))
}

//! A stack that is made or changed, or is not.

use super::*;

#[test]
fn a_stack_is_made_and_followed_and_the_configuration_is_written() {
    let (cloud, user) = (comes_up(absent), User::new());
    let (code, said) = user.run(&cloud, DEPLOY);
    assert_eq!(code, Some(0), "{said}");
    assert!(user.has_config() && said.contains("wrote "), "{said}");
    let made = cloud.calls("CreateChangeSet").remove(0).form;
    assert_eq!(made["ChangeSetType"], "CREATE");
    let tag = (
        made["Tags.member.1.Key"].as_str(),
        made["Tags.member.1.Value"].as_str(),
    );
    assert_eq!(tag, ("bastiond:infra", "bb"));
    assert!(made.values().any(|it| it == r"^db\.internal$"), "{made:?}");
    let executed = cloud.calls("ExecuteChangeSet").remove(0).form;
    assert_eq!(executed["ChangeSetName"], made["ChangeSetName"]);
}

#[test]
fn a_stack_that_cannot_be_made_tells_the_first_reason_and_no_configuration_is_written() {
    let cloud = Cloud::start(|call, before| match call.operation.as_str() {
        "DescribeStacks" => match before.of("DescribeStacks") {
            0 => absent(),
            1 => stack("CREATE_IN_PROGRESS", TAG),
            2 => stack("ROLLBACK_IN_PROGRESS", TAG),
            _ => stack("ROLLBACK_COMPLETE", TAG),
        },
        "CreateChangeSet" => created(),
        "DescribeChangeSet" => prepared("CREATE_COMPLETE"),
        "DescribeStackEvents" if before.of("ExecuteChangeSet") == 0 => {
            events(&[("bb", "REVIEW_IN_PROGRESS", "")])
        }
        "DescribeStackEvents" => events(&[
            ("bb", "REVIEW_IN_PROGRESS", ""),
            ("bb", "CREATE_IN_PROGRESS", "User Initiated"),
            ("LogGroup", "CREATE_FAILED", "/bastiond/b already exists"),
            ("TaskRole", "CREATE_FAILED", "Resource creation cancelled"),
            (
                "bb",
                "ROLLBACK_IN_PROGRESS",
                "The following resource(s) failed to create.",
            ),
        ]),
        _ => None,
    });
    let user = User::new();
    let (code, said) = user.run(&cloud, DEPLOY);
    assert_eq!(code, Some(1), "{said}");
    let error = said.split("error: ").last().unwrap();
    let reason = "ROLLBACK_COMPLETE: LogGroup (AWS::X::Y): /bastiond/b already exists";
    assert!(
        error.contains(reason) && !error.contains("cancelled"),
        "{said}"
    );
    assert_eq!(
        said.matches("CREATE_FAILED     LogGroup").count(),
        1,
        "{said}"
    );
    assert!(!user.has_config());
}

#[test]
fn what_a_failed_or_interrupted_run_has_left_is_removed_by_the_next() {
    for status in ["ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"] {
        let (cloud, user) = (comes_up(move || stack(status, TAG)), User::new());
        let (code, said) = user.run(&cloud, DEPLOY);
        assert_eq!(code, Some(0), "{status}: {said}");
        assert!(
            said.contains("removing what was left") && user.has_config(),
            "{said}"
        );
        assert!(
            in_order(&cloud, "DeleteStack", "CreateChangeSet"),
            "{:?}",
            cloud.asked()
        );
    }
}

#[test]
fn what_somebody_else_prepares_or_has_made_is_left_alone() {
    let sets = "<Summaries><member><StackName>bb</StackName><ChangeSetName>theirs</ChangeSetName>\
        <ExecutionStatus>AVAILABLE</ExecutionStatus></member></Summaries>";
    for (status, words, says) in [
        (
            "REVIEW_IN_PROGRESS",
            DEPLOY,
            "somebody else prepares a stack `bb`",
        ),
        ("CREATE_COMPLETE", DEPLOY, "is none of bastiond's"),
        ("ROLLBACK_COMPLETE", DEPLOY, "is none of bastiond's"),
        ("CREATE_COMPLETE", DELETE, "is none of bastiond's"),
        (
            "UPDATE_ROLLBACK_FAILED",
            DEPLOY,
            "continue-update-rollback --stack-name bb",
        ),
        ("DELETE_FAILED", DEPLOY, "bastiond infra delete --stack bb"),
    ] {
        let cloud = Cloud::start(move |call, _| match call.operation.as_str() {
            "DescribeStacks" => stack(status, ""),
            "ListChangeSets" => Some(answered("ListChangeSets", sets)),
            _ => None,
        });
        let user = User::new();
        let (code, said) = user.run(&cloud, words);
        assert!(code == Some(1) && said.contains(says), "{status}: {said}");
        let asked = cloud.asked();
        let changes = [
            "CreateChangeSet",
            "DeleteStack",
            "DeleteChangeSet",
            "StopTask",
        ];
        assert!(
            !asked.iter().any(|it| changes.contains(&it.as_str())),
            "{asked:?}"
        );
    }
}

/// The names of stacks are few, and two people may think of the same at the same time.
#[test]
fn a_stack_that_somebody_else_makes_meanwhile_is_not_deleted() {
    let cloud = Cloud::start(|call, before| match call.operation.as_str() {
        "DescribeStacks" if before.of("DescribeStacks") == 0 => absent(),
        "DescribeStacks" => stack("CREATE_IN_PROGRESS", TAG),
        "CreateChangeSet" => Some(refused(
            "AlreadyExistsException",
            "Stack [bb] already exists",
        )),
        _ => None,
    });
    let (code, said) = User::new().run(&cloud, DEPLOY);
    assert!(code == Some(1) && said.contains("already exists"), "{said}");
    assert!(cloud.calls("DeleteStack").is_empty(), "{:?}", cloud.asked());

    // What was left of a failed creation has become a stack.
    let cloud = Cloud::start(|call, before| match call.operation.as_str() {
        "DescribeStacks" if before.of("DescribeStacks") == 0 => stack("REVIEW_IN_PROGRESS", TAG),
        "DescribeStacks" => stack("CREATE_COMPLETE", OUTPUTS),
        _ => None,
    });
    let (code, said) = User::new().run(&cloud, DEPLOY);
    assert!(
        code == Some(1) && said.contains("has changed meanwhile"),
        "{said}"
    );
    assert!(cloud.calls("DeleteStack").is_empty(), "{:?}", cloud.asked());
}

#[test]
fn what_is_being_done_already_is_followed_first() {
    let told = format!(
        "{OUTPUTS}<Parameters><member><ParameterKey>TargetSecurityGroupId</ParameterKey><ParameterValue>sg-1\
         </ParameterValue></member></Parameters>"
    );
    let cloud = Cloud::start(move |call, before| match call.operation.as_str() {
        "DescribeStacks" if before.of("DescribeStacks") < 3 => stack("UPDATE_IN_PROGRESS", &told),
        "DescribeStacks" => stack("UPDATE_COMPLETE", &told),
        "DescribeStackEvents" => events(&[
            ("bb", "UPDATE_IN_PROGRESS", "User Initiated"),
            ("TaskRole", "UPDATE_COMPLETE", ""),
        ]),
        "CreateChangeSet" => created(),
        "DescribeChangeSet" => Some(answered(
            "DescribeChangeSet",
            "<Status>FAILED</Status><StatusReason>The submitted information didn't contain changes.</StatusReason>",
        )),
        _ => None,
    });
    let user = User::new();
    let (code, said) = user.run(&cloud, &["deploy", "--yes", "--stack", "bb"]);
    assert_eq!(code, Some(0), "{said}");
    for words in [
        "is UPDATE_IN_PROGRESS: following it",
        "UPDATE_COMPLETE   TaskRole",
        "is as it should be",
        "no configuration is written without --database",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(cloud.calls("DeleteChangeSet").len(), 1, "it is of no use");
}

#[test]
fn a_change_names_what_is_replaced_and_what_an_earlier_run_left_is_forgotten() {
    let left = "<Summaries><member><StackName>bb</StackName><ChangeSetName>bastiond-infra-old</ChangeSetName>\
        <ExecutionStatus>AVAILABLE</ExecutionStatus></member></Summaries>";
    let changes = "<Status>CREATE_COMPLETE</Status><Changes><member><ResourceChange><Action>Modify</Action>\
        <LogicalResourceId>BastionSecurityGroup</LogicalResourceId><Replacement>True</Replacement></ResourceChange>\
        </member></Changes>";
    let parameters = format!(
        "{OUTPUTS}<Parameters><member><ParameterKey>IdleSeconds</ParameterKey><ParameterValue>60</ParameterValue></member>\
         <member><ParameterKey>Gone</ParameterKey><ParameterValue>1</ParameterValue></member>\
         <member><ParameterKey>TargetSecurityGroupId</ParameterKey><ParameterValue>sg-1</ParameterValue></member>\
         </Parameters>"
    );
    let cloud = Cloud::start(move |call, before| match call.operation.as_str() {
        "DescribeStacks" if before.of("ExecuteChangeSet") > 0 => {
            stack("UPDATE_COMPLETE", &parameters)
        }
        "DescribeStacks" => stack("CREATE_COMPLETE", &parameters),
        "ListChangeSets" => Some(answered("ListChangeSets", left)),
        "CreateChangeSet" => created(),
        "DescribeChangeSet" => Some(answered("DescribeChangeSet", changes)),
        _ => None,
    });
    let user = User::new();
    let words = [
        "deploy",
        "--yes",
        "--stack",
        "bb",
        "--parameter",
        "MaxSeconds=600",
    ];
    let (code, said) = user.run(&cloud, &words);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("  REPLACED         BastionSecurityGroup"),
        "{said}"
    );
    let deleted = cloud.calls("DeleteChangeSet").remove(0).form;
    assert_eq!(deleted["ChangeSetName"], "bastiond-infra-old");
    let made = cloud.calls("CreateChangeSet").remove(0).form;
    let pair = |name: &str| {
        let (key, _) = made.iter().find(|(_, value)| *value == name)?;
        made.get(&key.replace("ParameterKey", "ParameterValue"))
    };
    assert_eq!(made["ChangeSetType"], "UPDATE");
    // What the stack was told stays, but for what this template does not know any more.
    assert_eq!(
        (pair("IdleSeconds").unwrap(), pair("MaxSeconds").unwrap()),
        (&"60".to_owned(), &"600".to_owned())
    );
    assert_eq!(pair("Gone"), None);
}

#[test]
fn a_denied_call_tells_the_permission_and_a_missing_sign_in_has_its_exit_code() {
    let message = "User: arn:aws:iam::123456789012:user/me is not authorized to perform: cloudformation:CreateChangeSet on \
        resource: arn:aws:cloudformation:eu-west-1:123456789012:stack/bb/* because no identity-based policy allows it";
    let denied = Cloud::start(move |call, _| match call.operation.as_str() {
        "DescribeStacks" => absent(),
        "CreateChangeSet" => Some(refused("AccessDenied", message)),
        _ => None,
    });
    let (code, said) = User::new().run(&denied, DEPLOY);
    assert_eq!(code, Some(1), "{said}");
    for words in [
        "action: cloudformation:CreateChangeSet",
        "\"Sid\":\"DeployStack\"",
        "request r-1",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let expired =
        Cloud::start(|_, _| Some(refused("ExpiredToken", "The security token is expired")));
    for words in [DEPLOY, DELETE, &["status"]] {
        let (code, said) = User::new().run(&expired, words);
        assert_eq!(code, Some(5), "{said}");
        assert!(said.contains("ExpiredToken"), "{said}");
    }
}

#[test]
fn the_template_is_the_one_of_this_version() {
    let cloud = Cloud::start(|_, _| None);
    let template = User::new().command(&cloud, &["template"]);
    // It needs no account, and takes none.
    let mut bare = Command::new(template.get_program());
    let printed = bare.args(["infra", "template"]).output().unwrap();
    assert_eq!(
        String::from_utf8(printed.stdout).unwrap(),
        include_str!("../../../infra/bastion.yaml")
    );
}

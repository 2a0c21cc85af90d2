//! What is interrupted, and what is deleted.

use super::*;

#[test]
fn an_interruption_takes_back_what_is_not_carried_out_yet() {
    let cloud = Cloud::start(|call, before| match call.operation.as_str() {
        "DescribeStacks" if before.of("CreateChangeSet") == 0 => absent(),
        "DescribeStacks" => stack("REVIEW_IN_PROGRESS", ""),
        "CreateChangeSet" => created(),
        "DescribeChangeSet" => prepared("CREATE_PENDING"),
        _ => None,
    });
    let user = User::new();
    let (code, said) = interrupted(user.command(&cloud, DEPLOY), Signal::INT, || {
        !cloud.calls("DescribeChangeSet").is_empty()
    });
    assert_eq!(code, Some(130), "{said}");
    assert!(
        said.contains("taking back") && said.contains("nothing was changed"),
        "{said}"
    );
    let set = cloud.calls("CreateChangeSet").remove(0).form["ChangeSetName"].clone();
    assert_eq!(
        cloud.calls("DeleteChangeSet").remove(0).form["ChangeSetName"],
        set
    );
    assert_eq!(cloud.calls("DeleteStack").len(), 1);
    assert!(cloud.calls("ExecuteChangeSet").is_empty() && !user.has_config());
}

#[test]
fn an_interruption_leaves_to_cloudformation_what_it_works_on_and_says_how_to_follow_it() {
    let cloud = Cloud::start(|call, before| match call.operation.as_str() {
        "DescribeStacks" if before.of("CreateChangeSet") == 0 => absent(),
        "DescribeStacks" => stack("CREATE_IN_PROGRESS", TAG),
        "CreateChangeSet" => created(),
        "DescribeChangeSet" => prepared("CREATE_COMPLETE"),
        _ => None,
    });
    let user = User::new();
    let (code, said) = interrupted(user.command(&cloud, DEPLOY), Signal::TERM, || {
        cloud.calls("DescribeStacks").len() > 2
    });
    assert_eq!(code, Some(143), "{said}");
    assert!(
        said.contains("bastiond infra deploy --stack bb --region eu-west-1"),
        "{said}"
    );
    assert!(cloud.calls("DeleteStack").is_empty() && cloud.calls("DeleteChangeSet").is_empty());
}

#[test]
fn the_service_and_its_tasks_end_before_the_stack_does_and_a_failure_is_told() {
    let outputs = OUTPUTS.replace(
        "<Outputs>",
        "<Outputs><member><OutputKey>ServiceName</OutputKey><OutputValue>s</OutputValue></member>",
    );
    const TASK: &str = "arn:aws:ecs:eu-west-1:123456789012:task/c/0123456789abcdef";
    let cloud = Cloud::start(move |call, before| {
        let json = |text: String| Some((200, text));
        match call.operation.as_str() {
            "DescribeStacks" if before.of("DeleteStack") > 0 => stack("DELETE_FAILED", &outputs),
            "DescribeStacks" => stack("CREATE_COMPLETE", &outputs),
            "ListTasks" => json(format!("{{\"taskArns\": [\"{TASK}\"]}}")),
            "UpdateService" => json("{\"service\": {}}".to_owned()),
            "StopTask" => json(format!("{{\"task\": {{\"taskArn\": \"{TASK}\"}}}}")),
            "DescribeTasks" => {
                let status = nth(&["DEPROVISIONING", "STOPPED"], before.of("DescribeTasks"));
                json(format!(
                    "{{\"tasks\": [{{\"taskArn\": \"{TASK}\", \"lastStatus\": \"{status}\"}}]}}"
                ))
            }
            "DescribeStackEvents" if before.of("DeleteStack") > 0 => events(&[
                ("bb", "CREATE_COMPLETE", ""),
                ("bb", "DELETE_IN_PROGRESS", "User Initiated"),
                (
                    "BastionSecurityGroup",
                    "DELETE_FAILED",
                    "sg-1 has a dependent object",
                ),
            ]),
            "DescribeStackEvents" => events(&[("bb", "CREATE_COMPLETE", "")]),
            _ => None,
        }
    });
    let user = User::new();
    let (code, said) = user.run(&cloud, DELETE);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("1 of its tasks are ended"), "{said}");
    assert!(
        said.contains("DELETE_FAILED: BastionSecurityGroup (AWS::X::Y): sg-1 has a dependent"),
        "{said}"
    );
    let scaled = cloud.calls("UpdateService").remove(0).json;
    assert_eq!(
        (&scaled["service"], &scaled["desiredCount"]),
        (&"s".into(), &0.into())
    );
    assert!(in_order(&cloud, "UpdateService", "StopTask"));
    let listed = cloud.calls("ListTasks").remove(0).json;
    assert_eq!(
        (&listed["cluster"], &listed["family"]),
        (&"c".into(), &"bb".into())
    );
    assert!(
        in_order(&cloud, "StopTask", "DescribeTasks")
            && in_order(&cloud, "DescribeTasks", "DeleteStack")
    );
    assert_eq!(
        cloud.calls("DescribeTasks").len(),
        2,
        "it waits until they have ended"
    );
}

use super::*;
use crate::aws::error::{Denied, Login, Why};

fn caller(profile: Option<&str>) -> Caller {
    Caller {
        profile: profile.map(Into::into),
        region: "eu-west-1".into(),
    }
}

fn of_login(login: Login, profile: Option<&str>) -> String {
    let login = Kind::Login(login);
    advice("RunTask", &login, None, "", &caller(profile))
        .hint
        .unwrap()
}

#[test]
fn a_login_is_advised_by_the_exact_command() {
    assert_eq!(
        of_login(Login::Sso, Some("dev")),
        "aws sso login --profile dev"
    );
    assert_eq!(of_login(Login::Sso, None), "aws sso login");
    assert_eq!(
        of_login(Login::Console, Some("my dev")),
        "aws login --profile 'my dev'"
    );
    assert!(of_login(Login::Missing, None).contains("`profile`"));
}

#[test]
fn a_denied_action_is_named_with_its_resource() {
    let denied = Denied {
        action: Some("iam:PassRole".into()),
        resource: Some("arn:x".into()),
        why: Why::NotAllowed,
    };
    let code = Some("AccessDeniedException");
    let denied = Kind::Denied(denied);
    let hint = advice("RunTask", &denied, code, "", &caller(None))
        .hint
        .unwrap();
    assert!(
        hint.contains("iam:PassRole on arn:x") && hint.contains("PassedToService"),
        "{hint}"
    );
}

#[test]
fn each_row_is_reached_by_what_it_waits_for() {
    let coded = [
        calls::ANY,
        calls::ECS,
        calls::SSM,
        calls::EC2,
        stacks::CLOUD_FORMATION,
        calls::OTHERS,
    ];
    for row in coded.into_iter().flatten() {
        let operation = row.operations.first().unwrap_or(&"");
        for code in row.codes {
            let reaches = |word: &str| {
                let found = by_code(operation, code, word).map(|found| found.says);
                assert_eq!(found, Some(row.says), "{code} {word}");
            };
            match row.words {
                [] => reaches(""),
                words => words.iter().for_each(|word| reaches(word)),
            }
        }
    }
    let worded = [(others::PLACEMENT, true), (others::CREDENTIALS, false)];
    for (rows, is_placement) in worded {
        for row in rows {
            for word in row.words {
                let found = if is_placement {
                    by_placement(word)
                } else {
                    by_source(word)
                };
                assert_eq!(found.map(|found| found.says), Some(row.says), "{word}");
            }
        }
    }
}

#[test]
fn whatever_somebody_has_to_mend_has_its_advice() {
    let tables = [
        calls::ANY,
        calls::ECS,
        calls::SSM,
        calls::EC2,
        stacks::CLOUD_FORMATION,
        calls::OTHERS,
        others::PLACEMENT,
        others::CREDENTIALS,
        others::NONE,
    ];
    for row in tables.into_iter().flatten() {
        let code = row.codes.first().copied();
        let word = row.words.first().copied().unwrap_or_default();
        let code =
            code.or(Some(word).filter(|_| others::PLACEMENT.iter().any(|it| it.says == row.says)));
        let operation = row.operations.first().unwrap_or(&"RunTask");
        let told = advice(operation, &row.kind, code, word, &caller(None)).hint;
        let is_mended_by_itself = row.kind.is_retryable()
            || matches!(row.kind, Kind::NotFound | Kind::Conflict) && row.advice.is_empty();
        assert!(told.is_some() || is_mended_by_itself, "{}", row.says);
        assert!(!told.unwrap_or_default().contains('{') || matches!(row.kind, Kind::Denied(_)));
    }
}

#[test]
fn a_code_of_several_causes_is_told_apart_by_its_words() {
    let says = |code, message| by_code("RunTask", code, message).unwrap().advice;
    let invalid = "InvalidParameterException";
    for (message, setting) in [
        ("The subnet ID 'subnet-1' does not exist", "`subnets`"),
        (
            "The securityGroup ID 'sg-1' does not exist",
            "`security_groups`",
        ),
        (
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
            "`subnets`",
        ),
        (
            "The specified capacity provider 'FARGATE_SPOT' was not found.",
            "put-cluster-capacity-providers",
        ),
        (
            "The service couldn't be updated because a valid taskRoleArn is not being used.",
            "task role",
        ),
        (
            "No Container Instances were found in your cluster.",
            "Fargate",
        ),
    ] {
        assert!(says(invalid, message).contains(setting), "{message}");
    }
}

#[test]
fn what_a_service_says_of_itself_has_its_advice() {
    for row in others::EVENTS {
        for word in row.words {
            let found = by_event(word).map(|found| found.says);
            assert_eq!(found, Some(row.says), "{word}");
        }
    }
    let says = |message| {
        let kind = &by_event(message).expect(message).kind;
        let told = advice("UpdateService", kind, None, message, &caller(None));
        told.hint.expect(message)
    };
    for (message, advised) in [
        (
            "(service b) was unable to place a task. Reason: Capacity is unavailable at this time.",
            "other availability zones",
        ),
        (
            "(service b) was unable to place a task. Reason: You've reached the limit on the number of vCPUs.",
            "Service Quotas",
        ),
        (
            "(service b) was unable to place a task because no container instance met all of its requirements.",
            "describe-services --region eu-west-1",
        ),
        (
            "(service b) is unable to consistently start tasks successfully.",
            "--desired-status STOPPED",
        ),
        (
            "ECS deployment circuit breaker: tasks failed to start.",
            "--force-new-deployment",
        ),
        (
            "(service b) failed to launch a task with (error ECS was unable to assume the role 'arn:x').",
            "trusts ecs-tasks",
        ),
    ] {
        assert!(says(message).contains(advised), "{message}");
    }
}

use super::{rows::ONCE, *};
use crate::aws::task::Container;

#[test]
fn a_start_that_failed_is_told_by_its_cause() {
    for (reason, says, retry) in [
        (
            "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref docker.io/x: dial tcp: i/o timeout",
            "no route",
            ONCE,
        ),
        (
            "CannotPullContainerError: failed to resolve ref docker.io/library/x:1: not found",
            "does not exist",
            Retry::No,
        ),
        (
            "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/arm64'",
            "another processor",
            Retry::No,
        ),
        (
            "CannotPullContainerError: pull access denied",
            "may not pull",
            Retry::No,
        ),
        (
            "CannotPullContainerError: toomanyrequests: You have reached your pull rate limit",
            "limits downloads",
            Retry::After(Duration::from_secs(60)),
        ),
        (
            "CannotPullContainerError: no space left on device",
            "larger",
            Retry::No,
        ),
        (
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed",
            "secrets",
            ONCE,
        ),
        (
            "ResourceInitializationError: failed to validate logger args: signal: killed",
            "log group",
            Retry::No,
        ),
        (
            "Timeout waiting for network interface provisioning to complete.",
            "in time",
            Retry::Times(2),
        ),
        ("Capacity is unavailable at this time.", "capacity", ONCE),
        (
            "CannotStartContainerError: OCI runtime create failed: exec: \"sh\": executable file not found",
            "cannot be started",
            Retry::No,
        ),
        (
            "CannotPullContainerError: ref pull has been retried 1 time(s): net/http: request canceled while waiting for connection",
            "no route",
            ONCE,
        ),
        (
            "CannotPullContainerError: context canceled",
            "no route",
            ONCE,
        ),
        (
            "ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from Amazon ECR: There is a connection issue between the task and Amazon ECR. Check your task network configuration.",
            "secrets or its registry login",
            ONCE,
        ),
        (
            "CannotPullContainerError: There is a connection issue between the task and Amazon ECR. Check your task network configuration.",
            "no route",
            ONCE,
        ),
        (
            "CannotPullContainerError: manifest unknown: Requested image not found",
            "does not exist",
            Retry::No,
        ),
        (
            "CannotPullContainerError: image does not contain a descriptor for this platform",
            "another processor",
            Retry::No,
        ),
        (
            "CannotPullContainerError: The task can't pull the image. Check that the role has the permissions to pull images from the registry.",
            "may not pull",
            Retry::No,
        ),
        (
            "CannotPullContainerError: unexpected status from HEAD request: 403 Forbidden",
            "may not pull",
            Retry::No,
        ),
        (
            "CannotPullContainerError: panic: runtime error: invalid memory address or nil pointer dereference",
            "s3",
            Retry::No,
        ),
        (
            "ResourceInitializationError: The task cannot find the Amazon CloudWatch log group defined in the task definition.",
            "log group",
            Retry::No,
        ),
        (
            "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes",
            "volume",
            Retry::No,
        ),
        (
            "Timeout waiting for EphemeralStorage provisioning to complete.",
            "in time",
            Retry::Times(2),
        ),
        (
            "Unexpected EC2 error while attempting to Create Network Interface",
            "capacity",
            ONCE,
        ),
        (
            "ContainerRuntimeError: could not create container",
            "cannot be started",
            Retry::No,
        ),
        ("Something new", "did not start: Something new", Retry::No),
    ] {
        let diagnosis = diagnose(&stopped("TaskFailedToStart", reason, None));
        assert!(
            diagnosis.summary.contains(says) && diagnosis.summary.contains(reason),
            "{diagnosis:?}"
        );
        assert_eq!(diagnosis.retry, retry, "{reason}");
    }
}

#[test]
fn an_idle_task_that_ended_is_no_error() {
    let diagnosis = diagnose(&stopped(
        "EssentialContainerExited",
        "Essential container in task exited",
        Some(0),
    ));
    assert_eq!((diagnosis.retry, diagnosis.hint), (Retry::OnDemand, None));
}

#[test]
fn exit_codes_are_told_apart() {
    let killed = diagnose(&stopped(
        "EssentialContainerExited",
        "Essential container in task exited",
        Some(137),
    ));
    assert!(killed.summary.contains("memory") && killed.retry == Retry::No);
    let failed = diagnose(&stopped(
        "EssentialContainerExited",
        "Essential container in task exited",
        Some(127),
    ));
    assert!(failed.summary.contains("exit code 127") && failed.retry == Retry::No);
}

#[test]
fn containers_words_are_told_with_the_tasks() {
    for (code, words, says) in [
        (
            137,
            "OutOfMemoryError: Container killed due to memory usage",
            "want of memory",
        ),
        (1, "exec /bin/sh: exec format error", "another processor"),
        (126, "permission denied", "exit code 126"),
        (255, "", "exit code 255"),
    ] {
        let mut task = stopped(
            "EssentialContainerExited",
            "Essential container in task exited",
            Some(code),
        );
        task.containers[0].reason = Some(words.into());
        let diagnosis = diagnose(&task);
        let told = diagnosis.summary.contains(says) && diagnosis.summary.contains(words);
        assert!(told && diagnosis.hint.is_some(), "{diagnosis:?}");
        assert_eq!(diagnosis.retry, Retry::No);
    }
}

#[test]
fn a_service_that_scales_in_is_quoted_and_the_next_comes_on_demand() {
    let words = "Scaling activity initiated by (deployment ecs-svc/1)";
    let diagnosis = diagnose(&stopped("ServiceSchedulerInitiated", words, None));
    assert_eq!(diagnosis.retry, Retry::OnDemand);
    assert!(diagnosis.summary.ends_with(words), "{diagnosis:?}");
}

#[test]
fn whoever_stopped_it_is_quoted() {
    let diagnosis = diagnose(&stopped("UserInitiated", "Task stopped by user", None));
    assert_eq!(
        diagnosis.summary,
        "the task was stopped: Task stopped by user"
    );
    assert_eq!(diagnosis.retry, Retry::OnDemand);
}

#[test]
fn aws_own_reasons_are_tried_again() {
    for code in [
        "SpotInterruption",
        "TerminationNotice",
        "InfrastructureHealth",
        "NewCode",
    ] {
        assert_eq!(diagnose(&stopped(code, "", None)).retry, ONCE, "{code}");
    }
}

fn stopped(code: &str, reason: &str, exit_code: Option<i32>) -> Task {
    let container = Container {
        name: "bastion".into(),
        exit_code,
        ..Container::default()
    };
    Task {
        stop_code: Some(code.into()),
        stopped_reason: Some(reason.into()),
        containers: vec![container],
        ..Task::default()
    }
}

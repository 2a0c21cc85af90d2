//! Why a task stopped: AWS's codes and words turned into a diagnosis, one thing to do, and whether to try
//! again. Pure.
//!
//! The wording is AWS's to change, so each row asks for fragments, and what matches none is shown as it is.

use std::time::Duration;

use super::task::Task;

/// Why a task stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// What happened, with AWS's own words.
    pub summary: String,
    /// The one thing to do, when there is one.
    pub hint: Option<String>,
    /// Whether another task would do better.
    pub retry: Retry,
}

/// Whether another task would do better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Not before somebody mends something.
    No,
    /// At once, so many times.
    Times(u8),
    /// Not before this has passed.
    After(Duration),
    /// It ended as it should, or somebody ended it: when somebody connects.
    OnDemand,
}

/// Fragments in lower case, any of which identifies the row; the diagnosis; the hint.
struct Row(&'static [&'static str], &'static str, &'static str, Retry);

const ONCE: Retry = Retry::Times(1);

/// First match wins, so the narrow rows stand before the wide ones.
const FAILED_TO_START: &[Row] = &[
    Row(
        &[
            "descriptor matching platform",
            "does not contain a descriptor",
            "exec format error",
        ],
        "the image is built for another processor",
        "set runtimePlatform of the task definition to the image's architecture (arm64 or x86_64)",
        Retry::No,
    ),
    Row(
        &[
            "cannotstartcontainererror",
            "containerruntimeerror",
            "oci runtime create failed",
        ],
        "the container's command cannot be started",
        "check entryPoint and command of the task definition: the image may have no shell",
        Retry::No,
    ),
    Row(
        &["toomanyrequests", "pull rate limit"],
        "the registry limits downloads",
        "use an image of ecr, such as the mirror at public.ecr.aws/docker/library",
        Retry::After(Duration::from_secs(60)),
    ),
    Row(
        &["no space left on device"],
        "the image is larger than the task's storage",
        "use a smaller image, or raise ephemeralStorage of the task definition",
        Retry::No,
    ),
    Row(
        &["invalid memory address or nil pointer"],
        "the image's layers cannot be read from s3",
        "add the s3 gateway endpoint to the subnet's route table and allow it in the security group",
        Retry::No,
    ),
    Row(
        &[
            "pull access denied",
            "can't pull the image. check that the role",
            "403 forbidden",
        ],
        "the execution role may not pull the image",
        "allow the execution role ecr:BatchGetImage, ecr:GetDownloadUrlForLayer and ecr:GetAuthorizationToken",
        Retry::No,
    ),
    Row(
        &[
            "failed to validate logger args",
            "cannot find the amazon cloudwatch log group",
        ],
        "the log group is missing or cannot be reached",
        "create the log group, and check the route to logs and the execution role",
        Retry::No,
    ),
    Row(
        &["unable to pull secrets or registry auth"],
        "the task cannot get its secrets or its registry login",
        "check the execution role and the route to ecr, secrets manager and ssm",
        ONCE,
    ),
    Row(
        &[
            "i/o timeout",
            "request canceled while waiting for connection",
            "context canceled",
            "connection issue between the task and amazon ecr",
            "check your task network configuration",
        ],
        "the task has no route to the image's registry",
        "private subnet: nat, or endpoints for ecr.api, ecr.dkr and s3; public subnet: assign_public_ip = true",
        ONCE,
    ),
    Row(
        &["failed to resolve ref", "manifest unknown", "not found"],
        "the image or its tag does not exist",
        "correct the image of the task definition",
        Retry::No,
    ),
    Row(
        &[
            "network interface provision",
            "ephemeralstorage provisioning",
        ],
        "aws did not provide network or storage in time",
        "if it stays, check that the subnet has free addresses",
        Retry::Times(2),
    ),
    Row(
        &["capacity is unavailable", "unexpected ec2 error"],
        "aws has no capacity there at this time",
        "try subnets of other availability zones",
        ONCE,
    ),
];

/// What became of `task`, which stopped.
pub fn diagnose(task: &Task) -> Diagnosis {
    let words = words(task);
    match task.stop_code.as_deref() {
        Some("TaskFailedToStart") => failed_to_start(&words),
        Some("EssentialContainerExited") => exited(task, &words),
        Some("UserInitiated") => told("the task was stopped", &words, None, Retry::OnDemand),
        Some("ServiceSchedulerInitiated") => told(
            "its service stopped the task",
            &words,
            None,
            Retry::OnDemand,
        ),
        Some("SpotInterruption") => told("aws took the spot task back", &words, None, ONCE),
        Some("TerminationNotice" | "InfrastructureHealth") => {
            told("aws replaces the host", &words, None, ONCE)
        }
        _ => told("the task stopped", &words, None, ONCE),
    }
}

fn failed_to_start(words: &str) -> Diagnosis {
    let text = words.to_lowercase();
    let row = FAILED_TO_START
        .iter()
        .find(|row| row.0.iter().any(|fragment| text.contains(fragment)));
    match row {
        Some(Row(_, summary, hint, retry)) => told(summary, words, Some(hint), *retry),
        None => told("the task did not start", words, None, Retry::No),
    }
}

fn exited(task: &Task, words: &str) -> Diagnosis {
    let codes: Vec<i32> = task
        .containers
        .iter()
        .filter_map(|container| container.exit_code)
        .collect();
    let text = words.to_lowercase();
    if text.contains("exec format error") {
        return failed_to_start(words);
    }
    if codes.contains(&137) || text.contains("outofmemory") {
        let hint = "give the task definition more memory (512 MiB is enough)";
        return told(
            "the container was killed, as a rule for want of memory",
            words,
            Some(hint),
            Retry::No,
        );
    }
    match codes.iter().find(|code| **code != 0) {
        None => told(
            "the task ended by itself, as an idle one does",
            words,
            None,
            Retry::OnDemand,
        ),
        Some(code) => {
            let hint = "look at the container's log, and at command of the task definition";
            told(
                &format!("the container ended with exit code {code}"),
                words,
                Some(hint),
                Retry::No,
            )
        }
    }
}

fn told(summary: &str, words: &str, hint: Option<&str>, retry: Retry) -> Diagnosis {
    let summary = if words.is_empty() {
        summary.to_owned()
    } else {
        format!("{summary}: {words}")
    };
    Diagnosis {
        summary,
        hint: hint.map(str::to_owned),
        retry,
    }
}

/// The task's reason and its containers', which are often more precise.
fn words(task: &Task) -> String {
    let containers = task
        .containers
        .iter()
        .filter_map(|container| container.reason.as_deref());
    let mut all: Vec<&str> = task
        .stopped_reason
        .as_deref()
        .into_iter()
        .chain(containers)
        .collect();
    all.retain(|reason| !reason.is_empty());
    all.dedup();
    all.join("; ")
}

#[cfg(test)]
mod tests;

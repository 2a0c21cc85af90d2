//! Why tasks stop, as a table. The first row that fits counts, so narrow ones stand before wide ones.

use std::time::Duration;

use super::Retry;

/// How the containers ended, as far as a row depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::aws) enum Exit {
    /// However.
    Any,
    /// None with another exit code than 0.
    Clean,
    /// One with 137: it was killed.
    Killed,
}

/// A reason to stop that is known, and what to do about it. What is empty fits everything.
pub(in crate::aws) struct Row {
    /// ECS's `stopCode`.
    pub codes: &'static [&'static str],
    /// How the containers ended.
    pub exit: Exit,
    /// Fragments of ECS's words in lower case, any of which is in them.
    pub words: &'static [&'static str],
    /// The diagnosis.
    pub says: &'static str,
    /// The one thing to do.
    pub advice: &'static str,
    /// Whether another task would do better.
    pub retry: Retry,
}

impl Row {
    const fn new(codes: &'static [&'static str], says: &'static str, retry: Retry) -> Self {
        Self {
            codes,
            exit: Exit::Any,
            words: &[],
            says,
            advice: "",
            retry,
        }
    }

    const fn words(mut self, words: &'static [&'static str]) -> Self {
        self.words = words;
        self
    }

    const fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    const fn advice(mut self, advice: &'static str) -> Self {
        self.advice = advice;
        self
    }
}

pub(super) const ONCE: Retry = Retry::Times(1);
const FAILED: &[&str] = &["TaskFailedToStart"];
const EXITED: &[&str] = &["EssentialContainerExited"];

pub(in crate::aws) static ROWS: &[Row] = &[
    Row::new(
        &["TaskFailedToStart", "EssentialContainerExited"],
        "the image is built for another processor",
        Retry::No,
    )
    .words(&[
        "descriptor matching platform",
        "does not contain a descriptor",
        "exec format error",
    ])
    .advice("set runtimePlatform of the task definition to the image's architecture (arm64 or x86_64)"),
    Row::new(FAILED, "the container's command cannot be started", Retry::No)
        .words(&[
            "cannotstartcontainererror",
            "containerruntimeerror",
            "oci runtime create failed",
        ])
        .advice("check entryPoint and command of the task definition: the image may have no shell"),
    Row::new(
        FAILED,
        "the registry limits downloads",
        Retry::After(Duration::from_secs(60)),
    )
    .words(&["toomanyrequests", "pull rate limit"])
    .advice("use an image of ecr, such as the mirror at public.ecr.aws/docker/library"),
    Row::new(FAILED, "the image is larger than the task's storage", Retry::No)
        .words(&["no space left on device"])
        .advice("use a smaller image, or raise ephemeralStorage of the task definition"),
    Row::new(FAILED, "the image's layers cannot be read from s3", Retry::No)
        .words(&["invalid memory address or nil pointer"])
        .advice("add the s3 gateway endpoint to the subnet's route table and allow it in the security group"),
    Row::new(FAILED, "the execution role may not pull the image", Retry::No)
        .words(&[
            "pull access denied",
            "can't pull the image. check that the role",
            "403 forbidden",
        ])
        .advice("allow the execution role ecr:BatchGetImage, ecr:GetDownloadUrlForLayer and ecr:GetAuthorizationToken; for a pull-through cache also ecr:BatchImportUpstreamImage and ecr:CreateRepository"),
    Row::new(FAILED, "the log group is missing or cannot be reached", Retry::No)
        .words(&[
            "failed to validate logger args",
            "cannot find the amazon cloudwatch log group",
        ])
        .advice("create the log group, and check the route to logs and the execution role"),
    Row::new(
        FAILED,
        "the task cannot get its secrets or its registry login",
        ONCE,
    )
    .words(&["unable to pull secrets or registry auth"])
    .advice("check the execution role and the route to ecr, secrets manager and ssm"),
    Row::new(FAILED, "a volume of the task cannot be mounted", Retry::No)
        .words(&["failed to invoke efs utils", "volume"])
        .advice("take the volume out of the task definition: a bastion needs none"),
    Row::new(FAILED, "the task has no route to the image's registry", ONCE)
        .words(&[
            "i/o timeout",
            "request canceled while waiting for connection",
            "context canceled",
            "connection issue between the task and amazon ecr",
            "check your task network configuration",
        ])
        .advice("private subnet: nat, or endpoints for ecr.api, ecr.dkr and s3, and no image of public.ecr.aws, which has no endpoint; public subnet: assign_public_ip = true"),
    Row::new(FAILED, "the image or its tag does not exist", Retry::No)
        .words(&["failed to resolve ref", "manifest unknown", "not found"])
        .advice("correct the image of the task definition"),
    Row::new(
        FAILED,
        "aws did not provide network or storage in time",
        Retry::Times(2),
    )
    .words(&[
        "network interface provision",
        "ephemeralstorage provisioning",
    ])
    .advice("if it stays, check that the subnet has free addresses"),
    Row::new(FAILED, "aws has no capacity there at this time", ONCE)
        .words(&["capacity is unavailable", "unexpected ec2 error"])
        .advice("try subnets of other availability zones"),
    Row::new(FAILED, "the task did not start", Retry::No)
        .advice("look at the task's stopped reason in the ECS console"),
    Row::new(
        EXITED,
        "the container was killed, as a rule for want of memory",
        Retry::No,
    )
    .exit(Exit::Killed)
    .advice("give the task definition more memory (512 MiB is enough)"),
    Row::new(
        EXITED,
        "the container was killed, as a rule for want of memory",
        Retry::No,
    )
    .words(&["outofmemory"])
    .advice("give the task definition more memory (512 MiB is enough)"),
    Row::new(
        EXITED,
        "the task ended by itself, as an idle one does",
        Retry::OnDemand,
    )
    .exit(Exit::Clean),
    Row::new(EXITED, "the container ended with exit code {exit}", Retry::No)
        .advice("look at the container's log, and at command of the task definition"),
    Row::new(&["UserInitiated"], "the task was stopped", Retry::OnDemand),
    Row::new(
        &["ServiceSchedulerInitiated"],
        "its service stopped the task",
        Retry::OnDemand,
    ),
    Row::new(&["SpotInterruption"], "aws took the spot task back", ONCE),
    Row::new(
        &["TerminationNotice"],
        "aws took the spot task back",
        ONCE,
    )
    .words(&["spot"]),
    Row::new(
        &["TerminationNotice", "InfrastructureHealth"],
        "aws replaces the host",
        ONCE,
    ),
    Row::new(&[], "the task stopped", ONCE),
];

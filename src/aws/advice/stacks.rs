//! What CloudFormation's codes mean. For most of what it refuses it has but one, `ValidationError`.

use super::row::Row;
use crate::aws::error::Kind;

/// The first row that fits counts.
pub(in crate::aws) static CLOUD_FORMATION: &[Row] = &[
    Row::code(
        &["ChangeSetNotFound"],
        Kind::NotFound,
        "somebody else has carried out or deleted what was prepared",
    )
    .advice("run the same command again"),
    Row::code(
        &["InvalidChangeSetStatus"],
        Kind::NotReady,
        "the stack has changed since this was prepared",
    )
    .advice("run the same command again"),
    Row::code(
        &["InsufficientCapabilitiesException"],
        Kind::Invalid,
        "the template makes what has to be acknowledged",
    )
    .advice("report this: it is a mistake of bastiond"),
    Row::code(
        &["ValidationError"],
        Kind::NotReady,
        "something is being done with the stack",
    )
    .words(&["_in_progress state"])
    .of(&["CreateChangeSet", "ExecuteChangeSet", "DeleteStack"])
    .advice("run the same command again: it follows what is being done"),
    Row::code(
        &["ValidationError"],
        Kind::Unsuitable,
        "the stack is protected from being deleted",
    )
    .words(&["terminationprotection"])
    .of(&["DeleteStack"])
    .advice("aws cloudformation update-termination-protection{profile} --region {region} --no-enable-termination-protection --stack-name STACK"),
];

//! What a stack's status means for who wants to make, change or delete it. Pure.

use crate::aws::Stack;

/// The tag of all stacks that this makes, with the stack's name.
pub(super) const TAG: &str = "bastiond:infra";

/// How a stack stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// A name and no more: a change set was prepared that nobody has carried out.
    Empty,
    /// Something is being done with it.
    Busy,
    /// It is as somebody wanted it.
    Ready,
    /// Its creation failed and was undone: nothing of it is left but its name.
    Undone,
    /// It can only be deleted.
    Broken,
    /// A change failed, and so did undoing it.
    Stuck,
}

/// By AWS's word.
pub(super) fn standing(status: &str) -> Standing {
    match status {
        "REVIEW_IN_PROGRESS" => Standing::Empty,
        _ if status.ends_with("_IN_PROGRESS") => Standing::Busy,
        "ROLLBACK_COMPLETE" => Standing::Undone,
        _ if status.ends_with("_COMPLETE") => Standing::Ready,
        "UPDATE_ROLLBACK_FAILED" | "UPDATE_FAILED" => Standing::Stuck,
        _ => Standing::Broken,
    }
}

/// Why nothing can be done with it, and the command that mends it; `None` if something can.
pub(super) fn obstacle(stack: &Stack, region: &str) -> Option<String> {
    let (name, status) = (&stack.name, &stack.status);
    let why = match stack.reason.as_deref() {
        Some(reason) => format!("the stack `{name}` is {status}: {reason}"),
        None => format!("the stack `{name}` is {status}"),
    };
    let mends = match standing(status) {
        Standing::Broken => {
            format!("bastiond infra delete --stack {name} --region {region}, and deploy again")
        }
        Standing::Stuck if status == "UPDATE_FAILED" => {
            format!(
                "aws cloudformation rollback-stack --stack-name {name} --region {region}, and deploy again"
            )
        }
        Standing::Stuck => format!(
            "aws cloudformation continue-update-rollback --stack-name {name} --region {region}, and deploy again"
        ),
        _ => return None,
    };
    Some(format!("{why}\nhint: {mends}"))
}

/// Whether it was made by this template.
pub(super) fn is_ours(stack: &Stack) -> bool {
    stack.tags.contains_key(TAG) || stack.outputs.contains_key(crate::setup::bastion::MARK)
}

/// What is said of one that is not.
pub(super) fn foreign(stack: &Stack) -> String {
    format!(
        "the stack `{}` is none of bastiond's: it has neither the tag {TAG} nor the output {}\nhint: give another --stack",
        stack.name,
        crate::setup::bastion::MARK
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every status of a stack (CloudFormation API model).
    #[test]
    fn every_status_means_something() {
        for (status, means) in [
            ("CREATE_IN_PROGRESS", Standing::Busy),
            ("CREATE_FAILED", Standing::Broken),
            ("CREATE_COMPLETE", Standing::Ready),
            ("ROLLBACK_IN_PROGRESS", Standing::Busy),
            ("ROLLBACK_FAILED", Standing::Broken),
            ("ROLLBACK_COMPLETE", Standing::Undone),
            ("DELETE_IN_PROGRESS", Standing::Busy),
            ("DELETE_FAILED", Standing::Broken),
            ("UPDATE_IN_PROGRESS", Standing::Busy),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Standing::Busy),
            ("UPDATE_COMPLETE", Standing::Ready),
            ("UPDATE_FAILED", Standing::Stuck),
            ("UPDATE_ROLLBACK_IN_PROGRESS", Standing::Busy),
            ("UPDATE_ROLLBACK_FAILED", Standing::Stuck),
            (
                "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
                Standing::Busy,
            ),
            ("UPDATE_ROLLBACK_COMPLETE", Standing::Ready),
            ("REVIEW_IN_PROGRESS", Standing::Empty),
            ("IMPORT_IN_PROGRESS", Standing::Busy),
            ("IMPORT_COMPLETE", Standing::Ready),
            ("IMPORT_ROLLBACK_IN_PROGRESS", Standing::Busy),
            ("IMPORT_ROLLBACK_FAILED", Standing::Broken),
            ("IMPORT_ROLLBACK_COMPLETE", Standing::Ready),
        ] {
            assert_eq!(standing(status), means, "{status}");
        }
    }

    #[test]
    fn what_is_in_the_way_is_told_with_aws_s_reason_and_the_command_that_mends_it() {
        let stack = |status: &str| Stack {
            name: "b".into(),
            status: status.into(),
            reason: Some("no room".into()),
            ..Stack::default()
        };
        for (status, command) in [
            ("DELETE_FAILED", "bastiond infra delete --stack b"),
            (
                "UPDATE_ROLLBACK_FAILED",
                "continue-update-rollback --stack-name b",
            ),
            ("UPDATE_FAILED", "rollback-stack --stack-name b"),
        ] {
            let told = obstacle(&stack(status), "eu-west-1").unwrap();
            assert!(
                told.contains(command) && told.contains(": no room"),
                "{told}"
            );
        }
        for status in ["CREATE_COMPLETE", "ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"] {
            assert_eq!(obstacle(&stack(status), "eu-west-1"), None);
        }
    }

    #[test]
    fn a_stack_is_ours_by_its_tag_or_by_what_it_tells() {
        let mut stack = Stack::default();
        assert!(!is_ours(&stack));
        stack.tags.insert(TAG.into(), "b".into());
        assert!(is_ours(&stack));
        let mut stack = Stack::default();
        stack.outputs.insert("BastiondSchema".into(), "1".into());
        assert!(is_ours(&stack));
    }
}

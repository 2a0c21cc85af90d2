//! Reads what is denied out of AWS's sentence: "User: X is not authorized to perform: ACTION on resource: ARN
//! because no identity-based policy allows the ACTION action".

use super::error::{Denied, Why};

/// What `message` tells of a denied call; fields it does not tell are `None`.
pub(super) fn parse(message: &str) -> Denied {
    Denied {
        action: word_after(message, "not authorized to perform: "),
        resource: word_after(message, "on resource: "),
        why: why(&message.to_ascii_lowercase()),
    }
}

fn word_after(text: &str, mark: &str) -> Option<String> {
    let (_, rest) = text.split_once(mark)?;
    let word = rest.split_whitespace().next()?.trim_end_matches(['.', ',']);
    (!word.is_empty()).then(|| word.to_owned())
}

fn why(text: &str) -> Why {
    let has = |needle: &str| text.contains(needle);
    match () {
        () if has("service control policy") || has("resource control policy") => {
            Why::OrganizationPolicy
        }
        () if has("permissions boundary") || has("permission boundary") => Why::PermissionsBoundary,
        () if has("session policy") => Why::SessionPolicy,
        () if has("vpc endpoint policy") => Why::EndpointPolicy,
        () if has("explicit deny") => Why::ExplicitDeny,
        () if has("policy allows") => Why::NotAllowed,
        () => Why::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:ecs:eu-west-1:123456789012:task-definition/bastion:7";

    #[test]
    fn action_resource_and_reason_are_read() {
        for (tail, why) in [
            (
                "because no identity-based policy allows the ecs:RunTask action",
                Why::NotAllowed,
            ),
            (
                "with an explicit deny in an identity-based policy",
                Why::ExplicitDeny,
            ),
            (
                "with an explicit deny in a service control policy",
                Why::OrganizationPolicy,
            ),
            (
                "because no permissions boundary allows the ecs:RunTask action",
                Why::PermissionsBoundary,
            ),
            (
                "because no session policy allows the ecs:RunTask action",
                Why::SessionPolicy,
            ),
            (
                "because no VPC endpoint policy allows the ecs:RunTask action",
                Why::EndpointPolicy,
            ),
            ("", Why::Unknown),
        ] {
            let text = format!(
                "User: arn:aws:sts::123456789012:assumed-role/dev/me is not authorized to perform: ecs:RunTask on resource: {ARN} {tail}"
            );
            let denied = parse(&text);
            assert_eq!(
                denied,
                Denied {
                    action: Some("ecs:RunTask".into()),
                    resource: Some(ARN.into()),
                    why
                }
            );
        }
    }

    #[test]
    fn other_sentences_tell_nothing() {
        for text in [
            "",
            "Access denied",
            "not authorized to perform: ",
            "on resource: ",
        ] {
            assert_eq!(parse(text), Denied::default(), "{text}");
        }
    }
}

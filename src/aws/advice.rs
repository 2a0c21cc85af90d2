//! What to do about a failure: one thing, and the command for it where there is one.

use super::error::{Denied, Kind, Login, Why};

/// Who calls AWS, as far as advice depends on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Caller {
    /// The profile in force, from the configuration or the environment.
    pub(super) profile: Option<String>,
    /// The region in force.
    pub(super) region: String,
}

/// The hint for a failure of `kind`.
pub(super) fn hint(
    kind: &Kind,
    code: Option<&str>,
    message: &str,
    caller: &Caller,
) -> Option<String> {
    match kind {
        Kind::Login(login) => Some(login_hint(*login, caller)),
        Kind::Denied(denied) => Some(denied_hint(denied, code, caller)),
        Kind::ClockSkew(seconds) => Some(clock_hint(*seconds)),
        Kind::NotFound => not_found_hint(code, message, caller),
        Kind::Quota => Some(
            "request a higher quota in the service quotas console (fargate on-demand vcpu)"
                .to_owned(),
        ),
        Kind::Capacity => Some("try subnets of other availability zones".to_owned()),
        Kind::RoleNotReady => Some("check that the role trusts ecs-tasks.amazonaws.com".to_owned()),
        Kind::Invalid => invalid_hint(code, message).map(str::to_owned),
        Kind::TargetNotConnected => Some(not_connected_hint(message).to_owned()),
        Kind::Unreachable => unreachable_hint(message).map(str::to_owned),
        Kind::Throttled | Kind::Transient | Kind::Timeout => None,
        // Whoever finds these knows more about them.
        Kind::SeveralFit | Kind::NotReady | Kind::Unsuitable => None,
        Kind::Conflict | Kind::Untrusted | Kind::Configuration | Kind::Other => None,
    }
}

fn not_connected_hint(message: &str) -> &'static str {
    match message.contains("execute command agent isn") {
        true => {
            "run the task anew with ECS Exec: enableExecuteCommand, and a task role that allows ssmmessages"
        }
        false => "check the task role's ssmmessages permissions and the route to ssmmessages",
    }
}

fn login_hint(login: Login, caller: &Caller) -> String {
    match login {
        Login::Sso => format!("aws sso login{}", option(caller)),
        Login::Console => format!("aws login{}", option(caller)),
        Login::Missing => "set `profile` under [aws], or run aws configure sso".to_owned(),
        Login::Expired => format!("renew the credentials of {}", source(caller)),
        Login::Rejected => format!("check key, secret and partition of {}", source(caller)),
        Login::Process => format!(
            "run the credential_process of {} by hand to see why it fails",
            source(caller)
        ),
        Login::Mfa => {
            "use a profile whose session already has mfa, such as aws sso login gives".to_owned()
        }
    }
}

fn option(caller: &Caller) -> String {
    let named = caller.profile.as_deref().filter(|name| *name != "default");
    named
        .map(|name| format!(" --profile {}", quoted(name)))
        .unwrap_or_default()
}

fn source(caller: &Caller) -> String {
    let named = caller.profile.as_deref();
    named.map_or_else(
        || "the environment or the default profile".to_owned(),
        |name| format!("profile `{name}`"),
    )
}

/// A name that a shell takes as one word.
fn quoted(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./@:+=,".contains(c);
    if name.chars().all(is_plain) {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', r"'\''"))
    }
}

fn denied_hint(denied: &Denied, code: Option<&str>, caller: &Caller) -> String {
    match code {
        Some("BlockedException") => {
            return "aws blocked the account: contact aws support".to_owned();
        }
        Some("OptInRequired" | "RegionDisabledException") => {
            return format!(
                "enable region {} for the account, or set another `region`",
                caller.region
            );
        }
        _ => {}
    }
    let action = denied.action.as_deref().unwrap_or("this action");
    let resource = denied
        .resource
        .as_deref()
        .map(|arn| format!(" on {arn}"))
        .unwrap_or_default();
    match denied.why {
        Why::OrganizationPolicy => format!(
            "ask the organisation's administrator: a control policy denies {action}{resource}"
        ),
        Why::PermissionsBoundary => format!(
            "ask an administrator: the permissions boundary does not allow {action}{resource}"
        ),
        Why::SessionPolicy => {
            format!("the session's own policy does not allow {action}{resource}: log in without it")
        }
        Why::EndpointPolicy => {
            format!("the vpc endpoint's policy does not allow {action}{resource}: extend it")
        }
        Why::ExplicitDeny => format!("remove the statement that denies {action}{resource}"),
        Why::NotAllowed | Why::Unknown => allow_hint(action, &resource),
    }
}

fn allow_hint(action: &str, resource: &str) -> String {
    match action {
        "iam:PassRole" => format!(
            "allow iam:PassRole{resource} with iam:PassedToService = ecs-tasks.amazonaws.com"
        ),
        "ecs:TagResource" => {
            format!("allow ecs:TagResource{resource} with ecs:CreateAction = RunTask")
        }
        "ssm:StartSession" => {
            "allow ssm:StartSession on both the task and the session document".to_owned()
        }
        _ => format!("allow {action}{resource} in your policy"),
    }
}

fn clock_hint(seconds: Option<i64>) -> String {
    match seconds {
        Some(seconds) if seconds >= 0 => format!("set the clock: it is {seconds} s behind aws"),
        Some(seconds) => format!("set the clock: it is {} s ahead of aws", -seconds),
        None => "set the clock".to_owned(),
    }
}

fn unreachable_hint(message: &str) -> Option<&'static str> {
    match () {
        () if message.contains("invalid peer certificate") => {
            Some("if a proxy inspects tls here, set AWS_CA_BUNDLE to the file with its certificate")
        }
        () if message.contains("tunnel error") => {
            Some("check HTTPS_PROXY and the credentials in it, or add the host to NO_PROXY")
        }
        () => None,
    }
}

fn not_found_hint(code: Option<&str>, message: &str, caller: &Caller) -> Option<String> {
    let text = message.to_ascii_lowercase();
    match code {
        Some("ClusterNotFoundException") => {
            let region = &caller.region;
            Some(format!(
                "check `cluster`, `region` ({region}) and `profile`: the cluster is not there"
            ))
        }
        Some("ClientException")
            if text.contains("taskdefinition") || text.contains("task definition") =>
        {
            Some("register the task definition again: it is missing or inactive".to_owned())
        }
        Some("NotFoundException") => Some(
            "check the KMS key in the preferences of Session Manager, or of the cluster".to_owned(),
        ),
        _ => None,
    }
}

fn invalid_hint(code: Option<&str>, message: &str) -> Option<&'static str> {
    let text = message.to_ascii_lowercase();
    let has = |words: &str| text.contains(words);
    match code {
        _ if has("network configuration must be provided") => Some("set `subnets` of the bastion"),
        _ if has("subnet id") => Some("correct `subnets` of the bastion"),
        _ if has("securitygroup id") || has("security group") => {
            Some("correct `security_groups` of the bastion")
        }
        _ if has("taskrolearn") => Some("give the task definition a task role: ecs exec needs one"),
        _ if has("no container instances") => {
            Some("the task definition must be compatible with fargate")
        }
        Some("PlatformTaskDefinitionIncompatibilityException") => {
            Some("use linux platform 1.4.0 or later")
        }
        Some("UnsupportedFeatureException") => {
            Some("use architecture x86_64: the region lacks a feature")
        }
        Some("DisabledException" | "KMSInvalidStateException" | "InvalidKeyUsageException") => {
            Some("check that the KMS key of the account's shells is enabled and encrypts")
        }
        _ if has("container name must be specified") => Some("name one with --container"),
        _ if has("container was not found") => Some("correct --container"),
        Some("InvalidDocument") => Some("check that the session document exists in this region"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_advised_by_the_exact_command() {
        let caller = |profile: Option<&str>| Caller {
            profile: profile.map(Into::into),
            region: "eu-west-1".into(),
        };
        assert_eq!(
            login_hint(Login::Sso, &caller(Some("dev"))),
            "aws sso login --profile dev"
        );
        assert_eq!(login_hint(Login::Sso, &caller(None)), "aws sso login");
        assert_eq!(
            login_hint(Login::Console, &caller(Some("my dev"))),
            "aws login --profile 'my dev'"
        );
    }

    #[test]
    fn a_denied_action_is_named_with_its_resource() {
        let denied = Denied {
            action: Some("iam:PassRole".into()),
            resource: Some("arn:x".into()),
            why: Why::NotAllowed,
        };
        let hint = hint(
            &Kind::Denied(denied),
            Some("AccessDeniedException"),
            "",
            &Caller::default(),
        )
        .unwrap();
        assert!(
            hint.contains("iam:PassRole on arn:x") && hint.contains("PassedToService"),
            "{hint}"
        );
    }

    #[test]
    fn stale_ids_point_at_the_setting() {
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
        ] {
            assert!(
                invalid_hint(Some("InvalidParameterException"), message)
                    .unwrap()
                    .contains(setting),
                "{message}"
            );
        }
    }
}

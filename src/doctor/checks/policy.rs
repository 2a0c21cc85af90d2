//! I: what policies allow, by IAM's own simulation. It sees no control policy of other accounts and no policy of a
//! resource: what AWS says to a real call goes before.

use serde_json::Value;

use crate::aws::{Decision, Simulated, Why};
use crate::doctor::check::{Check, Gap, Judge, Level, Verdict, known, some};
use crate::doctor::facts::Bastion;

const SIMULATION: &[&str] = &["ecs:DescribeTaskDefinition", "iam:SimulatePrincipalPolicy"];
/// Ours is a role too, whose ARN IAM has to tell.
const OWN_SIMULATION: &[&str] = &[
    "ecs:DescribeTaskDefinition",
    "iam:GetRole",
    "iam:SimulatePrincipalPolicy",
];
const START_SESSION: &str = "ssm:StartSession";
const ECS_TASKS: &str = "ecs-tasks.amazonaws.com";

pub const CHECKS: &[Check] = &[
    Check {
        id: "I01",
        title: "you may run a task and open a session",
        looks_at: "a simulation of RunTask, PassRole, TagResource, ListTasks, DescribeTasks, StopTask, StartSession, \
                   OpenDataChannel, ResumeSession and TerminateSession",
        levels: &[Level::Fail],
        why: "Each is needed for a tunnel. docs/errors.md has the statements that grant them.",
        fix: "allow yourself {action} on {resource}",
        needs: OWN_SIMULATION,
        judge: Judge::Bastion(operator),
    },
    Check {
        id: "I02",
        title: "the task role allows the agent its channels",
        looks_at: "a simulation of the four ssmmessages actions",
        levels: &[Level::Fail],
        why: "Without them the agent runs and never connects: TargetNotConnected.",
        fix: "allow {role} {action} on *",
        needs: SIMULATION,
        judge: Judge::Bastion(task_role),
    },
    Check {
        id: "I03",
        title: "the execution role can pull and log",
        looks_at: "a simulation of the actions that image and log need",
        levels: &[Level::Warn],
        why: "An image of a private registry needs ecr actions, the awslogs driver needs those of logs. A policy of \
              the repository may allow what the simulation does not see.",
        fix: "allow {role} {action} on {resource}",
        needs: SIMULATION,
        judge: Judge::Bastion(execution_role),
    },
    Check {
        id: "I04",
        title: "nothing above your policies limits you",
        looks_at: "what the simulation says of control policies and boundaries, and the words of calls that were denied",
        levels: &[Level::Info],
        why: "Control policies of an organisation, permissions boundaries and policies of a login session take away what \
              other policies allow. The simulation does not see control policies of other accounts: what AWS says to a \
              real call goes before.",
        fix: "ask {who} to allow {action}",
        needs: OWN_SIMULATION,
        judge: Judge::Bastion(fence),
    },
    Check {
        id: "I05",
        title: "no policy denies sessions on tasks",
        looks_at: "a simulation of StartSession, for an explicit deny",
        levels: &[Level::Fail],
        why: "AWS's guide to ECS Exec recommends to deny ssm:StartSession on tasks. A tunnel is such a session, and no \
              other statement can allow it again.",
        fix: "remove the statement that denies ssm:StartSession on {resource}",
        needs: OWN_SIMULATION,
        judge: Judge::Bastion(denied),
    },
    Check {
        id: "I06",
        title: "ECS may assume the task role",
        looks_at: "the trust policy of the task role",
        levels: &[Level::Fail],
        why: "A role that does not trust ecs-tasks.amazonaws.com gives the task no credentials.",
        fix: "let the trust policy of {role} allow ecs-tasks.amazonaws.com sts:AssumeRole",
        needs: &["ecs:DescribeTaskDefinition", "iam:GetRole"],
        judge: Judge::Bastion(trust),
    },
];

/// The first that is not allowed.
fn refused(all: &[Simulated]) -> Option<&Simulated> {
    all.iter().find(|it| it.decision != Decision::Allowed)
}

fn is_denied_session(simulated: &Simulated) -> bool {
    simulated.decision == Decision::Denied && simulated.action == START_SESSION
}

fn told(simulated: &Simulated, who: &str) -> Result<String, Gap> {
    let Simulated {
        action, resource, ..
    } = simulated;
    let why = match &simulated.decision {
        Decision::Allowed => "allowed",
        Decision::Denied => "a policy denies it",
        Decision::NotAllowed => "no policy allows it",
        Decision::ByOrganization => "a control policy of the organisation does not allow it",
        Decision::ByBoundary => "the permissions boundary does not allow it",
        Decision::Depends(keys) => {
            let keys = keys.join(", ");
            return Err(Gap::Failed(format!(
                "{action} depends on {keys}, which is not known here"
            )));
        }
    };
    Ok(format!("{who} may not {action} on {resource}: {why}"))
}

fn operator(bastion: &Bastion) -> Result<Verdict, Gap> {
    let all = known(&bastion.policies.operator)?;
    let others: Vec<_> = all
        .iter()
        .filter(|it| !is_denied_session(it))
        .cloned()
        .collect();
    let Some(refused) = refused(&others) else {
        return Ok(Verdict::ok("all that a tunnel takes"));
    };
    let verdict = Verdict::fail(told(refused, "you")?)
        .fill("action", &refused.action)
        .fill("resource", &refused.resource);
    let elsewhere = match refused.decision {
        Decision::ByOrganization => Some("ask the organisation's administrator"),
        Decision::ByBoundary => Some("ask an administrator to widen the permissions boundary"),
        Decision::Denied => Some("remove the statement that denies it"),
        Decision::Allowed | Decision::NotAllowed | Decision::Depends(_) => None,
    };
    Ok(match elsewhere {
        Some(fix) => verdict.fix(fix),
        None => verdict,
    })
}

fn fence(bastion: &Bastion) -> Result<Verdict, Gap> {
    let by = |why: Why| match why {
        Why::OrganizationPolicy => (
            "a control policy of the organisation",
            "the organisation's administrator",
        ),
        Why::PermissionsBoundary => ("a permissions boundary", "an administrator"),
        _ => (
            "the policy of the login session",
            "whoever gave you the session",
        ),
    };
    let told = |action: &str, why: Why| {
        let (what, who) = by(why);
        Verdict::info(format!("{what} does not allow {action}"))
            .fill("who", who)
            .fill("action", action)
    };
    if let Some((action, why)) = bastion.fences.first() {
        return Ok(told(action, *why));
    }
    let simulated = known(&bastion.policies.operator)?.iter();
    let mut fenced = simulated.filter_map(|it| match it.decision {
        Decision::ByOrganization => Some(told(&it.action, Why::OrganizationPolicy)),
        Decision::ByBoundary => Some(told(&it.action, Why::PermissionsBoundary)),
        _ => None,
    });
    Ok(fenced
        .next()
        .unwrap_or_else(|| Verdict::ok("none is known")))
}

fn denied(bastion: &Bastion) -> Result<Verdict, Gap> {
    let all = known(&bastion.policies.operator)?;
    Ok(match all.iter().find(|it| is_denied_session(it)) {
        None => Verdict::ok("none"),
        Some(denied) => Verdict::fail(told(denied, "you")?).fill("resource", &denied.resource),
    })
}

fn task_role(bastion: &Bastion) -> Result<Verdict, Gap> {
    let definition = some(&bastion.definition, "the task definition (T02)")?;
    let role = definition.task_role.as_deref();
    let role = role.ok_or(Gap::Needs("a task role (T03)"))?;
    let may = known(&bastion.policies.task_role_may)?;
    judged(may, role, Verdict::fail)
}

fn execution_role(bastion: &Bastion) -> Result<Verdict, Gap> {
    let definition = some(&bastion.definition, "the task definition (T02)")?;
    let role = definition.execution_role.as_deref();
    let role = role.ok_or(Gap::Needs("an execution role (T03)"))?;
    let may = known(&bastion.policies.execution_role_may)?;
    judged(may, role, Verdict::warn)
}

fn judged(all: &[Simulated], role: &str, level: fn(String) -> Verdict) -> Result<Verdict, Gap> {
    let role = role.rsplit('/').next().unwrap_or(role);
    Ok(match refused(all) {
        None => Verdict::ok(role),
        Some(refused) => level(told(refused, role)?)
            .fill("role", role)
            .fill("action", &refused.action)
            .fill("resource", &refused.resource),
    })
}

fn trust(bastion: &Bastion) -> Result<Verdict, Gap> {
    let definition = some(&bastion.definition, "the task definition (T02)")?;
    let arn = definition
        .task_role
        .as_deref()
        .ok_or(Gap::Needs("a task role (T03)"))?;
    let name = arn.rsplit('/').next().unwrap_or(arn);
    let verdict = match known(&bastion.policies.task_role)? {
        None => Verdict::fail(format!("there is no role {name}"))
            .fix("give the task definition a taskRoleArn that exists"),
        Some(role) if trusts(&role.trust) => Verdict::ok(name),
        Some(_) => Verdict::fail(format!("{name} does not trust {ECS_TASKS}")),
    };
    Ok(verdict.fill("role", name))
}

/// Whether a statement lets ECS assume the role. Conditions are AWS's to judge.
fn trusts(policy: &Value) -> bool {
    let statements = listed(&policy["Statement"]);
    statements.iter().any(|statement| {
        let services = listed(&statement["Principal"]["Service"]);
        let actions = listed(&statement["Action"]);
        let assumes = |it: &&Value| {
            let action = it.as_str().unwrap_or_default().to_ascii_lowercase();
            ["sts:assumerole", "sts:*", "*"].contains(&action.as_str())
        };
        statement["Effect"] == "Allow"
            && services.iter().any(|it| *it == ECS_TASKS)
            && actions.iter().any(assumes)
    })
}

/// A policy has one thing or a list of them.
fn listed(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(all) => all.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::fixture;

    fn with(action: &str, decision: Decision) -> Bastion {
        let simulated = Simulated {
            action: action.into(),
            resource: "arn:x".into(),
            decision,
        };
        let mut bastion = fixture::bastion();
        bastion.policies.operator = Ok(vec![simulated]);
        bastion
    }

    #[test]
    fn an_explicit_deny_of_sessions_has_a_check_of_its_own() {
        let bastion = with(START_SESSION, Decision::Denied);
        assert_eq!(operator(&bastion).unwrap().level, Level::Ok);
        assert_eq!(denied(&bastion).unwrap().level, Level::Fail);
        let bastion = with(START_SESSION, Decision::NotAllowed);
        assert_eq!(operator(&bastion).unwrap().level, Level::Fail);
        assert_eq!(denied(&bastion).unwrap().level, Level::Ok);
    }

    #[test]
    fn what_depends_on_unknown_keys_is_not_known() {
        let bastion = with(
            "ecs:RunTask",
            Decision::Depends(vec!["aws:SourceIp".into()]),
        );
        assert!(
            matches!(operator(&bastion), Err(Gap::Failed(why)) if why.contains("aws:SourceIp"))
        );
    }

    #[test]
    fn a_trust_policy_is_read_in_all_its_forms() {
        let statement = |service: Value, action: Value, effect: &str| json!({"Statement": [{"Effect": effect, "Principal": {"Service": service}, "Action": action}]});
        let right = json!("ecs-tasks.amazonaws.com");
        assert!(trusts(&statement(
            right.clone(),
            json!("sts:AssumeRole"),
            "Allow"
        )));
        assert!(trusts(&statement(
            json!([right, "x"]),
            json!(["sts:AssumeRole", "sts:TagSession"]),
            "Allow"
        )));
        let one = json!({"Statement": {"Effect": "Allow", "Principal": {"Service": right}, "Action": "sts:AssumeRole"}});
        assert!(trusts(&one));
        assert!(!trusts(&statement(right, json!("sts:AssumeRole"), "Deny")));
        assert!(!trusts(&statement(
            json!("ec2.amazonaws.com"),
            json!("sts:AssumeRole"),
            "Allow"
        )));
        assert!(!trusts(&json!({})));
    }
}

//! Whether a policy allows a request: as much of IAM as the policies in `infra/iam` use. What it does not know, it
//! refuses to judge.

use serde_json::Value;

/// An action on a resource, with what AWS knows of the request.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub action: &'a str,
    pub resource: &'a str,
    pub context: &'a [(&'a str, &'a str)],
}

/// Whether a statement of them allows it.
pub fn allows(statements: &[Value], request: Request<'_>) -> bool {
    statements.iter().any(|it| is_met(it, request))
}

/// The strings of a value that is one or a list of them.
pub fn listed(value: &Value) -> Vec<&str> {
    match value {
        Value::String(one) => vec![one],
        Value::Array(several) => several
            .iter()
            .map(|it| it.as_str().expect("text"))
            .collect(),
        other => panic!("{other} is neither a text nor a list"),
    }
}

fn is_met(statement: &Value, request: Request<'_>) -> bool {
    assert_eq!(statement["Effect"], "Allow");
    let mut actions = listed(&statement["Action"]).into_iter();
    let mut resources = listed(&statement["Resource"]).into_iter();
    actions.any(|action| action == request.action)
        && resources.any(|pattern| is_like(pattern, request.resource))
        && conditions_hold(&statement["Condition"], request.context)
}

fn conditions_hold(conditions: &Value, context: &[(&str, &str)]) -> bool {
    let Some(conditions) = conditions.as_object() else {
        return true;
    };
    conditions.iter().all(|(operator, keys)| {
        let mut keys = keys.as_object().expect("keys").iter();
        keys.all(|(key, wanted)| {
            let found = context.iter().find(|(known, _)| known == key);
            holds(operator, listed(wanted), found.map(|(_, value)| *value))
        })
    })
}

fn holds(operator: &str, wanted: Vec<&str>, found: Option<&str>) -> bool {
    let mut wanted = wanted.into_iter();
    match (operator, found) {
        ("BoolIfExists", None) => true,
        (_, None) => false,
        // One value stands for a request with one of them.
        ("StringEquals" | "ForAllValues:StringEquals" | "Bool" | "BoolIfExists", Some(found)) => {
            wanted.any(|it| it == found)
        }
        ("StringLike" | "ArnEquals" | "ArnLike", Some(found)) => {
            wanted.any(|it| is_like(it, found))
        }
        _ => panic!("the operator {operator} is not known here"),
    }
}

/// `*` stands for anything.
fn is_like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            let mut starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            starts.any(|at| is_like(tail, &rest[at..]))
        }),
    }
}

#[test]
fn a_statement_is_met_by_action_resource_and_conditions_together() {
    let statement = serde_json::json!({
        "Effect": "Allow", "Action": ["a:One", "a:Two"], "Resource": "arn:x/*/end",
        "Condition": {"StringEquals": {"k": "v"}, "BoolIfExists": {"b": "true"}}
    });
    let allowed = |action, resource, context: &[(&str, &str)]| {
        let request = Request {
            action,
            resource,
            context,
        };
        allows(std::slice::from_ref(&statement), request)
    };
    assert!(allowed("a:Two", "arn:x/1/end", &[("k", "v")]));
    assert!(allowed("a:One", "arn:x//end", &[("k", "v"), ("b", "true")]));
    for (action, resource, context) in [
        ("a:Three", "arn:x/1/end", &[("k", "v")][..]),
        ("a:One", "arn:x/1/other", &[("k", "v")]),
        ("a:One", "arn:x/1/end", &[("k", "w")]),
        ("a:One", "arn:x/1/end", &[]),
        ("a:One", "arn:x/1/end", &[("k", "v"), ("b", "false")]),
    ] {
        assert!(
            !allowed(action, resource, context),
            "{action} {resource} {context:?}"
        );
    }
}

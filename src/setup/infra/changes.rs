//! What a change set would do, in words. Pure.

use crate::aws::ResourceChange;

/// A line for each resource; what goes or is replaced comes first and is told in capitals.
pub(super) fn shown(changes: &[ResourceChange]) -> Vec<String> {
    let mut sorted: Vec<_> = changes.iter().map(|it| (verb(it), it)).collect();
    sorted.sort_by_key(|((rank, _), it)| (*rank, it.resource.clone()));
    let lines = sorted
        .iter()
        .map(|((_, verb), it)| format!("  {verb:<17}{}  {}", it.resource, it.kind));
    lines.collect()
}

/// How many are not only added or changed in their place.
pub(super) fn harsh(changes: &[ResourceChange]) -> usize {
    changes.iter().filter(|it| verb(it).0 < 2).count()
}

fn verb(change: &ResourceChange) -> (u8, &'static str) {
    match (change.action.as_str(), change.replacement.as_deref()) {
        ("Remove", _) => (0, "REMOVED"),
        ("Modify", Some("True")) => (1, "REPLACED"),
        ("Modify", Some("Conditional")) => (1, "MAY BE REPLACED"),
        ("Add", _) => (3, "added"),
        _ => (2, "changed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_or_is_replaced_comes_first() {
        let change = |action: &str, resource: &str, replacement: Option<&str>| ResourceChange {
            action: action.into(),
            resource: resource.into(),
            kind: "T".into(),
            replacement: replacement.map(Into::into),
        };
        let changes = [
            change("Add", "LogsEndpoint", None),
            change("Modify", "TaskRole", Some("False")),
            change("Modify", "Cluster", Some("True")),
            change("Remove", "Service", None),
            change("Modify", "Document", Some("Conditional")),
        ];
        assert_eq!(
            shown(&changes),
            [
                "  REMOVED          Service  T",
                "  REPLACED         Cluster  T",
                "  MAY BE REPLACED  Document  T",
                "  changed          TaskRole  T",
                "  added            LogsEndpoint  T",
            ]
        );
        assert_eq!(harsh(&changes), 3);
    }
}

//! Orphans as text.

use super::{text::printable, units::age};
use crate::status::{Orphan, OrphanKind, OrphanState};

/// A line each, with a closing newline.
pub(super) fn render(orphans: &[Orphan]) -> String {
    if orphans.is_empty() {
        return "there are no orphans\n".to_owned();
    }
    let mut text: String = orphans.iter().map(line).collect();
    if orphans
        .iter()
        .any(|orphan| orphan.state == OrphanState::Found)
    {
        text.push_str("hint: end them by bastiond ctl orphans --end\n");
    }
    text
}

fn line(orphan: &Orphan) -> String {
    let kind = match orphan.kind {
        OrphanKind::Task => "task",
        OrphanKind::Session => "session",
    };
    let old = orphan.age_seconds.map_or("?".to_owned(), age);
    let state = match (orphan.state, &orphan.error) {
        (OrphanState::Found, _) => String::new(),
        (OrphanState::Ended, _) => ": ended".to_owned(),
        (OrphanState::Failed, error) => format!(": {}", error.as_deref().unwrap_or("not ended")),
    };
    let Orphan {
        id,
        place,
        region,
        why,
        ..
    } = orphan;
    let line = format!("{kind} {id} on {place} in {region}, {old} old, {why}{state}");
    format!("{}\n", printable(&line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_orphan_is_told_with_what_became_of_it() {
        let found = Orphan {
            kind: OrphanKind::Session,
            id: "me-1".into(),
            region: "eu-west-1".into(),
            place: "ecs:a_b_c".into(),
            why: "yours, without a tunnel".into(),
            age_seconds: Some(7300),
            state: OrphanState::Found,
            error: None,
        };
        let failed = Orphan {
            state: OrphanState::Failed,
            error: Some("denied\u{7}".into()),
            ..found.clone()
        };
        let said = "session me-1 on ecs:a_b_c in eu-west-1, 2h old, yours, without a tunnel";
        assert_eq!(
            render(std::slice::from_ref(&found)),
            format!("{said}\nhint: end them by bastiond ctl orphans --end\n")
        );
        let ended = Orphan {
            state: OrphanState::Ended,
            ..found
        };
        assert_eq!(
            render(&[ended, failed]),
            format!("{said}: ended\n{said}: denied \n")
        );
        assert_eq!(render(&[]), "there are no orphans\n");
    }
}

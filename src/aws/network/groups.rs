//! Which security groups a task gets. Pure.

use std::fmt;

use super::problem::Problem;
use crate::{
    aws::vpc::SecurityGroup,
    config::Pick,
    status::{Chosen, ChosenKind},
};

/// The tag of a group that is for bastions.
pub(super) const TAG: (&str, &str) = ("bastiond:security-group", "true");
/// The tag that the template of `infra/` gives all that it makes.
const STACK: &str = "bastiond:stack";

/// The groups that `picks` name among those of the VPC; each is one.
pub(super) fn named(
    picks: &[Pick],
    all: &[SecurityGroup],
) -> Result<(Vec<String>, Vec<Chosen>), Problem> {
    let (mut ids, mut chosen) = (Vec::new(), Vec::new());
    for pick in picks {
        let fits = |group: &&SecurityGroup| match pick {
            Pick::Id(id) => group.id == *id,
            Pick::Tag { key, value } => group.tags.get(key) == Some(value),
            Pick::Name(name) => group.name == *name,
        };
        let fitting: Vec<&SecurityGroup> = all.iter().filter(fits).collect();
        match fitting[..] {
            [] => return Err(Problem::unknown_group(pick, all)),
            [only] if ids.contains(&only.id) => {}
            [only] => {
                let why = format!("configured as `{pick}`");
                chosen.push(Chosen::new(ChosenKind::SecurityGroup, &only.id, why));
                ids.push(only.id.clone());
            }
            [..] => return Err(Problem::several_groups(&format!("`{pick}`"), &fitting)),
        }
    }
    Ok((ids, chosen))
}

/// The only group that is marked as the bastion's: by the tag for that, by the tag of its stack, or by the stack's name.
/// Without one the VPC's default group is what AWS takes.
pub(super) fn found(
    stack: &str,
    all: &[SecurityGroup],
) -> Result<(Vec<String>, Vec<Chosen>), Problem> {
    let marks = [
        Mark::Tag(TAG.0, TAG.1),
        Mark::Tag(STACK, stack),
        Mark::Name(stack),
    ];
    for mark in &marks {
        let fitting: Vec<&SecurityGroup> = all.iter().filter(|it| mark.is_on(it)).collect();
        match fitting[..] {
            [] => {}
            [only] => {
                let why = format!("found: {} has {mark}", only.name);
                let chosen = Chosen::new(ChosenKind::SecurityGroup, &only.id, why);
                return Ok((vec![only.id.clone()], vec![chosen]));
            }
            [..] => return Err(Problem::several_groups(&mark.to_string(), &fitting)),
        }
    }
    let marks: Vec<String> = marks.iter().map(Mark::to_string).collect();
    let default = all.iter().find(|it| it.name == "default");
    let why = format!("the VPC's default group: none has {}", marks.join(", or "));
    let id = default.map_or("", |it| it.id.as_str());
    Ok((
        Vec::new(),
        vec![Chosen::new(ChosenKind::SecurityGroup, id, why)],
    ))
}

/// What tells that a group is the bastion's.
enum Mark<'a> {
    Tag(&'a str, &'a str),
    Name(&'a str),
}

impl Mark<'_> {
    fn is_on(&self, group: &SecurityGroup) -> bool {
        match *self {
            Self::Tag(key, value) => group.tags.get(key).is_some_and(|it| it == value),
            Self::Name(name) => group.name == name,
        }
    }
}

impl fmt::Display for Mark<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(key, value) => write!(f, "the tag {key}={value}"),
            Self::Name(name) => write!(f, "the name {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(id: &str, name: &str, tag: Option<(&str, &str)>) -> SecurityGroup {
        let tags = tag.into_iter();
        SecurityGroup {
            id: id.into(),
            name: name.into(),
            vpc: "vpc-1".into(),
            tags: tags
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        }
    }

    #[test]
    fn one_that_is_marked_is_found_and_the_plainest_mark_goes_first() {
        let mut all = vec![
            group("sg-1", "default", None),
            group("sg-2", "app_d\u{f6}ner-1", None),
        ];
        let find = |all: &[SecurityGroup]| found("app_d\u{f6}ner-1", all).map(|(ids, _)| ids);
        assert_eq!(find(&all[..1]).unwrap(), Vec::<String>::new());
        assert_eq!(find(&all).unwrap(), ["sg-2"]);
        all.push(group("sg-3", "x", Some((STACK, "app_d\u{f6}ner-1"))));
        assert_eq!(find(&all).unwrap(), ["sg-3"]);
        all.push(group("sg-4", "y", Some(TAG)));
        assert_eq!(find(&all).unwrap(), ["sg-4"]);
        all.push(group("sg-5", "z", Some(TAG)));
        let several = find(&all).unwrap_err().told("eu-west-1");
        assert_eq!(
            several.message,
            "2 security groups have the tag bastiond:security-group=true: `sg-4 (y)`, `sg-5 (z)`"
        );
    }

    #[test]
    fn the_default_group_is_told_with_what_was_looked_for() {
        let (ids, chosen) = found("app", &[group("sg-1", "default", None)]).unwrap();
        assert!(ids.is_empty());
        assert_eq!(chosen[0].value, "sg-1");
        assert_eq!(
            chosen[0].reason,
            "the VPC's default group: none has the tag bastiond:security-group=true, or the tag bastiond:stack=app, or \
             the name app"
        );
    }

    #[test]
    fn a_part_of_a_name_is_not_the_name() {
        let all = [
            group("sg-1", "bastion-old", None),
            group("sg-2", "my-bastion", None),
        ];
        let picks = [Pick::Name("bastion".into())];
        let told = named(&picks, &all).unwrap_err().told("eu-west-1");
        assert_eq!(
            told.message,
            "there is no security group `bastion` in eu-west-1; there are `my-bastion`, `bastion-old`"
        );
        let picks = [
            Pick::Name("my-bastion".into()),
            Pick::Id("sg-1".into()),
            Pick::Id("sg-1".into()),
        ];
        assert_eq!(named(&picks, &all).unwrap().0, ["sg-2", "sg-1"]);
    }
}

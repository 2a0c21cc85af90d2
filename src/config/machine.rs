//! `instance` and `node` of a bastion: a machine with an agent, in the place of a task.

use toml::{Spanned, de::DeTable};

use super::{
    error::Complaint,
    pick::Pick,
    scope::Scope,
    service::{OF_SERVICE, OF_SERVICE_ALONE},
    tunnel::is_target,
};

/// The longest value of a tag (EC2 API model); a name is one.
const LONGEST_NAME: usize = 256;
/// The keys that go with each kind.
const OF_INSTANCE: &[&str] = &[
    "instance",
    "idle_stop",
    "on_shutdown",
    "warm",
    "max_hours_per_day",
    "aws",
];
const OF_NODE: &[&str] = &["node", "aws"];
/// The keys that do not go with a task that brings its agent along.
const NOT_OF_HYBRID: &[&str] = &["container", "max_sessions_per_container"];

/// A machine with an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Machine {
    /// An EC2 instance: it is started when it is needed.
    Instance(Pick),
    /// A hybrid node: it is neither started nor stopped.
    Node(Pick),
}

impl Machine {
    /// `instance` or `node`, as the configuration and the status call it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Instance(_) => "instance",
            Self::Node(_) => "node",
        }
    }

    /// Which one.
    #[must_use]
    pub fn pick(&self) -> &Pick {
        match self {
            Self::Instance(pick) | Self::Node(pick) => pick,
        }
    }
}

/// Reads the one of both that is there, if any; `keys` are all that the bastion has.
pub(super) fn check(
    scope: &mut Scope,
    instance: Option<Spanned<String>>,
    node: Option<Spanned<String>>,
    keys: &[Spanned<String>],
) -> Option<Machine> {
    let allowed = match (&instance, &node) {
        (Some(_), _) => OF_INSTANCE,
        (None, Some(_)) => OF_NODE,
        (None, None) => return None,
    };
    let word = allowed[0];
    refuse_others(scope, keys, allowed, word, |_| why_not(word));
    let text = instance.or(node);
    let text = scope.checked(word, text, |text| pick(word, text).map(drop));
    let pick = text.and_then(|text| pick(word, &text).ok());
    let pick = pick.unwrap_or_else(|| Pick::Name(String::new()));
    Some(match word {
        "instance" => Machine::Instance(pick),
        _ => Machine::Node(pick),
    })
}

/// Notes every key that does not go with the one that says what carries the agent, and why.
pub(super) fn refuse_others(
    scope: &mut Scope,
    keys: &[Spanned<String>],
    allowed: &[&str],
    word: &str,
    why: impl Fn(&str) -> &'static str,
) {
    for key in keys {
        if !allowed.contains(&key.get_ref().as_str()) {
            let complaint = Complaint::new(format!("does not go with `{word}`"));
            let hint = why(key.get_ref());
            scope.wrong(key.get_ref(), key.span(), complaint.hint(hint));
        }
    }
}

/// Whether a bastion with these keys takes `key` as well: what it does not take has no default either.
pub(super) fn takes(bastion: &DeTable<'_>, key: &str) -> bool {
    if bastion.contains_key("instance") {
        return OF_INSTANCE.contains(&key);
    }
    if bastion.contains_key("node") {
        return OF_NODE.contains(&key);
    }
    if bastion.contains_key("service") {
        return OF_SERVICE.contains(&key);
    }
    if OF_SERVICE_ALONE.contains(&key) {
        return false;
    }
    let agent = bastion.get("agent").and_then(|it| it.get_ref().as_str());
    agent != Some("hybrid") || !NOT_OF_HYBRID.contains(&key)
}

/// What is about the agents of ECS does not go with one that the task brings along.
pub(super) fn refuse_of_hybrid(scope: &mut Scope, keys: &[Spanned<String>]) {
    for key in keys {
        if NOT_OF_HYBRID.contains(&key.get_ref().as_str()) {
            let complaint = Complaint::new("does not go with `agent = \"hybrid\"`");
            let hint = "leave it out: the task is a node, and no container is told from another";
            scope.wrong(key.get_ref(), key.span(), complaint.hint(hint));
        }
    }
}

fn why_not(word: &str) -> &'static str {
    match word {
        "instance" => "leave it out: an instance is started and stopped, and no task is run",
        _ => "leave it out: a node is neither started nor stopped",
    }
}

fn pick(word: &str, text: &str) -> Result<Pick, Complaint> {
    let (own, other, other_word) = match word {
        "instance" => ("i-", "mi-", "node"),
        _ => ("mi-", "i-", "instance"),
    };
    if text.starts_with(other) && is_target(text) {
        let complaint = Complaint::new(format!("`{text}` is no {word}"));
        return Err(complaint.hint(format!("write `{other_word} = \"{text}\"`")));
    }
    if let Some(tag) = text.strip_prefix("tag:") {
        return match tag.split_once('=') {
            Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok(Pick::Tag {
                key: key.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err(Complaint::new(format!("`{text}` is no tag")).hint("write `tag:KEY=VALUE`")),
        };
    }
    if text.starts_with(own) && is_target(text) {
        return Ok(Pick::Id(text.to_owned()));
    }
    let is_hex = |id: &str| !id.is_empty() && id.chars().all(|c| c.is_ascii_hexdigit());
    if text.strip_prefix(own).is_some_and(is_hex) {
        let complaint = Complaint::new(format!("`{text}` is not the id of any {word}"));
        return Err(complaint.hint(format!("write `{own}` and 17 hexadecimal digits")));
    }
    let is_name = !text.trim().is_empty()
        && text.chars().count() <= LONGEST_NAME
        && !text.chars().any(char::is_control);
    match is_name {
        true => Ok(Pick::Name(text.to_owned())),
        false => Err(
            Complaint::new(format!("`{}` is no name", text.escape_debug()))
                .hint(format!("write `{own}…`, `tag:KEY=VALUE` or a name")),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn read(lines: &str) -> Result<Machine, String> {
        let text = format!(
            "[bastion.dev]\n{lines}\n[[tunnel]]\nname = 'db'\nhost = 'db.internal'\nport = 5432\n"
        );
        let read = Config::parse(&text).map_err(|error| error.to_string());
        read.map(|it| it.bastions["dev"].machine.clone().expect("a machine"))
    }

    #[test]
    fn a_machine_is_named_by_id_tag_or_name() {
        let tag = |key: &str, value: &str| Pick::Tag {
            key: key.into(),
            value: value.into(),
        };
        let id = |id: &str| Pick::Id(id.into());
        let name = |name: &str| Pick::Name(name.into());
        for (line, wanted) in [
            (
                "instance = 'i-0123456789abcdef0'",
                Machine::Instance(id("i-0123456789abcdef0")),
            ),
            (
                "instance = 'tag:Env=dev=1'",
                Machine::Instance(tag("Env", "dev=1")),
            ),
            (
                "instance = 'jump host \u{65e5}-1_x'",
                Machine::Instance(name("jump host \u{65e5}-1_x")),
            ),
            ("instance = 'i-web'", Machine::Instance(name("i-web"))),
            (
                "node = 'mi-0123456789abcdef0'",
                Machine::Node(id("mi-0123456789abcdef0")),
            ),
            (
                "node = 'tag:bastion=yes'",
                Machine::Node(tag("bastion", "yes")),
            ),
            ("node = 'office'", Machine::Node(name("office"))),
        ] {
            let machine = read(line).unwrap();
            assert_eq!(machine, wanted, "{line}");
            assert!(line.contains(&machine.pick().to_string()), "{line}");
            assert!(line.starts_with(machine.word()), "{line}");
        }
    }

    #[test]
    fn what_names_no_machine_is_refused_with_what_to_write() {
        for (line, said) in [
            ("instance = 'mi-0123456789abcdef0'", "node = "),
            ("node = 'i-0123456789abcdef0'", "instance = "),
            ("instance = 'i-0123'", "17 hexadecimal digits"),
            ("instance = 'tag:Env'", "tag:KEY=VALUE"),
            ("instance = 'tag:=x'", "tag:KEY=VALUE"),
            ("instance = ''", "a name"),
            ("node = \"a\\tb\"", "a name"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(said), "{line}: {error}");
        }
    }

    #[test]
    fn what_is_about_tasks_does_not_go_with_a_machine() {
        let lines = "instance = 'jump'\ncluster = 'c'\nsubnets = ['subnet-1']\nassign_public_ip = true\n\
                     mode = 'user'\nnode = 'other'";
        let error = read(lines).unwrap_err();
        for (line, key) in [
            (3, "cluster"),
            (4, "subnets"),
            (5, "assign_public_ip"),
            (6, "mode"),
            (7, "node"),
        ] {
            let said = "does not go with `instance`";
            let is_there = |text: &str| {
                text.contains(&format!("{line}")) && text.contains(key) && text.contains(said)
            };
            assert!(error.lines().any(is_there), "{key}: {error}");
        }
        assert!(read("instance = 'jump'\nidle_stop = '1h'\non_shutdown = 'leave'").is_ok());
        let hybrid = "cluster = 'c'\ntask_definition = 't'\nsubnets = ['subnet-0a1b2c3d']\nagent = 'hybrid'\n\
                      container = 'c'";
        let error = read(hybrid).unwrap_err();
        assert!(error.contains("does not go with `agent"), "{error}");
        let error = read("node = 'office'\nidle_stop = '1h'").unwrap_err();
        assert!(error.contains("neither started nor stopped"), "{error}");
    }
}

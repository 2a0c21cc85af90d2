//! `docs/doctor.md`, made of the table.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use super::check::{Check, Judge};
use super::checks;

const HEAD: &str = "# What `bastiond doctor` looks at

`bastiond doctor` looks at everything that a tunnel needs, from near to far, and changes nothing. `--only T05,L02`
chooses checks, `--tunnel NAME` a tunnel with its bastion, `--json` prints what was found with `\"schema\": 1`. It ends
with 0, with 1 after warnings, and with 2 after failures.

Sections T to R are about bastions that are tasks with the agent of ECS Exec, but for the checks of sessions, which are of
every tunnel. Those that are machines have section M. Of one with `service`, and of a task that brings its agent along
(`agent = \"hybrid\"`), the account and the tunnels are looked at, and the errors of its start tell the rest.

R03 opens a session, as a connection would, and ends it again: nothing else that the doctor does leaves a trace. With
`--start` it runs the bastions as well, by the daemon if one runs, and times every phase (section P). What ran before goes on
running; what was started is ended again, after Ctrl-C too.

Levels: *ok*; *info*, worth knowing; *skip*, not known, because an action is not allowed or something else has to be
mended first; *warn*, works and could be better; *fail*, will not work.

The actions that a check takes are named with it, and are all in the policy below. Without one of them the checks that
need it are skipped.

This page is made from the table in `src/doctor/checks`. After changing it:
`BASTIOND_WRITE_DOCS=1 cargo test --lib doctor_page`.
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for area in checks::areas() {
        let _ = write!(page, "\n## {}\n", area.title);
        area.checks
            .iter()
            .for_each(|check| section(&mut page, check));
    }
    policy(&mut page);
    page
}

fn section(page: &mut String, check: &Check) {
    let levels: Vec<_> = check.levels.iter().map(|level| level.word()).collect();
    let about = match check.judge {
        Judge::Machine(_) => "this machine",
        Judge::Account(_) => "each account",
        Judge::Bastion(_) => "each bastion",
        Judge::Tunnel(_) => "each tunnel",
        Judge::Node(_) => {
            "each bastion with `instance` or `node`, each tunnel with such a `target`"
        }
    };
    let _ = write!(page, "\n### {}\n\n", check.id);
    let _ = writeln!(page, "**{}.** {}\n", capital(check.title), check.why);
    let _ = writeln!(page, "- of: {about}");
    let _ = writeln!(page, "- looks at: {}", check.looks_at);
    let _ = writeln!(page, "- levels: {}", levels.join(", "));
    if !check.needs.is_empty() {
        let needs: Vec<_> = check.needs.iter().map(|it| format!("`{it}`")).collect();
        let _ = writeln!(page, "- takes: {}", needs.join(", "));
    }
    let _ = writeln!(page, "- fix: {}", opened(check.fix));
}

/// What a judge fills in is shown as a word in capitals.
fn opened(fix: &str) -> String {
    let mut text = String::new();
    let mut rest = fix;
    while let Some((before, after)) = rest.split_once('{') {
        let (word, after) = after.split_once('}').expect("a closed brace");
        text.push_str(before);
        text.push_str(&word.to_uppercase());
        rest = after;
    }
    text + rest
}

fn capital(title: &str) -> String {
    let mut letters = title.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

fn policy(page: &mut String) {
    let actions: BTreeSet<_> = checks::all().flat_map(|check| check.needs).collect();
    // What tunnels take is not to be had for everything.
    let actions: Vec<_> = actions
        .into_iter()
        .filter(|it| **it != "ssm:StartSession")
        .collect();
    page.push_str(
        "\n## What it takes\n\nThe statement that allows every check; the sessions of R03 take what those of a tunnel \
         take:\n\n```json\n",
    );
    let statement = serde_json::json!({
        "Sid": "Doctor", "Effect": "Allow", "Action": actions, "Resource": "*",
    });
    page.push_str(&serde_json::to_string_pretty(&statement).expect("JSON"));
    page.push_str("\n```\n");
}

#[test]
fn doctor_page_is_made_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/doctor.md");
    if std::env::var_os("BASTIOND_WRITE_DOCS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page(),
        "docs/doctor.md is not what the table says: BASTIOND_WRITE_DOCS=1 cargo test --lib doctor_page"
    );
}

#[test]
fn ids_are_in_order_and_titles_and_fixes_say_something() {
    let ids: Vec<_> = checks::all().map(|check| check.id).collect();
    let unique: BTreeSet<_> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len());
    for area in checks::areas() {
        assert!(
            area.checks.is_sorted_by_key(|check| check.id),
            "{}",
            area.title
        );
        for check in area.checks {
            assert!(area.title.starts_with(&check.id[..1]), "{}", check.id);
            assert!(!check.fix.is_empty() && !check.levels.is_empty());
            assert!(
                !check.title.is_empty() && check.why.ends_with('.'),
                "{}",
                check.id
            );
        }
    }
}

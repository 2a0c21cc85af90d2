//! `ctl reload`: what has changed, in words.

use super::{Failure, print, print_json, progress};
use crate::{control::client::Client, exit::Exit, status::Reloaded};

pub(super) async fn reload(client: &Client, json: bool) -> Result<Exit, Failure> {
    let done = progress::shown(client, None, client.reload()).await?;
    match json {
        true => print_json(&done),
        false => print(&render(&done)),
    }
    Ok(Exit::Ok)
}

fn render(done: &Reloaded) -> String {
    let parts = [
        ("added", &done.added),
        ("removed", &done.removed),
        ("started anew", &done.changed),
    ];
    let said = parts.iter().filter(|(_, names)| !names.is_empty());
    let said: Vec<String> = said
        .map(|(word, names)| format!("{word} {}", names.join(", ")))
        .collect();
    let kept = match done.unchanged.len() {
        0 => String::new(),
        1 => "; 1 goes on as it is".to_owned(),
        count => format!("; {count} go on as they are"),
    };
    let head = match said.is_empty() {
        true => "no tunnel has changed".to_owned(),
        false => said.join("; "),
    };
    let mut text = format!("reloaded: {head}{kept}\n");
    for remark in &done.needs_restart {
        text.push_str(&format!("needs a restart: {remark}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_changed_is_told_in_a_line() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let done = Reloaded {
            added: names(&["new"]),
            changed: names(&["app-db"]),
            unchanged: names(&["cache", "jobs"]),
            ..Reloaded::default()
        };
        assert_eq!(
            render(&done),
            "reloaded: added new; started anew app-db; 2 go on as they are\n"
        );
        assert_eq!(
            render(&Reloaded::default()),
            "reloaded: no tunnel has changed\n"
        );
    }
}

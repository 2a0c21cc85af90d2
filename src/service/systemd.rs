//! The units of a user's systemd.

use std::path::{Path, PathBuf};

use super::{Facts, Manager, Step, Unit};

const SERVICE: &str = include_str!("../../systemd/bastiond.service");
const SOCKET: &str = include_str!("../../systemd/bastiond.socket");
const SERVICE_NAME: &str = "bastiond.service";
const SOCKET_NAME: &str = "bastiond.socket";
/// The lines that are different for everybody.
const EXEC: &str = "ExecStart=%h/.local/bin/bastiond run\n";
const PORTS: &str = "ListenStream=127.0.0.1:55432\nListenStream=[::1]:55432\n";
const CONTROL: &str = "ListenStream=%t/bastiond/bastiond.sock\n";
const MADE_BY: &str = "# Made by `bastiond service install`, which makes it anew. Changes of your own belong in\n\
                       # `systemctl --user edit";

/// See the module.
pub(super) struct Systemd {
    folder: PathBuf,
}

/// The files, with the ports if there are any.
pub(super) fn units(facts: &Facts) -> Vec<Unit> {
    let folder = folder(facts);
    let unit = |name: &str, text: String| Unit {
        path: folder.join(name),
        text: format!("{MADE_BY} {name}`.\n\n{text}"),
    };
    let mut units = vec![unit(SERVICE_NAME, service(facts))];
    if !facts.sockets.is_empty() {
        units.insert(0, unit(SOCKET_NAME, socket(facts)));
    }
    units
}

fn folder(facts: &Facts) -> PathBuf {
    facts.config_home.join("systemd/user")
}

fn service(facts: &Facts) -> String {
    let program = facts.program.display().to_string();
    let words = std::iter::once(&program).chain(&facts.arguments);
    let words: Vec<String> = words.map(|word| quoted(&word.replace('$', "$$"))).collect();
    let mut lines = format!("ExecStart={}\n", words.join(" "));
    for (name, value) in &facts.environment {
        lines.push_str(&format!(
            "Environment={}\n",
            quoted(&format!("{name}={value}"))
        ));
    }
    body(SERVICE).replace(EXEC, &lines)
}

fn socket(facts: &Facts) -> String {
    let listen = |place: String| format!("ListenStream={place}\n");
    let ports = facts
        .sockets
        .iter()
        .map(|address| listen(address.to_string()));
    let control = listen(escaped(&facts.control.display().to_string()));
    body(SOCKET)
        .replace(PORTS, &ports.collect::<String>())
        .replace(CONTROL, &control)
}

/// What comes after the words to whoever copies it by hand.
fn body(template: &str) -> &str {
    let start = template.find("[Unit]").unwrap_or(0);
    &template[start..]
}

/// `%` begins a specifier.
fn escaped(text: &str) -> String {
    text.replace('%', "%%")
}

/// One word, whatever is in it (`systemd.syntax(7)`).
fn quoted(word: &str) -> String {
    let word = escaped(word).replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{word}\"")
}

impl Systemd {
    pub(super) fn new(facts: &Facts) -> Self {
        Self {
            folder: folder(facts),
        }
    }
}

fn systemctl(words: &[&str]) -> Step {
    Step::must(&[&["systemctl", "--user"], words].concat())
}

/// Without complaint, if there is nothing to do.
fn try_systemctl(words: &[&str]) -> Step {
    Step::may(&[&["systemctl", "--user"], words].concat())
}

fn names(units: &[Unit]) -> Vec<&str> {
    let names = units.iter().filter_map(|unit| unit.path.file_name());
    names.filter_map(|name| name.to_str()).collect()
}

impl Manager for Systemd {
    fn places(&self) -> Vec<PathBuf> {
        let folder: &Path = &self.folder;
        [SOCKET_NAME, SERVICE_NAME]
            .map(|name| folder.join(name))
            .into()
    }

    fn reach(&self) -> Step {
        systemctl(&["show", "--property=Version"])
    }

    fn without(&self) -> String {
        "no systemd looks after you here (`systemctl --user` does not answer)\n\
         hint: bastiond start, from your shell's profile; or, where systemd runs, from a login of your own: \
         loginctl enable-linger"
            .to_owned()
    }

    fn is_on(&self, units: &[Unit]) -> Vec<Step> {
        let each = names(units).into_iter().flat_map(|name| {
            let enabled = systemctl(&["is-enabled", "--quiet", name]);
            // With a socket, the service may sleep.
            let active = (units.len() == 1 || name == SOCKET_NAME)
                .then(|| systemctl(&["is-active", "--quiet", name]));
            std::iter::once(enabled).chain(active)
        });
        each.collect()
    }

    fn is_running(&self) -> Step {
        systemctl(&["is-active", "--quiet", SERVICE_NAME])
    }

    fn turn_on(&self, units: &[Unit]) -> Vec<Step> {
        let enable = names(units).into_iter();
        let enable = enable.map(|name| systemctl(&["enable", "--now", name]));
        std::iter::once(systemctl(&["daemon-reload"]))
            .chain(enable)
            .collect()
    }

    fn turn_off(&self) -> Vec<Step> {
        let off = |name| try_systemctl(&["disable", "--now", name]);
        [SOCKET_NAME, SERVICE_NAME].map(off).into()
    }

    fn forget(&self) -> Vec<Step> {
        vec![
            try_systemctl(&["daemon-reload"]),
            try_systemctl(&["reset-failed", SOCKET_NAME, SERVICE_NAME]),
        ]
    }

    fn advice(&self) -> String {
        "It starts when you log in, and ends with your last session; `loginctl enable-linger` starts it at boot.\n\
         Its words: journalctl --user --unit bastiond"
            .to_owned()
    }
}

//! What the program says of itself: the manual, the completion of shells, the version.

use std::{fs, io, path::Path};

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};
use serde_json::json;

use crate::{cli::Cli, exit, output};

const FILES: [(&str, &str); 4] = [
    (
        "~/.config/bastiond/config.toml",
        "the configuration; $BASTIOND_CONFIG names another",
    ),
    (
        "$XDG_RUNTIME_DIR/bastiond/bastiond.sock",
        "the control socket; $BASTIOND_SOCKET names another",
    ),
    (
        "~/.local/state/bastiond",
        "what must survive a crash, and the logs; $BASTIOND_STATE_DIR names another",
    ),
    (
        "~/Library/Application Support/bastiond",
        "the socket and the state, on macOS",
    ),
];

const ENVIRONMENT: [(&str, &str); 5] = [
    (
        "BASTIOND_...",
        "a setting: its path in capitals, as in BASTIOND_AWS_PROFILE or BASTIOND_TUNNEL_APP_DB_LISTEN; goes \
      before the file",
    ),
    (
        "AWS_PROFILE, AWS_REGION, AWS_CONFIG_FILE, ...",
        "as the AWS CLI takes them, where the configuration says nothing",
    ),
    (
        "HTTPS_PROXY, NO_PROXY, AWS_CA_BUNDLE",
        "hold for AWS's APIs and for WebSockets alike",
    ),
    ("NO_COLOR", "no colour, whatever the terminal"),
    ("RUST_LOG", "what is in the logs"),
];

/// Prints the manual page, or writes one for each command into a folder.
///
/// # Errors
/// When it cannot be written.
pub fn man(folder: Option<&Path>) -> io::Result<()> {
    let command = command();
    let Some(folder) = folder else {
        let mut text = Vec::new();
        page(&command, &mut text)?;
        output::data(&text);
        return Ok(());
    };
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(command.clone(), folder)?;
    page(&command, &mut fs::File::create(folder.join("bastiond.1"))?)
}

/// Prints what a shell needs to complete commands and options.
pub fn completion(shell: Shell) {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command(), "bastiond", &mut text);
    output::data(&text);
}

/// Prints the version.
pub fn version(as_json: bool) {
    let version = env!("CARGO_PKG_VERSION");
    match as_json {
        true => crate::outln!(
            "{:#}",
            json!({
                "schema": 1,
                "version": version,
                "os": std::env::consts::OS,
                "arch": std::env::consts::ARCH,
            })
        ),
        false => crate::outln!("bastiond {version}"),
    }
}

fn command() -> Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// The main page: what clap knows, every command with its line, and what it does not know.
fn page(command: &Command, out: &mut impl io::Write) -> io::Result<()> {
    let man = Man::new(command.clone());
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS"]);
    commands(command, "", &mut roff);
    for (title, entries) in [
        ("EXIT STATUS", &exit::MEANINGS[..]),
        ("ENVIRONMENT", &ENVIRONMENT),
        ("FILES", &FILES),
    ] {
        roff.control("SH", [title]);
        entries
            .iter()
            .for_each(|(term, meaning)| entry(&mut roff, term, meaning));
    }
    out.write_all(roff.render().as_bytes())?;
    man.render_extra_section(out)
}

fn commands(command: &Command, before: &str, roff: &mut Roff) {
    for command in command.get_subcommands() {
        let name = command.get_name();
        if command.is_hide_set() || name == "help" {
            continue;
        }
        let path = format!("{before}{name}");
        if command.has_subcommands() {
            commands(command, &format!("{path} "), roff);
            continue;
        }
        let usage = command.clone().render_usage().to_string();
        let usage = usage
            .trim_start_matches("Usage: ")
            .trim_start_matches("bastiond ")
            .to_owned();
        let about = command
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        entry(roff, &usage, &about);
    }
}

fn entry(roff: &mut Roff, term: &str, meaning: &str) {
    roff.control("TP", []);
    roff.text([bold(term)]);
    roff.text([roman(meaning)]);
}

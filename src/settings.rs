//! `bastiond config …`: what the configuration says, and where each setting comes from. Needs no daemon.

use std::{path::Path, process::ExitCode};

use serde_json::json;

use crate::{
    cli,
    config::{
        self, Layers, Place,
        settings::{Setting, settings, toml_text},
    },
    sources::{Error, Sources},
    status::{self, Origin},
};

/// Runs one command.
///
/// # Errors
/// When there is no configuration, or it has mistakes.
pub fn run(
    command: cli::Config,
    sources: impl Fn(cli::Chosen) -> anyhow::Result<Sources>,
) -> anyhow::Result<ExitCode> {
    match command {
        cli::Config::Check { chosen } => check(&sources(chosen)?)?,
        cli::Config::Show { chosen, json } => show(&sources(chosen)?, json)?,
        cli::Config::Path { chosen } => crate::outln!("{}", sources(chosen)?.path.display()),
        cli::Config::Schema => crate::outln!("{:#}", config::schema()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Says which variables look like settings and are none.
pub fn warn_of_strangers(layers: &Layers) {
    for stranger in layers.strangers() {
        crate::errln!("warning: {stranger}");
    }
}

fn check(sources: &Sources) -> anyhow::Result<()> {
    let layers = sources.layers()?;
    let config = config::Config::of(&layers).map_err(|mistakes| sources.wrong(mistakes))?;
    warn_of_strangers(&layers);
    let (tunnels, bastions) = (config.tunnels.len(), config.bastions.len());
    crate::outln!(
        "{}: no mistakes; {}, {}",
        sources.path.display(),
        counted(tunnels, "tunnel"),
        counted(bastions, "bastion")
    );
    Ok(())
}

fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

fn show(sources: &Sources, as_json: bool) -> Result<(), Error> {
    let layers = sources.layers()?;
    let settings = settings(&layers).map_err(|mistakes| sources.wrong(mistakes))?;
    warn_of_strangers(&layers);
    match as_json {
        true => crate::outln!("{:#}", as_values(&sources.path, &settings)),
        false => crate::output::out(format_args!("{}", as_toml(&sources.path, &settings))),
    }
    Ok(())
}

/// A configuration that says the same, with where each value comes from beside it.
fn as_toml(path: &Path, settings: &[Setting]) -> String {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let line = |setting: &Setting| format!("{} = {}", setting.key, toml_text(&setting.value));
    let widths = settings.iter().map(|setting| line(setting).chars().count());
    let width = widths
        .filter(|width| *width <= WIDEST)
        .max()
        .unwrap_or_default();
    let mut text = format!("# {}\n", path.display());
    let mut before: Option<&Setting> = None;
    for setting in settings {
        let is_new = match before {
            None => !setting.table.is_empty(),
            Some(before) => owner(before) != owner(setting),
        };
        if is_new {
            text.push_str(&format!("\n{}\n", setting.table));
        }
        let origin = origin(setting.origin.as_ref(), &file);
        text.push_str(&format!("{:<width$}  # {origin}\n", line(setting)));
        before = Some(setting);
    }
    text
}

/// A longer line pushes its remark to the right alone.
const WIDEST: usize = 48;

/// The table of which a setting is a part: its path without its key.
fn owner(setting: &Setting) -> &str {
    setting.path.strip_suffix(&setting.key).unwrap_or_default()
}

fn origin(place: Option<&Place>, file: &str) -> String {
    match place {
        None => "default".to_owned(),
        Some(Place::File { line, .. }) => format!("{file}:{line}"),
        Some(Place::Environment(name)) => format!("environment {name}"),
        Some(Place::Flag(_)) => "--set".to_owned(),
    }
}

fn as_values(path: &Path, settings: &[Setting]) -> serde_json::Value {
    let settings: Vec<status::Setting> = settings.iter().map(shown).collect();
    json!({ "schema": status::SCHEMA, "config_path": path, "settings": settings })
}

/// A setting as the control API tells it.
pub fn shown(setting: &Setting) -> status::Setting {
    let origin = match &setting.origin {
        None => Origin::Default,
        Some(Place::File { line, .. }) => Origin::File { line: *line },
        Some(Place::Environment(name)) => Origin::Environment { name: name.clone() },
        Some(Place::Flag(path)) => Origin::Flag { name: path.clone() },
    };
    status::Setting {
        path: setting.path.clone(),
        value: setting.value.clone(),
        origin,
    }
}

//! `ctl bugreport`: one file that tells what a daemon is, was told and has done, and nothing that is nobody's business.
//!
//! What it holds is gathered here, from the daemon or, without one, from its files; all of it goes through [`Redactor`].

mod redact;
mod scrub;

use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use jiff::Zoned;
use serde::Serialize;

use super::{Failure, print};
use crate::{
    config,
    control::client::Client,
    exit::Exit,
    paths::Paths,
    platform, settings,
    sources::Sources,
    status::{Setting, Status},
};
use redact::Redactor;

/// Lines of the log, and events: enough for some hours of trouble.
const LINES: usize = 2000;
const EVENTS: usize = 1024;
/// Variables that change what the daemon does.
const TELLING: [&str; 8] = [
    "BASTIOND_",
    "AWS_",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "XDG_",
    "RUST_LOG",
];
const SECRET: [&str; 4] = ["SECRET", "TOKEN", "PASSWORD", "KEY"];

/// Writes the report and says where it is.
pub(super) async fn write(
    client: &Client,
    paths: &Paths,
    out: Option<PathBuf>,
) -> Result<Exit, Failure> {
    let name = Zoned::now()
        .strftime("bastiond-bugreport-%Y%m%d-%H%M%S.txt")
        .to_string();
    let path = out.unwrap_or_else(|| PathBuf::from(name));
    let report = report(client, paths).await;
    save(&path, &report).map_err(|error| Failure::File {
        path: path.clone(),
        error,
    })?;
    print(&format!(
        "written to {}\nlook through it before you pass it on\n",
        path.display()
    ));
    Ok(Exit::Ok)
}

/// Private, and never in the place of another file.
fn save(path: &Path, report: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(report.as_bytes())
}

async fn report(client: &Client, paths: &Paths) -> String {
    let mut redactor = Redactor::new(fastrand::u64(..));
    know_the_machine(&mut redactor);
    let configuration = configuration(client, paths, &mut redactor).await;
    let status = client.status().await;
    let mut report = Report {
        redactor,
        text: String::new(),
    };
    report.text.push_str("bastiond bug report. <what 0123456789ab> stands for something private: the same for the same.\n");
    report.section("versions", &versions(status.as_ref().ok()));
    report.section("environment", &environment(&report.redactor));
    report.written("configuration", &configuration);
    match status {
        Ok(status) => {
            report.section("status", &json(&status));
            report.section("connections", &connections(client).await);
            report.section("state changes", &events(client).await);
        }
        Err(error) => report.section("status", &error.to_string()),
    }
    report.section("log", &log(client, paths).await);
    report.text
}

struct Report {
    redactor: Redactor,
    text: String,
}

impl Report {
    fn section(&mut self, title: &str, body: &str) {
        let body = self.redactor.clean(body);
        self.written(title, &body);
    }

    /// What needs no cleaning any more.
    fn written(&mut self, title: &str, body: &str) {
        self.text
            .push_str(&format!("\n# {title}\n\n{}\n", body.trim_end()));
    }
}

fn know_the_machine(redactor: &mut Redactor) {
    if let Some(home) = std::env::var_os("HOME") {
        redactor.know("home", &home.to_string_lossy());
    }
    redactor.know("user", &platform::local_user());
    redactor.know("host", &platform::host_name());
    for (name, value) in std::env::vars_os() {
        let name = name.to_string_lossy().to_uppercase();
        if SECRET.iter().any(|word| name.contains(word)) {
            redactor.know("secret", &value.to_string_lossy());
        }
    }
}

fn versions(status: Option<&Status>) -> String {
    let system = rustix::system::uname();
    let daemon = status.map_or("none reached".to_owned(), |status| {
        status.daemon.version.clone()
    });
    format!(
        "program: bastiond {}\ndaemon: {daemon}\nsystem: {} {} {}",
        env!("CARGO_PKG_VERSION"),
        system.sysname().to_string_lossy(),
        system.release().to_string_lossy(),
        system.machine().to_string_lossy(),
    )
}

/// Which of them are set; their values are told apart, not told.
fn environment(redactor: &Redactor) -> String {
    let mut lines: Vec<String> = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
        .filter(|(name, _)| {
            TELLING
                .iter()
                .any(|telling| name.to_uppercase().starts_with(telling))
        })
        .map(|(name, value)| {
            format!(
                "{name} is {}",
                redactor.mark("value", &value.to_string_lossy())
            )
        })
        .collect();
    lines.sort();
    lines.join("\n")
}

/// As the daemon has it, or as the file has it.
async fn configuration(client: &Client, paths: &Paths, redactor: &mut Redactor) -> String {
    let settings = match client.config().await {
        Ok(in_force) => in_force.settings,
        Err(_) => match read(&paths.config) {
            Ok(settings) => settings,
            Err(why) => return why.to_owned(),
        },
    };
    scrub::told(&settings, redactor)
}

/// The words of a mistake may hold what is around it.
fn read(path: &Path) -> Result<Vec<Setting>, &'static str> {
    let sources = Sources {
        path: path.to_owned(),
        flags: Vec::new(),
    };
    let layers = sources.layers().map_err(|_| "the file cannot be read")?;
    let settings =
        config::settings::settings(&layers).map_err(|_| "the configuration has mistakes")?;
    Ok(settings.iter().map(settings::shown).collect())
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|error| error.to_string())
}

async fn connections(client: &Client) -> String {
    match client.connections(None).await {
        Ok(connections) => json(&connections),
        Err(error) => error.to_string(),
    }
}

async fn events(client: &Client) -> String {
    let mut events = match client.events(EVENTS, false).await {
        Ok(events) => events,
        Err(error) => return error.to_string(),
    };
    let mut text = String::new();
    while let Ok(Some(event)) = events.next().await {
        text.push_str(&serde_json::to_string(&event).unwrap_or_default());
        text.push('\n');
    }
    text
}

async fn log(client: &Client, paths: &Paths) -> String {
    let Ok(mut lines) = client.logs(Some(LINES), None, false).await else {
        return latest_file(&paths.logs).unwrap_or_else(|| "there is none".to_owned());
    };
    let mut text = String::new();
    while let Ok(Some(line)) = lines.next().await {
        text.push_str(&String::from_utf8_lossy(&line));
        text.push('\n');
    }
    text
}

/// The end of the newest file: their names end in the day.
fn latest_file(folder: &Path) -> Option<String> {
    let files = std::fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let newest = files.map(|file| file.path()).max()?;
    let text = String::from_utf8_lossy(&std::fs::read(newest).ok()?).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    Some(lines[lines.len().saturating_sub(LINES)..].join("\n"))
}

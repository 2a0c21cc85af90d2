//! What the units of one user are made of.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::Context;

use crate::config::Config;
use crate::paths::Paths;
use crate::platform::program;
use crate::sources::Sources;

/// What AWS's libraries and proxies go by. Keys are not among them: they do not belong in a file.
const CARRIED: [&str; 9] = [
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CA_BUNDLE",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
];
const PLACES: [&str; 2] = ["XDG_CONFIG_HOME", "XDG_STATE_HOME"];
/// Where `credential_process` and `on_event` find programs; a login service has hardly any PATH.
const FOLDERS: &str = "/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The program, absolute.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The user's home.
    pub home: PathBuf,
    /// Where the user's configuration files are, `~/.config` as a rule.
    pub config_home: PathBuf,
    /// The user, by uid.
    pub uid: u32,
    /// Variables that the daemon needs and a login service would not have.
    pub environment: Vec<(String, String)>,
    /// The addresses that the service manager is to listen at; none, if the daemon does.
    pub sockets: Vec<SocketAddr>,
    /// The control socket.
    pub control: PathBuf,
    /// What could not be carried over.
    pub notes: Vec<String>,
}

impl Facts {
    /// Those of this user, configuration and environment; with every address that a service manager can listen at.
    pub(super) fn gather(config: &Config, sources: &Sources) -> anyhow::Result<Self> {
        let mut facts = Self::of_places()?;
        let text = |path: &PathBuf| path.display().to_string();
        facts.arguments = vec!["run".into(), "--config".into(), text(&sources.path)];
        let flags = sources.flags.iter();
        let flags = flags.map(|(setting, value)| format!("--set={setting}={value}"));
        facts.arguments.extend(flags);
        facts.carry(config);
        let addresses = config.tunnels.iter().flat_map(|tunnel| &tunnel.listen);
        let fixed = addresses.filter(|address| address.port() != 0);
        facts.sockets = fixed
            .filter(|address| exists(address.ip()))
            .copied()
            .collect();
        Ok(facts)
    }

    /// Only where things are.
    pub(super) fn of_places() -> anyhow::Result<Self> {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let home = home.filter(|home| home.is_absolute());
        let home = home.context("$HOME is not set to an absolute path\nhint: export HOME")?;
        let chosen = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
        let chosen = chosen.filter(|path| path.is_absolute());
        Ok(Self {
            program: program::path().context("cannot tell which program this is")?,
            arguments: Vec::new(),
            config_home: chosen.unwrap_or_else(|| home.join(".config")),
            home,
            uid: rustix::process::geteuid().as_raw(),
            environment: Vec::new(),
            sockets: Vec::new(),
            control: Paths::from_env()?.socket,
            notes: Vec::new(),
        })
    }

    /// A login service has no shell's environment.
    fn carry(&mut self, config: &Config) {
        let home = self.home.display();
        self.add("PATH", format!("{home}/.local/bin:{home}/bin:{FOLDERS}"));
        if config.aws.profile.is_none() {
            self.carry_first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"], "AWS_PROFILE");
        }
        if config.aws.region.is_none() {
            self.carry_first(&["AWS_REGION", "AWS_DEFAULT_REGION"], "AWS_REGION");
        }
        for name in CARRIED.into_iter().chain(PLACES) {
            self.carry_first(&[name], name);
        }
        let own = |name: &String| name.starts_with("BASTIOND_") && name != "BASTIOND_CONFIG";
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let mut names: Vec<String> = names.filter(own).collect();
        names.sort();
        for name in names {
            self.carry_first(&[&name], &name);
        }
        if std::env::var_os("AWS_ACCESS_KEY_ID").is_some() {
            self.notes.push(
                "the keys in AWS_ACCESS_KEY_ID are your shell's alone: name a profile in the configuration"
                    .to_owned(),
            );
        }
    }

    fn carry_first(&mut self, names: &[&str], name: &str) {
        let set = |name: &&str| std::env::var(name).ok().filter(|it| !it.is_empty());
        let Some(value) = names.iter().find_map(set) else {
            return;
        };
        if holds_password(&value) {
            let note = format!("{name} has a password in it, which does not belong in a unit");
            return self.notes.push(note);
        }
        if value.contains(['\n', '\r', '\0']) {
            return self.notes.push(format!("{name} has a line break in it"));
        }
        self.add(name, value);
    }

    fn add(&mut self, name: &str, value: String) {
        self.environment.push((name.to_owned(), value));
    }
}

/// `http://user:password@proxy:3128`
fn holds_password(value: &str) -> bool {
    let rest = value.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    authority.contains('@')
}

/// Without IPv6 there is no `::1`, and a unit that names it would not start.
fn exists(ip: IpAddr) -> bool {
    TcpListener::bind(SocketAddr::new(ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxys_password_is_noticed() {
        for (value, holds) in [
            ("http://me:secret@proxy:3128", true),
            ("http://proxy:3128/a@b", false),
            ("proxy:3128", false),
            ("localhost,.internal", false),
        ] {
            assert_eq!(holds_password(value), holds, "{value}");
        }
    }
}

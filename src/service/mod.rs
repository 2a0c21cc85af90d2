//! `bastiond service …`: the daemon from login on, under the user's own systemd or launchd.
//!
//! The units stand once, in `systemd/` and `launchd/`; here they get the user's paths, ports and environment. What is
//! written and what is run is decided without touching anything ([`units`] and the `Manager`s), so that `--dry-run`
//! shows what `install` does, and `status` compares with what `install` would write.

mod facts;
mod install;
mod launchd;
mod systemd;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::Context;

use crate::config::Config;
use crate::paths::Paths;
use crate::platform::System;
use crate::sources::Sources;

pub use facts::Facts;

/// Not installed, or not as it would be today.
const NOT_AS_WANTED: u8 = 4;

/// A file for the service manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Where it belongs.
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
}

/// A program to run.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    words: Vec<String>,
    /// Whether the rest makes no sense without it.
    must: bool,
}

/// What a service manager wants to have done.
trait Manager {
    /// Every file that there may be.
    fn places(&self) -> Vec<PathBuf>;
    /// Succeeds where the manager is there and looks after this user.
    fn reach(&self) -> Step;
    /// What to do where it is not.
    fn without(&self) -> String;
    /// Succeed when all of `units` are in force.
    fn is_on(&self, units: &[Unit]) -> Vec<Step>;
    /// Succeeds when the daemon that runs is the manager's.
    fn is_running(&self) -> Step;
    /// Puts `units` into force.
    fn turn_on(&self, units: &[Unit]) -> Vec<Step>;
    /// Before files are changed or removed.
    fn turn_off(&self) -> Vec<Step>;
    /// After they are removed.
    fn forget(&self) -> Vec<Step>;
    /// What else there is to know.
    fn advice(&self) -> String;
}

/// The files of one user on one system.
pub fn units(system: System, facts: &Facts) -> Vec<Unit> {
    match system {
        System::Linux => systemd::units(facts),
        System::MacOs => launchd::units(facts),
    }
}

fn manager(system: System, facts: &Facts) -> Box<dyn Manager> {
    match system {
        System::Linux => Box::new(systemd::Systemd::new(facts)),
        System::MacOs => Box::new(launchd::Launchd::new(facts)),
    }
}

/// A user's service.
pub struct Service {
    facts: Facts,
    units: Vec<Unit>,
    manager: Box<dyn Manager>,
    paths: Paths,
}

impl Service {
    /// As it would be installed today. The ports are the service manager's if `socket` says so, if the daemon is to end
    /// when idle, or if they are already.
    ///
    /// # Errors
    /// When the system does not tell where things are.
    pub fn new(config: &Config, sources: &Sources, socket: bool) -> anyhow::Result<Self> {
        let system = System::CURRENT;
        let mut facts = Facts::gather(config, sources)?;
        let has_socket = |facts: &Facts| {
            let places = manager(system, facts).places();
            places.iter().any(|path| declares_sockets(path))
        };
        if !socket && config.exit_when_idle.is_none() && !has_socket(&facts) {
            facts.sockets.clear();
        }
        Ok(Self {
            units: units(system, &facts),
            manager: manager(system, &facts),
            paths: Paths::from_env()?,
            facts,
        })
    }

    /// Compares what is installed with what would be.
    ///
    /// # Errors
    /// When a program that is there cannot be run.
    pub fn status(&self) -> anyhow::Result<ExitCode> {
        let mut as_wanted = true;
        for unit in &self.units {
            let said = match std::fs::read_to_string(&unit.path) {
                Ok(text) if text == unit.text => "installed, and up to date",
                Ok(_) => "installed, but not as it would be today",
                Err(_) => "not installed",
            };
            as_wanted &= unit.is_installed();
            crate::outln!("{}: {said}", unit.path.display());
        }
        let is_on = self.is_on();
        crate::outln!("{}", if is_on { "it is on" } else { "it is not on" });
        if as_wanted && is_on {
            return Ok(ExitCode::SUCCESS);
        }
        crate::outln!("hint: bastiond service install");
        Ok(ExitCode::from(NOT_AS_WANTED))
    }

    fn is_on(&self) -> bool {
        self.manager.is_on(&self.units).iter().all(Step::succeeds)
    }
}

impl Unit {
    fn is_installed(&self) -> bool {
        std::fs::read_to_string(&self.path).is_ok_and(|text| text == self.text)
    }
}

/// Whether a file of ours gives ports to the service manager.
fn declares_sockets(path: &Path) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.contains("[Socket]") || text.contains("<key>Sockets</key>")
}

impl Step {
    fn must(words: &[&str]) -> Self {
        Self {
            words: words.iter().map(|&word| word.to_owned()).collect(),
            must: true,
        }
    }

    /// One whose failure means that there was nothing to do.
    fn may(words: &[&str]) -> Self {
        Self {
            must: false,
            ..Self::must(words)
        }
    }

    fn shown(&self) -> String {
        shell_words::join(&self.words)
    }

    fn command(&self) -> Command {
        let mut words = self.words.iter();
        let mut command = Command::new(words.next().map_or("true", String::as_str));
        command.args(words).stdin(Stdio::null());
        command
    }

    fn succeeds(&self) -> bool {
        let output = self.command().output();
        output.is_ok_and(|output| output.status.success())
    }

    fn run(&self) -> anyhow::Result<()> {
        let failed = || format!("cannot run `{}`", self.shown());
        let output = match self.command().output() {
            Ok(output) => output,
            Err(_) if !self.must => return Ok(()),
            Err(error) => return Err(error).with_context(failed),
        };
        if output.status.success() || !self.must {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::bail!("`{}` failed: {}", self.shown(), said.trim())
    }
}

/// Ends what was installed, and removes it. Needs no configuration.
///
/// # Errors
/// When a file cannot be removed.
pub fn uninstall() -> anyhow::Result<ExitCode> {
    let facts = Facts::of_places()?;
    install::remove(manager(System::CURRENT, &facts).as_ref())
}

//! Changes files and runs the service manager's commands.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::{Manager, Service, Step, Unit};
use crate::control::socket::is_claimed;

impl Service {
    /// Says what [`Self::install`] would do.
    pub fn show(&self) {
        for unit in &self.units {
            crate::outln!("# {}\n{}", unit.path.display(), unit.text);
        }
        for step in self.manager.turn_on(&self.units) {
            crate::outln!("$ {}", step.shown());
        }
        self.say_notes();
    }

    /// Writes what is not as it should be, and puts it into force.
    ///
    /// # Errors
    /// When there is no service manager, a daemon of another's runs, or something cannot be written or started.
    pub fn install(&self) -> anyhow::Result<ExitCode> {
        if !self.manager.reach().succeeds() {
            bail!("{}", self.manager.without());
        }
        let changed: Vec<&Unit> = self.units.iter().filter(|it| !it.is_installed()).collect();
        if changed.is_empty() && self.is_on() {
            crate::outln!("it is installed already, and on; nothing was changed");
            return Ok(ExitCode::SUCCESS);
        }
        if is_claimed(&self.paths) && !self.manager.is_running().succeeds() {
            bail!("a daemon that was started by hand is running\nhint: bastiond ctl shutdown");
        }
        if !changed.is_empty() && self.manager.places().iter().any(|path| path.exists()) {
            run_all(&self.manager.turn_off())?;
        }
        for unit in changed {
            write(unit)?;
            crate::outln!("wrote {}", unit.path.display());
        }
        for step in self.manager.turn_on(&self.units) {
            step.run()?;
            crate::outln!("ran {}", step.shown());
        }
        self.say_notes();
        crate::outln!("{}", self.manager.advice());
        Ok(ExitCode::SUCCESS)
    }

    fn say_notes(&self) {
        for note in &self.facts.notes {
            crate::errln!("warning: {note}");
        }
    }
}

/// See [`super::uninstall`].
pub(super) fn remove(manager: &dyn Manager) -> anyhow::Result<ExitCode> {
    let places = manager.places();
    let installed: Vec<_> = places.iter().filter(|path| path.exists()).collect();
    if installed.is_empty() {
        crate::outln!("nothing is installed");
        return Ok(ExitCode::SUCCESS);
    }
    run_all(&manager.turn_off())?;
    for path in installed {
        let shown = path.display();
        fs::remove_file(path).with_context(|| format!("cannot remove `{shown}`"))?;
        crate::outln!("removed {shown}");
    }
    run_all(&manager.forget())?;
    crate::outln!("it is off; your configuration, state and logs are as they were");
    Ok(ExitCode::SUCCESS)
}

fn run_all(steps: &[Step]) -> anyhow::Result<()> {
    steps.iter().try_for_each(Step::run)
}

/// Whole or not at all.
fn write(unit: &Unit) -> anyhow::Result<()> {
    let folder = unit.path.parent().unwrap_or(Path::new("/"));
    let failed = || format!("cannot write `{}`", unit.path.display());
    fs::create_dir_all(folder).with_context(failed)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    file.write_all(unit.text.as_bytes()).with_context(failed)?;
    file.persist(&unit.path).with_context(failed)?;
    Ok(())
}

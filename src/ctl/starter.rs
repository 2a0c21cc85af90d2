//! The one command that starts the daemon on this system.

use std::path::{Path, PathBuf};

use crate::platform::System;

/// A unit of systemd, or an agent of launchd, and where they are kept.
const UNIT: &str = "bastiond.service";
const AGENT: &str = "dev.bastiond.plist";
const UNITS_OF_ALL: [&str; 3] = [
    "/etc/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/lib/systemd/user",
];

/// Who starts the daemon here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Starter {
    Systemd,
    Launchd { uid: u32 },
    Nobody,
}

impl Starter {
    /// That of this machine and user.
    pub fn here() -> Starter {
        let uid = rustix::process::geteuid().as_raw();
        let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let home = path("HOME").unwrap_or_default();
        let config = path("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
        let config = config.unwrap_or_else(|| home.join(".config"));
        Starter::of(System::CURRENT, uid, &home, &config, Path::exists)
    }

    fn of(
        system: System,
        uid: u32,
        home: &Path,
        config: &Path,
        exists: impl Fn(&Path) -> bool,
    ) -> Starter {
        match system {
            System::Linux => {
                let own = config.join("systemd/user");
                let mut folders = [own.as_path()]
                    .into_iter()
                    .chain(UNITS_OF_ALL.map(Path::new));
                match folders.any(|folder| exists(&folder.join(UNIT))) {
                    true => Starter::Systemd,
                    false => Starter::Nobody,
                }
            }
            System::MacOs => match exists(&home.join("Library/LaunchAgents").join(AGENT)) {
                true => Starter::Launchd { uid },
                false => Starter::Nobody,
            },
        }
    }

    /// What to type.
    pub fn command(&self) -> String {
        match self {
            Starter::Systemd => "systemctl --user start bastiond".to_owned(),
            Starter::Launchd { uid } => format!("launchctl kickstart gui/{uid}/dev.bastiond"),
            Starter::Nobody => "bastiond start".to_owned(),
        }
    }

    /// Whether it may be about to start the daemon, as after a login.
    pub fn is_service(&self) -> bool {
        *self != Starter::Nobody
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starter(system: System, there: &str) -> String {
        let exists = |path: &Path| path == Path::new(there);
        Starter::of(
            system,
            501,
            Path::new("/home/me"),
            Path::new("/home/me/.config"),
            exists,
        )
        .command()
    }

    #[test]
    fn who_installed_a_service_is_told_to_start_that() {
        let unit = "/home/me/.config/systemd/user/bastiond.service";
        assert_eq!(
            starter(System::Linux, unit),
            "systemctl --user start bastiond"
        );
        let packaged = "/usr/lib/systemd/user/bastiond.service";
        assert_eq!(
            starter(System::Linux, packaged),
            "systemctl --user start bastiond"
        );
        let agent = "/home/me/Library/LaunchAgents/dev.bastiond.plist";
        assert_eq!(
            starter(System::MacOs, agent),
            "launchctl kickstart gui/501/dev.bastiond"
        );
    }

    #[test]
    fn who_has_none_starts_it_by_hand() {
        assert_eq!(starter(System::Linux, "/nothing"), "bastiond start");
        assert_eq!(starter(System::MacOs, "/nothing"), "bastiond start");
    }
}

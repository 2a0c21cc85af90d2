//! Where the configuration, the control socket, the state and the logs are.
//!
//! The environment is read once, in [`Paths::from_env`]; the rules themselves are pure and can be tried for any
//! system. Nothing is created or checked here: that is for those who use the places.
//!
//! | | Linux | macOS |
//! |---|---|---|
//! | configuration | `$BASTIOND_CONFIG`, else `$XDG_CONFIG_HOME` or `~/.config`, `/bastiond/config.toml` | the same |
//! | socket | `$BASTIOND_SOCKET`, else `$XDG_RUNTIME_DIR/bastiond/bastiond.sock`, else in `/tmp/bastiond-UID/` | `~/Library/Application Support/bastiond/bastiond.sock`, or, where that is too long, in `/tmp/bastiond-UID/` |
//! | state | `$BASTIOND_STATE_DIR`, else `$XDG_STATE_HOME` or `~/.local/state`, `/bastiond` | `$XDG_STATE_HOME/bastiond`, else `~/Library/Application Support/bastiond` |
//! | logs | `logs` in the state folder | `~/Library/Logs/bastiond`, or `logs` beside a state folder of one's own |

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::platform::System;

/// The places one user's daemon uses; all absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The configuration file.
    pub config: PathBuf,
    /// The control socket. Its folder is private to the user.
    pub socket: PathBuf,
    /// The file whose lock makes the daemon the only one; beside the socket.
    pub lock: PathBuf,
    /// The folder for what must survive a crash.
    pub state: PathBuf,
    /// The folder for daily logs.
    pub logs: PathBuf,
}

/// There is no telling where anything is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot tell where your files are: $HOME is not set to an absolute path\nhint: export HOME"
)]
pub struct NoHome;

impl Paths {
    /// The places of the user who runs this, from the process's environment; relative ones are taken from the
    /// current folder.
    ///
    /// # Errors
    /// When `$HOME` is needed and is not set.
    pub fn from_env() -> Result<Paths, NoHome> {
        let uid = rustix::process::geteuid().as_raw();
        let paths = Paths::resolve(System::CURRENT, uid, |name| std::env::var_os(name))?;
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        Ok(Paths {
            config: absolute(paths.config),
            socket: absolute(paths.socket),
            lock: absolute(paths.lock),
            state: absolute(paths.state),
            logs: absolute(paths.logs),
        })
    }

    /// The rules, for any system, user and environment. Empty variables are as good as unset, and so are `XDG_*`
    /// ones that are not absolute (XDG Base Directory Specification).
    ///
    /// # Errors
    /// When `$HOME` is needed and `lookup` has none.
    pub fn resolve(
        system: System,
        uid: u32,
        lookup: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Paths, NoHome> {
        let places = Places {
            system,
            uid,
            lookup,
        };
        let socket = places.socket()?;
        let state = places.state()?;
        let logs = places.logs(&state)?;
        Ok(Paths {
            config: places.config()?,
            lock: socket.with_extension("lock"),
            socket,
            state,
            logs,
        })
    }
}

struct Places<F> {
    system: System,
    uid: u32,
    lookup: F,
}

impl<F: Fn(&str) -> Option<OsString>> Places<F> {
    fn config(&self) -> Result<PathBuf, NoHome> {
        if let Some(path) = self.chosen("BASTIOND_CONFIG") {
            return Ok(path);
        }
        Ok(self
            .xdg("XDG_CONFIG_HOME", ".config")?
            .join("bastiond/config.toml"))
    }

    fn socket(&self) -> Result<PathBuf, NoHome> {
        if let Some(path) = self.chosen("BASTIOND_SOCKET") {
            return Ok(path);
        }
        let folder = match self.system {
            System::Linux => self
                .absolute("XDG_RUNTIME_DIR")
                .map(|runtime| runtime.join("bastiond")),
            System::MacOs => Some(self.application_support()?),
        };
        let fits = |path: &PathBuf| path.as_os_str().len() <= self.system.longest_socket_path();
        let usual = folder.map(|folder| folder.join(SOCKET));
        Ok(match self.system {
            System::Linux => usual.unwrap_or_else(|| self.last_resort()),
            System::MacOs => usual.filter(fits).unwrap_or_else(|| self.last_resort()),
        })
    }

    /// Whoever else may write to `/tmp`: the folder's owner and mode are checked before it is used.
    fn last_resort(&self) -> PathBuf {
        Path::new("/tmp")
            .join(format!("bastiond-{}", self.uid))
            .join(SOCKET)
    }

    fn state(&self) -> Result<PathBuf, NoHome> {
        if let Some(path) = self.chosen("BASTIOND_STATE_DIR") {
            return Ok(path);
        }
        match (self.system, self.absolute("XDG_STATE_HOME")) {
            (System::MacOs, None) => self.application_support(),
            (_, Some(home)) => Ok(home.join("bastiond")),
            (System::Linux, None) => Ok(self.home()?.join(".local/state/bastiond")),
        }
    }

    fn logs(&self, state: &Path) -> Result<PathBuf, NoHome> {
        match (self.system, self.chosen("BASTIOND_STATE_DIR")) {
            (System::MacOs, None) => Ok(self.home()?.join("Library/Logs/bastiond")),
            (System::MacOs, Some(_)) | (System::Linux, _) => Ok(state.join("logs")),
        }
    }

    fn application_support(&self) -> Result<PathBuf, NoHome> {
        Ok(self.home()?.join("Library/Application Support/bastiond"))
    }

    fn xdg(&self, variable: &str, below_home: &str) -> Result<PathBuf, NoHome> {
        match self.absolute(variable) {
            Some(path) => Ok(path),
            None => Ok(self.home()?.join(below_home)),
        }
    }

    fn home(&self) -> Result<PathBuf, NoHome> {
        self.absolute("HOME").ok_or(NoHome)
    }

    fn absolute(&self, variable: &str) -> Option<PathBuf> {
        self.chosen(variable).filter(|path| path.is_absolute())
    }

    fn chosen(&self, variable: &str) -> Option<PathBuf> {
        (self.lookup)(variable)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    }
}

const SOCKET: &str = "bastiond.sock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_follows_xdg() {
        let paths = resolve(
            System::Linux,
            &[("HOME", "/home/me"), ("XDG_RUNTIME_DIR", "/run/user/7")],
        )
        .unwrap();
        assert_eq!(
            paths,
            Paths {
                config: "/home/me/.config/bastiond/config.toml".into(),
                socket: "/run/user/7/bastiond/bastiond.sock".into(),
                lock: "/run/user/7/bastiond/bastiond.lock".into(),
                state: "/home/me/.local/state/bastiond".into(),
                logs: "/home/me/.local/state/bastiond/logs".into(),
            }
        );
        let xdg = [
            ("HOME", "/home/me"),
            ("XDG_RUNTIME_DIR", "/r"),
            ("XDG_CONFIG_HOME", "/c"),
            ("XDG_STATE_HOME", "/s"),
        ];
        let paths = resolve(System::Linux, &xdg).unwrap();
        assert_eq!(paths.config, Path::new("/c/bastiond/config.toml"));
        assert_eq!(paths.state, Path::new("/s/bastiond"));
    }

    #[test]
    fn linux_without_a_runtime_folder_uses_a_private_one_in_tmp() {
        let paths = resolve(
            System::Linux,
            &[("HOME", "/home/me"), ("XDG_RUNTIME_DIR", "")],
        )
        .unwrap();
        assert_eq!(paths.socket, Path::new("/tmp/bastiond-7/bastiond.sock"));
    }

    #[test]
    fn macos_uses_the_library_folder() {
        let paths = resolve(
            System::MacOs,
            &[("HOME", "/Users/me"), ("XDG_RUNTIME_DIR", "/ignored")],
        )
        .unwrap();
        assert_eq!(
            paths,
            Paths {
                config: "/Users/me/.config/bastiond/config.toml".into(),
                socket: "/Users/me/Library/Application Support/bastiond/bastiond.sock".into(),
                lock: "/Users/me/Library/Application Support/bastiond/bastiond.lock".into(),
                state: "/Users/me/Library/Application Support/bastiond".into(),
                logs: "/Users/me/Library/Logs/bastiond".into(),
            }
        );
    }

    #[test]
    fn macos_moves_a_socket_whose_path_would_be_too_long() {
        let home = format!("/Users/{}", "m".repeat(60));
        let paths = resolve(System::MacOs, &[("HOME", &home)]).unwrap();
        assert_eq!(paths.socket, Path::new("/tmp/bastiond-7/bastiond.sock"));
    }

    #[test]
    fn ones_own_choices_win_on_both_systems_and_need_no_home() {
        let chosen = [
            ("BASTIOND_CONFIG", "/a/b.toml"),
            ("BASTIOND_SOCKET", "/a/b.sock"),
            ("BASTIOND_STATE_DIR", "/a/state"),
        ];
        for system in [System::Linux, System::MacOs] {
            let paths = resolve(system, &chosen).unwrap();
            assert_eq!(paths.config, Path::new("/a/b.toml"));
            assert_eq!(
                (paths.socket, paths.lock),
                ("/a/b.sock".into(), "/a/b.lock".into())
            );
            assert_eq!(
                (paths.state, paths.logs),
                ("/a/state".into(), "/a/state/logs".into())
            );
        }
    }

    #[test]
    fn without_a_home_there_is_no_guessing() {
        for home in [&[][..], &[("HOME", "")], &[("HOME", "not/absolute")]] {
            assert_eq!(resolve(System::Linux, home), Err(NoHome));
            assert_eq!(resolve(System::MacOs, home), Err(NoHome));
        }
    }

    fn resolve(system: System, vars: &[(&str, &str)]) -> Result<Paths, NoHome> {
        Paths::resolve(system, 7, |name| {
            vars.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| OsString::from(value))
        })
    }
}

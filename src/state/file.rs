//! The file on disk: read with forgiveness, replaced as a whole.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Contents, SCHEMA};

const NAME: &str = "state.json";
const ASIDE: &str = "state.json.bad";
const TEMPORARY: &str = "state.json.tmp";

/// Why the file could not be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be written: read-only, full, no permission.
    #[error("cannot write `{}`: {error}", .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        error: Arc<io::Error>,
    },
    /// Nobody writes any more: the daemon is ending.
    #[error("the state file is not written any more")]
    Stopped,
}

impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Error {
    /// The one thing to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Write { path, .. } => Some(format!(
                "make `{}` writable, and check free space: df",
                path.display()
            )),
            Self::Stopped => None,
        }
    }
}

/// What was found on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The contents; empty when there was no file, or none that could be used.
    pub contents: Contents,
    /// Why a file that is there was not used, and where it is now.
    pub warning: Option<String>,
}

/// Reads the file in `dir`. One that is damaged or of another version is kept beside it.
pub fn load(dir: &Path) -> Loaded {
    let path = dir.join(NAME);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Loaded::default(),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return set_aside(dir, &error.to_string());
        }
        Err(error) => return unused(format!("cannot read `{}`: {error}", path.display())),
    };
    match serde_json::from_str::<Contents>(&text) {
        Ok(contents) if contents.schema == SCHEMA => Loaded {
            contents,
            warning: None,
        },
        Ok(contents) => set_aside(
            dir,
            &format!("its version is {}, not {SCHEMA}", contents.schema),
        ),
        Err(error) => set_aside(dir, &error.to_string()),
    }
}

fn set_aside(dir: &Path, why: &str) -> Loaded {
    let (path, aside) = (dir.join(NAME), dir.join(ASIDE));
    match fs::rename(&path, &aside) {
        Ok(()) => unused(format!(
            "`{}` was not usable ({why}); it is `{}` now",
            path.display(),
            aside.display()
        )),
        Err(error) => unused(format!(
            "`{}` is not usable ({why}) and cannot be moved: {error}",
            path.display()
        )),
    }
}

fn unused(warning: String) -> Loaded {
    Loaded {
        contents: Contents::default(),
        warning: Some(warning),
    }
}

/// Replaces the file in `dir`, which is made when missing. At any moment there is one whole file.
pub(super) fn save(dir: &Path, contents: &Contents) -> Result<(), Error> {
    let failed = |path: PathBuf| {
        |error| Error::Write {
            path,
            error: Arc::new(error),
        }
    };
    let path = dir.join(NAME);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(failed(dir.to_owned()))?;
    replace(dir, &path, contents).map_err(failed(path))
}

fn replace(dir: &Path, path: &Path, contents: &Contents) -> io::Result<()> {
    let temporary = dir.join(TEMPORARY);
    // A leftover of a crash keeps its old mode when it is only truncated.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    serde_json::to_writer_pretty(&mut file, contents)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    // The rename itself is durable only with its folder.
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_is_an_empty_state() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load(&dir.path().join("nowhere")), Loaded::default());
    }

    #[test]
    fn an_unusable_file_is_kept_aside() {
        let newer = r#"{"schema":2,"tasks":[],"sessions":[]}"#;
        for bad in [
            &b"{\"schema\":1,\"tasks\":[{}"[..],
            b"",
            b"\xff\xfe",
            newer.as_bytes(),
        ] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(NAME), bad).unwrap();
            let loaded = load(dir.path());
            assert_eq!(loaded.contents, Contents::default());
            assert!(loaded.warning.unwrap().contains(ASIDE));
            assert_eq!(fs::read(dir.path().join(ASIDE)).unwrap(), bad);
            save(dir.path(), &Contents::default()).unwrap();
            assert_eq!(load(dir.path()), Loaded::default());
        }
    }

    #[test]
    fn a_failed_save_leaves_the_old_file_whole() {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path(), &Contents::default()).unwrap();
        fs::create_dir(dir.path().join(TEMPORARY)).unwrap();
        let error = save(dir.path(), &Contents::default()).unwrap_err();
        assert!(
            error.to_string().contains(NAME) && error.hint().is_some(),
            "{error}"
        );
        assert_eq!(load(dir.path()), Loaded::default());
    }

    #[test]
    fn the_file_has_the_documented_shape() {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path(), &Contents::default()).unwrap();
        let text: serde_json::Value =
            serde_json::from_slice(&fs::read(dir.path().join(NAME)).unwrap()).unwrap();
        assert_eq!(
            text,
            serde_json::json!({"schema": 1, "tasks": [], "sessions": []})
        );
    }
}

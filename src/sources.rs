//! Where the configuration comes from: a file, the environment, the command line. Read at the start and at each reload.

use std::{fs, io, path::PathBuf};

use crate::config::{self, Config, Layers};

/// The places to read.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The file.
    pub path: PathBuf,
    /// What `--set` says: a setting's path, and its value.
    pub flags: Vec<(String, String)>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no file.
    #[error("there is no configuration at `{}`\nhint: bastiond init writes one; without an AWS account, try `bastiond demo`", .0.display())]
    Missing(PathBuf),
    /// It cannot be read.
    #[error("cannot read the configuration `{}`: {why}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// It is wrong.
    #[error("the configuration `{}` has mistakes\n{}", .path.display(), .mistakes)]
    Wrong {
        /// The file.
        path: PathBuf,
        /// All of them.
        mistakes: config::Error,
    },
}

impl Sources {
    /// Reads them, and checks.
    ///
    /// # Errors
    /// When the file cannot be read, or anything is wrong.
    pub fn read(&self) -> Result<Config, Error> {
        Config::of(&self.layers()?).map_err(|mistakes| self.wrong(mistakes))
    }

    /// Reads them without checking.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn layers(&self) -> Result<Layers, Error> {
        let bytes = fs::read(&self.path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::Missing(self.path.clone()),
            _ => self.unreadable(error.to_string()),
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let sound = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + sound.iter().filter(|byte| **byte == b'\n').count();
            self.unreadable(format!("line {line} is not UTF-8"))
        })?;
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            Some((name, value.to_string_lossy().into_owned()))
        });
        Ok(Layers::new(&text, environment, &self.flags))
    }

    fn unreadable(&self, why: String) -> Error {
        Error::Unreadable {
            path: self.path.clone(),
            why,
        }
    }

    /// These mistakes, of this file.
    pub fn wrong(&self, mistakes: config::Error) -> Error {
        Error::Wrong {
            path: self.path.clone(),
            mistakes,
        }
    }
}

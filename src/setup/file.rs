//! The configuration file, whole or not at all.

use std::{fs, io::Write as _, path::Path};

use anyhow::Context as _;
use tempfile::NamedTempFile;

/// Writes it, readable by its owner alone, in place of what was there.
pub(super) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    let written = || -> anyhow::Result<()> {
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    written().with_context(|| format!("cannot write `{}`", path.display()))
}

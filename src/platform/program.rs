//! The file that this program was run from.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Its absolute path, as whoever ran it wrote it: a link that an upgrade moves goes on to mean the newest. Where that
/// cannot be told, what the system says.
///
/// # Errors
/// When the system does not tell.
pub fn path() -> io::Result<PathBuf> {
    let current = std::env::current_exe()?;
    let said = std::env::args_os().next().unwrap_or_default();
    let search = std::env::var_os("PATH").unwrap_or_default();
    let written = candidates(&said, &search).find(|path| is_same(path, &current));
    Ok(written.unwrap_or(current))
}

/// Where a program of this name may be: there, if it is a path, else in the folders of `search`.
fn candidates(said: &OsStr, search: &OsStr) -> impl Iterator<Item = PathBuf> {
    let path = Path::new(said).to_owned();
    let is_path = path.components().count() > 1;
    let here = is_path.then(|| path.clone());
    let folders = match is_path {
        true => Vec::new(),
        false => std::env::split_paths(search).collect(),
    };
    let found = folders.into_iter().map(move |folder| folder.join(&path));
    let all = here.into_iter().chain(found);
    all.filter_map(|path| std::path::absolute(path).ok())
}

fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| path.metadata().ok().map(|file| (file.dev(), file.ino()));
    identity(one).is_some() && identity(one) == identity(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_as_written_and_a_name_is_looked_for() {
        let found = |said: &str| -> Vec<PathBuf> {
            candidates(OsStr::new(said), OsStr::new("/usr/local/bin:/usr/bin")).collect()
        };
        assert_eq!(found("/opt/bastiond"), [Path::new("/opt/bastiond")]);
        let both = ["/usr/local/bin/bastiond", "/usr/bin/bastiond"].map(PathBuf::from);
        assert_eq!(found("bastiond"), both);
        let relative = std::path::absolute("target/bastiond").unwrap();
        assert_eq!(found("./target/bastiond"), [relative]);
    }

    #[test]
    fn what_runs_is_found() {
        assert!(is_same(&path().unwrap(), &std::env::current_exe().unwrap()));
    }
}

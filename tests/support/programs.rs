//! Tests that need programs of others. Where these are missing they say so and pass, unless
//! `BASTIOND_REQUIRE_PROGRAMS=1` makes absence a failure.

use std::{
    env,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Whether all of them are there: on PATH, or in `beside`.
pub fn are_there(names: &[&str], beside: &Path) -> bool {
    let is_missing = |name: &&&str| find(name, beside).is_none();
    let missing: Vec<_> = names.iter().filter(is_missing).collect();
    if missing.is_empty() {
        return true;
    }
    let is_required = env::var("BASTIOND_REQUIRE_PROGRAMS").is_ok_and(|value| value == "1");
    assert!(!is_required, "not found, and required: {missing:?}");
    // Not by `eprintln!`, which is shown of failed tests only.
    let _ = writeln!(io::stderr(), "skipped: not found: {missing:?}");
    false
}

/// The one in `beside`, else the first on PATH.
pub fn find(name: &str, beside: &Path) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = [beside.to_owned()]
        .into_iter()
        .chain(env::split_paths(&path));
    folders
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

//! What runs in AWS and not here: the templates, their scripts and their policies.

mod calls;
mod deploy_calls;
mod hybrid;
mod matcher;
#[path = "../support/operations.rs"]
mod operations;
mod policies;
#[path = "../support/programs.rs"]
mod programs;
mod watchdog;

use std::path::{Path, PathBuf};
use std::time::Duration;

/// The shells that a container may have.
const SHELLS: [&[&str]; 2] = [&["dash"], &["busybox", "sh"]];
/// No wait takes longer.
const LIMIT: Duration = Duration::from_secs(60);

fn infra(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("infra")
        .join(file)
}

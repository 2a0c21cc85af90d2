//! The configuration in force, for who asks.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::config::{Layers, settings::settings};
use crate::settings::shown;
use crate::sources::Sources;
use crate::status::InForce;

/// What was read last and is in force. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Shown(Arc<Mutex<Option<Read>>>);

/// Kept as it was read: few ever ask what it says.
#[derive(Debug)]
struct Read {
    path: PathBuf,
    layers: Layers,
    since: SystemTime,
}

impl Shown {
    /// What these say is in force from now on.
    pub fn set(&self, sources: &Sources) {
        let read = sources.layers().ok().map(|layers| Read {
            path: sources.path.clone(),
            layers,
            since: SystemTime::now(),
        });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = read;
    }

    /// What is in force; `None` without a file.
    pub fn get(&self) -> Option<InForce> {
        let read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let read = read.as_ref()?;
        let list = settings(&read.layers).ok()?;
        let path = Some(read.path.display().to_string());
        let list = list.iter().map(shown).collect();
        Some(InForce::new(path, list, read.since))
    }
}

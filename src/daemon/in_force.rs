//! The configuration in force, for who asks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::config::settings::settings;
use crate::settings::shown;
use crate::sources::Sources;
use crate::status::InForce;

/// What was read last and is in force. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Shown(Arc<Mutex<Option<InForce>>>);

impl Shown {
    /// What these say is in force from now on.
    pub fn set(&self, sources: &Sources) {
        let layers = sources.layers().ok();
        let settings = layers.and_then(|layers| settings(&layers).ok());
        let path = Some(sources.path.display().to_string());
        let now = SystemTime::now();
        let in_force =
            settings.map(|list| InForce::new(path, list.iter().map(shown).collect(), now));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = in_force;
    }

    /// What is in force; `None` without a file.
    pub fn get(&self) -> Option<InForce> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

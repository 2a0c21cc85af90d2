//! The codes of MFA devices: given by a person, kept in memory, used once.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// The code that was given and not yet used; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Codes(Arc<Mutex<Option<String>>>);

impl Codes {
    /// The next attempt may use it.
    pub(super) fn give(&self, code: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(code);
    }

    /// A code is good once.
    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Codes(…)")
    }
}

/// The role cannot be assumed before somebody gives a code.
#[derive(Debug, thiserror::Error)]
#[error("the role wants a code of the MFA device {serial}")]
pub(super) struct NeedsCode {
    pub(super) serial: String,
}

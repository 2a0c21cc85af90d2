//! A failed call, as the status tells it.

use super::Error;
use crate::status::Reason;

impl From<Error> for Reason {
    fn from(error: Error) -> Self {
        let reason = Reason::new(error.code_word(), error.to_string());
        let reason = reason.for_login(error.needs_login());
        match error.hint() {
            Some(hint) => reason.with_hint(hint),
            None => reason,
        }
    }
}

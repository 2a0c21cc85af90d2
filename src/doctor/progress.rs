//! What is being looked at, on one line of a terminal's standard error.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is under way; cheap to clone.
#[derive(Clone)]
pub struct Progress(Arc<Mutex<Shown>>);

struct Shown {
    talks: bool,
    done: usize,
    now: BTreeMap<String, usize>,
}

impl Progress {
    /// On the terminal, if standard error is one.
    pub fn on_stderr() -> Self {
        Self::talking(std::io::stderr().is_terminal())
    }

    /// For nobody.
    pub fn quiet() -> Self {
        Self::talking(false)
    }

    fn talking(talks: bool) -> Self {
        Self(Arc::new(Mutex::new(Shown {
            talks,
            done: 0,
            now: BTreeMap::new(),
        })))
    }

    /// Something is being looked at, until the value is dropped.
    pub fn on(&self, what: &str) -> Step {
        let mut shown = self.shown();
        *shown.now.entry(what.to_owned()).or_default() += 1;
        shown.draw();
        Step {
            progress: self.clone(),
            what: what.to_owned(),
        }
    }

    /// The line is wiped.
    pub fn clear(&self) {
        if self.shown().talks {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    fn draw(&self) {
        if self.talks {
            let now: Vec<_> = self.now.keys().map(String::as_str).collect();
            let line = format!("looking: {} done; {}", self.done, now.join(", "));
            let line: String = line.chars().take(78).collect();
            let _ = write!(std::io::stderr(), "\r\x1b[K{line}");
        }
    }
}

/// Something that is being looked at.
pub struct Step {
    progress: Progress,
    what: String,
}

impl Drop for Step {
    fn drop(&mut self) {
        let mut shown = self.progress.shown();
        shown.done += 1;
        if let Some(count) = shown.now.get_mut(&self.what) {
            *count -= 1;
            if *count == 0 {
                shown.now.remove(&self.what);
            }
        }
        shown.draw();
    }
}

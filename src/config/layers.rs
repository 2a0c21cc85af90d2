//! Where settings come from: the file, and what overrides it.
//!
//! All of it is one text, the file first and a line for each override: so a span says where a value comes from.

use std::ops::Range;

use super::Place;

/// Begins the name of every variable of ours.
const PREFIX: &str = "BASTIOND_";
/// Variables that are no settings: places, which are needed before there is a configuration.
const PLACES: [&str; 3] = ["BASTIOND_CONFIG", "BASTIOND_SOCKET", "BASTIOND_STATE_DIR"];

/// Begins the names of what a program of `on_event` is told.
const EVENT: &str = "BASTIOND_EVENT";

/// A file, and what overrides it.
#[derive(Debug)]
pub struct Layers {
    text: String,
    file: usize,
    overrides: Vec<Override>,
}

/// One setting that does not come from the file.
#[derive(Debug)]
pub(super) struct Override {
    pub place: Place,
    pub value: Range<usize>,
}

impl Layers {
    /// A file, with no environment.
    pub fn file_alone(text: &str) -> Layers {
        Layers {
            text: text.to_owned(),
            file: text.len(),
            overrides: Vec::new(),
        }
    }

    /// A file and what goes before it: variables, of which those of ours count, and flags as `path=value`, which go before
    /// variables.
    pub fn new<'a>(
        file: &str,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: impl IntoIterator<Item = &'a (String, String)>,
    ) -> Layers {
        let mut layers = Layers::file_alone(file);
        let is_ours = |name: &str| {
            let is_told = name.starts_with(EVENT) || PLACES.contains(&name);
            name.starts_with(PREFIX) && !is_told
        };
        let ours = environment.into_iter().filter(|(name, _)| is_ours(name));
        let mut ours: Vec<(String, String)> = ours.collect();
        ours.sort();
        for (name, value) in ours {
            layers.push(Place::Environment(name), &value);
        }
        for (path, value) in flags {
            layers.push(Place::Flag(path.clone()), value);
        }
        layers
    }

    /// The variables that mean nothing, each with what may have been meant.
    pub fn strangers(&self) -> Vec<String> {
        super::overrides::strangers(self)
    }

    pub(super) fn file(&self) -> &str {
        &self.text[..self.file]
    }

    pub(super) fn overrides(&self) -> &[Override] {
        &self.overrides
    }

    pub(super) fn text_of(&self, over: &Override) -> &str {
        &self.text[over.value.clone()]
    }

    /// Where the text at `at` stands.
    pub(super) fn place(&self, at: usize) -> Place {
        let over = self
            .overrides
            .iter()
            .find(|it| it.value.contains(&at) || it.value.start == at);
        if let Some(over) = over.filter(|_| at > self.file) {
            return over.place.clone();
        }
        let before = self.file().get(..at).unwrap_or(self.file());
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place::File {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    fn push(&mut self, place: Place, value: &str) {
        self.text.push('\n');
        let start = self.text.len();
        self.text.push_str(value);
        let value = start..self.text.len();
        self.overrides.push(Override { place, value });
    }
}

/// The rest of a variable's name.
pub(super) fn rest_of(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

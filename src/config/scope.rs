//! Where in the file one is, and the list of what was found wrong there.

use std::{
    collections::BTreeSet,
    ops::{Range, RangeInclusive},
    time::Duration,
};

use toml::Spanned;

use super::{
    duration::{self, RawDuration},
    error::{Complaint, Error, Mistake},
    layers::Layers,
    suggest,
};

/// A table of the file, called as a reader would call it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Section {
    path: String,
    shown: String,
}

impl Section {
    pub fn top() -> Section {
        Section {
            path: String::new(),
            shown: String::new(),
        }
    }

    pub fn table(&self, key: &str) -> Section {
        let path = if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        };
        Section {
            shown: format!("[{path}]"),
            path,
        }
    }

    pub fn element(&self, key: &str, index: usize, name: Option<&str>) -> Section {
        let shown = match name {
            Some(name) => format!("[[{key}]] {name:?}"),
            None => format!("[[{key}]] number {}", index + 1),
        };
        Section {
            path: format!("{}{key}[{index}]", self.path),
            shown,
        }
    }

    pub fn is_top(&self) -> bool {
        self.path.is_empty()
    }

    pub fn is_named(&self, shown: &str) -> bool {
        self.shown == shown
    }

    pub fn shown(&self) -> &str {
        &self.shown
    }
}

/// What was found wrong so far.
pub(super) struct Report<'t> {
    layers: &'t Layers,
    cut: BTreeSet<(String, String)>,
    mistakes: Vec<Mistake>,
}

impl<'t> Report<'t> {
    pub fn new(layers: &'t Layers) -> Report<'t> {
        Report {
            layers,
            cut: BTreeSet::new(),
            mistakes: Vec::new(),
        }
    }

    pub fn add(&mut self, at: usize, section: &Section, key: &str, complaint: Complaint) {
        self.mistakes.push(Mistake {
            place: self.layers.place(at),
            section: section.shown.clone(),
            key: key.to_owned(),
            message: complaint.message,
            hint: complaint.hint,
        });
    }

    /// Remembers a key that was there but unreadable, so that it is not called missing as well.
    pub fn mark_cut(&mut self, section: &Section, key: &str) {
        self.cut.insert((section.path.clone(), key.to_owned()));
    }

    pub fn was_cut(&self, section: &Section, key: &str) -> bool {
        self.cut.contains(&(section.path.clone(), key.to_owned()))
    }

    pub fn scope(&mut self, section: Section) -> Scope<'_, 't> {
        Scope {
            report: self,
            section,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.mistakes.is_empty()
    }

    pub fn into_error(self) -> Error {
        Error::new(self.mistakes)
    }
}

/// A report seen from one table. Each method that finds a value wrong notes it and goes on with a stand-in: the
/// configuration is thrown away in the end, but the checks after it still run.
pub(super) struct Scope<'r, 't> {
    report: &'r mut Report<'t>,
    section: Section,
}

impl Scope<'_, '_> {
    pub fn wrong(&mut self, key: &str, span: Range<usize>, complaint: Complaint) {
        self.report.add(span.start, &self.section, key, complaint);
    }

    pub fn was_cut(&self, key: &str) -> bool {
        self.report.was_cut(&self.section, key)
    }

    pub fn was_cut_at_top(&self, key: &str) -> bool {
        self.report.was_cut(&Section::top(), key)
    }

    /// Notes a missing key at its table's header.
    pub fn missing(&mut self, key: &str, header: Range<usize>, hint: &str) {
        if !self.was_cut(key) {
            self.wrong(key, header, Complaint::new("missing").hint(hint));
        }
    }

    pub fn required(
        &mut self,
        key: &str,
        value: Option<Spanned<String>>,
        header: &Range<usize>,
        hint: &str,
    ) -> String {
        if value.is_none() {
            self.missing(key, header.clone(), hint);
        }
        self.text(key, value).unwrap_or_default()
    }

    /// A name, an id or an ARN: one word.
    pub fn text(&mut self, key: &str, value: Option<Spanned<String>>) -> Option<String> {
        self.checked(key, value, one_word)
    }

    /// A value that `check` accepts; what it refuses is noted.
    pub fn checked(
        &mut self,
        key: &str,
        value: Option<Spanned<String>>,
        check: impl Fn(&str) -> Result<(), Complaint>,
    ) -> Option<String> {
        let value = value?;
        match check(value.get_ref()) {
            Ok(()) => Some(value.into_inner()),
            Err(complaint) => {
                self.wrong(key, value.span(), complaint);
                None
            }
        }
    }

    pub fn duration(
        &mut self,
        key: &str,
        value: Option<Spanned<RawDuration>>,
        default: Duration,
    ) -> Duration {
        let Some(value) = value else { return default };
        duration::parse(&value.get_ref().0).unwrap_or_else(|complaint| {
            self.wrong(key, value.span(), complaint);
            default
        })
    }

    pub fn duration_if_any(
        &mut self,
        key: &str,
        value: Option<Spanned<RawDuration>>,
    ) -> Option<Duration> {
        value.map(|value| self.duration(key, Some(value), Duration::ZERO))
    }

    /// A whole number within bounds.
    pub fn whole<T: TryFrom<i64>>(
        &mut self,
        key: &str,
        value: Option<Spanned<i64>>,
        range: RangeInclusive<i64>,
    ) -> Option<T> {
        let value = value?;
        let number = *value.get_ref();
        if range.contains(&number) {
            return T::try_from(number).ok();
        }
        let (from, to) = (range.start(), range.end());
        let complaint = Complaint::new(format!("must be from {from} to {to}"));
        self.wrong(key, value.span(), complaint);
        None
    }

    /// One of a few words; the default when there is none.
    pub fn word<T: Default + Copy>(
        &mut self,
        key: &str,
        value: Option<Spanned<String>>,
        words: &[(&str, T)],
    ) -> T {
        let Some(value) = value else {
            return T::default();
        };
        let found = words.iter().find(|(word, _)| word == value.get_ref());
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let complaint = Complaint::new(format!("`{}` is none of its values", value.get_ref()));
            let hint = suggest::hint(value.get_ref(), known).unwrap_or_default();
            self.wrong(key, value.span(), complaint.hint(hint));
        }
        found.map(|(_, meaning)| *meaning).unwrap_or_default()
    }
}

/// Refuses the empty, and spaces or control characters, which no name, id or ARN has.
pub(super) fn one_word(text: &str) -> Result<(), Complaint> {
    if text.is_empty() {
        return Err(Complaint::new("must not be empty"));
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Complaint::new("must not have spaces or control characters"));
    }
    Ok(())
}

/// The names a tunnel or bastion may bear: they become parts of URLs, file contents and table rows.
pub(super) fn name(text: &str) -> Result<(), Complaint> {
    const LONGEST: usize = 40;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !text.is_empty()
        && text.len() <= LONGEST
        && text.chars().all(plain)
        && !text.starts_with(['.', '-'])
    {
        return Ok(());
    }
    Err(
        Complaint::new(format!("`{}` is not a name", text.escape_debug())).hint(
            "use up to 40 letters, digits, `-`, `_` and `.`, beginning with a letter or digit",
        ),
    )
}

//! From TOML to the settings as written, with every mistake noted.
//!
//! serde stops at the first mistake. To report all of them, the offending key is noted and cut from the parsed
//! table, and the rest is read again; since every key is optional, that ends after at most one turn a key.

use std::{collections::BTreeMap, ops::Range};

use serde::Deserialize as _;
use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue, Deserializer},
};

use super::{
    error::Complaint,
    layers::Layers,
    overrides,
    raw::Root,
    scope::{Report, Section},
    suggest,
};

/// Reads the file and puts what overrides it in its place; `None` when the file is not TOML at all.
pub(super) fn merge<'l>(layers: &'l Layers, report: &mut Report) -> Option<DeTable<'l>> {
    let text = layers.file();
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        note_syntax(text, &errors, report);
        return None;
    }
    let mut table = table.into_inner();
    overrides::apply(layers, &mut table, report);
    Some(table)
}

/// Reads what can be read and notes the rest.
pub(super) fn read(mut table: DeTable<'_>, report: &mut Report) -> Option<Root> {
    let span = 0..0;
    loop {
        match Root::deserialize(Deserializer::from(Spanned::new(
            span.clone(),
            table.clone(),
        ))) {
            Ok(root) => {
                return Some(Root {
                    bastion_keys: bastion_keys(&table),
                    ..root
                });
            }
            Err(error) => note_and_cut(&error, &mut table, report)?,
        }
    }
}

/// Where each key of each bastion is: some do not go with others.
fn bastion_keys(table: &DeTable<'_>) -> BTreeMap<String, Vec<Spanned<String>>> {
    let named = |table: &DeTable<'_>| {
        let keys = table.keys();
        let keys = keys.map(|key| Spanned::new(key.span(), key.get_ref().clone().into_owned()));
        keys.collect::<Vec<_>>()
    };
    let bastions = table.iter().find(|(key, _)| key.get_ref() == "bastion");
    let bastions = bastions.and_then(|(_, value)| value.get_ref().as_table());
    let bastions = bastions.into_iter().flat_map(|it| it.iter());
    let keys = bastions.filter_map(|(name, value)| {
        let keys = named(value.get_ref().as_table()?);
        Some((name.get_ref().clone().into_owned(), keys))
    });
    keys.collect()
}

/// One broken line makes the parser stumble several times; the first on each line is the one to mend.
fn note_syntax(text: &str, errors: &[toml::de::Error], report: &mut Report) {
    let mut lines = Vec::new();
    for error in errors {
        let at = error.span().map_or(text.len(), |span| span.start);
        let line = text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        if lines.contains(&line) {
            continue;
        }
        lines.push(line);
        let found = key_at(text, error);
        report.add(at, &Section::top(), &found, Complaint::new(error.message()));
    }
}

/// The key a syntax error speaks of, where it speaks of one.
fn key_at(text: &str, error: &toml::de::Error) -> String {
    match error.span() {
        Some(span) if error.message() == "duplicate key" => {
            text.get(span).unwrap_or_default().trim().to_owned()
        }
        _ => String::new(),
    }
}

fn note_and_cut(
    error: &toml::de::Error,
    table: &mut DeTable<'_>,
    report: &mut Report,
) -> Option<()> {
    let span = error.span().unwrap_or_default();
    let Some((section, key)) = cut(table, &span, Section::top()) else {
        report.add(
            span.start,
            &Section::top(),
            "",
            Complaint::new(error.message()),
        );
        return None;
    };
    let (section, key) = if section.is_named("[bastion]") {
        // A key straight under [bastion]: the name was forgotten, so the whole table goes.
        (
            Section::top(),
            remove(table, |key, _| key.get_ref() == "bastion")?,
        )
    } else {
        (section, key)
    };
    report.add(
        span.start,
        &section,
        &key,
        reworded(error.message(), &section, &key),
    );
    report.mark_cut(&section, &key);
    Some(())
}

/// Removes the innermost entry that `span` lies in; gives where it stood.
fn cut(
    table: &mut DeTable<'_>,
    span: &Range<usize>,
    section: Section,
) -> Option<(Section, String)> {
    for (key, value) in table.iter_mut() {
        let found = match value.get_mut() {
            DeValue::Table(inner) => cut(inner, span, section.table(key.get_ref())),
            DeValue::Array(items) => {
                items
                    .iter_mut()
                    .enumerate()
                    .find_map(|(index, item)| match item.get_mut() {
                        DeValue::Table(inner) => {
                            let name = name_of(inner);
                            cut(
                                inner,
                                span,
                                section.element(key.get_ref(), index, name.as_deref()),
                            )
                        }
                        _ => None,
                    })
            }
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    let key = remove(table, |key, value| {
        holds(key.span(), span) || holds(value.span(), span)
    })?;
    Some((section, key))
}

fn remove(
    table: &mut DeTable<'_>,
    which: impl Fn(&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>) -> bool,
) -> Option<String> {
    let key = table
        .iter()
        .find(|(key, value)| which(key, value))?
        .0
        .clone();
    table.remove(&key);
    Some(key.into_inner().into_owned())
}

fn name_of(table: &DeTable<'_>) -> Option<String> {
    let (_, value) = table.iter().find(|(key, _)| key.get_ref() == "name")?;
    value.get_ref().as_str().map(str::to_owned)
}

fn holds(outer: Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// serde's words in ours, with a hint where the mistake is a known one.
fn reworded(message: &str, section: &Section, key: &str) -> Complaint {
    if message.starts_with("unknown field") {
        return unknown(message);
    }
    if section.is_top() && key == "tunnel" {
        return Complaint::new("tunnels are a list of tables")
            .hint("write [[tunnel]], with two brackets, above each");
    }
    if section.is_top() && key == "bastion" {
        return Complaint::new("bastions are tables with a name")
            .hint("write [bastion.NAME] above its keys");
    }
    let message = message
        .trim_start_matches("invalid type: ")
        .trim_start_matches("invalid value: ");
    match message.split_once(", expected ") {
        Some((found, expected)) => {
            Complaint::new(format!("expected {}, found {found}", plain(expected)))
        }
        None => Complaint::new(message),
    }
}

/// The first quoted word of serde's message is the key, the rest are those it knows.
fn unknown(message: &str) -> Complaint {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let word = quoted.next().unwrap_or_default();
    let known: Vec<&str> = quoted.collect();
    let complaint = Complaint::new("unknown key");
    match suggest::hint(word, known) {
        Some(hint) => complaint.hint(hint),
        None => complaint,
    }
}

fn plain(expected: &str) -> &str {
    match expected {
        "i64" => "a whole number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "a table",
        other => other,
    }
}

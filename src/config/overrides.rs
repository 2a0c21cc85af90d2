//! Variables and flags: which setting each means, and its value in the file's place.
//!
//! A variable's name is the setting's path in capitals, with `_` for everything else: `BASTIOND_AWS_PROFILE`, and for the
//! tunnel `app-db` of the file `BASTIOND_TUNNEL_APP_DB_LISTEN`. They change what the file has, and add no bastion and no
//! tunnel. A flag has the path as it is: `tunnel.app-db.listen`.

use std::{borrow::Cow, ops::Range};

use serde_json::{Map, Value};
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};

use super::{
    error::{Complaint, Place},
    layers::{self, Layers, Override},
    schema::{self, Kind, Reading},
    scope::{Report, Section},
    suggest,
};

/// What names a tunnel in its table; it is no setting of its own.
const NAME: &str = "name";

/// Puts every override in its place. Variables that mean nothing are left out here; see [`strangers`].
pub(super) fn apply<'l>(layers: &'l Layers, table: &mut DeTable<'l>, report: &mut Report) {
    for over in layers.overrides() {
        let spelling = Spelling::of(&over.place);
        let known = settings(table, schema::root(), &spelling);
        let mut meant = known.iter().filter(|it| it.spelled == spelling.wanted());
        match (meant.next(), meant.next()) {
            (Some(setting), None) => {
                let value = read(layers.text_of(over), setting.reading, &over.value);
                put(table, &setting.path, &over.value, value);
            }
            (Some(one), Some(other)) => {
                let (one, other) = (dotted(&one.path), dotted(&other.path));
                let complaint = Complaint::new(format!("could mean `{one}` or `{other}`"));
                wrong(over, report, complaint.hint("use --set, or the file"));
            }
            (None, _) => {
                if let Place::Flag(path) = &over.place {
                    let names = known.iter().map(|it| it.spelled.as_str());
                    let complaint = Complaint::new("there is no such setting");
                    wrong(
                        over,
                        report,
                        match suggest::nearest(path, names) {
                            Some(near) => complaint.hint(format!("did you mean `{near}`?")),
                            None => complaint.hint("bastiond config schema"),
                        },
                    );
                }
            }
        }
    }
}

/// The variables that mean nothing, in words.
pub(super) fn strangers(layers: &Layers) -> Vec<String> {
    let (table, _) = DeTable::parse_recoverable(layers.file());
    let mut said = Vec::new();
    for over in layers.overrides() {
        let Place::Environment(name) = &over.place else {
            continue;
        };
        let spelling = Spelling::of(&over.place);
        let known = settings(table.get_ref(), schema::root(), &spelling);
        if known.iter().any(|it| it.spelled == spelling.wanted()) {
            continue;
        }
        let names: Vec<String> = known.iter().map(|it| it.spelled.to_lowercase()).collect();
        let near = suggest::nearest(layers::rest_of(name), names.iter().map(String::as_str));
        let meant = near.map(|near| format!("; did you mean BASTIOND_{}?", near.to_uppercase()));
        said.push(format!("{name} is no setting{}", meant.unwrap_or_default()));
    }
    said
}

fn wrong(over: &Override, report: &mut Report, complaint: Complaint) {
    report.add(over.value.start, &Section::top(), "", complaint);
}

/// How settings are called.
enum Spelling<'a> {
    Variable(&'a str),
    Path(&'a str),
}

impl<'a> Spelling<'a> {
    fn of(place: &'a Place) -> Self {
        match place {
            Place::Environment(name) => Spelling::Variable(layers::rest_of(name)),
            Place::Flag(path) => Spelling::Path(path),
            Place::File { .. } => Spelling::Path(""),
        }
    }

    fn wanted(&self) -> &'a str {
        match self {
            Spelling::Variable(rest) => rest,
            Spelling::Path(path) => path,
        }
    }

    fn spell(&self, path: &[Step]) -> String {
        let dotted = dotted(path);
        let capital = |c: char| match c.is_ascii_alphanumeric() {
            true => c.to_ascii_uppercase(),
            false => '_',
        };
        match self {
            Spelling::Variable(_) => dotted.chars().map(capital).collect(),
            Spelling::Path(_) => dotted,
        }
    }
}

/// One setting that the file has, or could have.
struct Setting {
    path: Vec<Step>,
    spelled: String,
    reading: Reading,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    /// An element of a list, and its name.
    Element(usize, String),
}

fn dotted(path: &[Step]) -> String {
    let words = path.iter().map(|step| match step {
        Step::Key(key) => key.as_str(),
        Step::Element(_, name) => name.as_str(),
    });
    words.collect::<Vec<_>>().join(".")
}

/// All of them, given the bastions and tunnels of the file.
fn settings(
    table: &DeTable<'_>,
    properties: &Map<String, Value>,
    spelling: &Spelling,
) -> Vec<Setting> {
    let mut found = Vec::new();
    collect(
        Some(table),
        properties,
        &mut Vec::new(),
        spelling,
        &mut found,
    );
    found
}

fn collect(
    table: Option<&DeTable<'_>>,
    properties: &Map<String, Value>,
    path: &mut Vec<Step>,
    spelling: &Spelling,
    found: &mut Vec<Setting>,
) {
    for (key, schema) in properties {
        let value = table
            .and_then(|table| table.get(key.as_str()))
            .map(Spanned::get_ref);
        path.push(Step::Key(key.clone()));
        match schema::kind(schema) {
            Kind::Value(_) if key == NAME => {}
            Kind::Value(reading) => found.push(Setting {
                path: path.clone(),
                spelled: spelling.spell(path),
                reading,
            }),
            Kind::Table(own) => {
                collect(
                    value.and_then(DeValue::as_table),
                    own,
                    path,
                    spelling,
                    found,
                );
            }
            Kind::Named(own) => {
                for (name, entry) in value.and_then(DeValue::as_table).into_iter().flatten() {
                    path.push(Step::Key(name.get_ref().to_string()));
                    collect(entry.get_ref().as_table(), own, path, spelling, found);
                    path.pop();
                }
            }
            Kind::List(own) => {
                let elements = value.and_then(DeValue::as_array).into_iter().flatten();
                for (index, element) in elements.enumerate() {
                    let table = element.get_ref().as_table();
                    let name = table
                        .and_then(|it| it.get(NAME))
                        .and_then(|it| it.get_ref().as_str());
                    let Some(name) = name else { continue };
                    path.push(Step::Element(index, name.to_owned()));
                    collect(table, own, path, spelling, found);
                    path.pop();
                }
            }
        }
        path.pop();
    }
}

/// What the text is, as far as it can be told. What cannot be read stays a text, which the check of types refuses.
fn read<'l>(text: &'l str, reading: Reading, span: &Range<usize>) -> DeValue<'l> {
    let whole = |text: &'l str| DeValue::String(Cow::Borrowed(text));
    match reading {
        Reading::Text => whole(text),
        Reading::Literal => match DeValue::parse(text) {
            Ok(value) if !value.get_ref().is_str() => value.into_inner(),
            Ok(_) | Err(_) => whole(text),
        },
        Reading::TextOrWords if !text.contains(',') => whole(text),
        Reading::Words | Reading::TextOrWords => {
            let words = text
                .split(',')
                .map(str::trim)
                .filter(|word| !word.is_empty());
            let mut list = DeArray::new();
            for word in words {
                list.push(Spanned::new(span.clone(), whole(word)));
            }
            DeValue::Array(list)
        }
        Reading::Pairs => {
            let mut table = DeTable::new();
            for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                let key = Spanned::new(span.clone(), Cow::Borrowed(key.trim()));
                table.insert(key, Spanned::new(span.clone(), whole(value.trim())));
            }
            DeValue::Table(table)
        }
    }
}

/// Tables on the way that the file does not have are made; elements and names are there.
fn put<'l>(table: &mut DeTable<'l>, path: &[Step], span: &Range<usize>, value: DeValue<'l>) {
    match path {
        [Step::Key(key)] => {
            table.remove(key.as_str());
            let key = Spanned::new(span.clone(), Cow::Owned(key.clone()));
            table.insert(key, Spanned::new(span.clone(), value));
        }
        [Step::Key(key), Step::Element(index, _), rest @ ..] => {
            let list = table.get_mut(key.as_str()).map(Spanned::get_mut);
            if let Some(DeValue::Array(list)) = list
                && let Some(DeValue::Table(inner)) = list.get_mut(*index).map(Spanned::get_mut)
            {
                put(inner, rest, span, value);
            }
        }
        [Step::Key(key), rest @ ..] => {
            let new = || Spanned::new(span.clone(), DeValue::Table(DeTable::new()));
            let name = Spanned::new(span.clone(), Cow::Owned(key.clone()));
            if let DeValue::Table(inner) = table.entry(name).or_insert_with(new).get_mut() {
                put(inner, rest, span, value);
            }
        }
        [] | [Step::Element(..), ..] => {}
    }
}

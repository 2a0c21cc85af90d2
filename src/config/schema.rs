//! The settings there are, as a JSON Schema made of the types that read them.

use std::sync::LazyLock;

use schemars::{
    Schema,
    generate::SchemaSettings,
    transform::{RecursiveTransform, Transform},
};
use serde_json::{Map, Value};

use super::raw;

static SCHEMA: LazyLock<Value> = LazyLock::new(generate);

/// The JSON Schema of a configuration file. Editors complete and check with it.
pub fn schema() -> &'static Value {
    &SCHEMA
}

fn generate() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<raw::Root>();
    RecursiveTransform(without_null).transform(&mut schema);
    schema.to_value()
}

/// TOML has no null: what is optional is left out.
fn without_null(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|word| word != "null");
        if let [only] = &types[..] {
            let only = only.clone();
            object.insert("type".into(), only);
        }
    }
    let Some(Value::Array(mut choices)) = object.remove("anyOf") else {
        return;
    };
    choices.retain(|choice| choice["type"] != "null");
    match &choices[..] {
        [Value::Object(only)] => {
            for (key, value) in only {
                object.entry(key).or_insert_with(|| value.clone());
            }
        }
        _ => drop(object.insert("anyOf".into(), Value::Array(choices))),
    }
}

/// What a setting is, as far as its name and its text matter.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind<'s> {
    /// A table of settings.
    Table(&'s Map<String, Value>),
    /// Such tables by their names.
    Named(&'s Map<String, Value>),
    /// A list of such tables, each with a name.
    List(&'s Map<String, Value>),
    /// A value, which is read in this way.
    Value(Reading),
}

/// How the text of a variable or a flag is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// As it stands.
    Text,
    /// A number, or true or false, as TOML writes them.
    Literal,
    /// Entries between commas.
    Words,
    /// One text, or entries between commas.
    TextOrWords,
    /// `key=value` between commas.
    Pairs,
}

pub(super) fn root() -> &'static Map<String, Value> {
    properties(schema()).expect("the configuration is a table")
}

pub(super) fn kind(schema: &Value) -> Kind<'_> {
    if let Some(own) = properties(schema) {
        return Kind::Table(own);
    }
    if let Some(named) = properties(&schema["additionalProperties"]) {
        return Kind::Named(named);
    }
    if let Some(each) = properties(&schema["items"]) {
        return Kind::List(each);
    }
    Kind::Value(match schema["type"].as_str() {
        Some("string") => Reading::Text,
        Some("array") => Reading::Words,
        Some("object") => Reading::Pairs,
        Some(_) => Reading::Literal,
        None => Reading::TextOrWords,
    })
}

fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties")?.as_object()
}

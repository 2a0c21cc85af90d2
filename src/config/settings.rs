//! The settings in force, each with where it comes from: what `config show` shows.

use serde_json::{Map, Value};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Config, Error, Layers, Place, machine, read,
    schema::{self, Kind},
    scope::Report,
};

/// One setting that has a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The header of its table in the file: `[aws]`, `[[tunnel]]`; empty at the top.
    pub table: String,
    /// Its path from the top, such as `tunnel.app-db.listen`: what `--set` takes.
    pub path: String,
    /// Its key in the table.
    pub key: String,
    /// Its value.
    pub value: Value,
    /// Where that comes from; `None`: nothing is said, and this is the default.
    pub origin: Option<Place>,
}

/// All settings that have a value, table by table.
///
/// # Errors
/// Every mistake there is: what is wrong has no meaning that could be shown.
pub fn settings(layers: &Layers) -> Result<Vec<Setting>, Error> {
    Config::of(layers)?;
    let mut report = Report::new(layers);
    let Some(table) = read::merge(layers, &mut report) else {
        return Err(report.into_error());
    };
    let mut list = List {
        layers,
        found: Vec::new(),
    };
    list.table(&table, schema::root(), "", "");
    Ok(list.found)
}

/// A value as TOML writes it.
pub fn toml_text(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(toml_text).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(pairs) => {
            let pair = |(key, value): (&String, &Value)| {
                format!(
                    "{} = {}",
                    toml_text(&Value::String(key.clone())),
                    toml_text(value)
                )
            };
            let pairs: Vec<String> = pairs.iter().map(pair).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        Value::String(text) => toml::Value::String(text.clone()).to_string(),
        other => other.to_string(),
    }
}

struct List<'l> {
    layers: &'l Layers,
    found: Vec<Setting>,
}

impl List<'_> {
    /// A table's own values first, as TOML wants it, then the tables in it.
    fn table(
        &mut self,
        table: &DeTable<'_>,
        properties: &Map<String, Value>,
        header: &str,
        path: &str,
    ) {
        let is_name = |(key, _): &(&String, &Value)| key.as_str() != "name";
        let mut keys: Vec<(&String, &Value)> = properties.iter().collect();
        keys.sort_by_key(is_name);
        for (key, schema) in &keys {
            if let Kind::Value(_) = schema::kind(schema)
                && machine::takes(table, key)
            {
                self.value(table.get(key.as_str()), key, schema, header, path);
            }
        }
        for (key, schema) in keys {
            if let Some(value) = table.get(key.as_str()) {
                self.inner(value.get_ref(), key, schema, path);
            }
        }
    }

    fn inner(&mut self, value: &DeValue<'_>, key: &str, schema: &Value, path: &str) {
        let path = below(path, key);
        match (schema::kind(schema), value) {
            (Kind::Table(own), DeValue::Table(table)) => {
                self.table(table, own, &format!("[{path}]"), &path);
            }
            (Kind::Named(own), DeValue::Table(tables)) => {
                for (name, table) in tables {
                    if let DeValue::Table(table) = table.get_ref() {
                        let path = below(&path, name.get_ref());
                        self.table(table, own, &format!("[{path}]"), &path);
                    }
                }
            }
            (Kind::List(own), DeValue::Array(tables)) => {
                for table in tables {
                    if let DeValue::Table(table) = table.get_ref() {
                        let name = table.get("name").and_then(|it| it.get_ref().as_str());
                        let path = below(&path, name.unwrap_or_default());
                        self.table(table, own, &format!("[[{key}]]"), &path);
                    }
                }
            }
            _ => {}
        }
    }

    fn value(
        &mut self,
        value: Option<&Spanned<DeValue<'_>>>,
        key: &str,
        schema: &Value,
        header: &str,
        path: &str,
    ) {
        let origin = value.map(|value| self.layers.place(value.span().start));
        let value = value.map(|value| json(value.get_ref()));
        let Some(value) = value.or_else(|| schema.get("default").cloned()) else {
            return;
        };
        self.found.push(Setting {
            table: header.to_owned(),
            path: below(path, key),
            key: key.to_owned(),
            value,
            origin,
        });
    }
}

fn below(path: &str, key: &str) -> String {
    match path.is_empty() {
        true => key.to_owned(),
        false => format!("{path}.{key}"),
    }
}

fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => {
            let read = i64::from_str_radix(number.as_str(), number.radix());
            read.map_or(Value::Null, Value::from)
        }
        DeValue::Float(number) => number
            .as_str()
            .parse::<f64>()
            .map_or(Value::Null, Value::from),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => {
            let pair = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                let key: &std::borrow::Cow<'_, str> = key.get_ref();
                (key.to_string(), json(value.get_ref()))
            };
            Value::Object(table.iter().map(pair).collect())
        }
    }
}

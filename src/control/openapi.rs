//! The API as an OpenAPI document, made of the routes and of the types that are answered with.

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    Refusal,
    call::{Call, Kind, Word},
    routes::ROUTES,
};
use crate::status::{
    Bastion, Connections, Event, InForce, Orphan, Reloaded, SCHEMA, Status, Tunnel,
};

/// The whole document.
pub(super) fn document() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
        .for_serialize()
        .into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for (method, path, call) in &ROUTES {
        let methods = paths.entry(*path).or_insert_with(|| json!({}));
        methods[method.as_str().to_lowercase()] = operation(*call, path, &mut generator);
    }
    let refusal = generator.subschema_for::<Refusal>();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "bastiond",
            "version": format!("v{SCHEMA}"),
            "summary": "HTTP/1.1 and JSON on the daemon's control socket, for its owner's programs.",
            "description": "Version 1 grows and never changes: fields, words and calls are added. Readers ignore \
                fields that they do not know. Times are RFC 3339 and stand beside numeric seconds.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{
            "url": "http://bastiond",
            "description": "On the Unix socket that `bastiond ctl status --json` names as `daemon.socket`.",
        }],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "responses": {
                "Refused": {
                    "description": "Why not, and what mends it (RFC 9457).",
                    "content": { "application/problem+json": { "schema": refusal } },
                },
            },
        },
    })
}

fn operation(call: Call, path: &str, generator: &mut SchemaGenerator) -> Value {
    let in_path = path.contains("{name}").then(|| {
        let schema = json!({ "type": "string" });
        json!({ "name": "name", "in": "path", "required": true, "schema": schema,
                "description": "A name of the configuration." })
    });
    let in_query = call.words().iter().map(parameter);
    let (status, kind, says, schema) = answer(call, generator);
    json!({
        "operationId": format!("{call:?}"),
        "summary": call.summary(),
        "parameters": in_path.into_iter().chain(in_query).collect::<Vec<_>>(),
        "responses": {
            status: {
                "description": says,
                "content": { kind: { "schema": schema } },
            },
            "default": { "$ref": "#/components/responses/Refused" },
        },
    })
}

fn parameter(word: &Word) -> Value {
    let schema = match word.kind {
        Kind::Name => json!({ "type": "string" }),
        Kind::Duration => json!({ "type": "string", "examples": ["90s", "15m", "1h30m"] }),
        Kind::Moment => json!({ "type": "string", "examples": ["10m", "2026-11-28T09:00:00Z"] }),
        Kind::Digits => json!({ "type": "string", "pattern": "^[0-9]{6}$" }),
        Kind::Number => json!({ "type": "integer", "minimum": 0 }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::OneOf(words) => json!({ "type": "string", "enum": words }),
    };
    json!({ "name": word.name, "in": "query", "schema": schema, "description": word.says })
}

/// Status, kind of content, what it is, and its schema.
fn answer(
    call: Call,
    generator: &mut SchemaGenerator,
) -> (&'static str, &'static str, &'static str, Schema) {
    let json = |says, schema: Schema| ("200", "application/json", says, schema);
    let text = || schemars::json_schema!({ "type": "string" });
    match call {
        Call::Status | Call::WaitForAll => json("The daemon.", of::<Status>(generator)),
        Call::Tunnel | Call::Up | Call::Down | Call::Restart | Call::Reset | Call::Wait => {
            json("The tunnel as it then is.", of::<Tunnel>(generator))
        }
        Call::Connections => json("The connections.", of::<Connections>(generator)),
        Call::Hold => json("The bastion as it then is.", of::<Bastion>(generator)),
        Call::Orphans | Call::EndOrphans => json("What was found.", of::<Vec<Orphan>>(generator)),
        Call::Config => json("The configuration.", of::<InForce>(generator)),
        Call::Reload => json("What has changed.", of::<Reloaded>(generator)),
        Call::OpenApi => json(
            "This document.",
            schemars::json_schema!({ "type": "object" }),
        ),
        Call::Events => (
            "200",
            "application/x-ndjson",
            "An event a line.",
            of::<Event>(generator),
        ),
        Call::Logs => ("200", "text/plain", "Lines of the log.", text()),
        Call::Mfa => json("AWS has taken it.", of::<Ending>(generator)),
        Call::RestartDaemon | Call::Shutdown => (
            "202",
            "application/json",
            "It is on its way.",
            of::<Ending>(generator),
        ),
    }
}

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// What has become of a request that has no other answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Ending {
    /// `stopping`, `restarting`, or `taken`.
    pub state: &'static str,
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::*;

    #[test]
    fn openapi_page_is_made_of_the_routes_and_the_types() {
        let path = docs("openapi.json");
        let document = format!("{:#}\n", document());
        if std::env::var_os("BASTIOND_WRITE_DOCS").is_some() {
            std::fs::write(&path, &document).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == document,
            "docs/openapi.json is not what the daemon answers with: \
             BASTIOND_WRITE_DOCS=1 cargo test --lib openapi_page"
        );
    }

    #[test]
    fn routes_page_and_document_have_the_same_calls() {
        let routes: BTreeSet<String> = ROUTES
            .iter()
            .map(|(method, path, _)| format!("{method} {path}"))
            .collect();
        let text = std::fs::read_to_string(docs("openapi.json")).unwrap();
        let written: Value = serde_json::from_str(&text).unwrap();
        let mut in_document = BTreeSet::new();
        for (path, methods) in written["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                in_document.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
        assert_eq!(in_document, routes);
        let page = std::fs::read_to_string(docs("control-api.md")).unwrap();
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
        let in_page: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
        let calls: BTreeSet<String> = in_page.iter().map(|call| (*call).to_owned()).collect();
        assert_eq!(calls, routes);
        assert_eq!(in_page.len(), ROUTES.len(), "none twice");
    }

    #[test]
    fn the_page_names_every_word_that_a_call_takes() {
        let page = std::fs::read_to_string(docs("control-api.md")).unwrap();
        for (_, path, call) in &ROUTES {
            let line = page
                .lines()
                .find(|line| line.contains(&format!(" {path}` |")));
            for word in call.words().iter().filter(|_| *call != Call::WaitForAll) {
                let spelled = format!("`{}=", word.name);
                assert!(line.unwrap().contains(&spelled), "{path}: {}", word.name);
            }
        }
    }

    #[test]
    fn each_reference_leads_somewhere() {
        let document = document();
        let text = document.to_string();
        let mut references = 0;
        for rest in text.split("\"$ref\":\"#").skip(1) {
            let pointer = rest.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
            references += 1;
        }
        assert!(references > 20);
    }

    fn docs(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("docs")
            .join(name)
    }
}

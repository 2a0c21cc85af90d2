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
        Call::Shutdown | Call::RestartDaemon => (
            "202",
            "application/json",
            "It is on its way.",
            of::<Stopping>(generator),
        ),
    }
}

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The answer to a request to stop or to restart.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Stopping {
    /// `stopping` or `restarting`.
    pub state: &'static str,
}

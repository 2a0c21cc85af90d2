//! The configuration without what is private in it. What is not known to be harmless is private.

use serde_json::Value;

use super::redact::Redactor;
use crate::status::Setting;

/// Settings whose text is ours, or says nothing of anybody.
const HARMLESS: [&str; 24] = [
    "agent",
    "bastion",
    "capacity_provider",
    "capacity_provider_strategy",
    "container",
    "date",
    "exit_when_idle",
    "half_close_linger",
    "hold_timeout",
    "idle_stop",
    "keepalive",
    "listen",
    "max_session_age",
    "mode",
    "name",
    "on_shutdown",
    "platform_version",
    "region",
    "role_duration",
    "session_linger",
    "shutdown_timeout",
    "since",
    "target",
    "warm",
];
/// Settings whose text is private wherever else it appears.
const PRIVATE: [&str; 10] = [
    "endpoint_url",
    "external_id",
    "host",
    "instance",
    "node",
    "role_arn",
    "role_chain",
    "source_identity",
    "tags",
    "on_event",
];

/// A line a setting. What is private in one is known from then on.
pub(super) fn told(settings: &[Setting], redactor: &mut Redactor) -> String {
    for setting in settings {
        learn(key(setting), &setting.value, redactor);
    }
    let line = |setting: &Setting| {
        let mut value = setting.value.clone();
        hide(key(setting), &mut value, redactor);
        format!("{} = {value}\n", setting.path)
    };
    settings.iter().map(line).collect()
}

fn key(setting: &Setting) -> &str {
    setting.path.rsplit('.').next().unwrap_or_default()
}

fn learn(key: &str, value: &Value, redactor: &mut Redactor) {
    match value {
        Value::String(text) if PRIVATE.contains(&key) => redactor.know(word(key), text),
        Value::Array(items) => items.iter().for_each(|item| learn(key, item, redactor)),
        Value::Object(entries) => {
            for (own, value) in entries {
                learn(below(key, own), value, redactor);
            }
        }
        _ => {}
    }
}

fn hide(key: &str, value: &mut Value, redactor: &Redactor) {
    match value {
        Value::String(text) if !HARMLESS.contains(&key) => *text = redactor.mark(word(key), text),
        Value::Array(items) => items.iter_mut().for_each(|item| hide(key, item, redactor)),
        Value::Object(entries) => {
            for (own, value) in entries {
                hide(below(key, own), value, redactor);
            }
        }
        _ => {}
    }
}

/// What is in `tags` is a tag, whatever it is called.
fn below<'k>(key: &'k str, own: &'k str) -> &'k str {
    if key == "tags" { key } else { own }
}

fn word(key: &str) -> &str {
    if key == "tags" { "tag" } else { key }
}

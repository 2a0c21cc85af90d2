//! The documents a tunnel starts sessions with, and their parameters.

use serde_json::{Value, json};

use crate::proto::AgentProfile;

use super::wire::ApiError;

/// The document that reaches another host through the target.
const REMOTE_HOST: &str = "AWS-StartPortForwardingSessionToRemoteHost";

/// A team's own, as the template makes it: the same for hosts in `internal` alone.
const RESTRICTED: &str = "bastiond-port-forward";

/// The document that reaches the target itself.
const PLAIN: &str = "AWS-StartPortForwardingSession";

/// A document with the parameters of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Document {
    pub name: &'static str,
    /// Where streams go; `localhost` for the plain document.
    pub host: String,
    pub port: u16,
    local_port: String,
}

impl Document {
    /// Takes StartSession's `DocumentName` and `Parameters` as SSM does.
    pub fn parse(body: &Value) -> Result<Self, ApiError> {
        let name = body["DocumentName"].as_str();
        let name = match name.map(|name| name.rsplit('/').next().unwrap_or_default()) {
            Some(REMOTE_HOST) => REMOTE_HOST,
            Some(RESTRICTED) => RESTRICTED,
            Some(PLAIN) => PLAIN,
            Some(name) => {
                let message = format!("Document with name {name} does not exist.");
                return Err(ApiError::new("InvalidDocument", message));
            }
            None => {
                let message = "the simulator has port sessions only: name a document";
                return Err(ApiError::new("InvalidDocument", message));
            }
        };
        let allowed: &[&str] = match name {
            PLAIN => &["portNumber", "localPortNumber"],
            _ => &["host", "portNumber", "localPortNumber"],
        };
        check_names(body, allowed)?;
        let port = parameter(body, "portNumber")?.unwrap_or("80");
        let host = match name {
            PLAIN => Some("localhost"),
            RESTRICTED => parameter(body, "host")?.filter(|host| host.ends_with(".internal")),
            _ => parameter(body, "host")?.filter(|host| is_host(host)),
        };
        let local_port = parameter(body, "localPortNumber")?.unwrap_or("0");
        Ok(Self {
            name,
            host: host.ok_or_else(|| bad_parameter("host"))?.to_owned(),
            port: port
                .parse()
                .ok()
                .filter(|port| *port > 0)
                .ok_or_else(|| bad_parameter("portNumber"))?,
            local_port: local_port.to_owned(),
        })
    }

    /// The agent as this document makes it.
    pub fn profile(&self, agent: &AgentProfile) -> AgentProfile {
        let mut properties = json!({
            "type": "LocalPortForwarding",
            "portNumber": self.port.to_string(),
            "localPortNumber": self.local_port,
        });
        if self.name != PLAIN {
            properties["host"] = json!(self.host);
        }
        AgentProfile {
            properties,
            ..agent.clone()
        }
    }
}

fn check_names(body: &Value, allowed: &[&str]) -> Result<(), ApiError> {
    let parameters = body["Parameters"].as_object();
    let mut names = parameters
        .into_iter()
        .flat_map(|parameters| parameters.keys());
    match names.find(|name| !allowed.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let message = format!("Parameter {name} is not defined in the document");
            Err(ApiError::new("InvalidParameters", message))
        }
    }
}

/// The one string in a parameter's list; anything but a list of strings is what the API cannot even read.
fn parameter<'a>(body: &'a Value, name: &str) -> Result<Option<&'a str>, ApiError> {
    let list = match &body["Parameters"][name] {
        Value::Null => return Ok(None),
        Value::Array(list) if list.iter().all(Value::is_string) => list,
        _ => {
            let message = "STRING_VALUE can not be converted to a list of strings";
            return Err(ApiError::new("SerializationException", message));
        }
    };
    match list.as_slice() {
        [one] => Ok(one.as_str()),
        _ => Err(bad_parameter(name)),
    }
}

fn bad_parameter(name: &str) -> ApiError {
    let message = format!("Parameter {name} does not match its allowedPattern");
    ApiError::new("InvalidParameters", message)
}

fn is_host(host: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
    !host.is_empty() && host.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remote_host_document_names_host_and_port() {
        let document = parse(REMOTE_HOST, json!({"host": ["db"], "portNumber": ["5432"]})).unwrap();
        assert_eq!((document.host.as_str(), document.port), ("db", 5432));
        let properties = document.profile(&AgentProfile::default()).properties;
        assert_eq!(properties["host"], "db");
        assert_eq!(properties["portNumber"], "5432");
        assert_eq!(properties["type"], "LocalPortForwarding");
    }

    #[test]
    fn wrong_parameters_are_told_apart() {
        let code = |name, parameters| parse(name, parameters).unwrap_err().code;
        assert_eq!(code("Nothing", json!({})), "InvalidDocument");
        assert_eq!(code(PLAIN, json!({"host": ["db"]})), "InvalidParameters");
        assert_eq!(
            code(PLAIN, json!({"portNumber": ["http"]})),
            "InvalidParameters"
        );
        assert_eq!(
            code(PLAIN, json!({"portNumber": ["65536"]})),
            "InvalidParameters"
        );
        assert_eq!(
            code(PLAIN, json!({"portNumber": "80"})),
            "SerializationException"
        );
        assert_eq!(
            code(REMOTE_HOST, json!({"portNumber": ["80"]})),
            "InvalidParameters"
        );
    }

    #[test]
    fn the_plain_document_reaches_the_target_itself() {
        let document = parse(PLAIN, json!({})).unwrap();
        assert_eq!((document.host.as_str(), document.port), ("localhost", 80));
        let properties = document.profile(&AgentProfile::default()).properties;
        assert!(properties.get("host").is_none());
    }

    fn parse(name: &str, parameters: Value) -> Result<Document, ApiError> {
        Document::parse(&json!({"DocumentName": name, "Parameters": parameters}))
    }
}

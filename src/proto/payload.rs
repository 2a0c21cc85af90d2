//! What stands inside payloads: the open message, the handshake, acknowledgements, flags, the closing notice.
//!
//! Types only, with their JSON. Unknown fields are ignored throughout, as new agents add some.

use bytes::{BufMut, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use uuid::Uuid;

/// The first frame of a link, and the only one that is text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Open {
    /// Always `1.0`.
    pub message_schema_version: String,
    /// Fresh for each link.
    pub request_id: String,
    /// Issued for this link by StartSession or ResumeSession.
    pub token_value: String,
    /// The same for all links of a session.
    #[serde(default)]
    pub client_id: String,
    /// A numeric four-part version; the agent's side sends none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_version: Option<String>,
}

/// The token is a secret.
impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open")
            .field("request_id", &self.request_id)
            .field("client_id", &self.client_id)
            .field("client_version", &self.client_version)
            .finish_non_exhaustive()
    }
}

/// The agent's first message: who it is and what the client must do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HandshakeRequest {
    /// The agent's version.
    pub agent_version: String,
    /// In the order in which they are to be answered.
    #[serde(default, deserialize_with = "null_is_default")]
    pub requested_client_actions: Vec<RequestedAction>,
}

/// One thing the agent wants of the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RequestedAction {
    /// `SessionType`, `KMSEncryption`, or what later agents invent.
    pub action_type: String,
    /// Of a shape that depends on the type.
    #[serde(default)]
    pub action_parameters: Value,
}

/// The parameters of the `SessionType` action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SessionType {
    /// `Port` for a tunnel.
    pub session_type: String,
    /// The document's properties, after substitution.
    #[serde(default)]
    pub properties: Value,
}

/// The client's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HandshakeResponse {
    /// Selects how the agent behaves.
    pub client_version: String,
    /// One for each requested action.
    #[serde(default, deserialize_with = "null_is_default")]
    pub processed_client_actions: Vec<ProcessedAction>,
    /// A summary of what failed; the agent does not read it.
    #[serde(default, deserialize_with = "null_is_default")]
    pub errors: Vec<String>,
}

impl HandshakeResponse {
    /// The answer of a client of this version.
    pub fn new(client_version: &str, actions: Vec<ProcessedAction>) -> Self {
        let errors = actions.iter().map(|action| action.error.clone());
        Self {
            client_version: client_version.to_owned(),
            errors: errors.filter(|error| !error.is_empty()).collect(),
            processed_client_actions: actions,
        }
    }
}

/// What became of one requested action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ProcessedAction {
    /// Echoes the request.
    pub action_type: String,
    /// One of [`SUCCESS`], [`FAILED`], [`UNSUPPORTED`]. All but the first end the session.
    #[serde(default)]
    pub action_status: u32,
    /// Only encryption has one.
    #[serde(default)]
    pub action_result: Value,
    /// Why, if not a success.
    #[serde(default)]
    pub error: String,
}

/// [`ProcessedAction::action_status`]: done.
pub const SUCCESS: u32 = 1;
/// [`ProcessedAction::action_status`]: understood, and not done.
pub const FAILED: u32 = 2;
/// [`ProcessedAction::action_status`]: not understood, or not implemented.
pub const UNSUPPORTED: u32 = 3;

/// The agent's word that the session may carry data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HandshakeComplete {
    /// Nanoseconds.
    #[serde(default)]
    pub handshake_time_to_complete: i64,
    /// To be shown to the user, if not empty.
    #[serde(default, deserialize_with = "null_is_default")]
    pub customer_message: String,
}

/// The service's word that the session has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChannelClosed {
    /// The id of the message that carries it.
    #[serde(default)]
    pub message_id: String,
    /// Milliseconds since the epoch, as text.
    #[serde(default)]
    pub created_date: String,
    /// Who is told.
    #[serde(default)]
    pub destination_id: String,
    /// The session that ended.
    #[serde(default)]
    pub session_id: String,
    /// `channel_closed`.
    #[serde(default)]
    pub message_type: String,
    /// 1.
    #[serde(default)]
    pub schema_version: i64,
    /// Why, in words; may be empty.
    #[serde(default, deserialize_with = "null_is_default")]
    pub output: String,
}

/// The only part of an acknowledgement that either side reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Acknowledge {
    /// The number that has arrived.
    #[serde(rename = "AcknowledgedMessageSequenceNumber")]
    pub sequence: i64,
}

impl ChannelClosed {
    /// The reason in a payload, as far as there is one: the session is over whatever else the payload holds.
    pub fn reason(payload: &[u8]) -> String {
        let closed: Value = serde_json::from_slice(payload).unwrap_or_default();
        clipped(closed["Output"].as_str().unwrap_or_default())
    }
}

/// What is wrong with some JSON, and where; the text itself is not shown.
pub fn described(error: &serde_json::Error) -> String {
    format!("{:?} error at column {}", error.classify(), error.column()).to_lowercase()
}

/// The beginning of a text that the far side may make as long as a message, for logs and status.
pub fn clipped(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

/// Characters; the longest text known, an idle time-out's, has a quarter of it.
const LONGEST_TEXT: usize = 500;

impl Acknowledge {
    /// Appends the JSON that acknowledges stream data; `kind` is the acknowledged message's type.
    pub fn write(buffer: &mut BytesMut, kind: &str, id: Uuid, sequence: i64) {
        use fmt::Write;
        buffer.put_slice(b"{\"AcknowledgedMessageType\":\"");
        buffer.put_slice(kind.as_bytes());
        buffer.put_slice(b"\",\"AcknowledgedMessageId\":\"");
        buffer.put_slice(
            id.hyphenated()
                .encode_lower(&mut Uuid::encode_buffer())
                .as_bytes(),
        );
        buffer.put_slice(b"\",\"AcknowledgedMessageSequenceNumber\":");
        write!(buffer, "{sequence}").expect("a growing buffer takes all");
        buffer.put_slice(b",\"IsSequentialMessage\":true}");
    }
}

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Across.
    pub cols: u16,
    /// Down.
    pub rows: u16,
}

/// The parameters of the `KMSEncryption` action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KmsEncryption {
    /// The key to make a data key under: id, ARN or alias.
    #[serde(rename = "KMSKeyId")]
    pub key_id: String,
    /// To be bound to the data key; agents before 3.3.808.0 have none.
    #[serde(default, rename = "Challenge", skip_serializing_if = "Option::is_none")]
    pub challenge: Option<String>,
}

/// The result of the `KMSEncryption` action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KmsResult {
    /// The data key as KMS encrypted it, in base64.
    #[serde(rename = "KMSCipherTextKey")]
    pub key: String,
    /// Nobody reads it.
    #[serde(default, rename = "KMSCipherTextHash")]
    pub hash: Option<String>,
    /// Whether the challenge was bound to the key.
    #[serde(default, rename = "ChallengeAcknowledgement")]
    pub acknowledges_challenge: bool,
}

/// A challenge, or the proof, in base64 of what it is encrypted to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// The text.
    #[serde(rename = "Challenge")]
    pub challenge: String,
}

/// The four bytes of a flag payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// The client's only local connection closed; without meaning in a mux.
    DisconnectToPort,
    /// The client ends the session.
    TerminateSession,
    /// The agent could not reach the destination for some stream.
    ConnectToPortError,
}

impl Flag {
    /// `None` for a value nobody knows, or a payload that is not four bytes.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        match u32::from_be_bytes(payload.try_into().ok()?) {
            1 => Some(Self::DisconnectToPort),
            2 => Some(Self::TerminateSession),
            3 => Some(Self::ConnectToPortError),
            _ => None,
        }
    }

    /// The payload.
    pub fn bytes(self) -> [u8; 4] {
        let value: u32 = match self {
            Self::DisconnectToPort => 1,
            Self::TerminateSession => 2,
            Self::ConnectToPortError => 3,
        };
        value.to_be_bytes()
    }
}

/// Go writes an empty list or string as `null`.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

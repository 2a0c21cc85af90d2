//! KMS, as far as encrypted shells need it: data keys, bound to a context.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{wire::ApiError, world::Core};
use crate::proto::shell::cipher::KEY_LENGTH;

/// A data key that was made.
pub(super) struct DataKey {
    encrypted: Vec<u8>,
    plain: [u8; KEY_LENGTH],
    context: Value,
}

/// Answers one call.
pub(super) fn perform(core: &Core, operation: &str, body: &Value) -> Result<Value, ApiError> {
    if operation != "GenerateDataKey" {
        let message = format!("the simulator has no {operation}");
        return Err(ApiError::new("UnknownOperationException", message));
    }
    let key_id = body["KeyId"].as_str().unwrap_or_default();
    if core.script.shells.kms_key.as_deref() != Some(key_id) {
        let message = format!("Key '{key_id}' does not exist");
        return Err(ApiError::new("NotFoundException", message));
    }
    if body["NumberOfBytes"] != KEY_LENGTH {
        let message = "the agent splits a key of 64 bytes";
        return Err(ApiError::new("ValidationException", message));
    }
    let mut plain = [0; KEY_LENGTH];
    fastrand::fill(&mut plain);
    let encrypted = uuid::Uuid::new_v4().as_bytes().repeat(4);
    let answer = json!({
        "KeyId": key_id,
        "CiphertextBlob": STANDARD.encode(&encrypted),
        "Plaintext": STANDARD.encode(plain),
    });
    core.change(|state| {
        state.data_keys.push(DataKey {
            encrypted,
            plain,
            context: body["EncryptionContext"].clone(),
        });
    });
    Ok(answer)
}

/// The context that client and agent must both name.
pub(super) fn context(session: &str, target: &str, challenge: Option<&str>) -> Value {
    let mut context = json!({"aws:ssm:SessionId": session, "aws:ssm:TargetId": target});
    if let Some(challenge) = challenge {
        context["aws:ssm:RandomChallenge"] = json!(challenge);
    }
    context
}

/// The agent's call: nothing for a key that nobody made, or another context.
pub(super) fn decrypt(core: &Core, encrypted: &[u8], context: &Value) -> Option<[u8; KEY_LENGTH]> {
    let state = core.state();
    let mut keys = state.data_keys.iter();
    let key = keys.find(|key| key.encrypted == encrypted && key.context == *context)?;
    Some(key.plain)
}

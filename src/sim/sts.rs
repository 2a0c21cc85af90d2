//! STS: who the caller is, and other credentials for it.

use std::time::Duration;

use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::Instant;

use super::{wire::ApiError, world::Core};

/// Answers one call.
pub(super) fn perform(core: &Core, operation: &str, body: &Value) -> Result<Value, ApiError> {
    match operation {
        "GetCallerIdentity" => Ok(json!({
            "Arn": core.caller_arn(),
            "UserId": format!("AROASIMULATED:{}", core.script.caller),
            "Account": core.script.account,
        })),
        "AssumeRole" => assume_role(core, body),
        _ => Err(ApiError::new(
            "InvalidAction",
            format!("Could not find operation {operation}"),
        )),
    }
}

/// Each code is good once.
fn check_mfa(core: &Core, body: &Value) -> Result<(), ApiError> {
    let codes = &core.script.mfa_codes;
    if codes.is_empty() {
        return Ok(());
    }
    let refused = |why: &str| {
        let message = format!("MultiFactorAuthentication failed{why}");
        Err(ApiError::new("AccessDenied", message).with_status(403))
    };
    let (Some(_), Some(code)) = (body["SerialNumber"].as_str(), body["TokenCode"].as_str()) else {
        return refused(", must provide both MFA serial number and one time pass code.");
    };
    let is_fresh = core.change(|state| {
        let is_fresh = !state.used_mfa_codes.iter().any(|used| used == code);
        state.used_mfa_codes.push(code.to_owned());
        is_fresh
    });
    match is_fresh && codes.iter().any(|known| known == code) {
        true => Ok(()),
        false => refused(" with invalid MFA one time pass code. "),
    }
}

/// A role session lasts 12 hours at most.
const LONGEST: u64 = 12 * 3600;

fn assume_role(core: &Core, body: &Value) -> Result<Value, ApiError> {
    let member = |name: &str| {
        let value = body[name].as_str().filter(|value| !value.is_empty());
        value.ok_or_else(|| ApiError::new("ValidationError", format!("{name} must not be empty")))
    };
    let (role, session) = (member("RoleArn")?, member("RoleSessionName")?);
    check_mfa(core, body)?;
    let name = role.rsplit('/').next().unwrap_or_default();
    let seconds = body["DurationSeconds"]
        .as_str()
        .and_then(|text| text.parse().ok());
    let lifetime = Duration::from_secs(seconds.unwrap_or(3600).min(LONGEST));
    let expiration = OffsetDateTime::from(core.wall(Instant::now()) + lifetime);
    Ok(json!({
        "AssumedRoleUser": {
            "AssumedRoleId": format!("AROAASSUMED:{session}"),
            "Arn": format!("arn:aws:sts::{}:assumed-role/{name}/{session}", core.script.account),
        },
        "Credentials": {
            "AccessKeyId": "ASIASIMULATED0000000",
            "SecretAccessKey": "simulated-secret",
            "SessionToken": "simulated-session-token",
            "Expiration": expiration.format(&Rfc3339).expect("a year of four digits"),
        },
    }))
}

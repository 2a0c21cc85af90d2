//! `POST /v1/mfa?code=123456[&bastion=NAME]`: a code of an MFA device. Queries are never logged.

use std::fmt;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;

use super::{
    Command, Door, Refusal,
    server::{find_bastion, json, obeyed},
};

/// A code that shows in no log.
#[derive(PartialEq, Eq)]
pub struct MfaCode(String);

impl MfaCode {
    /// Six digits.
    pub fn into_digits(self) -> String {
        self.0
    }
}

impl fmt::Debug for MfaCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MfaCode(…)")
    }
}

/// Gives the code to the account that waits for it, and answers when AWS has taken it.
pub(super) async fn give(door: &Door, query: &str) -> Result<Response<Full<Bytes>>, Box<Refusal>> {
    let (code, bastion) = parse(query)?;
    if let Some(name) = &bastion {
        find_bastion(door, name)?;
    }
    obeyed(door, |reply| Command::Mfa {
        bastion,
        code,
        reply,
    })
    .await?;
    let taken = serde_json::json!({ "state": "taken" });
    Ok(json(200, "application/json", &taken))
}

fn parse(query: &str) -> Result<(MfaCode, Option<String>), Box<Refusal>> {
    let (mut code, mut bastion) = (String::new(), None);
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*key {
            "code" => code = value.into_owned(),
            "bastion" => bastion = Some(value.into_owned()),
            _ => {
                let detail = format!("`{key}` means nothing here");
                return Err(Refusal::new(400, "unknown_query", detail));
            }
        }
    }
    if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        let refusal = Refusal::new(400, "wrong_code", "an MFA code has six digits");
        return Err(refusal.hint(Some("bastiond ctl mfa CODE".to_owned())));
    }
    Ok((MfaCode(code), bastion))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_six_digits_and_may_name_a_bastion() {
        let parsed = parse("code=012345&bastion=prod%2Deu").unwrap();
        let code = || MfaCode("012345".to_owned());
        assert_eq!(parsed, (code(), Some("prod-eu".to_owned())));
        assert!(!format!("{parsed:?}").contains("012345"));
        assert_eq!(parse("code=012345").unwrap().1, None);
        for query in ["", "code=", "code=12345", "code=1234567", "code=12345x"] {
            assert_eq!(parse(query).unwrap_err().code, "wrong_code", "{query}");
        }
        assert_eq!(parse("code=012345&x=1").unwrap_err().code, "unknown_query");
    }
}

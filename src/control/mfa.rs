//! `POST /v1/mfa?code=123456[&bastion=NAME]`: a code of an MFA device. Queries are never logged.

use std::fmt;

use super::{Refusal, code::Code, query::Query};

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

/// The code of a call.
pub(super) fn read(query: &Query) -> Result<MfaCode, Box<Refusal>> {
    let code = query.text("code").unwrap_or_default();
    if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        let refusal = Refusal::new(Code::WrongMfa, "an MFA code has six digits");
        return Err(refusal.hint(Some("bastiond ctl mfa CODE".to_owned())));
    }
    Ok(MfaCode(code.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::call::Call;

    fn code_of(query: &str) -> Result<MfaCode, Box<Refusal>> {
        read(&Query::read(Some(query), Call::Mfa)?)
    }

    #[test]
    fn a_code_has_six_digits_and_shows_in_no_log() {
        let code = code_of("code=012345&bastion=prod%2Deu").unwrap();
        assert_eq!(code, MfaCode("012345".to_owned()));
        assert!(!format!("{code:?}").contains("012345"));
        for query in ["", "code=", "code=12345", "code=1234567", "code=12345x"] {
            assert_eq!(code_of(query).unwrap_err().code, "wrong_code", "{query}");
        }
        assert_eq!(
            code_of("code=012345&x=1").unwrap_err().code,
            "unknown_query"
        );
    }
}

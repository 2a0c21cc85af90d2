//! Who AWS says we are.

use super::{Aws, Error};

/// Who AWS says we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account's twelve digits.
    pub account: String,
    /// The ARN of the user or of the assumed role's session.
    pub arn: String,
    /// The unique id, `AROA…:<session>` for a role.
    pub user_id: String,
}

/// An identity and the key it was asked with.
pub(super) struct Known {
    access_key_id: String,
    identity: Identity,
}

impl Aws {
    /// Who we are; asked once for each set of credentials. Needs no permission, so it also tells whether
    /// the credentials work.
    pub async fn identity(&self) -> Result<Identity, Error> {
        let key = self.key("GetCallerIdentity").await?;
        if let Some(identity) = self.known(&key) {
            return Ok(identity);
        }
        let reply = self
            .call("GetCallerIdentity", || {
                self.0.clients.sts().get_caller_identity().send()
            })
            .await?;
        let identity = Identity {
            account: reply.account.unwrap_or_default(),
            arn: reply.arn.unwrap_or_default(),
            user_id: reply.user_id.unwrap_or_default(),
        };
        let known = Known {
            access_key_id: key,
            identity: identity.clone(),
        };
        self.0.identity.send_replace(Some(known));
        Ok(identity)
    }

    /// Who we were when last asked, without asking.
    pub fn last_identity(&self) -> Option<Identity> {
        self.0
            .identity
            .borrow()
            .as_ref()
            .map(|known| known.identity.clone())
    }

    fn known(&self, key: &str) -> Option<Identity> {
        let known = self.0.identity.borrow();
        known
            .as_ref()
            .filter(|known| known.access_key_id == key)
            .map(|known| known.identity.clone())
    }
}

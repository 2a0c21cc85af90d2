//! The data key of an account that encrypts its shells.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::pin::Pin;

use super::Session;
use crate::aws::{DataKey, Error};

/// The call for a data key, under way.
pub type KeyCall = Pin<Box<dyn Future<Output = Result<DataKey, Error>> + Send>>;

impl Session {
    pub(super) fn ask_for_key(&mut self, key_id: String, challenge: Option<String>) {
        let session = self.id.as_ref().map(ToString::to_string);
        let aws = self.plan.aws.clone();
        let target = self.plan.opening.target().to_owned();
        self.key = Some(Box::pin(async move {
            let mut context = BTreeMap::from([
                ("aws:ssm:SessionId".to_owned(), session.unwrap_or_default()),
                ("aws:ssm:TargetId".to_owned(), target),
            ]);
            if let Some(challenge) = challenge {
                context.insert("aws:ssm:RandomChallenge".to_owned(), challenge);
            }
            aws.data_key(&key_id, &context).await
        }));
    }

    pub(super) fn take_key(&mut self, made: Result<DataKey, Error>) {
        self.key = None;
        match made {
            Ok(key) => self.protocol.provide_key(&key.plain, &key.encrypted),
            Err(error) => {
                let hint = error.hint().map(|hint| format!(" ({hint})"));
                let why = format!(
                    "the account encrypts shells, and there is no data key: {error}{}",
                    hint.unwrap_or_default()
                );
                self.protocol.refuse_key(&why);
            }
        }
    }
}

/// Its answer; without a call there never is one.
pub async fn under_way(call: &mut Option<KeyCall>) -> Result<DataKey, Error> {
    match call {
        Some(call) => call.await,
        None => pending().await,
    }
}

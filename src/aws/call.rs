//! One call, with what can be mended at once mended: credentials that ran out or were replaced, and a wrong clock.

use std::error::Error as StdError;

use aws_sdk_ecs::error::ProvideErrorMetadata;
use aws_smithy_runtime_api::{client::result::SdkError, http::Response};

use super::{
    Aws,
    classify::{self, Remedy},
    error::Error,
    login,
};

impl Aws {
    /// Makes a call. Credentials are resolved before its time starts to run. It is sent once more when AWS refused to
    /// look at it for a reason that may be mended by then: such a request was never acted on.
    pub(super) async fn call<T, E, F>(
        &self,
        operation: &'static str,
        send: impl Fn() -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, SdkError<E, Response>>>,
        E: StdError + ProvideErrorMetadata + 'static,
    {
        let key = self.key(operation).await?;
        let mut outcome = send().await;
        let failed = outcome.as_ref().err();
        let remedy = failed.and_then(|error| classify::remedy(error, self.0.clock.skew()));
        if let Some(remedy) = remedy
            && self.is_mended(remedy, operation, &key).await?
        {
            outcome = send().await;
        }
        let outcome = outcome.map_err(|error| {
            classify::from_sdk(operation, &error, self.0.clock.skew(), &self.0.caller)
        });
        match &outcome {
            Ok(_) => self.0.credentials.note(None),
            Err(error) if error.needs_login() => self.0.credentials.note(Some(error)),
            Err(_) => {}
        }
        outcome
    }

    /// The access key in force.
    pub(super) async fn key(&self, operation: &'static str) -> Result<String, Error> {
        let credentials = self.0.credentials.resolve().await;
        let credentials = credentials
            .map_err(|error| login::from_credentials(operation, &error, &self.0.caller))?;
        Ok(credentials.access_key_id().to_owned())
    }

    /// Does what `remedy` asks for; true if the request may succeed now.
    async fn is_mended(
        &self,
        remedy: Remedy,
        operation: &'static str,
        key: &str,
    ) -> Result<bool, Error> {
        match remedy {
            Remedy::Replace => {
                self.0.credentials.forget(key).await;
                self.key(operation).await.map(|fresh| fresh != key)
            }
            // The SDK has seen the answer's date too, and signs the next request by it.
            Remedy::Clock => Ok(true),
        }
    }
}

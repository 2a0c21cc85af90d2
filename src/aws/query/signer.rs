//! Signs each attempt by the time that AWS has.

use std::{fmt, time::SystemTime};

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeTransmitInterceptorContextMut},
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;

use crate::aws::{
    clock::Clock,
    sign::{self, Scope},
};

/// What a signature is made from.
pub(super) struct Signer {
    pub(super) credentials: Credentials,
    pub(super) clock: Clock,
    pub(super) service: &'static str,
    pub(super) region: String,
    /// What is signed beside the host and the date.
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Intercept for Signer {
    fn name(&self) -> &'static str {
        "Signer"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let scope = Scope {
            service: self.service,
            region: &self.region,
            time: self.clock.corrected(SystemTime::now()),
        };
        let body = request.body().bytes().unwrap_or_default();
        let signed =
            sign::post_headers(request.uri(), &self.headers, body, &self.credentials, scope)?;
        for (name, value) in &signed {
            let value = value.to_str()?.to_owned();
            request.headers_mut().try_insert(name.to_string(), value)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.service)
    }
}

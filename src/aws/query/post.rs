//! One signed POST of a service that no crate of the SDK is kept for, carried by the SDK's orchestrator: retries, time
//! limits and failures are those of every other call.

use std::fmt::Debug;

use aws_config::BehaviorVersion;
use aws_credential_types::provider::error::CredentialsError;
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_smithy_runtime::client::{
    orchestrator::operation::Operation,
    retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier},
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        orchestrator::{HttpRequest, HttpResponse, OrchestratorError},
        result::SdkError,
    },
};
use aws_smithy_types::{body::SdkBody, retry::RetryConfig};

use super::{signer::Signer, xml::Refused};
use crate::aws::Aws;

/// A request.
#[derive(Clone, Debug)]
pub(in crate::aws) struct Post {
    /// As signatures call the service.
    pub service: &'static str,
    /// The operation's name.
    pub operation: &'static str,
    /// Where it is sent.
    pub endpoint: String,
    /// Such as `/`.
    pub path: &'static str,
    /// The region that its signature names.
    pub region: String,
    /// Its headers, all of which are signed.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: String,
}

impl Aws {
    /// Where `service` is.
    pub fn service_url(&self, service: &str) -> String {
        self.0.query.endpoints.of(service)
    }

    /// Sends it, and has `read` read the answer.
    pub(in crate::aws) async fn post<T>(
        &self,
        post: Post,
        read: impl Fn(&HttpResponse) -> Result<T, OrchestratorError<Refused>> + Send + Sync + 'static,
    ) -> Result<T, SdkError<Refused, HttpResponse>>
    where
        T: Debug + Send + Sync + 'static,
    {
        let credentials = self.0.credentials.resolve().await;
        let credentials = credentials.map_err(|error| {
            SdkError::construction_failure(CredentialsError::provider_error(error))
        })?;
        let signer = Signer {
            credentials,
            clock: self.0.clock.clone(),
            service: post.service,
            region: post.region.clone(),
            headers: post.headers.clone(),
        };
        let transport = &self.0.query;
        let Some(http) = transport.http.clone() else {
            return Err(SdkError::construction_failure("there is no HTTP client"));
        };
        let operation = Operation::builder()
            .service_name(post.service)
            .operation_name(post.operation)
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .endpoint_url(&post.endpoint)
            .no_auth()
            .interceptor(self.0.clock.clone())
            .interceptor(signer)
            .timeout_config(transport.timeouts.into())
            .standard_retry(&RetryConfig::standard().with_max_attempts(3))
            .retry_classifier(HttpStatusCodeClassifier::default())
            .retry_classifier(TransientErrorClassifier::<Refused>::new())
            .retry_classifier(AwsErrorCodeClassifier::<Refused>::new())
            .serializer(request)
            .deserializer(read)
            .build();
        operation.invoke(post).await
    }
}

fn request(post: Post) -> Result<HttpRequest, BoxError> {
    let length = post.body.len().to_string();
    let mut request = HttpRequest::new(SdkBody::from(post.body));
    request.set_method("POST")?;
    request.set_uri(post.path)?;
    let headers = request.headers_mut();
    for (name, value) in post.headers {
        headers.try_insert(name, value)?;
    }
    headers.try_insert("content-length", length)?;
    headers.try_insert(
        "user-agent",
        concat!("bastiond/", env!("CARGO_PKG_VERSION")),
    )?;
    Ok(request)
}

/// A good status with something that cannot be read is a proxy's or a captive portal's: it may pass.
pub(in crate::aws) fn unread(error: &dyn std::fmt::Display) -> OrchestratorError<Refused> {
    OrchestratorError::response(format!("the answer is not to be read: {error}").into())
}

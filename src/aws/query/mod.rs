//! The Query protocol of RDS, ElastiCache and Redshift: a form goes out, XML comes back.
//!
//! Some fields of three services do not earn three more crates of the SDK, which take minutes to compile. The SDK's
//! orchestrator carries the calls all the same, so that retries, time limits and failures are those of every other
//! call.

mod endpoint;
mod signer;
mod xml;

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
        http::SharedHttpClient,
        orchestrator::{HttpRequest, HttpResponse, OrchestratorError},
        result::SdkError,
    },
};
use aws_smithy_types::{body::SdkBody, retry::RetryConfig};
use aws_types::SdkConfig;
use form_urlencoded::Serializer;
use serde::de::DeserializeOwned;

use super::{
    Aws, Timeouts,
    error::{Error, Kind},
};
use endpoint::Endpoints;
use signer::Signer;
pub(super) use xml::Items;
use xml::{Page, Refused};

/// What AWS takes for one, at most a hundred entries each (RDS API model): far above what an account holds.
const MOST_PAGES: usize = 50;
const PAGE_SIZE: &str = "100";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// A service that speaks the Query protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// RDS, and with it DocumentDB and Neptune.
    Rds,
    ElastiCache,
    Redshift,
}

impl Service {
    /// As host names, signatures and IAM call it.
    fn name(self) -> &'static str {
        match self {
            Self::Rds => "rds",
            Self::ElastiCache => "elasticache",
            Self::Redshift => "redshift",
        }
    }

    /// The version of its API.
    fn version(self) -> &'static str {
        match self {
            Self::Rds => "2014-10-31",
            Self::ElastiCache => "2015-02-02",
            Self::Redshift => "2012-12-01",
        }
    }
}

/// A call that describes things of one kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    pub(super) service: Service,
    /// The action, such as `DescribeDBClusters`.
    pub(super) action: &'static str,
    /// The parameter that asks for one of them only.
    pub(super) by_id: &'static str,
}

/// How such calls are sent.
pub(super) struct Transport {
    http: Option<SharedHttpClient>,
    endpoints: Endpoints,
    timeouts: Timeouts,
}

impl Transport {
    /// With the client, endpoint and variants of `sdk`.
    pub(super) fn new(sdk: &SdkConfig, timeouts: Timeouts) -> Self {
        Self {
            http: sdk.http_client(),
            endpoints: Endpoints::new(sdk),
            timeouts,
        }
    }
}

impl Aws {
    /// The descriptions of one thing, or of all; all pages of them.
    pub(super) async fn describe<T>(&self, list: List, id: Option<&str>) -> Result<Vec<T>, Error>
    where
        T: DeserializeOwned + Debug + Send + Sync + 'static,
    {
        let mut found = Vec::new();
        let mut marker = None;
        for _ in 0..MOST_PAGES {
            let form = form(list, id, marker.as_deref());
            let page: Page<T> = self
                .call(list.action, || self.send(list, form.clone()))
                .await?;
            found.extend(page.items);
            marker = page.marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(found);
            }
        }
        let message = format!("there are more than {MOST_PAGES} pages");
        Err(self.failure(list.action, None, message, Kind::Other))
    }

    async fn send<T>(
        &self,
        list: List,
        form: String,
    ) -> Result<Page<T>, SdkError<Refused, HttpResponse>>
    where
        T: DeserializeOwned + Debug + Send + Sync + 'static,
    {
        let credentials = self.0.credentials.resolve().await;
        let credentials = credentials.map_err(|error| {
            SdkError::construction_failure(CredentialsError::provider_error(error))
        })?;
        let signer = Signer {
            credentials,
            clock: self.0.clock.clone(),
            service: list.service.name(),
            region: self.region().to_owned(),
        };
        let transport = &self.0.query;
        let Some(http) = transport.http.clone() else {
            return Err(SdkError::construction_failure("there is no HTTP client"));
        };
        let operation = Operation::builder()
            .service_name(list.service.name())
            .operation_name(list.action)
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .endpoint_url(&transport.endpoints.of(list.service.name()))
            .no_auth()
            .interceptor(self.0.clock.clone())
            .interceptor(signer)
            .timeout_config(transport.timeouts.into())
            .standard_retry(&RetryConfig::standard().with_max_attempts(3))
            .retry_classifier(HttpStatusCodeClassifier::default())
            .retry_classifier(TransientErrorClassifier::<Refused>::new())
            .retry_classifier(AwsErrorCodeClassifier::<Refused>::new())
            .serializer(request)
            .deserializer(answer::<T>)
            .build();
        operation.invoke(form).await
    }
}

fn form(list: List, id: Option<&str>, marker: Option<&str>) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("Action", list.action);
    form.append_pair("Version", list.service.version());
    if let Some(id) = id {
        form.append_pair(list.by_id, id);
    } else {
        form.append_pair("MaxRecords", PAGE_SIZE);
    }
    if let Some(marker) = marker {
        form.append_pair("Marker", marker);
    }
    form.finish()
}

fn request(form: String) -> Result<HttpRequest, BoxError> {
    let length = form.len().to_string();
    let mut request = HttpRequest::new(SdkBody::from(form));
    request.set_method("POST")?;
    request.set_uri("/")?;
    let headers = request.headers_mut();
    headers.try_insert("content-type", FORM)?;
    headers.try_insert("content-length", length)?;
    headers.try_insert(
        "user-agent",
        concat!("bastiond/", env!("CARGO_PKG_VERSION")),
    )?;
    Ok(request)
}

/// A good status with something else than XML is a proxy's or a captive portal's: it may pass.
fn answer<T>(response: &HttpResponse) -> Result<Page<T>, OrchestratorError<Refused>>
where
    T: DeserializeOwned,
{
    let text = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
    if !response.status().is_success() {
        let refused = xml::refused(response.status().as_u16(), &text);
        return Err(OrchestratorError::operation(refused));
    }
    xml::page(&text).map_err(|error| {
        OrchestratorError::response(format!("the answer is not to be read: {error}").into())
    })
}

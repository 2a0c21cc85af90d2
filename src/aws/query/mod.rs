//! The Query protocol of RDS, ElastiCache and Redshift, and its dialect that EC2 speaks: a form goes out, XML comes back.
//!
//! Some fields of a few services do not earn as many more crates of the SDK, which take minutes to compile. The SDK's
//! orchestrator carries the calls all the same, so that retries, time limits and failures are those of every other
//! call.

mod endpoint;
mod form;
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
use serde::de::DeserializeOwned;

use super::{
    Aws, Timeouts,
    error::{Error, Kind},
};
use endpoint::Endpoints;
pub(super) use form::Form;
use signer::Signer;
pub(super) use xml::Items;
use xml::{Page, Refused};

/// What AWS takes for one, at most a hundred entries each (RDS API model): far above what an account holds.
const MOST_PAGES: usize = 50;
const PAGE_SIZE: &str = "100";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// Reads the XML of an answer.
pub(super) type Read<T> = fn(&str) -> Result<T, quick_xml::DeError>;

/// A service that speaks the Query protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// RDS, and with it DocumentDB and Neptune.
    Rds,
    ElastiCache,
    Redshift,
    Ec2,
}

/// What services of the Query protocol do differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    /// `ActionResult` around the answer, and a `Marker` for the next page.
    Plain,
    /// No such element, lists of `item`, and a `nextToken`.
    Ec2,
}

impl Service {
    /// As host names, signatures and IAM call it.
    fn name(self) -> &'static str {
        match self {
            Self::Rds => "rds",
            Self::ElastiCache => "elasticache",
            Self::Redshift => "redshift",
            Self::Ec2 => "ec2",
        }
    }

    /// The version of its API.
    fn version(self) -> &'static str {
        match self {
            Self::Rds => "2014-10-31",
            Self::ElastiCache => "2015-02-02",
            Self::Redshift => "2012-12-01",
            Self::Ec2 => "2016-11-15",
        }
    }

    fn dialect(self) -> Dialect {
        match self {
            Self::Ec2 => Dialect::Ec2,
            Self::Rds | Self::ElastiCache | Self::Redshift => Dialect::Plain,
        }
    }
}

/// A call of such a service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) service: Service,
    /// The action, such as `StartInstances`.
    pub(super) action: &'static str,
}

/// A call that describes things of one kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    pub(super) service: Service,
    /// The action, such as `DescribeDBClusters`.
    pub(super) action: &'static str,
    /// The parameter that asks for one of them only; empty where filters do that.
    pub(super) by_id: &'static str,
}

impl List {
    fn call(self) -> Call {
        Call {
            service: self.service,
            action: self.action,
        }
    }
}

/// What narrows a list of EC2 down: one of the values must be the property's, to the letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    name: String,
    values: Vec<String>,
}

impl Filter {
    /// Such as `vpc-id`, with its values.
    pub fn new<T: AsRef<str>>(name: &str, values: impl IntoIterator<Item = T>) -> Self {
        // To EC2 these are patterns.
        let literal = |value: T| {
            let mut text = String::new();
            for c in value.as_ref().chars() {
                if matches!(c, '*' | '?' | '\\') {
                    text.push('\\');
                }
                text.push(c);
            }
            text
        };
        Self {
            name: name.to_owned(),
            values: values.into_iter().map(literal).collect(),
        }
    }

    /// A tag with this value.
    pub fn tag(key: &str, value: &str) -> Self {
        Self::new(&format!("tag:{key}"), [value])
    }
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
        let mut form = Form::of(list.call());
        match id {
            Some(id) => form.add(list.by_id, id),
            None => form.add("MaxRecords", PAGE_SIZE),
        }
        self.pages(list, &form, "Marker").await
    }

    /// The descriptions of what passes all filters; all pages of them.
    pub(super) async fn select<T>(&self, list: List, filters: &[Filter]) -> Result<Vec<T>, Error>
    where
        T: DeserializeOwned + Debug + Send + Sync + 'static,
    {
        let mut form = Form::of(list.call());
        for (index, filter) in filters.iter().enumerate() {
            let name = format!("Filter.{}", index + 1);
            form.add(&format!("{name}.Name"), &filter.name);
            form.add_all(&format!("{name}.Value"), &filter.values);
        }
        form.add("MaxResults", PAGE_SIZE);
        self.pages(list, &form, "NextToken").await
    }

    /// One call; `read` makes what is wanted of its XML.
    pub(super) async fn ask<T>(&self, call: Call, form: &Form, read: Read<T>) -> Result<T, Error>
    where
        T: Debug + Send + Sync + 'static,
    {
        self.call(call.action, || self.send(call, form.text(), read))
            .await
    }

    async fn pages<T>(&self, list: List, first: &Form, next: &str) -> Result<Vec<T>, Error>
    where
        T: DeserializeOwned + Debug + Send + Sync + 'static,
    {
        let read = match list.service.dialect() {
            Dialect::Plain => xml::page::<T>,
            Dialect::Ec2 => xml::ec2_page::<T>,
        };
        let (mut found, mut form) = (Vec::new(), first.clone());
        for _ in 0..MOST_PAGES {
            let page: Page<T> = self.ask(list.call(), &form, read).await?;
            found.extend(page.items);
            let Some(marker) = page.marker.filter(|marker| !marker.is_empty()) else {
                return Ok(found);
            };
            form = first.clone();
            form.add(next, &marker);
        }
        let message = format!("there are more than {MOST_PAGES} pages");
        Err(self.failure(list.action, None, message, Kind::Other))
    }

    async fn send<T>(
        &self,
        call: Call,
        form: String,
        read: Read<T>,
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
            service: call.service.name(),
            region: self.region().to_owned(),
        };
        let transport = &self.0.query;
        let Some(http) = transport.http.clone() else {
            return Err(SdkError::construction_failure("there is no HTTP client"));
        };
        let operation = Operation::builder()
            .service_name(call.service.name())
            .operation_name(call.action)
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .endpoint_url(&transport.endpoints.of(call.service.name()))
            .no_auth()
            .interceptor(self.0.clock.clone())
            .interceptor(signer)
            .timeout_config(transport.timeouts.into())
            .standard_retry(&RetryConfig::standard().with_max_attempts(3))
            .retry_classifier(HttpStatusCodeClassifier::default())
            .retry_classifier(TransientErrorClassifier::<Refused>::new())
            .retry_classifier(AwsErrorCodeClassifier::<Refused>::new())
            .serializer(request)
            .deserializer(move |response: &HttpResponse| answer(response, read))
            .build();
        operation.invoke(form).await
    }
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
fn answer<T>(response: &HttpResponse, read: Read<T>) -> Result<T, OrchestratorError<Refused>> {
    let text = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
    if !response.status().is_success() {
        let refused = xml::refused(response.status().as_u16(), &text);
        return Err(OrchestratorError::operation(refused));
    }
    read(&text).map_err(|error| {
        OrchestratorError::response(format!("the answer is not to be read: {error}").into())
    })
}

//! The Query protocol of RDS, ElastiCache and Redshift, and its dialect that EC2 speaks: a form goes out, XML comes back.
//!
//! Some fields of a few services do not earn as many more crates of the SDK, which take minutes to compile. The SDK's
//! orchestrator carries the calls all the same, so that retries, time limits and failures are those of every other
//! call.

mod endpoint;
mod form;
mod post;
mod signer;
mod xml;

use std::fmt::Debug;

use aws_smithy_runtime_api::client::{
    http::SharedHttpClient,
    orchestrator::{HttpResponse, OrchestratorError},
    result::SdkError,
};
use aws_types::SdkConfig;
use serde::de::DeserializeOwned;

use super::{
    Aws, Timeouts,
    error::{Error, Kind},
};
use endpoint::Endpoints;
pub(super) use form::Form;
pub(super) use post::{Post, unread};
use xml::Page;
pub(super) use xml::{Items, Refused};

/// What AWS takes for one, at most a hundred entries each (RDS API model): far above what an account holds.
const MOST_PAGES: usize = 50;
const PAGE_SIZE: &str = "100";
pub(super) const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

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
    Iam,
    CloudFormation,
    CloudWatch,
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
            Self::Iam => "iam",
            Self::CloudFormation => "cloudformation",
            Self::CloudWatch => "monitoring",
        }
    }

    /// The version of its API.
    fn version(self) -> &'static str {
        match self {
            Self::Rds => "2014-10-31",
            Self::ElastiCache => "2015-02-02",
            Self::Redshift => "2012-12-01",
            Self::Ec2 => "2016-11-15",
            Self::Iam => "2010-05-08",
            Self::CloudFormation => "2010-05-15",
            Self::CloudWatch => "2010-08-01",
        }
    }

    fn dialect(self) -> Dialect {
        match self {
            Self::Ec2 => Dialect::Ec2,
            Self::Rds
            | Self::ElastiCache
            | Self::Redshift
            | Self::Iam
            | Self::CloudFormation
            | Self::CloudWatch => Dialect::Plain,
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
        let service = call.service.name();
        let post = Post {
            service,
            operation: call.action,
            endpoint: self.service_url(service),
            path: "/",
            region: self.0.query.endpoints.signing_region(service),
            headers: vec![("content-type", FORM.to_owned())],
            body: form,
        };
        self.post(post, move |response| answer(response, read))
            .await
    }
}

fn answer<T>(response: &HttpResponse, read: Read<T>) -> Result<T, OrchestratorError<Refused>> {
    let text = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
    if !response.status().is_success() {
        let refused = xml::refused(response.status().as_u16(), &text);
        return Err(OrchestratorError::operation(refused));
    }
    read(&text).map_err(|error| unread(&error))
}

//! Calls of services that speak the JSON protocol and for whose few fields no crate of the SDK is kept.

use std::fmt::Debug;

use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    Aws,
    error::Error,
    query::{Post, Refused, unread},
};

/// A service, as signatures call it.
#[derive(Clone, Copy)]
pub(super) struct Service {
    name: &'static str,
    calls: Calls,
}

/// How its operations are told apart.
#[derive(Clone, Copy)]
enum Calls {
    /// By a header, with this versioned name before theirs.
    ByTarget(&'static str),
    /// By their path: this one.
    ByPath(&'static str),
}

impl Service {
    pub(super) const fn new(name: &'static str, prefix: &'static str) -> Self {
        let calls = Calls::ByTarget(prefix);
        Self { name, calls }
    }

    pub(super) const fn rest(name: &'static str, path: &'static str) -> Self {
        let calls = Calls::ByPath(path);
        Self { name, calls }
    }
}

const LOGS: Service = Service::new("logs", "Logs_20140328");
const QUOTAS: Service = Service::new("servicequotas", "ServiceQuotasV20190624");

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Quota {
    quota: QuotaValue,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct QuotaValue {
    value: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct LogGroups {
    log_groups: Vec<LogGroup>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct LogGroup {
    log_group_name: String,
}

impl Aws {
    /// Whether a log group of this name exists.
    pub async fn has_log_group(&self, name: &str) -> Result<bool, Error> {
        let ask = || json!({"logGroupNamePrefix": name, "limit": 50});
        let found: LogGroups = self
            .call("DescribeLogGroups", || {
                self.ask_json(LOGS, "DescribeLogGroups", ask())
            })
            .await?;
        // Groups come in the order of their names, so that this one is the first of those that begin with it.
        Ok(found.log_groups.iter().any(|it| it.log_group_name == name))
    }

    /// The value of a quota of Fargate, by its code.
    pub async fn fargate_quota(&self, code: &'static str) -> Result<Option<f64>, Error> {
        let ask = || json!({"ServiceCode": "fargate", "QuotaCode": code});
        let found: Quota = self
            .call("GetServiceQuota", || {
                self.ask_json(QUOTAS, "GetServiceQuota", ask())
            })
            .await?;
        Ok(found.quota.value)
    }

    pub(super) async fn ask_json<T>(
        &self,
        service: Service,
        operation: &'static str,
        body: Value,
    ) -> Result<T, aws_smithy_runtime_api::client::result::SdkError<Refused, HttpResponse>>
    where
        T: DeserializeOwned + Debug + Send + Sync + 'static,
    {
        let (path, headers) = match service.calls {
            Calls::ByTarget(prefix) => {
                let kind = ("content-type", "application/x-amz-json-1.1".to_owned());
                let target = ("x-amz-target", format!("{prefix}.{operation}"));
                ("/", vec![kind, target])
            }
            Calls::ByPath(path) => {
                let kind = ("content-type", "application/json".to_owned());
                (path, vec![kind])
            }
        };
        let post = Post {
            service: service.name,
            operation,
            endpoint: self.service_url(service.name),
            path,
            region: self.region().to_owned(),
            headers,
            body: body.to_string(),
        };
        self.post(post, answer::<T>).await
    }
}

/// What a refusal says. Services disagree about the letter that `message` begins with.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Told {
    #[serde(rename = "__type")]
    code: Option<String>,
    #[serde(alias = "Message")]
    message: Option<String>,
}

/// `com.amazonaws.x#AccessDeniedException` and `AccessDeniedException:http://…` are forms of the same.
fn plain(code: &str) -> &str {
    let (_, code) = code.rsplit_once('#').unwrap_or(("", code));
    code.split(':').next().unwrap_or_default()
}

fn answer<T: DeserializeOwned>(response: &HttpResponse) -> Result<T, OrchestratorError<Refused>> {
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        return serde_json::from_slice(body).map_err(|error| unread(&error));
    }
    let told: Told = serde_json::from_slice(body).unwrap_or_default();
    // Those whose operations have paths tell it in a header.
    let header = response.headers().get("x-amzn-errortype");
    let code = told.code.or_else(|| header.map(str::to_owned));
    let code = code.map(|code| plain(&code).to_owned());
    let refused = Refused::new(response.status().as_u16(), code, told.message);
    Err(OrchestratorError::operation(refused))
}

//! Calls of services that speak the JSON protocol and for whose few fields no crate of the SDK is kept.

use std::fmt::Debug;

use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    Aws,
    error::Error,
    query::{Post, Refused, unread},
    usage::{Quota, UsageMetric},
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
const ECR: Service = Service::new("ecr", "AmazonEC2ContainerRegistry_V20150921");

/// The lists in which an image names its variants, each for an architecture; an image with one variant has none.
const IMAGE_LISTS: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct ToldQuota {
    quota: QuotaValue,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct QuotaValue {
    value: Option<f64>,
    usage_metric: Option<UsageMetric>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Images {
    images: Vec<ImageRecord>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ImageRecord {
    image_manifest: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Manifest {
    manifests: Vec<Variant>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Variant {
    platform: Platform,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Platform {
    architecture: String,
}

/// An image in ECR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The account that it is in.
    pub registry: String,
    /// The region that it is in.
    pub region: String,
    /// Its repository.
    pub repository: String,
    /// Its tag, or its digest.
    pub version: String,
}

impl Image {
    /// Takes `ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG` apart; `None` for what is elsewhere.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, rest) = text.split_once('/')?;
        let (registry, of_region) = host
            .split_once(".dkr.ecr.")
            .or(host.split_once(".dkr-ecr."))?;
        let region = of_region.split('.').next()?.to_owned();
        let (repository, version) = match rest.split_once('@') {
            Some((name, digest)) => (name.split(':').next()?, digest),
            None => rest.split_once(':').unwrap_or((rest, "latest")),
        };
        Some(Self {
            registry: registry.to_owned(),
            region,
            repository: repository.to_owned(),
            version: version.to_owned(),
        })
    }

    fn asked(&self) -> Value {
        let by = match self.version.starts_with("sha256:") {
            true => "imageDigest",
            false => "imageTag",
        };
        json!({
            "registryId": self.registry,
            "repositoryName": self.repository,
            "imageIds": [{by: self.version}],
            "acceptedMediaTypes": IMAGE_LISTS,
        })
    }
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

    /// The architectures that an image of ECR has variants for, such as `arm64`; none where it does not tell, because it
    /// has one only.
    pub async fn image_architectures(&self, image: &Image) -> Result<Vec<String>, Error> {
        let found: Images = self
            .call("BatchGetImage", || {
                self.ask_json(ECR, "BatchGetImage", image.asked())
            })
            .await?;
        let mut architectures = Vec::new();
        for image in found.images {
            // A text that is no manifest tells no architecture.
            let manifest: Manifest =
                serde_json::from_str(&image.image_manifest).unwrap_or_default();
            let told = manifest
                .manifests
                .into_iter()
                .map(|it| it.platform.architecture);
            // Attestations stand beside the variants.
            architectures.extend(told.filter(|it| !it.is_empty() && it != "unknown"));
        }
        Ok(architectures)
    }

    /// A quota of Fargate, by its code; `None` where AWS does not tell its value.
    pub async fn fargate_quota(&self, code: &'static str) -> Result<Option<Quota>, Error> {
        let ask = || json!({"ServiceCode": "fargate", "QuotaCode": code});
        let found: ToldQuota = self
            .call("GetServiceQuota", || {
                self.ask_json(QUOTAS, "GetServiceQuota", ask())
            })
            .await?;
        let QuotaValue {
            value,
            usage_metric: metric,
        } = found.quota;
        Ok(value.map(|value| Quota { value, metric }))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_of_ecr_is_taken_apart_and_others_are_not() {
        let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        for (rest, repository, version) in [
            ("busybox", "busybox", "latest"),
            ("a/busybox:1.37", "a/busybox", "1.37"),
            ("busybox:1@sha256:00ff", "busybox", "sha256:00ff"),
        ] {
            let image = Image::parse(&format!("{host}/{rest}")).unwrap();
            assert_eq!(
                (image.registry.as_str(), image.region.as_str()),
                ("123456789012", "eu-west-1")
            );
            assert_eq!(
                (image.repository.as_str(), image.version.as_str()),
                (repository, version)
            );
        }
        for other in ["busybox", "public.ecr.aws/docker/library/busybox:1"] {
            assert_eq!(Image::parse(other), None);
        }
    }
}

//! The calls to AWS: ECS, SSM, STS, and what tells of databases and networks, with one way of authenticating, one set of
//! limits, and one kind of error that says what it means and what to do.
//!
//! Deciding when to call is left to `bastion` and `tunnel`; the way there to `net`. Every call ends within
//! `Timeouts::operation` of its credentials being there. No secret shows in any `Debug`.

mod acl;
mod advice;
mod call;
mod change_set;
mod classify;
mod clients;
mod clock;
mod credentials;
mod database;
mod decode;
mod denied;
mod ecs;
mod error;
mod iam;
mod identity;
mod inspect;
mod instance;
mod json;
mod login;
mod mfa;
mod network;
mod node;
mod overrides;
mod pace;
mod paced;
mod profile;
mod query;
mod reason;
mod service;
mod shell;
mod sign;
mod signin;
mod source;
mod ssm;
mod stack;
mod task;
mod told;
mod usage;
mod vpc;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_config::{BehaviorVersion, identity::IdentityCache, provider_config::ProviderConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::{SdkConfig, region::Region};
use http::{HeaderMap, Uri};
use tokio::sync::watch;

use crate::{
    config,
    net::{Net, is_loopback},
};

pub use crate::net::{StreamUrl, Token};
pub use acl::{AclAssociation, AclPorts, AclRule, Dns, NetworkAcl};
pub use change_set::{Change, ChangeSet, NewChangeSet, ResourceChange};
pub use database::{Address, Home, Listed, Listing};
pub use decode::{Diagnosis, Retry, diagnose};
pub use ecs::{Desired, RunTask};
pub use error::{Denied, Error, Failure, Kind, Login, Why};
pub use iam::{Decision, Question, Role, Simulated};
pub use identity::Identity;
pub use inspect::{Cluster, ContainerDefinition, Definition, Origin};
pub use instance::{Instance, Profile, StateReason};
pub use json::Image;
pub use network::{Network, Way, contains, lacking_endpoints, missing_endpoints, way_out};
pub use node::{Node, Nodes};
pub use service::{Service, ServiceEvent};
pub use shell::DataKey;
pub use source::Source;
pub use ssm::{OpenSession, Opened, SessionId};
pub use stack::{Stack, StackEvent, StackResource};
pub use task::{AgentStatus, Container, NoTarget, Task};
pub use usage::{Quota, UsageMetric};
pub use vpc::{
    Association, Filter, Route, RouteTable, SecurityGroup, SecurityGroupRule, Subnet, Tags,
    VpcEndpoint,
};

use advice::Caller;
#[cfg(test)]
pub(crate) use advice::page;
use clients::Clients;
use clock::Clock;
use credentials::{Cached, Trouble};
use identity::Known;
use paced::Paces;
use signin::Files;

/// How often the traces of a sign-in are looked for.
const SIGN_IN_INTERVAL: Duration = Duration::from_secs(1);

/// AWS as one person in one region sees it; cheap to clone.
#[derive(Clone)]
pub struct Aws(Arc<Inner>);

struct Inner {
    clients: Clients,
    query: query::Transport,
    credentials: Cached,
    /// MFA codes for the role.
    codes: mfa::Codes,
    clock: Clock,
    caller: Caller,
    paces: Paces,
    timeouts: Timeouts,
    identity: watch::Sender<Option<Known>>,
    signs: bool,
    is_loopback: bool,
}

/// How long calls may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// One TCP and TLS connection.
    pub connect: Duration,
    /// One attempt.
    pub attempt: Duration,
    /// One call with all its attempts.
    pub operation: Duration,
}

impl Default for Timeouts {
    /// 3.1 s lets one lost SYN be repeated (the SDK's own choice); a healthy call takes far less than 10 s.
    fn default() -> Self {
        Self {
            connect: Duration::from_millis(3100),
            attempt: Duration::from_secs(10),
            operation: Duration::from_secs(30),
        }
    }
}

impl From<Timeouts> for TimeoutConfig {
    fn from(timeouts: Timeouts) -> Self {
        Self::builder()
            .connect_timeout(timeouts.connect)
            .operation_attempt_timeout(timeouts.attempt)
            .operation_timeout(timeouts.operation)
            .build()
    }
}

impl Aws {
    /// Prepares the calls, as the configuration and the machine say. `user` is the local user's name, for
    /// the session name of an assumed role. Makes no network call; fails when no region is known.
    pub async fn connect(config: &config::Aws, user: &str, net: &Net) -> Result<Self, Error> {
        Self::with(config, user, net, Source::Machine, Timeouts::default()).await
    }

    /// As `connect`, with the credentials and the limits given.
    pub async fn with(
        config: &config::Aws,
        user: &str,
        net: &Net,
        source: Source,
        timeouts: Timeouts,
    ) -> Result<Self, Error> {
        let profile = config.profile.clone().or_else(|| {
            std::env::var("AWS_PROFILE")
                .ok()
                .filter(|name| !name.is_empty())
        });
        let region = source::region(config).await;
        let caller = Caller {
            profile,
            region: region.clone().unwrap_or_default(),
        };
        let Some(region) = region else {
            return Err(no_region(config, &caller).await);
        };
        let clock = Clock::new();
        let base = source::with_variants(sdk(config, &region, net, timeouts), config).await;
        let codes = mfa::Codes::default();
        let credentials = credentials(config, user, source, &base, timeouts, codes.clone());
        let sdk = base
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
            .build();
        let query = query::Transport::new(&sdk, timeouts);
        Ok(Self(Arc::new(Inner {
            clients: Clients::new(sdk, clock.clone()),
            query,
            credentials,
            codes,
            clock,
            caller,
            paces: Paces::default(),
            timeouts,
            identity: watch::Sender::new(None),
            signs: config.sign_websocket,
            is_loopback: config.endpoint_url.as_deref().is_some_and(points_here),
        })))
    }

    /// Whether it is the very same.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The region of all calls.
    pub fn region(&self) -> &str {
        &self.0.caller.region
    }

    /// When the credentials expire; `None` for lasting ones and before the first call.
    pub fn credentials_expiry(&self) -> Option<SystemTime> {
        self.0.credentials.expiry()
    }

    /// Changes when other credentials may have become available: somebody signed in.
    pub fn renewed(&self) -> watch::Receiver<u64> {
        self.0.credentials.renewed()
    }

    /// Why the credentials are of no use, or soon will be, until somebody does something about it.
    pub fn credentials_error(&self) -> Option<Error> {
        self.lasting(&self.0.credentials.trouble().borrow())
    }

    /// Waits until [`Self::credentials_error`] is another than `known`.
    pub async fn credentials_changed(&self, known: Option<&Error>) {
        let mut trouble = self.0.credentials.trouble();
        let is_other = |trouble: &Trouble| {
            let word = |error: &Error| error.to_string();
            self.lasting(trouble).as_ref().map(word) != known.map(word)
        };
        // The credentials live as long as this.
        let _ = trouble.wait_for(is_other).await;
    }

    /// Whether nothing can be done before somebody gives an MFA code.
    pub fn wants_mfa_code(&self) -> bool {
        let error = self.credentials_error();
        error.is_some_and(|error| error.kind == Kind::Login(Login::Mfa))
    }

    /// Assumes the role with a code of the MFA device. The code is used once, and is not kept.
    pub async fn give_mfa_code(&self, code: String) -> Result<(), Error> {
        self.0.codes.give(code);
        let renewed = self.0.credentials.renew().await;
        let _ = self.0.codes.take();
        renewed.map_err(|error| login::from_credentials("AssumeRole", &error, &self.0.caller))
    }

    fn lasting(&self, trouble: &Trouble) -> Option<Error> {
        let load = trouble.load.as_ref();
        let load = load.map(|error| login::from_credentials("credentials", error, &self.0.caller));
        load.filter(|error| !error.is_retryable())
            .or_else(|| trouble.refused.clone())
    }

    /// Notices a sign-in, by the files that it writes. Looks at them only while one is needed.
    pub async fn watch_for_sign_in(&self) {
        let mut trouble = self.0.credentials.trouble();
        let is_lasting = |trouble: &Trouble| self.lasting(trouble).is_some();
        while trouble.wait_for(is_lasting).await.is_ok() {
            tokio::time::sleep(SIGN_IN_INTERVAL).await;
            self.0.credentials.look_for_sign_in().await;
        }
    }

    /// Renews credentials some minutes before they expire, while they are `wanted`, so that a missing sign-in is told
    /// before a session has to be resumed.
    pub async fn renew_ahead(&self, wanted: impl Fn() -> bool) {
        self.0.credentials.renew_ahead(wanted).await;
    }

    /// Headers that sign the WebSocket's request. Empty when the URL is signed already, when signing is
    /// switched off, and when it is not possible: AWS has always accepted unsigned requests as well.
    pub async fn sign(&self, url: &StreamUrl) -> HeaderMap {
        if url.is_presigned() || !self.0.signs {
            return HeaderMap::new();
        }
        let Ok(credentials) = self.0.credentials.resolve().await else {
            tracing::debug!("no credentials: the websocket's request goes unsigned");
            return HeaderMap::new();
        };
        let time = self.0.clock.corrected(SystemTime::now());
        let signed = sign::headers(url, &credentials, self.region(), time);
        signed.unwrap_or_else(|why| {
            tracing::debug!(why, "the websocket's request goes unsigned");
            HeaderMap::new()
        })
    }

    fn ecs(&self) -> &aws_sdk_ecs::Client {
        self.0.clients.ecs()
    }

    fn ssm(&self) -> &aws_sdk_ssm::Client {
        self.0.clients.ssm()
    }

    fn kms(&self) -> &aws_sdk_kms::Client {
        self.0.clients.kms()
    }

    fn paces(&self) -> &Paces {
        &self.0.paces
    }

    fn timeouts(&self) -> Timeouts {
        self.0.timeouts
    }

    fn is_loopback(&self) -> bool {
        self.0.is_loopback
    }

    /// A failure that AWS did not report as one.
    fn failure(
        &self,
        operation: &'static str,
        code: Option<&str>,
        message: String,
        kind: Kind,
    ) -> Error {
        classify::failure(operation, code, message, kind, &self.0.caller).into()
    }
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aws({})", self.region())
    }
}

/// A profile that is not there can have none either.
async fn no_region(config: &config::Aws, caller: &Caller) -> Error {
    if let Some(name) = &config.profile
        && let Some(absent) = profile::absent(name).await
    {
        return login::from_credentials("connect", &absent, caller);
    }
    let message = "no region is set".to_owned();
    let hint = Some("set `region` under [aws], or AWS_REGION".to_owned());
    let known = classify::failure("connect", None, message, Kind::Configuration, caller);
    Error::from(Failure { hint, ..known })
}

/// What all services have in common, without credentials.
fn sdk(config: &config::Aws, region: &str, net: &Net, timeouts: Timeouts) -> SdkConfig {
    let mut builder = SdkConfig::builder()
        // The cache is ours: the SDK's could not be told to forget.
        .identity_cache(IdentityCache::no_cache())
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region.to_owned()))
        .http_client(net.http_client())
        .timeout_config(timeouts.into())
        .retry_config(RetryConfig::standard().with_max_attempts(3));
    builder.set_endpoint_url(config.endpoint_url.clone());
    builder.build()
}

fn credentials(
    config: &config::Aws,
    user: &str,
    source: Source,
    sdk: &SdkConfig,
    timeouts: Timeouts,
    codes: mfa::Codes,
) -> Cached {
    let mut providers = ProviderConfig::without_region()
        .with_region(sdk.region().cloned())
        .with_timeout_config(timeouts.into());
    if let Some(http) = sdk.http_client() {
        providers = providers.with_http_client(http);
    }
    let (profile, role_arn) = (config.profile.clone(), config.role_arn.clone());
    let role = config.role.clone();
    let (sdk, session_name) = (sdk.clone(), source::session_name(user));
    let files = match source {
        Source::Machine => Files::of_machine(),
        Source::Fixed(_) => Files::default(),
    };
    Cached::new(files, move || {
        let base = source.provider(profile::OfProfile {
            name: profile.clone(),
            files: Default::default(),
            providers: providers.clone(),
            sdk: sdk.clone(),
            session_name: session_name.clone(),
            codes: codes.clone(),
        });
        match &role_arn {
            None => base,
            Some(role_arn) => SharedCredentialsProvider::new(source::Assumed {
                base,
                sdk: sdk.clone(),
                role_arn: role_arn.clone(),
                role: role.clone(),
                session_name: session_name.clone(),
                codes: codes.clone(),
            }),
        }
    })
}

fn points_here(endpoint: &str) -> bool {
    let uri = endpoint.parse::<Uri>();
    uri.is_ok_and(|uri| uri.host().is_some_and(is_loopback))
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

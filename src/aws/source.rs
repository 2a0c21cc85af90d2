//! Where credentials and region come from: the SDK's own chain, without the instance metadata that delays
//! laptops by seconds, and a role on top where one is configured.

use aws_config::{
    BehaviorVersion, ConfigLoader,
    ecs::EcsCredentialsProvider,
    environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider},
    meta::{credentials::CredentialsProviderChain, region::ProvideRegion},
    profile::ProfileFileRegionProvider,
    web_identity_token::WebIdentityTokenCredentialsProvider,
};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use aws_types::SdkConfig;

use super::{
    mfa::{Codes, NeedsCode},
    profile::OfProfile,
};
use crate::config;

/// Where the base credentials come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The environment, the profile, a web identity or the container, in the SDK's order; a profile named
    /// in the configuration stands alone, as with the AWS CLI.
    Machine,
    /// These and no others: the demo's and the tests'.
    Fixed(Credentials),
}

impl Source {
    /// Lasting credentials that only a simulator takes.
    pub fn fixed(access_key_id: &str, secret_access_key: &str) -> Self {
        Self::Fixed(Credentials::new(
            access_key_id,
            secret_access_key,
            None,
            None,
            "fixed",
        ))
    }

    /// A provider with nothing remembered, for `profile` if one is named.
    pub(super) fn provider(&self, profile: OfProfile) -> SharedCredentialsProvider {
        match self {
            Self::Fixed(credentials) => SharedCredentialsProvider::new(credentials.clone()),
            Self::Machine => chain(profile),
        }
    }
}

fn chain(profile: OfProfile) -> SharedCredentialsProvider {
    if profile.name.is_some() {
        return SharedCredentialsProvider::new(profile);
    }
    let config = profile.providers.clone();
    let environment = EnvironmentVariableCredentialsProvider::new();
    let chain = CredentialsProviderChain::first_try("Environment", environment)
        .or_else("Profile", profile)
        .or_else(
            "WebIdentityToken",
            WebIdentityTokenCredentialsProvider::builder()
                .configure(&config)
                .build(),
        )
        .or_else(
            "EcsContainer",
            EcsCredentialsProvider::builder().configure(&config).build(),
        );
    SharedCredentialsProvider::new(chain)
}

/// The region of the configuration, else of the environment, else of the profile.
pub(super) async fn region(config: &config::Aws) -> Option<String> {
    if let Some(region) = &config.region {
        return Some(region.clone());
    }
    if let Some(region) = EnvironmentVariableRegionProvider::new().region().await {
        return Some(region.to_string());
    }
    let mut profile = ProfileFileRegionProvider::builder();
    if let Some(name) = &config.profile {
        profile = profile.profile_name(name);
    }
    profile
        .build()
        .region()
        .await
        .map(|region| region.to_string())
}

/// `sdk` with the FIPS and dual-stack endpoints where the environment or the profile asks for them. An endpoint of the
/// configuration is taken as it is.
pub(super) async fn with_variants(sdk: SdkConfig, config: &config::Aws) -> SdkConfig {
    if config.endpoint_url.is_some() {
        return sdk;
    }
    variants(
        aws_config::defaults(BehaviorVersion::v2026_01_12()),
        sdk,
        config,
    )
    .await
}

/// The loader reads files only: region and credentials, for which it would ask the network, are not its business here.
async fn variants(loader: ConfigLoader, sdk: SdkConfig, config: &config::Aws) -> SdkConfig {
    let mut loader = loader.no_credentials().region(sdk.region().cloned());
    if let Some(http) = sdk.http_client() {
        loader = loader.http_client(http);
    }
    if let Some(name) = &config.profile {
        loader = loader.profile_name(name);
    }
    let loaded = loader.load().await;
    let mut builder = sdk.into_builder();
    builder.set_use_fips(loaded.use_fips());
    builder.set_use_dual_stack(loaded.use_dual_stack());
    builder.build()
}

/// A role assumed with the credentials of `base`, by way of others where there is a chain.
#[derive(Debug)]
pub(super) struct Assumed {
    pub(super) base: SharedCredentialsProvider,
    pub(super) sdk: SdkConfig,
    pub(super) role_arn: String,
    pub(super) role: config::AssumeRole,
    pub(super) session_name: String,
    pub(super) codes: Codes,
}

impl Assumed {
    pub(super) async fn assume_all(&self) -> Result<Credentials, CredentialsError> {
        let mut credentials = self.base.provide_credentials().await?;
        let arns = self.role.chain.iter().chain([&self.role_arn]);
        for (index, arn) in arns.enumerate() {
            credentials = self.assume(credentials, arn, index == 0).await?;
        }
        Ok(credentials)
    }

    /// The source identity, once set, stays; the external id and the duration are the last role's.
    async fn assume(
        &self,
        base: Credentials,
        role_arn: &str,
        is_first: bool,
    ) -> Result<Credentials, CredentialsError> {
        let config = aws_sdk_sts::config::Builder::from(&self.sdk)
            .credentials_provider(base)
            .build();
        let is_last = role_arn == self.role_arn;
        let seconds = self
            .role
            .duration
            .filter(|_| is_last)
            .map(|it| it.as_secs());
        let identity = self.role.source_identity.clone().filter(|_| is_first);
        let (serial, code) = self.mfa(is_first)?.unzip();
        let call = aws_sdk_sts::Client::from_conf(config)
            .assume_role()
            .role_arn(role_arn)
            .role_session_name(&self.session_name)
            .set_external_id(self.role.external_id.clone().filter(|_| is_last))
            .set_duration_seconds(seconds.and_then(|seconds| i32::try_from(seconds).ok()))
            .set_source_identity(identity)
            .set_serial_number(serial)
            .set_token_code(code);
        let reply = call
            .send()
            .await
            .map_err(CredentialsError::provider_error)?;
        let given = reply
            .credentials
            .ok_or_else(|| CredentialsError::unhandled("AssumeRole gave no credentials"))?;
        let expiry = given
            .expiration
            .try_into()
            .map_err(CredentialsError::unhandled)?;
        let token = Some(given.session_token);
        Ok(Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            token,
            Some(expiry),
            "AssumeRole",
        ))
    }
}

impl Assumed {
    /// The device and its code. It is the person's own credentials that it is asked for, so at the first role.
    fn mfa(&self, is_first: bool) -> Result<Option<(String, String)>, CredentialsError> {
        let Some(serial) = self.role.mfa_serial.clone().filter(|_| is_first) else {
            return Ok(None);
        };
        match self.codes.take() {
            Some(code) => Ok(Some((serial, code))),
            None => Err(CredentialsError::provider_error(NeedsCode { serial })),
        }
    }
}

impl ProvideCredentials for Assumed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assume_all())
    }
}

/// `bastiond-<user>` in the characters that AssumeRole takes, at most 64 of them (AWS API model). It shows
/// in CloudTrail and begins the session ids.
pub(super) fn session_name(user: &str) -> String {
    let allowed = |c: char| {
        if c.is_ascii_alphanumeric() || "_+=,.@-".contains(c) {
            c
        } else {
            '-'
        }
    };
    let name: String = user.chars().map(allowed).collect();
    let name = format!("bastiond-{name}");
    name.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_names_hold_only_what_sts_takes() {
        assert_eq!(session_name("me@example.com"), "bastiond-me@example.com");
        assert_eq!(session_name("DOM\\j. d\u{f6}e"), "bastiond-DOM-j.-d-e");
        assert_eq!(session_name(&"x".repeat(99)).len(), 64);
        assert_eq!(session_name(""), "bastiond-");
    }

    #[tokio::test]
    async fn fips_and_dual_stack_of_the_profile_are_honoured() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        let text = "[profile gov]\nuse_fips_endpoint = true\nuse_dualstack_endpoint = true\n";
        std::fs::write(&file, text).unwrap();
        #[allow(deprecated)]
        let files = aws_config::profile::profile_file::ProfileFiles::builder()
            .with_file(
                aws_config::profile::profile_file::ProfileFileKind::Config,
                &file,
            )
            .build();
        let config = config::Aws {
            profile: Some("gov".into()),
            region: None,
            role_arn: None,
            role: config::AssumeRole::default(),
            endpoint_url: None,
            sign_websocket: true,
        };
        let region = aws_types::region::Region::new("us-gov-west-1");
        let sdk = SdkConfig::builder().region(region.clone()).build();
        let loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).profile_files(files);
        let sdk = variants(loader, sdk, &config).await;
        assert_eq!(
            (sdk.use_fips(), sdk.use_dual_stack(), sdk.region()),
            (Some(true), Some(true), Some(&region))
        );
    }
}

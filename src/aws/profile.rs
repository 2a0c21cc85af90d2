//! Roles of profiles that say more of how they are assumed than the SDK reads: an MFA device, a duration, a source
//! identity.

use std::{borrow::Cow, time::Duration};

#[allow(deprecated, reason = "the SDK has no other name for it")]
use aws_config::profile::profile_file::ProfileFiles;
use aws_config::{
    ecs::EcsCredentialsProvider,
    environment::EnvironmentVariableCredentialsProvider,
    profile::{self, Profile, ProfileFileCredentialsProvider, ProfileSet},
    provider_config::ProviderConfig,
};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use aws_types::{
    SdkConfig,
    os_shim_internal::{Env, Fs},
};

use super::{mfa::Codes, signin::Files, source::Assumed};
use crate::config;

/// The credentials of a profile. Its files are read anew each time.
#[derive(Debug)]
pub(super) struct OfProfile {
    /// The profile; `None`: that of the environment, or the default.
    pub(super) name: Option<String>,
    #[allow(deprecated, reason = "the SDK has no other name for it")]
    pub(super) files: ProfileFiles,
    pub(super) providers: ProviderConfig,
    pub(super) sdk: SdkConfig,
    pub(super) session_name: String,
    pub(super) codes: Codes,
}

impl OfProfile {
    async fn provide(&self) -> Result<Credentials, CredentialsError> {
        let set = load(&self.files, self.name.as_deref()).await;
        let set = set.as_ref();
        if let (Some(set), Some(name)) = (set, &self.name)
            && let Some(absent) = absence(set, name)
        {
            return Err(absent);
        }
        let role = set
            .and_then(|set| set.get_profile(set.selected_profile()))
            .and_then(role_of);
        let Some(role) = role else {
            return self
                .of_sdk(self.name.as_deref())
                .provide_credentials()
                .await;
        };
        let session_name = role.session_name.as_ref().unwrap_or(&self.session_name);
        let assumed = Assumed {
            base: self.base(&role.source),
            sdk: self.sdk.clone(),
            role_arn: role.arn,
            role: role.how,
            session_name: session_name.clone(),
            codes: self.codes.clone(),
        };
        assumed.assume_all().await
    }

    fn base(&self, source: &Source) -> SharedCredentialsProvider {
        match source {
            Source::Profile(name) => self.of_sdk(Some(name)),
            Source::Environment => {
                SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new())
            }
            Source::Container => {
                let container = EcsCredentialsProvider::builder().configure(&self.providers);
                SharedCredentialsProvider::new(container.build())
            }
        }
    }

    fn of_sdk(&self, name: Option<&str>) -> SharedCredentialsProvider {
        let provider = ProfileFileCredentialsProvider::builder().configure(&self.providers);
        #[allow(deprecated, reason = "the SDK has no other name for it")]
        let provider = provider.profile_files(self.files.clone());
        let provider = match name {
            Some(name) => provider.profile_name(name),
            None => provider,
        };
        SharedCredentialsProvider::new(provider.build())
    }
}

impl ProvideCredentials for OfProfile {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.provide())
    }
}

#[allow(deprecated, reason = "the SDK has no other name for it")]
async fn load(files: &ProfileFiles, name: Option<&str>) -> Option<ProfileSet> {
    let name = name.map(|name| Cow::Owned(name.to_owned()));
    let set = profile::load(&Fs::real(), &Env::real(), files, name).await;
    set.ok()
}

/// A profile that somebody has named and nobody has made. Of empty files the SDK would say that they have no
/// credentials.
#[derive(Debug, thiserror::Error)]
#[error("`{name}` was looked for in {files}")]
struct NoProfile {
    name: String,
    files: String,
}

/// What is to be said if the files of this machine lack the profile, as far as they can be read.
#[allow(deprecated, reason = "the SDK has no other name for it")]
pub(super) async fn absent(name: &str) -> Option<CredentialsError> {
    let set = load(&ProfileFiles::default(), Some(name)).await?;
    absence(&set, name)
}

fn absence(set: &ProfileSet, name: &str) -> Option<CredentialsError> {
    let absent = set.get_profile(name).is_none().then(|| NoProfile {
        name: name.to_owned(),
        files: Files::of_profiles().told(),
    });
    absent.map(CredentialsError::invalid_configuration)
}

/// A role that is ours to assume.
#[derive(Debug, PartialEq)]
struct Role {
    arn: String,
    source: Source,
    session_name: Option<String>,
    how: config::AssumeRole,
}

/// Whose credentials assume it.
#[derive(Debug, PartialEq)]
enum Source {
    Profile(String),
    Environment,
    Container,
}

/// The role of a profile, if the profile says something that the SDK would leave out.
fn role_of(profile: &Profile) -> Option<Role> {
    let text = |key: &str| profile.get(key).map(str::to_owned);
    let seconds = profile
        .get("duration_seconds")
        .and_then(|text| text.parse().ok());
    let how = config::AssumeRole {
        chain: Vec::new(),
        external_id: text("external_id"),
        duration: seconds.map(Duration::from_secs),
        source_identity: text("source_identity"),
        mfa_serial: text("mfa_serial"),
    };
    let says_more =
        how.mfa_serial.is_some() || how.duration.is_some() || how.source_identity.is_some();
    let source = match (
        profile.get("source_profile"),
        profile.get("credential_source"),
    ) {
        (Some(name), None) if name != profile.name() => Source::Profile(name.to_owned()),
        (None, Some("Environment")) => Source::Environment,
        (None, Some("EcsContainer")) => Source::Container,
        _ => return None,
    };
    let role = Role {
        arn: text("role_arn")?,
        source,
        session_name: text("role_session_name"),
        how,
    };
    says_more.then_some(role)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use aws_config::profile::Property;

    use super::*;

    fn profile(lines: &[(&str, &str)]) -> Profile {
        let property = |(key, value): &(&str, &str)| {
            let key = (*key).to_owned();
            (key.clone(), Property::new(key, (*value).to_owned()))
        };
        let properties: HashMap<_, _> = lines.iter().map(property).collect();
        Profile::new("prod".to_owned(), properties)
    }

    const ROLE: (&str, &str) = ("role_arn", "arn:aws:iam::123456789012:role/prod");
    const SOURCE: (&str, &str) = ("source_profile", "me");

    #[test]
    fn a_profile_with_an_mfa_device_a_duration_or_a_source_identity_is_ours_to_assume() {
        let mfa = ("mfa_serial", "arn:aws:iam::123456789012:mfa/me");
        let role = role_of(&profile(&[
            ROLE,
            SOURCE,
            mfa,
            ("duration_seconds", "7200"),
            ("source_identity", "me"),
            ("external_id", "x1"),
            ("role_session_name", "me@work"),
        ]));
        let role = role.expect("a role");
        assert_eq!(role.source, Source::Profile("me".to_owned()));
        assert_eq!(role.session_name.as_deref(), Some("me@work"));
        assert_eq!(role.how.mfa_serial.as_deref(), Some(mfa.1));
        assert_eq!(role.how.duration, Some(Duration::from_secs(7200)));
        assert_eq!(role.how.source_identity.as_deref(), Some("me"));
        assert_eq!(role.how.external_id.as_deref(), Some("x1"));
        let environment = role_of(&profile(&[ROLE, mfa, ("credential_source", "Environment")]));
        assert_eq!(environment.expect("a role").source, Source::Environment);
    }

    #[test]
    fn what_the_sdk_reads_is_left_to_it() {
        let mfa = ("mfa_serial", "arn:aws:iam::123456789012:mfa/me");
        assert_eq!(role_of(&profile(&[ROLE, SOURCE])), None);
        assert_eq!(role_of(&profile(&[SOURCE, mfa])), None);
        assert_eq!(
            role_of(&profile(&[ROLE, mfa])),
            None,
            "its mistake is the SDK's to tell"
        );
        assert_eq!(
            role_of(&profile(&[ROLE, mfa, ("source_profile", "prod")])),
            None
        );
        let instance = ("credential_source", "Ec2InstanceMetadata");
        assert_eq!(role_of(&profile(&[ROLE, mfa, instance])), None);
    }
}

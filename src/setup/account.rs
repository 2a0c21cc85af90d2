//! The account to set up in: its calls, if they can be made, and what is said when they cannot.

use anyhow::Context as _;

use super::{answer, ask::Person, draft::Account};
use crate::{
    aws::{Aws, Error, Kind},
    config,
    net::Net,
    platform,
};

/// Prepares the calls, and asks AWS who we are. A region that is not known is asked for. `None` when there are no
/// credentials that serve: it has been said why, and everything has to be answered by hand.
pub(super) async fn connect(account: &mut Account, person: &Person) -> anyhow::Result<Option<Aws>> {
    match reach(account, person).await? {
        Ok(aws) => Ok(Some(aws)),
        Err(error) => {
            say("cannot ask AWS", &error);
            Ok(None)
        }
    }
}

/// The same for who can do nothing without it.
pub(super) async fn reach(
    account: &mut Account,
    person: &Person,
) -> anyhow::Result<Result<Aws, Error>> {
    let net = Net::from_env().context("cannot prepare the network")?;
    let aws = match open(account, &net).await {
        Err(error) if error.kind == Kind::Configuration && account.region.is_none() => {
            let region = person.ask("Region", None, "--region", answer::word)?;
            account.region = Some(region);
            open(account, &net).await
        }
        opened => opened,
    };
    let aws = match aws {
        Ok(aws) => aws,
        Err(error) => return Ok(Err(error)),
    };
    account
        .region
        .get_or_insert_with(|| aws.region().to_owned());
    match aws.identity().await {
        Ok(identity) => {
            crate::errln!(
                "AWS: account {}, {}, as {}",
                identity.account,
                aws.region(),
                identity.arn
            );
            Ok(Ok(aws))
        }
        Err(error) => Ok(Err(error)),
    }
}

async fn open(account: &Account, net: &Net) -> Result<Aws, Error> {
    let terms = config::Aws {
        profile: account.profile.clone(),
        region: account.region.clone(),
        endpoint_url: account.endpoint_url.clone(),
        ..config::Aws::default()
    };
    Aws::connect(&terms, &platform::local_user(), net).await
}

/// What could not be done, and what mends it: the action and the statement, where something is denied.
pub(super) fn say(what: &str, error: &Error) {
    crate::errln!("{what}: {error}");
    for line in error.hint().iter().flat_map(|hint| hint.lines()) {
        crate::errln!("  {line}");
    }
}

/// The same as the end of it all.
pub(super) fn fatal(error: Error) -> anyhow::Error {
    match error.hint() {
        Some(hint) => anyhow::anyhow!("{error}\nhint: {hint}"),
        None => error.into(),
    }
}

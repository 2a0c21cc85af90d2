//! `bastiond infra …`: the stack that a bastion runs in.

mod cost;
mod delete;
mod deploy;
mod follow;
mod place;
mod plan;
mod status;

use std::{path::Path, process::ExitCode};

use anyhow::bail;

use super::{account, ask::Person, draft::Account};
use crate::{aws::Aws, cli};

/// What the stack is made of, as it stands in the repository.
const TEMPLATE: &str = include_str!("../../../infra/bastion.yaml");

/// Does what `command` says.
///
/// # Errors
/// When it cannot be done; what was begun in AWS goes on there, and can be taken up by the same command.
pub async fn run(command: cli::Infra, path: &Path) -> anyhow::Result<ExitCode> {
    match command {
        cli::Infra::Deploy(options) => deploy::run(*options, path).await,
        cli::Infra::Status(options) => status::run(options).await,
        cli::Infra::Delete(options) => delete::run(options).await,
        cli::Infra::Template => {
            print!("{TEMPLATE}");
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The account's calls, without which there is nothing to do here.
async fn connect(account: &mut Account, person: &Person) -> anyhow::Result<Aws> {
    match account::connect(account, person).await? {
        Some(aws) => Ok(aws),
        None => bail!("nothing was changed"),
    }
}

fn account_of(options: &cli::InAws) -> Account {
    Account {
        profile: options.profile.clone(),
        region: options.region.clone(),
        endpoint_url: options.endpoint_url.clone(),
    }
}

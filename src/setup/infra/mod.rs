//! `bastiond infra …`: the stack that a bastion runs in.
//!
//! What a stack's status means, where a bastion goes, what that makes and costs, and what events tell is decided by the
//! pure modules. Each command begins with what is there, so that it can be run again after any interruption. What was
//! prepared and not carried out is taken back (`interrupt`); what CloudFormation works on goes on without us.

mod apply;
mod changes;
mod check;
mod cost;
mod delete;
mod deploy;
mod follow;
mod interrupt;
mod place;
mod plan;
mod progress;
mod show;
mod state;
mod status;
mod survey;
mod tasks;
mod template;
mod wish;

use std::{path::Path, process::ExitCode};

use anyhow::bail;

use super::{
    account::{self, reach},
    ask::Person,
    draft::Account,
};
use crate::{
    aws::{Aws, Error},
    cli,
    exit::Exit,
    output,
};

/// Does what `command` says. `path` is the configuration file.
///
/// # Errors
/// When it cannot be done. What was begun in AWS goes on there, and is taken up by the same command.
pub async fn run(command: cli::Infra, path: &Path) -> anyhow::Result<ExitCode> {
    let done = match command {
        cli::Infra::Deploy(options) => deploy::run(&options, path).await,
        cli::Infra::Template => {
            output::data(template::TEMPLATE.as_bytes());
            Ok(ExitCode::SUCCESS)
        }
        cli::Infra::Status(options) => show::run(&options).await,
        cli::Infra::Delete(options) => delete::run(&options).await,
    };
    match done {
        Err(error) if error.is::<SignIn>() => {
            crate::errln!("error: {error:#}");
            Ok(Exit::SignIn.into())
        }
        done => done,
    }
}

/// Nothing goes on before somebody has signed in.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct SignIn(String);

/// The calls, without which there is nothing to do here.
async fn connect(options: &cli::InAws, person: &Person) -> anyhow::Result<(Account, Aws)> {
    let mut account = Account {
        profile: options.profile.clone(),
        region: options.region.clone(),
        endpoint_url: options.endpoint_url.clone(),
    };
    match reach(&mut account, person).await? {
        Ok(aws) => Ok((account, aws)),
        Err(error) => Err(fatal(error)),
    }
}

/// A call that failed, as the end of it all: what AWS said, and what mends it.
fn fatal(error: Error) -> anyhow::Error {
    let needs_login = error.needs_login();
    let told = account::fatal(error);
    match needs_login {
        true => SignIn(told.to_string()).into(),
        false => told,
    }
}

/// Nothing is done that nobody agrees to.
fn must_be_asked(yes: bool, person: &Person) -> anyhow::Result<()> {
    match yes || person.is_there() {
        true => Ok(()),
        false => bail!(
            "there is no terminal to ask at\nhint: give --yes, or --dry-run where there is one"
        ),
    }
}

/// How somebody asks for the same again.
fn again(command: &str, stack: &str, account: &Account) -> String {
    let mut words = format!("bastiond infra {command} --stack {stack}");
    for (flag, value) in [
        ("--profile", &account.profile),
        ("--region", &account.region),
    ] {
        if let Some(value) = value {
            words.push_str(&format!(" {flag} {value}"));
        }
    }
    words
}

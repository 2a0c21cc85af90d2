//! `bastiond infra …`: the stack that a bastion runs in.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{InAws, parameter};

/// `bastiond infra`
#[derive(Debug, Subcommand)]
pub enum Infra {
    /// Make or change the stack, and write the configuration; it shows its plan first and asks
    #[command(after_help = "Examples:\n  \
        bastiond infra deploy                                        asks\n  \
        bastiond infra deploy --dry-run --database rds-cluster:app   what would be made, and its cost\n  \
        bastiond infra deploy --yes --database rds-cluster:app\n\n\
        Run it again after an interruption, and to change the stack: what is not named stays as it is")]
    Deploy(Box<Deploy>),
    /// Print the CloudFormation template
    #[command(after_help = "Example: bastiond infra template > bastion.yaml")]
    Template,
    /// Show the stack: how it is, whether its template is this program's, its tasks, its cost
    #[command(
        after_help = "Example: bastiond infra status --json | jq -r .status\n\n\
        Exit codes: 0 well, 1 it cannot be asked, 4 not there or not well, 5 sign-in needed"
    )]
    Status(InfraStatus),
    /// End the stack's tasks, and delete it with all that it made; it lists that first and asks
    #[command(after_help = "Example: bastiond infra delete --stack bastiond")]
    Delete(InfraDelete),
}

/// `bastiond infra deploy`
#[derive(Clone, Debug, Default, Args)]
pub struct Deploy {
    /// The stack's name, and that of what is in it
    #[arg(long, value_name = "NAME", default_value = "bastiond", value_parser = stack_name)]
    pub stack: String,
    /// The database: its host, or by id as in rds-cluster:app, which tells VPC, security group and port
    #[arg(long, value_name = "HOST")]
    pub database: Option<String>,
    /// Its port, where AWS does not tell it
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// The VPC [default: that of the database]
    #[arg(long, value_name = "ID")]
    pub vpc: Option<String>,
    /// A subnet for the task; may be repeated [default: those with a way out, else isolated ones and endpoints]
    #[arg(long, value_name = "ID")]
    pub subnet: Vec<String>,
    /// The database's security group, which gets a rule [default: as AWS tells it]
    #[arg(long, value_name = "ID", conflicts_with = "target_cidr")]
    pub security_group: Option<String>,
    /// Leave the database's security group alone: the addresses that the bastion may reach
    #[arg(long, value_name = "CIDR")]
    pub target_cidr: Option<String>,
    /// An ECS cluster that is there already
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// A parameter of the template, as in IdleSeconds=600; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    pub parameter: Vec<(String, String)>,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do it without asking
    #[arg(long)]
    pub yes: bool,
    /// The local port of the configuration
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub listen: Option<u16>,
    /// The tunnel's name in the configuration
    #[arg(long)]
    pub name: Option<String>,
    /// Where in AWS.
    #[command(flatten)]
    pub aws: InAws,
    /// Write over a configuration that is there already
    #[arg(long)]
    pub force: bool,
    /// The configuration file [default: $BASTIOND_CONFIG or ~/.config/bastiond/config.toml]
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,
}

/// `bastiond infra status`
#[derive(Clone, Debug, Args)]
pub struct InfraStatus {
    /// The stack's name
    #[arg(long, value_name = "NAME", default_value = "bastiond")]
    pub stack: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Where in AWS.
    #[command(flatten)]
    pub aws: InAws,
}

/// `bastiond infra delete`
#[derive(Clone, Debug, Args)]
pub struct InfraDelete {
    /// The stack's name
    #[arg(long, value_name = "NAME", default_value = "bastiond")]
    pub stack: String,
    /// Do it without asking
    #[arg(long)]
    pub yes: bool,
    /// Where in AWS.
    #[command(flatten)]
    pub aws: InAws,
}

/// A name that the stack, the task family, the cluster and ECR all take.
fn stack_name(text: &str) -> Result<String, String> {
    let starts_well = text.starts_with(|c: char| c.is_ascii_lowercase());
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let ends_well = !text.ends_with('-') && !text.contains("--");
    match starts_well && ends_well && text.chars().all(is_plain) && (2..=31).contains(&text.len()) {
        true => Ok(text.to_owned()),
        false => Err("2 to 31 of a-z, 0-9 and single `-`, with a letter first".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::stack_name;

    #[test]
    fn a_stack_has_a_name_that_all_services_take() {
        for name in ["bastiond", "b2", "my-stack-1", "a".repeat(31).as_str()] {
            assert_eq!(stack_name(name).as_deref(), Ok(name));
        }
        for name in [
            "",
            "b",
            "Bastiond",
            "1st",
            "-b",
            "b-",
            "a--b",
            "a_b",
            "a.b",
            &"a".repeat(32),
        ] {
            assert!(stack_name(name).is_err(), "{name}");
        }
    }
}

//! The command line as types, and nothing else.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell as Completed;

pub use ctl::{Ctl, Goal};
pub use infra::{Deploy, Infra, InfraDelete, InfraStatus};

use crate::exit;

mod ctl;
mod infra;

/// Private databases on localhost, through an AWS task that runs only while it is needed.
#[derive(Debug, Parser)]
#[command(
    name = "bastiond",
    version,
    about,
    after_help = "Examples:\n  \
        bastiond demo              try it without an AWS account\n  \
        bastiond start             start the daemon in the background\n  \
        bastiond ctl status        see how it is\n  \
        psql -h localhost -p 55432 connect; the first connection starts the rest"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon in the foreground, as a service manager wants it
    #[command(after_help = "Example: bastiond run --config ./bastiond.toml")]
    Run(Run),
    /// Start the daemon in the background; returns when it is ready
    #[command(after_help = "Example: bastiond start && bastiond ctl status")]
    Start(Start),
    /// Write a configuration: by questions on a terminal, or by flags
    #[command(after_help = "Examples:\n  \
        bastiond init                                      asks\n  \
        bastiond init --stack bastiond                     takes the bastion from its CloudFormation stack\n  \
        bastiond init --stack bastiond --database rds-cluster:app --listen 55432\n\n\
        A file that is there already is left as it is, unless you say otherwise")]
    Init(Init),
    /// Make, show and delete what a bastion runs in: a CloudFormation stack
    #[command(subcommand, after_help = "Example: bastiond infra deploy --dry-run")]
    Infra(Infra),
    /// Show a whole tunnel on this machine, without an AWS account
    #[command(after_help = "Examples:\n  \
        bastiond demo, then: curl localhost:55432\n  \
        bastiond demo --target localhost:5432, then: psql -h localhost -p 55432")]
    Demo(Demo),
    /// Open a shell in a container or on an instance, or run a command there
    #[command(after_help = "Examples:\n  \
        bastiond shell dev                               a shell in the bastion `dev`\n  \
        bastiond shell dev -- tar c /etc | tar t         a command, its output, its exit status\n  \
        bastiond shell --cluster backend api             in a task of the service or family `api`\n  \
        bastiond shell i-0123456789abcdef0               on an instance\n\n\
        Exit code: that of the command; 255 when the session failed\n\
        Keys: ~. at the start of a line ends the session, ~? says so")]
    Shell(Shell),
    /// Look at everything that a tunnel needs, and say what to do about what is wrong
    #[command(after_help = "Examples:\n  \
        bastiond doctor                      everything\n  \
        bastiond doctor --only T05,L02       some checks\n  \
        bastiond doctor --json | jq .level   for programs\n\n\
        Exit codes: 0 well, 1 warnings, 2 failures")]
    Doctor(Doctor),
    /// Check the configuration, and show it
    #[command(
        subcommand,
        after_help = "Example: BASTIOND_AWS_REGION=eu-west-1 bastiond config show"
    )]
    Config(Config),
    /// Have the daemon run from login on
    #[command(subcommand, after_help = "Example: bastiond service install --dry-run")]
    Service(Service),
    /// Ask the running daemon
    #[command(
        subcommand,
        after_help = format!("Example: bastiond ctl status --json | jq .healthy

{}", exit::LINE)
    )]
    Ctl(Ctl),
    /// Print what a shell needs to complete commands and options
    #[command(after_help = "Example: source <(bastiond completion bash)")]
    Completion {
        /// Which shell
        shell: Completed,
    },
    /// Print the manual page
    #[command(after_help = "Examples:\n  \
        bastiond man | man -l -\n  \
        bastiond man --out ~/.local/share/man/man1")]
    Man(Manual),
    /// Print the version
    #[command(after_help = "Example: bastiond version --json | jq -r .version")]
    Version {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// `bastiond run`
#[derive(Debug, Args)]
pub struct Run {
    /// Which configuration.
    #[command(flatten)]
    pub chosen: Chosen,
    /// Talk to the `start` that runs this through stdout
    #[arg(long, hide = true)]
    pub detached: bool,
    /// Only read the configuration: whether this program could take over from the one that asks
    #[arg(long = "try", hide = true)]
    pub trial: bool,
}

/// `bastiond start`
#[derive(Debug, Args)]
pub struct Start {
    /// Which configuration.
    #[command(flatten)]
    pub chosen: Chosen,
}

/// Which configuration.
#[derive(Clone, Debug, Default, Args)]
pub struct Chosen {
    /// The configuration file [default: $BASTIOND_CONFIG or ~/.config/bastiond/config.toml]
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// A setting that goes before the file and the environment, such as tunnel.app-db.listen=6000; may be repeated
    #[arg(long, value_name = "SETTING=VALUE", value_parser = parameter)]
    pub set: Vec<(String, String)>,
}

/// `bastiond config`
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Say what is wrong with the configuration, each mistake with its line
    #[command(after_help = "Example: bastiond config check --config ./bastiond.toml")]
    Check {
        /// Which.
        #[command(flatten)]
        chosen: Chosen,
    },
    /// Show every setting and where it comes from: file, environment, flag or default
    #[command(after_help = "Example: BASTIOND_AWS_REGION=eu-west-1 bastiond config show")]
    Show {
        /// Which.
        #[command(flatten)]
        chosen: Chosen,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show where the configuration file is looked for
    #[command(after_help = "Example: $EDITOR $(bastiond config path)")]
    Path {
        /// Which.
        #[command(flatten)]
        chosen: Chosen,
    },
    /// Print the JSON Schema of the configuration file, with which editors complete it
    #[command(after_help = "Example: bastiond config schema > bastiond.schema.json")]
    Schema,
}

/// `bastiond service`
#[derive(Debug, Subcommand)]
pub enum Service {
    /// Write the units of systemd or launchd for this user, and start them
    #[command(after_help = "Example: bastiond service install --socket")]
    Install {
        /// Which configuration.
        #[command(flatten)]
        chosen: Chosen,
        /// The system owns the ports: they are open from login on, and a connection starts the daemon
        #[arg(long)]
        socket: bool,
        /// Print what would be written and run
        #[arg(long)]
        dry_run: bool,
    },
    /// Stop them, and remove them
    #[command(after_help = "Example: bastiond service uninstall")]
    Uninstall,
    /// Compare what is installed with what would be today
    #[command(after_help = "Example: bastiond service status")]
    Status {
        /// Which configuration.
        #[command(flatten)]
        chosen: Chosen,
    },
}

/// Where in AWS
#[derive(Clone, Debug, Default, Args)]
pub struct InAws {
    /// The profile of the AWS CLI to use
    #[arg(long)]
    pub profile: Option<String>,
    /// The AWS region
    #[arg(long)]
    pub region: Option<String>,
    /// One endpoint for all of AWS's services: for tests and gateways
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,
}

/// `bastiond init`
#[derive(Clone, Debug, Default, Args)]
pub struct Init {
    /// bastiond's CloudFormation stack, which tells all of the bastion
    #[arg(long, value_name = "NAME", conflicts_with = "cluster")]
    pub stack: Option<String>,
    /// An ECS cluster of your own
    #[arg(long, value_name = "NAME", requires = "task_definition")]
    pub cluster: Option<String>,
    /// The task definition to run in it
    #[arg(long, value_name = "NAME", requires = "cluster")]
    pub task_definition: Option<String>,
    /// A subnet for the task; may be repeated
    #[arg(long, value_name = "ID", requires = "cluster")]
    pub subnet: Vec<String>,
    /// A security group for the task; may be repeated
    #[arg(long, value_name = "ID", requires = "cluster")]
    pub security_group: Vec<String>,
    /// Give the task a public address
    #[arg(long, requires = "cluster")]
    pub public_ip: bool,
    /// The session document to use, if not AWS's own
    #[arg(long, value_name = "NAME", requires = "cluster")]
    pub document: Option<String>,
    /// The database: its host, or by id as in rds-cluster:app:reader
    #[arg(long, value_name = "HOST")]
    pub database: Option<String>,
    /// Its port, where AWS does not tell it
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..), requires = "database")]
    pub port: Option<u16>,
    /// The local port
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub listen: Option<u16>,
    /// The tunnel's name
    #[arg(long)]
    pub name: Option<String>,
    /// Where in AWS.
    #[command(flatten)]
    pub aws: InAws,
    /// Write over a file that is there already
    #[arg(long)]
    pub force: bool,
    /// The configuration file [default: $BASTIOND_CONFIG or ~/.config/bastiond/config.toml]
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,
}

/// `bastiond demo`
#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// Where to listen, a port or an address:port
    #[arg(long, value_name = "ADDR", default_value = "55432")]
    pub listen: String,
    /// Lead to this database instead of the built-in page
    #[arg(long, value_name = "HOST:PORT")]
    pub target: Option<String>,
    /// Do the whole job once, print one line of JSON, and exit 0 or 1
    #[arg(long)]
    pub check: bool,
}

/// `bastiond shell`
#[derive(Clone, Debug, Args)]
pub struct Shell {
    /// A bastion, a task (its id, service or family, or the beginning of one), or an instance (i-… or mi-…)
    pub target: Option<String>,
    /// The ECS cluster to look for tasks in [default: that of the configured bastions]
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// The container, if several have an agent
    #[arg(long, value_name = "NAME")]
    pub container: Option<String>,
    /// On an instance: the session document to use
    #[arg(long, value_name = "NAME", conflicts_with = "command")]
    pub document: Option<String>,
    /// A parameter of that document; may be repeated
    #[arg(long, value_name = "NAME=VALUE", requires = "document", value_parser = parameter)]
    pub parameter: Vec<(String, String)>,
    /// Run the command as it is, without the script that tells its exit status
    #[arg(long)]
    pub raw: bool,
    /// Record what the terminal shows to a new file, as an asciicast
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Which configuration.
    #[command(flatten)]
    pub chosen: Chosen,
    /// The command and its arguments, after `--` [default: /bin/sh]
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// `bastiond doctor`
#[derive(Clone, Debug, Args)]
pub struct Doctor {
    /// Print what was found as JSON
    #[arg(long)]
    pub json: bool,
    /// Look at these checks only, as in T05,L02
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Look at this tunnel and its bastion only
    #[arg(long, value_name = "NAME")]
    pub tunnel: Option<String>,
    /// Start the bastions, time every phase, and end them again unless they ran before
    #[arg(long)]
    pub start: bool,
    /// Which configuration.
    #[command(flatten)]
    pub chosen: Chosen,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// `bastiond man`
#[derive(Debug, Args)]
pub struct Manual {
    /// Write a page for each command into this folder instead
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn every_command_has_a_short_help_with_an_example() {
        fn each(command: &clap::Command, check: &mut impl FnMut(&clap::Command)) {
            check(command);
            for command in command.get_subcommands() {
                if command.get_name() != "help" {
                    each(command, check);
                }
            }
        }
        let mut root = super::Cli::command();
        root.build();
        each(&root, &mut |command| {
            let name = command.get_name().to_owned();
            if command.is_hide_set() {
                return;
            }
            let text = command.clone().render_help().to_string();
            let has_one = text.contains("Example") || command.has_subcommands();
            assert!(has_one, "{name}: {text}");
            assert!(text.lines().count() <= 45, "{name}: {text}");
        });
    }

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}

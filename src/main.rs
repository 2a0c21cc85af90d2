//! Parses the arguments, starts logging, and hands over. An error becomes text and an exit code.
#![forbid(unsafe_code)]

use std::{fs, io, path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use bastiond::{
    aws::Source,
    cli::{Cli, Command, Demo, Shell},
    config::Config,
    ctl, daemon, demo,
    logs::{self, Stderr},
    paths::Paths,
    platform::network,
    setup, shell,
    signals::{self, Hangup},
    start,
};
use clap::Parser;
use tokio::runtime;
use tokio_util::sync::CancellationToken;

/// A session's link and the connections beside it: more would only cost memory, on machines with many cores much.
const WORKERS: usize = 2;

fn main() -> ExitCode {
    dispatch(Cli::parse().command).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// No thread exists before this decides: `start` forks.
fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Start(args) => start::start(&places(args.config)?),
        Command::Run(args) => run(&places(args.config)?, args.detached),
        Command::Demo(args) => run_demo(args),
        Command::Shell(args) => run_shell(args),
        Command::Init(args) => {
            let path = places(args.config.clone())?.config;
            set_up(setup::init(args, &path))
        }
        Command::Infra(command) => {
            let path = places(command.config().cloned())?.config;
            set_up(setup::infra(command, &path))
        }
        Command::Ctl(command) => {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            Ok(runtime.block_on(ctl::run(command, &places(None)?)))
        }
    }
}

fn places(config: Option<PathBuf>) -> anyhow::Result<Paths> {
    let paths = Paths::from_env()?;
    match config {
        Some(config) => Ok(Paths {
            config: std::path::absolute(config)?,
            ..paths
        }),
        None => Ok(paths),
    }
}

fn run(paths: &Paths, is_detached: bool) -> anyhow::Result<ExitCode> {
    start::private_umask();

    let config = read_config(paths)?;
    let logs = logs::start(
        &paths.logs,
        if is_detached {
            Stderr::Quiet
        } else {
            Stderr::Talk
        },
    );
    let setup = daemon::Setup {
        config,
        config_path: Some(paths.config.clone()),
        paths: paths.clone(),
        log_path: logs.folder.clone(),
        source: Source::Machine,
        pace: 1.0,
        network: network::changes()
            .inspect_err(|error| tracing::warn!(%error, "changes of the network go unnoticed"))
            .ok(),
    };
    let ready = |line: &str| match is_detached {
        true => start::announce(line).context("whoever started this daemon is gone"),
        false => {
            eprintln!("bastiond is ready; {line}");
            Ok(())
        }
    };
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()?;
    let cancel = CancellationToken::new();
    let on_hangup = match is_detached {
        true => Hangup::Ignored,
        false => Hangup::Ends,
    };
    let ended = runtime.block_on(async {
        signals::cancel_on_signal(cancel.clone(), on_hangup)?;
        daemon::run(setup, ready, cancel).await
    });
    if let Err(error) = &ended
        && is_detached
    {
        // By now nobody reads stderr.
        tracing::error!("{error:#}");
    }
    ended.map(|()| ExitCode::SUCCESS)
}

fn run_demo(args: Demo) -> anyhow::Result<ExitCode> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    let cancel = CancellationToken::new();
    runtime.block_on(async {
        signals::cancel_on_signal(cancel.clone(), Hangup::Ends)?;
        demo::run(args, cancel).await
    })
}

/// No signal is caught: Ctrl-C ends it at once. At a question nothing has been changed, and what CloudFormation works on
/// goes on without it.
fn set_up(done: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    logs::on_demand();
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(done)
}

/// Its configuration is optional: an instance can be reached without one.
fn run_shell(args: Shell) -> anyhow::Result<ExitCode> {
    let paths = places(args.config.clone())?;
    let config = match paths.config.exists() || args.config.is_some() {
        true => Some(read_config(&paths)?),
        false => None,
    };
    logs::on_demand();
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()?;
    runtime.block_on(shell::run(args, &paths, config))
}

fn read_config(paths: &Paths) -> anyhow::Result<Config> {
    let shown = paths.config.display();
    let text = match fs::read_to_string(&paths.config) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!("there is no configuration at `{shown}`\nhint: write one, or try `bastiond demo`")
        }
        Err(error) => bail!("cannot read the configuration `{shown}`: {error}"),
    };
    Config::parse(&text)
        .map_err(|error| anyhow::anyhow!("the configuration `{shown}` has mistakes\n{error}"))
}

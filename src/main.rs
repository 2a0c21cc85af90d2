//! Parses the arguments, starts logging, and hands over. An error becomes text and an exit code.
#![forbid(unsafe_code)]
#![deny(clippy::print_stdout, clippy::print_stderr)]

use std::{io, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use bastiond::{
    aws::Source,
    cli::{self, Chosen, Cli, Command, Demo, Doctor, Shell},
    config::Config,
    ctl,
    daemon::{self, Successor},
    demo, doctor, errln,
    logs::{self, Stderr},
    manual, output,
    paths::Paths,
    platform::{descriptors, network},
    service::{self, Service},
    settings, setup, shell,
    signals::{self, Hangup},
    sockets::Sockets,
    sources::Sources,
    start,
};
use clap::Parser;
use tokio::{
    runtime::{Builder, Runtime},
    sync::Notify,
};
use tokio_util::sync::CancellationToken;

/// A session's link and the connections beside it: more would only cost memory, on machines with many cores much.
const WORKERS: usize = 2;
/// What the last threads are given to end, such as one that looks a name up.
const LAST_THREADS: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    output::ended(dispatch(Cli::parse().command).unwrap_or_else(|error| {
        errln!("error: {error:#}");
        ExitCode::FAILURE
    }))
}

/// No thread exists before this decides: `start` forks.
fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Start(args) => start::start(&Paths::from_env()?, &sources(args.chosen)?),
        Command::Run(args) if args.trial => read(&sources(args.chosen)?).map(|_| ExitCode::SUCCESS),
        Command::Run(args) => run(&sources(args.chosen)?, args.detached),
        Command::Demo(args) => run_demo(args),
        Command::Shell(args) => run_shell(args),
        Command::Doctor(args) => run_doctor(&args),
        Command::Init(args) => {
            let path = to_write(args.config.clone())?;
            set_up(setup::init(args, &path))
        }
        Command::Infra(command) => run_infra(command),
        Command::Completion { shell } => {
            manual::completion(shell);
            Ok(ExitCode::SUCCESS)
        }
        Command::Man(args) => manual::man(args.out.as_deref())
            .map(|()| ExitCode::SUCCESS)
            .context("cannot write the manual"),
        Command::Version { json } => {
            manual::version(json);
            Ok(ExitCode::SUCCESS)
        }
        Command::Config(command) => settings::run(command, sources),
        Command::Service(command) => run_service(command),
        Command::Ctl(command) => {
            let runtime = single_thread()?;
            Ok(runtime.block_on(ctl::run(command, &Paths::from_env()?)))
        }
    }
}

fn sources(chosen: Chosen) -> anyhow::Result<Sources> {
    let path = match chosen.config {
        Some(path) => std::path::absolute(path)?,
        None => Paths::from_env()?.config,
    };
    Ok(Sources {
        path,
        flags: chosen.set,
    })
}

fn run(sources: &Sources, is_detached: bool) -> anyhow::Result<ExitCode> {
    start::private_umask();
    let sockets = Sockets::inherited();
    let successor = Successor::of_this_process();

    let paths = Paths::from_env()?;
    let config = read(sources)?;
    let stderr = match is_detached {
        true => Stderr::Quiet,
        false => Stderr::Talk,
    };
    let logs = logs::start(&paths.logs, stderr);
    descriptors::raise_limit();
    let setup = daemon::Setup {
        config,
        sources: Some(sources.clone()),
        reload: Arc::new(Notify::new()),
        paths: paths.clone(),
        log_path: logs.folder.clone(),
        source: Source::Machine,
        pace: 1.0,
        network: network::changes()
            .inspect_err(|error| tracing::warn!(%error, "changes of the network go unnoticed"))
            .ok(),
        sockets: sockets.clone(),
        successor: successor.clone(),
    };
    let cancel = CancellationToken::new();
    let ended = run_daemon(setup, is_detached, &cancel);
    match successor {
        Some(successor) if ended.is_ok() && sockets.goes_on() && !cancel.is_cancelled() => {
            drop(logs);
            Err(successor.take_over(&sockets)).context("cannot restart")
        }
        _ => ended.map(|()| ExitCode::SUCCESS),
    }
}

/// From its first thread to its last. A signal cancels `cancel`.
fn run_daemon(
    setup: daemon::Setup,
    is_detached: bool,
    cancel: &CancellationToken,
) -> anyhow::Result<()> {
    let ready = |line: &str| match is_detached {
        true => start::announce(line).context("whoever started this daemon is gone"),
        false => {
            errln!("bastiond is ready; {line}");
            Ok(())
        }
    };
    let runtime = workers()?;
    let on_hangup = Hangup::of_daemon(is_detached, &setup.reload);
    let ended = runtime.block_on(async {
        signals::cancel_on_signal(cancel.clone(), on_hangup)?;
        daemon::run(setup, ready, cancel.clone()).await
    });
    if let Err(error) = &ended
        && is_detached
    {
        // By now nobody reads stderr.
        tracing::error!("{error:#}");
    }
    runtime.shutdown_timeout(LAST_THREADS);
    ended
}

/// For what carries bytes, or asks much at a time.
fn workers() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
}

/// For what does one thing after another.
fn single_thread() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

fn run_demo(args: Demo) -> anyhow::Result<ExitCode> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let cancel = CancellationToken::new();
    runtime.block_on(async {
        signals::cancel_on_signal(cancel.clone(), Hangup::Ends)?;
        demo::run(args, cancel).await
    })
}

fn run_service(command: cli::Service) -> anyhow::Result<ExitCode> {
    let service = |chosen: Chosen, socket| {
        let sources = sources(chosen)?;
        Service::new(&read(&sources)?, &sources, socket)
    };
    match command {
        cli::Service::Install {
            chosen,
            socket,
            dry_run: true,
        } => {
            service(chosen, socket)?.show();
            Ok(ExitCode::SUCCESS)
        }
        cli::Service::Install { chosen, socket, .. } => service(chosen, socket)?.install(),
        cli::Service::Uninstall => service::uninstall(),
        cli::Service::Status { chosen } => service(chosen, false)?.status(),
    }
}

/// The configuration file that is going to be written.
fn to_write(named: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    match named {
        Some(path) => Ok(std::path::absolute(path)?),
        None => Ok(Paths::from_env()?.config),
    }
}

/// The calls go on while a question waits for its answer, so that Ctrl-C can take back what was prepared.
fn run_infra(command: cli::Infra) -> anyhow::Result<ExitCode> {
    let config = match &command {
        cli::Infra::Deploy(args) => args.config.clone(),
        _ => None,
    };
    let path = to_write(config)?;
    logs::on_demand();
    let runtime = workers()?;
    runtime.block_on(setup::infra(command, &path))
}

/// No signal is caught: Ctrl-C ends it at once, and at a question nothing has been changed.
fn set_up(done: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    logs::on_demand();
    let runtime = single_thread()?;
    runtime.block_on(done)
}

/// Its configuration is optional: an instance can be reached without one.
fn run_shell(args: Shell) -> anyhow::Result<ExitCode> {
    let paths = Paths::from_env()?;
    let is_named = args.chosen.config.is_some();
    let sources = sources(args.chosen.clone())?;
    let config = match sources.path.exists() || is_named {
        true => Some(read(&sources)?),
        false => None,
    };
    logs::on_demand();
    // One session, of which a key is to find its way with as few threads to wake as can be.
    let runtime = single_thread()?;
    runtime.block_on(shell::run(args, &paths, config))
}

/// Mistakes of the configuration are findings like others.
fn run_doctor(args: &Doctor) -> anyhow::Result<ExitCode> {
    let sources = sources(args.chosen.clone())?;
    let paths = Paths {
        config: sources.path.clone(),
        ..Paths::from_env()?
    };
    let config = sources.read().map_err(|error| error.to_string());
    logs::on_demand();
    let runtime = workers()?;
    runtime.block_on(async {
        let end = CancellationToken::new();
        let signal = signals::cancel_on_signal(end.clone(), Hangup::Ends)?;
        let ended = doctor::run(args, paths, config, end).await;
        match signal.exit_code() {
            Some(code) if ended.is_err() => Ok(ExitCode::from(code)),
            _ => ended,
        }
    })
}

/// The configuration, with a warning for each variable that looks like a setting and is none.
fn read(sources: &Sources) -> anyhow::Result<Config> {
    let layers = sources.layers()?;
    settings::warn_of_strangers(&layers);
    Ok(Config::of(&layers).map_err(|mistakes| sources.wrong(mistakes))?)
}

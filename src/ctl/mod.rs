//! `bastiond ctl …`: asks the daemon, prints what it says, and makes an exit code of it.
//!
//! stdout has data alone; what is said besides goes to stderr.

mod bugreport;
mod connections;
mod cost;
mod failure;
mod follow;
mod list;
mod orphans;
mod progress;
mod reload;
mod restart;
mod selection;
mod starter;
mod table;
mod text;
mod units;
mod verbose;
mod wait;
mod watch;
mod width;

use std::{io::IsTerminal as _, process::ExitCode, time::Duration};

use anstream::{AutoStream, ColorChoice};
use serde::Serialize;
use tokio::time::{sleep, timeout};

use crate::{
    cli::Ctl,
    control::{client::Client, socket::is_claimed},
    exit::Exit,
    paths::Paths,
    status::{ListenerState, Orphan, OrphanState, Problem, Status, Tunnel, TunnelState},
};
use failure::{Failure, complaint};
use selection::Selection;
use starter::Starter;
use text::{Look, Palette};

/// Stopping takes the configured drain (5 s by default) and some calls to AWS.
const SHUTDOWN: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(25);

/// Runs one command. What went wrong is already printed when this returns.
pub async fn run(command: Ctl, paths: &Paths) -> ExitCode {
    let client = client(paths);
    let done = match command {
        Ctl::Status {
            tunnel,
            json,
            watch,
            verbose,
        } => {
            let selection = Selection { tunnel, verbose };
            match watch {
                true => Ok(watch::watch(&client, &selection).await),
                false => status(&client, &selection, json).await,
            }
        }
        Ctl::List { json } => list::list(&client, json).await,
        Ctl::Up { tunnel, time } => up(&client, &tunnel, time.as_deref()).await,
        Ctl::Down { tunnel } => progress::shown(&client, Some(&tunnel), client.down(&tunnel))
            .await
            .map(told)
            .map_err(Into::into),
        Ctl::Restart { tunnel, .. } => match tunnel {
            Some(tunnel) => restart::tunnel(&client, &tunnel).await,
            None => restart::daemon(&client).await,
        },
        Ctl::Reset { tunnel } => client.reset(&tunnel).await.map(told).map_err(Into::into),
        Ctl::Wait {
            tunnel,
            goal,
            timeout,
        } => wait::wait(&client, tunnel.as_deref(), goal, &timeout).await,
        Ctl::Connections { tunnel, json } => {
            connections::list(&client, tunnel.as_deref(), json).await
        }
        Ctl::Events {
            last,
            no_follow,
            json,
        } => follow::events(&client, last, !no_follow, json).await,
        Ctl::Logs {
            follow,
            since,
            last,
        } => follow::logs(&client, last, since.as_deref(), follow).await,
        Ctl::Reload { json } => reload::reload(&client, json).await,
        Ctl::Cost { json } => cost(&client, json).await,
        Ctl::Orphans { end, json } => orphans(&client, end, json).await,
        Ctl::Mfa { code, bastion } => mfa(&client, code, bastion.as_deref()).await,
        Ctl::Bugreport { out } => bugreport::write(&client, paths, out).await,
        Ctl::Shutdown => shutdown(&client, paths).await,
    };
    done.unwrap_or_else(|failure| {
        crate::output::err(format_args!("{}", complaint(&failure)));
        failure.exit()
    })
    .into()
}

/// A daemon that is coming up is waited for: one that has claimed its place, or that a service manager may be starting.
fn client(paths: &Paths) -> Client {
    let client = Client::new(&paths.socket);
    match is_claimed(paths) || Starter::here().is_service() {
        true => client.patient(),
        false => client,
    }
}

async fn status(client: &Client, selection: &Selection, as_json: bool) -> Result<Exit, Failure> {
    let status = selection.of(client.status().await?)?;
    match as_json {
        true => print_json(&status),
        false => print(&text::render(&status, &look(selection.verbose))),
    }
    Ok(exit_of(&status))
}

async fn up(client: &Client, tunnel: &str, time: Option<&str>) -> Result<Exit, Failure> {
    let call = async {
        match time {
            Some(time) => client.up_for(tunnel, time).await,
            None => client.up(tunnel).await,
        }
    };
    let tunnel = progress::shown(client, Some(tunnel), call).await?;
    Ok(told(tunnel))
}

async fn cost(client: &Client, json: bool) -> Result<Exit, Failure> {
    let cost = client.status().await?.cost;
    match json {
        true => print_json(&cost),
        false => print(&cost::render(cost.as_ref())),
    }
    Ok(Exit::Ok)
}

async fn orphans(client: &Client, end: bool, json: bool) -> Result<Exit, Failure> {
    let orphans = client.orphans(end).await?;
    match json {
        true => print_json(&orphans),
        false => print(&orphans::render(&orphans)),
    }
    let failed = |orphan: &Orphan| orphan.state == OrphanState::Failed;
    Ok(match orphans.iter().any(failed) {
        true => Exit::Failed,
        false => Exit::Ok,
    })
}

/// Without a code on the command line it is read from the terminal, or from what is piped in.
async fn mfa(
    client: &Client,
    code: Option<String>,
    bastion: Option<&str>,
) -> Result<Exit, Failure> {
    let code = code.unwrap_or_else(asked_code);
    client.mfa(&code, bastion).await?;
    print("the code was taken\n");
    Ok(Exit::Ok)
}

fn asked_code() -> String {
    if std::io::stdin().is_terminal() {
        crate::output::err(format_args!("MFA code: "));
    }
    let mut line = String::new();
    let _ = std::io::stdin().read_line(&mut line);
    line.trim().to_owned()
}

/// A sign-in comes before anything else.
fn exit_of(status: &Status) -> Exit {
    match (
        status.healthy,
        status.problems.iter().any(Problem::needs_sign_in),
    ) {
        (true, _) => Exit::Ok,
        (false, true) => Exit::SignIn,
        (false, false) => Exit::Unwell,
    }
}

fn told(tunnel: Tunnel) -> Exit {
    let places = tunnel.places(ListenerState::Listening).join(", ");
    let state = text::state(&tunnel);
    let line = format!("{}: {state}, {places}", tunnel.name);
    print(&format!("{}\n", text::printable(&line)));
    match tunnel.state {
        TunnelState::NeedsLogin | TunnelState::NeedsMfaCode => Exit::SignIn,
        TunnelState::Failed | TunnelState::PortBusy => Exit::Unwell,
        TunnelState::Idle
        | TunnelState::Starting
        | TunnelState::Ready
        | TunnelState::Reconnecting
        | TunnelState::Stopping => Exit::Ok,
    }
}

/// The lock outlives the socket: only when it is free can the next daemon start.
async fn shutdown(client: &Client, paths: &Paths) -> Result<Exit, Failure> {
    let pid = client.status().await?.daemon.pid;
    client.shutdown().await?;
    let gone = async {
        while is_claimed(paths) {
            sleep(POLL).await;
        }
    };
    if timeout(SHUTDOWN, gone).await.is_err() {
        crate::errln!(
            "error: bastiond (pid {pid}) is still stopping after {} s\nhint: kill {pid}",
            SHUTDOWN.as_secs()
        );
        return Ok(Exit::Timeout);
    }
    print(&format!("bastiond (pid {pid}) has stopped\n"));
    Ok(Exit::Ok)
}

fn print_json(value: &impl Serialize) {
    let text =
        serde_json::to_string_pretty(value).expect("values of the API have only string keys");
    print(&format!("{text}\n"));
}

fn print(text: &str) {
    crate::output::out(format_args!("{text}"));
}

/// As the terminal is; a pipe gets one line a row, without colour. NO_COLOR and its kin are honoured.
fn look(verbose: bool) -> Look {
    let stdout = std::io::stdout();
    let width = rustix::termios::tcgetwinsize(&stdout)
        .ok()
        .map(|size| usize::from(size.ws_col));
    let palette = match AutoStream::choice(&stdout) {
        ColorChoice::Never => Palette::plain(),
        ColorChoice::Auto | ColorChoice::AlwaysAnsi | ColorChoice::Always => Palette::coloured(),
    };
    Look {
        width: width.filter(|width| *width > 0),
        palette,
        verbose,
    }
}

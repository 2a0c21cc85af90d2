//! `bastiond ctl …`: asks the daemon, prints what it says, and makes an exit code of it.

mod cost;
mod orphans;
mod restart;
mod table;
mod text;
mod units;

use std::{io::IsTerminal as _, process::ExitCode, time::Duration};

use anstream::{AutoStream, ColorChoice};
use tokio::time::{sleep, timeout};

use crate::{
    cli::Ctl,
    control::{
        client::{Client, Error},
        socket::is_claimed,
    },
    paths::Paths,
    status::{ListenerState, Orphan, OrphanState, Status, Tunnel, TunnelState},
};
use text::{Look, Palette};

const FAILED: u8 = 1;
const UNREACHABLE: u8 = 3;
const UNWELL_OR_UNKNOWN: u8 = 4;

/// Stopping takes the configured drain (5 s by default) and some calls to AWS.
const SHUTDOWN: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(25);

/// Runs one command. What went wrong is already printed when this returns.
pub async fn run(command: Ctl, paths: &Paths) -> ExitCode {
    let client = Client::new(&paths.socket);
    let done = match command {
        Ctl::Status { json } => status(&client, json).await,
        Ctl::Up { tunnel, time } => {
            let up = match time {
                Some(time) => client.up_for(&tunnel, &time).await,
                None => client.up(&tunnel).await,
            };
            up.map(|tunnel| told(&tunnel))
        }
        Ctl::Down { tunnel } => client.down(&tunnel).await.map(|tunnel| told(&tunnel)),
        Ctl::Cost { json } => cost(&client, json).await,
        Ctl::Orphans { end, json } => orphans(&client, end, json).await,
        Ctl::Mfa { code, bastion } => mfa(&client, code, bastion.as_deref()).await,
        Ctl::Restart { daemon: _ } => restart::run(&client).await,
        Ctl::Shutdown => shutdown(&client, paths).await,
    };
    ExitCode::from(done.unwrap_or_else(|error| failed(&error)))
}

async fn status(client: &Client, json: bool) -> Result<u8, Error> {
    let status = client.status().await?;
    if json {
        let text = serde_json::to_string_pretty(&status).expect("a status has only string keys");
        print(&format!("{text}\n"));
    } else {
        print(&text::render(&status, &look()));
    }
    Ok(code_of(&status))
}

async fn cost(client: &Client, json: bool) -> Result<u8, Error> {
    let cost = client.status().await?.cost;
    match json {
        true => {
            let text = serde_json::to_string_pretty(&cost).expect("a cost has only string keys");
            print(&format!("{text}\n"));
        }
        false => print(&cost::render(cost.as_ref())),
    }
    Ok(0)
}

async fn orphans(client: &Client, end: bool, json: bool) -> Result<u8, Error> {
    let orphans = client.orphans(end).await?;
    match json {
        true => {
            let text =
                serde_json::to_string_pretty(&orphans).expect("orphans have only string keys");
            print(&format!("{text}\n"));
        }
        false => print(&orphans::render(&orphans)),
    }
    let failed = |orphan: &Orphan| orphan.state == OrphanState::Failed;
    Ok(if orphans.iter().any(failed) {
        FAILED
    } else {
        0
    })
}

/// Without a code on the command line it is read from the terminal, or from what is piped in.
async fn mfa(client: &Client, code: Option<String>, bastion: Option<&str>) -> Result<u8, Error> {
    let code = code.unwrap_or_else(asked_code);
    client.mfa(&code, bastion).await?;
    print("the code was taken\n");
    Ok(0)
}

fn asked_code() -> String {
    if std::io::stdin().is_terminal() {
        eprint!("MFA code: ");
    }
    let mut line = String::new();
    let _ = std::io::stdin().read_line(&mut line);
    line.trim().to_owned()
}

fn code_of(status: &Status) -> u8 {
    if status.healthy { 0 } else { UNWELL_OR_UNKNOWN }
}

fn told(tunnel: &Tunnel) -> u8 {
    let places = tunnel.places(ListenerState::Listening).join(", ");
    let state = text::state(tunnel);
    let line = format!("{}: {state}, {places}", tunnel.name);
    print(&format!("{}\n", text::printable(&line)));
    match tunnel.state {
        TunnelState::Failed
        | TunnelState::NeedsLogin
        | TunnelState::NeedsMfaCode
        | TunnelState::PortBusy => UNWELL_OR_UNKNOWN,
        TunnelState::Idle
        | TunnelState::Starting
        | TunnelState::Ready
        | TunnelState::Reconnecting
        | TunnelState::Stopping => 0,
    }
}

/// The lock outlives the socket: only when it is free can the next daemon start.
async fn shutdown(client: &Client, paths: &Paths) -> Result<u8, Error> {
    let pid = client.status().await?.daemon.pid;
    client.shutdown().await?;
    let gone = async {
        while is_claimed(paths) {
            sleep(POLL).await;
        }
    };
    if timeout(SHUTDOWN, gone).await.is_err() {
        eprintln!(
            "error: bastiond (pid {pid}) is still stopping after {} s\nhint: kill {pid}",
            SHUTDOWN.as_secs()
        );
        return Ok(FAILED);
    }
    print(&format!("bastiond (pid {pid}) has stopped\n"));
    Ok(0)
}

fn failed(error: &Error) -> u8 {
    eprint!("{}", complaint(error));
    match error {
        Error::Unreachable { .. }
        | Error::Gone { .. }
        | Error::Impostor { .. }
        | Error::Socket(_)
        | Error::Timeout(_) => UNREACHABLE,
        Error::Refused(refusal) if refusal.status == 404 => UNWELL_OR_UNKNOWN,
        Error::Refused(_) | Error::Garbled(_) => FAILED,
    }
}

/// What AWS and agents say is part of some errors, and must not steer the terminal either.
fn complaint(error: &Error) -> String {
    let mut text = String::new();
    let said = error.to_string();
    let hint = error.hint().map(|hint| format!("hint: {hint}"));
    for line in [format!("error: {said}")].into_iter().chain(hint) {
        let lines: Vec<String> = line.split('\n').map(text::printable).collect();
        text.push_str(&lines.join("\n"));
        text.push('\n');
    }
    text
}

/// A reader that has seen enough, such as `head`, is no failure.
fn print(text: &str) {
    use std::io::Write;
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// As the terminal is; a pipe gets one line a row, without colour. NO_COLOR and its kin are honoured.
fn look() -> Look {
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Refusal;

    #[test]
    fn errors_cannot_steer_the_terminal() {
        let refusal = Refusal {
            kind: String::new(),
            code: String::new(),
            title: String::new(),
            status: 409,
            detail: "bad\u{1b}]0;owned\u{7}\nnext".into(),
            hint: Some("try\u{1b}[2J\r".into()),
        };
        let text = complaint(&Error::Refused(Box::new(refusal)));
        assert_eq!(text, "error: bad ]0;owned \nnext\nhint: try [2J \n");
    }
}

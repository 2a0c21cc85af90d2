//! The demo as told on the terminal: each step of the cold start with its time, then what to try.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::Stage;
use crate::status::{BastionState, SessionState, Status};

/// How often the status is read for the story.
const GLANCE: Duration = Duration::from_millis(50);

/// Make the first connection, tell what happens, then wait for the end.
pub async fn tell(stage: &Stage<'_>, target: Option<&str>) -> anyhow::Result<ExitCode> {
    let address = &stage
        .address()
        .await
        .context("hint: bastiond demo --listen PORT")?;
    crate::outln!(
        "AWS is simulated on {}. No task runs there yet.",
        stage.sim.endpoint()
    );
    crate::outln!("bastiond is {}.", stage.line);
    crate::outln!("A first connection comes now:\n");
    let start = Instant::now();
    let mut first = tokio::spawn(first_byte(address.clone(), target.is_none()));
    let mut told = String::new();
    loop {
        if let Ok(status) = stage.client.status().await {
            tell_step(start, &mut told, step(&status));
        }
        tokio::select! {
            byte = &mut first => {
                tell_step(start, &mut told, arrival(byte.is_ok_and(|byte| byte.is_ok()), target));
                break;
            }
            () = sleep(GLANCE) => {}
            () = stage.cancel.cancelled() => return Ok(ExitCode::SUCCESS),
        }
    }
    what_to_try(address, target);
    stage.cancel.cancelled().await;
    crate::outln!("\nStopping: the session is terminated and the task stopped.");
    Ok(ExitCode::SUCCESS)
}

fn tell_step(start: Instant, told: &mut String, step: String) {
    if *told != step && !step.is_empty() {
        crate::outln!("  {:>5.1} s  {step}", start.elapsed().as_secs_f64());
        *told = step;
    }
}

/// What the daemon is busy with, in the words of the status.
fn step(status: &Status) -> String {
    let (Some(bastion), Some(tunnel)) = (status.bastions.first(), status.tunnels.first()) else {
        return String::new();
    };
    let detail = bastion.detail.clone().unwrap_or_default();
    match (bastion.state, tunnel.sessions.first()) {
        (BastionState::Starting, _) => detail,
        (_, Some(session)) if session.state == SessionState::Connected => {
            "session connected".to_owned()
        }
        (_, Some(session)) if session.state == SessionState::Linking => {
            "opening the session".to_owned()
        }
        (BastionState::Ready, Some(_)) => "agent connected; starting the session".to_owned(),
        (BastionState::Failed, _) => format!("failed: {detail}"),
        _ => String::new(),
    }
}

fn arrival(reached: bool, target: Option<&str>) -> String {
    match (reached, target) {
        (true, None) => "first byte from the private page".to_owned(),
        (true, Some(target)) => format!("connected to {target}"),
        (false, _) => format!("the connection was closed: see `{} ctl status`", program()),
    }
}

/// Connect, and wait until the far side answers. A database need not speak first, so there the
/// connection alone has to do.
async fn first_byte(address: String, speak: bool) -> std::io::Result<()> {
    let mut socket = TcpStream::connect(&address).await?;
    if speak {
        socket
            .write_all(b"GET / HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n")
            .await?;
        socket.read_u8().await?;
        return Ok(());
    }
    // Held until the session is there, then told nothing: that it stays open is the sign.
    let waited = tokio::time::timeout(Duration::from_secs(12), socket.read_u8()).await;
    match waited {
        Ok(Err(error)) => Err(error),
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}

fn what_to_try(address: &str, target: Option<&str>) {
    let port = address.rsplit(':').next().unwrap_or("55432");
    let program = program();
    let first = match target {
        None => (
            format!("curl localhost:{port}"),
            "the private page (or open it in a browser)",
        ),
        Some(_) => (
            format!("psql -h localhost -p {port}"),
            "the database, through the tunnel",
        ),
    };
    let rest = [
        ("ctl status", "what runs, and when it will stop"),
        (
            "ctl down demo-db",
            "end the session; the next connection starts another",
        ),
    ];
    let rest = rest.map(|(command, what)| (format!("{program} {command}"), what));
    let lines: Vec<_> = [first].into_iter().chain(rest).collect();
    let width = lines.iter().map(|(command, _)| command.len()).max();
    crate::outln!("\nNow try, in another terminal:\n");
    for (command, what) in &lines {
        crate::outln!("  {command:width$}   {what}", width = width.unwrap_or(0));
    }
    crate::outln!("\nCtrl-C ends the demo.");
}

/// As it was called: `cargo run` has it in a folder that no shell looks into.
fn program() -> String {
    let called = std::env::args().next();
    called.unwrap_or_else(|| env!("CARGO_PKG_NAME").to_owned())
}

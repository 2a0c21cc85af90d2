//! `bastiond demo --check`: the whole job once, judged by hashes and by what the simulator saw.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::Stage;
use super::page::{hex, pattern};
use crate::sim::{Cut, Sim};

/// What is carried each way.
const SIZE: usize = 8 * 1024 * 1024;
/// The link is cut after this much of the download.
const CUT_AT: usize = SIZE / 4;
/// The whole check; at the agent's own pace the download alone takes about ten seconds.
const LIMIT: Duration = Duration::from_secs(120);

/// Do the job, print one line of JSON.
pub async fn run(stage: &Stage<'_>) -> anyhow::Result<ExitCode> {
    let outcome = timeout(LIMIT, job(stage)).await;
    let outcome = outcome.unwrap_or_else(|_| Err(anyhow::anyhow!("not done within {LIMIT:?}")));
    let (line, code) = match outcome {
        Ok(times) => (times, ExitCode::SUCCESS),
        Err(error) => (
            json!({ "ok": false, "error": format!("{error:#}") }),
            ExitCode::FAILURE,
        ),
    };
    crate::outln!("{line}");
    Ok(code)
}

async fn job(stage: &Stage<'_>) -> anyhow::Result<Value> {
    let sim = stage.sim;
    let address = &stage.address().await?;
    ensure!(
        sim.world().count("RunTask") == 0,
        "a task was run before anybody connected"
    );

    let start = Instant::now();
    let greeting = request(address, "GET / HTTP/1.1", &[])
        .await
        .context("the first request")?;
    ensure!(
        greeting.starts_with(b"<!doctype html>"),
        "the page is not the page"
    );
    let cold_start = start.elapsed();

    let start = Instant::now();
    let hash = request(address, "POST /hash HTTP/1.1", &pattern(SIZE))
        .await
        .context("the upload")?;
    ensure!(
        hash == hex(&Sha256::digest(pattern(SIZE))).as_bytes(),
        "the upload was damaged"
    );
    let upload = start.elapsed();

    let start = Instant::now();
    let bytes = download(address, sim).await.context("the download")?;
    ensure!(bytes == pattern(SIZE), "the download was damaged");
    let download = start.elapsed();
    ensure!(
        sim.world().count("ResumeSession") > 0,
        "the cut link was not resumed"
    );

    let start = Instant::now();
    let stopped = sim
        .world()
        .until(|world| !world.tasks().is_empty() && world.count("StopTask") > 0);
    stopped.await;
    let task_stopped = start.elapsed();
    let status = stage.client.status().await.context("the status")?;
    ensure!(
        status.healthy,
        "the daemon reports problems: {:?}",
        status.problems
    );
    Ok(json!({
        "ok": true,
        "cold_start_seconds": cold_start.as_secs_f64(),
        "upload_seconds": upload.as_secs_f64(),
        "download_seconds": download.as_secs_f64(),
        "bytes_each_way": SIZE,
        "resumed": sim.world().count("ResumeSession"),
        "task_stopped_after_seconds": task_stopped.as_secs_f64(),
    }))
}

/// A request on a connection of its own; gives the body of the answer.
async fn request(address: &str, line: &str, body: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut socket = TcpStream::connect(address).await?;
    let head = format!(
        "{line}\r\nHost: demo\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).await?;
    socket.write_all(body).await?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await?;
    Ok(body_of(&answer)?.to_vec())
}

/// The download, with the WebSocket reset in its midst.
async fn download(address: &str, sim: &Sim) -> anyhow::Result<Vec<u8>> {
    let mut socket = TcpStream::connect(address).await?;
    let head = format!("GET /bytes/{SIZE} HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n");
    socket.write_all(head.as_bytes()).await?;
    let mut answer = Vec::with_capacity(SIZE + 1024);
    let mut is_cut = false;
    while socket.read_buf(&mut answer).await? > 0 {
        if !is_cut && answer.len() >= CUT_AT {
            sim.world().cut_links(&Cut::Reset);
            is_cut = true;
        }
    }
    Ok(body_of(&answer)?.to_vec())
}

fn body_of(answer: &[u8]) -> anyhow::Result<&[u8]> {
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .context("no answer came")?;
    Ok(&answer[end + 4..])
}

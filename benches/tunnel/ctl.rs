//! `ctl status`: a call on the control socket, alone and with many connections open, and the whole program.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::ensure;
use bastiond::control::client::Client;
use bastiond::platform::descriptors;
use bastiond::proto::AgentProfile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::private;
use crate::stage::Stage;
use crate::table::{Row, Table, Target, median, millis, percentile};

const CALL: &str = "ctl status, call on the socket, p50";
const SLOW_CALL: &str = "ctl status, call on the socket, p99";
const PROGRAM: &str = "ctl status, whole program, median";
const CALLS: usize = 500;
const PROGRAMS: usize = 51;
const TARGET: Target = Target::AtMost(5.0);
const PROGRAM_TARGET: Target = Target::AtMost(10.0);

const CROWDED_CALL: &str = "status with 1,000 connections open, p50";
const SLOW_CROWDED_CALL: &str = "status with 1,000 connections open, p99";
const LIST: &str = "list of 1,000 connections, p50";
const SLOW_LIST: &str = "list of 1,000 connections, p99";
const CROWD: usize = 1000;
/// When more than 64 wait for the agent to dial, another session is opened for them.
const AT_ONCE: usize = 40;

/// Milliseconds, while so many connections are open that nobody has more.
pub async fn crowded_calls(table: &mut Table) -> anyhow::Result<()> {
    if !table.wants(&[CROWDED_CALL, SLOW_CROWDED_CALL, LIST, SLOW_LIST]) {
        return Ok(());
    }
    // Each connection has two ends here, and two at the far side.
    descriptors::raise_limit();
    let stage = Stage::with_agent(AgentProfile::quick(), private::serve().await?).await?;
    let client = Client::new(&stage.paths.socket);
    let mut crowd = Vec::new();
    while crowd.len() < CROWD {
        let arriving: JoinSet<_> = (0..AT_ONCE).map(|_| guest(stage.address)).collect();
        for guest in arriving.join_all().await {
            crowd.push(guest?);
        }
    }
    // The first call looks for the programs behind the connections, once for each.
    let listed = client.connections(None).await?.connections.len();
    ensure!(listed == CROWD, "{listed} connections are listed");
    let (mut calls, mut lists) = (Vec::new(), Vec::new());
    for _ in 0..CALLS {
        let start = Instant::now();
        client.status().await?;
        calls.push(millis(start.elapsed()));
        let start = Instant::now();
        client.connections(None).await?;
        lists.push(millis(start.elapsed()));
    }
    let row = |measure, figure| Row::new(measure, figure, "ms");
    table.add(row(CROWDED_CALL, percentile(&mut calls, 50)));
    let slow = row(SLOW_CROWDED_CALL, percentile(&mut calls, 99));
    table.add(slow.aiming(Target::AtMost(1.0)));
    table.add(row(LIST, percentile(&mut lists, 50)));
    table.add(row(SLOW_LIST, percentile(&mut lists, 99)));
    drop(crowd);
    stage.stop().await
}

/// A connection that has had an answer.
async fn guest(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let mut socket = TcpStream::connect(address).await?;
    private::echo(&mut socket).await?;
    socket.write_u8(1).await?;
    socket.read_u8().await?;
    Ok(socket)
}

/// Milliseconds.
pub async fn round_trips(table: &mut Table) -> anyhow::Result<()> {
    if !table.wants(&[CALL, SLOW_CALL, PROGRAM]) {
        return Ok(());
    }
    let stage = Stage::with_agent(AgentProfile::quick(), private::serve().await?).await?;
    let client = Client::new(&stage.paths.socket);
    let mut calls = Vec::new();
    for _ in 0..CALLS {
        let start = Instant::now();
        client.status().await?;
        calls.push(millis(start.elapsed()));
    }
    let mut programs = Vec::new();
    for _ in 0..PROGRAMS {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bastiond"));
        command.args(["ctl", "status"]);
        command.env("BASTIOND_SOCKET", &stage.paths.socket);
        let start = Instant::now();
        let output = command.output().await?;
        programs.push(millis(start.elapsed()));
        ensure!(output.status.success(), "ctl status failed: {output:?}");
    }
    let row = |measure, figure| Row::new(measure, figure, "ms");
    table.add(row(CALL, percentile(&mut calls, 50)).aiming(TARGET));
    table.add(row(SLOW_CALL, percentile(&mut calls, 99)));
    table.add(row(PROGRAM, median(programs)).aiming(PROGRAM_TARGET));
    stage.stop().await
}

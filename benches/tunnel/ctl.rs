//! `ctl status`: a call on the control socket, and the whole program.

use std::time::Instant;

use anyhow::ensure;
use bastiond::control::client::Client;
use bastiond::proto::AgentProfile;
use tokio::process::Command;

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

//! Cold starts: how long after the simulated agent can be reached the first byte arrives.
//!
//! The daemon polls as it does against AWS; only the task is quicker. The starts run beside each other, each with an
//! agent that is reachable a little later than the one before, so that all phases of the polling are met.

use std::net::SocketAddr;
use std::time::Duration;

use bastiond::sim::{Script, Timing};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::private;
use crate::stage::{self, Stage};
use crate::table::{Row, Table, Target, median};

const FIRST_BYTE: &str = "first byte after the agent is reachable, median";
const WORST: &str = "the same, slowest";
const STARTS: u32 = 15;
/// From one start to the next; all of them together span more than the longest pause between two looks.
const STEP: Duration = Duration::from_millis(130);
/// AWS's side of the daemon's default bastion.
const VIA: &str = "bastion = 'dev'\n[bastion.dev]\ncluster = 'backend'\ntask_definition = 'bastion'\n\
                   subnets = ['subnet-0a1b2c3d']\nsecurity_groups = ['sg-0a1b2c3d']";

/// Seconds.
pub async fn cold_starts(table: &mut Table) -> anyhow::Result<()> {
    if !table.wants(&[FIRST_BYTE, WORST]) {
        return Ok(());
    }
    let private = private::serve().await?;
    let mut starts = JoinSet::new();
    for number in 0..STARTS {
        starts.spawn(cold_start(private, STEP * number));
    }
    let mut times = Vec::new();
    while let Some(time) = starts.join_next().await {
        times.push(time??.as_secs_f64());
    }
    let worst = times.iter().copied().fold(0.0, f64::max);
    let row = Row::new(FIRST_BYTE, median(times), "s");
    table.add(row.aiming(Target::AtMost(0.7)));
    table.add(Row::new(WORST, worst, "s"));
    Ok(())
}

async fn cold_start(private: SocketAddr, later: Duration) -> anyhow::Result<Duration> {
    let faithful = Timing::fargate();
    let timing = Timing {
        agent_connect: faithful.agent_connect + later,
        ..faithful
    };
    let script = Script {
        timing,
        agent: Default::default(),
        ..stage::script(private)
    };
    let stage = Stage::start(script, VIA).await?;
    let mut socket = TcpStream::connect(stage.address).await?;
    private::echo(&mut socket).await?;
    socket.write_u8(1).await?;
    socket.read_u8().await?;
    let arrived = Instant::now();
    let reachable = stage.sim.world().tasks()[0].course.connected_at();
    drop(socket);
    stage.stop().await?;
    Ok(arrived - reachable)
}

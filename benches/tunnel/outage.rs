//! After a cut: how soon the first byte comes through a connection that was open before, and how long it takes to get
//! back what was lost.

use std::net::SocketAddr;
use std::time::Duration;

use bastiond::proto::AgentProfile;
use bastiond::sim::{ApiFault, Cut, Faults, Line};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::private;
use crate::stage::Stage;
use crate::table::{Row, Table, Target, median, millis};

const RESET: &str = "first byte after the link was reset, median";
const BACK: &str = "first byte after the network is back, median";
const UP: &str = "1 MB sent and lost, recovered in";
const DOWN: &str = "1 MB of an agent that repeats all, recovered in";
const FAITHFUL: &str = "100 KB of the official agent, recovered in";
/// Beside the simulated calls.
const SOON: Target = Target::AtMost(300.0);

const RUNS: u32 = 9;
/// From one run to the next.
const STEP: Duration = Duration::from_millis(300);
/// A link that lived for less is taken for one that fails again and again.
const GOOD_LINK: Duration = Duration::from_millis(10_500);
/// Long enough for the last attempt of an outage to be over.
const OUTAGE: Duration = Duration::from_millis(1500);
/// Long enough for what is to be lost to be sent.
const LOSING: Duration = Duration::from_millis(600);
const MEGABYTE: u64 = 1 << 20;
/// A hundred messages: ten seconds of the agent's repeating.
const FEW: u64 = 100 << 10;

/// Milliseconds to the first byte.
pub async fn first_bytes(table: &mut Table) -> anyhow::Result<()> {
    if !table.wants(&[RESET, BACK]) {
        return Ok(());
    }
    let private = private::serve().await?;
    let mut outages = JoinSet::new();
    for number in 0..RUNS {
        outages.spawn(first_byte(private, STEP * number));
    }
    let (mut reset, mut back) = (Vec::new(), Vec::new());
    while let Some(times) = outages.join_next().await {
        let times = times??;
        reset.push(millis(times.0));
        back.push(millis(times.1));
    }
    table.add(Row::new(RESET, median(reset), "ms").aiming(SOON));
    table.add(Row::new(BACK, median(back), "ms").aiming(SOON));
    Ok(())
}

/// After a reset, and after an outage.
async fn first_byte(private: SocketAddr, later: Duration) -> anyhow::Result<(Duration, Duration)> {
    let stage = Stage::with_agent(AgentProfile::quick(), private).await?;
    let mut socket = TcpStream::connect(stage.address).await?;
    private::echo(&mut socket).await?;
    there_and_back(&mut socket).await?;
    sleep(GOOD_LINK + later).await;
    let world = stage.sim.world();
    let start = Instant::now();
    world.cut_links(&Cut::Reset);
    there_and_back(&mut socket).await?;
    let reset = start.elapsed();
    sleep(GOOD_LINK).await;
    world.fail_always("ResumeSession", ApiFault::Reset);
    world.cut_links(&Cut::Drop);
    sleep(OUTAGE).await;
    world.heal("ResumeSession");
    let start = Instant::now();
    stage.change_network()?;
    there_and_back(&mut socket).await?;
    let back = start.elapsed();
    drop(socket);
    stage.stop().await?;
    Ok((reset, back))
}

/// Seconds until what was lost has arrived.
pub async fn recoveries(table: &mut Table) -> anyhow::Result<()> {
    if !table.wants(&[UP, DOWN, FAITHFUL]) {
        return Ok(());
    }
    let private = private::serve().await?;
    let seconds = |measure, time: Duration| Row::new(measure, time.as_secs_f64(), "s");
    let up = upload(private).await?;
    table.add(seconds(UP, up).aiming(Target::AtMost(1.0)));
    let down = download(private, AgentProfile::quick(), MEGABYTE).await?;
    table.add(seconds(DOWN, down).aiming(Target::AtMost(1.0)));
    let faithful = download(private, AgentProfile::default(), FEW).await?;
    table.add(seconds(FAITHFUL, faithful));
    Ok(())
}

async fn upload(private: SocketAddr) -> anyhow::Result<Duration> {
    let stage = Stage::with_agent(AgentProfile::quick(), private).await?;
    let mut socket = TcpStream::connect(stage.address).await?;
    private::echo(&mut socket).await?;
    there_and_back(&mut socket).await?;
    let mut loser = TcpStream::connect(stage.address).await?;
    lose(&stage, true);
    let uploading = tokio::spawn(async move { private::upload(&mut loser, MEGABYTE).await });
    sleep(LOSING).await;
    let start = find_again(&stage);
    uploading.await??;
    let took = start.elapsed();
    drop(socket);
    stage.stop().await?;
    Ok(took)
}

async fn download(
    private: SocketAddr,
    agent: AgentProfile,
    count: u64,
) -> anyhow::Result<Duration> {
    let stage = Stage::with_agent(agent, private).await?;
    let mut socket = TcpStream::connect(stage.address).await?;
    private::echo(&mut socket).await?;
    there_and_back(&mut socket).await?;
    lose(&stage, false);
    let mut loser = TcpStream::connect(stage.address).await?;
    private::ask(&mut loser, count).await?;
    sleep(LOSING).await;
    let start = find_again(&stage);
    let mut got = vec![0; usize::try_from(count)?];
    loser.read_exact(&mut got).await?;
    let took = start.elapsed();
    drop((socket, loser));
    stage.stop().await?;
    Ok(took)
}

/// From now on everything one way is lost.
fn lose(stage: &Stage, to_agent: bool) {
    let lost = Line {
        drop: 1.0,
        ..Line::default()
    };
    let (to_agent, to_client) = match to_agent {
        true => (lost, Line::default()),
        false => (Line::default(), lost),
    };
    stage.sim.world().set_faults(Faults {
        to_agent,
        to_client,
        ..Faults::default()
    });
}

/// Nothing is lost any more, on another link.
fn find_again(stage: &Stage) -> Instant {
    stage.sim.world().set_faults(Faults::default());
    stage.sim.world().cut_links(&Cut::Reset);
    Instant::now()
}

async fn there_and_back(socket: &mut TcpStream) -> anyhow::Result<()> {
    socket.write_u8(7).await?;
    socket.read_u8().await?;
    Ok(())
}

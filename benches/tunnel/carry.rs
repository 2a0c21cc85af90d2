//! Bytes through one session, the agent not pacing itself, beside the same bytes over plain TCP.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bastiond::proto::AgentProfile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::private;
use crate::stage::Stage;
use crate::table::{Row, Table, Target, median, percentile};

/// What one upload or download carries.
const BULK: u64 = 64 << 20;
const BULK_RUNS: usize = 5;
const UP: &str = "upload, 1 KiB messages";
const DOWN: &str = "download, 1 KiB messages";
const BOTH: &str = "both at once, each way";
const BULK_TARGET: Target = Target::AtLeast(40.0);

const PING: [u8; 64] = [0x5a; 64];
const WARM_UP: usize = 200;
const PINGS: usize = 5000;
const MEDIAN_PING: &str = "64-byte ping-pong, p50";
const SLOW_PING: &str = "64-byte ping-pong, p99";

/// Megabytes a second each way.
pub async fn bulk(table: &mut Table) -> anyhow::Result<()> {
    if !table.wants(&[UP, DOWN, BOTH]) {
        return Ok(());
    }
    let private = private::serve().await?;
    let stage = Stage::with_agent(AgentProfile::quick(), private).await?;
    let (mut tunnel, mut plain) = (Rates::default(), Rates::default());
    for _ in 0..BULK_RUNS {
        tunnel.measure(stage.address).await?;
        plain.measure(private).await?;
    }
    let [up, down, both] = tunnel.medians();
    let [plain_up, plain_down, plain_both] = plain.medians();
    let row = |measure, figure| Row::new(measure, figure, "MB/s");
    table.add(row(UP, up).aiming(BULK_TARGET).beside(plain_up));
    table.add(row(DOWN, down).aiming(BULK_TARGET).beside(plain_down));
    table.add(row(BOTH, both).beside(plain_both));
    stage.stop().await
}

/// Milliseconds there and back.
pub async fn ping_pong(table: &mut Table) -> anyhow::Result<()> {
    if !table.wants(&[MEDIAN_PING, SLOW_PING]) {
        return Ok(());
    }
    let private = private::serve().await?;
    let stage = Stage::with_agent(AgentProfile::quick(), private).await?;
    let mut tunnel = pings(stage.address).await?;
    let mut plain = pings(private).await?;
    let mut row = |measure, percent| {
        let figure = percentile(&mut tunnel, percent);
        Row::new(measure, figure, "ms").beside(percentile(&mut plain, percent))
    };
    table.add(row(MEDIAN_PING, 50).aiming(Target::AtMost(0.4)));
    table.add(row(SLOW_PING, 99));
    stage.stop().await
}

async fn pings(address: SocketAddr) -> anyhow::Result<Vec<f64>> {
    let mut socket = TcpStream::connect(address).await?;
    private::echo(&mut socket).await?;
    let mut times = Vec::new();
    for number in 0..WARM_UP + PINGS {
        let start = Instant::now();
        socket.write_all(&PING).await?;
        socket.read_exact(&mut [0; PING.len()]).await?;
        if number >= WARM_UP {
            times.push(crate::table::millis(start.elapsed()));
        }
    }
    Ok(times)
}

/// Samples of one way to the private side.
#[derive(Default)]
struct Rates {
    up: Vec<f64>,
    down: Vec<f64>,
    both: Vec<f64>,
}

impl Rates {
    async fn measure(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let start = Instant::now();
        upload(address).await?;
        self.up.push(rate(start.elapsed()));
        let start = Instant::now();
        download(address).await?;
        self.down.push(rate(start.elapsed()));
        let start = Instant::now();
        tokio::try_join!(upload(address), download(address))?;
        self.both.push(rate(start.elapsed()));
        Ok(())
    }

    fn medians(self) -> [f64; 3] {
        [self.up, self.down, self.both].map(median)
    }
}

async fn upload(address: SocketAddr) -> anyhow::Result<()> {
    let mut socket = TcpStream::connect(address).await?;
    Ok(private::upload(&mut socket, BULK).await?)
}

async fn download(address: SocketAddr) -> anyhow::Result<()> {
    let mut socket = TcpStream::connect(address).await?;
    Ok(private::download(&mut socket, BULK).await?)
}

/// Of [`BULK`] bytes in this time.
fn rate(time: Duration) -> f64 {
    BULK as f64 / time.as_secs_f64() / 1e6
}

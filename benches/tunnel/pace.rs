//! What arrives at a local client of what the paced agent can give.
//!
//! The agent rests a millisecond after each message; how long that really is depends on the machine's timers and on
//! who else is busy. So the most it can give is measured beside the tunnel, at the same time: the same agent, in
//! memory, with a client that takes and acknowledges everything at once.

use std::io;
use std::time::{Duration, SystemTime};

use bastiond::proto::{AgentProfile, Event, Options, Session, StreamId};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::private;
use crate::stage::Stage;
use crate::table::{Row, Table, Target};

const SHARE: &str = "paced download, share of what the agent can give";
const RATE: &str = "paced download";
const LENGTH: Duration = Duration::from_secs(8);
/// More than the agent gives in that time, at most 1 MB/s.
const ENOUGH: usize = 16 << 20;

/// The share, and the rate itself.
pub async fn share(table: &mut Table) -> anyhow::Result<()> {
    if !table.wants(&[SHARE, RATE]) {
        return Ok(());
    }
    let private = private::serve().await?;
    let stage = Stage::with_agent(AgentProfile::default(), private).await?;
    let mut socket = TcpStream::connect(stage.address).await?;
    private::ask(&mut socket, ENOUGH as u64).await?;
    socket.read_u8().await?;
    let alone = tokio::spawn(Alone::new().run());
    let through = received(&mut socket).await?;
    let alone = alone.await?;
    table.add(Row::new(RATE, through / 1e6, "MB/s"));
    table.add(Row::new(SHARE, 100.0 * through / alone, "%").aiming(Target::AtLeast(97.0)));
    drop(socket);
    stage.stop().await
}

/// Bytes a second at a client of the tunnel.
async fn received(socket: &mut TcpStream) -> io::Result<f64> {
    let end = Instant::now() + LENGTH;
    let (mut count, mut buffer) = (0, vec![0; 64 * 1024]);
    while let Ok(read) = timeout_at(end, socket.read(&mut buffer)).await {
        match read? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => count += read,
        }
    }
    Ok(count as f64 / LENGTH.as_secs_f64())
}

/// The agent with nothing in its way.
struct Alone {
    agent: Session,
    client: Session,
    stream: StreamId,
    received: usize,
}

impl Alone {
    fn new() -> Self {
        let (now, wall) = (Instant::now().into_std(), SystemTime::now());
        let agent = Options::agent(1, wall, AgentProfile::default());
        let mut agent = Session::new(agent, now);
        let mut client = Session::new(Options::client(2, wall), now);
        agent.handle_connected(now);
        client.handle_connected(now);
        let stream = client.open();
        Self {
            agent,
            client,
            stream,
            received: 0,
        }
    }

    /// Bytes a second at its client.
    async fn run(mut self) -> f64 {
        while self.received == 0 {
            self.turn().await;
        }
        self.received = 0;
        let end = Instant::now() + LENGTH;
        while Instant::now() < end {
            self.turn().await;
        }
        self.received as f64 / LENGTH.as_secs_f64()
    }

    async fn turn(&mut self) {
        let now = Instant::now().into_std();
        self.agent.handle_timeout(now);
        self.client.handle_timeout(now);
        self.exchange(now);
        while let Some(event) = self.agent.poll_event() {
            if event == Event::Opened(self.stream) {
                // Enough for the whole measure.
                self.agent.write(self.stream, vec![0x5a; ENOUGH].into());
                self.exchange(now);
            }
        }
        while self.client.poll_event().is_some() {}
        while let Some(data) = self.client.read(self.stream) {
            self.received += data.len();
        }
        let timeouts = [self.agent.poll_timeout(), self.client.poll_timeout()];
        if let Some(at) = timeouts.into_iter().flatten().min() {
            sleep_until(at.into()).await;
        }
    }

    /// A line without length: an ignored frame comes again.
    fn exchange(&mut self, now: std::time::Instant) {
        loop {
            let down = self.agent.poll_transmit(now);
            let up = self.client.poll_transmit(now);
            if down.is_none() && up.is_none() {
                return;
            }
            let _ = down.map(|frame| self.client.handle_input(frame, now));
            let _ = up.map(|frame| self.agent.handle_input(frame, now));
        }
    }
}

//! Clients of all manners, each of which knows which bytes it is owed.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream, tcp::ReadHalf, tcp::WriteHalf},
    time::{sleep, timeout},
};

use crate::{
    database::{HEADER, Request},
    pattern::{self, Way},
};

/// What is read at once.
const PIECE: usize = 64 * 1024;
/// How long the system may take to pass a reset on to the other half of a socket.
const MOMENT: Duration = Duration::from_millis(500);

/// How a client behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Manner {
    /// Asks, waits for the answer, thinks, asks again.
    Chat,
    /// Sends all it has to ask at once, and reads meanwhile.
    Pipelined,
    /// The same, and closes its half when all is asked.
    HalfClosed,
    /// The same as a chat; reads a little at a time.
    Slow,
    /// Leaves in the middle: with a close, or with a reset.
    Leaver { resets: bool },
    /// Connects and has nothing to say for so long.
    Silent(Duration),
}

/// A client that is yet to connect.
#[derive(Clone, Debug)]
pub struct Plan {
    pub id: u64,
    pub manner: Manner,
    /// Bytes up and down of each request.
    pub requests: Vec<(u32, u32)>,
    /// Between requests.
    pub pause: Duration,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It got all it was owed, and then the end.
    Whole,
    /// Its connection was reset; all that came before was right.
    Cut,
    /// It left as it meant to.
    Left,
    /// Nobody listened: the daemon is being started again.
    Refused,
    /// Something that must never happen.
    Wrong(String),
}

/// What became of it, in figures.
#[derive(Clone, Debug)]
pub struct Report {
    pub fate: Fate,
    /// Bytes taken from it.
    pub sent: u64,
    /// Bytes it was given.
    pub got: u64,
}

impl Plan {
    pub fn draw(id: u64, rng: &mut fastrand::Rng) -> Self {
        let manner = match rng.u32(..100) {
            0..45 => Manner::Chat,
            45..65 => Manner::Pipelined,
            65..75 => Manner::HalfClosed,
            75..80 => Manner::Slow,
            80..92 => Manner::Leaver { resets: rng.bool() },
            _ => Manner::Silent(Duration::from_millis(rng.u64(0..3000))),
        };
        let size = |rng: &mut fastrand::Rng| match rng.u32(..10) {
            0..6 => rng.u32(0..2000),
            6..9 => rng.u32(0..60_000),
            _ => rng.u32(0..400_000),
        };
        let count = rng.usize(1..20);
        Self {
            id,
            manner,
            requests: (0..count).map(|_| (size(rng), size(rng))).collect(),
            pause: Duration::from_millis(rng.u64(0..120)),
        }
    }

    /// All that the database is owed, headers too.
    pub fn owed_up(&self) -> u64 {
        let up = self
            .requests
            .iter()
            .map(|(up, _)| u64::from(*up) + HEADER as u64);
        up.sum()
    }

    fn owed_down(&self) -> u64 {
        self.requests.iter().map(|(_, down)| u64::from(*down)).sum()
    }

    fn request(&self, number: usize) -> Request {
        let (up, down) = self.requests[number];
        Request {
            id: self.id,
            number: number as u32,
            up,
            down,
            last: number + 1 == self.requests.len(),
        }
    }

    /// Connects and does as it is.
    pub async fn run(&self, address: SocketAddr) -> Report {
        let mut report = Report {
            fate: Fate::Refused,
            sent: 0,
            got: 0,
        };
        let mut socket = match self.connect(address).await {
            Ok(socket) => socket,
            Err(error) => {
                if error.kind() == io::ErrorKind::ConnectionReset {
                    report.fate = Fate::Cut;
                }
                return report;
            }
        };
        let Report { sent, got, .. } = &mut report;
        let fate = match self.manner {
            Manner::Chat | Manner::Slow => self.chat(&mut socket, sent, got, usize::MAX).await,
            Manner::Pipelined | Manner::HalfClosed => self.pipeline(&mut socket, sent, got).await,
            Manner::Leaver { resets } => {
                let part = self.requests.len() / 2;
                let fate = self.chat(&mut socket, sent, got, part).await;
                if resets {
                    let _ = socket.set_zero_linger();
                }
                fate
            }
            Manner::Silent(time) => silence(&mut socket, time).await,
        };
        report.fate = fate;
        report
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        if self.manner == Manner::Slow {
            socket.set_recv_buffer_size(16 * 1024)?;
        }
        let socket = socket.connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(socket)
    }

    /// One request after another; leaves before the one numbered `until`.
    async fn chat(
        &self,
        socket: &mut TcpStream,
        sent: &mut u64,
        got: &mut u64,
        until: usize,
    ) -> Fate {
        let (mut reader, mut writer) = socket.split();
        for number in 0..self.requests.len() {
            if number == until {
                return Fate::Left;
            }
            let written = self.send(&mut writer, number, sent).await;
            if let Err(error) = written {
                let read = self.receive(&mut reader, u64::MAX, got).await;
                return self.torn(*got, read.err(), Some(error));
            }
            let owed: u64 = self.requests[..=number]
                .iter()
                .map(|(_, down)| u64::from(*down))
                .sum();
            if let Err(error) = self.receive(&mut reader, owed, got).await {
                return self.torn(*got, Some(error), None);
            }
            sleep(self.pause).await;
        }
        self.last_words(&mut reader, got).await
    }

    /// Both ways at once.
    async fn pipeline(&self, socket: &mut TcpStream, sent: &mut u64, got: &mut u64) -> Fate {
        let (mut reader, mut writer) = socket.split();
        let sending = async {
            for number in 0..self.requests.len() {
                self.send(&mut writer, number, sent).await?;
            }
            match self.manner {
                Manner::HalfClosed => writer.shutdown().await,
                _ => Ok(()),
            }
        };
        let receiving = self.receive(&mut reader, self.owed_down(), got);
        tokio::pin!(sending);
        let mut written = None;
        let read = {
            tokio::pin!(receiving);
            loop {
                tokio::select! {
                    read = &mut receiving => break read,
                    done = &mut sending, if written.is_none() => written = Some(done),
                }
            }
        };
        // Of a reset only one half is told the name; the other sees an end.
        if read.is_err() && written.is_none() {
            written = timeout(MOMENT, &mut sending).await.ok();
        }
        let unsent = written.and_then(Result::err);
        match read {
            Err(error) => self.torn(*got, Some(error), unsent),
            Ok(()) => match unsent {
                Some(error) => self.torn(*got, None, Some(error)),
                None => self.last_words(&mut reader, got).await,
            },
        }
    }

    async fn send(
        &self,
        writer: &mut WriteHalf<'_>,
        number: usize,
        sent: &mut u64,
    ) -> io::Result<()> {
        let request = self.request(number);
        let before: u64 = self.requests[..number]
            .iter()
            .map(|(up, _)| u64::from(*up))
            .sum();
        let mut bytes = request.to_bytes().to_vec();
        bytes.extend(pattern::of(self.id, Way::Up, before, request.up as usize));
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let written = writer.write(rest).await?;
            *sent += written as u64;
            rest = &rest[written..];
        }
        Ok(())
    }

    /// Until so many bytes in all have come.
    async fn receive(&self, reader: &mut ReadHalf<'_>, owed: u64, got: &mut u64) -> io::Result<()> {
        let piece = if self.manner == Manner::Slow {
            4096
        } else {
            PIECE
        };
        let mut buffer = vec![0; piece];
        while *got < owed {
            let most = (owed - *got).min(piece as u64) as usize;
            let length = match reader.read(&mut buffer[..most]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => length,
            };
            let right = pattern::check(self.id, Way::Down, *got, &buffer[..length]);
            right.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            *got += length as u64;
            if self.manner == Manner::Slow {
                sleep(Duration::from_millis(2)).await;
            }
        }
        Ok(())
    }

    /// Everything has come: only the end may follow.
    async fn last_words(&self, reader: &mut ReadHalf<'_>, got: &u64) -> Fate {
        match reader.read(&mut [0; 64]).await {
            Ok(0) => Fate::Whole,
            Ok(more) => Fate::Wrong(format!("{more} bytes after all {got}")),
            Err(error) => self.torn(*got, Some(error), None),
        }
    }

    /// It broke: a reset is a cut, and nothing else is.
    fn torn(&self, got: u64, read: Option<io::Error>, written: Option<io::Error>) -> Fate {
        let is_reset = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionReset;
        if read
            .iter()
            .any(|error| error.kind() == io::ErrorKind::InvalidData)
        {
            return Fate::Wrong(format!("{read:?}"));
        }
        if [&read, &written].into_iter().flatten().any(is_reset) {
            return Fate::Cut;
        }
        Fate::Wrong(format!(
            "no reset after {got} of {} bytes: reading {read:?}, writing {written:?}",
            self.owed_down()
        ))
    }
}

/// Whoever says nothing is told nothing; only a reset may come.
async fn silence(socket: &mut TcpStream, time: Duration) -> Fate {
    match timeout(time, socket.read(&mut [0; 1])).await {
        Err(_) => Fate::Left,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => Fate::Cut,
        Ok(other) => Fate::Wrong(format!("silence was answered: {other:?}")),
    }
}

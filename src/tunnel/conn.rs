//! One local TCP connection ↔ one stream.
//!
//! Reads from the client go to the link in chunks; what the link pushes is written to the client.
//! This is the one place that decides what a local end-of-file means: the agent takes a stream's
//! FIN for a full close and drops replies in flight, so the FIN is held back until the far side
//! has closed, or has been silent for the linger time.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::pipe::{self, Item};
use super::reason;
use super::roster::Ticket;
use super::view::{Phase, View};
use crate::proto::StreamId;
use crate::status::Reason;

/// The most that is read at once; also the largest frame the reference multiplexer sends.
const CHUNK: usize = 32 * 1024;
/// How many items are taken from the link at once.
const BATCH: usize = 64;
/// How long a client may take to close after the far side has.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// An accepted connection that has not been given to a session.
#[derive(Debug)]
pub struct Accepted {
    /// The socket.
    pub socket: TcpStream,
    /// Who connected.
    pub peer: SocketAddr,
    /// When.
    pub at: Instant,
    /// Its place among those that are open.
    pub ticket: Ticket,
}

impl Accepted {
    /// A connection that was just accepted. Until it has come to a good end, dropping it in any way
    /// resets it, so that a client never takes a loss for an end.
    pub fn new(socket: TcpStream, peer: SocketAddr, ticket: Ticket) -> Self {
        let _ = socket.set_nodelay(true);
        let _ = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
        Self {
            socket,
            peer,
            at: Instant::now(),
            ticket,
        }
    }

    /// Whether the client has gone away, or said all it will, without a word.
    pub fn has_left(&self) -> bool {
        let mut byte = [0];
        let peeked = self.socket.poll_peek(
            &mut Context::from_waker(Waker::noop()),
            &mut ReadBuf::new(&mut byte),
        );
        !matches!(peeked, Poll::Pending | Poll::Ready(Ok(1..)))
    }
}

/// From a connection to its link.
#[derive(Debug)]
pub enum FromConn {
    /// Bytes the client sent.
    Data(StreamId, Bytes),
    /// The connection is over: close the stream.
    Finished(StreamId),
}

/// Bytes carried by a tunnel, for the status.
#[derive(Debug, Default)]
pub struct Counters {
    /// From clients to the far side.
    pub sent: AtomicU64,
    /// From the far side to clients.
    pub received: AtomicU64,
}

/// Where a connection's bytes are counted: in its tunnel's sum and at its own place in the roster.
#[derive(Debug)]
pub struct Books {
    /// Its tunnel's.
    pub counters: Arc<Counters>,
    /// Its own.
    pub ticket: Ticket,
}

impl Books {
    fn sent(&self, bytes: usize) {
        self.counters
            .sent
            .fetch_add(bytes as u64, Ordering::Relaxed);
        self.ticket.sent(bytes as u64);
    }

    fn received(&self, bytes: usize) {
        self.counters
            .received
            .fetch_add(bytes as u64, Ordering::Relaxed);
        self.ticket.received(bytes as u64);
    }
}

/// What a connection is given when it is placed.
pub struct Conn {
    /// Its stream.
    pub stream: StreamId,
    /// To the link; shared by all connections of the session, so that each gets its turn.
    pub up: mpsc::Sender<FromConn>,
    /// From the link.
    pub down: pipe::Receiver,
    /// Where carried bytes are counted.
    pub books: Books,
    /// How long the far side of a half-closed connection may be silent. The client is reset then: whether it was
    /// owed more, nobody knows.
    pub linger: Duration,
    /// Tells whether the far side can be heard.
    pub view: watch::Receiver<View>,
}

impl Conn {
    /// Carry bytes until either side is done. Always ends by telling the link.
    pub async fn run(mut self, mut socket: TcpStream) -> StreamId {
        let reset_requested = self.down.reset_requested();
        let end = tokio::select! {
            end = self.carry(&mut socket) => end,
            () = reset_requested.cancelled() => Err(io::ErrorKind::ConnectionReset.into()),
        };
        match end {
            Ok(()) => orderly(&socket),
            Err(error) => tracing::debug!(stream = %self.stream, %error, "connection reset"),
        }
        drop((socket, self.down, self.books));
        // The link may be gone for good, and then nobody waits for this.
        let _ = self.up.send(FromConn::Finished(self.stream)).await;
        self.stream
    }

    async fn carry(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        let Conn {
            stream,
            up,
            down,
            books,
            linger,
            view,
        } = self;
        let books = &*books;
        let (read, write) = socket.split();
        let progress = Progress::new();
        let uploads = upload(*stream, &read, up, books);
        let downloads = download(write, down, books, &progress);
        tokio::pin!(uploads, downloads);
        tokio::select! {
            ended = &mut downloads => {
                ended?;
                let _ = timeout(CLOSE_PATIENCE, discard(&read)).await;
                return Ok(());
            }
            uploaded = &mut uploads => uploaded?,
        }
        // The client has closed its half. Replies may still be on their way.
        progress.mark();
        tokio::select! {
            ended = downloads => ended,
            () = silence(&progress, *linger, view) => {
                let message = format!("half-closed, and nothing came for {}", humantime::format_duration(*linger));
                reason::log_reset(&Reason::new("half_close_linger", message), 1);
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }
}

/// Until the far side has said nothing for `linger`. While it cannot be heard, it is not silent.
async fn silence(progress: &Progress, linger: Duration, view: &watch::Receiver<View>) {
    loop {
        let heard = progress.last().max(connected_since(view));
        if heard + linger <= Instant::now() {
            return;
        }
        sleep_until(heard + linger).await;
    }
}

fn connected_since(view: &watch::Receiver<View>) -> Instant {
    let view = view.borrow();
    match view.phase {
        Phase::Connected => view.since,
        _ => Instant::now(),
    }
}

/// Client → link, until the client closes its half. Waits for the link while its window is full,
/// which stops the reading and so, by TCP, the client.
async fn upload(
    stream: StreamId,
    read: &ReadHalf<'_>,
    up: &mpsc::Sender<FromConn>,
    books: &Books,
) -> io::Result<()> {
    loop {
        read.readable().await?;
        // Taken only when there is something to read, so that idle connections hold no buffer.
        let mut chunk = BytesMut::with_capacity(CHUNK);
        match read.try_read_buf(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(n) => {
                books.sent(n);
                let data = FromConn::Data(stream, trimmed(chunk));
                up.send(data).await.map_err(|_| io::ErrorKind::BrokenPipe)?;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// A small read must not hold a large buffer for as long as it waits.
fn trimmed(chunk: BytesMut) -> Bytes {
    match chunk.len() < CHUNK / 4 {
        true => Bytes::copy_from_slice(&chunk),
        false => chunk.freeze(),
    }
}

/// Link → client, until the far side closes; then the client sees the end.
async fn download(
    mut write: WriteHalf<'_>,
    down: &mut pipe::Receiver,
    books: &Books,
    progress: &Progress,
) -> io::Result<()> {
    let mut items = Vec::with_capacity(BATCH);
    let mut chunks = Vec::with_capacity(BATCH);
    loop {
        // The link has let go without a word: the session is over.
        if down.pop(&mut items, BATCH).await == 0 {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        progress.mark();
        let mut ended = false;
        for item in items.drain(..) {
            match item {
                Item::Data(data) => chunks.push(data),
                Item::End => ended = true,
            }
        }
        let written = write_chunks(&mut write, &mut chunks).await?;
        books.received(written);
        down.consumed(written);
        if ended {
            return write.shutdown().await;
        }
    }
}

/// Write all chunks with as few calls as the system allows.
async fn write_chunks(write: &mut WriteHalf<'_>, chunks: &mut Vec<Bytes>) -> io::Result<usize> {
    let total = chunks.iter().map(Bytes::len).sum();
    let mut first = 0;
    while first < chunks.len() {
        let slices: Vec<IoSlice<'_>> = chunks[first..].iter().map(|c| IoSlice::new(c)).collect();
        let mut written = write.write_vectored(&slices).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        while first < chunks.len() && written >= chunks[first].len() {
            written -= chunks[first].len();
            first += 1;
        }
        if written > 0 {
            chunks[first].advance(written);
        }
    }
    chunks.clear();
    Ok(total)
}

/// The far side has closed. Closing a socket with unread bytes would reset it, and the client
/// could lose what was just written: so what it still sends is read and dropped.
async fn discard(read: &ReadHalf<'_>) -> io::Result<()> {
    let mut scrap = vec![0; 4096];
    loop {
        read.readable().await?;
        match read.try_read(&mut scrap) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// When the far side was last heard, shared by the two directions of one task.
struct Progress {
    start: Instant,
    millis: AtomicU64,
}

impl Progress {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            millis: AtomicU64::new(0),
        }
    }

    fn mark(&self) {
        self.millis
            .store(self.start.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    fn last(&self) -> Instant {
        self.start + Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }
}

/// The connection has come to a good end: let its last bytes be delivered after the close.
fn orderly(socket: &TcpStream) {
    let _ = SockRef::from(socket).set_linger(None);
}

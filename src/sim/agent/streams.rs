//! The streams of a session on the agent's side: dialled one after another in the order they were opened, then copied.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::{Future, pending},
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
};

use bytes::Bytes;
use tokio::{
    net::TcpStream,
    sync::{Notify, mpsc},
    task::JoinSet,
};

use super::conn::{self, FromDestination};
use crate::{
    proto::{Session, StreamId},
    sim::faults::Dial,
};

/// Batches that may wait for one destination's socket.
const INBOX: usize = 4;

/// Bytes in a batch, about.
const BATCH_BYTES: usize = 64 * 1024;

/// Chunks from all destinations that may wait for the agent.
const OUTBOX: usize = 4;

type Dialling = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// All streams of one session.
pub(super) struct Streams {
    /// Where dials go, once the name is resolved; `None` is an address where nobody answers.
    destination: Option<Option<SocketAddr>>,
    waiting: VecDeque<StreamId>,
    dialling: Option<(StreamId, Dialling)>,
    open: BTreeMap<StreamId, mpsc::Sender<VecDeque<Bytes>>>,
    /// Streams with more to read than their socket took.
    blocked: BTreeSet<StreamId>,
    /// Streams that the client has finished, with bytes still to be written.
    finished: BTreeSet<StreamId>,
    conns: JoinSet<()>,
    from_destinations: mpsc::Receiver<FromDestination>,
    outbox: mpsc::Sender<FromDestination>,
    room: Arc<Notify>,
}

/// What the streams have to tell.
pub(super) enum News {
    /// Bytes from a destination, or its end.
    Read(FromDestination),
    /// A dial is over.
    Dialled(StreamId, io::Result<TcpStream>),
    /// A socket took some bytes.
    Room,
    /// Nothing of interest.
    Nothing,
}

impl Streams {
    pub fn new() -> Self {
        let (outbox, from_destinations) = mpsc::channel(OUTBOX);
        Self {
            destination: None,
            waiting: VecDeque::new(),
            dialling: None,
            open: BTreeMap::new(),
            blocked: BTreeSet::new(),
            finished: BTreeSet::new(),
            conns: JoinSet::new(),
            from_destinations,
            outbox,
            room: Arc::new(Notify::new()),
        }
    }

    /// The name has been resolved: dials may begin.
    pub fn resolved(&mut self, destination: Option<SocketAddr>, dial: Dial) {
        self.destination = Some(destination);
        self.dial_next(dial);
    }

    /// The client opened a stream.
    pub fn open(&mut self, id: StreamId, dial: Dial) {
        self.waiting.push_back(id);
        self.dial_next(dial);
    }

    /// Connected streams.
    pub fn connected(&self) -> usize {
        self.open.len()
    }

    /// Waits for news; takes bytes from destinations only if `take_bytes`. Nothing is lost when it is dropped.
    pub async fn next(&mut self, take_bytes: bool) -> News {
        tokio::select! {
            Some(bytes) = self.from_destinations.recv(), if take_bytes => News::Read(bytes),
            (id, result) = dialled(&mut self.dialling) => News::Dialled(id, result),
            () = self.room.notified() => News::Room,
            Some(_) = self.conns.join_next() => News::Nothing,
            else => pending().await,
        }
    }

    /// More bytes from destinations, if some are there already.
    pub fn try_read(&mut self) -> Option<FromDestination> {
        self.from_destinations.try_recv().ok()
    }

    /// A dial is over: connects the stream or tells the client.
    pub fn handle_dialled(
        &mut self,
        session: &mut Session,
        id: StreamId,
        result: io::Result<TcpStream>,
        dial: Dial,
    ) -> bool {
        self.dialling = None;
        let connected = match result {
            Ok(socket) => {
                let (sender, inbox) = mpsc::channel(INBOX);
                let _ = socket.set_nodelay(true);
                let conn = conn::run(id, socket, inbox, self.outbox.clone(), self.room.clone());
                self.conns.spawn(conn);
                self.open.insert(id, sender);
                self.deliver(session, id);
                true
            }
            Err(_) => {
                self.finished.remove(&id);
                session.refuse(id);
                false
            }
        };
        self.dial_next(dial);
        connected
    }

    /// Passes what the client sent to the stream's socket, as far as it takes it.
    pub fn deliver(&mut self, session: &mut Session, id: StreamId) {
        let Some(inbox) = self.open.get(&id) else {
            return;
        };
        loop {
            let permit = match inbox.try_reserve() {
                Ok(permit) => permit,
                Err(mpsc::error::TrySendError::Full(())) => {
                    self.blocked.insert(id);
                    return;
                }
                // The destination has ended; its last news is under way.
                Err(mpsc::error::TrySendError::Closed(())) => {
                    while session.read(id).is_some() {}
                    break;
                }
            };
            let batch = read_batch(session, id);
            if batch.is_empty() {
                break;
            }
            permit.send(batch);
        }
        self.blocked.remove(&id);
        if self.finished.remove(&id) {
            self.open.remove(&id);
            session.finish(id);
        }
    }

    /// Some socket has room again.
    pub fn deliver_blocked(&mut self, session: &mut Session) {
        for id in std::mem::take(&mut self.blocked) {
            self.deliver(session, id);
        }
    }

    /// The client's FIN: the socket is closed both ways after what came before it.
    pub fn handle_finished(&mut self, session: &mut Session, id: StreamId) {
        self.finished.insert(id);
        self.deliver(session, id);
    }

    /// Bytes from a destination, or its end.
    pub fn handle_read(&mut self, session: &mut Session, (id, bytes): FromDestination) {
        if !self.open.contains_key(&id) {
            return;
        }
        match bytes {
            Some(bytes) => session.write(id, bytes),
            None => {
                self.open.remove(&id);
                self.blocked.remove(&id);
                self.finished.remove(&id);
                session.finish(id);
            }
        }
    }

    /// The conditions of dialling have changed: a dial under way begins again.
    pub fn redial(&mut self, dial: Dial) {
        if let Some((id, _)) = self.dialling.take() {
            self.waiting.push_front(id);
        }
        self.dial_next(dial);
    }

    /// Closes everything, telling nobody.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// The agent dials inline: one at a time, in the order of opening.
    fn dial_next(&mut self, dial: Dial) {
        let Some(destination) = self.destination else {
            return;
        };
        if self.dialling.is_some() {
            return;
        }
        if let Some(id) = self.waiting.pop_front() {
            let future: Dialling = match (dial, destination) {
                (Dial::Hang, _) => Box::pin(pending()),
                (Dial::Normal, Some(address)) => Box::pin(TcpStream::connect(address)),
                (Dial::Normal, None) | (Dial::Refuse, _) => {
                    Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
                }
            };
            self.dialling = Some((id, future));
        }
    }
}

async fn dialled(dialling: &mut Option<(StreamId, Dialling)>) -> (StreamId, io::Result<TcpStream>) {
    match dialling {
        Some((id, future)) => (*id, future.await),
        None => pending().await,
    }
}

fn read_batch(session: &mut Session, id: StreamId) -> VecDeque<Bytes> {
    let (mut batch, mut length) = (VecDeque::new(), 0);
    while length < BATCH_BYTES {
        let Some(bytes) = session.read(id) else { break };
        length += bytes.len();
        batch.push_back(bytes);
    }
    batch
}

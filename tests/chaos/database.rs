//! The database: answers requests, checks what comes, and keeps a ledger of what came from whom.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::pattern::{self, Way};

/// Opens every request, so that a shifted stream is seen at once.
const MAGIC: u64 = 0x6368_616f_735f_6f6b;
/// Bytes of a header.
pub const HEADER: usize = 36;
/// What is read or written at once.
const PIECE: usize = 32 * 1024;

/// What a client asks.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Who asks.
    pub id: u64,
    /// The how manieth this is.
    pub number: u32,
    /// Bytes that follow.
    pub up: u32,
    /// Bytes wanted.
    pub down: u32,
    /// The database closes after this one.
    pub last: bool,
}

impl Request {
    pub fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.id.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.number.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.up.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.down.to_le_bytes());
        bytes[28..32].copy_from_slice(&u32::from(self.last).to_le_bytes());
        bytes[32..].copy_from_slice(&(!self.number).to_le_bytes());
        bytes
    }

    fn parse(bytes: &[u8; HEADER]) -> Option<Self> {
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four"));
        let long = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight"));
        (long(0) == MAGIC && word(32) == !word(16)).then(|| Self {
            id: long(8),
            number: word(16),
            up: word(20),
            down: word(24),
            last: word(28) == 1,
        })
    }
}

/// What came of one client.
#[derive(Clone, Debug, Default)]
pub struct Far {
    /// Connections that named it; more than one is a doubling.
    pub connections: u32,
    /// Requests answered.
    pub answered: u32,
    /// Bytes that came, headers too.
    pub came: u64,
}

/// What came, of whom, and what was wrong with it.
#[derive(Default)]
pub struct Ledger {
    far: Mutex<HashMap<u64, Far>>,
    wrong: Mutex<Vec<String>>,
}

impl Ledger {
    /// What is known of a client.
    pub fn of(&self, id: u64) -> Far {
        let far = self.far.lock().unwrap_or_else(PoisonError::into_inner);
        far.get(&id).cloned().unwrap_or_default()
    }

    /// Whatever came that nobody sent.
    pub fn wrongs(&self) -> Vec<String> {
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.clone()
    }

    fn note(&self, id: u64, change: impl FnOnce(&mut Far)) {
        let mut far = self.far.lock().unwrap_or_else(PoisonError::into_inner);
        change(far.entry(id).or_default());
    }

    fn complain(&self, text: String) {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.push(text);
    }
}

/// Serves one connection until it ends, in whatever way.
pub async fn serve(ledger: Arc<Ledger>, mut socket: TcpStream) {
    let mut known = None;
    let mut state = Progress::default();
    loop {
        let mut header = [0; HEADER];
        // An end between two requests, or within one, is the client's account to settle.
        if socket.read_exact(&mut header).await.is_err() {
            return;
        }
        let Some(request) = Request::parse(&header) else {
            return ledger.complain(format!("{known:?}: no request: {header:02x?}"));
        };
        if known.is_none() {
            known = Some(request.id);
            ledger.note(request.id, |far| far.connections += 1);
        }
        if known != Some(request.id) || request.number != state.number {
            return ledger.complain(format!(
                "{known:?}: {request:?} instead of {}",
                state.number
            ));
        }
        match answer(&ledger, &mut socket, request, &mut state).await {
            Ok(true) => {}
            Ok(false) => return drop(socket.shutdown().await),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return ledger.complain(format!("{request:?}: {error}"));
            }
            Err(_) => return,
        }
    }
}

/// How far one connection is.
#[derive(Default)]
struct Progress {
    number: u32,
    up: u64,
    down: u64,
}

/// Takes what belongs to a request and answers it; whether another may follow.
async fn answer(
    ledger: &Ledger,
    socket: &mut TcpStream,
    request: Request,
    state: &mut Progress,
) -> io::Result<bool> {
    let id = request.id;
    ledger.note(id, |far| far.came += HEADER as u64);
    let mut buffer = vec![0; PIECE];
    let mut left = request.up as usize;
    while left > 0 {
        let most = left.min(PIECE);
        let length = match socket.read(&mut buffer[..most]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => length,
        };
        let right = pattern::check(id, Way::Up, state.up, &buffer[..length]);
        right.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        ledger.note(id, |far| far.came += length as u64);
        state.up += length as u64;
        left -= length;
    }
    let mut left = request.down as usize;
    while left > 0 {
        let length = left.min(PIECE);
        pattern::fill(id, Way::Down, state.down, &mut buffer[..length]);
        socket.write_all(&buffer[..length]).await?;
        state.down += length as u64;
        left -= length;
    }
    state.number += 1;
    ledger.note(id, |far| far.answered += 1);
    Ok(!request.last)
}

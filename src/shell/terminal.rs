//! This side's terminal, or pipes: raw while a shell has it, and as it was before in every ending.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::thread::JoinHandle;

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::sync::mpsc;

use crate::proto::payload::Size;

/// Pieces that wait either way.
const QUEUE: usize = 32;
/// As much as is read at once.
const CHUNK: usize = 16 * 1024;
/// What is told of a terminal that does not know its size, as by the reference client.
const UNKNOWN_SIZE: Size = Size {
    cols: 300,
    rows: 100,
};

/// Whether standard input and standard output both are a terminal.
pub fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// The terminal's size.
pub fn size() -> Size {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => Size {
            cols: size.ws_col,
            rows: size.ws_row,
        },
        _ => UNKNOWN_SIZE,
    }
}

/// The terminal in raw mode. As it was before when this is dropped, also by a panic.
pub struct Raw {
    terminal: OwnedFd,
    before: Termios,
}

impl Raw {
    /// Every key goes to the far side from now on.
    pub fn enter() -> io::Result<Self> {
        let terminal = io::stdin().as_fd().try_clone_to_owned()?;
        let before = tcgetattr(&terminal)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&terminal, OptionalActions::Now, &raw)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _ = tcsetattr(&self.terminal, OptionalActions::Drain, &self.before);
    }
}

/// Standard input, read by a thread of its own: a read of a terminal cannot be broken off.
pub struct Input {
    pieces: mpsc::Receiver<Bytes>,
    /// Closing it ends the thread.
    wake: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Input {
    /// Begins to read.
    pub fn start() -> io::Result<Self> {
        let stdin = io::stdin().as_fd().try_clone_to_owned()?;
        let (woken, wake) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let (sender, pieces) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new().name("stdin".to_owned());
        let thread = thread.spawn(move || read(&stdin, &woken, &sender))?;
        Ok(Self {
            pieces,
            wake: Some(wake),
            thread: Some(thread),
        })
    }

    /// The next piece; `None` when there is no more.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.pieces.recv().await
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.wake = None;
        self.pieces.close();
        while self.pieces.try_recv().is_ok() {}
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn read(stdin: &OwnedFd, woken: &OwnedFd, to: &mpsc::Sender<Bytes>) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let mut both = [
            PollFd::new(stdin, PollFlags::IN),
            PollFd::new(woken, PollFlags::IN),
        ];
        match poll(&mut both, None) {
            Ok(_) => {}
            Err(error) if error == rustix::io::Errno::INTR => continue,
            Err(_) => return,
        }
        if !both[1].revents().is_empty() {
            return;
        }
        match rustix::io::read(stdin, &mut chunk) {
            Ok(0) => return,
            Ok(length) => {
                let piece = Bytes::copy_from_slice(&chunk[..length]);
                if to.blocking_send(piece).is_err() {
                    return;
                }
            }
            Err(error) if error == rustix::io::Errno::INTR => {}
            Err(_) => return,
        }
    }
}

/// Where a piece of output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Standard output and error, written by a thread of its own: whoever reads them may be slow.
pub struct Output {
    pieces: Option<mpsc::Sender<(Stream, Bytes)>>,
    thread: Option<JoinHandle<()>>,
}

impl Output {
    /// Begins to write.
    pub fn start() -> io::Result<Self> {
        let out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let err = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        let (sender, pieces) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new().name("stdout".to_owned());
        let thread = thread.spawn(move || write(out, err, pieces))?;
        Ok(Self {
            pieces: Some(sender),
            thread: Some(thread),
        })
    }

    /// Wait for room for one more piece; an error when nobody reads any more.
    pub async fn room(&self) -> Result<(), ()> {
        match &self.pieces {
            Some(pieces) => pieces.reserve().await.map(drop).map_err(drop),
            None => Err(()),
        }
    }

    /// Write a piece, for which there is room.
    pub fn send(&self, piece: (Stream, Bytes)) {
        if let Some(pieces) = &self.pieces {
            let _ = pieces.try_send(piece);
        }
    }

    /// Wait until all is written.
    pub fn finish(mut self) {
        self.pieces = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Ends with an error of the standard output, which is how its reader says that it has enough.
fn write(mut out: File, mut err: File, mut pieces: mpsc::Receiver<(Stream, Bytes)>) {
    while let Some((stream, bytes)) = pieces.blocking_recv() {
        let written = match stream {
            Stream::Out => out.write_all(&bytes),
            Stream::Err => err.write_all(&bytes),
        };
        if written.is_err() && stream == Stream::Out {
            return;
        }
    }
}

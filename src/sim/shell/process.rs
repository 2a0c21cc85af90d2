//! What runs in the container: a shell or a command, on a terminal of its own or between pipes.

use std::{io, process::Stdio, time::Duration};

use bytes::{Bytes, BytesMut};
use pty_process::{OwnedReadPty, OwnedWritePty};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    sync::mpsc,
    task::JoinSet,
};

use crate::proto::{message::PayloadType, payload::Size};

/// Chunks that may wait either way.
const QUEUE: usize = 8;
/// As much as the agent reads at once.
const CHUNK: usize = 1024;
/// What the agent reads of a command that has ended before it counts as over.
const LAST_OUTPUT: Duration = Duration::from_millis(200);

/// What the agent takes until it says why a command could not be started.
const WORDS: Duration = Duration::from_secs(1);

/// What a process says.
pub(super) enum News {
    /// It wrote this to its terminal, or to its standard output or error.
    Wrote(PayloadType, Bytes),
    /// It could not be started; why comes next.
    NotStarted,
    /// It ended, with this status if there is one to tell.
    Ended(Option<i32>),
    /// It reads again.
    Room,
}

/// How a process runs.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Plan {
    /// The command line; it is split as a shell would, and run without one.
    pub command: String,
    /// Whether it gets a terminal.
    pub terminal: bool,
    /// Without a terminal: whether its standard error is told apart.
    pub separate: bool,
}

/// A running process.
pub(super) struct Process {
    news: mpsc::Receiver<News>,
    input: mpsc::Sender<Typed>,
    _tasks: JoinSet<()>,
}

/// What goes to a process.
enum Typed {
    Bytes(Bytes),
    Resize(Size),
}

impl Process {
    /// Starts it.
    pub fn start(plan: &Plan) -> Self {
        let (sender, news) = mpsc::channel(QUEUE);
        let (input, typed) = mpsc::channel(QUEUE);
        let mut tasks = JoinSet::new();
        let started = match plan.terminal {
            true => start_on_terminal(plan).map(|(child, read, write)| {
                tasks.spawn(type_in(write, typed));
                tasks.spawn(follow_terminal(child, read, sender.clone()));
            }),
            false => start_between_pipes(plan).map(|child| {
                tasks.spawn(follow_pipes(child, plan.separate, typed, sender.clone()));
            }),
        };
        if let Err(error) = started {
            match plan.terminal {
                true => tasks.spawn(end_as_a_shell_would(error, sender)),
                false => tasks.spawn(say_why(plan.command.clone(), error, sender)),
            };
        }
        Self {
            news,
            input,
            _tasks: tasks,
        }
    }

    /// The next news: of what it writes, if that is heard, and of room for what is typed, if that is wanted. Never
    /// again after its end.
    pub async fn next(&mut self, hears: bool, wants_room: bool) -> News {
        tokio::select! {
            Some(news) = self.news.recv(), if hears => news,
            Ok(_) = self.input.reserve(), if wants_room => News::Room,
            else => std::future::pending().await,
        }
    }

    /// Bytes for its standard input; false when it does not read, and has enough waiting.
    pub fn try_type_in(&self, bytes: &Bytes) -> bool {
        let sent = self.input.try_send(Typed::Bytes(bytes.clone()));
        !matches!(sent, Err(mpsc::error::TrySendError::Full(_)))
    }

    /// Another size of its terminal; dropped while it does not read.
    pub fn resize(&self, size: Size) {
        let _ = self.input.try_send(Typed::Resize(size));
    }
}

async fn end_as_a_shell_would(error: io::Error, news: mpsc::Sender<News>) {
    let words = format!("{error}\r\n");
    let _ = news
        .send(News::Wrote(PayloadType::Output, words.into()))
        .await;
    let _ = news.send(News::Ended(Some(127))).await;
}

/// The reference agent's order: the status, and a second later the reason.
async fn say_why(command: String, error: io::Error, news: mpsc::Sender<News>) {
    let _ = news.send(News::NotStarted).await;
    tokio::time::sleep(WORDS).await;
    let words = format!("exec: {command}: {error}");
    let _ = news
        .send(News::Wrote(PayloadType::StdErr, words.into()))
        .await;
    let _ = news.send(News::Ended(None)).await;
}

fn start_on_terminal(plan: &Plan) -> io::Result<(Child, OwnedReadPty, OwnedWritePty)> {
    let words = words(plan)?;
    let (pty, pts) = pty_process::open().map_err(io::Error::other)?;
    let command = pty_process::Command::new(&words[0])
        .args(&words[1..])
        .env("TERM", "xterm-256color")
        .env("PS1", "$ ")
        .kill_on_drop(true);
    let child = command.spawn(pts).map_err(io::Error::other)?;
    let (read, write) = pty.into_split();
    Ok((child, read, write))
}

fn start_between_pipes(plan: &Plan) -> io::Result<Child> {
    let words = words(plan)?;
    Command::new(&words[0])
        .args(&words[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

fn words(plan: &Plan) -> io::Result<Vec<String>> {
    let words = shell_words::split(&plan.command).map_err(io::Error::other)?;
    match words.is_empty() {
        true => Err(io::Error::other("no command")),
        false => Ok(words),
    }
}

async fn type_in(mut terminal: OwnedWritePty, mut typed: mpsc::Receiver<Typed>) {
    while let Some(typed) = typed.recv().await {
        match typed {
            Typed::Bytes(bytes) => {
                if terminal.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Typed::Resize(size) => {
                let _ = terminal.resize(pty_process::Size::new(size.rows, size.cols));
            }
        }
    }
}

/// A terminal is read until its last user has gone, or for a moment after its command: that may leave others behind.
async fn follow_terminal(mut child: Child, mut terminal: OwnedReadPty, news: mpsc::Sender<News>) {
    let mut reading = Box::pin(read_all(&mut terminal, PayloadType::Output, &news));
    let status = tokio::select! {
        () = &mut reading => child.wait().await,
        status = child.wait() => {
            let _ = tokio::time::timeout(LAST_OUTPUT, &mut reading).await;
            status
        }
    };
    let _ = news.send(News::Ended(Some(code(status)))).await;
}

async fn follow_pipes(
    mut child: Child,
    separate: bool,
    mut typed: mpsc::Receiver<Typed>,
    news: mpsc::Sender<News>,
) {
    let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
    let signals = async {
        while let Some(typed) = typed.recv().await {
            let Typed::Bytes(bytes) = typed else { continue };
            let signal = match &bytes[..] {
                [0x03] => Signal::INT,
                [0x1c] => Signal::QUIT,
                _ => continue,
            };
            let _ = pid.map(|pid| kill_process(pid, signal));
        }
        std::future::pending().await
    };
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let kind = match separate {
        true => PayloadType::StdErr,
        false => PayloadType::Output,
    };
    let reading = async {
        let out = async {
            if let Some(out) = &mut out {
                read_all(out, PayloadType::Output, &news).await;
            }
        };
        let err = async {
            if let Some(err) = &mut err {
                read_all(err, kind, &news).await;
            }
        };
        tokio::join!(out, err);
    };
    tokio::select! {
        () = reading => {}
        () = signals => {}
    }
    let status = child.wait().await;
    let _ = news.send(News::Ended(Some(code(status)))).await;
}

/// The other end of a terminal that nobody has open any more is an error, and no more than an end.
async fn read_all(from: &mut (impl AsyncRead + Unpin), kind: PayloadType, to: &mpsc::Sender<News>) {
    loop {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        match from.read_buf(&mut chunk).await {
            Ok(1..) => {
                if to.send(News::Wrote(kind, chunk.freeze())).await.is_err() {
                    return;
                }
            }
            _ => return,
        }
    }
}

/// A shell's way to say by which signal a command ended.
fn code(status: io::Result<std::process::ExitStatus>) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    match status {
        Ok(status) => status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or_default()),
        Err(_) => 255,
    }
}

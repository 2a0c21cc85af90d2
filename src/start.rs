//! `bastiond start`: the daemon in the background, and the news of how its start went.
//!
//! ```text
//! start ── fork, setsid, fork ──▶ child ── exec ──▶ run --detached
//!   │                                                  │ errors, then READY …, on the pipe that is its stdout
//!   ◀──────────────────────────────────────────────────┘ and stderr; both are /dev/null from then on
//! ```
//!
//! The fork happens before any thread exists, and the program is executed anew after it, so that nothing from before
//! (locks, handles of system frameworks, which macOS forbids to use after a fork) lives on in the daemon.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, IsTerminal, PipeReader, PipeWriter, Write},
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use daemonize::{Daemonize, Outcome};

use crate::{control::client::Client, paths::Paths, platform::program, sources::Sources};

/// Binding ports and a socket takes milliseconds; this is for a machine that is busy with its own start.
const DEADLINE: Duration = Duration::from_secs(15);
/// How often the line about the wait is drawn; nothing is, before that has passed once.
const SHOWN_EVERY: Duration = Duration::from_millis(500);
const ERASE: &str = "\r\x1b[K";
/// Opens the line by which a daemon says that it is ready.
const READY: &str = "READY ";
/// Nobody else reads or writes what the daemon creates.
const UMASK: u32 = 0o077;

/// Starts the daemon and waits until it is ready. Call it before any thread exists.
///
/// # Errors
/// When the daemon cannot be started or does not get ready; its own words are on stderr by then.
pub fn start(paths: &Paths, sources: &Sources) -> anyhow::Result<ExitCode> {
    let program = program::path().context("cannot tell which program this is")?;
    let (reader, writer) = io::pipe().context("cannot make a pipe")?;
    match detach(writer)? {
        Outcome::Child(Ok(_)) => Err(become_daemon(&program, sources).into()),
        Outcome::Child(Err(error)) => bail!("cannot detach: {error}"),
        Outcome::Parent(Err(error)) => bail!("cannot detach: {error}"),
        Outcome::Parent(Ok(_)) => wait(reader, paths),
    }
}

/// Tells the `start` that waits that the daemon is ready, and lets go of its terminal.
///
/// # Errors
/// When nobody waits any more: a start that was given up must not leave a daemon behind.
pub fn announce(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{READY}{line}")?;
    stdout.flush()?;
    let null = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}

/// Makes what this process creates private to its user.
pub fn private_umask() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(
        UMASK as rustix::fs::RawMode,
    ));
}

/// The current folder stays: relative paths in `AWS_CONFIG_FILE` and the like must mean the same in the daemon.
fn detach(writer: PipeWriter) -> anyhow::Result<Outcome<()>> {
    let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let stdout = File::from(OwnedFd::from(writer));
    let stderr = stdout.try_clone().context("cannot share a pipe")?;
    Ok(Daemonize::new()
        .working_directory(folder)
        .umask(UMASK)
        .stdout(stdout)
        .stderr(stderr)
        .execute())
}

/// Comes back only to say why it failed.
fn become_daemon(program: &Path, sources: &Sources) -> io::Error {
    let flags = sources.flags.iter();
    Command::new(program)
        .args(["run", "--detached", "--config"])
        .arg(&sources.path)
        .args(flags.map(|(path, value)| format!("--set={path}={value}")))
        .exec()
}

fn wait(reader: PipeReader, paths: &Paths) -> anyhow::Result<ExitCode> {
    let lines = read_lines(reader);
    let patience = Patience::new();
    let mut has_spoken = false;
    loop {
        match patience.next(&lines) {
            Ok(line) => match line.strip_prefix(READY) {
                Some(news) => return confirm(news, paths),
                None => {
                    crate::errln!("{line}");
                    has_spoken = true;
                }
            },
            Err(mpsc::RecvTimeoutError::Disconnected) if has_spoken => {
                return Ok(ExitCode::FAILURE);
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                bail!("the daemon ended without a word{}", look_at(paths))
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                bail!(
                    "the daemon is not ready after {} s{}",
                    DEADLINE.as_secs(),
                    look_at(paths)
                )
            }
        }
    }
}

/// Waits until the deadline, and says so on a terminal once that takes long enough to be noticed.
struct Patience {
    began: Instant,
    is_on_terminal: bool,
}

impl Patience {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            is_on_terminal: io::stderr().is_terminal(),
        }
    }

    /// What the daemon says next.
    fn next(&self, lines: &mpsc::Receiver<String>) -> Result<String, mpsc::RecvTimeoutError> {
        let mut is_shown = false;
        let said = loop {
            let left = DEADLINE.saturating_sub(self.began.elapsed());
            let said = lines.recv_timeout(left.min(SHOWN_EVERY));
            if said != Err(mpsc::RecvTimeoutError::Timeout) || left <= SHOWN_EVERY {
                break said;
            }
            if self.is_on_terminal {
                let seconds = self.began.elapsed().as_secs();
                crate::output::err(format_args!(
                    "{ERASE}waiting for its ports and its control socket, {seconds}s"
                ));
                is_shown = true;
            }
        };
        if is_shown {
            crate::output::err(format_args!("{ERASE}"));
        }
        said
    }
}

fn look_at(paths: &Paths) -> String {
    format!("\nhint: look at its logs in `{}`", paths.logs.display())
}

/// A thread, since a pipe cannot be read with a deadline. It ends with the pipe, or with this process.
fn read_lines(reader: PipeReader) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(reader).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Ready is what answers: the daemon's word is checked at its door.
fn confirm(news: &str, paths: &Paths) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let status = runtime.block_on(Client::new(&paths.socket).patient().status())?;
    crate::outln!("bastiond is running (pid {}); {news}", status.daemon.pid);
    Ok(ExitCode::SUCCESS)
}

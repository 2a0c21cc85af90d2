//! Where events go: daily files kept for a week, and stderr while the daemon is in the foreground.
//!
//! `RUST_LOG` chooses what is written, as a list of `level` and `target=level`; by default everything of ours from
//! INFO on, and the warnings of libraries. A log folder that cannot be written is a warning, never a reason not to run.

mod tail;

use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use tracing::{Level, Metadata};
use tracing_appender::{
    non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard},
    rolling::{RollingFileAppender, Rotation},
};
use tracing_subscriber::{
    Layer,
    filter::{Targets, filter_fn},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

pub use tail::{Tail, Wanted};

/// Files kept, one a day.
const DAYS: usize = 7;
/// Lines that may wait for the disk, or for who reads stderr; more are dropped. The room for them is taken at once: the
/// library's own limit costs 4 MB of memory.
const WAITING_LINES: usize = 4096;
const VARIABLE: &str = "RUST_LOG";

/// Whether events go to stderr as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stderr {
    /// In the foreground: a person, or a service manager that keeps what it reads.
    Talk,
    /// Detached, or where stderr belongs to someone else.
    Quiet,
}

/// Keeps the writers going; what is queued is written when this is dropped, so hold it until the end.
#[derive(Debug)]
pub struct Logs {
    /// The folder of the files; `None` when it cannot be written.
    pub folder: Option<PathBuf>,
    _writer: Option<WorkerGuard>,
    _talker: Option<WorkerGuard>,
}

/// Starts logging for the whole process. Call it once, after the last fork: each writer has a thread of its own.
pub fn start(folder: &Path, stderr: Stderr) -> Logs {
    let (filter, mistake) = filter(std::env::var(VARIABLE).ok().as_deref());
    let (file, writer, trouble) = match open(folder) {
        Ok((file, writer)) => (Some(file), Some(writer), None),
        Err(error) => (None, None, Some(error)),
    };
    let to_file = file.map(|file| fmt::layer().with_ansi(false).with_writer(file).boxed());
    let (talk, talker) = (stderr == Stderr::Talk)
        .then(|| queued(io::stderr()))
        .unzip();
    let to_stderr = talk.map(|talk| {
        fmt::layer()
            .with_ansi(is_coloured())
            .with_writer(talk)
            .boxed()
    });
    // A second call, in a test, keeps what the first one set up.
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(keeps_secrets))
        .with(to_file)
        .with(to_stderr)
        .try_init();
    if let Some(mistake) = mistake {
        tracing::warn!(
            why = mistake,
            "RUST_LOG cannot be understood and is ignored"
        );
    }
    if let Some(error) = trouble {
        warn_of(folder, &error);
    }
    Logs {
        folder: writer.as_ref().map(|_| folder.to_owned()),
        _writer: writer,
        _talker: talker,
    }
}

/// Logs to stderr alone, and only what `RUST_LOG` asks for: stderr is a shell's, or that of a command in it.
pub fn on_demand() {
    if let Ok(wanted) = std::env::var(VARIABLE) {
        let _ = tracing_subscriber::registry()
            .with(filter(Some(&wanted)).0)
            .with(filter_fn(keeps_secrets))
            .with(fmt::layer().with_writer(io::stderr))
            .try_init();
    }
}

/// What to write, and what is wrong with `wanted` if the default had to be taken instead.
fn filter(wanted: Option<&str>) -> (Targets, Option<String>) {
    let default = || {
        Targets::new()
            .with_default(Level::WARN)
            .with_target(env!("CARGO_PKG_NAME"), Level::INFO)
    };
    match wanted.filter(|wanted| !wanted.trim().is_empty()) {
        None => (default(), None),
        Some(wanted) => match parse(wanted) {
            Ok(filter) => (filter, None),
            Err(mistake) => (default(), Some(mistake)),
        },
    }
}

/// Item by item: the library takes a blank for a part of a name, and what it does not know for a target.
fn parse(wanted: &str) -> Result<Targets, String> {
    let mut filter = String::new();
    for item in wanted.split(',').filter(|item| !item.trim().is_empty()) {
        let parts: Vec<&str> = item.split('=').map(str::trim).collect();
        let item = parts.join("=");
        if item.contains(|c: char| "[]{}".contains(c) || c.is_whitespace()) {
            return Err(format!(
                "`{item}` is not a level, a target, or target=level"
            ));
        }
        if let Err(error) = item.parse::<Targets>() {
            return Err(format!("`{item}`: {error}"));
        }
        filter.push_str(&item);
        filter.push(',');
    }
    let filter = filter.trim_end_matches(',').parse::<Targets>();
    filter.map_err(|error| error.to_string())
}

/// Below INFO, these libraries write down what they send, tokens and signatures included: whatever
/// `RUST_LOG` says, that stays out.
fn keeps_secrets(event: &Metadata<'_>) -> bool {
    const TALKATIVE: [&str; 6] = [
        "tungstenite",
        "tokio_tungstenite",
        "aws_",
        "hyper",
        "h2",
        "rustls",
    ];
    let is_talkative = TALKATIVE
        .iter()
        .any(|library| event.target().starts_with(library));
    !is_talkative || *event.level() <= Level::INFO
}

/// Said to stderr in any case: detached, it is the only one to hear of it.
fn warn_of(folder: &Path, error: &io::Error) {
    tracing::warn!(folder = %folder.display(), %error, "cannot write logs");
    crate::errln!(
        "warning: cannot write logs in `{}`: {error}",
        folder.display()
    );
}

/// The umask of the daemon, 077, makes the files private.
fn open(folder: &Path) -> io::Result<(NonBlocking, WorkerGuard)> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let files = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix(tail::PREFIX)
        .filename_suffix(tail::SUFFIX)
        .max_log_files(DAYS)
        .build(folder)
        .map_err(io::Error::other)?;
    Ok(queued(files))
}

/// A disk may be slow, a terminal stand still, a reader be gone: no connection waits for them, and nothing ends.
fn queued(writer: impl io::Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    let queue = NonBlockingBuilder::default().buffered_lines_limit(WAITING_LINES);
    queue.finish(writer)
}

fn is_coloured() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_makes_no_sense_is_told_and_the_default_taken() {
        let (default, mistake) = filter(Some("bastiond=loud"));
        assert_eq!(default.to_string(), filter(None).0.to_string());
        assert!(mistake.is_some());
        assert!(filter(Some(" ")).1.is_none());
        let (debug, mistake) = filter(Some("bastiond=debug"));
        assert_eq!(debug.to_string(), "bastiond=debug");
        assert!(mistake.is_none());
    }

    #[test]
    fn a_filter_may_have_blanks_and_what_it_cannot_choose_is_told() {
        let (spaced, mistake) = filter(Some(" warn, bastiond::tunnel = trace,"));
        assert_eq!(mistake, None);
        let tight = "warn,bastiond::tunnel=trace".parse::<Targets>().unwrap();
        assert_eq!(spaced.to_string(), tight.to_string());
        for (wanted, item) in [
            ("bastiond[tunnel]=debug", "`bastiond[tunnel]=debug`"),
            (
                "warn,bastiond[{name=app}]=debug",
                "`bastiond[{name=app}]=debug`",
            ),
            ("warn,hyper=loud", "`hyper=loud`"),
            ("warn bastiond=debug", "`warn bastiond=debug`"),
        ] {
            let (default, mistake) = filter(Some(wanted));
            assert_eq!(default.to_string(), filter(None).0.to_string());
            let mistake = mistake.unwrap_or_else(|| panic!("{wanted} is taken"));
            assert!(mistake.starts_with(item), "{mistake}");
        }
    }
}

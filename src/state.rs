//! What was running, in a small file, so that a daemon that crashed can adopt its task and end its leftover
//! sessions at the next start. No secret is in it.
//!
//! Losing it costs money at worst, never data: a file that cannot be read or written is a problem to show
//! and nothing to stop for. `State` is the handle, `Writer` the one task that writes; changes made while it
//! writes become one write.

mod file;
mod keeps;
mod starts;
mod usage;

use std::{path::PathBuf, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::{sync::watch, task::spawn_blocking, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::cost::UsageRecord;
pub use file::{Error, Loaded, load};
pub use keeps::KeepRecord;
pub use starts::{PhaseRecord, StartRecord};
pub use usage::CountedRecord;

/// Version of the file's shape; another one is kept aside and not read.
const SCHEMA: u32 = 1;
/// How long after a failed write the next attempt is made: a full disk, or a want of descriptors, may pass.
const RETRY: Duration = Duration::from_secs(5);

/// The file's contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    schema: u32,
    /// Tasks this daemon ran or adopted.
    pub tasks: Vec<TaskRecord>,
    /// Sessions this daemon started.
    pub sessions: Vec<SessionRecord>,
    /// How long starts took.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub starts: Vec<StartRecord>,
    /// How long tasks ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usage: Vec<UsageRecord>,
    /// Until when tasks were counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counted: Vec<CountedRecord>,
    /// Until when bastions are to be kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keeps: Vec<KeepRecord>,
}

/// A task that may still run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// The bastion it was run for.
    pub bastion: String,
    /// Its cluster.
    pub cluster: String,
    /// Its ARN.
    pub arn: String,
    /// The digest of the parameters it was run with.
    pub params: String,
    /// The node that it has registered itself as, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// When it was run.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
}

/// A session that may still be open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// The tunnel it was started for.
    pub tunnel: String,
    /// Its id.
    pub id: String,
    /// The target it leads to.
    pub target: String,
    /// When it was started.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
}

impl Default for Contents {
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            tasks: Vec::new(),
            sessions: Vec::new(),
            starts: Vec::new(),
            usage: Vec::new(),
            counted: Vec::new(),
            keeps: Vec::new(),
        }
    }
}

/// Notes what runs and what ended; cheap to clone, never waits for the disk.
#[derive(Clone, Debug)]
pub struct State {
    wanted: Arc<watch::Sender<Wanted>>,
    written: watch::Receiver<Written>,
}

/// The contents that should be in the file, and the how manieth they are.
#[derive(Clone, Debug, Default)]
struct Wanted {
    version: u64,
    contents: Contents,
}

/// How far the writer got.
#[derive(Clone, Debug, Default)]
struct Written {
    version: u64,
    error: Option<Error>,
}

impl State {
    /// The handle and the writer for the file in `dir`, going on from `contents`. Nothing is written until
    /// the writer runs and something changes.
    pub fn new(dir: PathBuf, contents: Contents) -> (Self, Writer) {
        let (wanted, wants) = watch::channel(Wanted {
            version: 0,
            contents,
        });
        let (done, written) = watch::channel(Written::default());
        (
            Self {
                wanted: Arc::new(wanted),
                written,
            },
            Writer { dir, wants, done },
        )
    }

    /// A task runs; replaces an earlier record of the same ARN.
    pub fn record_task(&self, task: TaskRecord) {
        self.change(|contents| {
            contents.tasks.retain(|known| known.arn != task.arn);
            contents.tasks.push(task);
        });
    }

    /// The task of that ARN is this node.
    pub fn record_node(&self, arn: &str, node: &str) {
        let is_new = |task: &&mut TaskRecord| task.arn == arn && task.node.as_deref() != Some(node);
        self.wanted.send_if_modified(|wanted| {
            let mut tasks = wanted.contents.tasks.iter_mut();
            let Some(task) = tasks.find(is_new) else {
                return false;
            };
            task.node = Some(node.to_owned());
            wanted.version += 1;
            true
        });
    }

    /// The task of that ARN runs no more.
    pub fn forget_task(&self, arn: &str) {
        self.change(|contents| contents.tasks.retain(|task| task.arn != arn));
    }

    /// A session is open; replaces an earlier record of the same id.
    pub fn record_session(&self, session: SessionRecord) {
        self.change(|contents| {
            contents.sessions.retain(|known| known.id != session.id);
            contents.sessions.push(session);
        });
    }

    /// The session of that id is over.
    pub fn forget_session(&self, id: &str) {
        self.change(|contents| contents.sessions.retain(|session| session.id != id));
    }

    /// What is recorded now, written or not.
    pub fn contents(&self) -> Contents {
        self.read(Contents::clone)
    }

    fn read<T>(&self, look: impl FnOnce(&Contents) -> T) -> T {
        look(&self.wanted.borrow().contents)
    }

    /// Why the last write failed; `None` once one succeeds.
    pub fn last_error(&self) -> Option<Error> {
        self.written.borrow().error.clone()
    }

    /// Waits until all that was recorded so far is on disk, trying once more what failed. The writer must
    /// be running.
    pub async fn flush(&self) -> Result<(), Error> {
        if self.last_error().is_some() {
            self.wanted.send_modify(|wanted| wanted.version += 1);
        }
        let version = self.wanted.borrow().version;
        let mut written = self.written.clone();
        let done = written.wait_for(|written| written.version >= version).await;
        done.map_or(Err(Error::Stopped), |written| {
            written.error.clone().map_or(Ok(()), Err)
        })
    }

    fn change(&self, edit: impl FnOnce(&mut Contents)) {
        self.wanted.send_modify(|wanted| {
            wanted.version += 1;
            edit(&mut wanted.contents);
        });
    }
}

/// The one who writes the file.
#[derive(Debug)]
pub struct Writer {
    dir: PathBuf,
    wants: watch::Receiver<Wanted>,
    done: watch::Sender<Written>,
}

impl Writer {
    /// Writes after each change, until `cancel` or until no handle is left; what changed last is written
    /// first. What could not be written is tried again.
    pub async fn run(mut self, cancel: CancellationToken) {
        loop {
            let has_failed = self.done.borrow().error.is_some();
            let ends = tokio::select! {
                () = cancel.cancelled() => true,
                changed = self.wants.changed() => changed.is_err(),
                () = sleep(RETRY), if has_failed => false,
            };
            self.write().await;
            if ends {
                return;
            }
        }
    }

    async fn write(&mut self) {
        let Wanted { version, contents } = self.wants.borrow_and_update().clone();
        let is_written = |done: &Written| done.version == version && done.error.is_none();
        if is_written(&self.done.borrow()) {
            return;
        }
        let dir = self.dir.clone();
        let saved = spawn_blocking(move || file::save(&dir, &contents)).await;
        let error = saved.unwrap_or(Err(Error::Stopped)).err();
        if let Some(error) = &error
            && self.done.borrow().error.is_none()
        {
            tracing::warn!(%error, "what runs is not on record");
        }
        self.done.send_replace(Written { version, error });
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[tokio::test]
    async fn what_was_recorded_is_loaded_again() {
        let dir = tempfile::tempdir().unwrap();
        let (state, writer) = State::new(dir.path().join("deep/state"), Contents::default());
        let writing = tokio::spawn(writer.run(CancellationToken::new()));
        state.record_task(task("arn:1"));
        state.record_task(task("arn:2"));
        state.record_session(session("me-1"));
        state.forget_task("arn:1");
        state.flush().await.unwrap();
        drop(state);
        writing.await.unwrap();
        let loaded = load(&dir.path().join("deep/state"));
        assert_eq!(loaded.contents.tasks, [task("arn:2")]);
        assert_eq!(loaded.contents.sessions, [session("me-1")]);
        assert_eq!(loaded.warning, None);
    }

    #[tokio::test]
    async fn changes_while_nobody_writes_become_one_write() {
        let dir = tempfile::tempdir().unwrap();
        let (state, writer) = State::new(dir.path().to_owned(), Contents::default());
        (0..50).for_each(|n| state.record_session(session(&format!("me-{n}"))));
        let cancel = CancellationToken::new();
        cancel.cancel();
        writer.run(cancel).await;
        assert_eq!(load(dir.path()).contents, state.contents());
        assert_eq!(state.contents().sessions.len(), 50);
    }

    #[tokio::test]
    async fn a_failed_write_is_told_and_tried_at_the_next_change() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("state");
        fs::write(&place, "a file where the folder should be").unwrap();
        let (state, writer) = State::new(place.clone(), Contents::default());
        let writing = tokio::spawn(writer.run(CancellationToken::new()));
        state.record_task(task("arn:1"));
        let error = state.flush().await.unwrap_err();
        assert!(
            error.to_string().contains(place.to_str().unwrap()),
            "{error}"
        );
        assert!(state.last_error().is_some());
        fs::remove_file(&place).unwrap();
        state.record_task(task("arn:2"));
        state.flush().await.unwrap();
        assert_eq!(state.last_error(), None);
        assert_eq!(load(&place).contents.tasks.len(), 2);
        drop(state);
        writing.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_write_is_tried_again_by_itself() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("state");
        fs::write(&place, "a file where the folder should be").unwrap();
        let (state, writer) = State::new(place.clone(), Contents::default());
        let cancel = CancellationToken::new();
        let writing = tokio::spawn(writer.run(cancel.clone()));
        state.record_task(task("arn:1"));
        state.flush().await.unwrap_err();
        fs::remove_file(&place).unwrap();
        let mut written = state.written.clone();
        let healed = written.wait_for(|written| written.error.is_none());
        let healed = tokio::time::timeout(2 * RETRY, healed).await;
        assert!(healed.is_ok(), "not within {:?}", 2 * RETRY);
        assert_eq!(load(&place).contents.tasks.len(), 1);
        cancel.cancel();
        writing.await.unwrap();
    }

    #[tokio::test]
    async fn the_file_is_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("state");
        file::save(&place, &Contents::default()).unwrap();
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(place.clone()), mode(place.join("state.json"))),
            (0o700, 0o600)
        );
    }

    fn task(arn: &str) -> TaskRecord {
        TaskRecord {
            bastion: "dev".into(),
            cluster: "backend".into(),
            arn: arn.into(),
            params: "0123456789abcdef".into(),
            node: None,
            started_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    fn session(id: &str) -> SessionRecord {
        let started_at = OffsetDateTime::UNIX_EPOCH;
        SessionRecord {
            tunnel: "app-db".into(),
            id: id.into(),
            target: "ecs:a_b_c".into(),
            started_at,
        }
    }
}

//! The place of the door: who may stand there, and how it is taken and found again.
//!
//! Three guards, each enough alone: the folder is the owner's and closed to others (what counts on macOS, where a
//! socket's own mode cannot be set before it exists), the socket's mode is 0600 from the moment it exists, and the
//! server asks the system for every caller's uid.
//!
//! A [`Claim`] is a lock on a file beside the socket. Whoever holds it is the only daemon, so what stands at the
//! socket's path is stale and may go; the path is dialled first all the same, since a lock file can be deleted.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::{
        fd::AsFd as _,
        unix::{
            fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt},
            net::UnixListener,
        },
    },
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use interprocess::{
    local_socket::{
        GenericFilePath, Listener as Bound, ListenerOptions, Name, Stream, ToFsName as _,
        tokio::Listener,
        traits::{Stream as _, StreamCommon as _},
    },
    os::unix::{local_socket::ListenerOptionsExt as _, uds_local_socket},
};
use rustix::fs::OFlags;

use crate::{
    paths::Paths,
    platform::System,
    sockets::{Origin, Sockets},
};

/// Why the place cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another daemon is there.
    #[error("bastiond is already running{}, socket {}", holder(.pid), .socket.display())]
    AlreadyRunning {
        /// Its process id, where it could be told.
        pid: Option<u32>,
        /// Where it answers.
        socket: PathBuf,
    },
    /// The system has no room for such a path.
    #[error("the control socket's path is too long: {length} bytes, this system takes {longest}: `{}`\n\
             hint: set BASTIOND_SOCKET to a shorter one", .socket.display())]
    PathTooLong {
        /// The path.
        socket: PathBuf,
        /// Its length in bytes.
        length: usize,
        /// The longest there may be.
        longest: usize,
    },
    /// Its folder is not there, or others could get at it.
    #[error("the control socket's folder `{}` {why}\nhint: {hint}", .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        why: String,
        /// What to do.
        hint: String,
    },
    /// Something that is no socket stands at its path.
    #[error("`{}` is in the way of the control socket\nhint: move it away", .0.display())]
    InTheWay(PathBuf),
    /// The system refused.
    #[error("cannot {action} `{}`: {error}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
}

fn holder(pid: &Option<u32>) -> String {
    pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
}

/// The right to be the daemon, until it is dropped. Drop it last, after the listener.
#[derive(Debug)]
pub struct Claim {
    socket: PathBuf,
    /// The socket that stands there, and where to put it when it is done with.
    open: Mutex<Option<(UnixListener, Origin, Sockets)>>,
    /// Held for its lock. The file itself stays: deleting it would let two daemons lock two files of one name.
    _lock: File,
}

impl Claim {
    /// Takes the place, unless a daemon has it. Makes the folder if need be. With `patience`, for a daemon whose socket
    /// stands there already: a start that comes in between holds the lock for a moment, finds the socket alive, and goes
    /// away.
    ///
    /// # Errors
    /// As of [`Claim::take`].
    pub fn take_patiently(paths: &Paths, patience: Duration) -> Result<Claim, Error> {
        let deadline = Instant::now() + patience;
        loop {
            match Self::take(paths) {
                Err(Error::AlreadyRunning { .. }) if Instant::now() < deadline => {}
                done => return done,
            }
        }
    }

    /// Takes the place, unless a daemon has it. Makes the folder if need be.
    ///
    /// # Errors
    /// When another daemon runs, or the place is not safe or not usable.
    pub fn take(paths: &Paths) -> Result<Claim, Error> {
        check_length(&paths.socket)?;
        private_folder(paths.socket.parent().unwrap_or(Path::new("/")))?;
        let lock = lock(paths)?;
        Ok(Claim {
            socket: paths.socket.clone(),
            open: Mutex::default(),
            _lock: lock,
        })
    }

    /// Listens at the place: with the socket that was handed to this process, if one was. One that a dead daemon left
    /// is replaced.
    ///
    /// # Errors
    /// When a living process answers there after all, or the system refuses.
    pub fn listen(&self, sockets: &Sockets) -> Result<Listener, Error> {
        let (listener, origin) = match sockets.take_unix(&self.socket) {
            Some(inherited) => inherited,
            None => (self.bind()?, Origin::Own),
        };
        let failed = |error| Error::Io {
            action: "listen on",
            path: self.socket.clone(),
            error,
        };
        let copy = listener.as_fd().try_clone_to_owned().map_err(failed)?;
        let bound = uds_local_socket::Listener::from(copy);
        *self.open() = Some((listener, origin, sockets.clone()));
        let listener = uds_local_socket::tokio::Listener::try_from(bound).map_err(failed)?;
        Ok(Listener::from(listener))
    }

    /// Nobody is let in any more. The socket is removed, unless it is the service manager's or there is a program
    /// after this one.
    pub fn close(&self) {
        if let Some((listener, origin, sockets)) = self.open().take()
            && !sockets.put_back_unix(listener, origin)
        {
            let _ = fs::remove_file(&self.socket);
        }
    }

    fn open(&self) -> MutexGuard<'_, Option<(UnixListener, Origin, Sockets)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bind(&self) -> Result<UnixListener, Error> {
        self.clear()?;
        let failed = |error| Error::Io {
            action: "listen on",
            path: self.socket.clone(),
            error,
        };
        let options = || Ok(ListenerOptions::new().name(name(&self.socket)?));
        let bound = match options().and_then(|options| options.mode(0o600).create_sync()) {
            // No mode before the socket exists on this system: the folder keeps others out meanwhile.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                options().and_then(ListenerOptions::create_sync)
            }
            bound => bound,
        };
        let Bound::UdSocket(listener) = bound.map_err(failed)?;
        fs::set_permissions(&self.socket, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(UnixListener::from(listener))
    }

    fn clear(&self) -> Result<(), Error> {
        let failed = |action| {
            move |error| Error::Io {
                action,
                path: self.socket.clone(),
                error,
            }
        };
        match fs::symlink_metadata(&self.socket) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed("look at")(error)),
            Ok(metadata) if !metadata.file_type().is_socket() => {
                return Err(Error::InTheWay(self.socket.clone()));
            }
            Ok(_) => {}
        }
        if let Ok(stream) = name(&self.socket).and_then(Stream::connect) {
            let pid = stream
                .peer_creds()
                .ok()
                .and_then(|peer| peer.pid())
                .and_then(|pid| u32::try_from(pid).ok());
            return Err(Error::AlreadyRunning {
                pid,
                socket: self.socket.clone(),
            });
        }
        tracing::info!(socket = %self.socket.display(), "removing the socket of a daemon that is gone");
        fs::remove_file(&self.socket).map_err(failed("remove"))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.close();
    }
}

/// Whether a daemon holds the claim at these paths.
pub fn is_claimed(paths: &Paths) -> bool {
    let Ok(file) = File::open(&paths.lock) else {
        return false;
    };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

pub(super) fn name(socket: &Path) -> io::Result<Name<'_>> {
    socket.to_fs_name::<GenericFilePath>()
}

pub(super) fn check_length(socket: &Path) -> Result<(), Error> {
    let (length, longest) = (
        socket.as_os_str().len(),
        System::CURRENT.longest_socket_path(),
    );
    if length > longest {
        return Err(Error::PathTooLong {
            socket: socket.to_owned(),
            length,
            longest,
        });
    }
    Ok(())
}

fn private_folder(folder: &Path) -> Result<(), Error> {
    let refuse = |why: &str, hint: String| Error::Folder {
        folder: folder.to_owned(),
        why: why.to_owned(),
        hint,
    };
    let elsewhere = || "set BASTIOND_SOCKET to a path in a folder of your own".to_owned();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| refuse(&format!("cannot be made: {error}"), elsewhere()))?;
    // Not followed: a link that someone else planted in /tmp is not our folder.
    let metadata = fs::symlink_metadata(folder).map_err(|error| Error::Io {
        action: "look at",
        path: folder.to_owned(),
        error,
    })?;
    if !metadata.is_dir() {
        return Err(refuse("is not a folder", elsewhere()));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(refuse(
            &format!("belongs to another user (uid {})", metadata.uid()),
            elsewhere(),
        ));
    }
    if metadata.mode() & 0o077 != 0 {
        let why = format!("is open to others (mode {:04o})", metadata.mode() & 0o7777);
        return Err(refuse(&why, format!("chmod 700 {}", folder.display())));
    }
    Ok(())
}

fn lock(paths: &Paths) -> Result<File, Error> {
    let failed = |action| {
        move |error| Error::Io {
            action,
            path: paths.lock.clone(),
            error,
        }
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(&paths.lock)
        .map_err(failed("open the lock file"))?;
    match lock_briefly(&file) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(Error::AlreadyRunning {
                pid: holder_of(&file),
                socket: paths.socket.clone(),
            });
        }
        Err(TryLockError::Error(error)) => return Err(failed("lock")(error)),
    }
    // The pid is only for words that others say of us: a full disk must not stop a start.
    let _ = file
        .set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}

/// [`is_claimed`] holds the lock for an instant, which must not look like a daemon.
fn lock_briefly(file: &File) -> Result<(), TryLockError> {
    for _ in 0..LOCK_RETRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            done => return done,
        }
    }
    file.try_lock()
}

const LOCK_RETRIES: usize = 3;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The pid its holder wrote; nothing in the short while before that.
fn holder_of(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_the_lock_is_not_taken_for_a_daemon() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let looking = file.reopen().unwrap();
        looking.lock_shared().unwrap();
        let done = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(10));
            drop(looking);
        });
        assert!(lock_briefly(file.as_file()).is_ok());
        done.join().unwrap();
    }

    #[test]
    fn a_daemon_that_stays_is_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let daemon = file.reopen().unwrap();
        daemon.lock().unwrap();
        assert!(matches!(
            lock_briefly(file.as_file()),
            Err(TryLockError::WouldBlock)
        ));
    }
}

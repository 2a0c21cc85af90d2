//! A daemon's door with a test behind it.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::Path;

use bastiond::sockets::Sockets;
use bastiond::{
    control::{
        Command, Door, Refusal, Shown,
        client::{self, Client},
        server,
        socket::Claim,
    },
    events::Events,
    paths::Paths,
    status::{InForce, Reloaded},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    sync::mpsc,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{connection, paths_in, problem, status};

/// A door with nobody behind it but a task that notes what it is told.
pub struct Daemon {
    /// Holds all its files.
    pub folder: tempfile::TempDir,
    /// Its places.
    pub paths: Paths,
    /// What it tells of.
    pub events: Events,
    cancel: CancellationToken,
    serving: JoinHandle<()>,
    commands: JoinHandle<Vec<String>>,
    closed: CancellationToken,
}

impl Daemon {
    pub async fn start() -> Daemon {
        Daemon::start_for(rustix::process::geteuid().as_raw()).await
    }

    pub async fn start_for(uid: u32) -> Daemon {
        Daemon::start_at(tempfile::tempdir().unwrap(), uid)
    }

    pub fn start_at(folder: tempfile::TempDir, uid: u32) -> Daemon {
        let paths = paths_in(folder.path());
        let claim = Claim::take(&paths).unwrap();
        let listener = claim.listen(&Sockets::default()).unwrap();
        let (sender, receiver) = mpsc::channel(4);
        let (cancel, closed) = (CancellationToken::new(), CancellationToken::new());
        let events = Events::default();
        let shown = Shown {
            status: Box::new(status),
            connections: Box::new(|| vec![connection(1, "app-db"), connection(2, "cache")]),
            config: Box::new(|| {
                Some(InForce::new(
                    None,
                    vec![],
                    std::time::SystemTime::UNIX_EPOCH,
                ))
            }),
            events: events.clone(),
            logs: Some(paths.logs.clone()),
        };
        let door = Door::new(shown, sender).owned_by(uid);
        let serving = server::serve(listener, door, cancel.clone());
        let serving = tokio::spawn(async move {
            serving.await;
            drop(claim);
        });
        let commands = tokio::spawn(note(receiver, closed.clone()));
        Daemon {
            folder,
            paths,
            events,
            cancel,
            serving,
            commands,
            closed,
        }
    }

    pub fn client(&self) -> Client {
        Client::new(&self.paths.socket)
    }

    /// Head and body of the answer to a request as it stands.
    pub async fn raw(&self, request: &str) -> (String, String) {
        let answer = raw(&self.paths.socket, request).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        (head.to_owned(), body.to_owned())
    }

    pub async fn assert_refused(&self, request: &str, status: u16) {
        let (head, _) = self.raw(request).await;
        let start: String = request.chars().take(120).collect();
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{start:?}: {head}"
        );
    }

    pub async fn stopped_taking_commands(&self) {
        self.closed.cancelled().await;
    }

    /// What the daemon was told.
    pub async fn stop(self) -> Vec<String> {
        self.cancel.cancel();
        self.serving.await.unwrap();
        self.commands.await.unwrap()
    }

    pub async fn stop_and_keep(self) -> tempfile::TempDir {
        self.cancel.cancel();
        self.serving.await.unwrap();
        self.folder
    }
}

async fn note(mut commands: mpsc::Receiver<Command>, closed: CancellationToken) -> Vec<String> {
    let mut noted = Vec::new();
    while let Some(command) = commands.recv().await {
        match command {
            Command::Up { tunnel, reply } => {
                noted.push(format!("up {tunnel}"));
                let outcome = if tunnel == "broken" {
                    Err(problem())
                } else {
                    Ok(())
                };
                reply.send(outcome).unwrap();
            }
            Command::Down { tunnel, reply } => {
                noted.push(format!("down {tunnel}"));
                reply.send(Ok(())).unwrap();
            }
            Command::Hold { bastion, reply } => {
                noted.push(format!("hold {bastion}"));
                reply.send(Ok(())).unwrap();
            }
            Command::Restart { tunnel, reply } => {
                noted.push(format!("restart {tunnel}"));
                reply.send(Ok(())).unwrap();
            }
            Command::Reset { tunnel, reply } => {
                noted.push(format!("reset {tunnel}"));
                reply.send(Ok(())).unwrap();
            }
            Command::Reload { reply } => {
                noted.push("reload".to_owned());
                let reloaded = Reloaded {
                    schema: 1,
                    added: vec!["cache".to_owned()],
                    ..Reloaded::default()
                };
                reply.send(Ok(reloaded)).unwrap();
            }
            Command::Keep { tunnel, time } => {
                noted.push(format!("keep {tunnel} {}s", time.as_secs()));
            }
            Command::Mfa { bastion, reply, .. } => {
                noted.push(format!("mfa {}", bastion.unwrap_or_default()));
                reply.send(Ok(())).unwrap();
            }
            Command::Orphans { end, reply } => {
                noted.push(format!("orphans {end}"));
                reply.send(Ok(Vec::new())).unwrap();
            }
            Command::RestartDaemon { reply } => {
                noted.push("restart".into());
                reply.send(Ok(())).unwrap();
            }
            Command::Shutdown => {
                noted.push("shutdown".into());
                break;
            }
        }
    }
    drop(commands);
    closed.cancel();
    noted
}

/// Sends bytes, then gives all that comes back before the end.
pub async fn raw(socket: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let mut answer = Vec::new();
    // A server that refuses early may close while we still send: what it said is what counts.
    let _ = stream.write_all(request.as_bytes()).await;
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

pub fn refused(error: client::Error) -> Refusal {
    match error {
        client::Error::Refused(refusal) => *refusal,
        other => panic!("not a refusal: {other}"),
    }
}

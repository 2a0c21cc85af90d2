//! A restart: the daemon ends as far as it must, and executes the program anew in its own place.
//!
//! ```text
//! asked ─▶ try the program ─▶ close ─────────────▶ leave tasks ─▶ write the state ─▶ execute
//!            │ fails: nothing    what is open has       to be adopted                 same pid, same sockets
//!            ▼ has happened      shutdown_timeout
//! ```
//!
//! The sockets stay open all the while, so that whoever connects meanwhile waits and is served by the new program. The
//! pid stays too: a service manager notices nothing but that the daemon is ready once more.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{self, Stdio};
use std::time::{Duration, SystemTime};

use sd_notify::NotifyState;
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Daemon, End};
use crate::platform::program;
use crate::sockets::Sockets;
use crate::status::{Problem, Reason};
use crate::tunnel;

/// What the new program is given to read the configuration.
const TRIAL: Duration = Duration::from_secs(10);
/// So much of what it says is passed on.
const SAID: usize = 2000;

/// What the daemon becomes when it is restarted.
#[derive(Clone, Debug)]
pub struct Successor {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Successor {
    /// The program that this process runs, in whatever version its file will hold, with the same arguments. `None` where
    /// the system does not tell which file that is.
    pub fn of_this_process() -> Option<Self> {
        Some(Self {
            program: program::path().ok()?,
            arguments: std::env::args_os().skip(1).collect(),
        })
    }

    /// Become it, with these sockets. Comes back only to say why not.
    pub fn take_over(&self, sockets: &Sockets) -> io::Error {
        let mut command = process::Command::new(&self.program);
        command.args(&self.arguments);
        sockets.execute(command)
    }

    /// Whether it runs at all, and takes the configuration.
    async fn try_out(&self) -> Result<(), Reason> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .arg("--try")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let failed = |why: String| {
            let program = self.program.display();
            Reason::new(
                "restart_failed",
                format!("`{program}` cannot take over: {why}"),
            )
            .with_hint("mend that and try again; the daemon goes on as it was")
        };
        let output = match timeout(TRIAL, command.output()).await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed(format!("no answer within {} s", TRIAL.as_secs()))),
        };
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said: String = said.trim().chars().take(SAID).collect();
        Err(failed(said))
    }
}

impl End {
    /// What the service manager is told of it.
    pub(super) fn news(self) -> NotifyState<'static> {
        match self {
            Self::Stop | Self::Rest => NotifyState::Stopping,
            Self::Restart => NotifyState::Status("restarting"),
        }
    }
}

impl Daemon {
    /// Try the program; if it can take over, the answer is yes and the daemon is on its way.
    pub(super) fn restart(&mut self, reply: oneshot::Sender<Result<(), Problem>>) {
        let (successor, restart) = (self.successor.clone(), self.restart.clone());
        self.holds.spawn(async move {
            let tried = match successor {
                Some(successor) => successor.try_out().await,
                None => Err(Reason::new(
                    "restart_impossible",
                    "this daemon is no program of its own that could be restarted",
                )),
            };
            let problem =
                |reason| Problem::new("daemon", reason, SystemTime::now(), Duration::ZERO);
            let is_tried = tried.is_ok();
            let _ = reply.send(tried.map_err(problem));
            if is_tried {
                restart.cancel();
            }
        });
    }

    /// End in the way of `end`; `cancel` makes it a plain stop.
    pub(super) async fn wind_up(self, end: End, sockets: &Sockets, cancel: &CancellationToken) {
        sockets.go_on(end == End::Restart);
        if end != End::Stop {
            self.close(cancel).await;
        }
        if cancel.is_cancelled() {
            sockets.go_on(false);
        }
        match sockets.goes_on() {
            true => self.leave_bastions().await,
            false => self.state.forget_keeps(),
        }
        self.shut_down().await;
    }

    /// Take nothing new, and let what is open finish, for a while; `cancel` cuts that short.
    async fn close(&self, cancel: &CancellationToken) {
        let closing = async {
            for tunnel in &self.tunnels {
                tunnel.command(tunnel::Command::Close).await;
            }
            for tunnel in &self.tunnels {
                tunnel.ended().await;
            }
        };
        cancel.run_until_cancelled(closing).await;
    }

    /// Leave the tasks to the daemon that comes after.
    async fn leave_bastions(&self) {
        for bastion in self.bastions.values() {
            bastion.leave().await;
        }
    }
}

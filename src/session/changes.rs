//! What changes around all tunnels at once: the machine was asleep, or is on another network. Whatever was connected
//! before may be dead without a word, and what could not be reached may be there now.
//!
//! One task a daemon. It listens to the system's news of the network, and as long as somebody cares it looks at the
//! clocks once a second.

use std::io;
use std::os::unix::net::UnixDatagram as Source;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::net::UnixDatagram;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::wake::Wake;

/// A change of network is a dozen messages: link, addresses, routes. They are one.
const SETTLE: Duration = Duration::from_millis(100);
/// How often to see whether the machine was asleep.
const WAKE_CHECK: Duration = Duration::from_secs(1);
/// Messages taken between two looks at anything else.
const BATCH: usize = 256;

/// Where sessions are told. Clones are of the same.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    sender: Arc<watch::Sender<()>>,
    wanted: Arc<Notify>,
}

impl Changes {
    /// Be told of each change from now on, until the receiver is dropped.
    pub fn subscribe(&self) -> watch::Receiver<()> {
        let receiver = self.sender.subscribe();
        self.wanted.notify_one();
        receiver
    }

    fn are_watched(&self) -> bool {
        self.sender.receiver_count() > 0
    }

    fn announce(&self, what: &str) {
        tracing::info!("{what}: connections are looked after");
        self.sender.send_replace(());
    }
}

/// Begin to notice, on `tasks`, until `cancel` is cancelled. `network` becomes readable when the network changes.
pub fn spawn(
    tasks: &mut JoinSet<()>,
    network: Option<Source>,
    cancel: CancellationToken,
) -> Changes {
    let network = network.and_then(|source| match UnixDatagram::from_std(source) {
        Ok(network) => Some(network),
        Err(error) => {
            tracing::warn!(%error, "changes of the network go unnoticed");
            None
        }
    });
    let changes = Changes::default();
    let watcher = Watcher {
        network,
        changes: changes.clone(),
        wall: SystemTime::now,
    };
    tasks.spawn(watcher.run(cancel));
    changes
}

struct Watcher<W> {
    network: Option<UnixDatagram>,
    changes: Changes,
    /// The clock on the wall, which goes on in a sleep.
    wall: W,
}

impl<W: Fn() -> SystemTime> Watcher<W> {
    async fn run(mut self, cancel: CancellationToken) {
        let mut settled_at: Option<Instant> = None;
        let mut wake: Option<Wake> = None;
        loop {
            let now = Instant::now();
            // A sleep that nobody was connected in matters to nobody.
            let is_watched = self.changes.are_watched();
            wake = wake.filter(|_| is_watched);
            if is_watched {
                wake.get_or_insert_with(|| Wake::new((self.wall)(), now.into_std()));
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                heard = readable(self.network.as_ref()), if settled_at.is_none() => {
                    if self.drain(heard) {
                        settled_at = Some(Instant::now() + SETTLE);
                    }
                }
                () = sleep_until(settled_at.unwrap_or(now)), if settled_at.is_some() => {
                    settled_at = None;
                    self.drain(Ok(()));
                    self.changes.announce("the network has changed");
                }
                () = self.changes.wanted.notified() => {}
                () = sleep_until(now + WAKE_CHECK), if is_watched => {
                    let (wall, now) = ((self.wall)(), Instant::now().into_std());
                    if wake.as_mut().is_some_and(|wake| wake.has_slept(wall, now)) {
                        self.changes.announce("the machine was asleep");
                    }
                }
            }
        }
    }

    /// Take what the system has said. `false` if that was nothing.
    fn drain(&mut self, heard: io::Result<()>) -> bool {
        let mut scrap = [0; 4096];
        let mut any = false;
        for _ in 0..BATCH {
            let Some(network) = &self.network else { break };
            let taken = heard
                .as_ref()
                .map_err(|error| error.kind().into())
                .and_then(|()| network.try_recv(&mut scrap));
            match taken {
                Ok(1..) => any = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // More was said than the system kept for us.
                Err(error) if is_overflow(&error) => any = true,
                Ok(_) | Err(_) => {
                    tracing::warn!("the system tells no more of the network's changes");
                    self.network = None;
                }
            }
        }
        any
    }
}

fn is_overflow(error: &io::Error) -> bool {
    rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::NOBUFS)
}

async fn readable(network: Option<&UnixDatagram>) -> io::Result<()> {
    match network {
        Some(network) => network.readable().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    /// A watcher with a clock of its own, and the hand on both.
    struct Stage {
        system: Source,
        wall: Arc<Mutex<SystemTime>>,
        changes: Changes,
        tasks: JoinSet<()>,
        cancel: CancellationToken,
    }

    impl Stage {
        fn new() -> Self {
            let (system, network) = Source::pair().expect("a pair of sockets");
            network.set_nonblocking(true).expect("a socket");
            let wall = Arc::new(Mutex::new(SystemTime::now()));
            let clock = Arc::clone(&wall);
            let (changes, cancel) = (Changes::default(), CancellationToken::new());
            let watcher = Watcher {
                network: Some(UnixDatagram::from_std(network).expect("a socket")),
                changes: changes.clone(),
                wall: move || *clock.lock().expect("no panic"),
            };
            let mut tasks = JoinSet::new();
            tasks.spawn(watcher.run(cancel.clone()));
            Self {
                system,
                wall,
                changes,
                tasks,
                cancel,
            }
        }

        async fn end(mut self) {
            self.cancel.cancel();
            let joined = timeout(SOON, self.tasks.join_next()).await;
            joined.expect("it ends").expect("a task").expect("no panic");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_storm_of_messages_is_one_change() {
        let stage = Stage::new();
        let mut told = stage.changes.subscribe();
        for _ in 0..40 {
            stage.system.send(b"a route").expect("it is heard");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let first = timeout(SOON, told.changed()).await;
        first.expect("in time").expect("a change");
        let second = timeout(2 * SETTLE, told.changed()).await;
        assert!(second.is_err(), "the same storm was told twice");
        stage.system.send(b"another").expect("it is heard");
        let second = timeout(SOON, told.changed()).await;
        second.expect("in time").expect("another change");
        stage.end().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_sleep_is_told_while_somebody_is_connected() {
        let stage = Stage::new();
        // Asleep while nobody cared.
        *stage.wall.lock().unwrap() += Duration::from_secs(600);
        let mut told = stage.changes.subscribe();
        let early = timeout(WAKE_CHECK * 3 / 2, told.changed()).await;
        assert!(early.is_err(), "that was before");
        *stage.wall.lock().unwrap() += Duration::from_secs(600);
        let slept = timeout(SOON, told.changed()).await;
        slept.expect("in time").expect("a change");
        stage.end().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_system_that_falls_silent_takes_nothing_down() {
        let stage = Stage::new();
        let mut told = stage.changes.subscribe();
        stage.system.send(b"").expect("it is heard");
        let asleep_again_and_again = async {
            loop {
                tokio::time::sleep(WAKE_CHECK).await;
                *stage.wall.lock().unwrap() += Duration::from_secs(600);
            }
        };
        tokio::select! {
            () = asleep_again_and_again => {}
            slept = timeout(SOON, told.changed()) => slept.expect("in time").expect("a change"),
        }
        stage.end().await;
    }
}

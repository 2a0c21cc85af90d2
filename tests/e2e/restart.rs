//! A daemon that becomes a new program, and one whose ports are the service manager's.

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bastiond::sim::{ManagedNode, Script};
use bastiond::status::Status;
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::process::{PROGRAM, Process};
use crate::programs;
use crate::support::{House, Terms, connect, ping, within};

/// More than anybody will do on a day.
const RESTARTS: usize = 10;
const NODE: &str = "target = \"i-0123456789abcdef0\"";

#[tokio::test]
async fn whoever_connects_during_ten_restarts_is_never_refused() {
    let house = House::new().await;
    let process = Process::start(&house, &Terms::default(), "bastiond=info").await;
    drop(process.served().await);
    let address = address(&process.status().await);
    let crowd = Crowd::at(address);
    let mut instances = vec![process.status().await.daemon.instance];
    for _ in 0..RESTARTS {
        let said = restart(&house).await;
        assert!(said.contains("has restarted"), "{said}");
        instances.push(process.status().await.daemon.instance);
    }
    let connected = crowd.end().await;
    instances.sort();
    instances.dedup();
    assert_eq!(instances.len(), 1 + RESTARTS, "each is another");
    assert!(connected > RESTARTS, "{connected} connections");
    let status = process.status().await;
    let pid = process.pid().as_raw_nonzero().get();
    assert_eq!(status.daemon.pid.cast_signed(), pid, "the same process");
    assert_eq!(
        self::address(&status),
        address,
        "a port of the system's choice stays"
    );
    drop(process.served().await);
    assert_eq!(house.world().count("RunTask"), 1, "the task is adopted");
    assert_eq!(house.world().count("StopTask"), 0);
    process.stop().await;
    assert_eq!(
        house.world().count("StopTask"),
        1,
        "by its rule, in the end"
    );
    assert!(!house.paths().socket.exists());
    house.sweep_beside().await;
}

#[tokio::test]
async fn what_is_open_may_finish_before_a_restart_and_what_waits_is_served_after_it() {
    let house = with_node().await;
    let config = house.config(&by_node());
    let config = config.replace("shutdown_timeout = \"1s\"", "shutdown_timeout = \"60s\"");
    let process = Process::with_config(&house, &config).await;
    let mut open = process.served().await;
    let address = address(&process.status().await);
    let restarting = asked(&house);
    within("nothing more is accepted", async {
        while !refuses_work(&process).await {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let mut late = connect(address).await;
    ping(&mut open).await;
    leave(open);
    ping(&mut late).await;
    leave(late);
    let said = finish(restarting).await;
    assert!(said.contains("has restarted"), "{said}");
    process.stop().await;
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_program_that_cannot_take_over_is_refused_and_the_daemon_goes_on() {
    let house = with_node().await;
    let process = Process::start(&house, &by_node(), "bastiond=info").await;
    let mut open = process.served().await;
    let before = process.status().await.daemon.instance;
    std::fs::write(&house.paths().config, "[[tunel]]\n").expect("written");
    let error = process.client.restart_daemon().await.expect_err("refused");
    let said = error.to_string();
    assert!(
        said.contains("cannot take over") && said.contains("unknown key"),
        "{said}"
    );
    ping(&mut open).await;
    assert_eq!(process.status().await.daemon.instance, before);
    process.stop().await;
    house.sweep_beside().await;
}

#[tokio::test]
async fn what_somebody_keeps_is_kept_after_a_restart() {
    let house = House::new().await;
    let process = Process::start(&house, &Terms::default(), "bastiond=info").await;
    process
        .client
        .up_for("app-db", "2h")
        .await
        .expect("it is up");
    restart(&house).await;
    within("it is kept", async {
        while process.status().await.bastions[0].kept_seconds.is_none() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert!(process.status().await.bastions[0].kept_seconds > Some(7000));
    assert_eq!(house.world().count("RunTask"), 1);
    process.stop().await;
    let process = Process::start(&house, &Terms::default(), "bastiond=info").await;
    assert_eq!(
        process.status().await.bastions[0].kept_seconds,
        None,
        "a stop ends it"
    );
    process.stop().await;
    house.sweep_beside().await;
}

// ---- socket activation ----

#[tokio::test]
async fn a_daemon_on_the_systems_sockets_ends_when_idle_and_comes_back_with_the_next_connection() {
    let house = with_node().await;
    let system = System::new().await;
    for (turn, via) in [Terms::default().via, NODE].into_iter().enumerate() {
        let terms = Terms {
            via,
            listen: format!("\"{}\"", system.address),
            bastion: "idle_stop = \"1s\"",
            tunnel: "session_linger = \"1s\"",
            ..Terms::default()
        };
        let config = format!("exit_when_idle = \"1s\"\n{}", house.config(&terms));
        std::fs::write(&house.paths().config, config).expect("written");
        // Nobody serves the port; the system completes the connection all the same.
        let mut client = connect(system.address).await;
        let mut daemon = system.start(&house);
        ping(&mut client).await;
        leave(client);
        let ended = within("it ends when idle", daemon.wait()).await;
        assert!(ended.expect("an exit code").success(), "a clean end");
        assert_eq!(house.world().count("StartSession"), 1 + turn);
        assert_eq!(
            house.world().count("StopTask"),
            1,
            "nothing runs while it sleeps"
        );
        assert!(!house.paths().socket.exists());
    }
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_daemon_on_sockets_of_its_own_stays() {
    let house = with_node().await;
    let terms = by_node();
    let process = Process::start(&house, &terms, "bastiond=info").await;
    process.client.shutdown().await.expect("it stops");
    drop(process);
    let config = format!("exit_when_idle = \"1s\"\n{}", house.config(&terms));
    let process = Process::with_config(&house, &config).await;
    sleep(Duration::from_millis(1500)).await;
    drop(process.served().await);
    let log = process.stop().await;
    assert!(log.contains("`exit_when_idle` has no effect"), "{log}");
    house.sweep_beside().await;
}

#[tokio::test]
async fn sockets_of_systemd_are_taken() {
    const ACTIVATE: &str = "systemd-socket-activate";
    if !programs::are_there(&[ACTIVATE], &PathBuf::from("/nonexistent")) {
        return;
    }
    let house = with_node().await;
    let [v4, v6] = [free("127.0.0.1:0").await, free("[::1]:0").await];
    let control = house.paths().socket;
    std::fs::create_dir(control.parent().expect("a folder")).expect("made");
    private(control.parent().expect("a folder"));
    let terms = Terms {
        listen: format!("[\"{v4}\", \"{v6}\"]"),
        ..by_node()
    };
    std::fs::write(&house.paths().config, house.config(&terms)).expect("written");
    let mut activate = Command::new(ACTIVATE);
    activate.env_clear().arg(format!("--listen={v4}"));
    activate.arg(format!("--listen={v6}"));
    activate.arg(format!("--listen={}", control.display()));
    for (name, value) in environment(&house) {
        activate.arg(format!("--setenv={name}={value}"));
    }
    activate.args([PROGRAM, "run"]);
    let activate = activate.stdin(Stdio::null()).stderr(Stdio::null());
    let mut daemon = activate.kill_on_drop(true).spawn().expect("it starts");
    within("systemd listens", async {
        while TcpStream::connect(v6).await.is_err() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    for address in [v4, v6] {
        ping(&mut connect(address).await).await;
    }
    let client = bastiond::control::client::Client::new(&control);
    let status = client
        .status()
        .await
        .expect("it answers at systemd's socket");
    assert_eq!(status.tunnels[0].listeners.len(), 2);
    assert_eq!(Some(status.daemon.pid), daemon.id());
    client.shutdown().await.expect("it stops");
    let ended = within("it ends", daemon.wait()).await;
    assert!(ended.expect("an exit code").success());
    assert!(control.exists(), "it is systemd's to remove");
    house.sweep_beside().await;
}

// ---- stage ----

/// Clients that connect to the same address, one after the other, as fast as they can.
struct Crowd {
    enough: Arc<AtomicBool>,
    connecting: JoinHandle<usize>,
}

impl Crowd {
    fn at(address: SocketAddr) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let is_enough = Arc::clone(&enough);
        let connecting = tokio::spawn(async move {
            let mut connected = 0;
            while !is_enough.load(Ordering::Relaxed) {
                let client = TcpStream::connect(address).await;
                drop(client.expect("nobody is refused"));
                connected += 1;
                // The backlog has room for a thousand that nobody accepts for a while.
                sleep(Duration::from_millis(2)).await;
            }
            connected
        });
        Self { enough, connecting }
    }

    /// How many connected.
    async fn end(self) -> usize {
        self.enough.store(true, Ordering::Relaxed);
        self.connecting.await.expect("nobody was refused")
    }
}

/// A port that is open whoever serves it, as a service manager keeps it.
struct System {
    address: SocketAddr,
    listener: TcpListener,
}

impl System {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        Self { address, listener }
    }

    /// The daemon, with the port.
    fn start(&self, house: &House) -> Child {
        let socket = inheritable(self.listener.as_fd());
        let mut command = Command::new(PROGRAM);
        command.arg("run").env_clear().envs(environment(house));
        command.env("LISTEN_FDS", "1");
        command.env("LISTEN_FDS_FIRST_FD", socket.as_raw_fd().to_string());
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command.kill_on_drop(true).spawn().expect("it starts")
    }
}

fn inheritable(socket: impl AsFd) -> OwnedFd {
    let copy = fcntl_dupfd_cloexec(socket, 100).expect("a descriptor");
    fcntl_setfd(&copy, FdFlags::empty()).expect("it may be inherited");
    copy
}

fn environment(house: &House) -> Vec<(String, String)> {
    let paths = house.paths();
    let shown = |path: &std::path::Path| path.display().to_string();
    let variables = [
        ("HOME", shown(house.folder.path())),
        ("BASTIOND_CONFIG", shown(&paths.config)),
        ("BASTIOND_SOCKET", shown(&paths.socket)),
        ("BASTIOND_STATE_DIR", shown(&paths.state)),
        ("AWS_ACCESS_KEY_ID", "AKIATESTTESTTESTTEST".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "a-secret-access-key".to_owned()),
    ];
    variables
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

/// An account with a node that runs anyway.
async fn with_node() -> House {
    let node = ManagedNode {
        id: "i-0123456789abcdef0".to_owned(),
        connected: true,
        ..ManagedNode::default()
    };
    House::with(Script {
        managed_nodes: vec![node],
        ..Script::fast()
    })
    .await
}

fn by_node() -> Terms {
    Terms {
        via: NODE,
        ..Terms::default()
    }
}

/// Goes away at once; a farewell in order would be waited for.
fn leave(client: TcpStream) {
    client.set_zero_linger().expect("a socket");
}

fn address(status: &Status) -> SocketAddr {
    let address = &status.tunnels[0].listeners[0].address;
    address.parse().expect("an address")
}

async fn free(address: &str) -> SocketAddr {
    let listener = TcpListener::bind(address).await.expect("a port");
    listener.local_addr().expect("bound")
}

fn private(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(folder, mode).expect("a mode");
}

/// `ctl restart --daemon`, under way.
fn asked(house: &House) -> Child {
    let mut command = Command::new(PROGRAM);
    command.args(["ctl", "restart", "--daemon"]).env_clear();
    command.envs(environment(house));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.kill_on_drop(true).spawn().expect("it runs")
}

/// What it says in the end.
async fn finish(asked: Child) -> String {
    let output = within("the restart is done", asked.wait_with_output()).await;
    let output = output.expect("its output");
    let all = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&all).into_owned()
}

async fn restart(house: &House) -> String {
    finish(asked(house)).await
}

/// The daemon obeys no more.
async fn refuses_work(process: &Process) -> bool {
    process.client.orphans(false).await.is_err()
}

//! A PostgreSQL of a test's own, in a temporary folder, gone when it is dropped.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::programs;

/// PostgreSQL refuses to run as root; its Debian package makes this user.
const USER: &str = "postgres";
/// Where Debian keeps what is not on PATH.
const DEBIAN: &str = "/usr/lib/postgresql/15/bin";
/// Everything the tests run.
const PROGRAMS: [&str; 4] = ["initdb", "postgres", "psql", "pgbench"];
/// For a busy machine; usually it takes a fifth of a second.
const START: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Whether the tests can run.
pub fn is_installed() -> bool {
    programs::are_there(&PROGRAMS, Path::new(DEBIAN))
}

/// The path of one of its programs.
pub fn program(name: &str) -> PathBuf {
    programs::find(name, Path::new(DEBIAN)).unwrap_or_else(|| panic!("`{name}` is installed"))
}

/// A running server that trusts everybody on loopback.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    process: Child,
    _folder: TempDir,
}

impl Server {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("data");
        give_away(folder.path());
        let mut initdb = as_its_user("initdb");
        initdb.args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
        initdb.args(["--username", USER, "--pgdata"]).arg(&data);
        let made = initdb.output().expect("initdb runs");
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let (address, process) = serve(&data);
        Self {
            address,
            process,
            _folder: folder,
        }
    }
}

impl Drop for Server {
    /// SIGQUIT is its "immediate": its children are told to end, and it waits for them.
    fn drop(&mut self) {
        let _ = kill_process(pid(&self.process), Signal::QUIT);
        let _ = self.process.wait();
    }
}

/// A free port can be taken by another before the server has it: then it ends, and the next is tried.
fn serve(data: &Path) -> (SocketAddr, Child) {
    for _ in 0..5 {
        let address = free_address();
        let mut process = postgres(data, address);
        let deadline = Instant::now() + START;
        while process.try_wait().expect("it is our child").is_none() {
            if data.join("postmaster.pid").exists() && TcpStream::connect(address).is_ok() {
                return (address, process);
            }
            assert!(Instant::now() < deadline, "PostgreSQL does not come up");
            sleep(LOOK_AGAIN);
        }
    }
    let log = fs::read_to_string(data.join("log")).unwrap_or_default();
    panic!("PostgreSQL does not start: {log}");
}

fn postgres(data: &Path, address: SocketAddr) -> Child {
    let log = fs::File::create(data.join("log")).expect("a log");
    let mut command = as_its_user("postgres");
    command.arg("-D").arg(data).arg("-k").arg(data);
    command.args(["-h", &address.ip().to_string()]);
    command.args(["-p", &address.port().to_string()]);
    command.args(["-c", "fsync=off", "-c", "max_wal_size=1GB"]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(log).spawn().expect("postgres runs")
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound")
}

fn pid(process: &Child) -> Pid {
    Pid::from_child(process)
}

// ---- root ----

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// One of its programs, as a user it accepts. `setpriv` executes it, so that its process is our child.
fn as_its_user(name: &str) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", USER, "--regid", USER, "--init-groups", "--"]);
        command.arg(program(name));
        command
    } else {
        Command::new(program(name))
    };
    command.current_dir("/").env("TZ", "UTC");
    command
}

fn give_away(folder: &Path) {
    if is_root() {
        chown(folder, Some(id("-u")), Some(id("-g"))).expect("root may give a folder away");
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).expect("a folder of ours");
}

fn id(which: &str) -> u32 {
    let output = Command::new("id").args([which, USER]).output();
    let output = output.expect("`id` runs").stdout;
    let text = String::from_utf8_lossy(&output);
    text.trim()
        .parse()
        .unwrap_or_else(|_| panic!("there is a user `{USER}`"))
}

//! A moto server of a test's own, gone when it is dropped.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::programs;

/// For a busy machine; usually it takes two seconds.
const START: Duration = Duration::from_secs(90);
const ANSWER: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const PROGRAM: &str = "moto_server";

/// Whether the tests can run: `BASTIOND_MOTO` is the program, else it is on PATH.
pub fn is_installed() -> bool {
    programs::are_there(&[PROGRAM], &folder())
}

/// The Python that moto runs in, where botocore is too.
pub fn python() -> Option<PathBuf> {
    let found = is_installed().then(|| programs::find(PROGRAM, &folder()))?;
    let folder = found?.canonicalize().ok()?.parent()?.to_owned();
    programs::find("python3", &folder)
}

fn folder() -> PathBuf {
    let program = std::env::var_os("BASTIOND_MOTO").map(PathBuf::from);
    let folder = program.as_deref().and_then(Path::parent);
    folder.unwrap_or(Path::new("/nonexistent")).to_owned()
}

/// A running server. Its accounts are empty.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    process: Child,
}

impl Server {
    /// A free port can be taken by another before the server has it: then it ends, and the next is tried.
    pub fn start() -> Self {
        for _ in 0..5 {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let address = listener.local_addr().expect("it is bound");
            drop(listener);
            let mut server = Self {
                address,
                process: run(address.port()),
            };
            if server.comes_up() {
                return server;
            }
        }
        panic!("moto does not start");
    }

    fn comes_up(&mut self) -> bool {
        let deadline = Instant::now() + START;
        while self.process.try_wait().expect("it is our child").is_none() {
            if TcpStream::connect(self.address).is_ok() {
                return true;
            }
            assert!(Instant::now() < deadline, "moto does not come up");
            sleep(LOOK_AGAIN);
        }
        false
    }

    /// A call of the Query API, as anybody: moto looks at the scope of a signature only.
    pub fn call(&self, service: &str, form: &str) -> String {
        let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
        self.post(service, kind, form)
    }

    /// A call of the JSON protocol; `target` is its operation with the versioned name of the service.
    pub fn call_json(&self, service: &str, target: &str, body: &str) -> String {
        let kind =
            format!("Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: {target}\r\n");
        self.post(service, &kind, body)
    }

    fn post(&self, service: &str, kind: &str, form: &str) -> String {
        let scope = format!("AKIAELSEWHERE/20260101/eu-west-1/{service}/aws4_request");
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{kind}\
             Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00\r\n\r\n{form}",
            self.address,
            form.len()
        );
        let mut socket = TcpStream::connect(self.address).expect("it listens");
        socket.set_read_timeout(Some(ANSWER)).expect("a time");
        socket.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{form:.200}: {answer}");
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run(port: u16) -> Child {
    let mut command = Command::new(python().expect("it is installed"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/moto/serve.py");
    command
        .arg(script)
        .args(["-H", "127.0.0.1", "-p", &port.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::null()).spawn().expect("moto runs")
}

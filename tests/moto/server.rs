//! A moto server of a test's own, gone when it is dropped.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::programs;

/// For a busy machine; usually it takes two seconds.
const START: Duration = Duration::from_secs(90);
const ANSWER: Duration = Duration::from_secs(30);
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
    /// It is given its socket: a port that was free a moment ago may be another test's by now.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let server = Self {
            address: listener.local_addr().expect("it is bound"),
            process: run(listener),
        };
        server.ask(
            "GET /moto-api/ HTTP/1.1\r\nHost: moto\r\nConnection: close\r\n\r\n",
            START,
        );
        server
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
        self.ask(&request, ANSWER)
    }

    fn ask(&self, request: &str, patience: Duration) -> String {
        let mut socket = TcpStream::connect(self.address).expect("it listens");
        socket.set_read_timeout(Some(patience)).expect("a time");
        socket.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("an answer");
        assert!(
            answer.starts_with("HTTP/1.1 200"),
            "{request:.500}: {answer}"
        );
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Its standard input is the socket that it serves.
fn run(listener: TcpListener) -> Child {
    let mut command = Command::new(python().expect("it is installed"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/moto/serve.py");
    let socket = Stdio::from(OwnedFd::from(listener));
    command.arg(script).stdin(socket).stdout(Stdio::null());
    command.stderr(Stdio::null()).spawn().expect("moto runs")
}

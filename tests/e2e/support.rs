//! A house to test in: simulator, private database, folder; and daemons that live in it.

use std::future::Future;
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use bastiond::aws::Source;
use bastiond::config::Config;
use bastiond::control::client::Client;
use bastiond::daemon::{self, Setup};
use bastiond::paths::Paths;
use bastiond::sim::{self, Cut, Destination, Plan, Script, Sim, World};
use bastiond::sources::Sources;
use bastiond::status::{Bastion, Problem, Status, Tunnel, TunnelState};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// No single wait takes longer, on a machine that is busy with other tests.
pub const LIMIT: Duration = Duration::from_secs(60);
/// The waits while a bastion starts, against a simulated task that takes milliseconds.
pub const PACE: f64 = 0.02;
/// How the agent finds the database.
pub const HOST: &str = "db.internal";

/// Waits for something that must happen, by a clock that does not [`skip`].
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match patiently(future).await {
        Some(done) => done,
        None => panic!("{what}: not within {LIMIT:?}"),
    }
}

async fn patiently<T>(future: impl Future<Output = T>) -> Option<T> {
    let start = std::time::Instant::now();
    tokio::pin!(future);
    while start.elapsed() < LIMIT {
        if let Ok(done) = timeout(LIMIT, &mut future).await {
            return Some(done);
        }
    }
    None
}

/// Waits until the simulated world is so.
pub async fn until(world: &World, what: &str, holds: impl Fn(&World) -> bool) {
    if patiently(world.until(holds)).await.is_none() {
        let mut calls = operations(world);
        calls.dedup();
        panic!(
            "{what}: not within {LIMIT:?}\ncalls: {calls:?}\nsessions: {:#?}\ntasks: {:?}",
            world.sessions(),
            world.task_statuses()
        );
    }
}

/// The clock jumps: for what takes a minute in earnest. Timers that fall due meanwhile fire late, as on a machine
/// that was asleep.
pub async fn skip(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// So much time passes, in steps short enough for pings to be answered. After each there are some turns of the runtime,
/// however busy the machine is, for what is on its way to arrive.
pub async fn pass(mut time: Duration) {
    while !time.is_zero() {
        let step = time.min(Duration::from_secs(15));
        skip(step).await;
        for _ in 0..6 {
            sleep(Duration::from_millis(2)).await;
        }
        time -= step;
    }
}

/// The names of all calls so far.
pub fn operations(world: &World) -> Vec<String> {
    let calls = world.all_calls();
    calls.into_iter().map(|call| call.operation).collect()
}

/// A simulator with a database behind it, and a folder for the daemons' files.
pub struct House {
    pub sim: Sim,
    pub database: Database,
    pub folder: tempfile::TempDir,
    /// The system's news of the network: our end and the daemon's.
    network: (UnixDatagram, UnixDatagram),
}

impl House {
    /// The account in a hurry; the database echoes.
    pub async fn new() -> Self {
        Self::with(Script::fast()).await
    }

    /// Another account; the database echoes.
    pub async fn with(script: Script) -> Self {
        Self::of(script, Database::serve(echo).await).await
    }

    /// Another account, another database.
    pub async fn of(script: Script, database: Database) -> Self {
        Self::named(HOST, script, database).await
    }

    /// Another account; the agent finds the database under this name.
    pub async fn named(name: &str, script: Script, database: Database) -> Self {
        let script = Script {
            destination: Destination::host(name, database.address),
            ..script
        };
        Self::wholly(script, database).await
    }

    /// Another account, which says itself how the database is found. `RUST_LOG` shows what happens.
    pub async fn wholly(script: Script, database: Database) -> Self {
        bastiond::logs::on_demand();
        let network = UnixDatagram::pair().expect("a pair of sockets");
        network.1.set_nonblocking(true).expect("a socket");
        Self {
            sim: sim::start(script).await.expect("ports of 127.0.0.1"),
            database,
            folder: tempfile::tempdir().expect("a folder"),
            network,
        }
    }

    pub fn world(&self) -> &World {
        self.sim.world()
    }

    /// The network changes, as far as the system's word goes.
    pub fn change_network(&self) {
        self.network.0.send(b"another route").expect("it is heard");
    }

    /// The open link is dead from now on, and neither end is told.
    pub async fn half_open(&self) {
        self.world().cut_links(&Cut::HalfOpen);
        until(self.world(), "the link is half open", |world| {
            world.links()[0].ended.is_some()
        })
        .await;
    }

    /// So many tasks that are run next take this course.
    pub fn plan_tasks(&self, count: usize, plan: &Plan) {
        for _ in 0..count {
            self.world().plan_next_task(plan.clone());
        }
    }

    pub fn paths(&self) -> Paths {
        self.paths_in("")
    }

    /// The places of another laptop.
    fn paths_in(&self, laptop: &str) -> Paths {
        let folder = self.folder.path().join(laptop);
        Paths {
            config: folder.join("config.toml"),
            socket: folder.join("run/b.sock"),
            lock: folder.join("run/b.lock"),
            state: folder.join("state"),
            logs: folder.join("logs"),
        }
    }

    /// The configuration as a person would write it, less what `terms` says otherwise.
    pub fn config(&self, terms: &Terms) -> String {
        let Terms {
            first,
            top,
            network,
            bastion,
            via,
            listen,
            host,
            port,
            tunnel,
            more,
            pace: _,
        } = terms;
        let host = host.map_or(String::new(), |host| format!("host = \"{host}\""));
        format!(
            r#"
            shutdown_timeout = "1s"
            {first}
            [aws]
            region = "ap-northeast-1"
            endpoint_url = "{endpoint}"
            {top}
            [bastion.dev]
            cluster = "backend"
            task_definition = "bastion"
            {network}
            {bastion}
            [[tunnel]]
            name = "app-db"
            listen = {listen}
            {via}
            {host}
            {port}
            {tunnel}
            {more}
            "#,
            endpoint = self.sim.endpoint(),
        )
    }

    /// The file of the daemons here says something else from now on; they have not read it yet.
    pub fn rewrite(&self, terms: &Terms) {
        std::fs::write(self.paths().config, self.config(terms)).expect("written");
    }

    /// A daemon, listening.
    pub async fn daemon(&self, terms: &Terms) -> Daemon {
        self.try_daemon(terms).await.expect("the daemon starts")
    }

    /// A daemon on another laptop.
    pub async fn daemon_in(&self, terms: &Terms, laptop: &str) -> Daemon {
        let paths = self.paths_in(laptop);
        let started = self.start(terms, paths).await;
        started.expect("the daemon starts")
    }

    /// A daemon, if it starts.
    pub async fn try_daemon(&self, terms: &Terms) -> anyhow::Result<Daemon> {
        self.start(terms, self.paths()).await
    }

    async fn start(&self, terms: &Terms, paths: Paths) -> anyhow::Result<Daemon> {
        let text = self.config(terms);
        std::fs::create_dir_all(paths.config.parent().expect("a folder")).expect("made");
        std::fs::write(&paths.config, &text).expect("written");
        let sources = Sources {
            path: paths.config.clone(),
            flags: Vec::new(),
        };
        let setup = Setup {
            config: Config::parse(&text).expect("a valid configuration"),
            sources: Some(sources),
            reload: Default::default(),
            paths: paths.clone(),
            log_path: None,
            source: Source::fixed("AKIATESTTESTTESTTEST", "secret"),
            pace: terms.pace,
            network: self.network.1.try_clone().ok(),
            sockets: Default::default(),
            successor: None,
        };
        let cancel = CancellationToken::new();
        let (sender, ready) = oneshot::channel();
        let announce = move |line: &str| {
            let _ = sender.send(line.to_owned());
            Ok(())
        };
        let mut task = tokio::spawn(daemon::run(setup, announce, cancel.clone()));
        let line = tokio::select! {
            Ok(line) = ready => line,
            ended = &mut task => {
                ended.expect("no panic")?;
                anyhow::bail!("it ended without being ready");
            }
        };
        Ok(Daemon {
            client: Client::new(&paths.socket),
            line,
            cancel,
            task,
        })
    }

    /// Ends the daemon and everything else, and looks for what was left running. The tunnel is taken down first: a
    /// shutdown would give its connections a second to end by themselves.
    pub async fn close(self, daemon: Daemon) {
        daemon.client.down("app-db").await.expect("it is down");
        daemon.stop().await;
        self.sweep().await;
    }

    /// Ends the rest, when the daemon was another process.
    pub async fn sweep_beside(self) {
        self.database.stop().await;
        within("the simulator ends", self.sim.shutdown()).await;
    }

    /// Ends the rest, when no daemon is left.
    pub async fn sweep(self) {
        self.sweep_beside().await;
        let metrics = runtime::Handle::current().metrics();
        let all_ended = async {
            while metrics.num_alive_tasks() > 0 {
                sleep(Duration::from_millis(2)).await;
            }
        };
        within("every task ends", all_ended).await;
    }
}

/// What is different about a configuration.
pub struct Terms {
    /// Lines before all others.
    pub first: String,
    /// Lines of `[aws]`.
    pub top: &'static str,
    /// Where the bastion's task runs.
    pub network: &'static str,
    /// Further lines of the bastion.
    pub bastion: &'static str,
    /// `bastion = "dev"` or a target.
    pub via: &'static str,
    /// The tunnel's `listen`.
    pub listen: String,
    /// The tunnel's host.
    pub host: Option<&'static str>,
    /// The tunnel's port.
    pub port: &'static str,
    /// Further lines of the tunnel.
    pub tunnel: &'static str,
    /// Further tunnels.
    pub more: String,
    /// A factor on the waits while a bastion starts.
    pub pace: f64,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            first: String::new(),
            top: "",
            network: "subnets = [\"subnet-0a1b2c3d\"]\nsecurity_groups = [\"sg-0a1b2c3d\"]",
            bastion: "",
            via: "bastion = \"dev\"",
            listen: "\"127.0.0.1:0\"".to_owned(),
            host: Some(HOST),
            port: "port = 5432",
            tunnel: "",
            more: String::new(),
            pace: PACE,
        }
    }
}

/// A running daemon.
pub struct Daemon {
    pub client: Client,
    /// What it said when it was ready.
    pub line: String,
    cancel: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Daemon {
    pub async fn status(&self) -> Status {
        self.client.status().await.expect("a status")
    }

    /// The first tunnel.
    pub async fn tunnel(&self) -> Tunnel {
        self.status().await.tunnels.remove(0)
    }

    /// The first bastion.
    pub async fn bastion(&self) -> Bastion {
        self.status().await.bastions.remove(0)
    }

    /// Waits until the status is so.
    pub async fn until(&self, what: &str, holds: impl Fn(&Status) -> bool) -> Status {
        let look = async {
            loop {
                let status = self.status().await;
                if holds(&status) {
                    return status;
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        match patiently(look).await {
            Some(status) => status,
            None => panic!("{what}: not within {LIMIT:?}: {:#?}", self.status().await),
        }
    }

    /// Waits until the first tunnel is in `state`.
    pub async fn is(&self, state: TunnelState) -> Tunnel {
        let what = format!("the tunnel is {state:?}");
        let status = self
            .until(&what, |status| status.tunnels[0].state == state)
            .await;
        status.tunnels.into_iter().next().expect("a tunnel")
    }

    /// Waits until the status tells of a problem with this code.
    pub async fn problem(&self, code: &str) -> Problem {
        let what = format!("problem {code}");
        let has = |status: &Status| status.problems.iter().any(|problem| problem.code == code);
        let status = self.until(&what, has).await;
        let mut problems = status.problems.into_iter();
        problems
            .find(|problem| problem.code == code)
            .expect("it was there")
    }

    /// Where the first tunnel listens.
    pub async fn address(&self) -> SocketAddr {
        self.address_of(0).await
    }

    /// Where a tunnel listens, by its place in the configuration.
    pub async fn address_of(&self, tunnel: usize) -> SocketAddr {
        let listeners = &self.status().await.tunnels[tunnel].listeners;
        listeners[0].address.parse().expect("an address")
    }

    /// A client of the first tunnel. Being accepted does not mean being served.
    pub async fn connect(&self) -> TcpStream {
        connect(self.address().await).await
    }

    /// A client that the system takes little for while it does not read.
    pub async fn connect_narrow(&self) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(16 * 1024).expect("a size");
        let connecting = socket.connect(self.address().await);
        within("connecting", connecting)
            .await
            .expect("a connection")
    }

    /// A client of the first tunnel that has had an answer.
    pub async fn served(&self) -> TcpStream {
        let mut client = self.connect().await;
        ping(&mut client).await;
        client
    }

    /// Ends it as a signal does.
    pub async fn stop(self) {
        self.cancel.cancel();
        self.ended().await.expect("a clean end");
    }

    /// Ends it as a signal does, which resets a client that has not come to its end.
    pub async fn stop_under(self, client: &mut TcpStream) {
        self.signal();
        assert_reset(client).await;
        self.ended().await.expect("a clean end");
    }

    /// Waits for its end, whoever asked for it.
    pub async fn ended(self) -> anyhow::Result<()> {
        within("the daemon ends", self.task)
            .await
            .expect("no panic in the daemon")
    }

    /// Ends it from one moment to the next, as a crash does: nothing is ended, nothing is written.
    #[allow(dead_code, reason = "for the tests of chaos")]
    pub async fn crash(self) {
        self.task.abort();
        let ended = self.task.await;
        assert!(ended.is_err_and(|error| error.is_cancelled()), "a crash");
    }

    /// Asks for the end, and does not wait.
    pub fn signal(&self) {
        self.cancel.cancel();
    }
}

pub async fn connect(address: SocketAddr) -> TcpStream {
    within("connecting", TcpStream::connect(address))
        .await
        .expect("a connection")
}

/// Asks an echo and checks the answer.
pub async fn ping(client: &mut TcpStream) {
    send(client, b"ping").await;
    assert_eq!(receive(client, 4).await, b"ping");
}

pub async fn send(client: &mut TcpStream, bytes: &[u8]) {
    within("sending", client.write_all(bytes))
        .await
        .expect("bytes are taken");
}

/// Exactly so many bytes.
pub async fn receive(client: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    within("receiving", client.read_exact(&mut bytes))
        .await
        .expect("bytes come");
    bytes
}

/// All that comes before the end.
pub async fn receive_all(client: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    within("receiving to the end", client.read_to_end(&mut bytes))
        .await
        .expect("an end, not a reset");
    bytes
}

/// Closes a client for good. A mere end would be taken for half a close, and lingered over.
pub fn hang_up(client: TcpStream) {
    client.set_zero_linger().expect("a socket");
}

/// Nothing more comes but a reset.
pub async fn assert_reset(client: &mut TcpStream) {
    let mut scrap = [0; 1024];
    loop {
        match within("a reset", client.read(&mut scrap)).await {
            Ok(0) => panic!("an end instead of a reset"),
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
                return;
            }
        }
    }
}

/// Bytes that tell where in a stream they belong; another seed gives others.
pub fn pattern(length: usize, seed: u64) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut bytes = vec![0; length];
    rng.fill(&mut bytes);
    bytes
}

pub fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Sends and receives at once, through an echo; the sizes of the pieces sent are random.
pub async fn echo_whole(client: &mut TcpStream, bytes: &[u8], seed: u64) {
    let (mut reader, mut writer) = client.split();
    let upload = async {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut rest = bytes;
        while !rest.is_empty() {
            let (piece, others) = rest.split_at(rng.usize(1..=70_000).min(rest.len()));
            writer.write_all(piece).await.expect("bytes are taken");
            rest = others;
        }
    };
    let mut got = vec![0; bytes.len()];
    let download = async { reader.read_exact(&mut got).await.expect("bytes come") };
    within("an echo", async { tokio::join!(upload, download) }).await;
    assert_eq!(hash(&got), hash(bytes));
}

/// A server on the private side.
pub struct Database {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Database {
    /// Serves every connection with `handler`, which is dropped when it takes too long to matter.
    pub async fn serve<F, H>(handler: H) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
        H: Fn(TcpStream) -> F + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let task = tokio::spawn(async move {
            let mut conns = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let _ = socket.set_nodelay(true);
                conns.spawn(handler(socket));
            }
        });
        Self { address, task }
    }

    async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// Gives back what it is given.
pub async fn echo(mut socket: TcpStream) {
    let (mut reader, mut writer) = socket.split();
    let _ = tokio::io::copy(&mut reader, &mut writer).await;
}

/// A call of somebody else's; `service` is what the signature names.
pub async fn aws_call(house: &House, operation: &str, service: &str, body: &Value) -> Value {
    let endpoint = house.sim.endpoint();
    let host = endpoint.strip_prefix("http://").expect("an http endpoint");
    let body = body.to_string();
    let scope = format!("AKIAELSEWHERE/20260101/ap-northeast-1/{service}/aws4_request");
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nX-Amz-Target: {operation}\r\n\
         Content-Type: application/x-amz-json-1.1\r\nContent-Length: {}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00\r\n\r\n{body}",
        body.len()
    );
    let mut socket = connect(host.parse().expect("an address")).await;
    send(&mut socket, request.as_bytes()).await;
    let answer = String::from_utf8(receive_all(&mut socket).await).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    serde_json::from_str(body).expect("JSON")
}

/// The state file.
pub fn state_text(house: &House) -> String {
    let file = house.paths().state.join("state.json");
    std::fs::read_to_string(file).unwrap_or_default()
}

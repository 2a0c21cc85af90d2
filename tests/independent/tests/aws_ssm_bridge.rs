//! The client of the `aws-ssm-bridge` crate, whose author knows nothing of bastiond, takes the simulator for AWS:
//! its calls, its gateway, its data channel and its mux.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_ssm_bridge::{
    EndpointPolicy, PortForwardConfig, PortForwarder, Session, SessionBuilder, SessionManager,
    ShutdownSignal, documents::PortForwardingToRemoteHost,
};
use bastiond_independent::sim::{self, Destination, ManagedNode, Script, Sim};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy, split},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::timeout,
};

const TARGET: &str = "i-0123456789abcdef0";
const HOST: &str = "db.internal";
/// Nothing here takes longer than a few seconds.
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn bytes_of_a_connection_come_back_as_they_were() {
    let forward = Forward::start().await;
    let bytes = random(1, 1 << 20);
    let back = timeout(LIMIT, echoed(forward.address, bytes.clone()))
        .await
        .expect("the echo is complete in time");
    assert_eq!(hash(&back), hash(&bytes));
    forward.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_connections_share_one_session_and_mix_nothing() {
    let forward = Forward::start().await;
    let mut connections = JoinSet::new();
    for seed in 0..8 {
        let address = forward.address;
        connections.spawn(async move {
            let bytes = random(seed, 64 << 10);
            assert_eq!(
                hash(&echoed(address, bytes.clone()).await),
                hash(&bytes),
                "connection {seed}"
            );
        });
    }
    timeout(LIMIT, connections.join_all())
        .await
        .expect("the echoes are complete in time");
    assert_eq!(forward.sim.world().count("StartSession"), 1);
    forward.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_the_client_ends_is_over() {
    let forward = Forward::start().await;
    echoed(forward.address, vec![7]).await;
    forward.session.terminate().await.expect("it is terminated");
    let over = forward
        .sim
        .world()
        .until(|world| world.active_sessions().is_empty());
    timeout(LIMIT, over).await.expect("the session ends");
    forward.end().await;
}

/// Their port forwarder, our simulator, and an echo server behind it.
struct Forward {
    sim: Sim,
    session: Arc<Session>,
    address: SocketAddr,
    stop: ShutdownSignal,
    forwarding: JoinHandle<aws_ssm_bridge::Result<()>>,
}

impl Forward {
    async fn start() -> Self {
        let sim = sim::start(Script {
            destination: Destination::host(HOST, echo_server().await),
            managed_nodes: vec![ManagedNode {
                id: TARGET.into(),
                connected: true,
                ..ManagedNode::default()
            }],
            ..Script::default()
        })
        .await
        .expect("the simulator starts");
        let session = SessionBuilder::new(TARGET)
            .document(PortForwardingToRemoteHost::new(HOST, 5432))
            .endpoint_policy(EndpointPolicy::AllowAny)
            .start_with(&SessionManager::from_conf(&sdk(sim.endpoint())))
            .await
            .expect("the session starts");
        let session = Arc::new(session);
        let forwarder = PortForwarder::bind(PortForwardConfig::default())
            .await
            .expect("a port is free");
        let (address, stop) = (forwarder.local_addr(), ShutdownSignal::new());
        let forwarding = tokio::spawn(forwarder.forward(session.clone(), stop.clone()));
        Self {
            sim,
            session,
            address,
            stop,
            forwarding,
        }
    }

    async fn end(self) {
        self.stop.shutdown();
        self.forwarding
            .await
            .expect("the forwarder does not panic")
            .expect("the forwarder ends well");
        self.sim.shutdown().await;
    }
}

fn sdk(endpoint: String) -> SdkConfig {
    let credentials = Credentials::from_keys("AKIATESTTESTTESTTEST", "secret", None);
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("ap-northeast-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint)
        .build()
}

/// Sends back what comes, until its end.
async fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = split(socket);
                copy(&mut read, &mut write).await
            });
        }
    });
    address
}

/// Writes and reads at once: an echo of more than the buffers hold would stand still otherwise.
async fn echoed(address: SocketAddr, bytes: Vec<u8>) -> Vec<u8> {
    let socket = TcpStream::connect(address).await.expect("it listens");
    let (mut read, mut write) = socket.into_split();
    let mut back = vec![0; bytes.len()];
    let (written, filled) = tokio::join!(write.write_all(&bytes), read.read_exact(&mut back));
    written.expect("the bytes are taken");
    filled.expect("as many bytes come back");
    back
}

fn random(seed: u64, length: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| rng.u8(..)).take(length).collect()
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

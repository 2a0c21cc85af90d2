//! A simulator with one managed node, and sessions on it: the shortest way to a link.

use bastiond::sim::{self, Destination, ManagedNode, Script, Sim};
use serde_json::Value;

use super::{api::Api, client::Client, echo, soon};

/// A simulator where `db` echoes and `closed` has no listener, with a managed node for a target.
pub async fn start(script: Script) -> (Sim, Api) {
    let names = [
        ("db".to_owned(), echo::start().await),
        ("closed".to_owned(), echo::nobody().await),
    ];
    let destination = Destination::Dial(names.into());
    let managed_nodes = node_script().managed_nodes;
    let sim = sim::start(Script {
        destination,
        managed_nodes,
        ..script
    })
    .await
    .unwrap();
    let api = Api::of(&sim);
    (sim, api)
}

pub fn node_script() -> Script {
    let node = ManagedNode {
        id: "i-0123456789abcdef0".into(),
        connected: true,
        ..ManagedNode::default()
    };
    Script {
        managed_nodes: vec![node],
        ..Script::fast()
    }
}

pub async fn start_session(api: &Api, host: &str) -> Value {
    api.start_session("i-0123456789abcdef0", host).await
}

/// A session whose handshake is complete.
pub async fn session(api: &Api, host: &str) -> (Client, Value) {
    let started = start_session(api, host).await;
    let mut client = Client::open(&started).await;
    soon(client.ready()).await;
    (client, started)
}

/// Bytes without a pattern, always the same.
pub fn noise(length: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(length as u64);
    std::iter::repeat_with(|| rng.u8(..)).take(length).collect()
}

/// Waits for something else while the client goes on.
pub trait Join: Future + Sized {
    async fn join(self, client: &mut Client) -> Self::Output {
        let mut this = std::pin::pin!(self);
        loop {
            tokio::select! {
                output = &mut this => return output,
                () = client.step() => {}
            }
        }
    }
}

impl<F: Future> Join for F {}

//! What is known of a tunnel: its local ports, its document, its database.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::{Gatherer, far_of};
use crate::aws::Aws;
use crate::config::{self, Remote};
use crate::doctor::check::{Gap, Known};
use crate::doctor::facts::{Document, Port, PortState, Tunnel};
use crate::platform::port_holder::{self, Keeper};
use crate::status::{ListenerState, Status};

/// AWS's documents for tunnels.
const TO_REMOTE_HOST: &str = "AWS-StartPortForwardingSessionToRemoteHost";
const TO_TARGET: &str = "AWS-StartPortForwardingSession";

/// The session document that a tunnel takes.
pub fn document_of(config: &config::Tunnel) -> String {
    let own = config.document.clone();
    own.unwrap_or_else(|| match &config.remote {
        Remote::Target { .. } => TO_TARGET.to_owned(),
        Remote::Host { .. } | Remote::Database { .. } => TO_REMOTE_HOST.to_owned(),
    })
}

/// What is known of it. AWS is not asked while the account is not ours to ask.
pub async fn tunnel(
    gatherer: &Gatherer,
    config: &config::Tunnel,
    aws: &Aws,
    daemon: Option<&Status>,
    account: Result<(), Gap>,
) -> Tunnel {
    let ports = ports(gatherer, config, daemon).await;
    let (document, address, home) = match account {
        Ok(()) => tokio::join!(
            document(gatherer, config, aws),
            address(gatherer, config, aws),
            far_of(gatherer, config, aws)
        ),
        Err(gap) => {
            return Tunnel {
                config: config.clone(),
                ports,
                document: Err(gap.clone()),
                address: None,
                home: Err(gap.clone()),
                region: aws.region().to_owned(),
                trial: Err(gap),
            };
        }
    };
    Tunnel {
        config: config.clone(),
        ports,
        document,
        address,
        home,
        region: aws.region().to_owned(),
        trial: Err(Gap::Unasked),
    }
}

async fn ports(gatherer: &Gatherer, config: &config::Tunnel, daemon: Option<&Status>) -> Vec<Port> {
    let mut ports = Vec::new();
    if !gatherer.wants(&["L02"]) {
        return ports;
    }
    let tunnels = daemon.iter().flat_map(|status| &status.tunnels);
    let ours = tunnels.filter(|tunnel| tunnel.name == config.name);
    let ours: Vec<_> = ours
        .flat_map(|tunnel| &tunnel.listeners)
        .filter(|it| it.state == ListenerState::Listening)
        .map(|it| it.address.clone())
        .collect();
    for &address in &config.listen {
        let is_ours = ours.contains(&address.to_string());
        let state = match is_ours {
            true => PortState::Ours,
            false => state(address).await,
        };
        ports.push(Port { address, state });
    }
    ports
}

async fn state(address: SocketAddr) -> PortState {
    match TcpListener::bind(address).await {
        Ok(_) => PortState::Free,
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            match port_holder::of(address) {
                // Before anybody has read this it may be had.
                Some(Keeper::Past) => PortState::Free,
                Some(Keeper::Process(holder)) => PortState::Taken(Some(holder.to_string())),
                None => PortState::Taken(None),
            }
        }
        Err(error) => PortState::Refused(error.to_string()),
    }
}

async fn document(
    gatherer: &Gatherer,
    config: &config::Tunnel,
    aws: &Aws,
) -> Known<Option<Document>> {
    let name = document_of(config);
    let text = gatherer.ask("ssm:GetDocument", aws.session_document(&name));
    let document = |content| Document {
        name: name.clone(),
        content,
    };
    Ok(text.await?.map(document))
}

async fn address(
    gatherer: &Gatherer,
    config: &config::Tunnel,
    aws: &Aws,
) -> Option<Result<crate::aws::Address, crate::aws::Error>> {
    let Remote::Database { selector, port } = &config.remote else {
        return None;
    };
    if !gatherer.wants(&["S02", "D01", "R03", "N10", "P06", "P07", "P08"]) {
        return None;
    }
    let located = aws.locate(selector, *port);
    gatherer.look("the database", located).await
}

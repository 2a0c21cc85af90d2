//! AWS's side on loopback: the ECS, SSM, STS, RDS and EC2 calls that bastiond makes, the message gateway, and the agent behind
//! it. The demo and the end-to-end tests run the production code against it with nothing changed but the endpoint.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use bastiond::sim::{self, Destination, Script};
//!
//! let database = "127.0.0.1:5432".parse().expect("an address");
//! let sim = sim::start(Script {
//!     destination: Destination::host("db.internal", database),
//!     ..Script::fast()
//! })
//! .await?;
//! let endpoint = sim.endpoint(); // for `[aws] endpoint_url`
//! assert_eq!(sim.world().count("RunTask"), 0);
//! sim.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! [`Script`] says what the account holds and how fast it is; [`World`] looks into it and makes trouble: faults of the
//! API ([`ApiFault`]), standing conditions on the wire ([`Faults`]), single events ([`Command`]).
//!
//! It stands apart from the code under test: only `proto` is shared. Signatures must be present and name the right
//! service; they are not verified. API rates are not limited: the call log has the times.

mod acl;
mod agent;
mod api;
mod control;
mod dialect;
mod document;
mod ec2;
mod ecs;
mod exec;
mod faults;
pub mod frames;
mod gateway;
mod http_head;
mod inspect;
mod instances;
mod kms;
mod network;
mod nodes;
mod rds;
mod run_task;
mod script;
mod services;
mod session;
mod shell;
mod ssm;
mod sts;
mod task;
mod timeline;
mod wire;
mod world;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use tokio::net::TcpListener;
use tokio_util::sync::DropGuard;

pub use acl::Acl;
pub use faults::{ApiFault, Command, Cut, Death, Dial, Faults, Handshake, Line, Signature, Zombie};
pub use instances::Instance;
pub use network::{Endpoint, Network, RouteTable, Rule, SecurityGroup, Subnet};
pub use nodes::{ManagedNode, Registration};
pub use script::{
    Container, DbCluster, Destination, Failure, Plan, Script, Shells, TaskDefinition,
};
pub use services::Service;
pub use session::{End, Link, Opening, Session};
pub use task::Task;
pub use timeline::{AgentCourse, Course, Ending, Timing, View};
pub use world::{Call, World};

/// A running simulator. Dropping it aborts everything in it.
pub struct Sim {
    address: SocketAddr,
    world: World,
    /// Cancels every task when dropped.
    guard: DropGuard,
}

/// Starts a simulator on free ports of 127.0.0.1.
///
/// # Errors
///
/// When no port can be bound.
pub async fn start(script: Script) -> io::Result<Sim> {
    let api = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let gateway = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = api.local_addr()?;
    let world = World::new(script, gateway.local_addr()?);
    world.core.spawn(api::serve(world.clone(), api));
    world.core.spawn(gateway::serve(world.clone(), gateway));
    if !world.script().services.is_empty() {
        world.core.spawn(services::schedule(world.clone()));
    }
    let guard = world.core.cancel.clone().drop_guard();
    Ok(Sim {
        address,
        world,
        guard,
    })
}

impl Sim {
    /// The endpoint of every service, `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What is going on inside, and the means to disturb it.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Ends everything and waits for it.
    pub async fn shutdown(self) {
        drop(self.guard);
        self.world.core.tracker.close();
        self.world.core.tracker.wait().await;
    }
}

//! Which way a session of a tunnel would take now. Pure.

use super::check::{Gap, known};
use super::facts::{Bastion, Node, Tunnel};
use super::gather::Way;
use crate::aws::Address;
use crate::config::{Remote, Via};
use crate::tunnel::remote::Place;

/// Nothing where nothing runs.
pub fn of(tunnel: &Tunnel, bastions: &[Bastion], nodes: &[Node]) -> Result<Option<Way>, Gap> {
    let (target, interface) = match &tunnel.config.via {
        Via::Target(target) => {
            let subject = format!("tunnel {}", tunnel.config.name);
            match nodes.iter().find(|it| it.subject == subject) {
                Some(node) => match of_node(node)? {
                    Some(target) => (target, None),
                    None => return Ok(None),
                },
                None => (target.clone(), None),
            }
        }
        Via::Bastion(name) => {
            let subject = format!("bastion {name}");
            let bastion = bastions.iter().find(|it| it.config.name == *name);
            let node = nodes.iter().find(|it| it.subject == subject);
            let found = match (bastion, node) {
                (Some(bastion), _) => of_task(bastion)?,
                (None, Some(node)) => of_node(node)?.map(|target| (target, None)),
                (None, None) => {
                    return Err(Gap::Needs("a bastion whose agent is found beforehand"));
                }
            };
            match found {
                Some(found) => found,
                None => return Ok(None),
            }
        }
    };
    let place = place(tunnel)?;
    let remote = place.shown(&tunnel.config.remote);
    Ok(Some(Way {
        target,
        interface,
        place,
        remote,
    }))
}

/// The agent of the task that would be used, and the task's network interface.
fn of_task(bastion: &Bastion) -> Result<Option<(String, Option<String>)>, Gap> {
    let Some(task) = known(&bastion.tasks)?.first() else {
        return Ok(None);
    };
    if task.last_status != "RUNNING" {
        return Ok(None);
    }
    let target = task.target(bastion.config.container.as_deref());
    let target = target.map_err(|_| Gap::Needs("an agent that runs (R01)"))?;
    match bastion.connected {
        Ok(false) => Err(Gap::Needs("an agent that is connected (R02)")),
        _ => Ok(Some((target, task.interface.clone()))),
    }
}

/// A machine that has stopped has no agent, and the checks of machines tell of one that is not connected.
fn of_node(node: &Node) -> Result<Option<String>, Gap> {
    let id = node.id()?;
    let managed = known(&node.managed)?;
    if let Some(Ok(instances)) = &node.instances
        && instances.iter().all(|it| it.state != "running")
    {
        return Ok(None);
    }
    match managed.iter().any(|it| it.id == id && it.is_online) {
        true => Ok(Some(id.to_owned())),
        false => Err(Gap::Needs("an agent that is connected (M02)")),
    }
}

fn place(tunnel: &Tunnel) -> Result<Place, Gap> {
    let (host, port) = match (&tunnel.config.remote, &tunnel.address) {
        (Remote::Target { port }, _) => (None, *port),
        (Remote::Host { name, port }, _) => (Some(name.clone()), *port),
        (Remote::Database { .. }, Some(Ok(Address { host, port }))) => (Some(host.clone()), *port),
        (Remote::Database { .. }, _) => return Err(Gap::Needs("the database (D01)")),
    };
    Ok(Place { host, port })
}

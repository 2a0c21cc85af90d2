//! Which way a session of a tunnel would take now. Pure.

use super::check::{Gap, known};
use super::facts::{Bastion, Tunnel};
use super::gather::Way;
use crate::aws::Address;
use crate::config::{Remote, Via};
use crate::tunnel::remote::Place;

/// Nothing where nothing runs.
pub fn of(tunnel: &Tunnel, bastions: &[Bastion]) -> Result<Option<Way>, Gap> {
    let (target, interface) = match &tunnel.config.via {
        Via::Target(target) => (target.clone(), None),
        Via::Bastion(name) => {
            let bastion = bastions.iter().find(|it| it.config.name == *name);
            let bastion = bastion.ok_or(Gap::Needs("a bastion that is a task"))?;
            match of_task(bastion)? {
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

fn place(tunnel: &Tunnel) -> Result<Place, Gap> {
    let (host, port) = match (&tunnel.config.remote, &tunnel.address) {
        (Remote::Target { port }, _) => (None, *port),
        (Remote::Host { name, port }, _) => (Some(name.clone()), *port),
        (Remote::Database { .. }, Some(Ok(Address { host, port }))) => (Some(host.clone()), *port),
        (Remote::Database { .. }, _) => return Err(Gap::Needs("the database (D01)")),
    };
    Ok(Place { host, port })
}

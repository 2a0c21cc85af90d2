//! The subnets themselves, and their routes.

use super::existing;
use crate::doctor::check::{Gap, Verdict, known};
use crate::doctor::facts::Bastion;
use crate::doctor::ways::{self, Way};

/// Fewer free addresses than this are gone by the time a task asks.
const FEW: u32 = 5;

pub fn subnets(bastion: &Bastion) -> Result<Verdict, Gap> {
    let region = &bastion.region;
    let list = format!("aws ec2 describe-subnets --region {region}");
    let place = match &bastion.network.place {
        Err(Gap::Failed(why)) => return Ok(Verdict::fail(why).fill("what", list)),
        place => known(place)?,
    };
    let found = known(&bastion.network.subnets)?;
    let is_missing = |id: &&String| !found.iter().any(|subnet| subnet.id == **id);
    if let Some(missing) = place.subnets.iter().find(is_missing) {
        let evidence = format!("there is no {missing} in {region}");
        return Ok(Verdict::fail(evidence).fill("what", list));
    }
    let vpc = found.first().map(|it| it.vpc.as_str()).unwrap_or_default();
    if let Some(other) = found.iter().find(|it| it.vpc != vpc) {
        let evidence = format!(
            "{} is in {}, and {} in {vpc}",
            other.id, other.vpc, found[0].id
        );
        return Ok(Verdict::fail(evidence).fill("what", format!("those of {vpc} alone")));
    }
    let free = found
        .iter()
        .map(|it| it.free_addresses)
        .max()
        .unwrap_or_default();
    Ok(match free {
        0 => Verdict::fail("none has a free address").fill("what", "with free addresses"),
        1..FEW => Verdict::warn(format!("{free} addresses are free at most"))
            .fill("what", "with more free addresses"),
        _ => Verdict::ok(format!("{} in {vpc}", found.len())),
    })
}

pub fn route(bastion: &Bastion) -> Result<Verdict, Gap> {
    let tables = known(&bastion.network.route_tables)?;
    let place = known(&bastion.network.place)?;
    for subnet in existing(bastion)? {
        if ways::of(subnet, tables) == Way::Public && !place.assign_public_ip {
            let evidence = format!(
                "the way out of {} is an internet gateway, and the task has no public address",
                subnet.id
            );
            return Ok(Verdict::fail(evidence).fill("subnet", &subnet.id));
        }
        if ways::of(subnet, tables) == Way::Blackhole {
            let evidence = format!(
                "the default route of {} leads nowhere: what it led to is gone",
                subnet.id
            );
            return Ok(
                Verdict::fail(evidence).fix("mend the default route, or take another subnet")
            );
        }
    }
    let told = existing(bastion)?
        .iter()
        .map(|it| ways::of(it, tables).word());
    let mut told: Vec<_> = told.collect();
    told.dedup();
    Ok(Verdict::ok(told.join(", ")))
}

pub fn ipv4(bastion: &Bastion) -> Result<Verdict, Gap> {
    Ok(
        match existing(bastion)?.iter().find(|it| it.cidr.is_empty()) {
            None => Verdict::ok("all"),
            Some(subnet) => Verdict::fail(format!("{} has IPv6 addresses only", subnet.id))
                .fill("subnet", &subnet.id),
        },
    )
}

//! D: the database at the far end.

use crate::aws::{Kind, Route};
use crate::config::Remote;
use crate::doctor::check::{Check, Gap, Judge, Level, Verdict, known};
use crate::doctor::facts::{Bastion, Tunnel};
use crate::doctor::ways;

pub const CHECKS: &[Check] = &[
    Check {
        id: "D01",
        title: "the database is found, and ready",
        looks_at: "the description of a database that is named by its id, as `rds-cluster:app`",
        levels: &[Level::Fail],
        why: "A database that does not exist, of which there are several, or that is stopped or being made has no \
              address to lead to. A host name is resolved in the task, when a \
              session starts.",
        fix: "mend `host` of the tunnel",
        needs: &[],
        judge: Judge::Tunnel(found),
    },
    Check {
        id: "D02",
        title: "the bastion is in the database's network",
        looks_at: "the VPC of the database and of the bastion, and routes to other networks",
        levels: &[Level::Warn],
        why: "Another VPC is reached by a peering connection, a transit gateway or a core network, and by nothing else: a \
              NAT gateway does not lead there.",
        fix: "take subnets of {theirs} for the bastion, or make a peering connection of {ours} and {theirs} with routes in \
              both",
        needs: &["ec2:DescribeSubnets", "ec2:DescribeRouteTables"],
        judge: Judge::Bastion(network),
    },
    Check {
        id: "D03",
        title: "the database works through one tunnel",
        looks_at: "the kind of a database that is named by its id",
        levels: &[Level::Info],
        why: "Some databases tell their clients of other members, which one tunnel does not lead to.",
        fix: "{what}",
        needs: &[],
        judge: Judge::Tunnel(kind),
    },
];

fn found(tunnel: &Tunnel) -> Result<Verdict, Gap> {
    let Remote::Database { selector, .. } = &tunnel.config.remote else {
        return Ok(Verdict::ok("it is named by its host"));
    };
    match &tunnel.address {
        None => Err(Gap::Needs("an account that can be asked (C01, C02)")),
        Some(Ok(found)) => Ok(Verdict::ok(format!("{}:{}", found.host, found.port))),
        Some(Err(error)) => match &error.kind {
            Kind::Denied(denied) => {
                let named = denied.action.clone();
                Err(Gap::Denied(
                    named.unwrap_or_else(|| error.operation.to_owned()),
                ))
            }
            kind if kind.is_retryable() => Err(Gap::Failed(error.to_string())),
            _ => {
                let verdict = Verdict::fail(format!("{selector}: {}", error.message));
                Ok(match error.hint() {
                    Some(hint) => verdict.fix(hint),
                    None => verdict,
                })
            }
        },
    }
}

fn network(bastion: &Bastion) -> Result<Verdict, Gap> {
    let subnets = known(&bastion.network.subnets)?;
    let tables = known(&bastion.network.route_tables)?;
    let ours = &subnets.first().ok_or(Gap::Needs("subnets (N01)"))?.vpc;
    let is_between = |route: &Route| {
        route.state != "blackhole"
            && (route.peering.is_some()
                || route.transit_gateway.is_some()
                || route.core_network.is_some())
    };
    let tables = subnets.iter().filter_map(|it| ways::table(it, tables));
    let leads_on = tables.flat_map(|table| &table.routes).any(is_between);
    let mut unknown = None;
    for far in &bastion.far {
        match &far.home {
            Err(gap) => unknown = unknown.or(Some(gap.clone())),
            Ok(home) if home.vpc == *ours || leads_on => {}
            Ok(home) => {
                let evidence = format!(
                    "the database of tunnel {} is in {}, the bastion in {ours}, and no route leads from one to the other",
                    far.tunnel, home.vpc
                );
                return Ok(Verdict::warn(evidence)
                    .fill("theirs", &home.vpc)
                    .fill("ours", ours));
            }
        }
    }
    match unknown {
        Some(gap) => Err(gap),
        None => Ok(Verdict::ok(ours)),
    }
}

fn kind(tunnel: &Tunnel) -> Result<Verdict, Gap> {
    let caution = match &tunnel.config.remote {
        Remote::Database { selector, .. } => selector.kind.caution(),
        Remote::Host { .. } | Remote::Target { .. } => None,
    };
    Ok(match caution {
        None => Verdict::ok("nothing is known against it"),
        Some(caution) => {
            Verdict::info("its clients are told of other members").fill("what", caution)
        }
    })
}

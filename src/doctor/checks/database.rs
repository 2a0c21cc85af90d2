//! D: the database at the far end.

use crate::aws::Kind;
use crate::config::Remote;
use crate::doctor::check::{Check, Gap, Judge, Level, Verdict};
use crate::doctor::facts::Tunnel;

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

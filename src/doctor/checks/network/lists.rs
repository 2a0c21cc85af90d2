//! What the VPC itself lets pass: access lists, names, and how to ask AWS for what is in the way.

use super::super::running;
use super::{HTTPS, existing};
use crate::aws::{AclRule, NetworkAcl};
use crate::doctor::check::{Gap, Verdict, known};
use crate::doctor::facts::{Bastion, Stuck, Tunnel};

/// A port that answers come to: Linux takes those from 32768 to 60999.
const ANSWERS: u16 = 40_000;
/// What is written for them in a rule.
const EPHEMERAL: (u16, u16) = (1024, 65_535);
const TCP: &str = "6";

pub fn acls(bastion: &Bastion) -> Result<Verdict, Gap> {
    let subnets = existing(bastion)?;
    let lists = known(&bastion.network.acls)?;
    let out = bastion.far.iter().filter_map(|far| far.port);
    let out = bastion.ports.iter().copied().chain(out);
    let mut passages = vec![(true, HTTPS as u16), (false, ANSWERS)];
    passages.extend(out.map(|port| (true, port)));
    for subnet in subnets {
        let is_around =
            |list: &&NetworkAcl| list.associations.iter().any(|it| it.subnet == subnet.id);
        // That of a subnet of another account is not told.
        let Some(list) = lists.iter().find(is_around) else {
            continue;
        };
        for &(is_egress, port) in &passages {
            if !lets_pass(&list.rules, is_egress, port) {
                return Ok(in_the_way(bastion, list, is_egress, port));
            }
        }
    }
    Ok(Verdict::ok(
        format!("{} lists", lists.len()).replace("1 lists", "1 list"),
    ))
}

/// The first rule that fits decides; without one it is no. Of rules for some addresses only those count that let pass.
fn lets_pass(rules: &[AclRule], is_egress: bool, port: u16) -> bool {
    let is_for = |rule: &&AclRule| {
        let range = rule.ports.unwrap_or(crate::aws::AclPorts {
            from: 0,
            to: u16::MAX,
        });
        rule.is_egress == is_egress
            && ["-1", TCP].contains(&rule.protocol.as_str())
            && (range.from..=range.to).contains(&port)
    };
    let mut fitting: Vec<_> = rules.iter().filter(is_for).collect();
    fitting.sort_by_key(|rule| rule.number);
    let decides =
        |rule: &&&AclRule| rule.action == "allow" || rule.cidr.as_deref() == Some("0.0.0.0/0");
    fitting
        .iter()
        .find(decides)
        .is_some_and(|rule| rule.action == "allow")
}

fn in_the_way(bastion: &Bastion, list: &NetworkAcl, is_egress: bool, port: u16) -> Verdict {
    let (id, way) = (&list.id, if is_egress { "out to" } else { "in to" });
    let (from, to) = if is_egress { (port, port) } else { EPHEMERAL };
    // The lowest number is looked at first.
    let first = list.rules.iter().map(|rule| rule.number).min();
    let number = first.map_or(100, |first| first.saturating_sub(1).max(1));
    Verdict::warn(format!("{id} lets nothing {way} port {port}"))
        .fill("region", &bastion.region)
        .fill("acl", id)
        .fill(
            "direction",
            if is_egress { "--egress" } else { "--ingress" },
        )
        .fill("number", number.to_string())
        .fill("from", from.to_string())
        .fill("to", to.to_string())
}

pub fn dns(bastion: &Bastion) -> Result<Verdict, Gap> {
    let vpc = &existing(bastion)?[0].vpc;
    let dns = known(&bastion.network.dns)?;
    let endpoints = known(&bastion.network.endpoints)?;
    let private = endpoints.iter().find(|it| it.private_dns);
    let verdict = match (dns.support, dns.hostnames, private) {
        (false, ..) => Verdict::fail(format!("enableDnsSupport of {vpc} is off"))
            .fill("attribute", "--enable-dns-support '{\"Value\":true}'"),
        (_, false, Some(endpoint)) => {
            let id = &endpoint.id;
            Verdict::fail(format!(
                "enableDnsHostnames of {vpc} is off, and {id} has private names"
            ))
            .fill("attribute", "--enable-dns-hostnames '{\"Value\":true}'")
        }
        _ => Verdict::ok(vpc),
    };
    Ok(verdict.fill("region", &bastion.region).fill("vpc", vpc))
}

pub fn path(tunnel: &Tunnel) -> Result<Verdict, Gap> {
    let Some(trial) = known(&tunnel.trial)? else {
        return Ok(Verdict::ok(running::NOTHING_RUNS));
    };
    let Some(Stuck::Silence(waited)) = &trial.stuck else {
        return Ok(Verdict::ok("nothing is dropped on the way"));
    };
    let seconds = waited.as_secs();
    let evidence = format!("no answer from {} for {seconds} s", trial.remote);
    let interface = trial
        .interface
        .as_deref()
        .unwrap_or("INTERFACE-OF-THE-TARGET");
    Ok(Verdict::info(evidence)
        .fill("region", &tunnel.region)
        .fill("interface", interface)
        .fill("port", trial.port.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::AclPorts;

    fn rule(number: u32, action: &str, cidr: &str, ports: Option<(u16, u16)>) -> AclRule {
        AclRule {
            number,
            protocol: if ports.is_some() { TCP } else { "-1" }.into(),
            action: action.into(),
            is_egress: true,
            cidr: Some(cidr.into()),
            ports: ports.map(|(from, to)| AclPorts { from, to }),
        }
    }

    #[test]
    fn the_first_rule_for_all_addresses_decides_and_one_that_lets_some_pass_is_enough() {
        let all = "0.0.0.0/0";
        let last = rule(32_767, "deny", all, None);
        for (rules, passes) in [
            (vec![rule(100, "allow", all, None)], true),
            (
                vec![
                    rule(100, "deny", all, Some((443, 443))),
                    rule(200, "allow", all, None),
                ],
                false,
            ),
            (
                vec![
                    rule(200, "deny", all, None),
                    rule(100, "allow", all, Some((443, 443))),
                ],
                true,
            ),
            (
                vec![
                    rule(100, "deny", "10.9.0.0/16", None),
                    rule(200, "allow", all, None),
                ],
                true,
            ),
            (vec![rule(100, "allow", "10.0.0.0/8", None)], true),
            (vec![rule(100, "allow", all, Some((80, 80)))], false),
            (vec![], false),
        ] {
            let rules = [rules, vec![last.clone()]].concat();
            assert_eq!(lets_pass(&rules, true, 443), passes, "{rules:?}");
        }
    }

    #[test]
    fn rules_of_the_other_direction_do_not_count() {
        let rules = [rule(100, "allow", "0.0.0.0/0", None)];
        assert!(!lets_pass(&rules, false, ANSWERS));
    }
}

//! Security groups: what they let out of the bastion, and into the database.

use super::{HTTPS, existing, has_port};
use crate::aws::{self, Home, SecurityGroupRule, Subnet};
use crate::doctor::check::{Gap, Verdict, known};
use crate::doctor::facts::{Bastion, Far};

pub fn egress(bastion: &Bastion) -> Result<Verdict, Gap> {
    let ours = &known(&bastion.network.place)?.security_groups;
    let Some(first) = ours.first() else {
        return Ok(Verdict::ok("the default group of the VPC"));
    };
    let rules = known(&bastion.network.rules)?;
    let out = |port: i32| {
        let out = rules
            .iter()
            .filter(|it| it.is_egress && ours.contains(&it.group));
        out.filter(move |rule| has_port(rule, port))
    };
    let wanted = wanted(bastion);
    if let Some(port) = wanted.iter().find(|port| out(**port).next().is_none()) {
        let evidence = format!("no rule of {} lets TCP out to port {port}", ours.join(", "));
        return Ok(Verdict::fail(evidence)
            .fill("region", &bastion.region)
            .fill("group", first)
            .fill("port", port.to_string()));
    }
    for (port, home) in homes(bastion) {
        let theirs = &home.security_groups;
        let leads_there =
            |rule: &SecurityGroupRule| rule.peer.as_ref().is_none_or(|peer| theirs.contains(peer));
        if let Some(their) = theirs.first()
            && !out(port).any(leads_there)
        {
            let evidence = format!(
                "rules of {} let TCP out to port {port}, and not to {their} of the database",
                ours.join(", ")
            );
            let fix = format!(
                "aws ec2 authorize-security-group-egress --region {} --group-id {first} --ip-permissions \
                 'IpProtocol=tcp,FromPort={port},ToPort={port},UserIdGroupPairs=[{{GroupId={their}}}]'",
                bastion.region
            );
            return Ok(Verdict::fail(evidence).fix(fix));
        }
    }
    let ports: Vec<_> = wanted.iter().map(ToString::to_string).collect();
    Ok(Verdict::ok(format!("ports {}", ports.join(", "))))
}

/// The ports that the bastion has to get out to.
fn wanted(bastion: &Bastion) -> Vec<i32> {
    let told = bastion.far.iter().filter_map(|far| far.port);
    let configured = bastion.ports.iter().copied();
    let mut ports = vec![HTTPS];
    for port in configured.chain(told).map(i32::from) {
        if !ports.contains(&port) {
            ports.push(port);
        }
    }
    ports
}

/// Databases of which it is known where they are, each with its port.
fn homes(bastion: &Bastion) -> impl Iterator<Item = (i32, &Home)> {
    let far = bastion.far.iter();
    far.filter_map(|it| Some((i32::from(it.port?), it.home.as_ref().ok()?)))
}

pub fn ingress(bastion: &Bastion) -> Result<Verdict, Gap> {
    let ours = &known(&bastion.network.place)?.security_groups;
    let subnets = existing(bastion)?;
    known(&bastion.network.rules)?;
    if bastion.far.is_empty() {
        return Ok(Verdict::ok("no tunnel goes through it"));
    }
    let mut let_in = Vec::new();
    let mut unknown = None;
    for far in &bastion.far {
        match door(bastion, far, ours, subnets) {
            Ok(Ok(database)) => let_in.push(database),
            Ok(Err(verdict)) => return Ok(verdict),
            Err(gap) => unknown = unknown.or(Some(gap)),
        }
    }
    match unknown {
        Some(gap) => Err(gap),
        None => Ok(Verdict::ok(let_in.join(", "))),
    }
}

/// The group that lets the bastion in, or that none does.
fn door(
    bastion: &Bastion,
    far: &Far,
    ours: &[String],
    subnets: &[Subnet],
) -> Result<Result<String, Verdict>, Gap> {
    let home = known(&far.home)?;
    let port = far.port.ok_or(Gap::Needs("the database's port (D01)"))?;
    let theirs = &home.security_groups;
    let their = theirs.first().ok_or(Gap::Needs(
        "the database's security groups, which AWS does not tell",
    ))?;
    let our = ours.first().ok_or(Gap::Needs(
        "`security_groups` of the bastion: the VPC's default group is not looked up",
    ))?;
    let mut rules = known(&bastion.network.far_rules)?.iter();
    let door = rules.find(|rule| {
        !rule.is_egress
            && theirs.contains(&rule.group)
            && has_port(rule, i32::from(port))
            && admits(rule, ours, subnets)
    });
    Ok(match door {
        Some(rule) => Ok(rule.group.clone()),
        None => {
            let evidence = format!(
                "no rule of {} lets {our} in at port {port}, where tunnel {} leads",
                theirs.join(", "),
                far.tunnel
            );
            Err(Verdict::fail(evidence)
                .fill("region", &bastion.region)
                .fill("group", their)
                .fill("port", port.to_string())
                .fill("ours", our))
        }
    })
}

/// Lists of addresses are not looked into.
fn admits(rule: &SecurityGroupRule, ours: &[String], subnets: &[Subnet]) -> bool {
    let by_group = rule.peer.as_ref().is_some_and(|it| ours.contains(it));
    let by_address = rule.cidr_ipv4.as_deref().is_some_and(|block| {
        let mut cidrs = subnets.iter().map(|it| it.cidr.as_str());
        cidrs.any(|cidr| aws::contains(block, cidr).unwrap_or(false))
    });
    by_group || by_address || rule.prefix_list.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_open_to_a_group_or_to_the_addresses_of_a_subnet() {
        let ours = ["sg-1".to_owned()];
        let subnets = [Subnet {
            cidr: "10.0.1.0/24".into(),
            ..Subnet::default()
        }];
        let by = |alter: fn(&mut SecurityGroupRule)| {
            let mut rule = SecurityGroupRule::default();
            alter(&mut rule);
            admits(&rule, &ours, &subnets)
        };
        assert!(by(|it| it.peer = Some("sg-1".into())));
        assert!(!by(|it| it.peer = Some("sg-2".into())));
        assert!(by(|it| it.cidr_ipv4 = Some("10.0.0.0/16".into())));
        assert!(!by(|it| it.cidr_ipv4 = Some("10.0.2.0/24".into())));
        assert!(by(|it| it.prefix_list = Some("pl-1".into())));
    }
}

//! Whether the rules of the security groups let a bastion work. Pure; what it finds is a doubt, no more: rules may name
//! lists of addresses that are not looked into.

use std::net::Ipv4Addr;

use crate::{
    aws::{database::Home, vpc::SecurityGroupRule},
    status::Chosen,
};

const HTTPS: u16 = 443;

/// The groups and addresses of a task.
pub(super) struct Task<'a> {
    pub(super) groups: &'a [String],
    /// Those of its subnets, such as `10.0.1.0/24`.
    pub(super) cidrs: Vec<&'a str>,
}

/// What may be in the way of the agent, and of its connections to the databases.
pub(super) fn doubts(task: &Task<'_>, homes: &[Home], rules: &[SecurityGroupRule]) -> Vec<Chosen> {
    let own = task.groups.join(", ");
    let of = |groups: &[String], is_egress: bool| {
        let rules = rules.iter().filter(move |rule| rule.is_egress == is_egress);
        let rules = rules.filter(|rule| groups.contains(&rule.group));
        rules.collect::<Vec<_>>()
    };
    let out = of(task.groups, true);
    let lets_out = |port: u16| out.iter().any(|rule| covers(rule, port));
    let mut doubts = Vec::new();
    if !lets_out(HTTPS) {
        doubts.push(format!(
            "no rule of {own} lets port 443 out, by which the agent reaches AWS"
        ));
    }
    for home in homes {
        let Some(port) = home.port else { continue };
        if !lets_out(port) {
            doubts.push(format!(
                "no rule of {own} lets port {port} out to the database"
            ));
        }
        let lets_in = |rule: &&SecurityGroupRule| covers(rule, port) && admits(rule, task);
        let into = of(&home.security_groups, false);
        if !home.security_groups.is_empty() && !into.iter().any(lets_in) {
            let theirs = home.security_groups.join(", ");
            doubts.push(format!(
                "no rule of the database's {theirs} lets {own} in at port {port}"
            ));
        }
    }
    doubts.dedup();
    doubts.into_iter().map(Chosen::caution).collect()
}

fn covers(rule: &SecurityGroupRule, port: u16) -> bool {
    let port = i32::from(port);
    match rule.protocol.as_str() {
        "-1" => true,
        "tcp" | "6" => {
            let from = rule.from_port.unwrap_or(-1);
            from == -1 || (from..=rule.to_port.unwrap_or(from)).contains(&port)
        }
        _ => false,
    }
}

fn admits(rule: &SecurityGroupRule, task: &Task<'_>) -> bool {
    let by_group = rule
        .peer
        .as_ref()
        .is_some_and(|it| task.groups.contains(it));
    let by_address = rule.cidr_ipv4.as_deref().is_some_and(|outer| {
        let mut cidrs = task.cidrs.iter();
        cidrs.any(|inner| contains(outer, inner).unwrap_or(false))
    });
    by_group || by_address || rule.prefix_list.is_some()
}

/// Whether all addresses of `inner` are of `outer`; `None` if one of them is no block of addresses.
pub fn contains(outer: &str, inner: &str) -> Option<bool> {
    let (outer, outer_bits) = block(outer)?;
    let (inner, inner_bits) = block(inner)?;
    let mask = u32::MAX.checked_shl(32 - outer_bits).unwrap_or(0);
    Some(outer_bits <= inner_bits && outer & mask == inner & mask)
}

fn block(text: &str) -> Option<(u32, u32)> {
    let (address, bits) = text.split_once('/')?;
    let address: Ipv4Addr = address.parse().ok()?;
    let bits = bits.parse().ok().filter(|bits| *bits <= 32)?;
    Some((address.to_bits(), bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(group: &str, is_egress: bool, port: i32, peer: &str) -> SecurityGroupRule {
        let is_group = peer.starts_with("sg-");
        SecurityGroupRule {
            group: group.into(),
            is_egress,
            protocol: if port == -1 { "-1" } else { "tcp" }.into(),
            from_port: Some(port),
            to_port: Some(port),
            peer: is_group.then(|| peer.into()),
            cidr_ipv4: (!is_group).then(|| peer.into()),
            ..SecurityGroupRule::default()
        }
    }

    fn doubts_of(rules: &[SecurityGroupRule]) -> Vec<String> {
        let groups = ["sg-1".to_owned()];
        let task = Task {
            groups: &groups,
            cidrs: vec!["10.0.1.0/24"],
        };
        let home = Home {
            security_groups: vec!["sg-db".into()],
            port: Some(5432),
            ..Home::default()
        };
        let doubts = doubts(&task, &[home], rules).into_iter();
        doubts.map(|it| it.reason).collect()
    }

    #[test]
    fn a_way_to_aws_and_to_the_database_and_in_there_is_no_doubt() {
        let all_out = rule("sg-1", true, -1, "0.0.0.0/0");
        for into in [
            rule("sg-db", false, 5432, "sg-1"),
            rule("sg-db", false, 5432, "10.0.0.0/16"),
            rule("sg-db", false, -1, "0.0.0.0/0"),
            SecurityGroupRule {
                prefix_list: Some("pl-1".into()),
                ..rule("sg-db", false, 5432, "10.9.0.0/16")
            },
        ] {
            assert_eq!(
                doubts_of(&[all_out.clone(), into.clone()]),
                Vec::<String>::new(),
                "{into:?}"
            );
        }
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        let https_out = rule("sg-1", true, 443, "0.0.0.0/0");
        let doubts = doubts_of(&[
            https_out,
            rule("sg-db", false, 3306, "sg-1"),
            rule("sg-db", false, 5432, "10.0.1.0/25"),
            rule("sg-db", false, 5432, "sg-2"),
        ]);
        assert_eq!(
            doubts,
            [
                "no rule of sg-1 lets port 5432 out to the database",
                "no rule of the database's sg-db lets sg-1 in at port 5432"
            ]
        );
        assert_eq!(doubts_of(&[]).len(), 3);
    }

    #[test]
    fn blocks_of_addresses_are_compared() {
        for (outer, inner, is_in) in [
            ("0.0.0.0/0", "10.0.0.0/8", Some(true)),
            ("10.0.1.7/32", "10.0.1.7/32", Some(true)),
            ("10.0.1.0/24", "10.0.0.0/16", Some(false)),
            ("10.0.2.0/24", "10.0.1.0/24", Some(false)),
            ("10.0.0.0/33", "10.0.0.0/8", None),
            ("::/0", "10.0.0.0/8", None),
        ] {
            assert_eq!(contains(outer, inner), is_in, "{outer} {inner}");
        }
    }
}

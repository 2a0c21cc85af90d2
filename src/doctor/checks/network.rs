//! N: the subnets of the task, and the ways out of them.

use crate::aws::{SecurityGroupRule, Subnet, VpcEndpoint};
use crate::doctor::check::{Check, Gap, Judge, Level, Verdict, known};
use crate::doctor::facts::Bastion;
use crate::doctor::ways::{self, Way};

/// Fewer free addresses than this are gone by the time a task asks.
const FEW: u32 = 5;
const HTTPS: i32 = 443;

const ROUTES: &[&str] = &["ec2:DescribeSubnets", "ec2:DescribeRouteTables"];

pub const CHECKS: &[Check] = &[
    Check {
        id: "N01",
        title: "the subnets exist, in one VPC, with free addresses",
        looks_at: "the configured subnets",
        levels: &[Level::Warn, Level::Fail],
        why: "RunTask takes subnets of one VPC. Each task needs an address of its own.",
        fix: "set `subnets` of the bastion to subnets of one VPC: {what}",
        needs: &["ec2:DescribeSubnets"],
        judge: Judge::Bastion(subnets),
    },
    Check {
        id: "N02",
        title: "the task can leave its subnets",
        looks_at: "the default route of each subnet, and `assign_public_ip`",
        levels: &[Level::Warn, Level::Fail],
        why: "In a public subnet, whose way out is an internet gateway, a task without a public address reaches \
              nothing: neither its image nor SSM.",
        fix: "set `assign_public_ip = true`, or take subnets with a NAT gateway instead of {subnet}",
        needs: ROUTES,
        judge: Judge::Bastion(route),
    },
    Check {
        id: "N03",
        title: "VPC endpoints stand in for a way out",
        looks_at: "interface endpoints of the VPC: state, private DNS, and what their security groups let in",
        levels: &[Level::Fail],
        why: "Without a way out the agent needs an endpoint for ssmmessages, logging one for logs, and an image of \
              a private registry ecr.api and ecr.dkr. Where an endpoint with private DNS exists, every subnet uses \
              it: it must let the bastion in at port 443.",
        fix: "{what}",
        needs: &[
            "ec2:DescribeSubnets",
            "ec2:DescribeRouteTables",
            "ec2:DescribeVpcEndpoints",
            "ec2:DescribeSecurityGroupRules",
            "ecs:DescribeTaskDefinition",
        ],
        judge: Judge::Bastion(endpoints),
    },
    Check {
        id: "N04",
        title: "layers of the image have a way",
        looks_at: "the S3 gateway endpoint, in the route table of each subnet without a way out",
        levels: &[Level::Fail],
        why: "ECR keeps an image's layers in S3. An interface endpoint of S3 does not serve them.",
        fix: "add {table} to an S3 gateway endpoint of {vpc}",
        needs: &[
            "ec2:DescribeSubnets",
            "ec2:DescribeRouteTables",
            "ec2:DescribeVpcEndpoints",
            "ecs:DescribeTaskDefinition",
        ],
        judge: Judge::Bastion(layers),
    },
    Check {
        id: "N05",
        title: "the bastion's security groups let it out",
        looks_at: "egress rules for port 443, and for the ports that tunnels lead to",
        levels: &[Level::Fail],
        why: "Image, log and SSM are all behind port 443, the database behind its own.",
        fix: "aws ec2 authorize-security-group-egress --region {region} --group-id {group} --protocol tcp --port \
              {port} --cidr 0.0.0.0/0",
        needs: &["ec2:DescribeSecurityGroupRules"],
        judge: Judge::Bastion(egress),
    },
    Check {
        id: "N09",
        title: "the subnets have IPv4 addresses",
        looks_at: "the addresses of each subnet",
        levels: &[Level::Fail],
        why: "ECS Exec does not work in subnets that have IPv6 addresses only.",
        fix: "take {subnet} out of `subnets`, and put in one with IPv4 addresses",
        needs: &["ec2:DescribeSubnets"],
        judge: Judge::Bastion(ipv4),
    },
];

/// Those that are configured and exist; without any, N01 tells.
fn existing(bastion: &Bastion) -> Result<&[Subnet], Gap> {
    let subnets = known(&bastion.network.subnets)?;
    match subnets.is_empty() {
        true => Err(Gap::Needs("subnets (N01)")),
        false => Ok(subnets),
    }
}

fn subnets(bastion: &Bastion) -> Result<Verdict, Gap> {
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

fn route(bastion: &Bastion) -> Result<Verdict, Gap> {
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

fn isolated(bastion: &Bastion) -> Result<Vec<&Subnet>, Gap> {
    let tables = known(&bastion.network.route_tables)?;
    let subnets = existing(bastion)?.iter();
    Ok(subnets
        .filter(|it| ways::of(it, tables) == Way::None)
        .collect())
}

fn endpoints(bastion: &Bastion) -> Result<Verdict, Gap> {
    let isolated = isolated(bastion)?;
    let all = known(&bastion.network.endpoints)?;
    let needed = services(bastion)?;
    let of = |service: &str| {
        let suffix = format!(".{service}");
        let mut fitting = all.iter();
        fitting.find(|it| it.kind == "Interface" && it.service.ends_with(&suffix))
    };
    for service in &needed {
        let endpoint = of(service);
        if let (None, Some(subnet)) = (endpoint, isolated.first()) {
            let evidence = format!(
                "{} has no way out, and {} no endpoint for {service}",
                subnet.id, subnet.vpc
            );
            let what = format!(
                "aws ec2 create-vpc-endpoint --region {region} --vpc-id {} --vpc-endpoint-type Interface \
                 --service-name com.amazonaws.{region}.{service} --subnet-ids {} --private-dns-enabled",
                subnet.vpc,
                subnet.id,
                region = bastion.region,
            );
            return Ok(Verdict::fail(evidence).fill("what", what));
        }
        if let Some(endpoint) = endpoint
            && let Some(verdict) = unusable(bastion, endpoint, service, !isolated.is_empty())?
        {
            return Ok(verdict);
        }
    }
    let found: Vec<_> = needed
        .iter()
        .copied()
        .filter(|it| of(it).is_some())
        .collect();
    Ok(match (isolated.is_empty(), found.is_empty()) {
        (true, true) => Verdict::ok("none is needed"),
        _ => Verdict::ok(found.join(", ")),
    })
}

/// What is wrong with an endpoint, if it is used: in subnets without a way out, or by its private DNS.
fn unusable(
    bastion: &Bastion,
    endpoint: &VpcEndpoint,
    service: &str,
    is_needed: bool,
) -> Result<Option<Verdict>, Gap> {
    let VpcEndpoint {
        id, private_dns, ..
    } = endpoint;
    let region = &bastion.region;
    if !private_dns {
        let what = format!(
            "aws ec2 modify-vpc-endpoint --region {region} --vpc-endpoint-id {id} --private-dns-enabled"
        );
        let evidence = format!("{id} for {service} has no private DNS");
        return Ok(is_needed.then(|| Verdict::fail(evidence).fill("what", what)));
    }
    if endpoint.state != "available" {
        let evidence = format!("{id} for {service} is {}", endpoint.state);
        let what = format!("wait until {id} is available, or make it anew");
        return Ok(Some(Verdict::fail(evidence).fill("what", what)));
    }
    let rules = known(&bastion.network.rules)?;
    let ours = &known(&bastion.network.place)?.security_groups;
    if endpoint.groups.is_empty() || ours.is_empty() {
        return Ok(None);
    }
    let lets_in = rules.iter().any(|rule| {
        !rule.is_egress
            && endpoint.groups.contains(&rule.group)
            && has_port(rule, HTTPS)
            // Addresses may be the subnet's: what they are is not worked out.
            && rule.peer.as_ref().is_none_or(|peer| ours.contains(peer))
    });
    let group = &endpoint.groups[0];
    let what = format!(
        "aws ec2 authorize-security-group-ingress --region {region} --group-id {group} --protocol tcp --port 443 \
         --source-group {}",
        ours[0]
    );
    let evidence = format!("{id} for {service} does not let {} in at port 443", ours[0]);
    Ok((!lets_in).then(|| Verdict::fail(evidence).fill("what", what)))
}

/// The services that the task needs a way to.
fn services(bastion: &Bastion) -> Result<Vec<&'static str>, Gap> {
    let mut needed = vec!["ssmmessages"];
    if let Some(definition) = known(&bastion.definition)? {
        if !definition.log_groups().is_empty() {
            needed.push("logs");
        }
        if definition
            .containers
            .iter()
            .any(|it| ways::is_private_ecr(&it.image))
        {
            needed.extend(["ecr.api", "ecr.dkr"]);
        }
    }
    Ok(needed)
}

fn layers(bastion: &Bastion) -> Result<Verdict, Gap> {
    let isolated = isolated(bastion)?;
    if isolated.is_empty() || !services(bastion)?.contains(&"ecr.dkr") {
        return Ok(Verdict::ok("not needed"));
    }
    let tables = known(&bastion.network.route_tables)?;
    let endpoints = known(&bastion.network.endpoints)?;
    for subnet in isolated {
        let table = ways::table(subnet, tables)
            .map(|it| it.id.clone())
            .unwrap_or_default();
        let knows = endpoints.iter().any(|it| {
            it.kind == "Gateway" && it.service.ends_with(".s3") && it.route_tables.contains(&table)
        });
        if !knows {
            let evidence = format!("{table} of {} knows no S3 gateway endpoint", subnet.id);
            return Ok(Verdict::fail(evidence)
                .fill("table", &table)
                .fill("vpc", &subnet.vpc));
        }
    }
    Ok(Verdict::ok("an S3 gateway endpoint"))
}

fn egress(bastion: &Bastion) -> Result<Verdict, Gap> {
    let ours = &known(&bastion.network.place)?.security_groups;
    let Some(first) = ours.first() else {
        return Ok(Verdict::ok("the default group of the VPC"));
    };
    let rules = known(&bastion.network.rules)?;
    let lets_out = |port: i32| {
        let mut out = rules
            .iter()
            .filter(|it| it.is_egress && ours.contains(&it.group));
        out.any(|rule| has_port(rule, port))
    };
    let wanted = bastion.ports.iter().map(|port| i32::from(*port));
    let mut wanted: Vec<_> = std::iter::once(HTTPS).chain(wanted).collect();
    wanted.dedup();
    Ok(match wanted.iter().find(|port| !lets_out(**port)) {
        None => Verdict::ok(format!("ports {}", listed(&wanted))),
        Some(port) => {
            let evidence = format!("no rule of {} lets TCP out to port {port}", ours.join(", "));
            Verdict::fail(evidence)
                .fill("region", &bastion.region)
                .fill("group", first)
                .fill("port", port.to_string())
        }
    })
}

fn listed(ports: &[i32]) -> String {
    let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
    ports.join(", ")
}

/// Whether a rule is for this TCP port.
pub(super) fn has_port(rule: &SecurityGroupRule, port: i32) -> bool {
    match rule.protocol.as_str() {
        "-1" => true,
        "tcp" | "6" => {
            let from = rule.from_port.unwrap_or(-1);
            let to = rule.to_port.unwrap_or(-1);
            from == -1 || (from..=to).contains(&port)
        }
        _ => false,
    }
}

fn ipv4(bastion: &Bastion) -> Result<Verdict, Gap> {
    Ok(
        match existing(bastion)?.iter().find(|it| it.cidr.is_empty()) {
            None => Verdict::ok("all"),
            Some(subnet) => Verdict::fail(format!("{} has IPv6 addresses only", subnet.id))
                .fill("subnet", &subnet.id),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_for_a_port_by_its_protocol_and_its_range() {
        let rule = |protocol: &str, from, to| SecurityGroupRule {
            protocol: protocol.into(),
            from_port: from,
            to_port: to,
            ..SecurityGroupRule::default()
        };
        for (rule, has) in [
            (rule("-1", None, None), true),
            (rule("tcp", Some(443), Some(443)), true),
            (rule("6", Some(0), Some(65535)), true),
            (rule("tcp", Some(-1), Some(-1)), true),
            (rule("tcp", Some(5432), Some(5432)), false),
            (rule("udp", Some(443), Some(443)), false),
        ] {
            assert_eq!(has_port(&rule, HTTPS), has, "{rule:?}");
        }
    }
}

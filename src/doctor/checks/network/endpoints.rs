//! Endpoints of the VPC, which stand in for a way out.

use serde_json::Value;

use super::{HTTPS, existing, has_port, isolated};
use crate::aws::{Subnet, VpcEndpoint};
use crate::doctor::check::{Gap, Verdict, known};
use crate::doctor::facts::Bastion;
use crate::doctor::ways;

pub fn endpoints(bastion: &Bastion) -> Result<Verdict, Gap> {
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
    for endpoint in needed.iter().filter_map(|service| of(service)) {
        if let Some(verdict) = narrow(bastion, endpoint)? {
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

/// What makes an endpoint serve less well than it could: its policy, or the zones that it is not in.
fn narrow(bastion: &Bastion, endpoint: &VpcEndpoint) -> Result<Option<Verdict>, Gap> {
    let id = &endpoint.id;
    if !endpoint.policy.as_deref().is_none_or(allows_all) {
        let evidence = format!("{id} has a policy that does not allow everything");
        let what = format!(
            "see that the policy of {id} allows you and the roles of the task what they need: aws ec2 \
             describe-vpc-endpoints --region {} --vpc-endpoint-ids {id}",
            bastion.region
        );
        return Ok(Some(Verdict::warn(evidence).fill("what", what)));
    }
    let beside = known(&bastion.network.beside)?;
    let is_its = |it: &&Subnet| endpoint.subnets.contains(&it.id);
    let zones: Vec<_> = beside.iter().filter(is_its).map(|it| &it.zone).collect();
    let is_outside = |it: &&Subnet| !zones.is_empty() && !zones.contains(&&it.zone);
    let outside = existing(bastion)?.iter().find(is_outside);
    Ok(outside.map(|subnet| {
        let evidence = format!("{id} is not in {}, the zone of {}", subnet.zone, subnet.id);
        let what = format!(
            "aws ec2 modify-vpc-endpoint --region {} --vpc-endpoint-id {id} --add-subnet-ids {}",
            bastion.region, subnet.id
        );
        Verdict::warn(evidence).fill("what", what)
    }))
}

/// Whether the text of a policy has a statement that allows everything to everybody, as the one has that AWS makes.
fn allows_all(policy: &str) -> bool {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else {
        return false;
    };
    let statements = match &policy["Statement"] {
        Value::Array(all) => all.as_slice(),
        one => std::slice::from_ref(one),
    };
    let is_all =
        |value: &Value| *value == "*" || value["AWS"] == "*" || *value == serde_json::json!(["*"]);
    statements.iter().any(|it| {
        it["Effect"] == "Allow"
            && ["Principal", "Action", "Resource"]
                .iter()
                .all(|key| is_all(&it[*key]))
            && it["Condition"].is_null()
    })
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

pub fn layers(bastion: &Bastion) -> Result<Verdict, Gap> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_policy_that_lets_everybody_do_everything_is_none() {
        let open = r#"{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}"#;
        assert!(allows_all(open));
        assert!(allows_all(
            &open.replace(r#""Principal": "*""#, r#""Principal": {"AWS": "*"}"#)
        ));
        for narrow in [
            open.replace(r#""Action": "*""#, r#""Action": "ssm:*""#),
            open.replace("Allow", "Deny"),
            open.replace(
                r#""Resource": "*""#,
                r#""Resource": "*", "Condition": {"Bool": {}}"#,
            ),
            "no policy".to_owned(),
        ] {
            assert!(!allows_all(&narrow), "{narrow}");
        }
    }
}

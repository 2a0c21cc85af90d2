//! N: the subnets of the task, and the ways out of them.

mod endpoints;
mod groups;
mod lists;
mod subnets;

use crate::aws::{SecurityGroupRule, Subnet};
use crate::doctor::check::{Check, Gap, Judge, Level, known};
use crate::doctor::facts::Bastion;
use crate::doctor::ways::{self, Way};

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
        judge: Judge::Bastion(subnets::subnets),
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
        judge: Judge::Bastion(subnets::route),
    },
    Check {
        id: "N03",
        title: "VPC endpoints stand in for a way out",
        looks_at: "interface endpoints of the VPC: state, private DNS, zones, policy, and what their security groups let in",
        levels: &[Level::Warn, Level::Fail],
        why: "Without a way out the agent needs an endpoint for ssmmessages, logging one for logs, and an image of \
              a private registry ecr.api and ecr.dkr. Where an endpoint with private DNS exists, every subnet uses \
              it: it must let the bastion in at port 443. Its policy may keep calls out, and from a zone that it is not \
              in it is reached through another, which costs.",
        fix: "{what}",
        needs: &[
            "ec2:DescribeSubnets",
            "ec2:DescribeRouteTables",
            "ec2:DescribeVpcEndpoints",
            "ec2:DescribeSecurityGroupRules",
            "ecs:DescribeTaskDefinition",
        ],
        judge: Judge::Bastion(endpoints::endpoints),
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
        judge: Judge::Bastion(endpoints::layers),
    },
    Check {
        id: "N05",
        title: "the bastion's security groups let it out",
        looks_at: "egress rules for port 443, and for the ports of the databases, to wherever those are",
        levels: &[Level::Fail],
        why: "Image, log and SSM are all behind port 443, the database behind its own.",
        fix: "aws ec2 authorize-security-group-egress --region {region} --group-id {group} --protocol tcp --port \
              {port} --cidr 0.0.0.0/0",
        needs: &["ec2:DescribeSecurityGroupRules"],
        judge: Judge::Bastion(groups::egress),
    },
    Check {
        id: "N06",
        title: "the database's security groups let the bastion in",
        looks_at: "ingress rules of the groups of a database that is named by its id or by AWS's name for it",
        levels: &[Level::Fail],
        why: "Packets that no rule lets in are dropped without a word: the connection hangs until the client gives up.",
        fix: "aws ec2 authorize-security-group-ingress --region {region} --group-id {group} --protocol tcp --port \
              {port} --source-group {ours}",
        needs: &["ec2:DescribeSubnets", "ec2:DescribeSecurityGroupRules"],
        judge: Judge::Bastion(groups::ingress),
    },
    Check {
        id: "N07",
        title: "no network ACL is in the way",
        looks_at: "the ACL of each subnet: out to port 443 and to the databases' ports, in to the ports of answers",
        levels: &[Level::Warn],
        why: "A network ACL knows no connections: answers, which come to a port above 1024, need a rule as well.",
        fix: "aws ec2 create-network-acl-entry --region {region} --network-acl-id {acl} {direction} --rule-number {number} \
              --protocol tcp --port-range From={from},To={to} --cidr-block 0.0.0.0/0 --rule-action allow",
        needs: &["ec2:DescribeSubnets", "ec2:DescribeNetworkAcls"],
        judge: Judge::Bastion(lists::acls),
    },
    Check {
        id: "N08",
        title: "the VPC resolves names",
        looks_at: "enableDnsSupport and enableDnsHostnames of the VPC",
        levels: &[Level::Fail],
        why: "Without the first the task finds neither AWS nor the database. Without the second the private names of VPC \
              endpoints mean nothing.",
        fix: "aws ec2 modify-vpc-attribute --region {region} --vpc-id {vpc} {attribute}",
        needs: &[
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcEndpoints",
            "ec2:DescribeVpcAttribute",
        ],
        judge: Judge::Bastion(lists::dns),
    },
    Check {
        id: "N09",
        title: "the subnets have IPv4 addresses",
        looks_at: "the addresses of each subnet",
        levels: &[Level::Fail],
        why: "ECS Exec does not work in subnets that have IPv6 addresses only.",
        fix: "take {subnet} out of `subnets`, and put in one with IPv4 addresses",
        needs: &["ec2:DescribeSubnets"],
        judge: Judge::Bastion(subnets::ipv4),
    },
    Check {
        id: "N10",
        title: "packets find their way to the database",
        looks_at: "what R03 found: this only tells how to ask further",
        levels: &[Level::Info],
        why: "Where the database does not answer and N05 to N08 find nothing, AWS's Reachability Analyzer names the route, \
              rule or list that is in the way. An analysis costs some cents, so the doctor only says how it is asked for.",
        fix: "aws ec2 create-network-insights-path --region {region} --source {interface} --destination \
              INTERFACE-OF-THE-DATABASE --protocol tcp --destination-port {port}, and then aws ec2 \
              start-network-insights-analysis --region {region} --network-insights-path-id ITS-ID",
        needs: super::running::A_SESSION,
        judge: Judge::Tunnel(lists::path),
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

fn isolated(bastion: &Bastion) -> Result<Vec<&Subnet>, Gap> {
    let tables = known(&bastion.network.route_tables)?;
    let subnets = existing(bastion)?.iter();
    Ok(subnets
        .filter(|it| ways::of(it, tables) == Way::None)
        .collect())
}

/// Whether a rule is for this TCP port.
fn has_port(rule: &SecurityGroupRule, port: i32) -> bool {
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

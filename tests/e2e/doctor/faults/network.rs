//! Faults of the network, and of the database's place in it.

use serde_json::json;

use super::{DATABASE, Fault, Plant, isolated};

pub fn of_network() -> Vec<Fault> {
    vec![
        (
            "T09",
            "copy public.ecr.aws",
            Plant::Network(|it| *it = isolated()),
        ),
        (
            "N01",
            "aws ec2 describe-subnets",
            Plant::Network(|it| it.subnets.clear()),
        ),
        (
            "N01",
            "free addresses",
            Plant::Network(|it| it.subnets[0].free_addresses = 3),
        ),
        (
            "N02",
            "assign_public_ip = true",
            Plant::Network(|it| it.route_tables[0].default_route = Some("igw-1".into())),
        ),
        (
            "N02",
            "default route",
            Plant::Network(|it| it.route_tables[0].blackhole = true),
        ),
        (
            "N03",
            "create-vpc-endpoint --region ap-northeast-1 --vpc-id vpc-0a1b2c3d --vpc-endpoint-type Interface --service-name com.amazonaws.ap-northeast-1.ssmmessages",
            Plant::Isolated(|it| drop(it.endpoints.remove(0))),
        ),
        (
            "N03",
            "com.amazonaws.ap-northeast-1.ecr.dkr",
            Plant::Isolated(|it| drop(it.endpoints.remove(3))),
        ),
        (
            "N03",
            "--private-dns-enabled",
            Plant::Isolated(|it| it.endpoints[0].private_dns = false),
        ),
        (
            "N03",
            "--group-id sg-endpoints --protocol tcp --port 443 --source-group sg-0a1b2c3d",
            Plant::Network(|it| drop(it.security_groups[1].rules.pop())),
        ),
        (
            "N04",
            "add rtb-1 to an S3 gateway",
            Plant::Isolated(|it| drop(it.endpoints.pop())),
        ),
        (
            "N05",
            "--group-id sg-0a1b2c3d",
            Plant::Network(|it| it.security_groups[0].rules.clear()),
        ),
        (
            "N05",
            "--port 5432",
            Plant::Network(|it| {
                let rule = &mut it.security_groups[0].rules[0];
                (rule.protocol, rule.ports) = ("tcp".into(), Some((443, 443)));
            }),
        ),
        (
            "N09",
            "IPv4",
            Plant::Answer("DescribeSubnets", |it| {
                it["subnetSet"]["item"][0]["cidrBlock"] = json!("");
            }),
        ),
        (
            "D01",
            "",
            Plant::Text("host = \"db.internal\"", "host = \"rds-cluster:gone\""),
        ),
        (
            "N03",
            "--add-subnet-ids subnet-0a1b2c3d",
            Plant::Isolated(|it| {
                let mut other = it.subnets[0].clone();
                (other.id, other.zone) = ("subnet-other".into(), "ap-northeast-1c".into());
                it.subnets.push(other);
                it.endpoints[0].subnets = vec!["subnet-other".into()];
            }),
        ),
        (
            "N03",
            "--vpc-endpoint-ids vpce-ssmmessages",
            Plant::Isolated(|it| {
                let narrow = r#"{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "logs:*", "Resource": "*"}]}"#;
                it.endpoints[0].policy = Some(narrow.into());
            }),
        ),
        (
            "N05",
            "UserIdGroupPairs=[{GroupId=sg-db}]",
            Plant::All(vec![
                DATABASE,
                Plant::Network(|it| {
                    let rules = &mut it.security_groups[0].rules;
                    (rules[0].protocol, rules[0].ports) = ("tcp".into(), Some((443, 443)));
                    let mut other = rules[0].clone();
                    (other.ports, other.peer) = (Some((5432, 5432)), "sg-other".into());
                    rules.push(other);
                }),
            ]),
        ),
        (
            "N06",
            "--group-id sg-db --protocol tcp --port 5432 --source-group sg-0a1b2c3d",
            Plant::All(vec![
                DATABASE,
                Plant::Network(|it| drop(it.security_groups[2].rules.pop())),
            ]),
        ),
        (
            "N07",
            "--network-acl-id acl-1 --egress --rule-number 9 --protocol tcp --port-range From=443,To=443",
            Plant::Network(|it| it.acls[0].drops = vec![(true, 443, 443)]),
        ),
        (
            "N07",
            "--ingress --rule-number 9 --protocol tcp --port-range From=1024,To=65535",
            Plant::Network(|it| it.acls[0].drops = vec![(false, 1024, 65_535)]),
        ),
        (
            "N07",
            "From=5432,To=5432",
            Plant::Network(|it| it.acls[0].drops = vec![(true, 5432, 5432)]),
        ),
        (
            "N08",
            "--enable-dns-support",
            Plant::Network(|it| it.without = vec!["enableDnsSupport"]),
        ),
        (
            "N08",
            "--enable-dns-hostnames",
            Plant::Network(|it| it.without = vec!["enableDnsHostnames"]),
        ),
        (
            "D02",
            "take subnets of vpc-other",
            Plant::All(vec![
                DATABASE,
                Plant::Answer("DescribeDBInstances", |it| {
                    let instance = &mut it["DBInstances"]["DBInstance"][0];
                    instance["DBSubnetGroup"]["VpcId"] = json!("vpc-other");
                }),
            ]),
        ),
    ]
}

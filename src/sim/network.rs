//! The networks of the account: what [`Script::network`](super::Script::network) holds, and what EC2 tells of it.

use serde_json::{Value, json};

use super::acl::Acl;

/// The subnets, route tables, security groups and endpoints that exist.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Its subnets.
    pub subnets: Vec<Subnet>,
    /// Its route tables.
    pub route_tables: Vec<RouteTable>,
    /// Its security groups.
    pub security_groups: Vec<SecurityGroup>,
    /// Its endpoints.
    pub endpoints: Vec<Endpoint>,
    /// Its access lists.
    pub acls: Vec<Acl>,
    /// What of names its VPCs do not do: `enableDnsSupport`, `enableDnsHostnames`.
    pub without: Vec<&'static str>,
}

/// A subnet.
#[derive(Clone, Debug)]
pub struct Subnet {
    /// `subnet-…`.
    pub id: String,
    /// `vpc-…`.
    pub vpc: String,
    /// Such as `eu-west-1a`.
    pub zone: String,
    /// How many addresses are free.
    pub free_addresses: u32,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// The account that shares it with this one, if it is not this one's.
    pub owner: Option<String>,
}

impl Subnet {
    /// A subnet with room and without tags.
    #[must_use]
    pub fn new(id: &str, vpc: &str, zone: &str) -> Self {
        Self {
            id: id.into(),
            vpc: vpc.into(),
            zone: zone.into(),
            free_addresses: 250,
            tags: Vec::new(),
            owner: None,
        }
    }

    /// The same with a tag.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }
}

/// A route table.
#[derive(Clone, Debug)]
pub struct RouteTable {
    /// `rtb-…`.
    pub id: String,
    /// `vpc-…`.
    pub vpc: String,
    /// Whether it is that of all subnets without one of their own.
    pub main: bool,
    /// The subnets that have it.
    pub subnets: Vec<String>,
    /// Where what is not local goes: `nat-…`, `igw-…`, `tgw-…`, `eni-…`, `i-…` or `pcx-…`.
    pub default_route: Option<String>,
    /// Whether what stands at the end of that is gone.
    pub blackhole: bool,
}

impl RouteTable {
    /// A table of these subnets.
    #[must_use]
    pub fn new(id: &str, vpc: &str, subnets: &[&str], default_route: Option<&str>) -> Self {
        Self {
            id: id.into(),
            vpc: vpc.into(),
            main: false,
            subnets: subnets.iter().map(|id| (*id).to_owned()).collect(),
            default_route: default_route.map(str::to_owned),
            blackhole: false,
        }
    }
}

/// A security group.
#[derive(Clone, Debug)]
pub struct SecurityGroup {
    /// `sg-…`.
    pub id: String,
    /// `vpc-…`.
    pub vpc: String,
    /// Its name.
    pub name: String,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// Its rules.
    pub rules: Vec<Rule>,
}

impl SecurityGroup {
    /// A group that lets everything out and nothing in.
    #[must_use]
    pub fn new(id: &str, vpc: &str, name: &str) -> Self {
        Self {
            id: id.into(),
            vpc: vpc.into(),
            name: name.into(),
            tags: Vec::new(),
            rules: vec![Rule {
                egress: true,
                protocol: "-1".into(),
                ports: None,
                peer: "0.0.0.0/0".into(),
            }],
        }
    }

    /// The same with a tag.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }

    /// The same, which lets `peer` in at a TCP port.
    #[must_use]
    pub fn lets_in(mut self, port: u16, peer: &str) -> Self {
        self.rules.push(Rule {
            egress: false,
            protocol: "tcp".into(),
            ports: Some((port, port)),
            peer: peer.into(),
        });
        self
    }
}

/// A rule of a security group.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Whether it is for what goes out.
    pub egress: bool,
    /// `tcp`, or `-1` for all.
    pub protocol: String,
    /// First and last.
    pub ports: Option<(u16, u16)>,
    /// A group (`sg-…`) or addresses.
    pub peer: String,
}

/// An endpoint.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `vpce-…`.
    pub id: String,
    /// `vpc-…`.
    pub vpc: String,
    /// Such as `ssmmessages`.
    pub service: String,
    /// The route tables of a gateway; empty for an interface.
    pub route_tables: Vec<String>,
    /// Whether the service's usual name leads to it.
    pub private_dns: bool,
    /// The security groups of an interface.
    pub groups: Vec<String>,
    /// The subnets that an interface is in.
    pub subnets: Vec<String>,
    /// Its policy, if it is not the one that allows everything.
    pub policy: Option<String>,
}

impl Endpoint {
    /// An interface with private DNS.
    #[must_use]
    pub fn interface(vpc: &str, service: &str) -> Self {
        Self {
            id: format!("vpce-{service}"),
            vpc: vpc.into(),
            service: service.into(),
            route_tables: Vec::new(),
            private_dns: true,
            groups: Vec::new(),
            subnets: Vec::new(),
            policy: None,
        }
    }

    /// A gateway that this table knows.
    #[must_use]
    pub fn gateway(vpc: &str, service: &str, route_table: &str) -> Self {
        Self {
            route_tables: vec![route_table.into()],
            private_dns: false,
            ..Self::interface(vpc, service)
        }
    }
}

/// A thing as EC2 tells of it.
pub(super) trait Told {
    fn told(&self, account: &str, region: &str) -> Value;
    /// What filters ask for; `None` when there is no such property.
    fn property(&self, name: &str) -> Option<Vec<&str>>;
    fn tags(&self) -> &[(String, String)] {
        &[]
    }
}

pub(super) fn tag_set(tags: &[(String, String)]) -> Value {
    let tags = tags.iter();
    let tags: Vec<Value> = tags
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect();
    json!({"item": tags})
}

impl Told for Subnet {
    fn told(&self, account: &str, _: &str) -> Value {
        json!({
            "subnetId": self.id,
            "vpcId": self.vpc,
            "state": "available",
            "availabilityZone": self.zone,
            "availabilityZoneId": format!("az-{}", self.zone),
            "cidrBlock": "10.0.0.0/24",
            "availableIpAddressCount": self.free_addresses,
            // What says nothing of the way out must not be taken for it.
            "mapPublicIpOnLaunch": true,
            "ownerId": self.owner.as_deref().unwrap_or(account),
            "tagSet": tag_set(&self.tags),
        })
    }

    fn property(&self, name: &str) -> Option<Vec<&str>> {
        match name {
            "vpc-id" => Some(vec![&self.vpc]),
            "subnet-id" => Some(vec![&self.id]),
            _ => None,
        }
    }

    fn tags(&self) -> &[(String, String)] {
        &self.tags
    }
}

impl Told for RouteTable {
    fn told(&self, _: &str, _: &str) -> Value {
        let mut routes = vec![json!({
            "destinationCidrBlock": "10.0.0.0/16", "gatewayId": "local", "state": "active",
        })];
        if let Some(way) = &self.default_route {
            let state = if self.blackhole {
                "blackhole"
            } else {
                "active"
            };
            let mut route = json!({"destinationCidrBlock": "0.0.0.0/0", "state": state});
            route[element(way)] = json!(way);
            routes.push(route);
        }
        let own = self.subnets.iter();
        let mut associations: Vec<Value> = own
            .map(|subnet| json!({"main": false, "subnetId": subnet}))
            .collect();
        if self.main {
            associations.push(json!({"main": true}));
        }
        json!({
            "routeTableId": self.id,
            "vpcId": self.vpc,
            "routeSet": {"item": routes},
            "associationSet": {"item": associations},
        })
    }

    fn property(&self, name: &str) -> Option<Vec<&str>> {
        (name == "vpc-id").then(|| vec![self.vpc.as_str()])
    }
}

/// Where a route has its end.
fn element(way: &str) -> &'static str {
    match way.split('-').next() {
        Some("nat") => "natGatewayId",
        Some("tgw") => "transitGatewayId",
        Some("eni") => "networkInterfaceId",
        Some("i") => "instanceId",
        Some("pcx") => "vpcPeeringConnectionId",
        _ => "gatewayId",
    }
}

impl Told for SecurityGroup {
    fn told(&self, account: &str, _: &str) -> Value {
        json!({
            "groupId": self.id,
            "groupName": self.name,
            "vpcId": self.vpc,
            "ownerId": account,
            "tagSet": tag_set(&self.tags),
        })
    }

    fn property(&self, name: &str) -> Option<Vec<&str>> {
        match name {
            "vpc-id" => Some(vec![&self.vpc]),
            "group-id" => Some(vec![&self.id]),
            "group-name" => Some(vec![&self.name]),
            _ => None,
        }
    }

    fn tags(&self) -> &[(String, String)] {
        &self.tags
    }
}

/// A rule, with the group that it belongs to.
pub(super) struct Owned<'a> {
    pub group: &'a str,
    pub rule: &'a Rule,
}

impl Told for Owned<'_> {
    fn told(&self, _: &str, _: &str) -> Value {
        let (from, to) = self
            .rule
            .ports
            .map_or((-1, -1), |(from, to)| (i32::from(from), i32::from(to)));
        let mut rule = json!({
            "securityGroupRuleId": "sgr-0a1b2c3d",
            "groupId": self.group,
            "isEgress": self.rule.egress,
            "ipProtocol": self.rule.protocol,
            "fromPort": from,
            "toPort": to,
        });
        let peer = &self.rule.peer;
        match peer.starts_with("sg-") {
            true => rule["referencedGroupInfo"] = json!({"groupId": peer}),
            false => rule["cidrIpv4"] = json!(peer),
        }
        rule
    }

    fn property(&self, name: &str) -> Option<Vec<&str>> {
        (name == "group-id").then(|| vec![self.group])
    }
}

impl Told for Endpoint {
    fn told(&self, _: &str, region: &str) -> Value {
        let is_gateway = !self.route_tables.is_empty();
        let groups = self.groups.iter();
        let groups: Vec<_> = groups.map(|id| json!({"groupId": id})).collect();
        json!({
            "vpcEndpointId": self.id,
            "vpcEndpointType": if is_gateway { "Gateway" } else { "Interface" },
            "vpcId": self.vpc,
            "serviceName": format!("com.amazonaws.{region}.{}", self.service),
            "state": "available",
            "privateDnsEnabled": self.private_dns,
            "routeTableIdSet": {"item": self.route_tables},
            "groupSet": {"item": groups},
            "subnetIdSet": {"item": self.subnets},
            "policyDocument": self.policy.as_deref().unwrap_or(OPEN),
        })
    }

    fn property(&self, name: &str) -> Option<Vec<&str>> {
        match name {
            "vpc-id" => Some(vec![&self.vpc]),
            _ => None,
        }
    }
}

/// The policy that an endpoint has if nobody gave it another.
const OPEN: &str = r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;

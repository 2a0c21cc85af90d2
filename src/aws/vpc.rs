//! The network as EC2 tells of it: subnets, route tables, security groups and endpoints. What to make of them is left to
//! others.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::{
    Aws,
    error::Error,
    query::{Items, List, Service},
};

pub use super::query::Filter;

/// The tags of a thing.
pub type Tags = BTreeMap<String, String>;

/// A subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Subnet {
    /// `subnet-…`.
    #[serde(rename = "subnetId")]
    pub id: String,
    /// `vpc-…`.
    #[serde(rename = "vpcId")]
    pub vpc: String,
    /// `pending` or `available`, among others.
    pub state: String,
    /// The zone's name in this account, such as `eu-west-1a`.
    #[serde(rename = "availabilityZone")]
    pub zone: String,
    /// The zone's name in all accounts, such as `euw1-az2`.
    #[serde(rename = "availabilityZoneId")]
    pub zone_id: String,
    /// Its addresses, such as `10.0.1.0/24`.
    #[serde(rename = "cidrBlock")]
    pub cidr: String,
    /// Addresses that are free.
    #[serde(rename = "availableIpAddressCount")]
    pub free_addresses: u32,
    /// The account that it belongs to.
    #[serde(rename = "ownerId")]
    pub owner: String,
    /// The Outpost that it is on, if any.
    #[serde(rename = "outpostArn")]
    pub outpost: Option<String>,
    /// Its tags.
    #[serde(rename = "tagSet", deserialize_with = "tags")]
    pub tags: Tags,
}

/// A route table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteTable {
    /// `rtb-…`.
    #[serde(rename = "routeTableId")]
    pub id: String,
    /// `vpc-…`.
    #[serde(rename = "vpcId")]
    pub vpc: String,
    /// Its routes.
    #[serde(rename = "routeSet", deserialize_with = "items")]
    pub routes: Vec<Route>,
    /// The subnets that use it.
    #[serde(rename = "associationSet", deserialize_with = "items")]
    pub associations: Vec<Association>,
}

/// A route; one of its ways is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Route {
    /// The addresses that it is for.
    #[serde(rename = "destinationCidrBlock")]
    pub destination: Option<String>,
    /// `active` or `blackhole`.
    pub state: String,
    /// An internet gateway (`igw-…`), a gateway endpoint (`vpce-…`), or `local`.
    #[serde(rename = "gatewayId")]
    pub gateway: Option<String>,
    /// A NAT gateway.
    #[serde(rename = "natGatewayId")]
    pub nat_gateway: Option<String>,
    /// A network interface, that of a NAT instance or an appliance.
    #[serde(rename = "networkInterfaceId")]
    pub interface: Option<String>,
    /// An instance.
    #[serde(rename = "instanceId")]
    pub instance: Option<String>,
    /// A transit gateway.
    #[serde(rename = "transitGatewayId")]
    pub transit_gateway: Option<String>,
    /// A peering connection.
    #[serde(rename = "vpcPeeringConnectionId")]
    pub peering: Option<String>,
    /// A core network of Cloud WAN.
    #[serde(rename = "coreNetworkArn")]
    pub core_network: Option<String>,
}

/// Who uses a route table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Association {
    /// It is that of all subnets without one of their own.
    pub main: bool,
    /// This subnet.
    #[serde(rename = "subnetId")]
    pub subnet: Option<String>,
}

/// A security group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecurityGroup {
    /// `sg-…`.
    #[serde(rename = "groupId")]
    pub id: String,
    /// Its name, of which there is one in a VPC.
    #[serde(rename = "groupName")]
    pub name: String,
    /// `vpc-…`.
    #[serde(rename = "vpcId")]
    pub vpc: String,
    /// Its tags.
    #[serde(rename = "tagSet", deserialize_with = "tags")]
    pub tags: Tags,
}

/// A rule of a security group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecurityGroupRule {
    /// `sgr-…`.
    #[serde(rename = "securityGroupRuleId")]
    pub id: String,
    /// The group that it belongs to.
    #[serde(rename = "groupId")]
    pub group: String,
    /// Whether it is for what goes out.
    pub is_egress: bool,
    /// `tcp`, a number, or `-1` for all.
    #[serde(rename = "ipProtocol")]
    pub protocol: String,
    /// The first port; -1 for all.
    pub from_port: Option<i32>,
    /// The last port; -1 for all.
    pub to_port: Option<i32>,
    /// From or to these addresses.
    pub cidr_ipv4: Option<String>,
    /// From or to these addresses.
    pub cidr_ipv6: Option<String>,
    /// From or to the addresses of this list.
    #[serde(rename = "prefixListId")]
    pub prefix_list: Option<String>,
    /// From or to whatever has this group.
    #[serde(rename = "referencedGroupInfo", deserialize_with = "referenced")]
    pub peer: Option<String>,
}

/// A way to a service of AWS that does not leave the VPC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VpcEndpoint {
    /// `vpce-…`.
    #[serde(rename = "vpcEndpointId")]
    pub id: String,
    /// `Interface` or `Gateway`, among others.
    #[serde(rename = "vpcEndpointType")]
    pub kind: String,
    /// `vpc-…`.
    #[serde(rename = "vpcId")]
    pub vpc: String,
    /// Such as `com.amazonaws.eu-west-1.ssmmessages`.
    #[serde(rename = "serviceName")]
    pub service: String,
    /// `available`, among others.
    pub state: String,
    /// Whether the service's usual name leads to it.
    #[serde(rename = "privateDnsEnabled")]
    pub private_dns: bool,
    /// The route tables that know a gateway.
    #[serde(rename = "routeTableIdSet", deserialize_with = "items")]
    pub route_tables: Vec<String>,
    /// The subnets that an interface is in.
    #[serde(rename = "subnetIdSet", deserialize_with = "items")]
    pub subnets: Vec<String>,
    /// The security groups of an interface.
    #[serde(rename = "groupSet", deserialize_with = "group_ids")]
    pub groups: Vec<String>,
    /// Who may do what through it, as the text of a policy.
    #[serde(rename = "policyDocument")]
    pub policy: Option<String>,
}

const DESCRIBE_SUBNETS: List = List {
    service: Service::Ec2,
    action: "DescribeSubnets",
    by_id: "",
};
const DESCRIBE_ROUTE_TABLES: List = List {
    service: Service::Ec2,
    action: "DescribeRouteTables",
    by_id: "",
};
const DESCRIBE_SECURITY_GROUPS: List = List {
    service: Service::Ec2,
    action: "DescribeSecurityGroups",
    by_id: "",
};
const DESCRIBE_SECURITY_GROUP_RULES: List = List {
    service: Service::Ec2,
    action: "DescribeSecurityGroupRules",
    by_id: "",
};
const DESCRIBE_VPC_ENDPOINTS: List = List {
    service: Service::Ec2,
    action: "DescribeVpcEndpoints",
    by_id: "",
};

impl Aws {
    /// The subnets that pass all filters (`vpc-id`, `subnet-id`, `tag:…`).
    pub async fn subnets(&self, filters: &[Filter]) -> Result<Vec<Subnet>, Error> {
        self.select(DESCRIBE_SUBNETS, filters).await
    }

    /// The route tables that pass all filters (`vpc-id`).
    pub async fn route_tables(&self, filters: &[Filter]) -> Result<Vec<RouteTable>, Error> {
        self.select(DESCRIBE_ROUTE_TABLES, filters).await
    }

    /// The security groups that pass all filters (`vpc-id`, `group-id`, `group-name`, `tag:…`).
    pub async fn security_groups(&self, filters: &[Filter]) -> Result<Vec<SecurityGroup>, Error> {
        self.select(DESCRIBE_SECURITY_GROUPS, filters).await
    }

    /// The rules of security groups that pass all filters (`group-id`).
    pub async fn security_group_rules(
        &self,
        filters: &[Filter],
    ) -> Result<Vec<SecurityGroupRule>, Error> {
        self.select(DESCRIBE_SECURITY_GROUP_RULES, filters).await
    }

    /// The endpoints that pass all filters (`vpc-id`).
    pub async fn vpc_endpoints(&self, filters: &[Filter]) -> Result<Vec<VpcEndpoint>, Error> {
        self.select(DESCRIBE_VPC_ENDPOINTS, filters).await
    }
}

#[derive(Deserialize)]
struct Tag {
    #[serde(default)]
    key: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    #[serde(default)]
    group_id: String,
}

pub(super) fn items<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    Items::deserialize(from).map(|items: Items<T>| items.member)
}

pub(super) fn tags<'de, D: Deserializer<'de>>(from: D) -> Result<Tags, D::Error> {
    let tags = items(from)?.into_iter();
    Ok(tags.map(|tag: Tag| (tag.key, tag.value)).collect())
}

fn group_ids<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let groups = items(from)?.into_iter();
    Ok(groups.map(|group: Group| group.group_id).collect())
}

fn referenced<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Group::deserialize(from).map(|group| Some(group.group_id))
}

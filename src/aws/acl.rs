//! What a VPC itself lets pass: the access lists around its subnets, and whether it resolves names.

use serde::Deserialize;

use super::{
    Aws,
    error::Error,
    query::{Call, Filter, Form, List, Service},
    vpc::items,
};

const DESCRIBE_NETWORK_ACLS: List = List {
    service: Service::Ec2,
    action: "DescribeNetworkAcls",
    by_id: "",
};
const DESCRIBE_VPC_ATTRIBUTE: Call = Call {
    service: Service::Ec2,
    action: "DescribeVpcAttribute",
};

/// A list of rules around subnets, which knows no connections: answers need a rule as well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkAcl {
    /// `acl-…`.
    #[serde(rename = "networkAclId")]
    pub id: String,
    /// In any order.
    #[serde(rename = "entrySet", deserialize_with = "items")]
    pub rules: Vec<AclRule>,
    /// The subnets that it is around.
    #[serde(rename = "associationSet", deserialize_with = "items")]
    pub associations: Vec<AclAssociation>,
}

/// A rule of such a list; the first that fits decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AclRule {
    /// Its place.
    #[serde(rename = "ruleNumber")]
    pub number: u32,
    /// A number, or `-1` for all.
    pub protocol: String,
    /// `allow` or `deny`.
    #[serde(rename = "ruleAction")]
    pub action: String,
    /// Whether it is for what goes out.
    #[serde(rename = "egress")]
    pub is_egress: bool,
    /// From or to these addresses.
    #[serde(rename = "cidrBlock")]
    pub cidr: Option<String>,
    /// The ports; all, if none are told.
    #[serde(rename = "portRange")]
    pub ports: Option<AclPorts>,
}

/// First and last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AclPorts {
    /// The first.
    pub from: u16,
    /// The last.
    pub to: u16,
}

/// A subnet that a list is around.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AclAssociation {
    /// `subnet-…`.
    #[serde(rename = "subnetId")]
    pub subnet: String,
}

/// Whether a VPC resolves names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dns {
    /// `enableDnsSupport`: there is a resolver.
    pub support: bool,
    /// `enableDnsHostnames`: it knows the private names of endpoints.
    pub hostnames: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    enable_dns_support: Option<Flag>,
    enable_dns_hostnames: Option<Flag>,
}

#[derive(Debug, Deserialize)]
struct Flag {
    value: bool,
}

impl Aws {
    /// The access lists that pass all filters (`vpc-id`).
    pub async fn network_acls(&self, filters: &[Filter]) -> Result<Vec<NetworkAcl>, Error> {
        self.select(DESCRIBE_NETWORK_ACLS, filters).await
    }

    /// Whether a VPC resolves names; what AWS does not tell is on, as it is by itself.
    pub async fn vpc_dns(&self, vpc: &str) -> Result<Dns, Error> {
        let support = self.vpc_attribute(vpc, "enableDnsSupport").await?;
        let hostnames = self.vpc_attribute(vpc, "enableDnsHostnames").await?;
        let is_on = |flag: Option<Flag>| flag.is_none_or(|flag| flag.value);
        Ok(Dns {
            support: is_on(support.enable_dns_support),
            hostnames: is_on(hostnames.enable_dns_hostnames),
        })
    }

    async fn vpc_attribute(&self, vpc: &str, attribute: &str) -> Result<Attributes, Error> {
        let mut form = Form::of(DESCRIBE_VPC_ATTRIBUTE);
        form.add("VpcId", vpc);
        form.add("Attribute", attribute);
        let read = |text: &str| quick_xml::de::from_str::<Attributes>(text);
        self.ask(DESCRIBE_VPC_ATTRIBUTE, &form, read).await
    }
}

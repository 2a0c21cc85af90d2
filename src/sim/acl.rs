//! Access lists around subnets.

use serde_json::{Value, json};

use super::network::Told;

/// An access list around subnets: everything passes but what it drops.
#[derive(Clone, Debug, Default)]
pub struct Acl {
    /// `acl-…`.
    pub id: String,
    /// `vpc-…`.
    pub vpc: String,
    /// The subnets that it is around.
    pub subnets: Vec<String>,
    /// What it drops: whether on the way out, and the first and last port.
    pub drops: Vec<(bool, u16, u16)>,
}

impl Told for Acl {
    fn told(&self, _: &str, _: &str) -> Value {
        let drops = self.drops.iter().enumerate();
        let mut rules: Vec<_> = drops
            .map(|(index, (egress, from, to))| {
                json!({
                    "ruleNumber": 10 + index, "protocol": "6", "ruleAction": "deny", "egress": egress,
                    "cidrBlock": "0.0.0.0/0", "portRange": {"from": from, "to": to},
                })
            })
            .collect();
        for egress in [true, false] {
            for (number, action) in [(100, "allow"), (32_767, "deny")] {
                rules.push(json!({
                    "ruleNumber": number, "protocol": "-1", "ruleAction": action, "egress": egress,
                    "cidrBlock": "0.0.0.0/0",
                }));
            }
        }
        let associations = self.subnets.iter();
        let associations: Vec<_> = associations.map(|id| json!({"subnetId": id})).collect();
        json!({
            "networkAclId": self.id,
            "vpcId": self.vpc,
            "entrySet": {"item": rules},
            "associationSet": {"item": associations},
        })
    }

    fn property(&self, name: &str) -> Option<Vec<&str>> {
        (name == "vpc-id").then(|| vec![self.vpc.as_str()])
    }
}

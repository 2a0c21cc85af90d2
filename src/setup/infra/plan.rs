//! What is going to be made, as parameters of the template and in words. Pure.

use std::collections::BTreeMap;

use super::{cost, place::Place};

/// The stack to make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub stack: String,
    /// The database, as it is named in a configuration.
    pub database: String,
    pub vpc: String,
    pub subnets: Vec<String>,
    pub way: String,
    pub public_ip: bool,
    /// The database's, which gets a rule.
    pub security_group: String,
    pub port: u16,
    /// A host that the template's pattern does not accept.
    pub host: Option<String>,
    pub endpoints: Vec<&'static str>,
    pub route_tables: Vec<String>,
}

/// The switch of each endpoint.
const SWITCHES: [(&str, &str); 5] = [
    ("ssmmessages", "CreateSsmMessagesEndpoint"),
    ("logs", "CreateLogsEndpoint"),
    ("ecr.api", "CreateEcrApiEndpoint"),
    ("ecr.dkr", "CreateEcrDkrEndpoint"),
    ("s3", "CreateS3Endpoint"),
];

impl Plan {
    /// In this place.
    pub fn at(self, place: Place) -> Self {
        Self {
            subnets: place.subnets,
            way: place.way,
            public_ip: place.public_ip,
            endpoints: place.endpoints,
            route_tables: place.route_tables,
            ..self
        }
    }

    /// Endpoints that are paid for.
    pub fn interfaces(&self) -> impl Iterator<Item = &&'static str> {
        self.endpoints.iter().filter(|name| **name != "s3")
    }

    /// Those of the template that differ from its defaults.
    pub fn parameters(&self) -> BTreeMap<String, String> {
        let address = if self.public_ip {
            "ENABLED"
        } else {
            "DISABLED"
        };
        let mut all = vec![
            ("Name", self.stack.clone()),
            ("VpcId", self.vpc.clone()),
            ("SubnetIds", self.subnets.join(",")),
            ("AssignPublicIp", address.to_owned()),
            ("TargetSecurityGroupId", self.security_group.clone()),
            ("TargetPort", self.port.to_string()),
        ];
        if let Some(host) = &self.host {
            all.push((
                "AllowedHostPattern",
                format!("^{}$", host.replace('.', "\\.")),
            ));
        }
        for (name, switch) in SWITCHES {
            if self.endpoints.contains(&name) {
                all.push((switch, "true".to_owned()));
            }
        }
        if !self.endpoints.is_empty() || !self.route_tables.is_empty() {
            all.push(("ImageSource", "pull-through-cache".to_owned()));
            // A rule of the stack's own: another stack of the account may have the usual one.
            all.push(("PullThroughPrefix", format!("{}-ecr", self.stack)));
        }
        if self.interfaces().next().is_some() {
            // Each zone costs as much again.
            all.push(("EndpointSubnetIds", self.subnets[0].clone()));
        }
        if self.endpoints.contains(&"s3") {
            all.push(("RouteTableIds", self.route_tables.join(",")));
        }
        all.into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }

    /// For whoever is asked whether it may be done.
    pub fn text(&self, region: &str) -> String {
        let cost = cost::of(self, region);
        let mut lines = vec![
            format!("stack            {} in {region}", self.stack),
            format!("for              {}, port {}", self.database, self.port),
            format!("vpc              {}", self.vpc),
            format!("subnets          {}", self.subnets.join(", ")),
            format!("reaches AWS      {}", self.way),
            format!(
                "security groups  one for the bastion, without ingress; {} gets a rule that admits it",
                self.security_group
            ),
        ];
        if !self.endpoints.is_empty() {
            lines.push(format!(
                "endpoints        {}, in the zone of {}",
                self.endpoints.join(", "),
                self.subnets[0]
            ));
        }
        lines.push("and              a cluster, a task definition, a log group, two roles, a session document and a policy for its users".to_owned());
        lines.push(format!(
            "cost             {:.2} USD a month while nobody works, {:.3} USD an hour in use (an estimate)",
            cost.idle_month, cost.hour_in_use
        ));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            stack: "bastiond".into(),
            database: "rds-cluster:app".into(),
            vpc: "vpc-1".into(),
            subnets: vec!["subnet-1".into(), "subnet-2".into()],
            way: "by NAT or the like".into(),
            security_group: "sg-1".into(),
            port: 5432,
            ..Plan::default()
        }
    }

    #[test]
    fn every_parameter_is_one_of_the_template() {
        let plan = Plan {
            public_ip: true,
            host: Some("db.internal".into()),
            endpoints: vec!["ssmmessages", "logs", "ecr.api", "ecr.dkr", "s3"],
            route_tables: vec!["rtb-1".into()],
            ..plan()
        };
        let parameters = plan.parameters();
        let template = super::super::TEMPLATE;
        for key in parameters.keys() {
            assert!(template.contains(&format!("\n  {key}:")), "{key}");
        }
        assert_eq!(parameters["AllowedHostPattern"], "^db\\.internal$");
        assert_eq!(parameters["EndpointSubnetIds"], "subnet-1");
        assert_eq!(parameters["CreateS3Endpoint"], "true");
        assert_eq!(parameters["ImageSource"], "pull-through-cache");
    }

    #[test]
    fn with_a_way_out_no_endpoint_is_made_and_the_image_is_public() {
        let parameters = plan().parameters();
        assert_eq!(parameters["AssignPublicIp"], "DISABLED");
        assert!(
            !parameters
                .keys()
                .any(|key| key.starts_with("Create") || key == "ImageSource")
        );
    }

    #[test]
    fn the_plan_tells_what_it_costs() {
        let text = plan().text("us-east-1");
        assert!(
            text.contains("0.00 USD a month while nobody works, 0.010 USD an hour in use"),
            "{text}"
        );
        let isolated = Plan {
            endpoints: vec!["ssmmessages", "logs", "ecr.api", "ecr.dkr", "s3"],
            ..plan()
        };
        let text = isolated.text("us-east-1");
        assert!(
            text.contains("29.20 USD a month")
                && text.contains("ecr.dkr, s3, in the zone of subnet-1"),
            "{text}"
        );
    }
}

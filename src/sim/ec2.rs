//! EC2: the networks and instances of the account, with filters and pages.

use serde_json::{Map, Value, json};

use super::{
    instances,
    network::{Network, Owned, Told},
    wire::ApiError,
    world::{Core, World},
};

/// Answers one call.
pub(super) fn perform(core: &Core, operation: &str, body: &Value) -> Result<Value, ApiError> {
    let state = core.state();
    let network = &state.network;
    let (set, found) = match operation {
        "DescribeSubnets" => ("subnetSet", select(core, &network.subnets, body)),
        "DescribeRouteTables" => ("routeTableSet", select(core, &network.route_tables, body)),
        "DescribeSecurityGroups" => (
            "securityGroupInfo",
            select(core, &network.security_groups, body),
        ),
        "DescribeSecurityGroupRules" => {
            let groups = network.security_groups.iter();
            let rules: Vec<Owned<'_>> = groups
                .flat_map(|group| {
                    let owned = |rule| Owned {
                        group: &group.id,
                        rule,
                    };
                    group.rules.iter().map(owned)
                })
                .collect();
            ("securityGroupRuleSet", select(core, &rules, body))
        }
        "DescribeInstances" => {
            let instances = instances::at(core, &state);
            ("reservationSet", select(core, &instances, body))
        }
        "StartInstances" | "StopInstances" => {
            drop(state);
            return instances::change(core, operation, body);
        }
        "DescribeNetworkAcls" => ("networkAclSet", select(core, &network.acls, body)),
        "DescribeVpcAttribute" => return Ok(attribute(network, body)),
        "DescribeVpcEndpoints" => ("vpcEndpointSet", select(core, &network.endpoints, body)),
        _ => {
            let message = format!("The action {operation} is not valid for this web service.");
            return Err(ApiError::new("InvalidAction", message));
        }
    };
    page(set, found?, body, core.script.page_size)
}

/// Whether VPCs do what is asked for.
fn attribute(network: &Network, body: &Value) -> Value {
    let name = body["Attribute"].as_str().unwrap_or_default();
    let is_on = !network.without.contains(&name);
    json!({"vpcId": body["VpcId"], name: {"value": is_on}})
}

/// What passes all filters.
fn select<T: Told>(core: &Core, all: &[T], body: &Value) -> Result<Vec<Value>, ApiError> {
    let filters = filters(body);
    let mut found = Vec::new();
    for thing in all {
        let mut passes = true;
        for (name, values) in &filters {
            passes &= fits(thing, name, values)?;
        }
        if passes {
            found.push(thing.told(&core.script.account, &core.script.region));
        }
    }
    Ok(found)
}

fn fits(thing: &impl Told, name: &str, values: &[String]) -> Result<bool, ApiError> {
    let tag = name.strip_prefix("tag:");
    let has: Vec<&str> = match tag {
        Some(key) => {
            let tags = thing.tags().iter();
            tags.filter(|(known, _)| known == key)
                .map(|(_, value)| value.as_str())
                .collect()
        }
        None => thing.property(name).ok_or_else(|| {
            let message = format!("The filter '{name}' is invalid");
            ApiError::new("InvalidParameterValue", message)
        })?,
    };
    Ok(has
        .iter()
        .any(|has| values.iter().any(|value| value == has)))
}

/// `Filter.1.Name=vpc-id&Filter.1.Value.1=vpc-1`; the values are patterns, of which only the escapes are known here.
fn filters(body: &Value) -> Vec<(String, Vec<String>)> {
    let text = |name: String| body[name].as_str().map(str::to_owned);
    let filter = |index: usize| {
        let name = text(format!("Filter.{index}.Name"))?;
        let values = (1..).map_while(|nth| text(format!("Filter.{index}.Value.{nth}")));
        Some((name, values.map(|value| value.replace('\\', "")).collect()))
    };
    (1..).map_while(filter).collect()
}

/// The page that `NextToken` asks for.
fn page(set: &str, found: Vec<Value>, body: &Value, most: usize) -> Result<Value, ApiError> {
    let token = body["NextToken"].as_str();
    let start = token.map_or(Some(0), |token| token.parse().ok());
    let start: usize =
        start.ok_or_else(|| ApiError::new("InvalidNextToken", "The token is not valid"))?;
    let asked = body["MaxResults"]
        .as_str()
        .and_then(|text| text.parse().ok());
    let size = most.min(asked.unwrap_or(usize::MAX));
    let end = found.len().min(start + size);
    let items = found.get(start..end).unwrap_or_default();
    let mut answer = Map::from_iter([(set.to_owned(), json!({"item": items}))]);
    if end < found.len() {
        answer.insert("nextToken".to_owned(), json!(end.to_string()));
    }
    Ok(Value::Object(answer))
}

impl World {
    /// The networks are these from now on.
    pub fn set_network(&self, network: Network) {
        self.core.change(|state| state.network = network);
    }
}

//! What is going to be made, in words. Pure.

use super::{
    cost::{self, INTERFACES},
    template::Told,
    wish::{SWITCHES, Target, Wish},
};

/// What is shown to whoever is asked whether it may be done.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub stack: String,
    pub region: String,
    pub wish: Wish,
    /// What a stack that is there was told.
    pub before: Option<Told>,
    pub told: Told,
    /// What has to be known besides.
    pub notes: Vec<String>,
}

impl Plan {
    /// In words, without an end of line.
    pub fn text(&self) -> String {
        let mut rows = vec![("stack", self.title())];
        if let Some(Target {
            database: Some(database),
            ..
        }) = &self.wish.target
        {
            rows.push((
                "for",
                format!("{database}, port {}", self.told.value("TargetPort")),
            ));
        }
        rows.push(("vpc", self.told.value("VpcId").to_owned()));
        rows.push(("subnets", self.subnets()));
        if let Some(place) = &self.wish.place {
            rows.push(("reaches AWS", place.way.words().to_owned()));
        }
        rows.push(("cluster", self.cluster()));
        rows.push(("security groups", groups(&self.told)));
        rows.push(("endpoints", endpoints(&self.told)));
        rows.extend(titled("and", besides(&self.told)));
        let [cost, source] = cost::words(&self.told, &self.region);
        rows.push(("cost", cost));
        rows.push(("", source));
        rows.extend(self.notes.iter().map(|note| ("note", note.clone())));
        let title = match self.before {
            None => "parameters",
            Some(_) => "changes",
        };
        rows.extend(titled(title, self.parameters()));
        let lines = rows
            .iter()
            .map(|(title, text)| format!("{title:<17}{text}"));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn title(&self) -> String {
        let Self { stack, region, .. } = self;
        match self.before {
            None => format!("{stack} in {region}, which is made"),
            Some(_) => {
                format!("{stack} in {region}, which is there: what is not named stays as it is")
            }
        }
    }

    fn subnets(&self) -> String {
        let all = self.told.list("SubnetIds");
        let place = self.wish.place.as_ref();
        let zone = |id: &str| {
            let index = place?.subnets.iter().position(|it| it == id)?;
            place?.zones.get(index)
        };
        let shown = all.into_iter().map(|id| match zone(id) {
            Some(zone) => format!("{id} ({zone})"),
            None => id.to_owned(),
        });
        shown.collect::<Vec<_>>().join(", ")
    }

    fn cluster(&self) -> String {
        match self.told.value("ExistingClusterName") {
            "" => format!("{}, the stack's own", self.told.value("Name")),
            name => format!("{name}, which is there already"),
        }
    }

    /// Of a new stack all that is not as the template has it, of another what becomes different.
    fn parameters(&self) -> Vec<String> {
        let Some(before) = &self.before else {
            let all = self.told.unusual();
            return all.map(|(name, value)| format!("{name}={value}")).collect();
        };
        let changed: Vec<_> = self
            .told
            .0
            .iter()
            .filter(|(name, value)| before.value(name) != **value)
            .map(|(name, value)| format!("{name}={value} (was `{}`)", before.value(name)))
            .collect();
        match changed.is_empty() {
            true => vec!["no parameter".to_owned()],
            false => changed,
        }
    }
}

/// A row for each; the first has the title.
fn titled(title: &'static str, texts: Vec<String>) -> impl Iterator<Item = (&'static str, String)> {
    let titles = std::iter::once(title).chain(std::iter::repeat(""));
    titles.zip(texts)
}

fn groups(told: &Told) -> String {
    let port = told.value("TargetPort");
    match told.value("TargetSecurityGroupId") {
        "" => format!(
            "one for the bastion, without ingress; that of the database has to admit it at port {port} by itself"
        ),
        group => format!(
            "one for the bastion, without ingress; {group} gets a rule that admits it at port {port}"
        ),
    }
}

fn endpoints(told: &Told) -> String {
    let on = SWITCHES.iter().chain([&("kms", "CreateKmsEndpoint")]);
    let on: Vec<_> = on
        .filter(|(_, switch)| told.is_on(switch))
        .map(|(name, _)| *name)
        .collect();
    if on.is_empty() {
        return "none".to_owned();
    }
    let subnets = match told.list("EndpointSubnetIds") {
        few if !few.is_empty() => few,
        _ => told.list("SubnetIds"),
    };
    match INTERFACES.iter().any(|switch| told.is_on(switch)) {
        true => format!("{}, in {}", on.join(", "), subnets.join(", ")),
        false => on.join(", "),
    }
}

/// What is made besides all that has a row of its own.
fn besides(told: &Told) -> Vec<String> {
    let containers = match told.value("Containers") {
        "1" => "one container".to_owned(),
        several => format!("{several} containers"),
    };
    let mut all = vec![
        format!("a task definition with {containers}"),
        "a log group".to_owned(),
        "a task role and an execution role".to_owned(),
        "a policy for who uses it".to_owned(),
    ];
    let is_cached = told.value("ImageSource") == "pull-through-cache";
    for (is_made, what) in [
        (told.is_on("CreateRestrictedDocument"), "a session document"),
        (told.is_on("CreateOperatorRole"), "a role for who uses it"),
        (told.is_on("ServiceMode"), "a service without tasks"),
        (
            is_cached && !told.is_on("ExistingPullThroughCache"),
            "a pull-through cache rule",
        ),
    ] {
        all.extend(is_made.then(|| what.to_owned()));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::infra::wish::fixture::{isolated, wish};

    fn plan(wish: Wish, before: Option<Told>) -> Plan {
        Plan {
            stack: "bastiond".into(),
            region: "us-east-1".into(),
            told: wish.told("bastiond", &before.clone().unwrap_or_default()),
            wish,
            before,
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_stack_that_is_there_keeps_what_nobody_names() {
        let mut before = isolated().told("bastiond", &Told::default());
        before.0.insert("IdleSeconds".into(), "60".into());
        let same = Wish::default().told("bastiond", &before);
        assert_eq!(same, before);
        let by_address = Wish {
            target: Some(Target {
                cidr: Some("10.0.0.0/16".into()),
                ..Target::default()
            }),
            ..Wish::default()
        };
        let plan = plan(by_address, Some(before));
        assert_eq!(plan.told.value("TargetSecurityGroupId"), "");
        let text = plan.text();
        assert!(
            text.contains("changes          TargetCidr=10.0.0.0/16 (was ``)\n"),
            "{text}"
        );
        assert!(
            text.contains("TargetSecurityGroupId= (was `sg-1`)"),
            "{text}"
        );
        assert!(!text.contains("IdleSeconds"), "{text}");
    }

    #[test]
    fn the_plan_of_a_new_stack_tells_all_that_is_made_and_what_it_costs() {
        insta::assert_snapshot!(plan(wish(), None).text(), @r#"
    stack            bastiond in us-east-1, which is made
    for              rds-cluster:app, port 6543
    vpc              vpc-1
    subnets          subnet-1 (a), subnet-2 (b)
    reaches AWS      by NAT or the like
    cluster          bastiond, the stack's own
    security groups  one for the bastion, without ingress; sg-1 gets a rule that admits it at port 6543
    endpoints        none
    and              a task definition with one container
                     a log group
                     a task role and an execution role
                     a policy for who uses it
                     a session document
    cost             0.00 USD a month while nobody works, 0.010 USD an hour in use
                     an estimate, by prices of us-east-1 of 2026-04
    parameters       SubnetIds=subnet-1,subnet-2
                     TargetPort=6543
                     TargetSecurityGroupId=sg-1
                     VpcId=vpc-1
    "#);
    }

    #[test]
    fn the_plan_of_an_isolated_network_tells_its_endpoints_and_their_cost() {
        let mut wish = isolated();
        wish.given.insert("ServiceMode".into(), "true".into());
        insta::assert_snapshot!(plan(wish, None).text(), @r#"
    stack            bastiond in us-east-1, which is made
    for              rds-cluster:app, port 6543
    vpc              vpc-1
    subnets          subnet-1 (a), subnet-2 (b)
    reaches AWS      by VPC endpoints, of which some have to be made
    cluster          bastiond, the stack's own
    security groups  one for the bastion, without ingress; sg-1 gets a rule that admits it at port 6543
    endpoints        ssmmessages, logs, ecr.api, ecr.dkr, s3, in subnet-1
    and              a task definition with one container
                     a log group
                     a task role and an execution role
                     a policy for who uses it
                     a session document
                     a service without tasks
                     a pull-through cache rule
    cost             29.20 USD a month while nobody works, 0.010 USD an hour in use
                     an estimate, by prices of us-east-1 of 2026-04
    parameters       CreateEcrApiEndpoint=true
                     CreateEcrDkrEndpoint=true
                     CreateLogsEndpoint=true
                     CreateS3Endpoint=true
                     CreateSsmMessagesEndpoint=true
                     EndpointSubnetIds=subnet-1
                     ImageSource=pull-through-cache
                     PullThroughPrefix=bastiond-ecr
                     RouteTableIds=rtb-1,rtb-2
                     ServiceMode=true
                     SubnetIds=subnet-1,subnet-2
                     TargetPort=6543
                     TargetSecurityGroupId=sg-1
                     VpcId=vpc-1
    "#);
    }
}

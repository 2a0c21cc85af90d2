//! The template that this program carries, and what it can be told. Pure.

use std::{collections::BTreeMap, sync::OnceLock};

/// What the stack is made of, as it stands in the repository.
pub(super) const TEMPLATE: &str = include_str!("../../../infra/bastion.yaml");

/// A parameter of the template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parameter {
    pub name: String,
    /// What it is when nobody says; empty where somebody must.
    pub default: String,
    /// The only values that it takes; none: any.
    pub allowed: Vec<String>,
}

/// All of them, in the template's order.
pub(super) fn parameters() -> &'static [Parameter] {
    static ALL: OnceLock<Vec<Parameter>> = OnceLock::new();
    ALL.get_or_init(|| read(TEMPLATE))
}

/// What a stack is told: what is not said has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told(pub BTreeMap<String, String>);

impl Told {
    /// What a parameter is, said or not.
    pub fn value(&self, name: &str) -> &str {
        let default = || {
            let known = parameters().iter().find(|it| it.name == name);
            known.map_or("", |it| it.default.as_str())
        };
        self.0.get(name).map_or_else(default, String::as_str)
    }

    /// Whether a switch is on.
    pub fn is_on(&self, name: &str) -> bool {
        self.value(name) == "true"
    }

    /// The words of a list.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let words = self.value(name).split(',').map(str::trim);
        words.filter(|it| !it.is_empty()).collect()
    }

    /// What is not as the template has it.
    pub fn unusual(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.iter().filter(|(name, value)| {
            let known = parameters().iter().find(|it| it.name == **name);
            known.is_none_or(|it| it.default != **value)
        });
        all.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The assertions of the template, checked before anything is asked: when one does not hold, and what it says.
type Rule = (&'static str, fn(&Told) -> bool, &'static str);
const RULES: [Rule; 6] = [
    (
        "CustomImageNeedsUri",
        |told| told.value("ImageSource") == "custom" && told.value("CustomImage").is_empty(),
        "ImageSource=custom needs CustomImage",
    ),
    (
        "S3EndpointNeedsRouteTables",
        |told| told.is_on("CreateS3Endpoint") && told.list("RouteTableIds").is_empty(),
        "CreateS3Endpoint=true needs RouteTableIds",
    ),
    (
        "OperatorNeedsPrincipal",
        |told| told.is_on("CreateOperatorRole") && told.value("OperatorPrincipalArn").is_empty(),
        "CreateOperatorRole=true needs OperatorPrincipalArn",
    ),
    (
        "PublicImageNeedsInternet",
        |told| told.value("ImageSource") == "public-ecr" && told.is_on("CreateEcrDkrEndpoint"),
        "the endpoints of ECR do not serve public.ecr.aws: with CreateEcrDkrEndpoint=true goes \
         ImageSource=pull-through-cache or custom",
    ),
    (
        "EgressNeedsATarget",
        |told| {
            told.value("TargetSecurityGroupId").is_empty() && told.value("TargetCidr").is_empty()
        },
        "the bastion may reach nothing: give --security-group or --target-cidr",
    ),
    (
        "MfaNeedsARole",
        |told| told.is_on("OperatorRequireMfa") && !told.is_on("CreateOperatorRole"),
        "OperatorRequireMfa=true needs CreateOperatorRole=true",
    ),
];

/// What cannot be, in words.
pub(super) fn impossible(told: &Told) -> Option<&'static str> {
    let broken = RULES.iter().find(|(_, is_broken, _)| is_broken(told));
    broken.map(|(_, _, says)| *says)
}

/// Whether the template knows the parameter, and the parameter the value.
pub(super) fn check(name: &str, value: &str) -> Result<(), String> {
    let Some(known) = parameters().iter().find(|it| it.name == name) else {
        let names = parameters().iter().map(|it| it.name.as_str());
        let near = names.min_by_key(|it| strsim::damerau_levenshtein(it, name));
        let near = near.unwrap_or_default();
        return Err(format!(
            "the template has no parameter `{name}`\nhint: did you mean `{near}`? bastiond infra template shows all"
        ));
    };
    match known.allowed.is_empty() || known.allowed.iter().any(|it| it == value) {
        true => Ok(()),
        false => Err(format!(
            "`{value}` is none of what {name} takes: {}",
            known.allowed.join(", ")
        )),
    }
}

/// The section `Parameters`, as this template writes it: two spaces before each name, and what is said of it either on
/// lines of its own or in braces.
fn read(template: &str) -> Vec<Parameter> {
    let lines = template.lines().skip_while(|line| *line != "Parameters:");
    let lines = lines.skip(1).take_while(|line| is_inside(line));
    let mut all: Vec<(String, String)> = Vec::new();
    for line in lines {
        let name = line.strip_prefix("  ").filter(|it| !it.starts_with(' '));
        match (name.and_then(|it| it.split_once(':')), all.last_mut()) {
            (Some((name, rest)), _) => all.push((name.to_owned(), rest.to_owned())),
            (None, Some((_, text))) => {
                text.push('\n');
                text.push_str(line.trim());
            }
            (None, None) => {}
        }
    }
    let read = |(name, text): (String, String)| Parameter {
        name,
        default: after(&text, "Default: ").map(scalar).unwrap_or_default(),
        allowed: after(&text, "AllowedValues: [")
            .and_then(|rest| rest.split(']').next())
            .map(|list| list.split(", ").map(scalar).collect())
            .unwrap_or_default(),
    };
    all.into_iter().map(read).collect()
}

fn is_inside(line: &str) -> bool {
    line.is_empty() || line.starts_with(' ')
}

fn after<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.split_once(key).map(|(_, rest)| rest)
}

/// The text at the beginning of `text`, with or without quotation marks.
fn scalar(text: &str) -> String {
    let Some(quoted) = text.strip_prefix('"') else {
        let plain = text.split([',', '\n', '}']).next().unwrap_or_default();
        return plain.trim().to_owned();
    };
    let (mut value, mut is_escaped) = (String::new(), false);
    for c in quoted.chars() {
        match c {
            '\\' if !is_escaped => is_escaped = true,
            '"' if !is_escaped => break,
            c => {
                is_escaped = false;
                value.push(c);
            }
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pairs: &[(&str, &str)]) -> Told {
        let enough = [("TargetSecurityGroupId", "sg-1")];
        let pairs = enough.iter().chain(pairs);
        Told(
            pairs
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn the_template_s_parameters_are_read_with_their_defaults() {
        let told = told(&[("IdleSeconds", "900"), ("VpcId", "vpc-1")]);
        assert_eq!(parameters().len(), 36);
        for (name, default) in [
            ("Name", "bastiond"),
            ("CreateKmsEndpoint", "false"),
            ("TargetCidr", ""),
            ("TargetPort", "5432"),
            (
                "AllowedHostPattern",
                r"^[A-Za-z0-9.-]+\.(rds|cache|redshift|docdb|neptune)\.amazonaws\.com(\.cn)?$",
            ),
        ] {
            assert_eq!(told.value(name), default, "{name}");
        }
        let unusual: Vec<_> = told.unusual().collect();
        assert_eq!(
            unusual,
            [("TargetSecurityGroupId", "sg-1"), ("VpcId", "vpc-1")]
        );
    }

    #[test]
    fn a_parameter_that_is_not_there_and_a_value_that_it_does_not_take_are_refused() {
        assert_eq!(check("ServiceMode", "true"), Ok(()));
        assert_eq!(check("CustomImage", "anything"), Ok(()));
        let unknown = check("SevriceMode", "true").unwrap_err();
        assert!(unknown.contains("did you mean `ServiceMode`?"), "{unknown}");
        let wrong = check("ServiceMode", "yes").unwrap_err();
        assert!(wrong.ends_with("ServiceMode takes: true, false"), "{wrong}");
        assert!(check("Containers", "4").is_ok() && check("CpuArchitecture", "arm").is_err());
    }

    #[test]
    fn every_assertion_of_the_template_is_checked_before_anything_is_asked() {
        let section = TEMPLATE.split("\nRules:\n").nth(1).unwrap();
        let section = section.split("\n\n").next().unwrap();
        let names: Vec<_> = section
            .lines()
            .filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'))
            .filter(|name| !name.starts_with(' '))
            .collect();
        assert_eq!(names, RULES.map(|(name, ..)| name));
        assert_eq!(impossible(&told(&[])), None);
        for (pairs, name) in [
            (&[("ImageSource", "custom")][..], "CustomImage"),
            (&[("CreateS3Endpoint", "true")], "RouteTableIds"),
            (&[("CreateOperatorRole", "true")], "OperatorPrincipalArn"),
            (&[("CreateEcrDkrEndpoint", "true")], "public.ecr.aws"),
            (&[("TargetSecurityGroupId", "")], "--target-cidr"),
            (&[("OperatorRequireMfa", "true")], "CreateOperatorRole"),
        ] {
            let says = impossible(&told(pairs)).expect(name);
            assert!(says.contains(name), "{says}");
        }
    }

    /// Bound of `TemplateBody` (CloudFormation API model).
    #[test]
    fn the_template_is_short_enough_to_be_handed_in() {
        assert!(TEMPLATE.len() <= 51_200, "{}", TEMPLATE.len());
    }
}

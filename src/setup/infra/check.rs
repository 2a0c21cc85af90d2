//! What is wrong with a deployment whatever there is in AWS. Pure.

use anyhow::{anyhow, bail};

use super::template::{self, Told};
use crate::cli;

/// Parameters that have a flag of their own.
const FLAGS: [(&str, &str); 7] = [
    ("Name", "--stack"),
    ("VpcId", "--vpc"),
    ("SubnetIds", "--subnet"),
    ("TargetSecurityGroupId", "--security-group"),
    ("TargetCidr", "--target-cidr"),
    ("TargetPort", "--port"),
    ("ExistingClusterName", "--cluster"),
];

/// Refuses what cannot be.
pub(super) fn check(options: &cli::Deploy) -> anyhow::Result<()> {
    for (name, value) in &options.parameter {
        if let Some((_, flag)) = FLAGS.iter().find(|(known, _)| known == name) {
            bail!("{name} has a flag of its own\nhint: give {flag}");
        }
        template::check(name, value).map_err(|why| anyhow!(why))?;
    }
    let mut told = Told(options.parameter.iter().cloned().collect());
    for later in ["TargetSecurityGroupId", "RouteTableIds"] {
        let value = told.0.entry(later.to_owned()).or_default();
        if value.is_empty() {
            value.push_str("found later");
        }
    }
    match template::impossible(&told) {
        Some(why) => bail!("{why}\nhint: correct --parameter"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(pairs: &[(&str, &str)]) -> String {
        let parameter = pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        let options = cli::Deploy {
            parameter: parameter.collect(),
            ..cli::Deploy::default()
        };
        check(&options)
            .err()
            .map(|it| it.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn what_cannot_be_is_refused_before_anything_is_asked() {
        assert_eq!(
            checked(&[("IdleSeconds", "600"), ("CreateS3Endpoint", "true")]),
            ""
        );
        for (pairs, says) in [
            (&[("VpcId", "vpc-1")][..], "hint: give --vpc"),
            (&[("Idle", "1")], "did you mean `"),
            (&[("ServiceMode", "on")], "ServiceMode takes: true, false"),
            (
                &[("ImageSource", "custom")],
                "ImageSource=custom needs CustomImage",
            ),
            (
                &[("CreateOperatorRole", "true")],
                "needs OperatorPrincipalArn",
            ),
        ] {
            let told = checked(pairs);
            assert!(told.contains(says), "{pairs:?}: {told}");
        }
    }

    #[test]
    fn every_parameter_that_has_a_flag_is_one_of_the_template() {
        for (name, _) in FLAGS {
            assert!(
                template::parameters().iter().any(|it| it.name == name),
                "{name}"
            );
        }
    }
}

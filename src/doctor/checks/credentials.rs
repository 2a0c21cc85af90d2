//! C: credentials, and whose they are.

use std::time::Duration;

use crate::aws::{Error, Kind, Login};
use crate::doctor::check::{Check, Gap, Judge, Level, Verdict};
use crate::doctor::facts::Account;

/// Sessions resume once an hour, and a start takes a minute: with less than this it is time to sign in again.
const SHORT: Duration = Duration::from_secs(15 * 60);

pub const CHECKS: &[Check] = &[
    Check {
        id: "C01",
        title: "there are credentials",
        looks_at: "the profile, the environment and the sign-in, as the AWS SDK finds them",
        levels: &[Level::Warn, Level::Fail],
        why: "Nothing can be asked of AWS without them. Those that are about to expire and cannot be renewed end \
              work at an inconvenient time; tunnels that are open go on.",
        fix: "{renew}",
        needs: &[],
        judge: Judge::Account(load),
    },
    Check {
        id: "C02",
        title: "AWS takes them, and they are of the configured account",
        looks_at: "GetCallerIdentity, and the accounts in the ARNs of the configuration",
        levels: &[Level::Fail],
        why: "Keys that were deleted, or the profile of another account, fail at the first call. The call needs no \
              permission.",
        fix: "set `profile` under [aws] to one of account {account}",
        needs: &[],
        judge: Judge::Account(identity),
    },
    Check {
        id: "C03",
        title: "the role can be assumed, and its session tells who you are",
        looks_at: "AssumeRole, where `role_arn` is set; the name of the session that AWS tells",
        levels: &[Level::Warn, Level::Fail],
        why: "A session whose name is the same for everybody tells CloudTrail, and whoever counts sessions, nothing of who \
              it is: `role_session_name` of a profile may be such a one. The role's trust policy must name us, our policy must allow sts:AssumeRole on it, and an external id \
              or an MFA code that it asks for must be given.",
        fix: "let the trust policy of {role} name you, and allow yourself sts:AssumeRole on it",
        needs: &[],
        judge: Judge::Account(role),
    },
    Check {
        id: "C04",
        title: "the region is enabled, and is where the ARNs say",
        looks_at: "the region in use, the identity's partition, and the ARNs of the configuration",
        levels: &[Level::Fail],
        why: "A region that is not enabled refuses every call, and a cluster of one region is unknown in another. \
              China and GovCloud are partitions with accounts of their own.",
        fix: "set `region` under [aws] to {region}",
        needs: &[],
        judge: Judge::Account(region),
    },
];

/// Whether the role on top of the credentials is what fails.
fn is_of_role(error: &Error) -> bool {
    error.operation == "AssumeRole" || error.kind == Kind::Login(Login::Mfa)
}

fn load(account: &Account) -> Result<Verdict, Gap> {
    needs_region(account)?;
    let credentials = match &account.credentials {
        Ok(credentials) => credentials,
        Err(error) if is_of_role(error) => return Ok(Verdict::ok("those to assume the role with")),
        Err(error) => return Ok(failed(error)),
    };
    Ok(match credentials.left {
        Some(left) if left < SHORT => {
            let minutes = left.as_secs() / 60;
            let evidence = format!("{}: {minutes} min left", credentials.source);
            Verdict::warn(evidence).fill("renew", "sign in again before they expire")
        }
        Some(left) => {
            let minutes = left.as_secs() / 60;
            Verdict::ok(format!("{}, {minutes} min left", credentials.source))
        }
        None => Verdict::ok(&credentials.source),
    })
}

/// AWS's own words, and the advice on them.
fn failed(error: &Error) -> Verdict {
    let fix = error.hint();
    Verdict::fail(error.to_string())
        .fill("renew", "sign in to AWS again")
        .maybe_fix(fix)
}

fn identity(account: &Account) -> Result<Verdict, Gap> {
    needs_credentials(account)?;
    let identity = match &account.identity {
        Ok(identity) => identity,
        Err(error) => return unasked(error).map(|()| failed(error)),
    };
    let others = account
        .arns
        .iter()
        .filter_map(|arn| Some((arn, part(arn, 4)?)));
    let other = others
        .filter(|(_, owner)| *owner != identity.account)
        .find(|(arn, _)| part(arn, 2) != Some("iam"));
    Ok(match other {
        Some((arn, owner)) => {
            let evidence = format!(
                "we are in account {}, and not that of {arn}",
                identity.account
            );
            Verdict::fail(evidence).fill("account", owner)
        }
        None => Verdict::ok(format!("{} in account {}", identity.arn, identity.account)),
    })
}

/// What other checks tell of already is no failure of its own.
fn unasked(error: &Error) -> Result<(), Gap> {
    match error.kind {
        Kind::Unreachable | Kind::Timeout => Err(Gap::Needs("AWS to be reached (L05, L06)")),
        Kind::ClockSkew(_) => Err(Gap::Needs("a right clock (L04)")),
        _ if is_region(error) => Err(Gap::Needs("a region that is enabled (C04)")),
        _ if error.is_retryable() => Err(Gap::Failed(error.to_string())),
        _ => Ok(()),
    }
}

fn is_region(error: &Error) -> bool {
    error.code.as_deref() == Some("RegionDisabledException")
}

/// Without one no call was made.
fn needs_region(account: &Account) -> Result<(), Gap> {
    match account.region.is_empty() {
        true => Err(Gap::Needs("a region (C04)")),
        false => Ok(()),
    }
}

fn needs_credentials(account: &Account) -> Result<(), Gap> {
    needs_region(account)?;
    match &account.credentials {
        Ok(_) => Ok(()),
        Err(error) if is_of_role(error) => Err(Gap::Needs("the role (C03)")),
        Err(_) => Err(Gap::Needs("credentials (C01)")),
    }
}

/// Names that programs and people give to every session.
const CONSTANT: [&str; 10] = [
    "admin", "aws", "aws-cli", "bastion", "bastiond", "cli", "default", "dev", "session", "user",
];
/// The same, followed by a number.
const COUNTED: [&str; 3] = ["botocore-session-", "aws-sdk-", "aws-go-sdk-"];

/// The name of the role's session, if it is one that anybody could have.
fn anonymous(account: &Account) -> Option<&str> {
    let arn = &account.identity.as_ref().ok()?.arn;
    let (_, session) = arn.split_once(":assumed-role/")?;
    let name = session.split_once('/')?.1;
    let is_constant = CONSTANT.contains(&name.to_ascii_lowercase().as_str())
        || COUNTED.iter().any(|start| name.starts_with(start));
    Some(name).filter(|name| is_constant && *name != account.user)
}

fn role(account: &Account) -> Result<Verdict, Gap> {
    if let Some(name) = anonymous(account) {
        let fix = format!(
            "set role_session_name of the profile to {}, or leave it out",
            account.user
        );
        return Ok(Verdict::warn(format!("the role's session is called {name}")).fix(fix));
    }
    let Some(role) = &account.role else {
        return Ok(Verdict::ok("none is configured"));
    };
    needs_region(account)?;
    match &account.credentials {
        Ok(_) => Ok(Verdict::ok(role)),
        Err(error) if is_of_role(error) => {
            unasked(error)?;
            let fix = error
                .hint()
                .filter(|_| matches!(error.kind, Kind::Login(_)));
            Ok(Verdict::fail(error.to_string())
                .fill("role", role)
                .maybe_fix(fix))
        }
        Err(_) => Err(Gap::Needs("credentials (C01)")),
    }
}

fn region(account: &Account) -> Result<Verdict, Gap> {
    let ours = account.region.as_str();
    if ours.is_empty() {
        let fix = "set `region` under [aws], or AWS_REGION";
        return Ok(Verdict::fail("no region is set").fix(fix));
    }
    if let Err(error) = &account.identity
        && is_region(error)
    {
        let fix = format!("enable {ours} for the account, or set `region` under [aws] to another");
        return Ok(Verdict::fail(error.to_string()).fix(fix));
    }
    let mut regions = account
        .arns
        .iter()
        .filter_map(|arn| Some((arn, part(arn, 3)?)));
    if let Some((arn, region)) = regions.find(|(_, region)| *region != ours) {
        let evidence = format!("calls go to {ours}, and not to the region of {arn}");
        return Ok(Verdict::fail(evidence).fill("region", region));
    }
    if let Ok(identity) = &account.identity
        && let Some(partition) = part(&identity.arn, 1)
        && partition != partition_of(ours)
    {
        let evidence = format!("{ours} is not in partition {partition}, where the credentials are");
        return Ok(Verdict::fail(evidence).fill("region", format!("one of partition {partition}")));
    }
    needs_credentials(account)?;
    Ok(Verdict::ok(ours))
}

/// The partition of a region, by the beginning of its name (AWS's list of partitions).
fn partition_of(region: &str) -> &'static str {
    let known = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-isob-", "aws-iso-b"),
        ("us-isof-", "aws-iso-f"),
        ("us-iso-", "aws-iso"),
        ("eu-isoe-", "aws-iso-e"),
        ("eusc-", "aws-eusc"),
    ];
    let found = known.iter().find(|(prefix, _)| region.starts_with(prefix));
    found.map_or("aws", |(_, partition)| partition)
}

/// A field of an ARN; 1 is the partition, 2 the service, 3 the region, 4 the account.
fn part(arn: &str, index: usize) -> Option<&str> {
    let is_arn = arn.starts_with("arn:");
    let part = arn.split(':').nth(index).filter(|_| is_arn)?;
    Some(part).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::facts::Credentials;
    use crate::doctor::fixture;

    #[test]
    fn credentials_that_are_about_to_expire_are_a_warning() {
        for (left, level) in [
            (None, Level::Ok),
            (Some(16 * 60), Level::Ok),
            (Some(14 * 60), Level::Warn),
        ] {
            let credentials = Ok(Credentials {
                source: "Profile".into(),
                left: left.map(Duration::from_secs),
            });
            let account = Account {
                credentials,
                ..fixture::account()
            };
            assert_eq!(load(&account).unwrap().level, level, "{left:?}");
        }
    }

    #[test]
    fn a_session_that_could_be_anybodys_is_a_warning() {
        for (session, level) in [
            ("me", Level::Ok),
            ("bastiond-me", Level::Ok),
            ("bastiond", Level::Warn),
            ("botocore-session-1700000000", Level::Warn),
        ] {
            let mut account = fixture::account();
            let arn = format!("arn:aws:sts::123456789012:assumed-role/Developer/{session}");
            account.identity.as_mut().unwrap().arn = arn;
            assert_eq!(role(&account).unwrap().level, level, "{session}");
        }
    }

    #[test]
    fn another_account_region_or_partition_fails() {
        let with = |arn: &str| Account {
            arns: vec![arn.to_owned()],
            ..fixture::account()
        };
        let right = with("arn:aws:ecs:eu-west-1:123456789012:cluster/dev");
        assert_eq!(identity(&right).unwrap().level, Level::Ok);
        assert_eq!(region(&right).unwrap().level, Level::Ok);
        let account = with("arn:aws:ecs:eu-west-1:210987654321:cluster/dev");
        let told = identity(&account).unwrap();
        assert_eq!(
            told.fix_of(&CHECKS[1]).unwrap(),
            "set `profile` under [aws] to one of account 210987654321"
        );
        assert_eq!(region(&account).unwrap().level, Level::Ok);
        let elsewhere = with("arn:aws:ecs:eu-west-2:123456789012:cluster/dev");
        assert_eq!(region(&elsewhere).unwrap().level, Level::Fail);
        let china = Account {
            region: "cn-north-1".into(),
            ..fixture::account()
        };
        assert_eq!(region(&china).unwrap().level, Level::Fail);
    }
}

//! The container that tunnels go through.

use super::cluster::definition_of;
use crate::aws::ContainerDefinition;
use crate::doctor::check::{Gap, Verdict};
use crate::doctor::facts::Bastion;

/// What of its environment makes the agent take other credentials than the task role's.
const CREDENTIALS: [&str; 4] = [
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_PROFILE",
];
/// Where the agent gets its credentials, and must get them without a proxy.
const METADATA: [&str; 2] = ["169.254.170.2", "169.254.169.254"];
/// What tells that the container's program ends by itself.
const WATCHDOG: [&str; 3] = ["IDLE_SECONDS", "MAX_SECONDS", "BASTIOND_IDLE_SECONDS"];
/// Seconds that a task which does not obey SIGTERM is paid for after it was stopped.
const STOP_TIMEOUT: i32 = 10;

fn container_of(bastion: &Bastion) -> Result<&ContainerDefinition, Gap> {
    let containers = &definition_of(bastion)?.containers;
    let found = match &bastion.config.container {
        Some(name) => containers.iter().find(|it| it.name == *name),
        None => containers.first(),
    };
    found.ok_or(Gap::Needs("the container (T13)"))
}

pub fn init(bastion: &Bastion) -> Result<Verdict, Gap> {
    let container = container_of(bastion)?;
    Ok(match container.init {
        true => Verdict::ok("initProcessEnabled is true"),
        false => Verdict::warn(format!(
            "container `{}` has no init process",
            container.name
        )),
    }
    .fill("container", &container.name))
}

pub fn writable(bastion: &Bastion) -> Result<Verdict, Gap> {
    let container = container_of(bastion)?;
    Ok(match container.read_only {
        false => Verdict::ok("readonlyRootFilesystem is false"),
        true => Verdict::fail(format!(
            "container `{}` has a read-only root file system",
            container.name
        )),
    }
    .fill("container", &container.name))
}

pub fn credentials(bastion: &Bastion) -> Result<Verdict, Gap> {
    let container = container_of(bastion)?;
    let has = |name: &&str| {
        container.environment.contains_key(*name) || container.secrets.iter().any(|it| it == *name)
    };
    Ok(match CREDENTIALS.iter().find(|name| has(name)) {
        None => Verdict::ok("none"),
        Some(name) => Verdict::fail(format!("container `{}` is given {name}", container.name))
            .fill("name", *name)
            .fill("container", &container.name),
    })
}

pub fn proxy(bastion: &Bastion) -> Result<Verdict, Gap> {
    let container = container_of(bastion)?;
    let variable = |name: &str| {
        let environment = container.environment.iter();
        let mut fitting = environment.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        fitting
            .find(|(_, value)| !value.is_empty())
            .map(|(_, value)| value)
    };
    if variable("HTTP_PROXY").is_none() && variable("HTTPS_PROXY").is_none() {
        return Ok(Verdict::ok("no proxy"));
    }
    let exceptions = variable("NO_PROXY").cloned().unwrap_or_default();
    let missing = METADATA.iter().find(|address| {
        !exceptions
            .split(',')
            .any(|it| it.trim() == **address || it.trim() == "169.254.0.0/16")
    });
    Ok(match missing {
        None => Verdict::ok("NO_PROXY has both addresses"),
        Some(address) => {
            let name = &container.name;
            Verdict::fail(format!(
                "container `{name}` has a proxy, and NO_PROXY lacks {address}"
            ))
            .fill("container", name)
        }
    })
}

pub fn watchdog(bastion: &Bastion) -> Result<Verdict, Gap> {
    let container = container_of(bastion)?;
    let in_environment = WATCHDOG
        .iter()
        .any(|name| container.environment.contains_key(*name));
    let in_command = container.command.iter().any(|word| {
        WATCHDOG.iter().any(|name| word.contains(name)) || word.contains("ssm-session-wor")
    });
    let never = |name: &&&str| {
        container
            .environment
            .get(**name)
            .is_some_and(|value| value == "0")
    };
    let never = WATCHDOG[..2].iter().filter(never).count() == 2;
    Ok(match (in_environment || in_command, never) {
        (true, false) => Verdict::ok("it is there"),
        (true, true) => {
            Verdict::warn("IDLE_SECONDS and MAX_SECONDS are both 0: it never ends the container")
                .fix("set MAX_SECONDS, such as 43200")
        }
        (false, _) => Verdict::warn(format!("container `{}` has none", container.name)),
    }
    .fill("container", &container.name))
}

pub fn container(bastion: &Bastion) -> Result<Verdict, Gap> {
    let definition = definition_of(bastion)?;
    let named = bastion.config.container.as_deref();
    let Some(container) = container_of(bastion).ok() else {
        let names: Vec<_> = definition
            .containers
            .iter()
            .map(|it| it.name.as_str())
            .collect();
        let named = named.unwrap_or_default();
        let evidence = format!("there is no container `{named}`, only {}", names.join(", "));
        let what = format!(
            "set `container` of the bastion to one of {}",
            names.join(", ")
        );
        return Ok(Verdict::fail(evidence).fill("what", what));
    };
    let name = &container.name;
    if !container.essential {
        let what = format!("set essential to true for container `{name}`");
        return Ok(
            Verdict::warn(format!("container `{name}` is not essential")).fill("what", what),
        );
    }
    Ok(match container.stop_timeout {
        Some(seconds) if seconds > STOP_TIMEOUT => {
            let what = format!("set stopTimeout of container `{name}` to {STOP_TIMEOUT} or less");
            Verdict::warn(format!("stopTimeout is {seconds} s")).fill("what", what)
        }
        _ => Verdict::ok(name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::Level;
    use crate::doctor::fixture;

    /// What the judge of `id` says when `alter` has spoilt a definition that is well.
    fn altered(
        judge: fn(&Bastion) -> Result<Verdict, Gap>,
        alter: fn(&mut ContainerDefinition),
    ) -> Verdict {
        let mut bastion = fixture::bastion();
        if let Ok(Some(definition)) = &mut bastion.definition {
            alter(&mut definition.containers[0]);
        }
        judge(&bastion).unwrap()
    }

    #[test]
    fn a_proxy_must_leave_both_metadata_addresses_alone() {
        let level = |alter| altered(proxy, alter).level;
        assert_eq!(level(|_| {}), Level::Ok);
        assert_eq!(
            level(|it| {
                it.environment
                    .insert("https_proxy".into(), "http://p".into());
                it.environment
                    .insert("no_proxy".into(), "169.254.170.2".into());
            }),
            Level::Fail
        );
        assert_eq!(
            level(|it| {
                it.environment
                    .insert("HTTP_PROXY".into(), "http://p".into());
                let both = "x, 169.254.169.254,169.254.170.2".into();
                it.environment.insert("NO_PROXY".into(), both);
            }),
            Level::Ok
        );
    }

    #[test]
    fn a_secret_counts_as_credentials_too() {
        let told = altered(credentials, |it| it.secrets.push("AWS_PROFILE".into()));
        assert_eq!(told.level, Level::Fail);
        assert!(told.evidence.contains("AWS_PROFILE"));
    }

    #[test]
    fn a_watchdog_is_known_by_its_settings_or_its_script() {
        let level = |alter| altered(watchdog, alter).level;
        assert_eq!(level(|it| it.environment.clear()), Level::Warn);
        assert_eq!(
            level(|it| {
                it.environment.clear();
                it.command = vec!["sh".into(), "-c".into(), "case '(ssm-session-wor'*".into()];
            }),
            Level::Ok
        );
        assert_eq!(
            level(|it| {
                it.environment.insert("IDLE_SECONDS".into(), "0".into());
                it.environment.insert("MAX_SECONDS".into(), "0".into());
            }),
            Level::Warn
        );
    }

    #[test]
    fn what_is_not_known_is_named_by_the_check_that_tells_of_it() {
        let bastion = Bastion {
            definition: Ok(None),
            ..fixture::bastion()
        };
        assert_eq!(init(&bastion), Err(Gap::Needs("the task definition (T02)")));
    }
}

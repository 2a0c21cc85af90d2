//! What a new configuration changes. Pure.

use crate::config::{Config, Tunnel, Via};

/// What is to be done to the parts of a daemon, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Bastions that go, or make room for one of other settings.
    pub old_bastions: Vec<String>,
    /// Bastions that come.
    pub new_bastions: Vec<String>,
    /// Tunnels there were not before.
    pub added: Vec<String>,
    /// Tunnels there are no more.
    pub removed: Vec<String>,
    /// Tunnels that are started anew.
    pub changed: Vec<String>,
    /// Tunnels that go on as they are.
    pub unchanged: Vec<String>,
    /// Settings that hold from the next start on.
    pub needs_restart: Vec<String>,
}

impl Plan {
    /// From one configuration to another.
    pub fn between(old: &Config, new: &Config) -> Plan {
        let mut plan = Plan::default();
        for name in old.bastions.keys() {
            if !is_same_bastion(old, new, name) {
                plan.old_bastions.push(name.clone());
            }
        }
        for name in new.bastions.keys() {
            if !is_same_bastion(old, new, name) {
                plan.new_bastions.push(name.clone());
            }
        }
        for tunnel in &old.tunnels {
            if find(new, &tunnel.name).is_none() {
                plan.removed.push(tunnel.name.clone());
            }
        }
        for tunnel in &new.tunnels {
            let list = match find(old, &tunnel.name) {
                None => &mut plan.added,
                Some(before) if goes_on(old, new, before, tunnel) => &mut plan.unchanged,
                Some(_) => &mut plan.changed,
            };
            list.push(tunnel.name.clone());
        }
        let for_good = [
            (
                "shutdown_timeout",
                old.shutdown_timeout != new.shutdown_timeout,
            ),
            ("exit_when_idle", old.exit_when_idle != new.exit_when_idle),
        ];
        let changed = for_good.into_iter().filter(|(_, is_new)| *is_new);
        plan.needs_restart = changed.map(|(key, _)| key.to_owned()).collect();
        plan
    }

    /// Whether the tunnel of this name is started.
    pub fn starts(&self, name: &str) -> bool {
        self.added.iter().chain(&self.changed).any(|it| it == name)
    }

    /// Whether the tunnel of this name ends.
    pub fn ends(&self, name: &str) -> bool {
        self.removed
            .iter()
            .chain(&self.changed)
            .any(|it| it == name)
    }

    /// In a line, for the log.
    pub fn summary(&self) -> String {
        let count = |what: &str, names: &[String]| {
            (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")))
        };
        let parts = [
            count("added", &self.added),
            count("removed", &self.removed),
            count("started anew", &self.changed),
        ];
        let said: Vec<String> = parts.into_iter().flatten().collect();
        match said.is_empty() {
            true => "no tunnel has changed".to_owned(),
            false => said.join("; "),
        }
    }
}

fn find<'c>(config: &'c Config, name: &str) -> Option<&'c Tunnel> {
    config.tunnels.iter().find(|tunnel| tunnel.name == name)
}

/// The same settings, and the same way to AWS.
fn is_same_bastion(old: &Config, new: &Config, name: &str) -> bool {
    let both = (old.bastions.get(name), new.bastions.get(name));
    let is_same = both.0.is_some() && both.0 == both.1;
    is_same && old.aws_of(Some(name)) == new.aws_of(Some(name))
}

/// A tunnel goes on if nothing has changed about it, nor about what it goes through.
fn goes_on(old: &Config, new: &Config, before: &Tunnel, now: &Tunnel) -> bool {
    let way = match &now.via {
        Via::Bastion(name) => is_same_bastion(old, new, name),
        Via::Target(_) => old.aws == new.aws,
    };
    way && before == now
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = r#"
        [aws]
        region = "eu-west-1"
        [bastion.dev]
        cluster = "backend"
        task_definition = "bastion"
        subnets = ["subnet-1"]
        [bastion.prod]
        cluster = "production"
        task_definition = "bastion"
        subnets = ["subnet-2"]
        aws = { region = "eu-west-3" }
        [[tunnel]]
        name = "a"
        listen = 55001
        bastion = "dev"
        port = 1
        [[tunnel]]
        name = "b"
        listen = 55002
        bastion = "prod"
        port = 2
        [[tunnel]]
        name = "c"
        listen = 55003
        target = "i-0123456789abcdef0"
        port = 3
    "#;

    fn plan(from: &str, to: &str) -> Plan {
        Plan::between(&Config::parse(from).unwrap(), &Config::parse(to).unwrap())
    }

    fn changed(from: &str, to: &str) -> Plan {
        assert!(BEFORE.contains(from), "{from}");
        plan(BEFORE, &BEFORE.replacen(from, to, 1))
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn nothing_new_changes_nothing() {
        let unchanged = names(&["a", "b", "c"]);
        assert_eq!(
            plan(BEFORE, BEFORE),
            Plan {
                unchanged,
                ..Plan::default()
            }
        );
    }

    #[test]
    fn a_tunnel_is_changed_alone() {
        let plan = changed("port = 1", "port = 11");
        assert_eq!(
            (plan.changed, plan.unchanged),
            (names(&["a"]), names(&["b", "c"]))
        );
        assert_eq!(plan.old_bastions, names(&[]));
        let plan = changed("name = \"a\"", "name = \"z\"");
        assert_eq!((plan.added, plan.removed), (names(&["z"]), names(&["a"])));
    }

    #[test]
    fn a_bastion_changes_with_its_tunnels() {
        let plan = changed("subnet-2", "subnet-3");
        assert_eq!(
            (plan.old_bastions, plan.new_bastions),
            (names(&["prod"]), names(&["prod"]))
        );
        assert_eq!(
            (plan.changed, plan.unchanged),
            (names(&["b"]), names(&["a", "c"]))
        );
    }

    #[test]
    fn the_way_to_aws_changes_those_who_go_it() {
        let plan = changed("eu-west-1", "eu-west-2");
        assert_eq!(
            (plan.changed, plan.unchanged),
            (names(&["a", "c"]), names(&["b"]))
        );
        assert_eq!(plan.new_bastions, names(&["dev"]));
    }
}

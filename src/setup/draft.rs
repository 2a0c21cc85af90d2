//! A configuration in the making, and its text. Pure.

use std::fmt::Write as _;

/// What the file will say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Draft {
    pub account: Account,
    pub bastion: Bastion,
    pub tunnels: Vec<Tunnel>,
}

/// How AWS is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    pub profile: Option<String>,
    pub region: Option<String>,
    pub endpoint_url: Option<String>,
}

/// The task to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bastion {
    pub name: String,
    pub cluster: String,
    pub task_definition: String,
    /// The ECS service of which the task is, in the place of one that is run.
    pub service: Option<String>,
    pub subnets: Vec<String>,
    pub security_groups: Vec<String>,
    pub assign_public_ip: bool,
    pub capacity_provider: Option<String>,
    /// The session document for hosts, if not AWS's own.
    pub document: Option<String>,
    /// The only port that the document accepts.
    pub port: Option<u16>,
}

/// A local port and where it leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tunnel {
    pub name: String,
    pub listen: u16,
    /// A host, or a database by its id.
    pub host: String,
    /// `None`: AWS tells it.
    pub port: Option<u16>,
    /// The port to suggest a client for.
    pub speaks: u16,
}

impl Draft {
    /// The file, with what one would want to know beside it.
    pub fn text(&self) -> String {
        let mut text = String::from(
            "# bastiond's configuration. Every key there is: examples/bastiond.toml, or `bastiond init --help` to make\n\
             # another. After a change: bastiond ctl reload\n\n",
        );
        self.account.write(&mut text);
        self.bastion.write(&mut text);
        for tunnel in &self.tunnels {
            tunnel.write(self.bastion.document.as_deref(), &mut text);
        }
        text
    }
}

impl Account {
    fn write(&self, text: &mut String) {
        text.push_str(
            "# How to reach AWS. What is left out is found as the AWS CLI finds it.\n[aws]\n",
        );
        for (key, value) in [
            ("profile", &self.profile),
            ("region", &self.region),
            ("endpoint_url", &self.endpoint_url),
        ] {
            match value {
                Some(value) => line(text, key, &quoted(value)),
                None if key == "endpoint_url" => {}
                None => {
                    let _ = writeln!(text, "# {key} = \"…\"");
                }
            }
        }
        text.push('\n');
    }
}

impl Bastion {
    fn write(&self, text: &mut String) {
        text.push_str(
            "# The ECS task that runs while somebody is connected, and stops 15 minutes after.\n",
        );
        let _ = writeln!(text, "[bastion.{}]", quoted(&self.name));
        line(text, "cluster", &quoted(&self.cluster));
        match &self.service {
            // It says by itself how and where its tasks are run.
            Some(service) => line(text, "service", &quoted(service)),
            None => self.write_run(text),
        }
        text.push_str(
            "# warm = \"Mon-Fri 09:00-18:30\"           # kept though nobody is connected\n\n",
        );
    }

    /// How and where a task is run.
    fn write_run(&self, text: &mut String) {
        line(text, "task_definition", &quoted(&self.task_definition));
        if !self.subnets.is_empty() {
            line(text, "subnets", &list(&self.subnets));
        }
        if !self.security_groups.is_empty() {
            line(text, "security_groups", &list(&self.security_groups));
        }
        if self.assign_public_ip {
            line(text, "assign_public_ip", "true");
        }
        match &self.capacity_provider {
            Some(provider) => line(text, "capacity_provider", &quoted(provider)),
            None => text.push_str(
                "# capacity_provider = \"FARGATE_SPOT\"   # cheaper, and may be taken away\n",
            ),
        }
    }
}

impl Tunnel {
    fn write(&self, document: Option<&str>, text: &mut String) {
        text.push_str("# Where it listens, and where connections to it lead.\n[[tunnel]]\n");
        line(text, "name", &quoted(&self.name));
        line(text, "listen", &quoted(&self.listen.to_string()));
        line(text, "host", &quoted(&self.host));
        if let Some(port) = self.port {
            line(text, "port", &port.to_string());
        }
        if let Some(document) = document {
            line(text, "document", &quoted(document));
        }
        text.push('\n');
    }

    /// The command that tries it.
    pub fn client(&self) -> String {
        let port = self.listen;
        match self.speaks {
            3306 => format!("mysql -h 127.0.0.1 -P {port} -u USER -p"),
            6379 => format!("redis-cli -h localhost -p {port}"),
            27017 => format!(
                "mongosh 'mongodb://localhost:{port}/?directConnection=true&tls=true&tlsAllowInvalidHostnames=true'"
            ),
            1433 => format!("sqlcmd -S localhost,{port} -U USER"),
            8182 => format!("curl -k https://localhost:{port}/status"),
            _ => format!("psql -h localhost -p {port} -U USER"),
        }
    }
}

fn line(text: &mut String, key: &str, value: &str) {
    let _ = writeln!(text, "{key} = {value}");
}

/// As TOML has it.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn list(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("[{}]", words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Remote, Via};

    fn draft() -> Draft {
        Draft {
            account: Account {
                profile: Some("my \"dev\"".into()),
                region: Some("eu-west-1".into()),
                endpoint_url: None,
            },
            bastion: Bastion {
                name: "my.stack".into(),
                cluster: "c".into(),
                task_definition: "b".into(),
                service: None,
                subnets: vec!["subnet-1".into(), "subnet-2".into()],
                security_groups: vec!["sg-1".into()],
                assign_public_ip: true,
                capacity_provider: Some("FARGATE_SPOT".into()),
                document: Some("b-port-forward".into()),
                port: None,
            },
            tunnels: vec![
                Tunnel {
                    name: "app".into(),
                    listen: 55432,
                    host: "rds-cluster:app:reader".into(),
                    port: None,
                    speaks: 5432,
                },
                Tunnel {
                    name: "cache".into(),
                    listen: 16379,
                    host: "cache.internal".into(),
                    port: Some(6379),
                    speaks: 6379,
                },
            ],
        }
    }

    #[test]
    fn the_file_says_what_was_decided() {
        let config = Config::parse(&draft().text()).unwrap();
        assert_eq!(config.aws.profile.as_deref(), Some("my \"dev\""));
        let bastion = &config.bastions["my.stack"];
        assert_eq!(
            (bastion.cluster.as_str(), bastion.task_definition.as_str()),
            ("c", "b")
        );
        assert_eq!(bastion.launch.capacity_providers[0].name, "FARGATE_SPOT");
        let [app, cache] = &config.tunnels[..] else {
            panic!("two tunnels: {:?}", config.tunnels)
        };
        assert_eq!(app.via, Via::Bastion("my.stack".into()));
        assert_eq!(app.document.as_deref(), Some("b-port-forward"));
        let Remote::Database {
            selector,
            port: None,
        } = &app.remote
        else {
            panic!("{:?}", app.remote)
        };
        assert_eq!(selector.to_string(), "rds-cluster:app:reader");
        assert_eq!(cache.listen[0].port(), 16379);
        let name = "cache.internal".into();
        assert_eq!(cache.remote, Remote::Host { name, port: 6379 });
    }

    #[test]
    fn a_service_stands_in_the_place_of_a_task_that_is_run() {
        let mut draft = draft();
        draft.bastion.service = Some("b".into());
        let config = Config::parse(&draft.text()).unwrap();
        let bastion = &config.bastions["my.stack"];
        let service = bastion.service.as_ref().map(|it| it.name.as_str());
        assert_eq!((bastion.cluster.as_str(), service), ("c", Some("b")));
        assert!(bastion.task_definition.is_empty(), "{bastion:?}");
    }

    #[test]
    fn what_is_optional_may_be_missing() {
        let mut least = draft();
        least.account = Account::default();
        (least.bastion.security_groups, least.bastion.document) = (Vec::new(), None);
        (
            least.bastion.capacity_provider,
            least.bastion.assign_public_ip,
        ) = (None, false);
        let config = Config::parse(&least.text()).unwrap();
        assert_eq!(config.aws.region, None);
        assert_eq!(config.tunnels[0].document, None);
    }

    #[test]
    fn each_database_has_its_client() {
        let of = |speaks| {
            Tunnel {
                listen: 1,
                speaks,
                ..Tunnel::default()
            }
            .client()
        };
        for (port, program) in [
            (5432, "psql"),
            (5439, "psql"),
            (3306, "mysql"),
            (6379, "redis-cli"),
            (27017, "mongosh"),
        ] {
            assert!(of(port).starts_with(program), "{port}");
        }
    }
}

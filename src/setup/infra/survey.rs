//! What there is already: the database and the network around it, and the cluster. What cannot be found out is asked for.

use anyhow::{anyhow, bail};

use super::{
    fatal,
    place::{self, Place, Vpc},
    template::Told,
    wish::{Target, Wish},
};
use crate::{
    aws::{Aws, Filter, Home, VpcEndpoint},
    cli,
    config::Remote,
    setup::{account::say, answer, ask::Person, database, init},
};

/// What a survey works with.
pub(super) struct Survey<'a> {
    pub options: &'a cli::Deploy,
    pub person: &'a Person,
    pub aws: &'a Aws,
}

impl Survey<'_> {
    /// What is wanted of a new stack.
    pub async fn new_stack(&self) -> anyhow::Result<Wish> {
        let (mut target, home) = match &self.options.database {
            Some(host) => self.target(host, self.options.port).await?,
            None if self.options.vpc.is_some() && !self.person.is_there() => (self.flags(), None),
            None => {
                let (host, port) = self.chosen().await?;
                self.target(&host, port).await?
            }
        };
        let (options, person) = (self.options, self.person);
        let vpc = options
            .vpc
            .clone()
            .or_else(|| home.as_ref().map(|it| it.vpc.clone()));
        let vpc = match vpc {
            Some(vpc) => vpc,
            None => person.ask("VPC of the database", None, "--vpc", answer::word)?,
        };
        if target.group.is_none() && target.cidr.is_none() {
            let question = "Security group of the database";
            let group = person.ask(
                question,
                None,
                "--security-group, or --target-cidr",
                answer::word,
            )?;
            target.group = Some(group);
        }
        if target.port.is_none() {
            let port = person.ask("Port of the database", Some("5432"), "--port", answer::port)?;
            target.port = Some(port);
        }
        let zone = home.as_ref().and_then(|it| it.zone.as_deref());
        let place = self.place(&vpc, zone).await?;
        Ok(Wish {
            cluster: self.cluster(true).await?,
            given: self.options.parameter.iter().cloned().collect(),
            vpc: Some(vpc),
            target: Some(target),
            place: Some(place),
        })
    }

    /// What is wanted of a stack that is there: what flags name, and nothing else.
    pub async fn change(&self, before: &Told) -> anyhow::Result<Wish> {
        let (options, vpc) = (self.options, before.value("VpcId"));
        let (target, home) = match &options.database {
            Some(host) => self.target(host, options.port).await?,
            None => (self.flags(), None),
        };
        let other = home.map(|it| it.vpc).into_iter().chain(options.vpc.clone());
        if let Some(other) = other.into_iter().find(|it| it != vpc) {
            bail!("the stack is in {vpc}, and this is {other}\nhint: give another --stack for it");
        }
        let place = match options.subnet.is_empty() {
            true => None,
            false => Some(self.place(vpc, None).await?),
        };
        Ok(Wish {
            vpc: None,
            target: Some(target),
            place,
            cluster: self.cluster(false).await?,
            given: options.parameter.iter().cloned().collect(),
        })
    }

    fn flags(&self) -> Target {
        Target {
            group: self.options.security_group.clone(),
            cidr: self.options.target_cidr.clone(),
            port: self.options.port,
            ..Target::default()
        }
    }

    async fn chosen(&self) -> anyhow::Result<(String, Option<u16>)> {
        let all = self.aws.databases().await;
        for error in &all.failed {
            say("cannot list all databases", error);
        }
        let (person, port) = (self.person, self.options.port);
        let mut lines: Vec<String> = all.databases.iter().map(database::shown).collect();
        if !lines.is_empty() {
            if person.is_there() {
                lines.push("another host".to_owned());
            }
            let chosen = person.chooses("Database", "--database", &lines)?;
            if let Some(chosen) = all.databases.get(chosen) {
                return Ok((chosen.selector.to_string(), port));
            }
        }
        let host = person.ask("Host of the database", None, "--database", answer::word)?;
        let port = match port {
            Some(port) => port,
            None => person.ask("Its port", Some("5432"), "--port", answer::port)?,
        };
        Ok((host, Some(port)))
    }

    /// What leads to it, with what flags say going before what AWS tells.
    async fn target(
        &self,
        host: &str,
        port: Option<u16>,
    ) -> anyhow::Result<(Target, Option<Home>)> {
        let mut target = Target {
            database: Some(host.to_owned()),
            ..self.flags()
        };
        target.port = target.port.or(port);
        let selector = match init::remote(host, port)? {
            Remote::Database { selector, .. } => selector,
            Remote::Host { name, port } => {
                (target.host, target.port) = (Some(name), Some(port));
                return Ok((target, None));
            }
            Remote::Target { .. } => bail!("a database has a host"),
        };
        match self.aws.home(&selector).await {
            Ok(home) => {
                if target.cidr.is_none() && target.group.is_none() {
                    target.group = home.security_groups.first().cloned();
                }
                let usual = database::usual_port(selector.kind);
                target.port = target.port.or(home.port).or(Some(usual));
                Ok((target, Some(home)))
            }
            Err(error) if self.person.is_there() || self.options.vpc.is_some() => {
                say(&format!("cannot see the network of `{host}`"), &error);
                Ok((target, None))
            }
            Err(error) => Err(fatal(error)),
        }
    }

    async fn place(&self, vpc: &str, zone: Option<&str>) -> anyhow::Result<Place> {
        let filter = [Filter::new("vpc-id", [vpc])];
        let (subnets, tables, endpoints) = tokio::try_join!(
            self.aws.subnets(&filter),
            self.aws.route_tables(&filter),
            self.aws.vpc_endpoints(&filter),
        )
        .map_err(fatal)?;
        if subnets.is_empty() {
            bail!(
                "`{vpc}` has no subnets in {}, or there is no such VPC\nhint: correct --vpc, or --region",
                self.aws.region()
            );
        }
        let endpoints: Vec<_> = endpoints.into_iter().map(as_if_ready).collect();
        let vpc = Vpc {
            subnets: &subnets,
            tables: &tables,
            endpoints: &endpoints,
            region: self.aws.region(),
            zone,
        };
        place::choose(vpc, &self.options.subnet)
            .map_err(|why| anyhow!("{why}\nhint: correct --subnet"))
    }

    /// One that is there already: the one named, or for a new stack one of its name, which it could not make again.
    async fn cluster(&self, is_new: bool) -> anyhow::Result<Option<String>> {
        let named = self.options.cluster.as_ref();
        if named.is_none() && !is_new {
            return Ok(None);
        }
        let name = named.unwrap_or(&self.options.stack);
        match self.aws.cluster(name).await {
            Ok(Some(cluster)) if cluster.status == "ACTIVE" => Ok(Some(name.clone())),
            Ok(_) if named.is_none() => Ok(None),
            Ok(_) => bail!(
                "there is no cluster `{name}` in {}\nhint: correct --cluster, or leave it out: the stack makes one",
                self.aws.region()
            ),
            Err(error) => {
                say(
                    &format!("cannot see whether there is a cluster `{name}`"),
                    &error,
                );
                Ok(named.cloned())
            }
        }
    }
}

/// Another endpoint for the same service would be refused, even while this one is still being made.
fn as_if_ready(mut endpoint: VpcEndpoint) -> VpcEndpoint {
    if endpoint.state.starts_with("pending") {
        endpoint.state = "available".to_owned();
    }
    endpoint
}

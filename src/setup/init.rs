//! `bastiond init`: asks what cannot be found out, and writes the configuration.

use std::{path::Path, process::ExitCode};

use anyhow::{anyhow, bail};

use super::{
    account::{self, say},
    answer,
    ask::Person,
    bastion::{MARK, of_outputs},
    database,
    draft::{Account, Bastion, Draft, Tunnel},
    file, port,
};
use crate::{
    aws::{Aws, Listed},
    cli,
    config::{Config, Remote, Role, Selector},
};

/// What a flow works with.
pub(super) struct Setup<'a> {
    pub options: &'a cli::Init,
    pub person: &'a Person,
    /// None when AWS cannot be asked.
    pub aws: Option<Aws>,
}

/// Runs it to its end.
///
/// # Errors
/// When something is missing that cannot be asked for, or the file cannot be written.
pub async fn run(options: cli::Init, path: &Path) -> anyhow::Result<ExitCode> {
    let person = Person::at_the_terminal();
    may_write(path, options.force, &person)?;
    let mut account = Account {
        profile: options.aws.profile.clone(),
        region: options.aws.region.clone(),
        endpoint_url: options.aws.endpoint_url.clone(),
    };
    let setup = Setup {
        options: &options,
        person: &person,
        aws: account::connect(&mut account, &person).await?,
    };
    let mut bastion = setup.bastion().await?;
    let tunnels = setup.tunnels(&bastion).await?;
    setup.place(&mut bastion, &tunnels).await?;
    let draft = Draft {
        account,
        bastion,
        tunnels,
    };
    finish(&draft, path)
}

/// Never over a file that somebody wrote, unless he says so.
pub(super) fn may_write(path: &Path, force: bool, person: &Person) -> anyhow::Result<()> {
    let shown = path.display();
    let question = format!("`{shown}` is there already. Write another in its place?");
    match force || !path.exists() || person.confirms(&question)? {
        true => Ok(()),
        false => bail!("`{shown}` is left as it is\nhint: --force, or another --config"),
    }
}

/// Writes the file, and says what to try.
pub(super) fn finish(draft: &Draft, path: &Path) -> anyhow::Result<ExitCode> {
    let text = draft.text();
    Config::parse(&text).map_err(|error| anyhow!("this would not be a configuration:\n{error}"))?;
    file::write(path, &text)?;
    crate::errln!("\nwrote {}\n\nTry it:", path.display());
    crate::outln!("bastiond start");
    if let Some(tunnel) = draft.tunnels.first() {
        crate::outln!("{}", tunnel.client());
    }
    Ok(ExitCode::SUCCESS)
}

impl Setup<'_> {
    async fn bastion(&self) -> anyhow::Result<Bastion> {
        let options = self.options;
        if let Some(stack) = &options.stack {
            return self.of_stack(stack).await;
        }
        if options.cluster.is_none()
            && self.person.is_there()
            && let Some(stack) = self.chosen_stack().await?
        {
            return self.of_stack(&stack).await;
        }
        self.by_hand()
    }

    /// Out of the account's stacks, or by name; none for who has no stack.
    async fn chosen_stack(&self) -> anyhow::Result<Option<String>> {
        let mut names = Vec::new();
        if let Some(aws) = &self.aws {
            match aws.stacks().await {
                Ok(stacks) => {
                    let ours = stacks
                        .into_iter()
                        .filter(|it| it.outputs.contains_key(MARK));
                    names.extend(ours.map(|stack| stack.name));
                }
                Err(error) => say("cannot list the stacks", &error),
            }
        }
        if names.is_empty() {
            let question = "Name of bastiond's stack, or empty for an ECS cluster of your own";
            let name =
                self.person
                    .ask(question, Some(""), "--stack", |text| Ok(text.to_owned()))?;
            return Ok(Some(name).filter(|name| !name.is_empty()));
        }
        let mut lines: Vec<String> = names.iter().map(|name| format!("stack {name}")).collect();
        lines.push("an ECS cluster and task definition of your own".to_owned());
        let chosen = self
            .person
            .chooses("What runs the bastion", "--stack", &lines)?;
        Ok(names.into_iter().nth(chosen))
    }

    /// What it tells; a stack that cannot be asked is described by hand.
    pub async fn of_stack(&self, stack: &str) -> anyhow::Result<Bastion> {
        let Some(aws) = &self.aws else {
            return self.by_hand();
        };
        match aws.stack(stack).await {
            Ok(Some(stack)) if stack.outputs.is_empty() => bail!(
                "the stack `{}` is {} and tells nothing of itself\nhint: wait until it is complete",
                stack.name,
                stack.status
            ),
            Ok(Some(stack)) => of_outputs(&stack.name, &stack.outputs).map_err(|why| anyhow!(why)),
            Ok(None) => bail!(
                "there is no stack `{stack}` in {}\nhint: bastiond infra deploy makes it; or give another --region",
                aws.region()
            ),
            Err(error) if self.person.is_there() => {
                say(&format!("cannot read the stack `{stack}`"), &error);
                self.by_hand()
            }
            Err(error) => Err(account::fatal(error)),
        }
    }

    fn by_hand(&self) -> anyhow::Result<Bastion> {
        let (options, person) = (self.options, self.person);
        let given = |value: &Option<String>, question: &str, flag: &str| match value {
            Some(value) => Ok(value.clone()),
            None => person.ask(question, None, flag, answer::word),
        };
        let cluster = given(&options.cluster, "ECS cluster", "--stack, or --cluster")?;
        let task = given(
            &options.task_definition,
            "Task definition",
            "--task-definition",
        )?;
        let family = task.rsplit('/').next().unwrap_or_default();
        let family = family.split(':').next().unwrap_or_default();
        Ok(Bastion {
            name: answer::name(family),
            cluster,
            task_definition: task.clone(),
            subnets: options.subnet.clone(),
            security_groups: options.security_group.clone(),
            assign_public_ip: options.public_ip,
            document: options.document.clone(),
            ..Bastion::default()
        })
    }

    /// One at least; on a terminal as many as are wanted.
    pub async fn tunnels(&self, bastion: &Bastion) -> anyhow::Result<Vec<Tunnel>> {
        let mut tunnels = Vec::new();
        if let Some(host) = &self.options.database {
            tunnels.push(self.tunnel(host, self.options.port, &tunnels, true)?);
        } else {
            let listed = self.listed().await;
            loop {
                let (host, port) = self.remote(&listed, bastion)?;
                tunnels.push(self.tunnel(&host, port, &tunnels, tunnels.is_empty())?);
                if !self.person.confirms("Another database?")? {
                    break;
                }
            }
        }
        for tunnel in &tunnels {
            if let Some(only) = bastion.port.filter(|only| *only != tunnel.speaks) {
                crate::errln!(
                    "note: `{}` is on port {}, and the stack's session document accepts {only} alone: change its \
                     AllowedPortPattern",
                    tunnel.name,
                    tunnel.speaks
                );
            }
        }
        Ok(tunnels)
    }

    async fn listed(&self) -> Vec<Listed> {
        let Some(aws) = &self.aws else {
            return Vec::new();
        };
        let all = aws.databases().await;
        for error in &all.failed {
            say("cannot list all databases", error);
        }
        all.databases
    }

    /// The database: one of the list, or what somebody types. With the port that goes with it.
    fn remote(
        &self,
        listed: &[Listed],
        bastion: &Bastion,
    ) -> anyhow::Result<(String, Option<u16>)> {
        let typed = "another host";
        let mut lines: Vec<String> = listed.iter().map(database::shown).collect();
        let chosen = match lines.is_empty() {
            true => None,
            false => {
                if self.person.is_there() {
                    lines.push(typed.to_owned());
                }
                let chosen = self.person.chooses("Database", "--database", &lines)?;
                listed.get(chosen)
            }
        };
        if let Some(chosen) = chosen {
            let selector = self.with_role(chosen)?;
            return Ok((selector.to_string(), chosen.port));
        }
        let host = self
            .person
            .ask("Host of the database", None, "--database", answer::word)?;
        let usual = bastion.port.unwrap_or(5432).to_string();
        let port = self
            .person
            .ask("Its port", Some(&usual), "--port", answer::port)?;
        Ok((host, Some(port)))
    }

    fn with_role(&self, chosen: &Listed) -> anyhow::Result<Selector> {
        if !chosen.has_reader || !self.person.is_there() {
            return Ok(chosen.selector.clone());
        }
        let lines = ["writer".to_owned(), "reader".to_owned()];
        let role = match self
            .person
            .chooses("Which endpoint", "--database", &lines)?
        {
            0 => Role::Writer,
            _ => Role::Reader,
        };
        Ok(database::with_role(&chosen.selector, role))
    }

    /// The tunnel to a host or to a database by its id. The flags are for the first one.
    fn tunnel(
        &self,
        host: &str,
        port: Option<u16>,
        before: &[Tunnel],
        is_first: bool,
    ) -> anyhow::Result<Tunnel> {
        let (name, told, speaks) = match remote(host, port)? {
            Remote::Database { selector, port } => {
                let usual = database::usual_port(selector.kind);
                let known = self.options.port.filter(|_| is_first);
                (database::name(&selector), known, port.unwrap_or(usual))
            }
            Remote::Host { name, port } => {
                let label = name.split('.').next().unwrap_or_default().to_owned();
                (label, Some(port), port)
            }
            Remote::Target { .. } => bail!("a database has a host"),
        };
        let taken: Vec<u16> = before.iter().map(|tunnel| tunnel.listen).collect();
        let suggested = port::suggested(speaks, &taken, port::is_free).to_string();
        let listen = match self.options.listen.filter(|_| is_first) {
            Some(listen) => listen,
            None => self
                .person
                .ask("Local port", Some(&suggested), "--listen", |text| {
                    let port = answer::port(text)?;
                    match taken.contains(&port) {
                        true => Err("a tunnel before has it".to_owned()),
                        false => Ok(port),
                    }
                })?,
        };
        let name = match self.options.name.as_ref().filter(|_| is_first) {
            Some(name) => name.clone(),
            None => {
                let is_taken = |name: &str| before.iter().any(|tunnel| tunnel.name == name);
                self.person.ask(
                    "Its name",
                    Some(&answer::name(&name)),
                    "--name",
                    |text| match text != answer::name(text) {
                        true => Err("letters, digits, `-`, `_` and `.`".to_owned()),
                        false if is_taken(text) => Err("a tunnel before has it".to_owned()),
                        false => Ok(text.to_owned()),
                    },
                )?
            }
        };
        Ok(Tunnel {
            name,
            listen,
            host: host.to_owned(),
            port: told,
            speaks,
        })
    }
}

/// As the configuration understands it.
pub(super) fn remote(host: &str, port: Option<u16>) -> anyhow::Result<Remote> {
    let tunnel = Tunnel {
        name: "x".to_owned(),
        listen: port::KNOWN,
        host: host.to_owned(),
        port,
        speaks: 0,
    };
    let draft = Draft {
        bastion: Bastion {
            name: "x".to_owned(),
            cluster: "x".to_owned(),
            task_definition: "x".to_owned(),
            subnets: vec!["subnet-0".to_owned()],
            ..Bastion::default()
        },
        tunnels: vec![tunnel],
        ..Draft::default()
    };
    let config = Config::parse(&draft.text());
    let config = config.map_err(|error| {
        anyhow!("`{host}` is no database:\n{error}\nhint: --database, and --port")
    })?;
    let tunnel = config.tunnels.into_iter().next().expect("there is one");
    Ok(tunnel.remote)
}
